//! What the log is told about the broker.

use std::sync::{Arc, Mutex, PoisonError};

use super::address::Address;

/// What the log was told last, by any of the links that share it: each trouble makes one line, however long it lasts.
#[derive(Clone, Debug, Default)]
pub struct Reports(Arc<Mutex<Option<String>>>);

impl Reports {
    pub fn trouble(&self, problem: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_deref() == Some(problem) {
            tracing::debug!("still: {problem}");
        } else {
            tracing::error!("{problem}");
            *last = Some(problem.to_owned());
        }
    }

    /// There is a connection.
    pub fn well(&self, address: &Address) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.take().is_some() {
            tracing::info!("RabbitMQ at {address} is back");
        }
    }
}
