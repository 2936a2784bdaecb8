//! What subscribers of `nexus.events` get: [CloudEvents 1.0](https://cloudevents.io) in structured JSON
//! (contract section 5.3).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Event, Timestamp};

pub const CONTENT_TYPE: &str = "application/cloudevents+json";

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CloudEvent {
    #[schema(example = "1.0")]
    pub specversion: String,
    pub id: Uuid,
    #[schema(example = "/nexus-hub")]
    pub source: String,
    /// What happened; also the routing key.
    #[serde(rename = "type")]
    #[schema(example = "response.approved")]
    pub event_type: String,
    /// The entity's id.
    pub subject: Uuid,
    pub time: Timestamp,
    #[schema(example = "application/json")]
    pub datacontenttype: String,
    /// The entity as the API shows it, with `actorId`: who did it, null when the hub acted by itself.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
}

impl CloudEvent {
    pub fn new(id: Uuid, event_type: String, subject: Uuid, time: Timestamp, data: Box<RawValue>) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id,
            source: "/nexus-hub".to_owned(),
            event_type,
            subject,
            time,
            datacontenttype: "application/json".to_owned(),
            data,
        }
    }
}

impl From<&Event> for CloudEvent {
    fn from(event: &Event) -> Self {
        let event_type = event.event_type.to_string();
        Self::new(event.id, event_type, event.entity_id, event.time, event.published_data())
    }
}
