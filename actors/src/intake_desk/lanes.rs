//! Many messages in a few transactions, side by side.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter;

use super::TakeIn;
use crate::domain::customer::email_key;

/// Transactions that one batch is split into, at most.
const LANES: usize = 4;
/// Messages that are worth a transaction.
const LANE: usize = 50;

/// Messages to be taken in one transaction, and their places among all.
#[derive(Default)]
pub(super) struct Lane {
    pub places: Vec<usize>,
    pub messages: Vec<TakeIn>,
}

/// Splits many messages so that the database works on several transactions at a time. All of one sender stay together
/// and in their order: a conversation has one customer, and none is created twice.
pub(super) fn lanes(inquiries: Vec<(usize, TakeIn)>) -> Vec<Lane> {
    let count = (inquiries.len() / LANE).clamp(1, LANES);
    let mut lanes: Vec<Lane> = iter::repeat_with(Lane::default).take(count).collect();
    for (place, message) in inquiries {
        let mut hasher = DefaultHasher::new();
        email_key(&message.message.customer.email).hash(&mut hasher);
        let lane = &mut lanes[(hasher.finish() % count as u64) as usize];
        lane.places.push(place);
        lane.messages.push(message);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::Origin;
    use crate::domain::channel::{InboundCustomer, InboundMessage};

    fn from(email: String) -> TakeIn {
        let customer =
            InboundCustomer { email, first_name: None, last_name: None, phone: None, company: None };
        let message = InboundMessage {
            external_id: None,
            thread_id: None,
            customer,
            subject: None,
            message: "Where is it?".to_owned(),
            priority: None,
            category: None,
            metadata: None,
        };
        TakeIn {
            channel: "email".to_owned(),
            identity: None,
            message,
            origin: Origin::default(),
            claim: None,
        }
    }

    proptest! {
        #[test]
        fn every_message_is_in_one_lane_and_each_sender_in_order(senders in prop::collection::vec((0u8..40, any::<bool>()), 0..400)) {
            let messages = senders.iter().enumerate().map(|(place, (sender, loud))| {
                let email = format!("ada{sender}@example.com");
                (place, from(if *loud { email.to_uppercase() } else { email }))
            });
            let lanes = lanes(messages.collect());
            prop_assert!(lanes.len() <= LANES);
            let mut seen: Vec<usize> = lanes.iter().flat_map(|lane| lane.places.clone()).collect();
            let mut lane_of = HashMap::new();
            for (number, lane) in lanes.iter().enumerate() {
                prop_assert_eq!(lane.places.len(), lane.messages.len());
                prop_assert!(lane.places.is_sorted());
                for &place in &lane.places {
                    prop_assert_eq!(*lane_of.entry(senders[place].0).or_insert(number), number);
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..senders.len()).collect::<Vec<_>>());
        }
    }
}
