//! What the hub does by itself, in each of its instances: approved replies to their channel, and reports of them.

use std::sync::Arc;
use std::time::Duration;

use nexus_actors::domain::delivery::{Delivery, DeliveryStatus, Report, RetryRule};
use uuid::Uuid;

use crate::database::{Change, Database};
use crate::ledger::Entry;
use crate::people::{Flight, Origin, now};

/// Tried again once.
const RETRY: RetryRule =
    RetryRule { backoff: Duration::from_secs(30), backoff_cap: Duration::from_secs(3600), max_attempts: 2 };
/// How far off is all that is due later.
const LATER: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    Broker,
    Mail,
}

/// How far a dispatcher is with one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dispatcher {
    Idle,
    Found(Arc<Delivery>),
    /// Past the gate: what is to be committed, and what may be sent then.
    Judged {
        changes: Vec<Change>,
        released: Option<Arc<Delivery>>,
    },
    Claimed(Arc<Delivery>),
    /// What became of it is to be kept.
    HandedOver(Arc<Delivery>),
    /// The mail server has answered.
    Reporting {
        delivery: Uuid,
        report: Report,
    },
}

/// What becomes of a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Confirmed,
    /// By the broker; or the connection to the mail server broke. It has it all the same, or not.
    Unknown {
        arrived: bool,
    },
    /// No queue is bound for it; or there was no time to try.
    NotTaken,
    /// The mail server has refused it.
    Failed {
        permanent: bool,
    },
}

impl Outcome {
    /// Those without a fault, and those with one.
    pub fn of(route: Route) -> (Vec<Self>, Vec<Self>) {
        let faults = vec![Self::Unknown { arrived: true }, Self::Unknown { arrived: false }, Self::NotTaken];
        match route {
            Route::Broker => (vec![Self::Confirmed], faults),
            Route::Mail => {
                let answers = [false, true].map(|permanent| Self::Failed { permanent });
                ([Self::Confirmed].into_iter().chain(answers).collect(), faults)
            }
        }
    }

    /// Whether the message has left the hub for good.
    pub fn arrives(self) -> bool {
        match self {
            Self::Confirmed | Self::Unknown { arrived: true } => true,
            Self::Unknown { arrived: false } | Self::NotTaken | Self::Failed { .. } => false,
        }
    }
}

impl Dispatcher {
    /// The delivery it has claimed, until it has told what became of it.
    pub fn holds(&self) -> Option<Uuid> {
        match self {
            Self::Claimed(delivery) | Self::HandedOver(delivery) => Some(delivery.id),
            Self::Reporting { delivery, .. } => Some(*delivery),
            Self::Idle | Self::Found(_) | Self::Judged { .. } => None,
        }
    }

    /// The send gate, against the responses as they are at this moment.
    pub fn judge(delivery: &Delivery, database: &Database, route: Route) -> Self {
        let delivery = match route {
            Route::Broker => delivery.clone(),
            Route::Mail => delivery.clone().if_interrupted(),
        };
        let response = database.response(delivery.message.response_id);
        if response.is_some_and(|response| delivery.is_released_by(response)) {
            let claimed = Arc::new(delivery.claimed(now().plus(LATER), now()));
            return Self::Judged {
                changes: vec![Change::Delivery(claimed.clone())],
                released: Some(claimed),
            };
        }
        let withheld = delivery.withheld(now());
        let error = withheld.last_error.clone().unwrap_or_default();
        let failed = response.and_then(|response| response.fail_delivery(error, now()).ok());
        let failed = failed.map(|failed| Change::Response(Arc::new(failed)));
        let changes = [Change::Delivery(Arc::new(withheld))].into_iter().chain(failed).collect();
        Self::Judged { changes, released: None }
    }

    pub fn hand_over(delivery: &Delivery, outcome: Outcome, route: Route) -> Self {
        let later = now().plus(LATER);
        let (id, reason) = (delivery.id, "of the mail server".to_owned());
        match (route, outcome) {
            (Route::Broker, Outcome::Confirmed) => Self::HandedOver(Arc::new(delivery.handed_over(now()))),
            (Route::Broker, Outcome::Unknown { .. }) => {
                Self::HandedOver(Arc::new(delivery.due_at(later, now())))
            }
            (_, Outcome::NotTaken) => {
                Self::HandedOver(Arc::new(delivery.put_off("unroutable".to_owned(), later, now())))
            }
            (Route::Mail, Outcome::Confirmed) => {
                Self::Reporting { delivery: id, report: Report::Confirmed { delivered_at: None } }
            }
            (Route::Mail, Outcome::Unknown { .. }) => {
                Self::Reporting { delivery: id, report: Report::Unknown { reason } }
            }
            (_, Outcome::Failed { permanent }) => {
                Self::Reporting { delivery: id, report: Report::Failed { reason, permanent } }
            }
        }
    }
}

/// The same delivery with its pause or its claim over.
pub fn due(delivery: &Delivery) -> Delivery {
    Delivery { next_attempt_at: Some(now()), ..delivery.clone() }
}

pub fn is_due(delivery: &Delivery) -> bool {
    delivery.status == DeliveryStatus::Pending && delivery.next_attempt_at == Some(now())
}

pub fn is_due_later(delivery: &Delivery) -> bool {
    delivery.status == DeliveryStatus::Pending && delivery.next_attempt_at.is_some_and(|at| at > now())
}

/// Its channel has it.
pub fn is_handed_over(delivery: &Delivery) -> bool {
    delivery.status == DeliveryStatus::Pending && delivery.next_attempt_at.is_none()
}

/// Once more to a channel that may have lost it.
pub fn redelivered(delivery: &Delivery) -> Vec<Change> {
    vec![Change::Delivery(Arc::new(delivery.due_at(now(), now())))]
}

/// What a report changes; `None` for what was reported before, or contradicts it.
pub fn settle(database: &Database, origin: Origin) -> Option<Flight> {
    let Origin::Report { delivery, report, .. } = &origin else { return None };
    let before = database.delivery(*delivery)?;
    let after = before.reported(report, &RETRY, now()).ok()??;
    let response = database.response(after.message.response_id)?;
    let settled = match after.status {
        DeliveryStatus::Pending => None,
        DeliveryStatus::Sent => Some(response.confirm_delivery(now(), now())),
        DeliveryStatus::Failed => {
            Some(response.fail_delivery(after.last_error.clone().unwrap_or_default(), now()))
        }
    };
    let mut changes = vec![Change::Delivery(Arc::new(after))];
    if let Some(settled) = settled {
        changes.push(Change::Response(Arc::new(settled.ok()?)));
    }
    Some(Flight { origin, changes, entry: Entry::Nothing })
}
