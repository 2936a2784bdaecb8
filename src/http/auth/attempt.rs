//! How often a sign-in may be tried, and how often it may fail.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::{HttpMessage, HttpRequest};
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::customer::email_key;

use crate::http::HttpState;
use crate::http::gate::ClientAddress;
use crate::http::problem::HttpError;

/// In which failed sign-ins of an address are counted, and wrong codes of somebody who is signed in.
pub(super) const FAILURES_WINDOW: Duration = Duration::from_secs(15 * 60);

/// Sign-ins have limits of their own, by address and by email, whether or not they succeed.
pub(super) async fn throttle(state: &HttpState, request: &HttpRequest, email: &str) -> Result<(), HttpError> {
    let limits = &state.settings.rate_limit;
    let by_address = address_of(request).map(|address| format!("login:address:{address}"));
    let by_email = format!("login:email:{}", email_key(email));
    let now = state.hub.clock.now();
    for key in by_address.into_iter().chain([by_email]) {
        count(state, &key, (limits.login_limit, limits.login_ttl), now).await?;
    }
    Ok(())
}

/// One more of what may be done so often in a window.
pub(super) async fn count(
    state: &HttpState,
    key: &str,
    (limit, window): (u32, Duration),
    now: Timestamp,
) -> Result<(), HttpError> {
    let decision = state.limiter.check(key, limit, window, now).await;
    if decision.allowed { Ok(()) } else { Err(HttpError::RateLimited { retry_after: decision.reset }) }
}

/// A sign-in under way. It counts as failed, for its email and for its address, until it has ended otherwise.
pub(super) struct Attempt {
    email: String,
    address: Option<String>,
}

impl Attempt {
    pub(super) async fn begin(
        state: &HttpState,
        request: &HttpRequest,
        email: &str,
    ) -> Result<Self, HttpError> {
        let limits = &state.settings.rate_limit;
        let now = state.hub.clock.now();
        let address = address_of(request).map(|address| format!("login:failed:{address}"));
        if let Some(address) = &address {
            count(state, address, (limits.login_failures_by_address, FAILURES_WINDOW), now).await?;
        }
        let attempt = Self { email: email_key(email), address };
        match state.lockout.begin(&attempt.email, limits.login_failures, now).await {
            Ok(()) => Ok(attempt),
            Err(retry_after) => {
                attempt.give_back_address(state).await;
                Err(HttpError::RateLimited { retry_after })
            }
        }
    }

    pub(super) async fn end<T>(self, state: &HttpState, outcome: &Result<T, HttpError>) {
        match outcome {
            // Without a code nothing was guessed: clients ask for one when they know that it takes one.
            Err(HttpError::Unauthenticated(_) | HttpError::SecondFactorRefused) => return,
            Ok(_) => state.lockout.forget(&self.email).await,
            Err(_) => state.lockout.withdraw(&self.email).await,
        }
        self.give_back_address(state).await;
    }

    async fn give_back_address(&self, state: &HttpState) {
        if let Some(address) = &self.address {
            state.limiter.give_back(address).await;
        }
    }
}

fn address_of(request: &HttpRequest) -> Option<IpAddr> {
    request.extensions().get::<ClientAddress>().map(|address| address.0)
}
