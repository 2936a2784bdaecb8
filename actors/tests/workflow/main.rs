//! A model of the workflow: the hub's own rules, in every order in which people, instances, the broker, the gateway and
//! faults can follow each other within small bounds.
//!
//! What is small: one conversation, one or two replies, a CSO, an admin and a manager, one or two instances. What is
//! real: `domain::response`, `delivery`, `inquiry`, `policy` and `approval_policy`, as the hub has them. What stands for
//! something: `database` for the transactions, `people` for the coordinator and the intake between reading and
//! committing, `hub` for the dispatchers. Time is not told: whatever takes time may end whenever it can.
#![expect(clippy::unwrap_used, reason = "a test")]

mod database;
mod hub;
mod ledger;
mod model;
mod people;
mod properties;
mod state;

use std::collections::HashSet;

use nexus_actors::domain::response::ResponseStatus::{self, Approved, DeliveryFailed, Rejected, Sent};
use stateright::{Checker, Model};

use hub::Route;
use model::{Budget, House};
use state::fingerprint;

const DECIDED: &[ResponseStatus] = &[Approved, Rejected];
const DELIVERED: &[ResponseStatus] = &[Sent, DeliveryFailed];

/// Nobody sends anything; people and the customer get in each other's way.
const PEOPLE: House = House {
    category: people::GENERAL,
    responses: 1,
    instances: 0,
    route: Route::Broker,
    at_once: 2,
    budget: Budget { commands: 4, messages: 1, turns: 0, fetches: 0, faults: 0 },
    comes_to: DECIDED,
};

/// People do one thing after the other; two instances send, and all goes wrong that can.
const INSTANCES: House = House {
    instances: 2,
    at_once: 1,
    budget: Budget { commands: 2, messages: 0, turns: 0, fetches: 0, faults: 1 },
    comes_to: DELIVERED,
    ..PEOPLE
};

#[test]
fn two_approvals() {
    walk(House {
        category: people::LEGAL,
        budget: Budget { commands: 6, messages: 2, ..PEOPLE.budget },
        ..PEOPLE
    });
}

/// It takes one approval more than it seemed.
#[test]
fn an_inquiry_that_turns_out_to_be_legal() {
    walk(House { budget: Budget { turns: 1, ..PEOPLE.budget }, ..PEOPLE });
}

/// It would take one less, were it submitted now.
#[test]
fn three_at_once_on_an_inquiry_that_turns_out_to_be_nothing_special() {
    walk(House {
        category: people::LEGAL,
        at_once: 3,
        budget: Budget { turns: 1, ..PEOPLE.budget },
        ..PEOPLE
    });
}

#[test]
fn two_replies_of_which_some_are_released_unread() {
    walk(House { category: people::CHATTER, responses: 2, ..PEOPLE });
}

#[test]
fn a_gateway_that_fetches() {
    let budget = Budget { fetches: 1, ..PEOPLE.budget };
    walk(House { budget, comes_to: &[Approved, Sent, DeliveryFailed], ..PEOPLE });
}

#[test]
fn over_the_broker() {
    walk(INSTANCES);
}

#[test]
fn over_the_broker_and_once_more() {
    walk(House { instances: 1, budget: Budget { commands: 4, ..INSTANCES.budget }, ..INSTANCES });
}

#[test]
fn by_mail() {
    walk(House { route: Route::Mail, budget: Budget { faults: 2, ..INSTANCES.budget }, ..INSTANCES });
}

#[test]
fn by_mail_and_once_more() {
    walk(House { route: Route::Mail, budget: Budget { commands: 4, ..INSTANCES.budget }, ..INSTANCES });
}

/// So that what holds where no work is left holds in the end: people and faults have their bounds.
#[test]
fn work_comes_to_an_end() {
    for route in [Route::Broker, Route::Mail] {
        assert!(is_without_circles(&House { route, ..INSTANCES }), "{route:?}");
    }
}

/// To every state there is. Fails with a way to one that breaks a rule.
fn walk(house: House) {
    let walked = house.checker().spawn_dfs().join();
    println!("{} states, {} steps", walked.unique_state_count(), walked.state_count());
    walked.assert_properties();
}

/// Whether no state is ever come back to.
fn is_without_circles(house: &House) -> bool {
    let (mut on_the_way, mut left) = (HashSet::new(), HashSet::new());
    let mut way = vec![(0, house.init_states().into_iter())];
    while let Some((at, next)) = way.last_mut() {
        let Some(state) = next.next() else {
            on_the_way.remove(at);
            left.insert(*at);
            way.pop();
            continue;
        };
        let next = fingerprint(&state);
        if on_the_way.contains(&next) {
            return false;
        }
        if !left.contains(&next) {
            on_the_way.insert(next);
            way.push((next, house.next_states(&state).into_iter()));
        }
    }
    true
}
