//! Second factors: an authenticator app is set up, confirmed, replaced and taken off, with recovery codes for when it is
//! lost. Whatever weakens the sign-in takes the password and a code, so that a session alone, left open or stolen, does
//! not do.

use actix_web::{HttpResponse, web};
use nexus_actors::domain::Caller;
use nexus_actors::domain::totp::{SecondFactor, Totp};
use nexus_actors::domain::user::User;
use nexus_actors::domain::validation::present;
use nexus_actors::store::users::GetTotp;
use nexus_actors::user_desk::{BeginTotp, ConfirmTotp, DisableTotp, ReplaceRecoveryCodes};
use nexus_actors::{Conflict, HubError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::attempt::{FAILURES_WINDOW, count};
use super::verify_current;
use crate::http::body::Body;
use crate::http::conditional::{changed, never_stored};
use crate::http::openapi::{BodyProblems, CommonProblems, IdempotencyKey, IfMatch};
use crate::http::problem::{HttpError, Problem};
use crate::http::signed::Signed;
use crate::http::{HttpState, State};
use crate::sessions::Code;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/auth/totp").get(totp).post(begin_totp))
        .service(web::resource("/auth/totp/confirm").post(confirm_totp))
        .service(web::resource("/auth/totp/recovery-codes").post(replace_recovery_codes))
        .service(web::resource("/auth/totp/disable").post(disable_totp));
}

#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotpState {
    /// Whether signing in takes a code.
    pub enabled: bool,
    /// Whether your role can do nothing else until it does.
    pub required: bool,
    pub recovery_codes_left: usize,
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TotpBeginning {
    #[schema(format = "password")]
    pub current_password: String,
    /// Of the authenticator that is set up already, or one of its recovery codes.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, example = "123456")]
    pub code: Option<String>,
}

/// What an authenticator app is told, shown this once.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotpSecret {
    /// In base32, to be typed.
    pub secret: String,
    /// The same for a QR code.
    #[schema(example = "otpauth://totp/…")]
    pub uri: String,
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TotpConfirmation {
    /// As the new authenticator shows it.
    #[schema(example = "123456")]
    pub code: String,
}

#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TotpProof {
    #[schema(format = "password")]
    pub current_password: String,
    /// Of the authenticator, or a recovery code.
    #[schema(example = "123456")]
    pub code: String,
}

/// Each stands in for a code once. Shown this once.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewRecoveryCodes {
    #[schema(example = json!(["abcd-efgh-ijkl-mnop"]))]
    pub recovery_codes: Vec<String>,
}

/// Whether you have a second factor, and how many recovery codes are left.
#[utoipa::path(get, path = "/api/v1/auth/totp", tag = "auth", security(("bearer" = [])),
    responses((status = 200, body = TotpState), CommonProblems))]
pub async fn totp(state: State, signed: Signed) -> Result<HttpResponse, HttpError> {
    Ok(HttpResponse::Ok().json(standing(&state, &signed.user).await?))
}

/// How the user stands.
pub(in crate::http) async fn standing(state: &HttpState, user: &User) -> Result<TotpState, HttpError> {
    let kept = if user.totp_enabled { state.hub.users.ask(GetTotp(user.id)).await? } else { None };
    Ok(TotpState {
        enabled: user.totp_enabled,
        required: state.settings.auth.totp_required_for.contains(&user.role),
        recovery_codes_left: kept.map_or(0, |kept| kept.recovery_codes.len()),
    })
}

/// Makes an authenticator, which counts once it is confirmed; the one before, if any, counts until then. Where there is
/// one, it takes a code of it.
#[utoipa::path(post, path = "/api/v1/auth/totp", tag = "auth", security(("bearer" = [])),
    params(IdempotencyKey, IfMatch), request_body = TotpBeginning,
    responses((status = 200, body = TotpSecret),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json"),
        CommonProblems, BodyProblems))]
pub async fn begin_totp(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let secret = begin(&state, signed.caller, &signed.user, body.parse()?).await?;
    Ok(never_stored(HttpResponse::Ok().json(secret)))
}

/// The secret of a new authenticator.
pub(in crate::http) async fn begin(
    state: &HttpState,
    caller: Caller,
    user: &User,
    beginning: TotpBeginning,
) -> Result<TotpSecret, HttpError> {
    let code = beginning.code.as_deref().map(parse).transpose()?;
    verify_current(state, user.id, beginning.current_password).await?;
    let second_factor = if user.totp_enabled {
        let missing = || HubError::invalid("/code", "required", "must be given to replace an authenticator");
        Some(verify(state, user, &code.ok_or_else(missing)?).await?.1)
    } else {
        None
    };
    let made = state.authenticators.enrol(user)?;
    state.hub.user_desk.ask(BeginTotp { caller, pending: made.sealed, second_factor }).await?;
    Ok(TotpSecret { secret: made.secret, uri: made.uri })
}

/// Confirms the authenticator by a code of it: signing in takes its codes from now on. Your other sessions end.
#[utoipa::path(post, path = "/api/v1/auth/totp/confirm", tag = "auth", security(("bearer" = [])),
    params(IdempotencyKey, IfMatch), request_body = TotpConfirmation,
    responses((status = 200, body = NewRecoveryCodes),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "No authenticator waits to be confirmed"),
        (status = 412, body = Problem, content_type = "application/problem+json"),
        CommonProblems, BodyProblems))]
pub async fn confirm_totp(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let confirmation: TotpConfirmation = body.parse()?;
    Ok(shown_once(confirm(&state, signed.caller, signed.user.id, &confirmation.code).await?))
}

/// Its recovery codes, once the new authenticator has shown a right code.
pub(in crate::http) async fn confirm(
    state: &HttpState,
    caller: Caller,
    id: Uuid,
    code: &str,
) -> Result<Vec<String>, HttpError> {
    let Code::Totp(code) = parse(code)? else {
        return Err(wrong_code());
    };
    let pending = state.hub.users.ask(GetTotp(id)).await?.and_then(|kept| kept.pending);
    let pending = pending.ok_or(HubError::from(Conflict::NoAuthenticator))?;
    let step = state.authenticators.confirm(id, &pending, &code, state.hub.clock.now())?;
    let step = step.ok_or_else(wrong_code)?;
    let made = state.authenticators.recovery_codes(id, &pending)?;
    state.hub.user_desk.ask(ConfirmTotp { caller, pending, step, recovery_codes: made.hashes }).await?;
    Ok(made.codes)
}

/// Makes other recovery codes; those before are worth nothing any more.
#[utoipa::path(post, path = "/api/v1/auth/totp/recovery-codes", tag = "auth", security(("bearer" = [])),
    params(IdempotencyKey, IfMatch), request_body = TotpProof,
    responses((status = 200, body = NewRecoveryCodes),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "You have no second factor"),
        (status = 412, body = Problem, content_type = "application/problem+json"),
        CommonProblems, BodyProblems))]
pub async fn replace_recovery_codes(
    state: State,
    signed: Signed,
    body: Body,
) -> Result<HttpResponse, HttpError> {
    Ok(shown_once(renew(&state, signed.caller, &signed.user, body.parse()?).await?))
}

/// Other recovery codes.
pub(in crate::http) async fn renew(
    state: &HttpState,
    caller: Caller,
    user: &User,
    proof: TotpProof,
) -> Result<Vec<String>, HttpError> {
    let (kept, second_factor) = prove(state, user, proof).await?;
    let sealed = match &second_factor {
        SecondFactor::Code { kept, .. } => kept,
        SecondFactor::RecoveryCode { .. } => kept.secret.as_ref().ok_or(NOT_SET_UP)?,
    };
    let made = state.authenticators.recovery_codes(user.id, sealed)?;
    let replace = ReplaceRecoveryCodes { caller, second_factor, recovery_codes: made.hashes };
    state.hub.user_desk.ask(replace).await?;
    Ok(made.codes)
}

/// Takes the authenticator off, with its recovery codes. Your other sessions end.
#[utoipa::path(post, path = "/api/v1/auth/totp/disable", tag = "auth", security(("bearer" = [])),
    params(IdempotencyKey, IfMatch), request_body = TotpProof,
    responses((status = 200, body = User, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "You have no second factor, or your role takes one"),
        (status = 412, body = Problem, content_type = "application/problem+json"),
        CommonProblems, BodyProblems))]
pub async fn disable_totp(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    Ok(changed(&disable(&state, signed.caller, &signed.user, body.parse()?).await?))
}

/// The user without it.
pub(in crate::http) async fn disable(
    state: &HttpState,
    caller: Caller,
    user: &User,
    proof: TotpProof,
) -> Result<User, HttpError> {
    let (_, second_factor) = prove(state, user, proof).await?;
    Ok(state.hub.user_desk.ask(DisableTotp { caller, second_factor }).await?)
}

/// Of a sign-in whose password was right. `code` is whatever was sent along.
pub(super) async fn at_sign_in(
    state: &HttpState,
    user: &User,
    code: Option<&str>,
) -> Result<Option<SecondFactor>, HttpError> {
    if !user.totp_enabled {
        return Ok(None);
    }
    let code = Code::parse(code.ok_or(HttpError::SecondFactorRequired)?);
    let code = code.ok_or(HttpError::SecondFactorRefused)?;
    let found = look_up(state, user.id, &code).await?;
    found.map(|(_, factor)| Some(factor)).ok_or(HttpError::SecondFactorRefused)
}

const NOT_SET_UP: HubError = HubError::Conflict(Conflict::NoSecondFactor);

/// The password and a code, both right.
async fn prove(state: &HttpState, user: &User, proof: TotpProof) -> Result<(Totp, SecondFactor), HttpError> {
    let code = parse(&proof.code)?;
    verify_current(state, user.id, proof.current_password).await?;
    if !user.totp_enabled {
        return Err(NOT_SET_UP.into());
    }
    verify(state, user, &code).await
}

/// Wrong codes are counted apart from sign-ins, which strangers can make fail.
async fn verify(state: &HttpState, user: &User, code: &Code) -> Result<(Totp, SecondFactor), HttpError> {
    let key = format!("code:{}", user.id);
    let limit = (state.settings.rate_limit.login_failures, FAILURES_WINDOW);
    count(state, &key, limit, state.hub.clock.now()).await?;
    let found = look_up(state, user.id, code).await;
    if !matches!(found, Ok(None)) {
        state.limiter.give_back(&key).await;
    }
    found?.ok_or_else(wrong_code)
}

async fn look_up(
    state: &HttpState,
    user_id: Uuid,
    code: &Code,
) -> Result<Option<(Totp, SecondFactor)>, HttpError> {
    let Some(kept) = state.hub.users.ask(GetTotp(user_id)).await? else { return Ok(None) };
    let factor = state.authenticators.verify(&kept, code, state.hub.clock.now())?;
    Ok(factor.map(|factor| (kept, factor)))
}

fn parse(code: &str) -> Result<Code, HttpError> {
    Code::parse(code).ok_or_else(|| {
        HubError::invalid("/code", "invalid_code", "must be six digits, or a recovery code").into()
    })
}

fn wrong_code() -> HttpError {
    HubError::invalid("/code", "wrong_code", "is not a code of the authenticator, or was used before").into()
}

fn shown_once(recovery_codes: Vec<String>) -> HttpResponse {
    never_stored(HttpResponse::Ok().json(NewRecoveryCodes { recovery_codes }))
}
