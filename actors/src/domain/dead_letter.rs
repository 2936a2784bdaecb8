//! Messages the hub cannot take. Kept whole, so that they can be replayed once the cause is mended.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Timestamp;
use super::envelope::{Envelope, Refusal};
use super::text_enum::text_enum;

text_enum!(DeadLetterStatus { Open = "open", Replayed = "replayed", Discarded = "discarded" });

text_enum!(
    /// Why a message was not taken.
    DeadLetterReason {
        TooLarge = "too_large",
        BadJson = "bad_json",
        ValidationFailed = "validation_failed",
        NoChannel = "no_channel",
        UnknownRoutingKey = "unknown_routing_key",
        UnknownDelivery = "unknown_delivery",
        ContradictingReport = "contradicting_report",
        // The hub failed on it again and again.
        FailedRepeatedly = "failed_repeatedly",
    }
);

/// As `GET /dead-letters/:id` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub id: Uuid,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub status: DeadLetterStatus,
    pub reason: DeadLetterReason,
    /// The reason in detail.
    pub error: String,
    pub routing_key: String,
    /// The AMQP `message_id`.
    #[schema(required)]
    pub message_id: Option<String>,
    #[schema(required)]
    pub content_type: Option<String>,
    pub headers: Map<String, Value>,
    /// Bytes of the body.
    pub size: i64,
    /// The body as text; what is not UTF-8 is replaced. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub body: Option<String>,
}

/// A dead letter with its body as it came.
#[derive(Clone, Debug)]
pub struct BuriedMessage {
    pub letter: DeadLetter,
    pub body: Vec<u8>,
}

/// A move that a dead letter does not have: it is settled once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dead letter is already {0}")]
pub struct AlreadySettled(pub DeadLetterStatus);

impl BuriedMessage {
    pub fn new(id: Uuid, envelope: &Envelope, refusal: &Refusal, now: Timestamp) -> Self {
        let letter = DeadLetter {
            id,
            version: 1,
            created_at: now,
            updated_at: now,
            status: DeadLetterStatus::Open,
            reason: refusal.reason,
            error: storable(&refusal.error),
            routing_key: storable(&envelope.routing_key),
            message_id: envelope.message_id.as_deref().map(storable),
            content_type: envelope.content_type.as_deref().map(storable),
            headers: envelope.headers.iter().map(|(name, value)| (storable(name), tamed(value))).collect(),
            size: i64::try_from(envelope.body.len()).unwrap_or(i64::MAX),
            body: None,
        };
        Self { letter, body: envelope.body.clone() }
    }

    /// The message as it came. A replay of one without an id of its own counts once, too.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            receipt: self.letter.id,
            routing_key: self.letter.routing_key.clone(),
            message_id: self.letter.message_id.clone(),
            content_type: self.letter.content_type.clone(),
            headers: self.letter.headers.clone(),
            body: self.body.clone(),
        }
    }

    pub fn shown(self) -> DeadLetter {
        DeadLetter { body: Some(String::from_utf8_lossy(&self.body).into_owned()), ..self.letter }
    }
}

impl DeadLetter {
    /// Replayed or discarded, once.
    pub fn settle(&self, status: DeadLetterStatus, now: Timestamp) -> Result<Self, AlreadySettled> {
        match self.status {
            DeadLetterStatus::Open => {
                Ok(Self { version: self.version + 1, updated_at: now, status, ..self.clone() })
            }
            DeadLetterStatus::Replayed | DeadLetterStatus::Discarded => Err(AlreadySettled(self.status)),
        }
    }

    /// A replay failed; the reason as it now is.
    #[must_use]
    pub fn refused_again(&self, refusal: &Refusal, now: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            updated_at: now,
            reason: refusal.reason,
            error: storable(&refusal.error),
            ..self.clone()
        }
    }
}

/// PostgreSQL stores no NUL, and a dead letter that cannot be stored would block its queue.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn tamed(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text)),
        Value::Array(items) => items.iter().map(tamed).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (storable(name), tamed(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
