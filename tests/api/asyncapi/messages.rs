//! The messages' schemas: they take what is right, and nothing else.

use nexus_actors::domain::channel::InboundMessage;
use nexus_actors::domain::delivery::{DeliveryConfirmed, DeliveryFailed, OutboundMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::schemas::expect_valid;
use super::{document, keys, schemas};
use crate::document::resolve;

#[test]
fn every_example_is_as_its_schema_says() {
    let (document, schemas) = (document(), schemas());
    let (mut payloads, mut headers) = (0, 0);
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        for example in message["examples"].as_array().into_iter().flatten() {
            if let Some(payload) = example.get("payload") {
                payloads += 1;
                expect_valid(&schemas.of_message(name, "payload"), payload, name);
            }
            if let Some(given) = example.get("headers") {
                headers += 1;
                expect_valid(&schemas.of_message(name, "headers"), given, name);
            }
        }
    }
    assert_eq!((payloads, headers), (9, 1));
}

/// In the examples nothing is left out, and the types take back what they have written.
#[test]
fn every_field_of_a_message_is_in_its_schema() {
    all_of::<InboundMessage>("InboundInquiry");
    all_of::<OutboundMessage>("OutboundDelivery");
    all_of::<DeliveryConfirmed>("DeliveryConfirmed");
    all_of::<DeliveryFailed>("DeliveryFailed");
    let document = document();
    let customer =
        &document["components"]["messages"]["InboundInquiry"]["examples"][0]["payload"]["customer"];
    assert_eq!(keys(customer), keys(&document["components"]["schemas"]["InboundCustomer"]["properties"]));
}

fn all_of<T: DeserializeOwned + Serialize>(message: &str) {
    let document = document();
    let message = &document["components"]["messages"][message];
    let payload = &message["examples"][0]["payload"];
    assert_eq!(keys(payload), keys(&resolve(&document, &message["payload"])["properties"]));
    let read: T = serde_json::from_value(payload.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), payload);
}

/// Contract sections 5.1 and 5.2, to the letter.
#[test]
fn the_examples_of_the_contract_are_as_the_schemas_say() {
    let schemas = schemas();
    let inbound = json!({
        "externalId": "<CAF=abc@mail.example>", "threadId": "optional, the channel's conversation id",
        "customer": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace", "phone": null,
            "company": null},
        "subject": "Where is my order?", "message": "…", "priority": "medium", "category": "shipping",
        "metadata": {}
    });
    let inquiry = schemas.of_message("InboundInquiry", "payload");
    expect_valid(&inquiry, &inbound, "5.1");
    let least = json!({"customer": {"email": "ada@example.com"}, "message": "…"});
    expect_valid(&inquiry, &least, "5.1 with what is needed");
    let id = Uuid::now_v7();
    let outbound = json!({
        "deliveryId": id, "responseId": id, "inquiryId": id, "revision": 3, "channel": "email",
        "externalId": "of the inquiry", "threadId": null,
        "to": {"customerId": id, "email": "ada@example.com", "phone": null, "name": "Ada Lovelace"},
        "subject": "Re: Where is my order?", "message": "…", "approvedBy": id,
        "approvedAt": "2026-06-01T08:30:00.000Z"
    });
    expect_valid(&schemas.of_message("OutboundDelivery", "payload"), &outbound, "5.2");
    let confirmed = json!({"deliveryId": id, "deliveredAt": "2026-06-01T08:31:00Z"});
    expect_valid(&schemas.of_message("DeliveryConfirmed", "payload"), &confirmed, "delivery.confirmed");
    let failed = json!({"deliveryId": id, "reason": "…", "permanent": true});
    expect_valid(&schemas.of_message("DeliveryFailed", "payload"), &failed, "delivery.failed");
}

/// The hub and the schema agree on what is wrong, so that a gateway can check before it publishes.
#[test]
fn what_the_hub_refuses_its_schema_refuses() {
    let schemas = schemas();
    let inquiry = schemas.of_message("InboundInquiry", "payload");
    let good = json!({"customer": {"email": "ada@example.com"}, "message": "Hello"});
    for (pointer, field, value) in [
        ("", "role", json!("admin")),
        ("", "message", json!("")),
        ("", "message", json!("x".repeat(200_001))),
        ("", "message", json!(null)),
        ("", "priority", json!("asap")),
        ("", "priority", json!(null)),
        ("", "subject", json!("x".repeat(301))),
        ("", "externalId", json!("x".repeat(999))),
        ("", "metadata", json!([])),
        ("", "customer", json!("Ada")),
        ("/customer", "email", json!("nobody")),
        ("/customer", "id", json!(Uuid::nil())),
        ("/customer", "phone", json!("1".repeat(51))),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap()[field] = value.clone();
        assert!(!inquiry.is_valid(&bad), "{pointer}/{field} {value}");
        let refused = serde_json::from_value::<InboundMessage>(bad).map(|read| read.validate("email"));
        assert!(!matches!(refused, Ok(Ok(_))), "{pointer}/{field}");
    }
    let failed = schemas.of_message("DeliveryFailed", "payload");
    for bad in [
        json!({"deliveryId": "7", "reason": "bounced"}),
        json!({"deliveryId": Uuid::nil(), "reason": ""}),
        json!({"deliveryId": Uuid::nil()}),
        json!({"deliveryId": Uuid::nil(), "reason": "bounced", "permanent": null}),
        json!({"deliveryId": Uuid::nil(), "reason": "bounced", "code": 550}),
    ] {
        assert!(!failed.is_valid(&bad), "{bad}");
    }
}

#[test]
fn an_event_without_one_of_its_fields_or_with_anothers_data_is_not_as_its_schema_says() {
    let (document, schemas) = (document(), schemas());
    let event = &document["components"]["messages"]["response.approved"]["examples"][0]["payload"];
    let approved = schemas.of_message("response.approved", "payload");
    for pointer in ["", "/data"] {
        for field in keys(event.pointer(pointer).unwrap()) {
            let mut without = event.clone();
            let fields: &mut Map<String, Value> =
                without.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
            fields.remove(field);
            assert!(!approved.is_valid(&without), "{pointer}/{field} may be left out");
        }
    }
    for other in ["response.sent", "customer.created"] {
        assert!(!schemas.of_message(other, "payload").is_valid(event), "{other}");
    }
}
