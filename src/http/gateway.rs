//! Programs that bring inquiries and fetch deliveries: by API key, or an admin by hand.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use nexus_actors::desk::permit_any;
use nexus_actors::domain::api_key::Scope;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::{Claim, Origin};
use uuid::Uuid;

use super::envelope::RequestId;
use super::problem::HttpError;
use super::signed::{SignedIn, refusal};

/// Extracts the program that calls; 401 without credentials, 403 for people who are no admins.
#[derive(Clone, Debug)]
pub struct Gateway {
    pub origin: Origin,
    /// The API key's id, or the admin's.
    pub caller_id: Uuid,
    pub claim: Option<Claim>,
    /// `None`: everything.
    scopes: Option<Vec<Scope>>,
}

impl Gateway {
    /// # Errors
    /// 403 for a key without `scope`.
    pub fn allows(&self, scope: Scope) -> Result<(), HttpError> {
        match &self.scopes {
            Some(scopes) if !scopes.contains(&scope) => Err(HttpError::MissingScope),
            Some(_) | None => Ok(()),
        }
    }
}

impl FromRequest for Gateway {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(extract(request))
    }
}

fn extract(request: &HttpRequest) -> Result<Gateway, HttpError> {
    let signed_in = request.extensions().get::<Rc<SignedIn>>().map(Rc::clone);
    let request_id = Some(RequestId::of(request).to_string());
    let claim = request.extensions().get::<Claim>().cloned();
    match signed_in.as_deref() {
        Some(SignedIn::Program(key)) => Ok(Gateway {
            origin: Origin { user_id: None, request_id, trace: None },
            caller_id: key.id,
            claim,
            scopes: Some(key.scopes.clone()),
        }),
        Some(SignedIn::User { principal, .. }) => {
            permit_any(principal, Action::UseGateway)?;
            Ok(Gateway {
                origin: Origin { user_id: Some(principal.user_id), request_id, trace: None },
                caller_id: principal.user_id,
                claim,
                scopes: None,
            })
        }
        other => Err(refusal(other)),
    }
}
