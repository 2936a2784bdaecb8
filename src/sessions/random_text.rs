//! Texts that stand for a right and cannot be guessed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_actors::digest::sha256;
use rand::RngCore;

/// `prefix`, by which leaked ones can be searched for, and 256 random bits.
pub fn random_text(prefix: &str) -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of it: SHA-256 in hex. Enough for so many random bits, and quick enough to look up on every request.
pub fn random_text_hash(text: &str) -> String {
    sha256(text.as_bytes())
}
