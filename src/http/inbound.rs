use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::domain::Claim;
use nexus_actors::domain::api_key::Scope;
use nexus_actors::domain::channel::InboundMessage;
use nexus_actors::intake_desk::TakeIn;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::State;
use super::body::Body;
use super::gateway::Gateway;
use super::openapi::{IdempotencyKey, WriteProblems};
use super::problem::{HttpError, Problem};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/inbound/{channel}").post(take_in));
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TakenIn {
    pub inquiry_id: Uuid,
    /// It had been taken in before.
    pub duplicate: bool,
}

/// Takes in what a channel brings: a new inquiry, or the next message of one. Exactly once for each `externalId`,
/// for which the `Idempotency-Key` stands in where there is none.
#[utoipa::path(post, path = "/api/v1/inbound/{channel}", tag = "gateways",
    security(("bearer" = []), ("apiKey" = [])),
    params(
        ("channel" = String, Path, pattern = "^[a-z][a-z0-9_-]{0,31}$", description = "Such as email or chat"),
        IdempotencyKey,
    ),
    request_body = InboundMessage,
    responses((status = 201, body = TakenIn, description = "Taken in"),
        (status = 200, body = TakenIn, description = "Taken in before"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The request is still in progress"),
        WriteProblems))]
pub async fn take_in(
    request: HttpRequest,
    state: State,
    gateway: Gateway,
    channel: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, HttpError> {
    gateway.allows(Scope::Inbound)?;
    let channel = channel.into_inner();
    let message: InboundMessage = body.parse()?;
    let message = message.validate(&channel).map_err(HubError::Invalid)?;
    let stand_in = || {
        let key = request.headers().get("idempotency-key")?.to_str().ok()?;
        // Apart from what channels call their messages, and from other callers' keys.
        Some(format!("idempotency-key:{}:{key}", gateway.caller_id))
    };
    let identity = message.external_id.clone().or_else(stand_in);
    let claim = gateway.claim.map(|claim| Claim { success_status: StatusCode::CREATED.as_u16(), ..claim });
    let take_in = TakeIn { channel, identity, message, origin: gateway.origin, claim };
    let taken = state.hub.intake_desk.ask(take_in).await?;
    let mut answer = if taken.duplicate { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(answer.json(TakenIn { inquiry_id: taken.inquiry_id, duplicate: taken.duplicate }))
}
