//! Second factors: codes of authenticator apps (TOTP, RFC 6238: SHA-1, six digits, steps of 30 s, which is what all apps
//! know), and recovery codes for when the app is lost.
//!
//! The hub has to read an authenticator's secret again, so it is sealed with ChaCha20-Poly1305 (RFC 8439) under a key from
//! the settings, bound to its user: a copy of the database makes no codes, and a row copied to another user opens
//! nothing. Recovery codes are kept as HMACs under the same secret, so that they need no key of their own and are worth
//! nothing with another authenticator.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use nexus_actors::digest::hex;
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::totp::{SecondFactor, Totp};
use nexus_actors::domain::user::User;
use nexus_actors::{HubError, HubResult};
use rand::RngCore;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use totp_rs::{Builder, Secret};
use uuid::Uuid;

use super::tokens::keyed;

/// Whom a code is for, as authenticator apps show it.
const ISSUER: &str = "Customer Nexus Hub";
/// Bytes of an authenticator's secret: as many as the hash has (RFC 4226, section 4).
const SECRET: usize = 20;
const RECOVERY_CODES: usize = 10;
/// Bytes of a recovery code: 80 bits, or 16 characters of base32.
const RECOVERY_CODE: usize = 10;
const RECOVERY_TEXT: usize = 16;
const DIGITS: usize = 6;

/// Makes authenticators and verifies their codes. Which codes were spent is for the store to say.
pub struct Authenticators {
    /// Today's.
    key: LessSafeKey,
    /// The one before, while there are secrets sealed with it.
    previous: Option<LessSafeKey>,
}

/// What a user typed: fit to be one of these, and not verified yet.
#[derive(Clone, PartialEq, Eq)]
pub enum Code {
    /// Six digits.
    Totp(String),
    /// 16 characters of base32.
    Recovery(String),
}

/// A new authenticator, for its user to see this once.
pub struct Enrolment {
    /// In base32.
    pub secret: String,
    /// The same and whom it is for, as `otpauth://`, for a QR code.
    pub uri: String,
    /// What is kept of it.
    pub sealed: String,
}

/// New recovery codes, for their user to see this once.
pub struct RecoveryCodes {
    pub codes: Vec<String>,
    /// What is kept of them.
    pub hashes: Vec<String>,
}

impl Code {
    /// Spaces and dashes are for people, and so is the case of letters.
    pub fn parse(text: &str) -> Option<Self> {
        let text: String = text
            .chars()
            .filter(|one| !matches!(one, ' ' | '-'))
            .map(|one| one.to_ascii_lowercase())
            .collect();
        if text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Totp(text));
        }
        let base32 = |byte: u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
        (text.len() == RECOVERY_TEXT && text.bytes().all(base32)).then_some(Self::Recovery(text))
    }
}

impl Authenticators {
    /// An empty `previous` is none.
    ///
    /// # Errors
    /// `Internal` if a key is unusable.
    pub fn new(key: &str, previous: &str) -> HubResult<Self> {
        let previous = if previous.is_empty() { None } else { Some(sealing_key(previous)?) };
        Ok(Self { key: sealing_key(key)?, previous })
    }

    /// # Errors
    /// `Internal`, which only a defect could make it.
    pub fn enrol(&self, user: &User) -> HubResult<Enrolment> {
        let mut secret = [0; SECRET];
        rand::rng().fill_bytes(&mut secret);
        // The part before a colon would be taken for the issuer.
        let account = user.email.replace(':', " ");
        let totp = Builder::new()
            .with_secret(secret)
            .with_issuer(Some(ISSUER))
            .with_account_name(account)
            .build()
            .map_err(unusable)?;
        let uri = totp.to_url().map_err(unusable)?;
        Ok(Enrolment { secret: totp.secret().to_base32(), uri, sealed: self.seal(user.id, &secret)? })
    }

    /// The time step of the pending authenticator's `code`, if it is right now, a step of 30 s before or one after.
    ///
    /// # Errors
    /// `Internal` when the secret cannot be opened.
    pub fn confirm(
        &self,
        user_id: Uuid,
        pending: &str,
        code: &str,
        now: Timestamp,
    ) -> HubResult<Option<i64>> {
        step(&self.open(user_id, pending)?.0, code, now)
    }

    /// The second factor that `code` is. `None` when it is none, or was spent before.
    ///
    /// # Errors
    /// `Internal` when the secret cannot be opened.
    pub fn verify(&self, kept: &Totp, code: &Code, now: Timestamp) -> HubResult<Option<SecondFactor>> {
        let Some(sealed) = &kept.secret else { return Ok(None) };
        let (secret, outdated) = self.open(kept.user_id, sealed)?;
        match code {
            Code::Totp(code) => {
                let step = step(&secret, code, now)?.filter(|step| *step > kept.last_step);
                let Some(step) = step else { return Ok(None) };
                let kept = if outdated { self.seal(kept.user_id, &secret)? } else { sealed.clone() };
                Ok(Some(SecondFactor::Code { verified: sealed.clone(), kept, step }))
            }
            Code::Recovery(code) => {
                // The hash is keyed: how long the comparison takes tells nothing of a code.
                let hash = recovery_hash(&secret, code)?;
                Ok(kept.recovery_codes.contains(&hash).then_some(SecondFactor::RecoveryCode { hash }))
            }
        }
    }

    /// For the authenticator whose sealed secret is given.
    ///
    /// # Errors
    /// `Internal` when the secret cannot be opened.
    pub fn recovery_codes(&self, user_id: Uuid, sealed: &str) -> HubResult<RecoveryCodes> {
        let (secret, _) = self.open(user_id, sealed)?;
        let mut made = RecoveryCodes { codes: Vec::new(), hashes: Vec::new() };
        for _ in 0..RECOVERY_CODES {
            let mut bytes = [0; RECOVERY_CODE];
            rand::rng().fill_bytes(&mut bytes);
            let text = Secret::from(bytes.to_vec()).to_base32().to_ascii_lowercase();
            made.hashes.push(recovery_hash(&secret, &text)?);
            made.codes.push(in_groups(&text));
        }
        Ok(made)
    }

    fn seal(&self, user_id: Uuid, secret: &[u8]) -> HubResult<String> {
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = secret.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(user_id.as_bytes()),
                &mut sealed,
            )
            .map_err(unusable)?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce, sealed.as_slice()].concat()))
    }

    /// The secret, and whether it is sealed with the key before today's.
    fn open(&self, user_id: Uuid, sealed: &str) -> HubResult<(Vec<u8>, bool)> {
        let keys = [Some((&self.key, false)), self.previous.as_ref().map(|key| (key, true))];
        let opened = keys.into_iter().flatten().find_map(|(key, outdated)| {
            let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
            let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
            let (nonce, mut sealed) = (Nonce::assume_unique_for_key(*nonce), sealed.to_vec());
            let secret = key.open_in_place(nonce, Aad::from(user_id.as_bytes()), &mut sealed).ok()?;
            Some((secret.to_vec(), outdated))
        });
        opened.ok_or_else(|| {
            HubError::Internal(format!(
                "the authenticator's secret of user {user_id} was sealed with another auth.totp_key"
            ))
        })
    }
}

// Keys stay out of logs and panics.
impl fmt::Debug for Authenticators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticators").finish_non_exhaustive()
    }
}

/// Compared in constant time.
fn step(secret: &[u8], code: &str, now: Timestamp) -> HubResult<Option<i64>> {
    // A step before and one after are the builder's defaults.
    let totp = Builder::new().with_secret(secret.to_vec()).build().map_err(unusable)?;
    let Ok(seconds) = u64::try_from(now.millis().div_euclid(1000)) else { return Ok(None) };
    Ok(totp.check(code, seconds).and_then(|step| i64::try_from(step).ok()))
}

/// HMAC-SHA256 in hex.
fn recovery_hash(secret: &[u8], code: &str) -> HubResult<String> {
    let mut mac = keyed(secret)?;
    mac.update(b"nexus recovery code");
    mac.update(code.as_bytes());
    Ok(hex(&mac.finalize().into_bytes()))
}

/// Derived, so that the setting may be a text of any length and serve for something else as well.
fn sealing_key(setting: &str) -> HubResult<LessSafeKey> {
    let mut mac = keyed(setting.as_bytes())?;
    mac.update(b"nexus totp");
    let key = mac.finalize().into_bytes();
    UnboundKey::new(&CHACHA20_POLY1305, &key).map(LessSafeKey::new).map_err(unusable)
}

/// `abcd-efgh-ijkl-mnop`, for people to copy.
fn in_groups(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = characters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

fn unusable(error: impl fmt::Display) -> HubError {
    HubError::Internal(format!("an authenticator: {error}"))
}

#[cfg(test)]
#[path = "authenticators_tests.rs"]
mod tests;
