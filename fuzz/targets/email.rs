//! A mail as anybody may send it, read by the email gateway: what it publishes, the hub takes.
#![no_main]

#[path = "../../examples/email-gateway/automatic.rs"]
mod automatic;
#[path = "../../examples/email-gateway/bounce.rs"]
mod bounce;
#[path = "../../examples/email-gateway/charset.rs"]
mod charset;
#[path = "../../examples/email-gateway/clients.rs"]
mod clients;
#[path = "../../examples/email-gateway/html.rs"]
mod html;
#[path = "../../examples/email-gateway/mail.rs"]
mod mail;
#[path = "../../examples/email-gateway/reading.rs"]
mod reading;
#[path = "../../examples/email-gateway/reply.rs"]
mod reply;

use libfuzzer_sys::fuzz_target;
use nexus_actors::domain::envelope::Envelope;
use serde::Serialize;
use serde_json::Map;
use uuid::Uuid;

use crate::reading::{Reading, read};

fuzz_target!(|raw: &[u8]| {
    match read(raw, &["support@shop.example".to_owned()]) {
        Reading::Inquiry { message_id, message } => taken("inquiry.email", message_id, &message),
        Reading::Bounce { message_id, report } => taken("delivery.failed", message_id, &report),
        Reading::Ignored(reason) | Reading::Rejected(reason) => assert!(!reason.is_empty()),
    }
});

fn taken(routing_key: &str, message_id: String, message: &impl Serialize) {
    let envelope = Envelope {
        receipt: Uuid::nil(),
        routing_key: routing_key.to_owned(),
        message_id: Some(message_id),
        content_type: None,
        headers: Map::new(),
        body: serde_json::to_vec(message).expect("a message is JSON"),
    };
    if let Err(refusal) = envelope.understand() {
        panic!("the hub refuses what the gateway publishes: {refusal:?}");
    }
}
