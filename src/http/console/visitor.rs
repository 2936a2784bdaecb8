//! Whoever looks at a page.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use nexus_actors::desk::permit_any;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::user::User;
use nexus_actors::domain::{Caller, Principal, Timestamp};

use super::prefs::Prefs;
use crate::http::State;
use crate::http::problem::HttpError;
use crate::http::signed::Signed;

/// Someone signed in, and how they want to read. Extracts as [`Signed`] does.
#[derive(Clone, Debug)]
pub struct Visitor {
    caller: Caller,
    pub user: User,
    pub prefs: Prefs,
    /// For every form.
    pub form_token: String,
    pub now: Timestamp,
}

impl Visitor {
    pub fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    /// For a message that changes something, as a form asks for it; of the version it was made from, if it says one.
    pub fn caller(&self, version: Option<i64>) -> Caller {
        Caller { if_match: version, ..self.caller.clone() }
    }

    /// Whether their role may ever do this.
    pub fn may(&self, action: Action) -> bool {
        permit_any(self.principal(), action).is_ok()
    }

    /// # Errors
    /// `Forbidden` where their role may never do this.
    pub fn must(&self, action: Action) -> Result<(), HttpError> {
        Ok(permit_any(self.principal(), action)?)
    }
}

impl Deref for Visitor {
    type Target = Prefs;

    fn deref(&self) -> &Prefs {
        &self.prefs
    }
}

impl FromRequest for Visitor {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signed = Signed::from_request(request, payload).into_inner();
        ready(signed.and_then(|Signed { caller, user }| {
            let state = request.app_data::<State>();
            let state = state.ok_or_else(|| nexus_actors::HubError::Internal("no state".to_owned()))?;
            Ok(Self {
                form_token: state.tokens.form_token(caller.principal.session_id),
                caller,
                user,
                prefs: Prefs::of(request),
                now: state.hub.clock.now(),
            })
        }))
    }
}
