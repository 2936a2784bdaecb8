//! What the hub asks of its edges: a broker, a mail server, and calls by HTTP. They arrive as `Recipient`s, so that
//! nothing in here knows which ones they are.

use std::time::Duration;

use actix::{Message, Recipient};
use tokio::time::timeout;
use uuid::Uuid;

use crate::domain::Timestamp;
use crate::domain::cloud_event::CloudEvent;
use crate::domain::dead_letter::BuriedMessage;
use crate::domain::delivery::OutboundMessage;
use crate::domain::notice::Notice;
use crate::domain::trace_parent::TraceParent;
use crate::domain::webhook::Answer;
use crate::error::HubResult;
use crate::trace::Tracer;

/// The edges a hub runs with.
#[derive(Clone)]
pub struct Ports {
    pub broker: Recipient<Publish>,
    /// Sends replies of the channel `email` itself, and notices, where there is a mail server.
    pub mail: Option<Recipient<SendMail>>,
    pub webhooks: Recipient<CallWebhook>,
    /// Absent where nothing is traced.
    pub tracer: Option<Tracer>,
}

/// Publishes all, in this order, and waits for the broker to answer for each. One outcome a message. With each, where
/// the trace it belongs to has come to.
///
/// # Errors
/// `Unavailable`: there is no connection. Whether any message got through is not known.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Vec<Outcome>>")]
pub struct Publish(pub Vec<(Outgoing, Option<TraceParent>)>);

#[derive(Clone, Debug)]
pub enum Outgoing {
    Event(CloudEvent),
    /// A queue must take it, or it is `Unroutable`.
    Delivery(OutboundMessage),
    DeadLetter(BuriedMessage),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has it for good.
    Confirmed,
    /// No queue is bound for it; the broker has sent it back.
    Unroutable,
    /// Refused, or not confirmed in time. The broker may have it all the same.
    Unconfirmed,
}

/// How long a claim on a mail holds: longer than [`send_mail`] may take.
pub const MAIL_CLAIM: Duration = Duration::from_secs(90);
/// The mail server and this hub's patience with it are bounded by less than [`MAIL_CLAIM`].
const MAIL_PATIENCE: Duration = Duration::from_secs(75);

/// Sends one mail. Never fails as a message: what happened is the outcome.
#[derive(Clone, Debug, Message)]
#[rtype(result = "MailOutcome")]
pub struct SendMail(pub Mail);

#[derive(Clone, Debug)]
pub enum Mail {
    /// To its customer.
    Reply(Box<OutboundMessage>),
    /// To somebody of the house.
    Notice(Notice),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// The mail server has taken it.
    Sent,
    /// The mail server has not taken it.
    Failed { reason: String, permanent: bool },
    /// There was no time to try it.
    NotTried { reason: String },
    /// The connection broke at a moment when the server may or may not have taken it.
    Unknown { reason: String },
}

/// Posts one message to one endpoint. Never fails as a message: what happened is the answer.
#[derive(Clone, Message)]
#[rtype(result = "Answer")]
pub struct CallWebhook {
    pub url: String,
    /// `webhook-id`: the same for each call of a message.
    pub id: Uuid,
    /// `webhook-timestamp`: when this call is made, in whole seconds.
    pub at: Timestamp,
    /// JSON.
    pub body: String,
    /// One signature for each, the newest first.
    pub secrets: Vec<String>,
}

/// Has a mail sent, and answers in time whatever happens.
pub(crate) async fn send_mail(server: &Recipient<SendMail>, mail: Mail) -> MailOutcome {
    match timeout(MAIL_PATIENCE, server.send(SendMail(mail))).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => MailOutcome::Unknown { reason: "the sender died over it".to_owned() },
        Err(_) => MailOutcome::Unknown { reason: "the mail server did not answer in time".to_owned() },
    }
}
