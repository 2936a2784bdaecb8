//! What cannot be done for now is said once, and not with every try.

use std::fmt::Display;

#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    lasts: bool,
}

impl Outage {
    /// `what`: what is the matter while it lasts, as in "the outbox waits". It does not yet.
    pub fn of(what: &'static str) -> Self {
        Self { what, lasts: false }
    }

    pub fn lasts(&self) -> bool {
        self.lasts
    }

    pub fn over(&mut self) {
        self.lasts = false;
    }

    pub fn begun_or_going_on(&mut self, error: &impl Display) {
        if self.lasts {
            tracing::debug!(%error, "{} still", self.what);
        } else {
            tracing::warn!(%error, "{}", self.what);
        }
        self.lasts = true;
    }
}
