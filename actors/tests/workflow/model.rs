//! The states of a small house, and all that can happen next in each.

use std::sync::Arc;

use nexus_actors::domain::delivery::Report;
use nexus_actors::domain::response::{Response, ResponseStatus};
use nexus_actors::domain::user::Role;
use stateright::{Model, Property};
use uuid::Uuid;

use crate::database::Database;
use crate::hub::{self, Dispatcher, Outcome, Route};
use crate::ledger::Ledger;
use crate::people::{self, AUTHOR, Command, Origin, PEOPLE, now};
use crate::properties;
use crate::state::State;

/// How large the house is and how much may happen in it. Everything within these bounds is looked at.
#[derive(Clone, Debug)]
pub struct House {
    pub category: &'static str,
    pub responses: u128,
    pub instances: usize,
    pub route: Route,
    /// Requests of people and of the customer that are under way at a time.
    pub at_once: usize,
    pub budget: Budget,
    /// What responses come to, so that the rest is not true for want of trying.
    pub comes_to: &'static [ResponseStatus],
}

/// How often each may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    pub commands: u8,
    /// Of the customer.
    pub messages: u8,
    /// The inquiry turns out to be of another category.
    pub turns: u8,
    /// Over REST, by a gateway.
    pub fetches: u8,
    /// Crashes; what the broker loses or doubles; a claim that ends too early; a text that is changed in the database.
    pub faults: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Ask { by: usize, response: Uuid, command: Command },
    WriteAgain,
    Turn { category: &'static str },
    Fetch { delivery: Uuid },
    Fault(Fault),
    Work(Work),
}

/// What happens without anybody's doing and without a fault.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    Commit {
        flight: usize,
    },
    Find {
        dispatcher: usize,
        delivery: Uuid,
    },
    Judge {
        dispatcher: usize,
    },
    Claim {
        dispatcher: usize,
    },
    HandOver {
        dispatcher: usize,
        outcome: Outcome,
    },
    Keep {
        dispatcher: usize,
    },
    /// A pause or a claim ends.
    Ripen {
        delivery: Uuid,
    },
    Redeliver {
        delivery: Uuid,
    },
    /// The gateway takes a message and tells what became of it.
    Deliver {
        message: usize,
        report: Report,
    },
    Settle {
        report: usize,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    CrashDispatcher {
        dispatcher: usize,
    },
    CrashFlight {
        flight: usize,
    },
    HandOver {
        dispatcher: usize,
        outcome: Outcome,
    },
    /// A claim ends while its holder is still at it.
    Ripen {
        delivery: Uuid,
    },
    LoseMessage {
        message: usize,
    },
    DoubleMessage {
        message: usize,
    },
    LoseReport {
        report: usize,
    },
    DoubleReport {
        report: usize,
    },
    Tamper {
        delivery: Uuid,
    },
}

impl House {
    pub fn work(&self, state: &State) -> Vec<Work> {
        let mut work: Vec<_> = (0..state.flights.len()).map(|flight| Work::Commit { flight }).collect();
        for (dispatcher, at) in state.dispatchers.iter().enumerate() {
            match at {
                Dispatcher::Idle => {
                    let due = state.database.deliveries.iter().filter(|delivery| hub::is_due(delivery));
                    work.extend(due.map(|delivery| Work::Find { dispatcher, delivery: delivery.id }));
                }
                Dispatcher::Found(_) => work.push(Work::Judge { dispatcher }),
                Dispatcher::Judged { .. } => work.push(Work::Claim { dispatcher }),
                Dispatcher::Claimed(_) => {
                    let (outcomes, _) = Outcome::of(self.route);
                    work.extend(outcomes.into_iter().map(|outcome| Work::HandOver { dispatcher, outcome }));
                }
                Dispatcher::HandedOver(_) | Dispatcher::Reporting { .. } => {
                    work.push(Work::Keep { dispatcher });
                }
            }
        }
        for delivery in state.database.pending() {
            let id = delivery.id;
            if hub::is_due_later(delivery) && !self.is_held(state, id) {
                work.push(Work::Ripen { delivery: id });
            }
            if hub::is_handed_over(delivery) && !state.is_with_the_channel(id) && !self.is_held(state, id) {
                work.push(Work::Redeliver { delivery: id });
            }
        }
        let reason = "of the gateway";
        for message in 0..state.queue.len() {
            let failed = |permanent| Report::Failed { reason: reason.to_owned(), permanent };
            for report in [Report::Confirmed { delivered_at: None }, failed(false), failed(true)] {
                work.push(Work::Deliver { message, report });
            }
        }
        work.extend((0..state.reports.len()).map(|report| Work::Settle { report }));
        work
    }

    /// Somebody who is alive has claimed it, and is not done.
    fn is_held(&self, state: &State, delivery: Uuid) -> bool {
        let is_sending = state.dispatchers.iter().any(|dispatcher| dispatcher.holds() == Some(delivery));
        // Who mails it waits until it is settled.
        is_sending || self.route == Route::Mail && state.is_with_the_channel(delivery)
    }

    fn requests(&self, state: &State, actions: &mut Vec<Action>) {
        let under_way = state.flights.iter().filter(|flight| !matches!(flight.origin, Origin::Report { .. }));
        if under_way.count() >= self.at_once {
            return;
        }
        if state.budget.commands > 0 {
            for response in &state.database.responses {
                for (by, (_, role)) in PEOPLE.iter().enumerate() {
                    let commands = self.commands(*role, response);
                    let response = response.id;
                    actions.extend(commands.into_iter().map(|command| Action::Ask { by, response, command }));
                }
            }
        }
        if state.budget.messages > 0 {
            actions.push(Action::WriteAgain);
        }
        if state.budget.turns > 0 {
            let others = [people::LEGAL, people::GENERAL].into_iter();
            let others = others.filter(|&category| category != state.database.inquiry.category);
            actions.extend(others.map(|category| Action::Turn { category }));
        }
    }

    /// What somebody may try; most of it is refused, depending on the state.
    fn commands(&self, role: Role, response: &Response) -> Vec<Command> {
        let mut commands = vec![Command::Edit, Command::Withdraw, Command::Submit { picked: true }];
        if self.category == people::CHATTER {
            commands.push(Command::Submit { picked: false });
        }
        if role != Role::Cso {
            commands.push(Command::Reject);
            for revision in [response.revision - 1, response.revision] {
                for has_read in [false, true] {
                    commands.push(Command::Approve { revision, has_read });
                }
            }
        }
        commands
    }

    fn faults(&self, state: &State, actions: &mut Vec<Action>) {
        let mut faults = Vec::new();
        for (dispatcher, at) in state.dispatchers.iter().enumerate() {
            if *at != Dispatcher::Idle {
                faults.push(Fault::CrashDispatcher { dispatcher });
            }
            if matches!(at, Dispatcher::Claimed(_)) {
                let (_, outcomes) = Outcome::of(self.route);
                faults.extend(outcomes.into_iter().map(|outcome| Fault::HandOver { dispatcher, outcome }));
            }
        }
        faults.extend((0..state.flights.len()).map(|flight| Fault::CrashFlight { flight }));
        for delivery in state.database.pending() {
            let id = delivery.id;
            if hub::is_due_later(delivery) && self.is_held(state, id) {
                faults.push(Fault::Ripen { delivery: id });
            }
            if hub::is_due(delivery) && !state.tampered.contains(&id) {
                faults.push(Fault::Tamper { delivery: id });
            }
        }
        for message in 0..state.queue.len() {
            faults.extend([Fault::LoseMessage { message }, Fault::DoubleMessage { message }]);
        }
        for report in 0..state.reports.len() {
            faults.extend([Fault::LoseReport { report }, Fault::DoubleReport { report }]);
        }
        actions.extend(faults.into_iter().map(Action::Fault));
    }
}

impl Model for House {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let inquiry = people::inquiry_in(self.category);
        let draft = |n| {
            let (id, text) = (Uuid::from_u128(100 + n), "the first".to_owned());
            Response::draft(id, inquiry.id, text, AUTHOR, now())
        };
        let drafts: Vec<_> = (0..self.responses).map(draft).collect();
        vec![State {
            ledger: Ledger::of(&drafts),
            database: Database {
                inquiry: Arc::new(inquiry),
                responses: drafts.into_iter().map(Arc::new).collect(),
                deliveries: Vec::new(),
            },
            flights: Vec::new(),
            dispatchers: vec![Dispatcher::Idle; self.instances],
            queue: Vec::new(),
            reports: Vec::new(),
            tampered: Vec::new(),
            budget: self.budget,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.work(state).into_iter().map(Action::Work));
        self.requests(state, actions);
        if state.budget.fetches > 0 {
            let pending = state.database.pending();
            actions.extend(pending.map(|delivery| Action::Fetch { delivery: delivery.id }));
        }
        if state.budget.faults > 0 {
            self.faults(state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Ask { by, response, command } => {
                state.budget.commands -= 1;
                state.flights.push(people::ask(&state.database, by, response, &command)?);
            }
            Action::WriteAgain => {
                state.budget.messages -= 1;
                state.flights.push(people::write_again(&state.database));
            }
            Action::Turn { category } => {
                state.budget.turns -= 1;
                state.flights.push(people::recategorise(&state.database, category));
            }
            Action::Fetch { delivery } => {
                state.budget.fetches -= 1;
                let message = state.database.delivery(delivery)?.message.clone();
                state.ledger.send(&message);
                state.queue.push(message);
            }
            Action::Fault(fault) => {
                state.budget.faults -= 1;
                state.fault(fault, self.route);
            }
            Action::Work(work) => state.work(work, self.route)?,
        }
        Some(state.sorted())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::always()
            .into_iter()
            .chain(self.comes_to.iter().map(|&status| properties::can_be(status)))
            .collect()
    }
}
