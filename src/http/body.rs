//! JSON bodies, checked as contract section 2 has it: 413, 415, 400, 422 with a pointer.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use nexus_actors::domain::envelope::MAX_BODY;
use nexus_actors::domain::json;
use serde::de::DeserializeOwned;

use super::problem::HttpError;

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
        Ok(json::parse(&self.bytes)?)
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
