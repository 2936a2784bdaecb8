//! Exchanges, routing keys and queues (contract section 5), and what the hub does with them.

use nexus_actors::domain::event::EventType;
use serde_json::{Map, Value, json};

use super::messages::{
    self, BINDING_VERSION, DEAD_LETTER, DELIVERY_CONFIRMED, DELIVERY_FAILED, INQUIRY, OUTBOUND,
};
use super::schemas::reference;

const INBOUND_EXCHANGE: &str = "nexus.inbound";
const OUTBOUND_EXCHANGE: &str = "nexus.outbound";
const EVENTS_EXCHANGE: &str = "nexus.events";
const DEAD_LETTERS_EXCHANGE: &str = "nexus.dead-letters";

/// AMQP's delivery mode.
const PERSISTENT: u8 = 2;

const CHANNEL_PATTERN: &str = "^[a-z][a-z0-9_-]{0,31}$";

/// A queue that the hub declares.
struct Queue {
    name: &'static str,
    /// Of its binding to the exchange.
    key: &'static str,
}

const INQUIRIES: Queue = Queue { name: "nexus.inbound.inquiries", key: "inquiry.#" };
const REPORTS: Queue = Queue { name: "nexus.inbound.deliveries", key: "delivery.#" };
/// For each channel in the settings.
const REPLIES: Queue = Queue { name: "nexus.outbound.{channel}", key: "delivery.{channel}" };
const DEAD_LETTERS: Queue = Queue { name: "nexus.dead-letters", key: "#" };

pub(super) fn channels() -> Value {
    json!({
        "inboundInquiry": {
            "address": "inquiry.{channel}",
            "title": "Inquiries",
            "description": "What customers write: a new inquiry, or the next message of one. At most 1 MiB.",
            "parameters": {"channel": channel_parameter()},
            "messages": listed([INQUIRY]),
            "bindings": bindings(INBOUND_EXCHANGE, Some(INQUIRIES)),
        },
        "deliveryConfirmed": {
            "address": "delivery.confirmed",
            "title": "Deliveries that were made",
            "messages": listed([DELIVERY_CONFIRMED]),
            "bindings": bindings(INBOUND_EXCHANGE, Some(REPORTS)),
        },
        "deliveryFailed": {
            "address": "delivery.failed",
            "title": "Deliveries that failed",
            "messages": listed([DELIVERY_FAILED]),
            "bindings": bindings(INBOUND_EXCHANGE, Some(REPORTS)),
        },
        "outboundDelivery": {
            "address": "delivery.{channel}",
            "title": "Replies to send",
            "description": "Approved replies, for the gateway of the channel to send. It answers on `delivery.confirmed` \
                or `delivery.failed`.",
            "parameters": {"channel": channel_parameter()},
            "messages": listed([OUTBOUND]),
            "bindings": bindings(OUTBOUND_EXCHANGE, Some(REPLIES)),
        },
        "events": {
            "address": "{type}",
            "title": "Events",
            "description": "What happened, as CloudEvents 1.0 in structured JSON. Bind a queue of your own, with a key \
                such as `response.*`.",
            "parameters": {
                "type": {
                    "description": "The event's `type`.",
                    "enum": messages::event_types().map(EventType::as_str).collect::<Vec<_>>(),
                    "location": "$message.payload#/type",
                },
            },
            "messages": listed(messages::event_types().map(EventType::as_str)),
            "bindings": bindings(EVENTS_EXCHANGE, None),
        },
        "deadLetters": {
            "address": "{routingKey}",
            "title": "Dead letters",
            "description": "What gateways published and the hub cannot take. The hub keeps each of them too, to be \
                replayed or discarded: see the event `dead_letter.added`.",
            "parameters": {
                "routingKey": {"description": "The one it came with.", "examples": ["inquiry.email"]},
            },
            "messages": listed([DEAD_LETTER]),
            "bindings": bindings(DEAD_LETTERS_EXCHANGE, Some(DEAD_LETTERS)),
        },
    })
}

pub(super) fn operations() -> Value {
    let receive = |channel: &str, message: &str, summary: &str| {
        let messages = vec![message];
        operation("receive", channel, messages, summary, json!({"ack": true, "deliveryMode": PERSISTENT}))
    };
    json!({
        "receiveInquiry": receive(
            "inboundInquiry",
            INQUIRY,
            "Takes in what a customer wrote, once however often it comes. What cannot be taken is a dead letter.",
        ),
        "receiveDeliveryConfirmed": receive(
            "deliveryConfirmed",
            DELIVERY_CONFIRMED,
            "Makes the response `sent`. An unknown delivery, or one that has failed, is a dead letter.",
        ),
        "receiveDeliveryFailed": receive(
            "deliveryFailed",
            DELIVERY_FAILED,
            "Sends the reply again later, or makes the response `delivery_failed`.",
        ),
        "sendDelivery": operation(
            "send",
            "outboundDelivery",
            vec![OUTBOUND],
            "Hands exactly the text that a manager approved to the channel's gateway.",
            json!({"deliveryMode": PERSISTENT, "mandatory": true}),
        ),
        "publishEvent": operation(
            "send",
            "events",
            messages::event_types().map(EventType::as_str).collect(),
            "Tells what happened, if and only if it was committed.",
            json!({"deliveryMode": PERSISTENT}),
        ),
        "publishDeadLetter": operation(
            "send",
            "deadLetters",
            vec![DEAD_LETTER],
            "Passes on what the hub cannot take, with the reason.",
            json!({"deliveryMode": PERSISTENT}),
        ),
    })
}

fn channel_parameter() -> Value {
    json!({
        "description": format!("The gateway's channel; matches `{CHANNEL_PATTERN}`."),
        "examples": ["email", "chat"],
        // Parameters have no schema in AsyncAPI 3.
        "x-pattern": CHANNEL_PATTERN,
    })
}

fn listed<'a>(messages: impl IntoIterator<Item = &'a str>) -> Value {
    let each =
        messages.into_iter().map(|name| (name.to_owned(), reference(&["components", "messages", name])));
    Value::Object(each.collect())
}

/// AsyncAPI's own fields describe an exchange or a queue, never both.
fn bindings(exchange: &str, queue: Option<Queue>) -> Value {
    let mut amqp = Map::from_iter([
        ("is".to_owned(), json!("routingKey")),
        (
            "exchange".to_owned(),
            json!({"name": exchange, "type": "topic", "durable": true, "autoDelete": false}),
        ),
        ("bindingVersion".to_owned(), json!(BINDING_VERSION)),
    ]);
    if let Some(Queue { name, key }) = queue {
        let queue = json!({"name": name, "type": "quorum", "durable": true, "bindingKey": key});
        amqp.insert("x-queue".to_owned(), queue);
    }
    json!({"amqp": amqp})
}

fn operation(action: &str, channel: &str, messages: Vec<&str>, summary: &str, amqp: Value) -> Value {
    let of_channel = |name: &&str| reference(&["channels", channel, "messages", name]);
    let mut amqp = amqp;
    amqp["bindingVersion"] = json!(BINDING_VERSION);
    json!({
        "action": action,
        "channel": reference(&["channels", channel]),
        "messages": messages.iter().map(of_channel).collect::<Vec<_>>(),
        "summary": summary,
        "bindings": {"amqp": amqp},
    })
}
