//! The text of API keys.

use super::random_text::random_text;

/// What every key begins with, so that leaked ones can be searched for.
const PREFIX: &str = "nxk_";
const HINT: usize = PREFIX.len() + 6;

pub fn new_api_key() -> String {
    random_text(PREFIX)
}

pub fn is_api_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// How a key begins, for people to tell keys apart.
pub fn api_key_hint(key: &str) -> String {
    key.chars().take(HINT).collect()
}
