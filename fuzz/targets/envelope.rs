//! A message as anybody may publish it: routing key, `message_id` and a header on lines of their own, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nexus_actors::domain::envelope::{Arrival, Envelope};
use nexus_actors::domain::inquiry::is_channel;
use serde_json::{Map, Value};
use uuid::Uuid;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(4, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (routing_key, message_id, header) = (line(), line(), line());
    let body = parts.next().unwrap_or_default().to_vec();
    let envelope = Envelope {
        receipt: Uuid::nil(),
        routing_key,
        message_id: Some(message_id).filter(|id| !id.is_empty()),
        content_type: None,
        headers: Map::from_iter([("x-header".to_owned(), Value::from(header))]),
        body,
    };
    match envelope.understand() {
        Ok(Arrival::Inquiry { channel, identity, message }) => {
            assert!(is_channel(&channel), "{channel:?}");
            assert!(!identity.trim().is_empty() && !identity.contains(char::is_control), "{identity:?}");
            assert!(!message.message.contains('\0'));
        }
        Ok(Arrival::Report { .. }) => assert!(envelope.routing_key.starts_with("delivery.")),
        Err(refusal) => assert!(!refusal.error.is_empty(), "{:?}", refusal.reason),
    }
    // A header grants nothing and takes nothing away.
    let bare = Envelope { headers: Map::new(), ..envelope.clone() };
    assert_eq!(bare.understand().is_ok(), envelope.understand().is_ok());
});
