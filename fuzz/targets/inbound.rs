//! What a channel brings, as bytes on the broker: read without a panic, and what is taken is fit for the rest of the hub.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nexus_actors::domain::channel::InboundMessage;
use nexus_actors::domain::json;
use nexus_actors::domain::validation::MAX_SUBJECT;

fuzz_target!(|body: &[u8]| {
    let Ok(message) = json::parse::<InboundMessage>(body) else { return };
    let Ok(message) = message.validate("email") else { return };

    let subject = message.subject();
    assert!(!subject.trim().is_empty(), "an inquiry without a subject");
    assert!(subject.chars().count() <= MAX_SUBJECT && !subject.chars().any(char::is_control), "{subject:?}");

    // Taken in once, a message is taken in again, and is the same.
    let kept = serde_json::to_vec(&message).expect("a message is JSON");
    let again = json::parse::<InboundMessage>(&kept).expect("what was taken parses");
    let again = again.validate("email").expect("what was taken is valid");
    assert_eq!(serde_json::to_vec(&again).expect("a message is JSON"), kept);

    // The customer it makes could have been made over HTTP.
    message.customer.into_input().validate().expect("a customer with every field in order");
});
