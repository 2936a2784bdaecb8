//! The text of API keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest, Sha256};

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
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How a key begins, for people to tell keys apart.
pub fn api_key_hint(key: &str) -> String {
    key.chars().take(HINT).collect()
}
