//! Before every API request: who is calling, and how often.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError};
use nexus_actors::domain::Principal;
use nexus_actors::domain::user::User;
use nexus_actors::store::api_keys::UseApiKey;
use nexus_actors::store::sessions::find_session;
use nexus_actors::store::tickets::SpendTicket;
use uuid::Uuid;

use super::problem::HttpError;
use super::signed::SignedIn;
use super::{HttpState, State};
use crate::sessions::{Decision, is_api_key, random_text_hash};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Where a ticket counts.
const STREAMS: [&str; 2] = ["/api/v1/events", "/api/v1/ws"];
/// What is open to whoever has yet to set up the second factor that their role takes.
const ENROLMENT: [&str; 8] = [
    "/api/v1/auth/profile",
    "/api/v1/auth/logout",
    "/api/v1/auth/totp",
    "/api/v1/auth/totp/confirm",
    "/account/second-factor",
    "/account/second-factor/begin",
    "/account/second-factor/confirm",
    "/sign-out",
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address, in the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

pub async fn admit<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let Some(state) = request.app_data::<State>().cloned() else {
        return Err(HttpError::Unauthenticated("No state.").into());
    };
    let address = client_address(&state, &request);
    request.extensions_mut().insert(ClientAddress(address));
    let signed_in = match authenticate(&state, &request).await {
        Ok(signed_in) => signed_in,
        Err(error) => SignedIn::Failed(error),
    };
    let decision = count(&state, &signed_in, address).await;
    request.extensions_mut().insert(std::rc::Rc::new(signed_in));
    let mut response = if decision.allowed {
        next.call(request).await?.map_into_left_body()
    } else {
        let error = HttpError::RateLimited { retry_after: decision.reset };
        request.into_response(error.error_response()).map_into_right_body()
    };
    describe(response.headers_mut(), &decision);
    Ok(response)
}

/// Whoever the credentials stand for, as they are now.
async fn authenticate(state: &HttpState, request: &ServiceRequest) -> Result<SignedIn, HttpError> {
    let refused = || HttpError::Unauthenticated("The credentials are not valid.");
    if let Some(value) = request.headers().get(&API_KEY) {
        return program(state, value.to_str().map_err(|_| refused())?).await;
    }
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return match ticket(request) {
            Some(ticket) => with_ticket(state, request.path(), &ticket).await,
            None => Ok(SignedIn::Nobody),
        };
    };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let token = token.ok_or_else(refused)?;
    if is_api_key(token) { program(state, token).await } else { person(state, request.path(), token).await }
}

async fn person(state: &HttpState, path: &str, token: &str) -> Result<SignedIn, HttpError> {
    let refused = || HttpError::Unauthenticated("The access token is not valid.");
    let claims = state.tokens.verify_access(token, state.hub.clock.now()).map_err(|_| refused())?;
    let found = in_session(state, claims.session_id, Some(claims.user_id)).await?;
    Ok(signed_in(state, path, found.ok_or_else(refused)?))
}

/// What opens a stream where headers cannot be sent, and nothing else.
fn ticket(request: &ServiceRequest) -> Option<String> {
    if !STREAMS.contains(&request.path()) {
        return None;
    }
    let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.into_iter().find_map(|(name, value)| (name == "ticket").then(|| value.into_owned()))
}

async fn with_ticket(state: &HttpState, path: &str, ticket: &str) -> Result<SignedIn, HttpError> {
    let refused = || HttpError::Unauthenticated("The ticket is not valid.");
    let spend = SpendTicket { hash: random_text_hash(ticket), now: state.hub.clock.now() };
    let session_id = state.hub.tickets.ask(spend).await?.ok_or_else(refused)?;
    let found = in_session(state, session_id, None).await?;
    Ok(signed_in(state, path, found.ok_or_else(refused)?))
}

/// Whoever is signed in with this session, as they are now.
pub(super) async fn in_session(
    state: &HttpState,
    id: Uuid,
    user_id: Option<Uuid>,
) -> Result<Option<(User, Uuid)>, HttpError> {
    let found = find_session(&state.hub.storage, &state.hub.sessions, id, user_id).await?;
    let now = state.hub.clock.now();
    let live = found
        .filter(|(session, user)| session.revoked_at.is_none() && session.expires_at > now && user.is_active);
    Ok(live.map(|(session, user)| (user, session.id)))
}

/// The one place where a principal is made.
pub(super) fn signed_in(state: &HttpState, path: &str, (user, session_id): (User, Uuid)) -> SignedIn {
    let must_enrol = !user.totp_enabled && state.settings.auth.totp_required_for.contains(&user.role);
    if must_enrol && !ENROLMENT.contains(&path) {
        return SignedIn::MustEnrol(user.id);
    }
    let principal = Principal { user_id: user.id, role: user.role, session_id };
    SignedIn::User { principal, user: Box::new(user) }
}

async fn program(state: &HttpState, key: &str) -> Result<SignedIn, HttpError> {
    let use_key = UseApiKey { key_hash: random_text_hash(key), now: state.hub.clock.now() };
    let found = state.hub.api_keys.ask(use_key).await?;
    found.map(SignedIn::Program).ok_or(HttpError::Unauthenticated("The API key is not valid."))
}

/// As [`count`], for the console, where every page and every part of one is a request.
pub(super) async fn count_page(state: &HttpState, signed_in: &SignedIn, address: IpAddr) -> Decision {
    let limits = &state.settings.rate_limit;
    let key = format!("console:{}", whose(signed_in, address));
    state.limiter.check(&key, limits.console_limit, limits.ttl, state.hub.clock.now()).await
}

async fn count(state: &HttpState, signed_in: &SignedIn, address: IpAddr) -> Decision {
    let limits = &state.settings.rate_limit;
    let limit = match signed_in {
        SignedIn::User { .. } | SignedIn::MustEnrol(_) => limits.limit,
        SignedIn::Program(_) => limits.api_key_limit,
        SignedIn::Nobody | SignedIn::Failed(_) => state.anonymous_limit(),
    };
    state.limiter.check(&whose(signed_in, address), limit, limits.ttl, state.hub.clock.now()).await
}

/// Whose requests these are.
fn whose(signed_in: &SignedIn, address: IpAddr) -> String {
    match signed_in {
        SignedIn::User { principal, .. } => format!("user:{}", principal.user_id),
        SignedIn::MustEnrol(user_id) => format!("user:{user_id}"),
        SignedIn::Program(key) => format!("key:{}", key.id),
        SignedIn::Nobody | SignedIn::Failed(_) => format!("address:{address}"),
    }
}

impl HttpState {
    fn anonymous_limit(&self) -> u32 {
        match self.settings.rate_limit.anonymous_limit {
            0 => (self.settings.rate_limit.limit / 5).max(1),
            limit => limit,
        }
    }
}

/// The fields of draft-ietf-httpapi-ratelimit-headers-07; the reset is in seconds from now.
fn describe(headers: &mut header::HeaderMap, decision: &Decision) {
    let fields = [
        ("ratelimit-limit", u64::from(decision.limit)),
        ("ratelimit-remaining", u64::from(decision.remaining)),
        ("ratelimit-reset", seconds(decision.reset)),
    ];
    for (name, value) in fields {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

fn seconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// The peer's address, or what a trusted proxy says: the last hop that is not itself a trusted proxy.
pub(super) fn client_address(state: &HttpState, request: &ServiceRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
    if !state.trusted_proxies.contains(&peer) {
        return peer;
    }
    let hops = request.headers().get_all(&FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    let hops: Vec<IpAddr> =
        hops.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
    hops.into_iter().rev().find(|hop| !state.trusted_proxies.contains(hop)).unwrap_or(peer)
}
