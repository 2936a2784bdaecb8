//! What the hub counts of itself, for `GET /metrics`.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::Event;
use crate::domain::event::EventType;
use crate::domain::webhook::Answer;

/// One label, with one of a few values.
type Label = [(&'static str, &'static str); 1];

/// In seconds: from a message that only looks something up to one that is given up.
const MESSAGE_BUCKETS: [f64; 7] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];
/// In seconds, up to what `webhooks.timeout` may be.
const CALL_BUCKETS: [f64; 7] = [0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

/// Counts of this process since it started. All clones count together.
#[derive(Clone, Debug)]
pub struct Measures {
    events: Family<Label, Counter>,
    webhook_calls: Family<Label, Counter>,
    webhook_seconds: Histogram,
    digests: Family<Label, Counter>,
}

/// What became of an attempt to send a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestFate {
    Sent,
    /// To be sent again.
    PutOff,
    GivenUp,
}

impl DigestFate {
    const ALL: [Self; 3] = [Self::Sent, Self::PutOff, Self::GivenUp];

    fn label(self) -> Label {
        let outcome = match self {
            Self::Sent => "sent",
            Self::PutOff => "put_off",
            Self::GivenUp => "given_up",
        };
        [("outcome", outcome)]
    }
}

const DELIVERED: Label = [("outcome", "delivered")];
const REFUSED: Label = [("outcome", "refused")];
const UNANSWERED: Label = [("outcome", "unanswered")];

impl Default for Measures {
    fn default() -> Self {
        let new = Self {
            events: Family::default(),
            webhook_calls: Family::default(),
            webhook_seconds: Histogram::new(CALL_BUCKETS),
            digests: Family::default(),
        };
        // From zero on: where a series begins with 1, nobody sees the 1 as an increase.
        for event_type in EventType::ALL {
            drop(new.events.get_or_create(&event_label(*event_type)));
        }
        for outcome in [DELIVERED, REFUSED, UNANSWERED] {
            drop(new.webhook_calls.get_or_create(&outcome));
        }
        for fate in DigestFate::ALL {
            drop(new.digests.get_or_create(&fate.label()));
        }
        new
    }
}

impl Measures {
    pub fn register(&self, registry: &mut Registry) {
        registry.register("events", "What happened, as the audit trail has it", self.events.clone());
        registry.register("webhook_calls", "Calls of webhooks", self.webhook_calls.clone());
        let help = "How long a call of a webhook took";
        registry.register_with_unit("webhook_call", help, Unit::Seconds, self.webhook_seconds.clone());
        registry.register("digests", "Digests sent by mail, or tried", self.digests.clone());
    }

    pub(crate) fn committed(&self, events: &[Event]) {
        for event in events {
            self.events.get_or_create(&event_label(event.event_type)).inc();
        }
    }

    pub(crate) fn called(&self, answer: &Answer, took: Duration) {
        let outcome = match answer {
            _ if answer.is_success() => DELIVERED,
            Answer::Answered { .. } => REFUSED,
            Answer::None { .. } => UNANSWERED,
        };
        self.webhook_calls.get_or_create(&outcome).inc();
        self.webhook_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn digest(&self, fate: DigestFate) {
        self.digests.get_or_create(&fate.label()).inc();
    }
}

fn event_label(event_type: EventType) -> Label {
    [("type", event_type.as_str())]
}

/// How an actor fares with its messages.
#[derive(Clone, Debug)]
pub struct MailboxMeasures {
    pub actor: &'static str,
    /// Messages sent and not finished.
    pub in_flight: usize,
    /// Messages that may be in flight at a time.
    pub capacity: usize,
    /// Messages that were one too many.
    pub refused: Counter,
    /// From the sending of a message until the actor was done with it, the wait for its turn included.
    pub seconds: Histogram,
}

pub(crate) fn message_seconds() -> Histogram {
    Histogram::new(MESSAGE_BUCKETS)
}
