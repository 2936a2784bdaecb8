//! The text of API keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_actors::digest::sha256;
use rand::RngCore;

/// What every key begins with, so that leaked ones can be searched for.
const PREFIX: &str = "nxk_";
const HINT: usize = PREFIX.len() + 6;

/// A new key: 256 random bits.
pub fn new_api_key() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

pub fn is_api_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// SHA-256 in hex: enough for random keys, and quick enough to look up on every request.
pub fn api_key_hash(key: &str) -> String {
    sha256(key.as_bytes())
}

/// How a key begins, for people to tell keys apart.
pub fn api_key_hint(key: &str) -> String {
    key.chars().take(HINT).collect()
}
