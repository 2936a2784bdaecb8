//! What waits for a decision, and the decision: on exactly the text that is shown.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use maud::{Markup, html};
use nexus_actors::approval_coordinator::Step;
use nexus_actors::desk::permit;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::inquiry::Inquiry;
use nexus_actors::domain::page::{Page, PageRequest, SortOrder};
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::response::{Approval, HistoryEntry, Rejection, Response, ResponseStatus};
use nexus_actors::store::inquiries::GetInquiry;
use nexus_actors::store::responses::{GetResponse, ListResponses, ResponseFilter};
use nexus_actors::{HubError, HubResult};
use uuid::Uuid;

use super::fields::Fields;
use super::layout::{self, Place};
use super::list::ListQuery;
use super::names::Names;
use super::visitor::Visitor;
use super::{conversation, customers, diff, frame, inquiries, live, parts, refusal, replies, see_other};
use crate::http::access::PathId;
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

/// Replies in the queue that is shown; those beyond come up as it gets shorter.
const SHOWN: u32 = 100;
const DONE: &[&str] = &["approved", "approval-added", "rejected"];

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/approvals").get(page))
        .service(web::resource("/approvals/{id}").get(one))
        .service(web::resource("/approvals/{id}/approve").post(approve))
        .service(web::resource("/approvals/{id}/reject").post(reject));
}

pub fn link(id: Uuid) -> String {
    format!("/approvals/{id}")
}

/// The queue with what has waited longest beside it; for htmx the queue alone.
async fn page(
    request: HttpRequest,
    state: State,
    visitor: Visitor,
    query: ListQuery,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::DecideResponse)?;
    let waiting = waiting(&state).await?;
    if frame::is_htmx(&request) {
        let shown = Uuid::parse_str(query.value("shown")).ok();
        return Ok(layout::part(queue(&state, &visitor, &waiting, shown).await?));
    }
    let first = waiting.data.iter().find(|reply| !reply.is_written_by(visitor.user.id));
    let shown = match first {
        Some(reply) => Some(review(&state, &visitor, reply, None).await?),
        None => None,
    };
    let shown = Shown { id: first.map(|reply| reply.id), body: shown, done: query.value("done") };
    show(&state, &visitor, StatusCode::OK, &waiting, shown).await
}

async fn one(
    state: State,
    visitor: Visitor,
    id: PathId,
    query: ListQuery,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::DecideResponse)?;
    let reply = found(&state, &visitor, id.0).await?;
    let body = review(&state, &visitor, &reply, None).await?;
    let shown = Shown { id: Some(reply.id), body: Some(body), done: query.value("done") };
    show(&state, &visitor, StatusCode::OK, &waiting(&state).await?, shown).await
}

async fn approve(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    let approval = Approval {
        notes: fields.optional("notes"),
        revision: Some(revision(&fields)?),
        acknowledge_stale: fields.is_set("acknowledge-stale"),
    };
    let step = approval.validate().map(Step::Approve).map_err(HubError::Invalid)?;
    decide(state, visitor, id, None, step).await
}

/// A rejection is about one text, too: on a newer one it would say what is not meant. So it is of the version whose text
/// was compared here.
async fn reject(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    let read = revision(&fields)?;
    let reply = found(&state, &visitor, id.0).await?;
    let rejection = Rejection { notes: fields.text("notes") }.validate();
    let step = rejection.map(Step::Reject).map_err(|errors| HttpError::from(HubError::Invalid(errors)));
    if reply.revision != read {
        let error = HubError::RevisionChanged { named: read, current: reply.revision };
        return refused(&state, &visitor, id, error.into()).await;
    }
    match step {
        Ok(step) => decide(state, visitor, id, Some(reply.version), step).await,
        Err(error) => refused(&state, &visitor, id, error).await,
    }
}

fn revision(fields: &Fields) -> Result<i64, HttpError> {
    let read = fields.parsed("revision")?;
    Ok(read.ok_or_else(|| HubError::invalid("/revision", "required", "must be the revision that was read"))?)
}

/// On to the next that waits.
async fn decide(
    state: State,
    visitor: Visitor,
    id: PathId,
    version: Option<i64>,
    step: Step,
) -> Result<HttpResponse, HttpError> {
    let decided = match replies::advance(&state, &visitor, id.0, version, step).await {
        Ok(decided) => decided,
        Err(error) => return refused(&state, &visitor, id, error).await,
    };
    let done = match decided.status {
        ResponseStatus::Rejected => "rejected",
        ResponseStatus::PendingApproval => "approval-added",
        _ => "approved",
    };
    Ok(see_other(&format!("/approvals?done={done}")))
}

/// The reply as it is now, and why the decision was not taken.
async fn refused(
    state: &State,
    visitor: &Visitor,
    id: PathId,
    error: HttpError,
) -> Result<HttpResponse, HttpError> {
    let told = match &error {
        HttpError::Hub(
            HubError::InvalidTransition(_)
            | HubError::RevisionChanged { .. }
            | HubError::ResponseStale
            | HubError::Conflict(_)
            | HubError::Contended
            | HubError::Stale { .. }
            | HubError::Invalid(_),
        ) => error,
        _ => return Err(error),
    };
    let reply = found(state, visitor, id.0).await?;
    let status = match &told {
        HttpError::Hub(HubError::Invalid(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    };
    let body = review(state, visitor, &reply, Some(&told)).await?;
    let shown = Shown { id: Some(reply.id), body: Some(body), done: "" };
    show(state, visitor, status, &waiting(state).await?, shown).await
}

async fn found(state: &HttpState, visitor: &Visitor, id: Uuid) -> HubResult<Response> {
    let found = state.hub.responses.ask(GetResponse(id)).await?;
    permit(visitor.principal(), Action::ReadResponse, EntityType::Response, found)
}

/// Those that have waited longest.
async fn waiting(state: &HttpState) -> HubResult<Page<Response>> {
    let filter =
        ResponseFilter { status: Some(ResponseStatus::PendingApproval), ..ResponseFilter::default() };
    let page = PageRequest::first(SHOWN, "createdAt", SortOrder::Asc);
    let mut waiting = state.hub.responses.ask(ListResponses { filter, page }).await?;
    waiting.data.sort_by_key(|reply| reply.submitted_at);
    Ok(waiting)
}

struct Shown<'a> {
    id: Option<Uuid>,
    body: Option<Markup>,
    done: &'a str,
}

async fn show(
    state: &HttpState,
    visitor: &Visitor,
    status: StatusCode,
    waiting: &Page<Response>,
    shown: Shown<'_>,
) -> Result<HttpResponse, HttpError> {
    let title = visitor.t("nav-approvals");
    let reload = shown.id.map_or_else(|| "/approvals".to_owned(), |id| format!("/approvals?shown={id}"));
    let body = html! {
        (parts::done(visitor, DONE, shown.done))
        h1 { (title) }
        div.lead {
            (live::connected(html! {
                nav aria-label=(visitor.t("approval-queue")) hx-get=(reload) hx-trigger="sse:changed" {
                    (queue(state, visitor, waiting, shown.id).await?)
                }
            }))
            div {
                @match shown.body {
                    Some(body) => (body),
                    None => p.card { (visitor.t("approvals-empty")) },
                }
            }
        }
    };
    Ok(layout::with_status(status, visitor, Place::Approvals, &title, body))
}

async fn queue(
    state: &HttpState,
    visitor: &Visitor,
    waiting: &Page<Response>,
    shown: Option<Uuid>,
) -> HubResult<Markup> {
    let names = Names::of(state, visitor, waiting.data.iter().map(|reply| reply.responded_by), []).await?;
    Ok(html! {
        p.muted data-waiting=(waiting.meta.total) { (visitor.with("approvals-waiting", &[("n", waiting.meta.total.into())])) }
        @if shown.is_some_and(|shown| waiting.data.iter().all(|reply| reply.id != shown)) {
            p.notice.warn role="status" { (visitor.t("shown-is-gone")) }
        }
        ul.list.card data-walk="open" {
            @for reply in &waiting.data {
                li { a href=(link(reply.id)) aria-current=[(shown == Some(reply.id)).then_some("true")] {
                    (names.user(visitor, reply.responded_by)) " "
                    @if let Some(at) = reply.submitted_at { span.muted { (visitor.age(at, visitor.now)) } }
                    @if reply.stale { " " span.badge data-tone="stale" { (visitor.t("stale")) } }
                    @if reply.is_written_by(visitor.user.id) { " " span.badge { (visitor.t("yours")) } }
                    span.muted.excerpt { (parts::excerpt(&reply.message)) }
                } }
            }
        }
        p { a href="/replies.csv?status=pending_approval" { (visitor.t("csv")) } }
    })
}

/// The inquiry and the exact text side by side, what has changed since the last rejection, and the two ways on.
async fn review(
    state: &HttpState,
    visitor: &Visitor,
    reply: &Response,
    refused: Option<&HttpError>,
) -> HubResult<Markup> {
    let inquiry = state.hub.inquiries.ask(GetInquiry(reply.inquiry_id)).await?;
    let inquiry = inquiry.ok_or(HubError::NotFound(EntityType::Inquiry))?;
    let (messages, history) = futures_util::future::try_join(
        conversation::messages(state, inquiry.id),
        conversation::history(state, reply.id),
    )
    .await?;
    let people = [reply.responded_by]
        .into_iter()
        .chain(messages.iter().filter_map(|message| message.author_id))
        .chain(history.iter().filter_map(|entry| entry.actor_id));
    let names = Names::of(state, visitor, people, [inquiry.customer_id]).await?;
    Ok(html! {
        @if let Some(error) = refused { (why(visitor, &names, reply, &history, error)) }
        div.two {
            section.card aria-labelledby="asked" {
                h2 #asked { a href=(inquiries::link(inquiry.id)) { (inquiry.subject) } }
                (about(visitor, &names, &inquiry))
                (conversation::talk(visitor, &names, &messages))
            }
            section.card aria-labelledby="answer" {
                div.spread {
                    h2 #answer { (visitor.with("exact-text", &[("n", reply.revision.into())])) }
                    (parts::response_badges(visitor, reply))
                }
                p.muted { (names.user(visitor, reply.responded_by))
                    @if let Some(at) = reply.submitted_at { " · " (visitor.time(at)) } }
                div.exact { (parts::prose(&reply.message)) }
                (changes(visitor, reply, &history))
                (decision(visitor, reply))
                (story(visitor, &names, &history))
            }
        }
        (customers::card(visitor, names.customer(inquiry.customer_id)))
    })
}

fn about(visitor: &Visitor, names: &Names, inquiry: &Inquiry) -> Markup {
    html! {
        p.row {
            (names.customer_name(visitor, inquiry.customer_id))
            (parts::priority(visitor, inquiry.priority))
            (parts::inquiry_status(visitor, inquiry.status))
            span.muted { (inquiry.category) " · " (inquiry.channel) }
        }
    }
}

fn changes(visitor: &Visitor, reply: &Response, history: &[HistoryEntry]) -> Markup {
    let Some((rejection, before)) = conversation::rejected(history) else { return html! {} };
    html! {
        h3 { (visitor.with("since-rejected", &[("n", rejection.revision.into())])) }
        @if let Some(notes) = &rejection.notes { p.muted { (visitor.t("reviewer-says")) " " (notes) } }
        div.exact { (diff::words(before, &reply.message)) }
    }
}

fn decision(visitor: &Visitor, reply: &Response) -> Markup {
    if reply.status != ResponseStatus::PendingApproval {
        return html! { p.notice { (visitor.t("not-waiting")) } };
    }
    if reply.is_written_by(visitor.user.id) {
        return html! { p.notice { (visitor.t("four-eyes")) } };
    }
    if reply.has_approval_of(visitor.user.id) {
        return html! { p.notice { (visitor.t("approved-already")) } };
    }
    let revision = html! { input type="hidden" name="revision" value=(reply.revision); };
    html! {
        @if reply.approvals_required > 1 {
            p.notice { (visitor.with("approvals-missing", &[("n", reply.approvals_missing().into())])) }
        }
        (parts::form(visitor, &format!("{}/approve", link(reply.id)), html! {
            (revision)
            div.stack {
                @if reply.stale {
                    p.notice.warn { (visitor.t("stale-reviewer")) }
                    label.check { input type="checkbox" name="acknowledge-stale" required; (visitor.t("stale-read")) }
                }
                div { button.primary data-key="a" aria-keyshortcuts="a" { (visitor.t("approve")) } }
            }
        }))
        (parts::form(visitor, &format!("{}/reject", link(reply.id)), html! {
            (revision)
            div.stack {
                (parts::field("notes", &visitor.t("reject-notes"), html! {
                    textarea #notes name="notes" rows="3" required maxlength="5000" data-key="r"
                        aria-keyshortcuts="r" {}
                }))
                div { button.danger { (visitor.t("reject")) } }
            }
        }))
    }
}

fn story(visitor: &Visitor, names: &Names, history: &[HistoryEntry]) -> Markup {
    html! {
        details {
            summary { (visitor.t("history")) }
            ol.list { @for entry in history { li {
                span.muted { (visitor.time(entry.created_at)) } " "
                @if let Some(actor) = entry.actor_id { (names.user(visitor, actor)) " " }
                (visitor.t(&format!("history-{}", entry.action).replace('_', "-")))
                @if let Some(notes) = &entry.notes { ": " (notes) }
            } } }
        }
    }
}

/// In a sentence for whoever has just decided: what is different now, and that nothing has come of their decision.
fn why(
    visitor: &Visitor,
    names: &Names,
    reply: &Response,
    history: &[HistoryEntry],
    error: &HttpError,
) -> Markup {
    let decided = history.last().filter(|_| reply.status != ResponseStatus::PendingApproval);
    let text = match (error, decided) {
        (HttpError::Hub(HubError::RevisionChanged { current, .. }), _) => {
            visitor.with("refused-revision", &[("n", (*current).into())])
        }
        (HttpError::Hub(HubError::ResponseStale), _) => visitor.t("refused-stale"),
        (
            HttpError::Hub(HubError::InvalidTransition(_) | HubError::Contended | HubError::Stale { .. }),
            Some(last),
        ) => {
            let who = last.actor_id.map_or_else(String::new, |id| names.user(visitor, id));
            let what = visitor.t(&format!("history-{}", last.action).replace('_', "-"));
            visitor.with("refused-decided", &[("who", who.into()), ("what", what.into())])
        }
        _ => return refusal::told(visitor, error.status_code(), Some(error)),
    };
    parts::alert(&text)
}
