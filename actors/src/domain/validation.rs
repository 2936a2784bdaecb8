//! Checks on what clients and gateways send. HTTP bodies and broker messages pass the same ones.

use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// One thing wrong with one field, located by a JSON Pointer (RFC 6901) into the body, or by the name of a
/// query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON Pointer to the field, as in `/email`.
    pub pointer: String,
    /// Stable code for programs.
    pub code: String,
    /// Text for people.
    pub message: String,
}

impl FieldError {
    pub fn new(pointer: &str, code: &str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code: code.to_owned(), message: message.into() }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("must be one of {}", allowed.join(", "))]
pub struct UnknownValue {
    pub allowed: &'static [&'static str],
}

pub const MAX_NAME: usize = 100;
pub const MAX_SUBJECT: usize = 300;
/// In characters. A body is at most 1 MiB, so this is what bounds a text inside one.
pub const MAX_MESSAGE: usize = 200_000;
pub const MAX_NOTES: usize = 5_000;
/// In bytes: a line of mail (RFC 5322, section 2.1.1). More would not fit PostgreSQL's indexes either.
const MAX_EXTERNAL: usize = 998;

/// Collects every failing field, so that a client hears of all of them at once.
#[derive(Debug, Default)]
pub struct Checks(Vec<FieldError>);

impl Checks {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn fail(&mut self, pointer: &str, code: &str, message: impl Into<String>) {
        self.0.push(FieldError::new(pointer, code, message));
    }

    /// `Err` with everything collected, or the value.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }

    /// One line of text: trimmed, not empty, no control characters (so none can reach a mail header or forge
    /// a log line).
    pub fn line(&mut self, pointer: &str, value: &str, max: usize) -> String {
        let value = value.trim();
        if value.is_empty() {
            self.fail(pointer, "required", "must not be empty");
        }
        if value.chars().any(char::is_control) {
            self.fail(pointer, "control_character", "must not contain control characters or line breaks");
        }
        self.at_most(pointer, value, max);
        value.to_owned()
    }

    /// Like [`Checks::line`]; absent and blank are both `None`.
    pub fn optional_line(&mut self, pointer: &str, value: Option<&str>, max: usize) -> Option<String> {
        let value = value.map(str::trim).filter(|value| !value.is_empty())?;
        Some(self.line(pointer, value, max))
    }

    /// What a channel calls something: one line; absent and blank are both `None`.
    pub fn external(&mut self, pointer: &str, value: Option<&str>) -> Option<String> {
        let value = self.optional_line(pointer, value, MAX_EXTERNAL)?;
        if value.len() > MAX_EXTERNAL && value.chars().count() <= MAX_EXTERNAL {
            self.fail(pointer, "too_long", format!("must not exceed {MAX_EXTERNAL} bytes"));
        }
        Some(value)
    }

    /// A text kept byte for byte: any characters but NUL, which PostgreSQL cannot store.
    pub fn text(&mut self, pointer: &str, value: &str, max: usize) {
        if value.trim().is_empty() {
            self.fail(pointer, "required", "must not be empty");
        }
        if value.contains('\0') {
            self.fail(pointer, "control_character", "must not contain the NUL character");
        }
        self.at_most(pointer, value, max);
    }

    /// RFC 5321 address syntax, at most 254 characters.
    pub fn email(&mut self, pointer: &str, value: &str) -> String {
        let value = value.trim();
        let valid = value.len() <= 254
            && !value.chars().any(char::is_control)
            && email_address::EmailAddress::from_str(value)
                .is_ok_and(|address| address.display_part().is_empty() && address.domain().contains('.'));
        if !valid {
            self.fail(pointer, "invalid_email", "must be an email address such as ada@example.com");
        }
        value.to_owned()
    }

    /// A JSON object of bounded size and depth, with no NUL in any key or text.
    pub fn metadata(&mut self, pointer: &str, value: &Map<String, Value>) {
        const MAX_BYTES: usize = 64 * 1024;
        const MAX_DEPTH: usize = 16;
        if value.iter().any(|(key, value)| key.contains('\0') || has_nul(value)) {
            self.fail(pointer, "control_character", "must not contain the NUL character");
        }
        if value.values().any(|value| deeper_than(value, MAX_DEPTH)) {
            self.fail(pointer, "too_deep", format!("must not nest deeper than {MAX_DEPTH} levels"));
        }
        if serde_json::to_string(value).map_or(0, |text| text.len()) > MAX_BYTES {
            self.fail(pointer, "too_long", format!("must not exceed {MAX_BYTES} bytes as JSON"));
        }
    }

    fn at_most(&mut self, pointer: &str, value: &str, max: usize) {
        if value.chars().count() > max {
            self.fail(pointer, "too_long", format!("must not exceed {max} characters"));
        }
    }
}

/// For fields that may be left out but may not be `null`: `#[serde(default, deserialize_with = "present")]`.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For structs inside of others: derived code would take an array for one, field by field.
pub fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Fields<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }

    deserializer.deserialize_map(Fields(PhantomData))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|item| deeper_than(item, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(check: impl FnOnce(&mut Checks)) -> Vec<String> {
        let mut checks = Checks::new();
        check(&mut checks);
        checks.finish(()).err().unwrap_or_default().into_iter().map(|error| error.code).collect()
    }

    #[test]
    fn a_line_refuses_what_could_forge_a_header() {
        assert_eq!(codes(|c| drop(c.line("/subject", "Hi\r\nBcc: x@y.z", 300))), ["control_character"]);
        assert_eq!(codes(|c| drop(c.line("/subject", "   ", 300))), ["required"]);
        assert_eq!(codes(|c| drop(c.line("/subject", "aaaa", 3))), ["too_long"]);
        assert!(codes(|c| drop(c.line("/subject", " Où est ma commande ? ", 300))).is_empty());
    }

    #[test]
    fn email_addresses() {
        for good in ["ada@example.com", "o'hara+tag@sub.example.co.uk", "jörg@exämple.de"] {
            assert!(codes(|c| drop(c.email("/email", good))).is_empty(), "{good}");
        }
        for bad in
            ["", "ada", "ada@", "@example.com", "ada@localhost", "a b@example.com", "Ada <ada@example.com>"]
        {
            assert_eq!(codes(|c| drop(c.email("/email", bad))), ["invalid_email"], "{bad}");
        }
    }

    #[test]
    fn metadata_is_bounded() {
        let nested = (0..20).fold(Value::Null, |inner, _| serde_json::json!([inner]));
        let object = |value: Value| Map::from_iter([("k".to_owned(), value)]);
        assert_eq!(codes(|c| c.metadata("/metadata", &object(nested))), ["too_deep"]);
        assert_eq!(codes(|c| c.metadata("/metadata", &object("a\0b".into()))), ["control_character"]);
        assert_eq!(codes(|c| c.metadata("/metadata", &object("a".repeat(70_000).into()))), ["too_long"]);
    }
}
