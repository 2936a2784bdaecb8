//! What the hub publishes, as it goes on the wire.

use nexus_actors::HubError;
use nexus_actors::domain::cloud_event::{self, CloudEvent};
use nexus_actors::domain::dead_letter::BuriedMessage;
use nexus_actors::domain::delivery::OutboundMessage;
use nexus_actors::port::Outgoing;
use serde::Serialize;
use serde_json::{Map, Value};

use super::topology::{Topology, delivery_key};

const JSON: &str = "application/json";
/// Characters of `x-nexus-error`. The dead letter in the database has all of it.
const ERROR: usize = 2000;

/// A message with its properties.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub exchange: String,
    pub routing_key: String,
    pub message_id: Option<String>,
    pub content_type: Option<String>,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// The hub's own, which take precedence.
    pub hub_headers: Vec<(&'static str, String)>,
    pub headers: Map<String, Value>,
    pub body: Vec<u8>,
    /// A queue must take it, or it comes back.
    pub mandatory: bool,
}

impl Parcel {
    /// # Errors
    /// `Internal` for what cannot be written as JSON.
    pub fn of(message: &Outgoing, topology: &Topology) -> Result<Self, HubError> {
        match message {
            Outgoing::Event(event) => Self::event(event, topology),
            Outgoing::Delivery(message) => Self::delivery(message, topology),
            Outgoing::DeadLetter(buried) => Ok(Self::dead_letter(buried, topology)),
        }
    }

    fn event(event: &CloudEvent, topology: &Topology) -> Result<Self, HubError> {
        Ok(Self {
            exchange: topology.events(),
            routing_key: event.event_type.clone(),
            message_id: Some(event.id.to_string()),
            content_type: Some(cloud_event::CONTENT_TYPE.to_owned()),
            timestamp: seconds(event.time.millis()),
            hub_headers: Vec::new(),
            headers: Map::new(),
            body: json(event)?,
            mandatory: false,
        })
    }

    fn delivery(message: &OutboundMessage, topology: &Topology) -> Result<Self, HubError> {
        Ok(Self {
            exchange: topology.outbound(),
            routing_key: delivery_key(&message.channel),
            message_id: Some(message.delivery_id.to_string()),
            content_type: Some(JSON.to_owned()),
            timestamp: seconds(message.approved_at.millis()),
            hub_headers: Vec::new(),
            headers: Map::new(),
            body: json(message)?,
            mandatory: true,
        })
    }

    fn dead_letter(buried: &BuriedMessage, topology: &Topology) -> Self {
        let letter = &buried.letter;
        Self {
            exchange: topology.dead_letters(),
            routing_key: letter.routing_key.clone(),
            message_id: letter.message_id.clone(),
            content_type: letter.content_type.clone(),
            timestamp: seconds(letter.created_at.millis()),
            hub_headers: vec![
                ("x-nexus-reason", letter.reason.to_string()),
                ("x-nexus-error", letter.error.chars().take(ERROR).collect()),
                ("x-nexus-dead-letter-id", letter.id.to_string()),
            ],
            headers: letter.headers.clone(),
            body: buried.body.clone(),
            mandatory: false,
        }
    }
}

fn json(message: &impl Serialize) -> Result<Vec<u8>, HubError> {
    serde_json::to_vec(message).map_err(|error| HubError::Internal(error.to_string()))
}

fn seconds(millis: i64) -> u64 {
    u64::try_from(millis / 1000).unwrap_or(0)
}
