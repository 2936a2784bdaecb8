use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::desk::permit_any;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::webhook::{NewWebhook, Webhook, WebhookAttempt, WebhookMessage, WebhookPatch};
use nexus_actors::store::webhooks::{GetWebhook, ListAttempts, ListWebhooks, SORTS};
use nexus_actors::webhook_desk::{ChangeWebhook, CreateWebhook, DeleteWebhook, ReplayAttempt, RotateSecret};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::State;
use super::access::{PathId, Target, after_permission};
use super::body::Body;
use super::conditional::{changed, etag, found, never_stored};
use super::openapi::{
    ActionProblems, EntityWriteProblems, Id, IdempotencyKey, IfMatch, IfNoneMatch, ListProblems, Paging,
    ReadProblems, WriteProblems,
};
use super::problem::{HttpError, Problem};
use super::query::{Listing, Query};
use super::signed::Signed;
use crate::webhooks::new_secret;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/webhooks").get(list).post(create))
        .service(web::resource("/webhooks/{id}").get(read).patch(change).delete(delete))
        .service(web::resource("/webhooks/{id}/rotate").post(rotate))
        .service(web::resource("/webhooks/{id}/attempts").get(attempts))
        .service(web::resource("/webhooks/{id}/attempts/{attempt_id}/replay").post(replay));
}

/// A webhook with its secret: shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyedWebhook {
    #[serde(flatten)]
    pub webhook: Webhook,
    #[schema(example = "whsec_…")]
    pub secret: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub struct AttemptId {
    #[param(rename = "attemptId")]
    attempt_id: Uuid,
}

/// Lists webhooks.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", security(("bearer" = [])),
    params(Paging), responses((status = 200, body = Page<Webhook>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    permit_any(signed.principal(), Action::ManageWebhooks)?;
    let page = query.list(&[])?.page(Listing::newest(SORTS))?;
    Ok(HttpResponse::Ok().json(state.hub.webhooks.ask(ListWebhooks { page }).await?))
}

/// Tells a URL of events from now on, signed as Standard Webhooks has it. The secret is in this answer and nowhere
/// else.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", security(("bearer" = [])),
    request_body = NewWebhook,
    responses((status = 201, body = KeyedWebhook, headers(("ETag" = String), ("Location" = String))), WriteProblems))]
pub async fn create(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let rule = state.settings.webhooks.url_rule();
    let input =
        body.parse().and_then(|input: NewWebhook| Ok(input.validate(rule).map_err(HubError::Invalid)?));
    let input =
        after_permission(&state.hub, signed.principal(), Action::ManageWebhooks, Target::None, input).await?;
    let secret = new_secret();
    let create = CreateWebhook { caller: signed.caller, input, secret: secret.clone() };
    let webhook = state.hub.webhook_desk.ask(create).await?;
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, format!("/api/v1/webhooks/{}", webhook.id)));
    response.insert_header((header::ETAG, etag(webhook.version)));
    Ok(never_stored(response.json(KeyedWebhook { webhook, secret })))
}

/// Reads one webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("bearer" = [])),
    params(Id, IfNoneMatch),
    responses((status = 200, body = Webhook, headers(("ETag" = String))),
        (status = 304, description = "Unchanged"), ReadProblems))]
pub async fn read(
    request: HttpRequest,
    state: State,
    signed: Signed,
    id: PathId,
) -> Result<HttpResponse, HttpError> {
    Ok(found(&request, &managed(&state, &signed, id).await?))
}

/// Changes what is named and leaves the rest.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("bearer" = [])),
    params(Id, IfMatch), request_body = WebhookPatch,
    responses((status = 200, body = Webhook, headers(("ETag" = String))), EntityWriteProblems))]
pub async fn change(state: State, signed: Signed, id: PathId, body: Body) -> Result<HttpResponse, HttpError> {
    let rule = state.settings.webhooks.url_rule();
    let patch =
        body.parse().and_then(|patch: WebhookPatch| Ok(patch.validate(rule).map_err(HubError::Invalid)?));
    let target = Target::Webhook(id.0);
    let patch =
        after_permission(&state.hub, signed.principal(), Action::ManageWebhooks, target, patch).await?;
    Ok(changed(&state.hub.webhook_desk.ask(ChangeWebhook { caller: signed.caller, id: id.0, patch }).await?))
}

/// Tells its URL nothing from now on.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("bearer" = [])),
    params(Id, IfMatch), responses((status = 204, description = "Deleted"), ActionProblems))]
pub async fn delete(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    state.hub.webhook_desk.ask(DeleteWebhook { caller: signed.caller, id: id.0 }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Makes a new secret, which is in this answer and nowhere else. The one before signs beside it for 24 hours.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/rotate", tag = "webhooks", security(("bearer" = [])),
    params(Id, IfMatch),
    responses((status = 200, body = KeyedWebhook, headers(("ETag" = String))), ActionProblems))]
pub async fn rotate(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    let secret = new_secret();
    let rotate = RotateSecret { caller: signed.caller, id: id.0, secret: secret.clone() };
    let webhook = state.hub.webhook_desk.ask(rotate).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::ETAG, etag(webhook.version)));
    Ok(never_stored(response.json(KeyedWebhook { webhook, secret })))
}

/// Lists calls of the last 30 days, newest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/attempts", tag = "webhooks", security(("bearer" = [])),
    params(Id, Paging, ("succeeded" = Option<bool>, Query)),
    responses((status = 200, body = Page<WebhookAttempt>), ActionProblems))]
pub async fn attempts(
    state: State,
    signed: Signed,
    id: PathId,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    let webhook = managed(&state, &signed, id).await?;
    let params = query.list(&["succeeded"])?;
    let succeeded = params.flag("succeeded")?;
    let page = params.page(Listing::newest(SORTS))?;
    let list = ListAttempts { webhook_id: webhook.id, succeeded, page };
    Ok(HttpResponse::Ok().json(state.hub.webhooks.ask(list).await?))
}

/// Makes the call of an attempt again, under the same `webhook-id`.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/attempts/{attemptId}/replay", tag = "webhooks",
    security(("bearer" = [])), params(Id, AttemptId, IfMatch, IdempotencyKey),
    responses((status = 202, body = WebhookMessage),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The webhook is disabled"),
        ActionProblems))]
pub async fn replay(
    request: HttpRequest,
    state: State,
    signed: Signed,
    id: PathId,
) -> Result<HttpResponse, HttpError> {
    let text = request.match_info().get("attempt_id").unwrap_or_default();
    let attempt_id = Uuid::parse_str(text)
        .map_err(|_| HttpError::Malformed("the attempt's id in the path must be a UUID".to_owned()))?;
    let replay = ReplayAttempt { caller: signed.caller, webhook_id: id.0, attempt_id };
    Ok(HttpResponse::Accepted().json(state.hub.webhook_desk.ask(replay).await?))
}

async fn managed(state: &State, signed: &Signed, id: PathId) -> Result<Webhook, HttpError> {
    permit_any(signed.principal(), Action::ManageWebhooks)?;
    let found = state.hub.webhooks.ask(GetWebhook(id.0)).await?;
    Ok(found.ok_or(HubError::NotFound(EntityType::Webhook))?)
}
