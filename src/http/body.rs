//! JSON bodies, checked as contract section 2 has it: 413, 415, 400, 422 with a pointer.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use nexus_actors::HubError;
use nexus_actors::domain::FieldError;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::problem::HttpError;

pub const MAX_BODY: usize = 1024 * 1024;
/// For the whole body; actix-web itself waits for one forever.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that has arrived and is not yet parsed, so that what a caller may do can be settled first.
#[derive(Debug)]
pub struct Body {
    bytes: web::Bytes,
    is_json: bool,
}

impl FromRequest for Body {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, HttpError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let announced = announced_length(request);
        let payload = payload.take();
        Box::pin(async move { Ok(Self { bytes: receive(announced, payload).await?, is_json }) })
    }
}

impl Body {
    /// # Errors
    /// `WrongContentType`, `Malformed` for what is no JSON, `Invalid` for JSON of the wrong shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        if !self.is_json {
            return Err(HttpError::WrongContentType);
        }
        parse_json(&self.bytes)
    }

    /// Like [`Body::parse`], for bodies that may be left out or `null`.
    pub fn parse_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, HttpError> {
        if self.bytes.is_empty() {
            Ok(T::default())
        } else {
            Ok(self.parse::<Option<T>>()?.unwrap_or_default())
        }
    }
}

/// Receives a whole body within the limits.
pub async fn receive(announced: Option<u64>, mut payload: Payload) -> Result<web::Bytes, HttpError> {
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(HttpError::TooLarge);
    }
    let arrive = async {
        let mut bytes = web::BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk
                .map_err(|error| HttpError::Malformed(format!("the body did not arrive whole: {error}")))?;
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(HttpError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(PATIENCE, arrive).await.unwrap_or(Err(HttpError::TooSlow))
}

pub fn announced_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `application/json`, with any parameters.
fn is_json(request: &HttpRequest) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, HttpError> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| HttpError::Malformed("the body is not UTF-8".to_owned()))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // serde stops at the first mismatch; whether the rest is JSON at all decides between 400 and 422.
    let mismatch = |error: HttpError| match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => error,
        Err(error) => syntax_error(&error),
    };
    if text.trim_ascii_start().starts_with('[') {
        // serde would take the items for the fields, in the order of their declaration.
        return Err(mismatch(HubError::invalid("", "wrong_type", "must be an object").into()));
    }
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() { mismatch(shape_error(pointer, &error).into()) } else { syntax_error(&error) }
    })?;
    deserializer.end().map_err(|error| syntax_error(&error))?;
    Ok(value)
}

fn syntax_error(error: &serde_json::Error) -> HttpError {
    HttpError::Malformed(format!(
        "the body is not valid JSON: line {}, column {}",
        error.line(),
        error.column()
    ))
}

/// serde's own text without the position, which the pointer replaces; the code from how it begins.
fn shape_error(pointer: String, error: &serde_json::Error) -> HubError {
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
    HubError::Invalid(vec![FieldError { pointer, code: code.to_owned(), message }])
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
