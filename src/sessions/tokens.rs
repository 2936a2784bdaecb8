//! Access tokens: JWTs (RFC 7519) in the profile of RFC 9068, signed with HMAC-SHA256.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use nexus_actors::digest::hex;
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::user::Role;
use nexus_actors::{HubError, HubResult, new_id};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

const ISSUER: &str = "nexus-hub";
const AUDIENCE: &str = "nexus-hub-api";
/// The media type of RFC 9068, so that no other kind of JWT passes for an access token.
const HEADER_TYPE: &str = "at+jwt";
const CLAIM_TYPE: &str = "access";
/// How far the clocks of two instances may be apart, in milliseconds.
const LEEWAY: i64 = 5_000;

/// Makes and checks the tokens of sessions. What it says of refresh tokens is in `refresh_token`.
pub struct Tokens {
    signing: EncodingKey,
    header: Header,
    /// The keys accepted, each with the only header that may come with it.
    accepted: Vec<(Header, DecodingKey)>,
    validation: Validation,
    access_ttl: Duration,
    pub(super) refresh: Hmac<Sha256>,
}

/// What an access token that holds says. Whether its session still stands is for the caller to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    pub user_id: Uuid,
    pub session_id: Uuid,
    /// The role when the token was made.
    pub role: Role,
    pub token_id: Uuid,
    pub expires_at: Timestamp,
}

/// Why a token was refused. Clients only need to know whether a new one would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid")]
    Invalid,
}

/// Every one required, by having no default.
#[derive(Serialize, Deserialize)]
struct Claims {
    exp: i64,
    iat: i64,
    nbf: i64,
    iss: String,
    aud: String,
    sub: Uuid,
    jti: Uuid,
    sid: Uuid,
    typ: String,
    role: Role,
}

impl Tokens {
    /// Signs with `secret` and accepts `previous` too, as long as tokens signed with it are about. An empty
    /// `previous` is none. `refresh_secret` is for refresh tokens; changing it ends every session, and see `auth.totp_key`.
    ///
    /// # Errors
    /// `Internal` if a secret is unusable as a key.
    pub fn new(secret: &str, previous: &str, refresh_secret: &str, access_ttl: Duration) -> HubResult<Self> {
        let mut accepted = Vec::new();
        for secret in [secret, previous].into_iter().filter(|secret| !secret.is_empty()) {
            accepted.push((header(secret)?, DecodingKey::from_secret(secret.as_bytes())));
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // The library would ask the system's clock; `verify_access` judges by the time it is given, so that the
        // hub's one clock is the only one and tests can drive it.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self {
            signing: EncodingKey::from_secret(secret.as_bytes()),
            header: header(secret)?,
            accepted,
            validation,
            access_ttl,
            refresh: keyed(refresh_secret.as_bytes())?,
        })
    }

    /// How long an access token lasts.
    pub fn access_ttl(&self) -> Duration {
        self.access_ttl
    }

    /// # Errors
    /// `Internal` if signing fails, which only a defect could make it.
    pub fn issue_access(
        &self,
        user_id: Uuid,
        session_id: Uuid,
        role: Role,
        now: Timestamp,
    ) -> HubResult<String> {
        let iat = now.millis().div_euclid(1000);
        let ttl = i64::try_from(self.access_ttl.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            exp: iat.saturating_add(ttl),
            iat,
            nbf: iat,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user_id,
            jti: new_id(),
            sid: session_id,
            typ: CLAIM_TYPE.to_owned(),
            role,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signing)
            .map_err(|error| HubError::Internal(format!("signing a token: {error}")))
    }

    /// # Errors
    /// `Expired` from 5 s past `exp`; `Invalid` for anything else that is wrong with it.
    pub fn verify_access(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        // Compared whole: another algorithm, `typ` or `kid`, a key brought along (`jku`, `jwk`, `x5u`, `x5c`) and
        // extensions we would have to understand (`crit`) are all refused.
        let (_, key) = self.accepted.iter().find(|(known, _)| *known == header).ok_or(TokenError::Invalid)?;
        let claims: Claims =
            jsonwebtoken::decode(token, key, &self.validation).map_err(|_| TokenError::Invalid)?.claims;
        let now = now.millis();
        let in_future = |seconds: i64| seconds.saturating_mul(1000) > now.saturating_add(LEEWAY);
        if claims.typ != CLAIM_TYPE || in_future(claims.nbf) || in_future(claims.iat) {
            return Err(TokenError::Invalid);
        }
        let expires_at = chrono::DateTime::from_timestamp(claims.exp, 0).map(Timestamp::from_utc);
        let expires_at = expires_at.ok_or(TokenError::Invalid)?;
        if now >= expires_at.millis().saturating_add(LEEWAY) {
            return Err(TokenError::Expired);
        }
        Ok(AccessClaims {
            user_id: claims.sub,
            session_id: claims.sid,
            role: claims.role,
            token_id: claims.jti,
            expires_at,
        })
    }
}

// Secrets stay out of logs and panics.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("access_ttl", &self.access_ttl).finish_non_exhaustive()
    }
}

/// The header of every token signed with `secret`. The `kid` is derived from the secret, so that a rotation needs
/// no names for keys.
fn header(secret: &str) -> HubResult<Header> {
    let mut mac = keyed(secret.as_bytes())?;
    mac.update(b"nexus kid");
    let digest = mac.finalize().into_bytes();
    let kid = Some(hex(&digest[..8]));
    Ok(Header { typ: Some(HEADER_TYPE.to_owned()), kid, ..Header::new(Algorithm::HS256) })
}

pub(super) fn keyed(secret: &[u8]) -> HubResult<Hmac<Sha256>> {
    Hmac::new_from_slice(secret).map_err(|_| HubError::Internal("a secret is no key".to_owned()))
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
