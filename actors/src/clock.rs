use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::DateTime;
use uuid::Uuid;

use crate::domain::Timestamp;

/// The only source of time. A test drives one made by [`Clock::manual`]; its clones move together.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Stands still at `start` until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.millis()))))
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System =>
            {
                #[expect(clippy::disallowed_methods, reason = "this is the clock")]
                Timestamp::from_utc(chrono::Utc::now())
            }
            Source::Manual(millis) => {
                let time = DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst)).unwrap_or_default();
                Timestamp::from_utc(time)
            }
        }
    }

    /// Moves a manual clock forward; the system's clock moves by itself and is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(millis) = &self.0 {
            millis.fetch_add(in_millis(by), Ordering::SeqCst);
        }
    }

    /// Moves a manual clock back, as the system's clock is when it was wrong.
    pub fn set_back(&self, by: Duration) {
        if let Source::Manual(millis) = &self.0 {
            millis.fetch_sub(in_millis(by), Ordering::SeqCst);
        }
    }
}

fn in_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A fresh UUIDv7. Ids made by one process sort in the order they were made.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
