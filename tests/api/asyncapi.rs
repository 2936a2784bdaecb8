//! The AsyncAPI document: that it is one, that it is served as it is printed, and that what the hub publishes is as it
//! says.

mod life;
mod messages;
mod schemas;

use nexus_actors::domain::event::EventType;
use serde_json::{Value, json};

use self::schemas::{Schemas, expect_valid};
use crate::harness::{TestHub, on_both_engines};

on_both_engines!(the_document_is_served_as_it_is_printed);
on_both_engines!(with SWITCHED_OFF; switched_off_it_is_not_served);

const SWITCHED_OFF: &[(&str, &str)] = &[("SWAGGER_ENABLED", "false")];

fn document() -> Value {
    nexus_hub::asyncapi::document()
}

fn schemas() -> Schemas {
    Schemas::of(document())
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn it_is_an_asyncapi_document_by_the_schema_of_the_standard() {
    let standard: Value = serde_json::from_str(include_str!("../schemas/asyncapi-3.0.0.json")).unwrap();
    let standard = jsonschema::options().should_validate_formats(true).build(&standard).unwrap();
    expect_valid(&standard, &document(), "the document");
    let mut broken = document();
    broken["operations"]["sendDelivery"]["action"] = json!("publish");
    assert!(!standard.is_valid(&broken), "the schema takes anything");
}

/// What the standard's schema cannot see.
#[test]
fn its_parts_fit_together() {
    let document = document();
    let (mut references, mut lost) = (0, Vec::new());
    walk(&document, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            references += 1;
            assert_eq!(value.as_object().unwrap().len(), 1, "draft 7 ignores what is beside {reference}");
            let found = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            lost.extend(found.is_none().then_some(reference));
        }
    });
    assert_eq!(lost, [""; 0], "of {references} references");
    assert!(references > 100, "{references}");

    let mut used: Vec<String> = Vec::new();
    for (name, operation) in document["operations"].as_object().unwrap() {
        let channel = operation["channel"]["$ref"].as_str().unwrap();
        for message in operation["messages"].as_array().unwrap() {
            let message = message["$ref"].as_str().unwrap();
            assert!(message.starts_with(&format!("{channel}/messages/")), "{name}: {message}");
            used.push(message.rsplit('/').next().unwrap().to_owned());
        }
    }
    used.sort();
    let mut messages = keys(&document["components"]["messages"]);
    messages.sort_unstable();
    assert_eq!(used, messages, "each message belongs to one operation");
    for (name, channel) in document["channels"].as_object().unwrap() {
        let address = channel["address"].as_str().unwrap();
        let named = address.split('{').skip(1).map(|part| part.split('}').next().unwrap());
        let parameters = channel.get("parameters").map(keys).unwrap_or_default();
        assert_eq!(named.collect::<Vec<_>>(), parameters, "{name}");
    }
}

fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Contract section 5.
#[test]
fn it_names_the_exchanges_keys_and_queues_of_the_contract() {
    let document = document();
    let channels = document["channels"].as_object().unwrap().values();
    let mut found: Vec<_> = channels
        .map(|channel| {
            let amqp = &channel["bindings"]["amqp"];
            assert_eq!(
                (&amqp["exchange"]["type"], &amqp["exchange"]["durable"]),
                (&json!("topic"), &json!(true))
            );
            let queue = amqp["x-queue"]["name"].as_str().unwrap_or_default();
            (amqp["exchange"]["name"].as_str().unwrap(), channel["address"].as_str().unwrap(), queue)
        })
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("nexus.dead-letters", "{routingKey}", "nexus.dead-letters"),
            ("nexus.events", "{type}", ""),
            ("nexus.inbound", "delivery.confirmed", "nexus.inbound.deliveries"),
            ("nexus.inbound", "delivery.failed", "nexus.inbound.deliveries"),
            ("nexus.inbound", "inquiry.{channel}", "nexus.inbound.inquiries"),
            ("nexus.outbound", "delivery.{channel}", "nexus.outbound.{channel}"),
        ]
    );
    let actions = document["operations"].as_object().unwrap();
    for (name, operation) in actions {
        let action = if name.starts_with("receive") { "receive" } else { "send" };
        assert_eq!(operation["action"], action, "{name}");
    }
    // As the API has it.
    let openapi = crate::document::document();
    let channel = &openapi["components"]["schemas"]["NewInquiry"]["properties"]["channel"]["pattern"];
    for name in ["inboundInquiry", "outboundDelivery"] {
        assert_eq!(&document["channels"][name]["parameters"]["channel"]["x-pattern"], channel, "{name}");
    }
}

#[test]
fn every_event_that_is_published_is_in_it_and_no_other() {
    let document = document();
    let published = EventType::ALL.iter().filter(|one| one.entity_type().is_published());
    let mut published: Vec<_> = published.map(|one| one.as_str()).collect();
    published.sort_unstable();
    let events = &document["channels"]["events"];
    assert_eq!(keys(&events["messages"]), published);
    let mut listed: Vec<_> = events["parameters"]["type"]["enum"].as_array().unwrap().clone();
    listed.sort_by_key(ToString::to_string);
    assert_eq!(listed, published);
    for name in published {
        let message = &document["components"]["messages"][name];
        assert_eq!(message["contentType"], "application/cloudevents+json", "{name}");
        assert!(!message["summary"].as_str().unwrap().is_empty(), "{name}");
    }
}

async fn the_document_is_served_as_it_is_printed(hub: &TestHub) {
    let served = hub.anonymous().get("//api-docs/asyncapi.json").await;
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.expect(200), document());
    let openapi = crate::document::document();
    assert_eq!(openapi["externalDocs"]["url"], "/api-docs/asyncapi.json");
    let wrong = hub.anonymous().send(reqwest::Method::POST, "//api-docs/asyncapi.json", None, &[]).await;
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "GET");
}

async fn switched_off_it_is_not_served(hub: &TestHub) {
    hub.anonymous().get("//api-docs/asyncapi.json").await.problem(404);
}
