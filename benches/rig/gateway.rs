//! An email gateway as careful as a gateway has to be.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Outcome;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Message {
    pub routing_key: &'static str,
    /// The AMQP `message_id`.
    pub id: String,
    pub body: String,
}

/// Publishes until everything is confirmed, over any number of reconnects.
pub struct Publisher {
    url: String,
    exchange: String,
    channel: Option<(Connection, Channel)>,
}

impl Publisher {
    pub fn new(url: &str) -> Self {
        Self::with_prefix(url, "nexus")
    }

    /// To the hub whose `broker.prefix` it is.
    pub fn with_prefix(url: &str, prefix: &str) -> Self {
        Self { url: url.to_owned(), exchange: format!("{prefix}.inbound"), channel: None }
    }

    /// Returns when the broker has confirmed every message. What was not confirmed is published again, in order.
    pub async fn publish(&mut self, messages: &[Message]) {
        let mut left: Vec<&Message> = messages.iter().collect();
        while !left.is_empty() {
            match self.try_all(&left).await {
                Ok(unconfirmed) => left = unconfirmed.into_iter().map(|index| left[index]).collect(),
                Err(_) => {
                    self.channel = None;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    async fn try_all(&mut self, messages: &[&Message]) -> Outcome<Vec<usize>> {
        let channel = self.channel().await?;
        let mut confirms = Vec::new();
        let mut unconfirmed = Vec::new();
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        for message in messages {
            let properties =
                BasicProperties::default().with_delivery_mode(2).with_message_id(message.id.as_str().into());
            let confirm = channel.basic_publish(
                self.exchange.as_str().into(),
                message.routing_key.into(),
                options,
                message.body.as_bytes(),
                properties,
            );
            confirms.push(timeout(PATIENCE, confirm).await??);
        }
        for (index, confirm) in confirms.into_iter().enumerate() {
            match timeout(PATIENCE, confirm).await {
                Ok(Ok(confirmation)) if confirmation.is_ack() => {
                    if confirmation.take_message().is_some() {
                        unconfirmed.push(index);
                    }
                }
                _ => {
                    unconfirmed.push(index);
                    self.channel = None;
                }
            }
        }
        Ok(unconfirmed)
    }

    async fn channel(&mut self) -> Outcome<Channel> {
        if let Some((_, channel)) = &self.channel
            && channel.status().connected()
        {
            return Ok(channel.clone());
        }
        let connection = connect(&self.url).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        self.channel = Some((connection, channel.clone()));
        Ok(channel)
    }
}

pub async fn connect(url: &str) -> Outcome<Connection> {
    Ok(timeout(PATIENCE, Connection::connect(url, ConnectionProperties::default())).await??)
}

/// A delivery as it arrived, with the AMQP message id.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    pub message_id: String,
    pub message: Value,
}

/// Everything that was delivered, by response; each delivery as often as it came.
pub type Mailbox = std::rc::Rc<std::cell::RefCell<HashMap<String, Vec<Arrived>>>>;

/// Takes what the hub sends and confirms it, for ever.
pub async fn send_mail(url: String, mailbox: Mailbox) {
    loop {
        if let Err(error) = serve(&url, &mailbox).await {
            let _ = error;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn serve(url: &str, mailbox: &Mailbox) -> Outcome {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let queue = "nexus.outbound.email".into();
    let mut consumer = channel.basic_consume(queue, "mail".into(), options, arguments).await?;
    let mut publisher = Publisher::new(url);
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let message: Value = serde_json::from_slice(&delivery.data)?;
        let message_id =
            delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
        let id = message["deliveryId"].clone();
        let response = message["responseId"].as_str().unwrap_or_default().to_owned();
        mailbox
            .borrow_mut()
            .entry(response)
            .or_default()
            .push(Arrived { message_id: message_id.clone(), message });
        let body = json!({"deliveryId": id}).to_string();
        let report =
            Message { routing_key: "delivery.confirmed", id: format!("confirmed-{message_id}"), body };
        publisher.publish(&[report]).await;
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}
