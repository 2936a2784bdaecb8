//! The way to the hub: its exchange `nexus.inbound`.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};

const INBOUND: &str = "nexus.inbound";
const CONFIRM_WITHIN: Duration = Duration::from_secs(30);

/// Why a message is not known to be with the broker.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("{0}")]
    Broker(#[from] lapin::Error),
    #[error("the broker did not take the message: {0}")]
    Refused(String),
    #[error("the broker did not confirm within {} seconds", CONFIRM_WITHIN.as_secs())]
    Silent,
}

pub struct Message {
    pub routing_key: &'static str,
    pub id: String,
    pub body: Vec<u8>,
}

pub trait Publisher {
    /// `Ok` once the message is safe with the broker.
    async fn publish(&mut self, message: &Message) -> Result<(), PublishError>;
}

/// RabbitMQ. Connects when there is something to publish, and again after a failure.
pub struct Broker {
    url: String,
    open: Option<(Connection, Channel)>,
}

impl Broker {
    pub fn new(url: String) -> Self {
        Self { url, open: None }
    }

    async fn try_publish(&mut self, message: &Message) -> Result<(), PublishError> {
        let (_, channel) = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(connect(&self.url).await?),
        };
        let mut properties =
            BasicProperties::default().with_content_type("application/json".into()).with_delivery_mode(2);
        // At most 255 bytes fit; a Message-ID may be longer, and the body has it too.
        if let Ok(id) = ShortString::try_new(message.id.as_str()) {
            properties = properties.with_message_id(id);
        }
        let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
        let key = message.routing_key.into();
        let published =
            channel.basic_publish(INBOUND.into(), key, mandatory, &message.body, properties).await?;
        match published.await? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) => Err(PublishError::Refused(returned.reply_text.to_string())),
            Confirmation::Nack(_) | Confirmation::NotRequested => {
                Err(PublishError::Refused("not acknowledged".to_owned()))
            }
        }
    }
}

impl Publisher for Broker {
    async fn publish(&mut self, message: &Message) -> Result<(), PublishError> {
        let attempt = tokio::time::timeout(CONFIRM_WITHIN, self.try_publish(message));
        let outcome = attempt.await.unwrap_or(Err(PublishError::Silent));
        if outcome.is_err() {
            self.open = None;
        }
        outcome
    }
}

async fn connect(url: &str) -> Result<(Connection, Channel), lapin::Error> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    // The hub declares it. Passive only looks whether it is there.
    let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
    channel.exchange_declare(INBOUND.into(), ExchangeKind::Topic, passive, FieldTable::default()).await?;
    Ok((connection, channel))
}
