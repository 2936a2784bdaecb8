//! The AsyncAPI 3.0 document: what crosses the broker, made of the very types that the code reads and writes.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`channels`] | exchanges, routing keys and queues, and what the hub does with them |
//! | [`messages`] | what is sent there |
//! | [`schemas`] | how it is built up |
//! | [`examples`] | one inquiry on its way through the hub |

mod channels;
mod examples;
mod messages;
mod schemas;

use serde_json::{Value, json};

const DESCRIPTION: &str = "What crosses the broker of the hub, seen from the hub: it *receives* what gateways bring in, \
    and *sends* approved replies, events and what it could not take.\n\n\
    All exchanges are durable topics, all messages persistent, all queues quorum queues. The hub publishes with \
    confirms and acknowledges what it has committed. Everything arrives at least once: `externalId`, `deliveryId` and \
    the `id` of an event say what is the same. What happened to one entity is published in that order.\n\n\
    `x-queue` in a channel's bindings names the queue that the hub declares there; more may be bound.";

/// The same each time, whatever the settings.
pub fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Customer Nexus Hub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "defaultContentType": "application/json",
        "servers": {"rabbitmq": server()},
        "channels": channels::channels(),
        "operations": channels::operations(),
        "components": {
            "messages": messages::messages(),
            "schemas": schemas::schemas(),
            "securitySchemes": {
                "userPassword": {
                    "type": "userPassword",
                    "description": "A user of RabbitMQ. A gateway needs to write to its exchange and to read its queue.",
                },
            },
        },
    })
}

fn server() -> Value {
    json!({
        "host": "{host}:{port}",
        "protocol": "amqp",
        "protocolVersion": "0-9-1",
        "title": "RabbitMQ",
        "description": "The one that the hub's `AMQP_URL` names.",
        "variables": {
            "host": {"default": "localhost"},
            "port": {"default": "5672", "examples": ["5672", "5671"]},
        },
        "security": [{"$ref": "#/components/securitySchemes/userPassword"}],
    })
}
