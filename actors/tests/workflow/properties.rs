//! What holds in every state, and what is possible at all.

use nexus_actors::domain::delivery::DeliveryStatus;
use nexus_actors::domain::response::ResponseStatus;
use stateright::Property;

use crate::ledger::Breach;
use crate::model::House;
use crate::state::State;

pub fn always() -> Vec<Property<House>> {
    vec![
        Property::always("what is sent was approved, to the letter", |_, state: &State| {
            let ledger = &state.ledger;
            ledger.sent.iter().all(|message| ledger.page(message.response_id).allows(message))
        }),
        Property::always("nobody decides on their own words", |_, state: &State| {
            keeps(state, Breach::DecidedOnOwnWords)
        }),
        Property::always("only what waits is decided on", |_, state: &State| {
            keeps(state, Breach::DecidedOnWhatDoesNotWait)
        }),
        Property::always("an approval is of the revision that was read", |_, state: &State| {
            keeps(state, Breach::ApprovedAnotherRevision)
        }),
        Property::always("who approves knows what the customer wrote since", |_, state: &State| {
            keeps(state, Breach::ApprovedUnread)
        }),
        Property::always("two approvals are of two people", |_, state: &State| {
            keeps(state, Breach::ApprovedTwice)
        }),
        Property::always("what a policy has picked stays picked", |_, state: &State| {
            keeps(state, Breach::Unpicked)
        }),
        Property::always("as many approve as it takes, since the customer wrote last", |_, state: &State| {
            let mut responses = state.database.responses.iter();
            responses.all(|response| state.ledger.page(response.id).agrees_with(response))
        }),
        Property::always("each agreement makes one delivery", |_, state: &State| {
            state.database.responses.iter().all(|response| {
                let deliveries = state.database.deliveries_of(response.id);
                deliveries.count() == state.ledger.page(response.id).agreements.len()
            })
        }),
        Property::always("a response is where its delivery is", is_where_its_delivery_is),
        Property::always("what was not tampered with is not withheld", |_, state: &State| {
            let mut withheld = state.database.deliveries.iter().filter(|delivery| {
                delivery.last_error.as_deref().is_some_and(|error| error.starts_with("withheld"))
            });
            withheld.all(|delivery| state.tampered.contains(&delivery.id))
        }),
        Property::always("what is reported as sent was sent", |_, state: &State| {
            let mut sent =
                state.database.deliveries.iter().filter(|delivery| delivery.status == DeliveryStatus::Sent);
            sent.all(|delivery| state.ledger.sent.iter().any(|message| message.delivery_id == delivery.id))
        }),
        Property::always(
            "when all work is done, whatever was approved is sent or has failed",
            |house: &House, state: &State| {
                // Without an instance, nobody does it.
                house.instances == 0 || !house.work(state).is_empty() || open(state) == 0
            },
        ),
    ]
}

pub fn can_be(status: ResponseStatus) -> Property<House> {
    macro_rules! sometimes {
        ($($status:ident),+) => {
            match status {
                $(ResponseStatus::$status => Property::sometimes(ResponseStatus::$status.as_str(), |_, state: &State| {
                    state.database.responses.iter().any(|one| one.status == ResponseStatus::$status)
                }),)+
            }
        };
    }
    sometimes!(Draft, PendingApproval, Approved, Rejected, Sent, DeliveryFailed)
}

fn keeps(state: &State, breach: Breach) -> bool {
    !state.ledger.breaches.contains(&breach)
}

/// Approved, and neither sent nor failed.
fn open(state: &State) -> usize {
    let responses = state.database.responses.iter();
    responses.filter(|response| response.status == ResponseStatus::Approved).count()
}

fn is_where_its_delivery_is(_: &House, state: &State) -> bool {
    state.database.responses.iter().all(|response| {
        let mut deliveries: Vec<_> = state.database.deliveries_of(response.id).collect();
        let last = deliveries.pop();
        let over = deliveries.iter().all(|delivery| delivery.status == DeliveryStatus::Failed);
        let fits = match (response.status, last.map(|delivery| delivery.status)) {
            (ResponseStatus::Approved, Some(DeliveryStatus::Pending))
            | (ResponseStatus::Sent, Some(DeliveryStatus::Sent))
            | (ResponseStatus::DeliveryFailed, Some(DeliveryStatus::Failed)) => true,
            (ResponseStatus::Draft | ResponseStatus::PendingApproval | ResponseStatus::Rejected, last) => {
                last.is_none_or(|status| status == DeliveryStatus::Failed)
            }
            _ => false,
        };
        over && fits
    })
}
