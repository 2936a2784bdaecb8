//! A message as a gateway published it, and what it asks for (contract section 5).

use serde_json::{Map, Value};
use uuid::Uuid;

use super::channel::InboundMessage;
use super::dead_letter::DeadLetterReason;
use super::delivery::{DeliveryConfirmed, DeliveryFailed, Report};
use super::inquiry::is_channel;
use super::json::{self, JsonError};
use super::validation::MAX_NOTES;
use super::{Checks, FieldError};

/// Bytes a message may have, over HTTP as well.
pub const MAX_BODY: usize = 1024 * 1024;

#[derive(Clone, Debug)]
pub struct Envelope {
    /// Names this receipt: stands in for an id the message does not have, so that trying again does not double it.
    pub receipt: Uuid,
    pub routing_key: String,
    /// The AMQP `message_id`.
    pub message_id: Option<String>,
    pub content_type: Option<String>,
    pub headers: Map<String, Value>,
    pub body: Vec<u8>,
}

/// What a message asks for.
#[derive(Clone, Debug)]
pub enum Arrival {
    Inquiry {
        channel: String,
        /// What identifies it within its channel.
        identity: String,
        message: Box<InboundMessage>,
    },
    Report {
        delivery_id: Uuid,
        report: Report,
    },
}

/// Why a message cannot be taken, now or ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: DeadLetterReason,
    pub error: String,
}

impl Refusal {
    pub fn new(reason: DeadLetterReason, error: impl Into<String>) -> Self {
        Self { reason, error: error.into() }
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::NotUtf8 | JsonError::Syntax { .. } => {
                Self::new(DeadLetterReason::BadJson, error.to_string())
            }
            JsonError::Shape(error) => vec![error].into(),
        }
    }
}

impl From<Vec<FieldError>> for Refusal {
    fn from(errors: Vec<FieldError>) -> Self {
        let fields: Vec<_> =
            errors.iter().map(|error| format!("{} {}", error.pointer, error.message)).collect();
        Self::new(DeadLetterReason::ValidationFailed, fields.join("; "))
    }
}

impl Envelope {
    /// Reads and validates the message. A header grants nothing: only key and body count.
    pub fn understand(&self) -> Result<Arrival, Refusal> {
        if self.body.len() > MAX_BODY {
            let error = format!("{} bytes, more than {MAX_BODY}", self.body.len());
            return Err(Refusal::new(DeadLetterReason::TooLarge, error));
        }
        match self.routing_key.split_once('.') {
            Some(("inquiry", channel)) if is_channel(channel) => self.inquiry(channel),
            Some(("delivery", "confirmed")) => {
                let DeliveryConfirmed { delivery_id, delivered_at } = json::parse(&self.body)?;
                Ok(Arrival::Report { delivery_id, report: Report::Confirmed { delivered_at } })
            }
            Some(("delivery", "failed")) => self.failure(),
            _ if self.routing_key == "inquiry" || self.routing_key.starts_with("inquiry.") => {
                let error = format!("{:?} names no channel", self.routing_key);
                Err(Refusal::new(DeadLetterReason::NoChannel, error))
            }
            _ => {
                let error = format!("{:?} is no routing key of the hub", self.routing_key);
                Err(Refusal::new(DeadLetterReason::UnknownRoutingKey, error))
            }
        }
    }

    fn inquiry(&self, channel: &str) -> Result<Arrival, Refusal> {
        let message: InboundMessage = json::parse(&self.body)?;
        let message = message.validate(channel)?;
        let mut checks = Checks::new();
        let message_id = checks.external("message_id", self.message_id.as_deref());
        checks.finish(())?;
        let identity =
            message.external_id.clone().or(message_id).unwrap_or_else(|| format!("receipt:{}", self.receipt));
        Ok(Arrival::Inquiry { channel: channel.to_owned(), identity, message: Box::new(message) })
    }

    fn failure(&self) -> Result<Arrival, Refusal> {
        let DeliveryFailed { delivery_id, reason, permanent } = json::parse(&self.body)?;
        let mut checks = Checks::new();
        checks.text("/reason", &reason, MAX_NOTES);
        checks.finish(())?;
        let report = Report::Failed { reason, permanent: permanent.unwrap_or(false) };
        Ok(Arrival::Report { delivery_id, report })
    }
}
