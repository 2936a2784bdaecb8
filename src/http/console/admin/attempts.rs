//! What calls of a webhook came to.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::webhook::{Webhook, WebhookAttempt, WebhookMessageStatus};
use nexus_actors::store::webhooks::ListAttempts;
use nexus_actors::webhook_desk::ReplayAttempt;

use super::super::list::{self, ListQuery};
use super::super::prefs::Prefs;
use super::super::visitor::Visitor;
use super::super::{parts, see_other};
use super::webhook::{self, link};
use crate::http::access::PathId;
use crate::http::problem::HttpError;
use crate::http::webhooks::{asked_attempts, attempt_id, managed};
use crate::http::{HttpState, State};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/webhooks/{id}.csv").get(export))
        .service(web::resource("/webhooks/{id}/attempts/{attempt_id}/replay").post(replay));
}

/// Those of one webhook, as its page has them.
pub async fn section(
    state: &HttpState,
    visitor: &Visitor,
    webhook: &Webhook,
    query: &ListQuery,
) -> Result<Markup, HttpError> {
    let found = state.hub.webhooks.ask(asked_attempts(webhook.id, &query.query())?).await?;
    let outcomes = [("", "any"), ("false", "attempt-failed"), ("true", "attempt-succeeded")];
    let outcomes = outcomes.map(|(value, text)| (value.to_owned(), visitor.t(text)));
    let path = link(webhook.id);
    Ok(html! {
        div {
            h2 #attempts { (visitor.t("attempts")) }
            form.row method="get" action=(path) {
                label for="succeeded" { (visitor.t("outcome")) }
                (parts::select("succeeded", "succeeded", &outcomes, query.value("succeeded")))
                button { (visitor.t("show")) }
            }
            @if found.data.is_empty() { p.card { (visitor.t("no-attempts")) } } @else {
                (table(visitor, webhook, &found.data))
            }
            (parts::pager(visitor, &path, &query.filters(), &found.meta))
        }
    })
}

async fn export(
    state: State,
    visitor: Visitor,
    id: PathId,
    query: ListQuery,
) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &[
        "id",
        "createdAt",
        "messageId",
        "eventId",
        "eventType",
        "attempt",
        "url",
        "succeeded",
        "responseStatus",
        "responseBody",
        "error",
        "durationMs",
        "messageStatus",
        "nextAttemptAt",
    ];
    let webhook = managed(&state, visitor.principal(), id.0).await?;
    let ListAttempts { webhook_id, succeeded, page } = asked_attempts(webhook.id, &query.query())?;
    let store = state.hub.webhooks.clone();
    let read = async move |page| store.ask(ListAttempts { webhook_id, succeeded, page }).await;
    Ok(list::csv("webhook-attempts", COLUMNS, page, read, |attempt: &WebhookAttempt| {
        vec![
            attempt.id.to_string(),
            attempt.created_at.to_string(),
            attempt.message_id.to_string(),
            attempt.event_id.to_string(),
            attempt.event_type.clone(),
            attempt.attempt.to_string(),
            attempt.url.clone(),
            attempt.succeeded.to_string(),
            list::cell(attempt.response_status),
            attempt.response_body.clone().unwrap_or_default(),
            attempt.error.clone().unwrap_or_default(),
            attempt.duration_ms.to_string(),
            attempt.message_status.to_string(),
            list::cell(attempt.next_attempt_at),
        ]
    }))
}

async fn replay(
    request: HttpRequest,
    state: State,
    visitor: Visitor,
    id: PathId,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageWebhooks)?;
    let attempt_id = attempt_id(&request)?;
    let replay = ReplayAttempt { caller: visitor.caller(None), webhook_id: id.0, attempt_id };
    match state.hub.webhook_desk.ask(replay).await {
        Ok(_) => Ok(see_other(&format!("{}?done=attempt-replayed", link(id.0)))),
        Err(error) => webhook::refused(&state, &visitor, id.0, None, error.into()).await,
    }
}

fn table(visitor: &Visitor, webhook: &Webhook, attempts: &[WebhookAttempt]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="attempts" {
            table {
                thead { tr {
                    th scope="col" { (visitor.t("at")) }
                    th scope="col" { (visitor.t("event")) }
                    th scope="col" { (visitor.t("outcome")) }
                    th.number scope="col" { (visitor.t("attempt-duration")) }
                    th scope="col" { (visitor.t("answer")) }
                    th scope="col" { (visitor.t("then")) }
                } }
                tbody { @for attempt in attempts { tr {
                    td { (visitor.time(attempt.created_at)) }
                    td { code { (attempt.event_type) } br;
                        span.muted { (visitor.with("attempt-number", &[("n", attempt.attempt.into())])) } }
                    td { (outcome(visitor, attempt)) }
                    td.number { (attempt.duration_ms) " ms" }
                    td { (answer(visitor, attempt)) }
                    td {
                        (next(visitor, attempt))
                        // A disabled one refuses it.
                        @if webhook.is_enabled {
                            (parts::form(visitor, &format!("{}/attempts/{}/replay", link(webhook.id), attempt.id), html! {
                                button.plain { (visitor.t("replay")) }
                            }))
                        }
                    }
                } } }
            }
        }
    }
}

fn outcome(prefs: &Prefs, attempt: &WebhookAttempt) -> Markup {
    let (tone, text) =
        if attempt.succeeded { ("up", "attempt-succeeded") } else { ("failed", "attempt-failed") };
    html! { span.badge data-tone=(tone) { (prefs.t(text)) } }
}

fn answer(prefs: &Prefs, attempt: &WebhookAttempt) -> Markup {
    html! {
        @if let Some(status) = attempt.response_status { "HTTP " (status) }
        @if let Some(error) = &attempt.error { span lang="en" { (error) } }
        @if let Some(body) = attempt.response_body.as_ref().filter(|body| !body.is_empty()) {
            details { summary { (prefs.t("answer-body")) } pre tabindex="0" { (body) } }
        }
    }
}

fn next(prefs: &Prefs, attempt: &WebhookAttempt) -> Markup {
    html! {
        @match (attempt.message_status, attempt.next_attempt_at) {
            (WebhookMessageStatus::Pending, Some(at)) => { (prefs.t("tried-again-at")) " " (prefs.time(at)) },
            (status, _) => { (prefs.t(&format!("message-{status}"))) },
        }
    }
}
