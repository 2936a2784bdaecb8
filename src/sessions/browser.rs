//! What a browser shows the console: the id of its session with a MAC, and for forms another MAC, over that id and a nonce.
//!
//! Neither counts for longer than the session, which is looked up with every request, nor opens the API.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use rand::RngCore;
use sha2::Sha256;
use uuid::Uuid;

use super::tokens::{TokenError, Tokens};

const MAC: usize = 32;
const BYTES: usize = 16 + MAC;
const NONCE: usize = 16;

impl Tokens {
    /// The value of the console's cookie.
    pub fn browser_token(&self, session_id: Uuid) -> String {
        let mut bytes = session_id.as_bytes().to_vec();
        bytes.extend(self.session_mac(b"nexus browser", session_id, &[]).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The session it stands for.
    ///
    /// # Errors
    /// `Invalid` for a text that is not exactly one the hub made.
    pub fn parse_browser_token(&self, text: &str) -> Result<Uuid, TokenError> {
        let mut bytes = [0; BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| TokenError::Invalid)?;
        let (session_id, mac) = bytes.split_first_chunk::<16>().ok_or(TokenError::Invalid)?;
        let session_id = Uuid::from_bytes(*session_id);
        if length != BYTES {
            return Err(TokenError::Invalid);
        }
        // In constant time, or the MAC could be found byte by byte.
        let expected = self.session_mac(b"nexus browser", session_id, &[]);
        expected.verify_slice(mac).map_err(|_| TokenError::Invalid)?;
        Ok(session_id)
    }

    /// What the forms of a page carry, so that no other site can send one. Another one each time: a secret that stood in
    /// every page could be guessed by how well the page compresses (BREACH).
    pub fn form_token(&self, session_id: Uuid) -> String {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let mut bytes = nonce.to_vec();
        bytes.extend(self.session_mac(b"nexus form", session_id, &nonce).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn is_form_token(&self, session_id: Uuid, text: &str) -> bool {
        let mut bytes = [0; NONCE + MAC];
        let decoded = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
        let Some((nonce, mac)) = bytes.split_first_chunk::<NONCE>() else { return false };
        decoded == Ok(NONCE + MAC)
            && self.session_mac(b"nexus form", session_id, nonce).verify_slice(mac).is_ok()
    }

    fn session_mac(&self, purpose: &[u8], session_id: Uuid, nonce: &[u8]) -> hmac::Hmac<Sha256> {
        let mut mac = self.refresh.clone();
        mac.update(purpose);
        mac.update(session_id.as_bytes());
        mac.update(nonce);
        mac
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new("access secret", "", secret, Duration::from_secs(900)).unwrap()
    }

    #[test]
    fn a_browser_token_reads_back_and_no_other_text_does() {
        let (tokens, session_id) = (tokens("secret"), Uuid::now_v7());
        let token = tokens.browser_token(session_id);
        assert_eq!(tokens.parse_browser_token(&token), Ok(session_id));
        assert!(super::tests::tokens("other").parse_browser_token(&token).is_err());
        for at in 0..token.len() {
            let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut text = token.clone();
            text.replace_range(at..=at, other);
            assert!(tokens.parse_browser_token(&text).is_err(), "{at}");
        }
        for wrong in ["", &token[1..], &format!("{token}A"), tokens.new_refresh(session_id).as_str()] {
            assert!(tokens.parse_browser_token(wrong).is_err());
        }
    }

    #[test]
    fn a_form_token_is_for_one_session() {
        let (tokens, session_id) = (tokens("secret"), Uuid::now_v7());
        let token = tokens.form_token(session_id);
        assert!(tokens.is_form_token(session_id, &token));
        let another = tokens.form_token(session_id);
        assert!(another != token && tokens.is_form_token(session_id, &another));
        assert!(!tokens.is_form_token(Uuid::now_v7(), &token));
        assert!(!tokens.is_form_token(session_id, ""));
        assert!(!tokens.is_form_token(session_id, &tokens.browser_token(session_id)));
    }
}
