//! RabbitMQ as gateways and operators see it.

use std::time::Duration;

use futures_util::FutureExt;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use nexus_hub::broker::{LocalMessage, Topology};
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};

use super::gateway::Inbound;
use crate::harness::amqp_url;

pub struct Rabbit {
    // Held, or its channels are closed.
    _connection: Connection,
    pub channel: Channel,
}

impl Rabbit {
    pub async fn connect() -> Self {
        let connection = Connection::connect(&amqp_url(), ConnectionProperties::default())
            .await
            .unwrap_or_else(|error| panic!("RabbitMQ is needed; start it with scripts/services: {error}"));
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { _connection: connection, channel }
    }

    /// Publishes all in their order; returns once all are confirmed.
    pub async fn publish(&self, exchange: &str, messages: &[Inbound]) {
        let mut confirms = Vec::new();
        for message in messages {
            let mut properties = BasicProperties::default().with_delivery_mode(2);
            if let Some(id) = &message.message_id {
                properties = properties.with_message_id(id.as_str().into());
            }
            let mut headers = FieldTable::default();
            for (name, value) in &message.headers {
                headers.insert(
                    name.as_str().into(),
                    AMQPValue::LongString(value.as_str().unwrap().as_bytes().into()),
                );
            }
            let properties = properties.with_headers(headers);
            let (exchange, key) = (exchange.into(), message.routing_key.as_str().into());
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            confirms.push(
                self.channel.basic_publish(exchange, key, options, &message.body, properties).await.unwrap(),
            );
        }
        for confirm in confirms {
            let confirmation = confirm.await.unwrap();
            assert!(confirmation.is_ack(), "{confirmation:?}");
            assert_eq!(confirmation.take_message(), None, "it came back");
        }
    }

    /// A queue of the test's own.
    pub async fn bind(&self, queue: &str, exchange: &str, pattern: &str) {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        let options = QueueBindOptions::default();
        let bound = self.channel.queue_bind(
            queue.into(),
            exchange.into(),
            pattern.into(),
            options,
            FieldTable::default(),
        );
        bound.await.unwrap();
    }

    /// Takes the next message of a queue, waiting for it at most so long.
    pub async fn take(&self, queue: &str, patience: Duration) -> Option<LocalMessage> {
        let taking = async {
            loop {
                let got = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap();
                if let Some(got) = got {
                    got.delivery.ack(BasicAckOptions::default()).await.unwrap();
                    return shown(got.delivery);
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        if patience.is_zero() { taking.now_or_never() } else { timeout(patience, taking).await.ok() }
    }

    pub async fn delete_queue(&self, queue: &str) {
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// Removes all that hubs with this topology have declared.
    pub async fn clean_up(topology: &Topology) {
        let it = Self::connect().await;
        for queue in topology.queues() {
            it.delete_queue(&queue.name).await;
        }
        for exchange in topology.exchanges() {
            it.channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await.unwrap();
        }
    }
}

fn shown(delivery: lapin::message::Delivery) -> LocalMessage {
    let properties = &delivery.properties;
    assert_eq!(*properties.delivery_mode(), Some(2), "it is persistent");
    assert!(properties.timestamp().is_some());
    let headers: Map<String, Value> = properties
        .headers()
        .iter()
        .flat_map(|headers| headers.inner())
        .map(|(name, value)| (name.to_string(), text_of(value)))
        .collect();
    let text = |text: &Option<ShortString>| text.as_ref().map(ToString::to_string);
    LocalMessage {
        exchange: delivery.exchange.to_string(),
        routing_key: delivery.routing_key.to_string(),
        message_id: text(properties.message_id()),
        content_type: text(properties.content_type()),
        headers,
        body: delivery.data,
    }
}

fn text_of(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into(),
        AMQPValue::LongLongInt(number) => (*number).into(),
        other => format!("{other:?}").into(),
    }
}
