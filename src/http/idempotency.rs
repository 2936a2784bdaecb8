//! `Idempotency-Key` on POST: the first answer, however often the request is sent.
//!
//! Answers that carry an entity are settled by the commit that made it, in the same transaction. Refusals and
//! the few other answers are settled here. Answers with tokens in them (`no-store`), overloads and server
//! errors are not kept; a repeated request runs again.

use std::time::Duration;

use actix_web::body::{BoxBody, EitherBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use nexus_actors::digest::sha256_of_parts;
use nexus_actors::domain::Claim;
use nexus_actors::store::idempotency::{ClaimKey, ClaimOutcome, ReleaseKey, SettleKey};
use nexus_actors::{HubError, HubResult};
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;

use super::State;
use super::body::{announced_length, receive};
use super::conditional::etag;
use super::problem::{HttpError, Problem};
use super::signed::SignedIn;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const MAX_KEY: usize = 255;
const RELEASE_PATIENCE: Duration = Duration::from_secs(1);

pub async fn replay<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let key = request.headers().get(&KEY).filter(|_| request.method() == Method::POST).cloned();
    let (Some(key), Some(user_id)) = (key, signed_in(request.request())) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    match claim(&mut request, &key, user_id).await {
        Ok(Claimed::Fresh(state, claim)) => {
            keep(&state, claim, next.call(request).await?.map_into_left_body()).await
        }
        Ok(Claimed::Before(response)) => Ok(request.into_response(response).map_into_right_body()),
        Err(error) => Ok(request.into_response(error.error_response()).map_into_right_body()),
    }
}

enum Claimed {
    /// The request is to run, holding this claim.
    Fresh(State, Claim),
    /// It ran before and was answered so.
    Before(HttpResponse),
}

async fn claim(request: &mut ServiceRequest, key: &HeaderValue, user_id: Uuid) -> Result<Claimed, HttpError> {
    let state = request.app_data::<State>().cloned();
    let state = state.ok_or_else(|| HubError::Internal("a request without state".to_owned()))?;
    let key = checked(key)?;
    let announced = announced_length(request.request());
    let body = receive(announced, request.take_payload()).await?;
    let scope = sha256_of_parts(&[user_id.as_bytes(), b"POST", request.path().as_bytes(), key.as_bytes()]);
    let claim =
        ClaimKey { scope: scope.clone(), fingerprint: sha256_of_parts(&[&body]), now: state.hub.clock.now() };
    match state.hub.idempotency.ask(claim).await? {
        ClaimOutcome::Claimed(token) => {
            let claim = Claim { scope, token, success_status: StatusCode::OK.as_u16() };
            request.extensions_mut().insert(claim.clone());
            request.set_payload(Payload::from(body));
            Ok(Claimed::Fresh(state, claim))
        }
        ClaimOutcome::Answered { status, body } => {
            Ok(Claimed::Before(answer_again(request.path(), status, body)))
        }
        ClaimOutcome::InFlight => Err(HttpError::InFlight),
        ClaimOutcome::Mismatch => Err(HttpError::KeyReused),
    }
}
async fn keep<B: MessageBody + 'static>(
    state: &State,
    claim: Claim,
    response: ServiceResponse<EitherBody<B, BoxBody>>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let status = response.status();
    let no_store = response.headers().get(header::CACHE_CONTROL).is_some_and(|value| value == "no-store");
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::UNAUTHORIZED
                | StatusCode::METHOD_NOT_ALLOWED
        );
    if passing || no_store {
        // What the request waited for may be what this would wait for, too. It goes on by itself.
        let released = timeout(RELEASE_PATIENCE, state.hub.idempotency.ask(ReleaseKey(claim))).await;
        logged(released.unwrap_or(Ok(())));
        return Ok(response);
    }
    if status.is_success() && response.headers().contains_key(header::ETAG) {
        // Settled with the commit.
        return Ok(response);
    }
    let problem = response.response().extensions().get::<Problem>().cloned();
    let (response, body) = match problem {
        Some(problem) => {
            let body = serde_json::to_string(&problem).unwrap_or_default();
            (response, body)
        }
        None => {
            let (request, answer) = response.into_parts();
            let (answer, body) = answer.into_parts();
            let bytes = to_bytes(body).await.map_err(Into::<Error>::into)?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let answer = answer.set_body(BoxBody::new(bytes)).map_into_right_body();
            (ServiceResponse::new(request, answer), text)
        }
    };
    logged(state.hub.idempotency.ask(SettleKey { claim, status: status.as_u16(), body }).await);
    Ok(response)
}

/// The answer stands even when it could not be kept: what it tells has happened.
fn logged(outcome: HubResult<()>) {
    if let Err(error) = outcome
        && !matches!(error, HubError::ClaimLost)
    {
        tracing::warn!(%error, "an idempotency key could not be settled");
    }
}

fn answer_again(path: &str, status: u16, body: String) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    if status.is_client_error() {
        let mut response = response.finish();
        if let Ok(problem) = serde_json::from_str::<Problem>(&body) {
            response.extensions_mut().insert(problem);
        }
        return response;
    }
    let entity: Value = serde_json::from_str(&body).unwrap_or_default();
    if let Some(version) = entity.get("version").and_then(Value::as_i64) {
        response.insert_header((header::ETAG, etag(version)));
    }
    if let (StatusCode::CREATED, Some(id)) = (status, entity.get("id").and_then(Value::as_str)) {
        // A user is made at /auth/register and found at /users.
        let collection =
            path.strip_suffix("/auth/register").map_or(path.to_owned(), |base| format!("{base}/users"));
        response.insert_header((header::LOCATION, format!("{collection}/{id}")));
    }
    if body.is_empty() { response.finish() } else { response.content_type("application/json").body(body) }
}

/// Keys belong to a signed-in caller. Signing in and refreshing have no caller yet, and their answers hold
/// tokens, which are never kept.
fn signed_in(request: &HttpRequest) -> Option<Uuid> {
    let extensions = request.extensions();
    match extensions.get::<std::rc::Rc<SignedIn>>().map(std::rc::Rc::as_ref) {
        Some(SignedIn::User { principal, .. }) => Some(principal.user_id),
        Some(SignedIn::Program(key)) => Some(key.id),
        Some(SignedIn::Nobody | SignedIn::Failed(_) | SignedIn::MustEnrol(_)) | None => None,
    }
}

fn checked(key: &HeaderValue) -> Result<String, HttpError> {
    let text = key.to_str().unwrap_or_default().trim();
    if (1..=MAX_KEY).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(HttpError::Malformed(format!(
            "Idempotency-Key must have 1 to {MAX_KEY} visible ASCII characters"
        )))
    }
}
