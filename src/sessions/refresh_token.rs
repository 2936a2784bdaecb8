//! Refresh tokens: `nxr_` and, in base64url, the session's id, a nonce and a MAC over both.
//!
//! The MAC keeps made-up tokens away from the store: only a token the hub once gave out can be found to be re-used
//! and end its session. The successor of a token follows from it, so an honest retry gets the same one again though
//! only hashes are kept; whoever holds a token but not the secret cannot tell its successor.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use nexus_actors::digest::sha256;
use rand::RngCore;
use sha2::Sha256;
use uuid::Uuid;

use super::tokens::{TokenError, Tokens};

const PREFIX: &str = "nxr_";
const NONCE: usize = 32;
const MAC: usize = 16;
const BYTES: usize = 16 + NONCE + MAC;

/// A refresh token the hub made. Whether it is the current one of its session is for the store to say.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    session_id: Uuid,
    nonce: [u8; NONCE],
    text: String,
}

impl Tokens {
    /// The first token of a session, with 256 random bits.
    pub fn new_refresh(&self, session_id: Uuid) -> RefreshToken {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        self.assemble(session_id, nonce)
    }

    /// # Errors
    /// `Invalid` for a text that is not exactly one the hub made.
    pub fn parse_refresh(&self, text: &str) -> Result<RefreshToken, TokenError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(TokenError::Invalid)?;
        let mut bytes = [0; BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).map_err(|_| TokenError::Invalid)?;
        let (session_id, rest) = bytes.split_first_chunk::<16>().ok_or(TokenError::Invalid)?;
        let (nonce, mac) = rest.split_first_chunk::<NONCE>().ok_or(TokenError::Invalid)?;
        let (session_id, nonce) = (Uuid::from_bytes(*session_id), *nonce);
        if length != BYTES {
            return Err(TokenError::Invalid);
        }
        // In constant time, or the MAC could be found byte by byte.
        self.mac(b"nexus refresh", session_id, &nonce)
            .verify_truncated_left(mac)
            .map_err(|_| TokenError::Invalid)?;
        Ok(RefreshToken { session_id, nonce, text: text.to_owned() })
    }

    /// The token that follows `token`, always the same one.
    pub fn successor(&self, token: &RefreshToken) -> RefreshToken {
        let nonce = self.mac(b"nexus successor", token.session_id, &token.nonce).finalize().into_bytes();
        self.assemble(token.session_id, nonce.into())
    }

    fn assemble(&self, session_id: Uuid, nonce: [u8; NONCE]) -> RefreshToken {
        let mac = self.mac(b"nexus refresh", session_id, &nonce).finalize().into_bytes();
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(session_id.as_bytes());
        bytes.extend_from_slice(&nonce);
        bytes.extend(mac.iter().take(MAC));
        RefreshToken { session_id, nonce, text: format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)) }
    }

    /// `purpose` keeps a successor's nonce from ever being a token's MAC.
    fn mac(&self, purpose: &[u8], session_id: Uuid, nonce: &[u8; NONCE]) -> hmac::Hmac<Sha256> {
        let mut mac = self.refresh.clone();
        mac.update(purpose);
        mac.update(session_id.as_bytes());
        mac.update(nonce);
        mac
    }
}

impl RefreshToken {
    pub fn session_id(&self) -> Uuid {
        self.session_id
    }

    /// What the client gets.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is kept: SHA-256 of the text, in hex.
    pub fn hash(&self) -> String {
        sha256(self.text.as_bytes())
    }
}

// The text stays out of logs and panics.
impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new("access secret", "", secret, Duration::from_secs(900)).unwrap()
    }

    #[test]
    fn a_token_reads_back_as_it_was_made() {
        let tokens = tokens("secret");
        let session_id = Uuid::now_v7();
        let token = tokens.new_refresh(session_id);
        assert!(token.as_str().starts_with("nxr_"));
        assert_eq!(token.as_str().len(), 4 + 86);
        let parsed = tokens.parse_refresh(token.as_str()).unwrap();
        assert_eq!(parsed, token);
        assert_eq!(parsed.session_id(), session_id);
        assert_eq!(parsed.hash(), token.hash());
        assert_eq!(token.hash().len(), 64);
    }

    #[test]
    fn no_two_tokens_are_alike() {
        let tokens = tokens("secret");
        let session_id = Uuid::now_v7();
        assert_ne!(tokens.new_refresh(session_id), tokens.new_refresh(session_id));
    }

    #[test]
    fn a_token_has_one_successor_and_the_chain_never_returns() {
        let tokens = tokens("secret");
        let first = tokens.new_refresh(Uuid::now_v7());
        let second = tokens.successor(&first);
        let again = tokens.successor(&tokens.parse_refresh(first.as_str()).unwrap());
        assert_eq!(second, again);
        assert_eq!(second.session_id(), first.session_id());
        assert_eq!(tokens.parse_refresh(second.as_str()).unwrap(), second);
        let third = tokens.successor(&second);
        assert_ne!(third, second);
        assert_ne!(third, first);
    }

    #[test]
    fn another_secret_makes_other_tokens() {
        let (ours, theirs) = (tokens("secret"), tokens("another"));
        let token = ours.new_refresh(Uuid::now_v7());
        assert_eq!(theirs.parse_refresh(token.as_str()), Err(TokenError::Invalid));
        assert_ne!(theirs.successor(&token), ours.successor(&token));
    }

    #[test]
    fn other_texts_are_refused() {
        let tokens = tokens("secret");
        let good = tokens.new_refresh(Uuid::now_v7()).as_str().to_owned();
        let body = good.strip_prefix("nxr_").unwrap();
        for text in [
            "",
            "nxr_",
            body,
            &format!("nxk_{body}"),
            &format!("{good}="),
            &format!("{good}AA"),
            &good[..good.len() - 2],
        ] {
            assert_eq!(tokens.parse_refresh(text), Err(TokenError::Invalid), "{text}");
        }
    }

    #[test]
    fn debug_output_keeps_the_token_to_itself() {
        let token = tokens("secret").new_refresh(Uuid::now_v7());
        assert!(!format!("{token:?}").contains(&token.as_str()[30..]));
    }

    proptest! {
        #[test]
        fn a_changed_character_is_noticed(position in 4_usize..90, replacement in "[A-Za-z0-9_-]") {
            let tokens = tokens("secret");
            let good = tokens.new_refresh(Uuid::now_v7()).as_str().to_owned();
            let mut changed = good.clone();
            changed.replace_range(position..=position, &replacement);
            prop_assert_eq!(tokens.parse_refresh(&changed).is_ok(), changed == good);
        }

        #[test]
        fn junk_is_refused(junk in ".{0,200}") {
            prop_assert!(tokens("secret").parse_refresh(&junk).is_err());
            let junk = format!("nxr_{junk}");
            prop_assert!(tokens("secret").parse_refresh(&junk).is_err());
        }
    }
}
