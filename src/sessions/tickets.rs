//! The text of tickets, which open a stream where a browser cannot send headers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_actors::digest::sha256;
use rand::RngCore;

const PREFIX: &str = "nxt_";

/// A new ticket: 256 random bits.
pub fn new_ticket() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// SHA-256 in hex: what is kept of it.
pub fn ticket_hash(ticket: &str) -> String {
    sha256(ticket.as_bytes())
}
