//! How messages are built up: the `ToSchema` of the types that the code reads and writes, as AsyncAPI takes it.
//!
//! utoipa writes JSON Schema 2020-12, as OpenAPI 3.1 wants it; AsyncAPI's own schemas are of draft 7.

use std::collections::BTreeMap;

use chrono::DateTime;
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::channel::InboundMessage;
use nexus_actors::domain::cloud_event::CloudEvent;
use nexus_actors::domain::customer::Customer;
use nexus_actors::domain::dead_letter::DeadLetter;
use nexus_actors::domain::delivery::{DeliveryConfirmed, DeliveryFailed, OutboundMessage};
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::inquiry::Inquiry;
use nexus_actors::domain::response::Response;
use nexus_actors::domain::user::User;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use uuid::Uuid;

type Schemas = BTreeMap<String, Value>;
type Add = fn(&mut Schemas);

/// What the data of every event has besides its entity.
const ACTED: &str = "Acted";

/// With all that they refer to.
pub(super) fn schemas() -> Schemas {
    let mut schemas = Schemas::new();
    add::<InboundMessage>(&mut schemas);
    add::<DeliveryConfirmed>(&mut schemas);
    add::<DeliveryFailed>(&mut schemas);
    add::<OutboundMessage>(&mut schemas);
    add::<CloudEvent>(&mut schemas);
    if let Some(schema) = schemas.get_mut(&*CloudEvent::name()) {
        fix(schema);
    }
    for &entity in EntityType::ALL {
        if let Some((_, add)) = data_of(entity) {
            add(&mut schemas);
        }
    }
    schemas.insert(ACTED.to_owned(), acted());
    schemas
}

/// Of an event's `data`: the entity, and who did it.
pub(super) fn data_schema(entity: EntityType) -> Value {
    match data_of(entity) {
        Some((schema, _)) => json!({"allOf": [schema, reference(&["components", "schemas", ACTED])]}),
        None => json!({}),
    }
}

pub(super) fn schema_of<T: ToSchema>() -> Value {
    reference(&["components", "schemas", &T::name()])
}

/// Within the document.
pub(super) fn reference(path: &[&str]) -> Value {
    json!({"$ref": format!("#/{}", path.join("/"))})
}

/// The type that events about an entity carry, if there are any.
fn data_of(entity: EntityType) -> Option<(Value, Add)> {
    match entity {
        EntityType::Customer => Some((schema_of::<Customer>(), add::<Customer>)),
        EntityType::Inquiry => Some((schema_of::<Inquiry>(), add::<Inquiry>)),
        EntityType::Response => Some((schema_of::<Response>(), add::<Response>)),
        EntityType::User => Some((schema_of::<User>(), add::<User>)),
        EntityType::DeadLetter => Some((schema_of::<DeadLetter>(), add::<DeadLetter>)),
        EntityType::Session
        | EntityType::Delivery
        | EntityType::ApiKey
        | EntityType::Notification
        | EntityType::Webhook
        | EntityType::WebhookAttempt => None,
    }
}

/// What [`Event::published_data`](nexus_actors::domain::Event::published_data) adds.
fn acted() -> Value {
    json!({
        "type": "object",
        "properties": {
            "actorId": {
                "type": ["string", "null"],
                "format": "uuid",
                "description": "The user who did it; null when the hub acted by itself.",
            },
        },
        "required": ["actorId"],
    })
}

/// What is the same in every event, as the code writes it.
fn fix(cloud_event: &mut Value) {
    let now = Timestamp::from_utc(DateTime::UNIX_EPOCH);
    let any = CloudEvent::new(Uuid::nil(), String::new(), Uuid::nil(), now, RawValue::NULL.to_owned());
    let fields =
        [("specversion", any.specversion), ("source", any.source), ("datacontenttype", any.datacontenttype)];
    for (name, value) in fields {
        cloud_event["properties"][name]["const"] = json!(value);
    }
}

fn add<T: ToSchema>(schemas: &mut Schemas) {
    let mut found: Vec<(String, RefOr<Schema>)> = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    schemas.extend(found.into_iter().map(|(name, schema)| (name, in_draft_7(json!(schema)))));
}

fn in_draft_7(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => {
            Value::Object(beside_no_reference(fields.into_iter().map(keyword).collect()))
        }
        Value::Array(schemas) => schemas.into_iter().map(in_draft_7).collect(),
        other => other,
    }
}

fn keyword((name, value): (String, Value)) -> (String, Value) {
    match (name.as_str(), value) {
        ("properties", Value::Object(properties)) => {
            let each = properties.into_iter().map(|(name, schema)| (name, in_draft_7(schema)));
            (name, Value::Object(each.collect()))
        }
        ("items" | "additionalProperties" | "propertyNames" | "allOf" | "anyOf" | "oneOf", value) => {
            (name, in_draft_7(value))
        }
        // OpenAPI's own.
        ("example", value) => ("examples".to_owned(), json!([value])),
        (_, value) => (name, value),
    }
}

/// In draft 7 whatever stands beside a `$ref` is ignored.
fn beside_no_reference(mut fields: Map<String, Value>) -> Map<String, Value> {
    if fields.len() > 1
        && let Some(reference) = fields.remove("$ref")
    {
        fields.insert("allOf".to_owned(), json!([{"$ref": reference}]));
    }
    fields
}
