use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::desk::permit_any;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::webhook::{NewWebhook, Webhook, WebhookAttempt, WebhookMessage, WebhookPatch};
use nexus_actors::domain::{Caller, Principal};
use nexus_actors::store::webhooks::{GetWebhook, ListAttempts, ListWebhooks, SORTS};
use nexus_actors::webhook_desk::{ChangeWebhook, CreateWebhook, DeleteWebhook, ReplayAttempt, RotateSecret};
use nexus_actors::{HubError, HubResult};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

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
use super::{HttpState, State};
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
    let asked = asked(signed.principal(), &query)?;
    Ok(HttpResponse::Ok().json(state.hub.webhooks.ask(asked).await?))
}

/// What a query asks for.
pub(super) fn asked(principal: &Principal, query: &Query) -> Result<ListWebhooks, HttpError> {
    permit_any(principal, Action::ManageWebhooks)?;
    Ok(ListWebhooks { page: query.list(&[])?.page(Listing::newest(SORTS))? })
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
    let created = create_webhook(&state, signed.caller, input).await?;
    let mut response = HttpResponse::Created();
    response.insert_header((header::LOCATION, format!("/api/v1/webhooks/{}", created.webhook.id)));
    response.insert_header((header::ETAG, etag(created.webhook.version)));
    Ok(never_stored(response.json(created)))
}

pub(super) async fn create_webhook(
    state: &HttpState,
    caller: Caller,
    input: NewWebhook,
) -> HubResult<KeyedWebhook> {
    let secret = new_secret();
    let create = CreateWebhook { caller, input, secret: secret.clone() };
    Ok(KeyedWebhook { webhook: state.hub.webhook_desk.ask(create).await?, secret })
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
    Ok(found(&request, &managed(&state, signed.principal(), id.0).await?))
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
    let rotated = rotate_secret(&state, signed.caller, id.0).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::ETAG, etag(rotated.webhook.version)));
    Ok(never_stored(response.json(rotated)))
}

pub(super) async fn rotate_secret(state: &HttpState, caller: Caller, id: Uuid) -> HubResult<KeyedWebhook> {
    let secret = new_secret();
    let rotate = RotateSecret { caller, id, secret: secret.clone() };
    Ok(KeyedWebhook { webhook: state.hub.webhook_desk.ask(rotate).await?, secret })
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
    let webhook = managed(&state, signed.principal(), id.0).await?;
    let asked = asked_attempts(webhook.id, &query)?;
    Ok(HttpResponse::Ok().json(state.hub.webhooks.ask(asked).await?))
}

/// Which attempts of a webhook a query asks for.
pub(super) fn asked_attempts(webhook_id: Uuid, query: &Query) -> Result<ListAttempts, HttpError> {
    let params = query.list(&["succeeded"])?;
    let succeeded = params.flag("succeeded")?;
    Ok(ListAttempts { webhook_id, succeeded, page: params.page(Listing::newest(SORTS))? })
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
    let replay = ReplayAttempt { caller: signed.caller, webhook_id: id.0, attempt_id: attempt_id(&request)? };
    Ok(HttpResponse::Accepted().json(state.hub.webhook_desk.ask(replay).await?))
}

pub(super) fn attempt_id(request: &HttpRequest) -> Result<Uuid, HttpError> {
    let text = request.match_info().get("attempt_id").unwrap_or_default();
    let malformed = |_| HttpError::Malformed("the attempt's id in the path must be a UUID".to_owned());
    Uuid::parse_str(text).map_err(malformed)
}

pub(super) async fn managed(
    state: &HttpState,
    principal: &Principal,
    id: Uuid,
) -> Result<Webhook, HttpError> {
    permit_any(principal, Action::ManageWebhooks)?;
    let found = state.hub.webhooks.ask(GetWebhook(id)).await?;
    Ok(found.ok_or(HubError::NotFound(EntityType::Webhook))?)
}
