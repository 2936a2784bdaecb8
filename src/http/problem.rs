//! Errors as RFC 9457 problem documents.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use nexus_actors::HubError;
use nexus_actors::domain::FieldError;
use nexus_actors::domain::json::JsonError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::RequestId;

/// What a client reads when a request fails.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Names the kind of problem, for programs.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<String>,
    /// The request's path.
    pub instance: String,
    pub request_id: String,
    /// Every field that failed validation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
}

/// Everything a handler can fail with.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error(transparent)]
    Hub(#[from] HubError),
    /// 400: what was sent cannot be parsed.
    #[error("{0}")]
    Malformed(String),
    /// 401, always with `WWW-Authenticate`.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// 401 as well: the password was right, and it takes a code.
    #[error("send the code of your authenticator app, or a recovery code, as `code`")]
    SecondFactorRequired,
    /// The same, with a code that is wrong or was used before.
    #[error("the code is wrong, or was used before")]
    SecondFactorRefused,
    /// 403: signed in, and to set up a second factor before anything else.
    #[error("your role takes a second factor; set one up at /api/v1/auth/totp")]
    EnrolmentRequired,
    /// 403, to browsers.
    #[error("this comes from another site")]
    ForeignSite,
    /// 403, to a form.
    #[error("this page was made for an earlier sign-in; go back, reload it and try again")]
    EarlierSignIn,
    /// 403, to a program.
    #[error("this is for people; an API key does not open it")]
    ForPeople,
    /// 403, to a program.
    #[error("the API key does not have the scope this needs")]
    MissingScope,
    #[error("the body must not exceed 1 MiB")]
    TooLarge,
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("the body must be application/json")]
    WrongContentType,
    #[error("too many requests")]
    RateLimited { retry_after: Duration },
    /// 409: the same idempotency key is being worked on.
    #[error("a request with this Idempotency-Key is still in progress")]
    InFlight,
    /// 503: more are under way than will be answered in time.
    #[error("too many requests of this kind are under way")]
    Busy,
    #[error("this Idempotency-Key was used with another body")]
    KeyReused,
}

impl From<JsonError> for HttpError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::NotUtf8 | JsonError::Syntax { .. } => Self::Malformed(format!("the body is {error}")),
            JsonError::Shape(error) => Self::Hub(HubError::Invalid(vec![error])),
        }
    }
}

/// How an error looks from outside: status, the name of its kind and a title.
struct Look(StatusCode, &'static str, &'static str);

const FORBIDDEN: Look = Look(StatusCode::FORBIDDEN, "forbidden", "Not allowed");

impl HttpError {
    fn look(&self) -> Look {
        match self {
            Self::Malformed(_) => Look(StatusCode::BAD_REQUEST, "malformed", "The request cannot be parsed"),
            Self::Unauthenticated(_) => Look(StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in"),
            Self::SecondFactorRequired | Self::SecondFactorRefused => {
                Look(StatusCode::UNAUTHORIZED, "second-factor-required", "A second factor is needed")
            }
            Self::EnrolmentRequired => Look(
                StatusCode::FORBIDDEN,
                "second-factor-enrolment-required",
                "A second factor has to be set up first",
            ),
            Self::ForeignSite | Self::EarlierSignIn | Self::ForPeople | Self::MissingScope => FORBIDDEN,
            Self::TooLarge => Look(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Self::TooSlow => Look(StatusCode::REQUEST_TIMEOUT, "body-too-slow", "The body took too long"),
            Self::WrongContentType => {
                Look(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong-content-type", "Wrong content type")
            }
            Self::RateLimited { .. } => {
                Look(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests")
            }
            Self::InFlight => Look(StatusCode::CONFLICT, "request-in-flight", "Still in progress"),
            Self::Busy => Look(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable"),
            Self::KeyReused => Look(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "Idempotency key used before",
            ),
            Self::Hub(error) => hub_look(error),
        }
    }

    /// What may be told. A server error says nothing of its cause.
    fn detail(&self) -> Option<String> {
        match self {
            Self::Hub(HubError::Internal(_) | HubError::ActorFailed { .. } | HubError::Invalid(_)) => None,
            other => {
                let mut text = other.to_string();
                if let Some(first) = text.get_mut(0..1) {
                    first.make_ascii_uppercase();
                }
                Some(if text.ends_with('.') { text } else { text + "." })
            }
        }
    }

    /// Every field that is the reason.
    pub fn field_errors(&self) -> Vec<FieldError> {
        match self {
            Self::Hub(HubError::Invalid(errors)) => errors.clone(),
            Self::Hub(HubError::Taken { what, pointer }) => {
                vec![FieldError::new(pointer, "already_in_use", format!("{what} is already in use"))]
            }
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            Self::Hub(HubError::TooManyConnections { .. }) => Some(Duration::from_secs(15)),
            Self::InFlight
            | Self::Busy
            | Self::Hub(HubError::Overloaded { .. } | HubError::Unavailable { .. } | HubError::ClaimLost) => {
                Some(Duration::from_secs(1))
            }
            _ => None,
        }
    }
}

/// Exhaustive, so that a new error of the hub does not compile until it has its status.
fn hub_look(error: &HubError) -> Look {
    match error {
        HubError::NotFound(_) => Look(StatusCode::NOT_FOUND, "not-found", "Not found"),
        HubError::Forbidden(_) => FORBIDDEN,
        HubError::Invalid(_) => {
            Look(StatusCode::UNPROCESSABLE_ENTITY, "validation-failed", "The request failed validation")
        }
        HubError::Stale { .. } => {
            Look(StatusCode::PRECONDITION_FAILED, "stale-version", "The entity has changed since")
        }
        HubError::InvalidTransition(_) | HubError::InvalidInquiryMove(_) => {
            Look(StatusCode::CONFLICT, "invalid-transition", "The current status does not allow this")
        }
        HubError::RevisionChanged { .. } => {
            Look(StatusCode::CONFLICT, "revision-changed", "The text has changed since")
        }
        HubError::ResponseStale => {
            Look(StatusCode::CONFLICT, "response-stale", "The customer has written again since")
        }
        HubError::TooManyConnections { .. } => {
            Look(StatusCode::TOO_MANY_REQUESTS, "too-many-connections", "Too many connections")
        }
        HubError::Taken { .. } => Look(StatusCode::CONFLICT, "already-in-use", "Already in use"),
        HubError::ContradictingReport(_) => {
            Look(StatusCode::CONFLICT, "contradicting-report", "Reported otherwise before")
        }
        HubError::AlreadySettled(_) => Look(StatusCode::CONFLICT, "already-settled", "Settled before"),
        HubError::StillRefused { .. } => Look(StatusCode::CONFLICT, "still-refused", "Still refused"),
        HubError::Conflict(_) => {
            Look(StatusCode::CONFLICT, "conflict", "The current state does not allow this")
        }
        HubError::NoRoom | HubError::Contended => {
            Look(StatusCode::CONFLICT, "concurrent-change", "Changed by someone else at the same moment")
        }
        HubError::ClaimLost => Look(StatusCode::CONFLICT, "request-in-flight", "Still in progress"),
        HubError::Overloaded { .. } | HubError::Unavailable { .. } => {
            Look(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable")
        }
        HubError::ActorFailed { .. } | HubError::Internal(_) => {
            Look(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
        }
    }
}

impl Problem {
    fn new(look: &Look) -> Self {
        Self {
            kind: format!("urn:nexus-hub:problem:{}", look.1),
            title: look.2.to_owned(),
            status: look.0.as_u16(),
            detail: None,
            instance: String::new(),
            request_id: String::new(),
            errors: Vec::new(),
        }
    }

    /// Completed with what only the envelope knows.
    #[must_use]
    pub fn of_request(self, path: &str, id: &RequestId) -> Self {
        Self { instance: path.to_owned(), request_id: id.0.to_string(), ..self }
    }

    /// For answers that were made without one, such as an unknown path.
    pub fn of_status(status: StatusCode) -> Self {
        let look = match status {
            StatusCode::NOT_FOUND => Look(status, "not-found", "Not found"),
            StatusCode::METHOD_NOT_ALLOWED => Look(status, "method-not-allowed", "Method not allowed"),
            StatusCode::BAD_REQUEST => Look(status, "malformed", "The request cannot be parsed"),
            StatusCode::PAYLOAD_TOO_LARGE => Look(status, "body-too-large", "The body is too large"),
            other if other.is_server_error() => Look(other, "internal", "Internal error"),
            other => Look(other, "refused", "The request was refused"),
        };
        Self::new(&look)
    }
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        self.look().0
    }

    /// The document travels as an extension; the envelope writes it, because it knows path and request id.
    fn error_response(&self) -> HttpResponse {
        let mut problem = Problem::new(&self.look());
        problem.detail = self.detail();
        problem.errors = self.field_errors();
        match self {
            Self::Hub(HubError::Internal(cause)) => tracing::error!(cause, "internal error"),
            Self::Hub(HubError::ActorFailed { actor }) => {
                tracing::error!(actor, "an actor failed on a request")
            }
            _ => {}
        }
        let mut response = HttpResponse::build(self.status_code());
        if let Some(retry_after) = self.retry_after() {
            let seconds = retry_after.as_millis().div_ceil(1000).max(1);
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"nexus-hub\""),
            ));
        }
        let mut response = response.finish();
        response.extensions_mut().insert(problem);
        response
    }
}
