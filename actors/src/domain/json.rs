//! JSON from outside, with the place and kind of everything that does not fit. HTTP bodies and broker messages are
//! read by the same rules.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::FieldError;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not valid JSON: line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    /// JSON, but not of the expected shape.
    #[error("{} {}", .0.pointer, .0.message)]
    Shape(FieldError),
}

/// # Errors
/// `Syntax` for what is no JSON as a whole, `Shape` for JSON that does not fit `T`, which must be an object.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // serde stops at the first mismatch; whether the rest is JSON at all decides what kind of error it is.
    let mismatch = |error: FieldError| match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => JsonError::Shape(error),
        Err(error) => syntax_error(&error),
    };
    if text.trim_ascii_start().starts_with('[') {
        // serde would take the items for the fields, in the order of their declaration.
        return Err(mismatch(FieldError::new("", "wrong_type", "must be an object")));
    }
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() { mismatch(shape_error(pointer, &error)) } else { syntax_error(&error) }
    })?;
    deserializer.end().map_err(|error| syntax_error(&error))?;
    Ok(value)
}

fn syntax_error(error: &serde_json::Error) -> JsonError {
    JsonError::Syntax { line: error.line(), column: error.column() }
}

/// serde's own text without the position, which the pointer replaces; the code from how it begins.
fn shape_error(pointer: String, error: &serde_json::Error) -> FieldError {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let (code, pointer) = if message.starts_with("unknown field") {
        // serde's path ends at the unknown field already.
        ("unknown_field", pointer)
    } else if message.starts_with("missing field") {
        ("required", format!("{pointer}/{quoted}"))
    } else if message.starts_with("unknown variant") {
        ("unknown_value", pointer)
    } else if message.starts_with("duplicate field") {
        ("duplicate_field", pointer)
    } else {
        ("wrong_type", pointer)
    };
    FieldError { pointer, code: code.to_owned(), message }
}

/// serde's path as a JSON Pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}
