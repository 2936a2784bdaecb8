//! One state of the house, and what each thing that happens makes of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use nexus_actors::domain::delivery::{Delivery, OutboundMessage};
use uuid::Uuid;

use crate::database::{Change, Contended, Database};
use crate::hub::{self, Dispatcher, Outcome, Route};
use crate::ledger::Ledger;
use crate::model::{Budget, Fault, Work};
use crate::people::{self, Flight, Origin};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub database: Database,
    pub ledger: Ledger,
    pub flights: Vec<Flight>,
    pub dispatchers: Vec<Dispatcher>,
    /// At the broker, for the gateway.
    pub queue: Vec<OutboundMessage>,
    /// Reports for the hub.
    pub reports: Vec<Origin>,
    /// Deliveries whose text somebody has changed.
    pub tampered: Vec<Uuid>,
    pub budget: Budget,
}

impl State {
    /// A message or a report of it is on its way.
    pub fn is_with_the_channel(&self, id: Uuid) -> bool {
        let of_it = |origin: &Origin| matches!(origin, Origin::Report { delivery, .. } if *delivery == id);
        self.queue.iter().any(|message| message.delivery_id == id)
            || self.reports.iter().any(of_it)
            || self.flights.iter().any(|flight| of_it(&flight.origin))
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), Contended> {
        self.database = self.database.committed(changes)?;
        Ok(())
    }

    fn land(&mut self, flight: usize) {
        let Flight { origin, changes, entry } = self.flights.remove(flight);
        match self.commit(&changes) {
            Ok(()) => self.ledger.enter(&entry),
            Err(Contended) => self.bring_again(origin),
        }
    }

    /// A person asks again by themselves, or does not.
    fn bring_again(&mut self, origin: Origin) {
        match origin {
            Origin::Person => {}
            Origin::Customer => self.flights.push(people::write_again(&self.database)),
            Origin::Report { .. } => self.reports.push(origin),
        }
    }

    fn crash_flight(&mut self, flight: usize) {
        match self.flights.remove(flight).origin {
            Origin::Report { kept: false, .. } => {}
            origin => self.bring_again(origin),
        }
    }

    fn hand_over(&mut self, dispatcher: usize, outcome: Outcome, route: Route) {
        let Dispatcher::Claimed(delivery) = &self.dispatchers[dispatcher] else { return };
        let delivery = delivery.clone();
        if outcome.arrives() {
            self.ledger.send(&delivery.message);
            if route == Route::Broker {
                self.queue.push(delivery.message.clone());
            }
        }
        self.dispatchers[dispatcher] = Dispatcher::hand_over(&delivery, outcome, route);
    }

    fn claim(&mut self, dispatcher: usize) {
        let Dispatcher::Judged { changes, released } = &self.dispatchers[dispatcher] else { return };
        let (changes, released) = (changes.clone(), released.clone());
        let claimed = self.commit(&changes).ok().and(released);
        self.dispatchers[dispatcher] = claimed.map_or(Dispatcher::Idle, Dispatcher::Claimed);
    }

    fn keep(&mut self, dispatcher: usize) {
        match std::mem::replace(&mut self.dispatchers[dispatcher], Dispatcher::Idle) {
            Dispatcher::HandedOver(after) => {
                // A report that came in between counts for more.
                let _ = self.commit(&[Change::Delivery(after)]);
            }
            Dispatcher::Reporting { delivery, report } => {
                self.reports.push(Origin::Report { delivery, report, kept: false });
            }
            other => self.dispatchers[dispatcher] = other,
        }
    }

    pub fn work(&mut self, work: Work, route: Route) -> Option<()> {
        match work {
            Work::Commit { flight } => self.land(flight),
            Work::Find { dispatcher, delivery } => {
                self.dispatchers[dispatcher] = Dispatcher::Found(self.database.delivery(delivery)?.clone());
            }
            Work::Judge { dispatcher } => {
                let Dispatcher::Found(delivery) = &self.dispatchers[dispatcher] else { return None };
                self.dispatchers[dispatcher] = Dispatcher::judge(delivery, &self.database, route);
            }
            Work::Claim { dispatcher } => self.claim(dispatcher),
            Work::HandOver { dispatcher, outcome } => self.hand_over(dispatcher, outcome, route),
            Work::Keep { dispatcher } => self.keep(dispatcher),
            Work::Ripen { delivery } => self.change(delivery, hub::due),
            Work::Redeliver { delivery } => {
                let changes = hub::redelivered(self.database.delivery(delivery)?);
                self.commit(&changes).ok()?;
            }
            Work::Deliver { message, report } => {
                let delivery = self.queue.remove(message).delivery_id;
                self.reports.push(Origin::Report { delivery, report, kept: true });
            }
            Work::Settle { report } => {
                let origin = self.reports.remove(report);
                self.flights.extend(hub::settle(&self.database, origin));
            }
        }
        Some(())
    }

    pub fn fault(&mut self, fault: Fault, route: Route) {
        match fault {
            Fault::CrashDispatcher { dispatcher } => self.dispatchers[dispatcher] = Dispatcher::Idle,
            Fault::CrashFlight { flight } => self.crash_flight(flight),
            Fault::HandOver { dispatcher, outcome } => self.hand_over(dispatcher, outcome, route),
            Fault::Ripen { delivery } => self.change(delivery, hub::due),
            Fault::LoseMessage { message } => drop(self.queue.remove(message)),
            Fault::DoubleMessage { message } => self.queue.push(self.queue[message].clone()),
            Fault::LoseReport { report } => drop(self.reports.remove(report)),
            Fault::DoubleReport { report } => self.reports.push(self.reports[report].clone()),
            Fault::Tamper { delivery } => {
                self.tampered.push(delivery);
                self.change(delivery, |delivery| {
                    let mut changed = delivery.clone();
                    changed.message.message.push_str(", or never");
                    changed
                });
            }
        }
    }

    /// Without anyone's commit.
    fn change(&mut self, id: Uuid, change: fn(&Delivery) -> Delivery) {
        let row = self.database.deliveries.iter_mut().find(|delivery| delivery.id == id);
        if let Some(row) = row {
            *row = Arc::new(change(row));
        }
    }

    /// In which order things wait, and which instance it is, makes no difference.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.flights.sort_by_cached_key(fingerprint);
        self.dispatchers.sort_by_cached_key(fingerprint);
        self.queue.sort_by_cached_key(fingerprint);
        self.reports.sort_by_cached_key(fingerprint);
        self
    }
}

/// The same for the same.
pub fn fingerprint<T: Hash>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
