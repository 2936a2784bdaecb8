//! The signed-in caller, as handlers ask for one.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use nexus_actors::HubError;
use nexus_actors::domain::api_key::ApiKey;
use nexus_actors::domain::user::User;
use nexus_actors::domain::{Caller, Claim, Principal};
use uuid::Uuid;

use super::envelope::RequestId;
use super::problem::HttpError;

/// What the gate found out about the caller.
#[derive(Debug)]
pub enum SignedIn {
    /// No credentials were sent.
    Nobody,
    /// Some were, and they do not hold, or could not be checked.
    Failed(HttpError),
    User {
        principal: Principal,
        user: Box<User>,
    },
    /// With this id, and to set up a second factor before anything else.
    MustEnrol(Uuid),
    /// By API key.
    Program(ApiKey),
}

/// Extracts whoever is signed in; 401 for everyone else.
#[derive(Clone, Debug)]
pub struct Signed {
    pub caller: Caller,
    pub user: User,
}

impl Signed {
    pub fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    /// The caller of a request that answers 201.
    pub fn creating(self) -> Caller {
        let claim =
            self.caller.claim.map(|claim| Claim { success_status: StatusCode::CREATED.as_u16(), ..claim });
        Caller { claim, ..self.caller }
    }
}

impl FromRequest for Signed {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(extract(request))
    }
}

fn extract(request: &HttpRequest) -> Result<Signed, HttpError> {
    let signed_in = request.extensions().get::<Rc<SignedIn>>().map(Rc::clone);
    match signed_in.as_deref() {
        Some(SignedIn::User { principal, user }) => {
            let claim = request.extensions().get::<Claim>().cloned();
            let caller = Caller {
                principal: principal.clone(),
                request_id: RequestId::of(request),
                if_match: if_match(request)?,
                claim,
            };
            Ok(Signed { caller, user: User::clone(user) })
        }
        other => Err(refusal(other)),
    }
}

/// Why whoever calls is not let in.
pub fn refusal(signed_in: Option<&SignedIn>) -> HttpError {
    match signed_in {
        Some(SignedIn::Program(_) | SignedIn::User { .. }) => HttpError::ForPeople,
        Some(SignedIn::MustEnrol(_)) => HttpError::EnrolmentRequired,
        // An outage must not read as bad credentials, or clients would throw good tokens away.
        Some(SignedIn::Failed(HttpError::Hub(HubError::Unavailable { what }))) => {
            HubError::Unavailable { what }.into()
        }
        Some(SignedIn::Failed(HttpError::Hub(HubError::Overloaded { actor }))) => {
            HubError::Overloaded { actor }.into()
        }
        Some(SignedIn::Failed(HttpError::Unauthenticated(detail))) => HttpError::Unauthenticated(detail),
        Some(SignedIn::Failed(error)) => HubError::Internal(error.to_string()).into(),
        Some(SignedIn::Nobody) | None => {
            HttpError::Unauthenticated("Send an access token as a bearer token.")
        }
    }
}

/// What `If-Match` names when no version can ever match.
const NO_VERSION: i64 = 0;

/// `If-Match: "<version>"`; `*` and an absent header ask for nothing. A tag the hub never gave matches nothing,
/// and neither does a weak one (RFC 9110, section 13.1.1).
fn if_match(request: &HttpRequest) -> Result<Option<i64>, HttpError> {
    let Some(value) = request.headers().get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix("W/").unwrap_or(text);
    match tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) {
        Some(tag) if tag.contains('"') => Err(malformed()),
        Some(_) if text.starts_with("W/") => Ok(Some(NO_VERSION)),
        Some(tag) => Ok(Some(tag.parse().unwrap_or(NO_VERSION))),
        None => text.parse().map(Some).map_err(|_| malformed()),
    }
}

fn malformed() -> HttpError {
    HttpError::Malformed("If-Match must be * or one ETag of the entity, such as \"3\"".to_owned())
}
