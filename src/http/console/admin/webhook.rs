//! One webhook: changed, switched, given a new secret, deleted. Its attempts are below.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubError;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::webhook::{Webhook, WebhookPatch};
use nexus_actors::webhook_desk::{ChangeWebhook, DeleteWebhook};
use uuid::Uuid;

use super::super::fields::Fields;
use super::super::layout::{self, Place};
use super::super::list::ListQuery;
use super::super::names::Names;
use super::super::visitor::Visitor;
use super::super::{parts, see_other};
use super::webhooks::{Typed, inputs, state_of};
use super::{attempts, confirmed, refusal, shown_once};
use crate::http::access::PathId;
use crate::http::problem::HttpError;
use crate::http::webhooks::{KeyedWebhook, managed, rotate_secret};
use crate::http::{HttpState, State};

const DONE: &[&str] = &["saved", "webhook-enabled", "webhook-disabled", "attempt-replayed"];

/// Behind those of [`attempts`], whose paths these would take as well.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/webhooks/{id}").get(page).post(change))
        .service(web::resource("/webhooks/{id}/enable").post(enable))
        .service(web::resource("/webhooks/{id}/disable").post(disable))
        .service(web::resource("/webhooks/{id}/rotate").post(rotate))
        .service(web::resource("/webhooks/{id}/delete").post(delete));
}

pub fn link(id: Uuid) -> String {
    format!("/webhooks/{id}")
}

async fn page(
    state: State,
    visitor: Visitor,
    id: PathId,
    query: ListQuery,
) -> Result<HttpResponse, HttpError> {
    let webhook = managed(&state, visitor.principal(), id.0).await?;
    let told = parts::done(&visitor, DONE, query.value("done"));
    show(&state, &visitor, StatusCode::OK, &webhook, None, &query, told).await
}

/// As it is, with the secret it has just got.
pub async fn show_secret(
    state: &HttpState,
    visitor: &Visitor,
    webhook: &Webhook,
    secret: &str,
) -> Result<HttpResponse, HttpError> {
    let told = shown_once(visitor, &visitor.t("webhook-secret"), secret);
    show(state, visitor, StatusCode::OK, webhook, None, &ListQuery::default(), told).await
}

async fn change(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageWebhooks)?;
    let typed = Typed::of(&fields);
    let wanted = WebhookPatch {
        url: Some(typed.url.clone()),
        events: Some(typed.events.clone()),
        description: Some(typed.description.clone()),
        is_enabled: None,
    };
    match apply(&state, &visitor, id.0, &fields, wanted).await {
        Ok(()) => Ok(see_other(&format!("{}?done=saved", link(id.0)))),
        Err(error) => refused(&state, &visitor, id.0, Some(typed), error).await,
    }
}

async fn enable(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    switch(&state, &visitor, id.0, &fields, true).await
}

async fn disable(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    switch(&state, &visitor, id.0, &fields, false).await
}

async fn switch(
    state: &HttpState,
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    is_enabled: bool,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageWebhooks)?;
    let wanted = WebhookPatch { is_enabled: Some(is_enabled), ..WebhookPatch::default() };
    let done = if is_enabled { "webhook-enabled" } else { "webhook-disabled" };
    match apply(state, visitor, id, fields, wanted).await {
        Ok(()) => Ok(see_other(&format!("{}?done={done}", link(id)))),
        Err(error) => refused(state, visitor, id, None, error).await,
    }
}

async fn apply(
    state: &HttpState,
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    wanted: WebhookPatch,
) -> Result<(), HttpError> {
    let patch = wanted.validate(state.settings.webhooks.url_rule()).map_err(HubError::Invalid)?;
    let caller = visitor.caller(fields.parsed("version")?);
    state.hub.webhook_desk.ask(ChangeWebhook { caller, id, patch }).await?;
    Ok(())
}

/// The answer is the one place that has the secret.
async fn rotate(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageWebhooks)?;
    let caller = visitor.caller(fields.parsed("version")?);
    match rotate_secret(&state, caller, id.0).await {
        Ok(KeyedWebhook { webhook, secret }) => show_secret(&state, &visitor, &webhook, &secret).await,
        Err(error) => refused(&state, &visitor, id.0, None, error.into()).await,
    }
}

async fn delete(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageWebhooks)?;
    let caller = visitor.caller(fields.parsed("version")?);
    match state.hub.webhook_desk.ask(DeleteWebhook { caller, id: id.0 }).await {
        Ok(()) => Ok(see_other("/webhooks?done=webhook-deleted")),
        Err(error) => refused(&state, &visitor, id.0, None, error.into()).await,
    }
}

/// The webhook as it is now and why it was not changed; in the form what was typed, where only that was wrong.
pub async fn refused(
    state: &HttpState,
    visitor: &Visitor,
    id: Uuid,
    typed: Option<Typed>,
    error: HttpError,
) -> Result<HttpResponse, HttpError> {
    let typed = typed.filter(|_| matches!(error, HttpError::Hub(HubError::Invalid(_))));
    let (status, told) = refusal(visitor, error)?;
    let webhook = managed(state, visitor.principal(), id).await?;
    show(state, visitor, status, &webhook, typed, &ListQuery::default(), told).await
}

async fn show(
    state: &HttpState,
    visitor: &Visitor,
    status: StatusCode,
    webhook: &Webhook,
    typed: Option<Typed>,
    query: &ListQuery,
    told: Markup,
) -> Result<HttpResponse, HttpError> {
    let names = Names::of(state, visitor, [webhook.created_by], []).await?;
    let attempts = attempts::section(state, visitor, webhook, query).await?;
    let typed = typed.unwrap_or_else(|| Typed {
        url: webhook.url.clone(),
        events: webhook.events.clone(),
        description: webhook.description.clone().unwrap_or_default(),
    });
    let title = visitor.t("webhook");
    let body = html! {
        (told)
        h1 { (title) " " (state_of(visitor, webhook)) }
        div.aside {
            div {
                (attempts)
                details.card open[status == StatusCode::UNPROCESSABLE_ENTITY] {
                    summary { (visitor.t("webhook-change")) }
                    (parts::form(visitor, &link(webhook.id), html! { div.stack {
                        input type="hidden" name="version" value=(webhook.version);
                        (inputs(visitor, &typed))
                        div { button.primary { (visitor.t("save")) } }
                    } }))
                }
            }
            (card(visitor, &names, webhook))
        }
    };
    Ok(layout::with_status(status, visitor, Place::Webhooks, &title, body))
}

fn card(visitor: &Visitor, names: &Names, webhook: &Webhook) -> Markup {
    let version = Some(webhook.version);
    let path = |what: &str| format!("{}/{what}", link(webhook.id));
    html! {
        section.card aria-labelledby="about" {
            h2 #about { (visitor.t("about")) }
            dl.facts {
                dt { (visitor.t("field-url")) } dd { (webhook.url) }
                @if let Some(text) = &webhook.description { dt { (visitor.t("field-description")) } dd { (text) } }
                dt { (visitor.t("field-events")) }
                dd { @for event in &webhook.events { code { (event) } " " } }
                @if let Some(reason) = &webhook.disabled_reason {
                    dt { (visitor.t("disabled-because")) } dd lang="en" { (reason) }
                }
                @if let Some(at) = webhook.failing_since { dt { (visitor.t("failing-since")) } dd { (visitor.time(at)) } }
                dt { (visitor.t("created")) } dd { (visitor.time(webhook.created_at)) }
                dt { (visitor.t("created-by")) } dd { (names.user(visitor, webhook.created_by)) }
            }
            @if webhook.is_enabled {
                (confirmed(visitor, &path("disable"), &visitor.t("disable"), &visitor.t("disable-what"), version))
            } @else {
                (parts::form(visitor, &path("enable"), html! {
                    input type="hidden" name="version" value=(webhook.version);
                    button { (visitor.t("enable")) }
                }))
            }
            (confirmed(visitor, &path("rotate"), &visitor.t("rotate"), &visitor.t("rotate-what"), version))
            (confirmed(visitor, &path("delete"), &visitor.t("delete"), &visitor.t("delete-what"), version))
            p { a href={ "/audit?entityType=webhook&entityId=" (webhook.id) } { (visitor.t("audit-of")) } }
        }
    }
}
