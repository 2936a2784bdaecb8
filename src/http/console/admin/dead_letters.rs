//! Messages of the broker that could not be taken: read, taken again, given up.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubError;
use nexus_actors::dead_letter_desk::{SettleDeadLetter, Verdict};
use nexus_actors::domain::dead_letter::{BuriedMessage, DeadLetter, DeadLetterReason, DeadLetterStatus};
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::policy::Action;
use nexus_actors::store::dead_letters::{GetDeadLetter, ListDeadLetters};
use uuid::Uuid;

use super::super::fields::Fields;
use super::super::layout::{self, Place};
use super::super::list::{self, ListQuery};
use super::super::prefs::Prefs;
use super::super::visitor::Visitor;
use super::super::{parts, see_other};
use super::{confirmed, refusal};
use crate::http::access::PathId;
use crate::http::dead_letters::asked;
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

const DONE: &[&str] = &["letter-replayed", "letter-discarded"];
/// Of a body, this much is shown, in characters.
const SHOWN: usize = 64 * 1024;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/dead-letters").get(page))
        .service(web::resource("/dead-letters.csv").get(export))
        .service(web::resource("/dead-letters/{id}").get(one))
        .service(web::resource("/dead-letters/{id}/replay").post(replay))
        .service(web::resource("/dead-letters/{id}/discard").post(discard));
}

pub fn link(id: Uuid) -> String {
    format!("/dead-letters/{id}")
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    let found = state.hub.dead_letters.ask(asked(visitor.principal(), &query.query())?).await?;
    let statuses = parts::any_or(&visitor, DeadLetterStatus::ALL, |status| format!("letter-{status}"));
    let title = visitor.t("nav-dead-letters");
    let body = html! {
        h1 { (title) }
        p { (visitor.t("dead-letters-what")) }
        form.row method="get" action="/dead-letters" {
            label for="status" { (visitor.t("field-status")) }
            (parts::select("status", "status", &statuses, query.value("status")))
            button { (visitor.t("show")) }
        }
        (table(&visitor, &found.data))
        (parts::pager(&visitor, "/dead-letters", &query.filters(), &found.meta))
    };
    Ok(layout::page(&visitor, Place::DeadLetters, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &[
        "id",
        "createdAt",
        "updatedAt",
        "status",
        "reason",
        "error",
        "routingKey",
        "messageId",
        "contentType",
        "size",
    ];
    let ListDeadLetters { status, page } = asked(visitor.principal(), &query.query())?;
    let store = state.hub.dead_letters.clone();
    let read = async move |page| store.ask(ListDeadLetters { status, page }).await;
    Ok(list::csv("dead-letters", COLUMNS, page, read, |letter: &DeadLetter| {
        vec![
            letter.id.to_string(),
            letter.created_at.to_string(),
            letter.updated_at.to_string(),
            letter.status.to_string(),
            letter.reason.to_string(),
            letter.error.clone(),
            letter.routing_key.clone(),
            letter.message_id.clone().unwrap_or_default(),
            letter.content_type.clone().unwrap_or_default(),
            letter.size.to_string(),
        ]
    }))
}

async fn one(
    state: State,
    visitor: Visitor,
    id: PathId,
    query: ListQuery,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageDeadLetters)?;
    let told = parts::done(&visitor, DONE, query.value("done"));
    show(&state, &visitor, StatusCode::OK, id.0, told).await
}

async fn replay(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    settle(&state, &visitor, id.0, &fields, Verdict::Replay).await
}

async fn discard(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    settle(&state, &visitor, id.0, &fields, Verdict::Discard).await
}

async fn settle(
    state: &HttpState,
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    verdict: Verdict,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageDeadLetters)?;
    let done = match verdict {
        Verdict::Replay => "letter-replayed",
        Verdict::Discard => "letter-discarded",
    };
    let caller = visitor.caller(fields.parsed("version")?);
    match state.hub.dead_letter_desk.ask(SettleDeadLetter { caller: Some(caller), id, verdict }).await {
        Ok(_) => Ok(see_other(&format!("{}?done={done}", link(id)))),
        Err(error) => {
            let (status, told) = refusal(visitor, error.into())?;
            show(state, visitor, status, id, told).await
        }
    }
}

async fn show(
    state: &HttpState,
    visitor: &Visitor,
    status: StatusCode,
    id: Uuid,
    told: Markup,
) -> Result<HttpResponse, HttpError> {
    let buried = state.hub.dead_letters.ask(GetDeadLetter(id)).await?;
    let letter = buried.map(BuriedMessage::shown).ok_or(HubError::NotFound(EntityType::DeadLetter))?;
    let title = visitor.t("dead-letter");
    let headers = serde_json::to_string_pretty(&letter.headers).unwrap_or_default();
    let body = html! {
        (told)
        h1 { (title) " " (badge(visitor, letter.status)) }
        div.aside {
            div {
                section.card aria-labelledby="why" {
                    h2 #why { (reason(visitor, letter.reason)) }
                    p lang="en" { (letter.error) }
                }
                div.card {
                    h2 #body { (visitor.t("message-body")) }
                    (content(visitor, letter.body.as_deref().unwrap_or_default()))
                }
                div.card {
                    h2 #headers { (visitor.t("message-headers")) }
                    pre tabindex="0" role="region" aria-labelledby="headers" { (headers) }
                }
            }
            (card(visitor, &letter))
        }
    };
    Ok(layout::with_status(status, visitor, Place::DeadLetters, &title, body))
}

fn content(prefs: &Prefs, body: &str) -> Markup {
    let end = body.char_indices().nth(SHOWN).map_or(body.len(), |(end, _)| end);
    html! {
        @if body.is_empty() { p.muted { (prefs.t("message-empty")) } } @else {
            pre tabindex="0" role="region" aria-labelledby="body" { (body[..end]) }
        }
        @if end < body.len() { p.muted { (prefs.with("message-cut", &[("n", SHOWN.into())])) } }
    }
}

fn card(visitor: &Visitor, letter: &DeadLetter) -> Markup {
    html! {
        section.card aria-labelledby="about" {
            h2 #about { (visitor.t("about")) }
            dl.facts {
                dt { (visitor.t("received")) } dd { (visitor.time(letter.created_at)) }
                dt { (visitor.t("routing-key")) } dd { code { (letter.routing_key) } }
                @if let Some(id) = &letter.message_id { dt { (visitor.t("message-id")) } dd { (id) } }
                @if let Some(kind) = &letter.content_type { dt { (visitor.t("content-type")) } dd { (kind) } }
                dt { (visitor.t("size")) } dd { (visitor.with("bytes", &[("n", letter.size.into())])) }
                @if letter.status != DeadLetterStatus::Open {
                    dt { (visitor.t("settled-at")) } dd { (visitor.time(letter.updated_at)) }
                }
            }
            @if letter.status == DeadLetterStatus::Open {
                (parts::form(visitor, &format!("{}/replay", link(letter.id)), html! {
                    input type="hidden" name="version" value=(letter.version);
                    p { (visitor.t("letter-replay-what")) }
                    button.primary { (visitor.t("letter-replay")) }
                }))
                (confirmed(visitor, &format!("{}/discard", link(letter.id)), &visitor.t("letter-discard"),
                    &visitor.t("letter-discard-what"), Some(letter.version)))
            }
            p { a href={ "/audit?entityType=dead_letter&entityId=" (letter.id) } { (visitor.t("audit-of")) } }
        }
    }
}

fn badge(prefs: &Prefs, status: DeadLetterStatus) -> Markup {
    html! { span.badge data-tone=(status) { (prefs.t(&format!("letter-{status}"))) } }
}

fn reason(prefs: &Prefs, reason: DeadLetterReason) -> String {
    prefs.t(&format!("dead-reason-{reason}").replace('_', "-"))
}

fn table(visitor: &Visitor, letters: &[DeadLetter]) -> Markup {
    html! {
        @if letters.is_empty() { p.card { (visitor.t("no-dead-letters")) } } @else {
            (parts::scrolled(&visitor.t("nav-dead-letters"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("received")) }
                    th scope="col" { (visitor.t("dead-reason")) }
                    th scope="col" { (visitor.t("field-status")) }
                    th.wide scope="col" { (visitor.t("routing-key")) }
                    th.wide.number scope="col" { (visitor.t("size")) }
                } }
                tbody data-walk { @for letter in letters { tr {
                    td { a href=(link(letter.id)) { (visitor.time(letter.created_at)) } }
                    td { (reason(visitor, letter.reason)) br; span.muted lang="en" { (letter.error) } }
                    td { (badge(visitor, letter.status)) }
                    td.wide { code { (letter.routing_key) } }
                    td.wide.number { (visitor.with("bytes", &[("n", letter.size.into())])) }
                } } }
            }))
        }
    }
}
