//! A CSO's reply to an inquiry: written, kept, submitted, taken back. And the list of all replies.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::approval_coordinator::{AdvanceResponse, DraftResponse, Step};
use nexus_actors::digest::sha256_of_parts;
use nexus_actors::domain::page::{PageRequest, SortOrder};
use nexus_actors::domain::response::{NewResponse, Response, ResponseInput, ResponseStatus};
use nexus_actors::domain::{Caller, Claim};
use nexus_actors::store::idempotency::{ClaimKey, ClaimOutcome, ReleaseKey};
use nexus_actors::store::responses::{ListResponses, ResponseFilter};
use nexus_actors::{HubError, HubResult};
use uuid::Uuid;

use super::fields::Fields;
use super::layout::{self, Place};
use super::list::{self, ListQuery};
use super::names::Names;
use super::visitor::Visitor;
use super::{frame, inquiries, parts, see_other};
use crate::http::access::PathId;
use crate::http::problem::HttpError;
use crate::http::responses::asked;
use crate::http::{HttpState, State};

/// How often, and how long in between, a page that sends twice at once waits for itself.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/replies").get(page))
        .service(web::resource("/replies.csv").get(export))
        .service(web::resource("/inquiries/{id}/reply").post(save))
        .service(web::resource("/replies/{id}/submit").post(submit))
        .service(web::resource("/replies/{id}/withdraw").post(withdraw));
}

/// Of replies to one inquiry, the visitor's that is not on its way yet.
pub fn unfinished<'a>(visitor: &Visitor, replies: &'a [Response]) -> Option<&'a Response> {
    replies.iter().find(|reply| {
        let is_on_its_way = matches!(reply.status, ResponseStatus::Approved | ResponseStatus::Sent);
        reply.responded_by == visitor.user.id && !is_on_its_way
    })
}

/// The same, looked up.
async fn own(state: &HttpState, visitor: &Visitor, inquiry_id: Uuid) -> HubResult<Option<Response>> {
    let filter = ResponseFilter {
        inquiry_id: Some(inquiry_id),
        responded_by: Some(visitor.user.id),
        ..ResponseFilter::default()
    };
    let page = PageRequest::first(20, "createdAt", SortOrder::Desc);
    let found = state.hub.responses.ask(ListResponses { filter, page }).await?;
    Ok(unfinished(visitor, &found.data).cloned())
}

/// Keeps the text, by itself while it is typed or with a button, and submits it with the other.
async fn save(
    request: HttpRequest,
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    let (text, page) = (fields.text("message"), fields.text("page"));
    if fields.text("then") == "submit" && !frame::is_htmx(&request) {
        submit_text(&state, &visitor, id.0, &page, &text).await?;
        return Ok(see_other(&format!("{}?done=submitted", inquiries::link(id.0))));
    }
    kept(&state, &visitor, id.0, &page, &text).await?;
    if frame::is_htmx(&request) {
        let at = visitor.time(visitor.now);
        return Ok(layout::part(html! { (visitor.t("draft-saved")) " " (at) }));
    }
    Ok(see_other(&format!("{}?done=saved", inquiries::link(id.0))))
}

/// Submits exactly this text. What the page had kept by itself may still be on its way and come in between: then the
/// version is another one, and the text is kept and submitted once more.
async fn submit_text(
    state: &HttpState,
    visitor: &Visitor,
    inquiry_id: Uuid,
    page: &str,
    text: &str,
) -> Result<(), HttpError> {
    for _ in 1..TRIES {
        let reply = kept(state, visitor, inquiry_id, page, text).await?;
        if reply.status == ResponseStatus::PendingApproval {
            return Ok(());
        }
        match advance(state, visitor, reply.id, Some(reply.version), Step::Submit).await {
            Err(HttpError::Hub(HubError::Stale { .. } | HubError::Contended)) => {}
            submitted => return submitted.map(drop),
        }
    }
    Err(HubError::Contended.into())
}

/// The visitor's one reply to this inquiry that is still being written, with this text. `page` names the page it was
/// typed on: however often that sends it, one draft comes of it.
async fn kept(
    state: &HttpState,
    visitor: &Visitor,
    inquiry_id: Uuid,
    page: &str,
    text: &str,
) -> Result<Response, HttpError> {
    let input = ResponseInput { message: text.to_owned() }.validate().map_err(HubError::Invalid)?;
    for _ in 0..TRIES {
        if let Some(reply) = own(state, visitor, inquiry_id).await? {
            let is_kept = matches!(reply.status, ResponseStatus::Draft | ResponseStatus::PendingApproval);
            if is_kept && reply.message == input.message {
                return Ok(reply);
            }
            return advance(state, visitor, reply.id, None, Step::Edit(input)).await;
        }
        let scope = [visitor.user.id.as_bytes().as_slice(), b"draft", inquiry_id.as_bytes(), page.as_bytes()];
        let claim = ClaimKey {
            scope: sha256_of_parts(&scope),
            fingerprint: String::new(),
            now: state.hub.clock.now(),
        };
        let scope = claim.scope.clone();
        match state.hub.idempotency.ask(claim).await? {
            ClaimOutcome::Claimed(token) => {
                let claim = Claim { scope, token, success_status: StatusCode::CREATED.as_u16() };
                let caller = Caller { claim: Some(claim.clone()), ..visitor.caller(None) };
                let input = NewResponse { inquiry_id, message: input.message };
                let drafted = state.hub.approval_coordinator.ask(DraftResponse { caller, input }).await;
                if drafted.is_err() {
                    // For the next try. What cannot be released lapses by itself.
                    state.hub.idempotency.ask(ReleaseKey(claim)).await?;
                }
                return Ok(drafted?);
            }
            // Its draft is there, or about to be.
            ClaimOutcome::Answered { .. } | ClaimOutcome::InFlight | ClaimOutcome::Mismatch => {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Err(HttpError::InFlight)
}

async fn submit(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    let reply = advance(&state, &visitor, id.0, fields.parsed("version")?, Step::Submit).await?;
    Ok(see_other(&format!("{}?done=submitted", inquiries::link(reply.inquiry_id))))
}

async fn withdraw(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    let reply = advance(&state, &visitor, id.0, fields.parsed("version")?, Step::Withdraw).await?;
    Ok(see_other(&format!("{}?done=withdrawn", inquiries::link(reply.inquiry_id))))
}

pub async fn advance(
    state: &HttpState,
    visitor: &Visitor,
    id: Uuid,
    version: Option<i64>,
    step: Step,
) -> Result<Response, HttpError> {
    let advance = AdvanceResponse { caller: visitor.caller(version), id, step };
    Ok(state.hub.approval_coordinator.ask(advance).await?)
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    let found = state.hub.responses.ask(asked(visitor.principal(), &query.query())?).await?;
    let people = found.data.iter().flat_map(|reply| [Some(reply.responded_by), reply.approved_by]).flatten();
    let names = Names::of(&state, &visitor, people, []).await?;
    let statuses = parts::any_or(&visitor, ResponseStatus::ALL, |status| format!("response-{status}"));
    let title = visitor.t("nav-replies");
    let body = html! {
        h1 { (title) }
        form.row method="get" action="/replies" {
            label for="status" { (visitor.t("field-status")) }
            (parts::select("status", "status", &statuses, query.value("status")))
            button { (visitor.t("show")) }
        }
        (table(&visitor, &names, &found.data))
        (parts::pager(&visitor, "/replies", &query.filters(), &found.meta))
    };
    Ok(layout::page(&visitor, Place::Replies, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &[
        "id",
        "createdAt",
        "status",
        "revision",
        "inquiryId",
        "respondedBy",
        "approvedBy",
        "submittedAt",
        "decidedAt",
        "sentAt",
        "message",
    ];
    let ListResponses { filter, page } = asked(visitor.principal(), &query.query())?;
    let store = state.hub.responses.clone();
    let read = async move |page| store.ask(ListResponses { filter: filter.clone(), page }).await;
    Ok(list::csv("replies", COLUMNS, page, read, |reply: &Response| {
        vec![
            reply.id.to_string(),
            reply.created_at.to_string(),
            reply.status.to_string(),
            reply.revision.to_string(),
            reply.inquiry_id.to_string(),
            reply.responded_by.to_string(),
            list::cell(reply.approved_by),
            list::cell(reply.submitted_at),
            list::cell(reply.decided_at),
            list::cell(reply.sent_at),
            reply.message.clone(),
        ]
    }))
}

fn table(visitor: &Visitor, names: &Names, replies: &[Response]) -> Markup {
    html! {
        @if replies.is_empty() { p.card { (visitor.t("no-replies")) } } @else {
            (parts::scrolled(&visitor.t("nav-replies"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("field-message")) }
                    th scope="col" { (visitor.t("field-status")) }
                    th.wide scope="col" { (visitor.t("author")) }
                    th.wide scope="col" { (visitor.t("decided-by")) }
                    th scope="col" { (visitor.t("age")) }
                } }
                tbody data-walk { @for reply in replies { tr {
                    td { a href=(inquiries::link(reply.inquiry_id)) { (parts::excerpt(&reply.message)) } }
                    td { (parts::response_badges(visitor, reply)) }
                    td.wide { (names.user(visitor, reply.responded_by)) }
                    td.wide { (names.user_or_nobody(visitor, reply.approved_by)) }
                    td { (visitor.age(reply.created_at, visitor.now)) }
                } } }
            }))
        }
    }
}
