mod attempt;
pub mod totp;

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::desk::permit_any;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::user::{Availability, Credentials, NewUser, User};
use nexus_actors::domain::validation::{MAX_NAME, present};
use nexus_actors::domain::{Caller, Checks, Timestamp};
use nexus_actors::store::sessions::{NewSession, RotateRefresh, Rotation, find_session};
use nexus_actors::store::tickets::KeepTicket;
use nexus_actors::store::users::{FindCredentials, GetCredentials};
use nexus_actors::user_desk::{ChangeProfile, CreateUser, EndSessions, Ending, StartSession};
use nexus_actors::{HubError, new_id};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use self::attempt::{Attempt, count, throttle};
use super::access::{Target, after_permission};
use super::body::Body;
use super::conditional::{changed, created, found, never_stored};
use super::envelope::RequestId;
use super::openapi::{
    BodyProblems, CommonProblems, IdempotencyKey, IfMatch, IfNoneMatch, SignInProblems, WriteProblems,
};
use super::problem::{HttpError, Problem};
use super::signed::Signed;
use super::{HttpState, State};
use crate::sessions::{Owner, RefreshToken, check_password, random_text, random_text_hash};

/// One text for unknown email, wrong password and inactive user: none can be told from another.
const REFUSED: HttpError = HttpError::Unauthenticated("Email or password is wrong.");
/// What every ticket begins with.
const TICKET_PREFIX: &str = "nxt_";
/// How long a ticket may wait to be used.
const TICKET: Duration = Duration::from_secs(30);
const REFRESH_REFUSED: HttpError = HttpError::Unauthenticated("The refresh token is not valid.");

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/auth/register").post(register))
        .service(web::resource("/auth/login").post(login))
        .service(web::resource("/auth/refresh").post(refresh))
        .service(web::resource("/auth/logout").post(logout))
        .service(web::resource("/auth/ticket").post(ticket))
        .service(web::resource("/auth/profile").get(profile).put(change_profile))
        .configure(totp::routes);
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignIn {
    pub email: String,
    #[schema(format = "password")]
    pub password: String,
    /// Where a second factor is set up: as the authenticator app shows it, or a recovery code.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, example = "123456")]
    pub code: Option<String>,
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refresh {
    pub refresh_token: String,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignOut {
    /// Ends every session of the user.
    #[serde(default)]
    pub all: bool,
}

/// What a sign-in and a refresh answer with.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenPair {
    pub access_token: String,
    pub refresh_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    pub user: User,
}

#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileChange {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub first_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub last_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub availability: Option<Availability>,
    /// Needed with `newPassword`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, format = "password")]
    pub current_password: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, format = "password", min_length = 12, max_length = 128)]
    pub new_password: Option<String>,
}

/// Makes a user.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", security(("bearer" = [])),
    params(IdempotencyKey), request_body = NewUser,
    responses((status = 201, body = User, headers(("ETag" = String), ("Location" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The email is in use"),
        WriteProblems))]
pub async fn register(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let input = body.parse().and_then(checked_user);
    let user =
        after_permission(&state.hub, signed.principal(), Action::WriteUsers, Target::None, input).await?;
    Ok(created("/api/v1/users", &create_user(&state, signed.creating(), user).await?))
}

/// The user asked for, if everything about them is right.
pub(super) fn checked_user(input: NewUser) -> Result<NewUser, HttpError> {
    let mut checks = Checks::new();
    let input = input.check(&mut checks);
    let owner = Owner { email: &input.email, first_name: &input.first_name, last_name: &input.last_name };
    check_password(&mut checks, "/password", &input.password, owner);
    Ok(checks.finish(input).map_err(HubError::Invalid)?)
}

/// Makes a user who has been checked.
pub(super) async fn create_user(state: &HttpState, caller: Caller, user: NewUser) -> Result<User, HttpError> {
    // Before the costly hash.
    permit_any(&caller.principal, Action::WriteUsers)?;
    let password_hash = state.passwords.hash(user.password.clone()).await?;
    Ok(state.hub.user_desk.ask(CreateUser { caller: Some(caller), user, password_hash }).await?)
}

/// Signs in. Where the user has a second factor it takes a `code` as well: without a right one, and with the right
/// password, the problem's type ends in `second-factor-required`.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = SignIn,
    responses((status = 200, body = TokenPair), SignInProblems, BodyProblems))]
pub async fn login(request: HttpRequest, state: State, body: Body) -> Result<HttpResponse, HttpError> {
    let opened = open_session(&state, &request, &body.parse()?).await?;
    pair(&state, opened.user, opened.session_id, opened.refresh.as_str(), opened.at)
}

/// A session that has just begun.
pub(super) struct Opened {
    pub user: User,
    pub session_id: Uuid,
    refresh: RefreshToken,
    at: Timestamp,
}

/// Signs in: the one way to a session, by the API and in the console, under the same limits.
pub(super) async fn open_session(
    state: &HttpState,
    request: &HttpRequest,
    sign_in: &SignIn,
) -> Result<Opened, HttpError> {
    throttle(state, request, &sign_in.email).await?;
    let attempt = Attempt::begin(state, request, &sign_in.email).await?;
    let outcome = match start_session(state, request, sign_in).await {
        // The password, the user or the codes left to use changed meanwhile; how they are now decides.
        Err(HttpError::Hub(HubError::Contended)) => start_session(state, request, sign_in).await,
        outcome => outcome,
    };
    attempt.end(state, &outcome).await;
    outcome
}

async fn start_session(
    state: &HttpState,
    request: &HttpRequest,
    sign_in: &SignIn,
) -> Result<Opened, HttpError> {
    // Nobody's email has a NUL. Leaving it out would let one user be tried under any number of throttled names.
    let found = if sign_in.email.contains('\0') {
        None
    } else {
        state.hub.users.ask(FindCredentials(sign_in.email.clone())).await?
    };
    let hash = found.as_ref().map(|credentials| credentials.password_hash.clone());
    let verified = state.passwords.verify(sign_in.password.clone(), hash).await?;
    let Credentials { user, password_hash } = match found {
        Some(credentials) if verified.ok && credentials.user.is_active => credentials,
        Some(_) | None => return Err(REFUSED),
    };
    let second_factor = totp::at_sign_in(state, &user, sign_in.code.as_deref()).await?;
    let rehashed = if verified.needs_rehash {
        Some(state.passwords.hash(sign_in.password.clone()).await?)
    } else {
        None
    };

    let now = state.hub.clock.now();
    let session_id = new_id();
    let refresh = state.tokens.new_refresh(session_id);
    let expires_at = now.plus(state.settings.auth.refresh_ttl);
    let hash = refresh.hash();
    state.refresh_tokens.start(session_id, &hash, expires_at).await?;
    let refresh_hash = state.refresh_tokens.for_row(&hash);
    let session = NewSession { id: session_id, user_id: user.id, created_at: now, expires_at, refresh_hash };
    let request_id = RequestId::of(request).to_string();
    let start = StartSession { session, request_id, verified: password_hash, rehashed, second_factor };
    state.hub.user_desk.ask(start).await?;
    Ok(Opened { user, session_id, refresh, at: now })
}

/// Exchanges a refresh token for a new pair. The token is spent; using it again ends the session, unless it is
/// the same request once more (the same `Idempotency-Key` within ten seconds).
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", params(IdempotencyKey), request_body = Refresh,
    responses((status = 200, body = TokenPair), SignInProblems, BodyProblems))]
pub async fn refresh(request: HttpRequest, state: State, body: Body) -> Result<HttpResponse, HttpError> {
    let arrived_at = state.hub.clock.now();
    let refresh: Refresh = body.parse()?;
    let presented = state.tokens.parse_refresh(&refresh.refresh_token).map_err(|_| REFRESH_REFUSED)?;
    let session_id = presented.session_id();
    let found = find_session(&state.hub.storage, &state.hub.sessions, session_id, None).await?;
    let now = state.hub.clock.now();
    let user = match found {
        Some((session, user))
            if session.revoked_at.is_none() && session.expires_at > now && user.is_active =>
        {
            user
        }
        Some(_) | None => return Err(REFRESH_REFUSED),
    };
    let successor = state.tokens.successor(&presented);
    let retry_key =
        request.headers().get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let rotate = RotateRefresh {
        session_id,
        presented: presented.hash(),
        successor: successor.hash(),
        retry_key,
        arrived_at,
        now,
    };
    match state.refresh_tokens.rotate(rotate).await? {
        Rotation::Rotated => pair(&state, user, session_id, successor.as_str(), now),
        Rotation::Reused => {
            end_sessions(&state, &request, user.id, Ending::Reused(session_id)).await?;
            // The session's row is what counts; this only spares Redis a look.
            if let Err(error) = state.refresh_tokens.end(session_id).await {
                tracing::warn!(%error, "the tokens of an ended session stay until they expire");
            }
            Err(REFRESH_REFUSED)
        }
        Rotation::Unknown => Err(REFRESH_REFUSED),
    }
}

/// Ends the session of the access token presented, or all of the user's.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", security(("bearer" = [])),
    request_body = Option<SignOut>,
    responses((status = 204, description = "Signed out"), CommonProblems, BodyProblems))]
pub async fn logout(
    request: HttpRequest,
    state: State,
    signed: Signed,
    body: Body,
) -> Result<HttpResponse, HttpError> {
    let sign_out: SignOut = body.parse_or_default()?;
    let principal = signed.principal();
    let which = if sign_out.all { Ending::All } else { Ending::One(principal.session_id) };
    end_sessions(&state, &request, principal.user_id, which).await?;
    Ok(never_stored(HttpResponse::NoContent().finish()))
}

/// What a browser opens a stream with.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    pub ticket: String,
    /// Seconds until it is worth nothing.
    #[schema(example = 30)]
    pub expires_in: u64,
}

/// A ticket for `/events` or `/ws`, good for one connection: for browsers, which cannot send headers there.
#[utoipa::path(post, path = "/api/v1/auth/ticket", tag = "auth", security(("bearer" = [])),
    responses((status = 200, body = Ticket), CommonProblems))]
pub async fn ticket(state: State, signed: Signed) -> Result<HttpResponse, HttpError> {
    let ticket = random_text(TICKET_PREFIX);
    let keep = KeepTicket {
        hash: random_text_hash(&ticket),
        session_id: signed.principal().session_id,
        expires_at: state.hub.clock.now().plus(TICKET),
    };
    state.hub.tickets.ask(keep).await?;
    let answer = Ticket { ticket, expires_in: TICKET.as_secs() };
    Ok(never_stored(HttpResponse::Ok().json(answer)))
}

/// The signed-in user.
#[utoipa::path(get, path = "/api/v1/auth/profile", tag = "auth", security(("bearer" = [])), params(IfNoneMatch),
    responses((status = 200, body = User, headers(("ETag" = String))), (status = 304, description = "Unchanged"),
        CommonProblems))]
pub async fn profile(request: HttpRequest, signed: Signed) -> HttpResponse {
    found(&request, &signed.user)
}

/// Changes what is named and leaves the rest. A new password ends the user's other sessions.
#[utoipa::path(put, path = "/api/v1/auth/profile", tag = "auth", security(("bearer" = [])), params(IfMatch),
    request_body = ProfileChange,
    responses((status = 200, body = User, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json"),
        CommonProblems, BodyProblems))]
pub async fn change_profile(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let change = checked_profile(&state, signed.caller, &signed.user, body.parse()?).await?;
    Ok(changed(&state.hub.user_desk.ask(change).await?))
}

/// What `wanted` asks to change, once the current password has been shown where that is needed.
pub(super) async fn checked_profile(
    state: &HttpState,
    caller: Caller,
    user: &User,
    wanted: ProfileChange,
) -> Result<ChangeProfile, HttpError> {
    let mut checks = Checks::new();
    let first_name = wanted.first_name.map(|name| checks.line("/firstName", &name, MAX_NAME));
    let last_name = wanted.last_name.map(|name| checks.line("/lastName", &name, MAX_NAME));
    if let Some(password) = &wanted.new_password {
        let owner = Owner { email: &user.email, first_name: &user.first_name, last_name: &user.last_name };
        check_password(&mut checks, "/newPassword", password, owner);
        if wanted.current_password.is_none() {
            checks.fail("/currentPassword", "required", "must be given to set a new password");
        }
    }
    checks.finish(()).map_err(HubError::Invalid)?;
    let new_password_hash = match (wanted.new_password, wanted.current_password) {
        (Some(new), Some(current)) => {
            verify_current(state, user.id, current).await?;
            Some(state.passwords.hash(new).await?)
        }
        _ => None,
    };
    Ok(ChangeProfile { caller, first_name, last_name, availability: wanted.availability, new_password_hash })
}

async fn verify_current(state: &HttpState, user_id: Uuid, password: String) -> Result<(), HttpError> {
    let limits = &state.settings.rate_limit;
    let now = state.hub.clock.now();
    count(state, &format!("password:{user_id}"), (limits.login_limit, limits.login_ttl), now).await?;
    let credentials = state.hub.users.ask(GetCredentials(user_id)).await?;
    let hash = credentials.map(|credentials| credentials.password_hash);
    if state.passwords.verify(password, hash).await?.ok {
        Ok(())
    } else {
        Err(HubError::invalid("/currentPassword", "wrong_password", "is not the current password").into())
    }
}

pub(super) async fn end_sessions(
    state: &HttpState,
    request: &HttpRequest,
    user_id: Uuid,
    which: Ending,
) -> Result<(), HttpError> {
    let request_id = RequestId::of(request).to_string();
    Ok(state.hub.user_desk.ask(EndSessions { user_id, request_id, which }).await?)
}

fn pair(
    state: &HttpState,
    user: User,
    session_id: Uuid,
    refresh_token: &str,
    now: Timestamp,
) -> Result<HttpResponse, HttpError> {
    let answer = TokenPair {
        access_token: state.tokens.issue_access(user.id, session_id, user.role, now)?,
        refresh_token: refresh_token.to_owned(),
        token_type: "Bearer",
        expires_in: state.settings.auth.access_ttl.as_secs(),
        user,
    };
    let mut response = never_stored(HttpResponse::Ok().json(answer));
    response.headers_mut().insert(header::PRAGMA, header::HeaderValue::from_static("no-cache"));
    Ok(response)
}
