//! A queue of RabbitMQ as a [`Feed`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Acker, Channel, Error};
use nexus_actors::domain::envelope::Envelope;
use nexus_actors::new_id;
use tokio::time::timeout;

use super::headers::{short, to_json};
use super::intake::{Feed, Lost, Received, Source};
use super::link::{Link, Live};

/// For a polite good-bye.
const CLOSING: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct RabbitQueue {
    link: Link,
    name: String,
    /// Messages RabbitMQ sends ahead of their being settled: as many are in memory at most.
    prefetch: u16,
    patience: Duration,
    /// The connection that the last feed is of.
    used: Arc<Mutex<Option<Live>>>,
}

pub struct RabbitFeed {
    channel: Channel,
    consumer: lapin::Consumer,
    patience: Duration,
    /// Seen when only the next message was asked for.
    broken: Option<Lost>,
}

impl RabbitQueue {
    /// `patience`: how long the broker may take to answer.
    pub fn new(link: Link, name: String, prefetch: u16, patience: Duration) -> Self {
        Self { link, name, prefetch, patience, used: Arc::default() }
    }

    async fn consume(&self, live: &Live) -> Result<RabbitFeed, Error> {
        let channel = live.connection.channel().await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        let (queue, options) = (short(&self.name), BasicConsumeOptions::default());
        let consumer =
            channel.basic_consume(queue, ShortString::default(), options, FieldTable::default()).await?;
        Ok(RabbitFeed { channel, consumer, patience: self.patience, broken: None })
    }
}

impl Source for RabbitQueue {
    type Feed = RabbitFeed;

    async fn open(&self) -> Option<RabbitFeed> {
        loop {
            let live = self.link.up().await?;
            *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
            match timeout(self.patience, self.consume(&live)).await {
                Ok(Ok(feed)) => return Some(feed),
                Ok(Err(error)) => self.lost(&Lost(format!("cannot consume {}: {error}", self.name))),
                Err(_) => self.lost(&Lost(format!("cannot consume {}: it does not answer", self.name))),
            }
        }
    }

    /// Only a new connection sees to it that the queue is there.
    fn lost(&self, lost: &Lost) {
        let live = self.used.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(live) = live {
            self.link.give_up(&live, &lost.0);
        }
    }
}

impl Feed for RabbitFeed {
    type Ticket = Acker;

    async fn next(&mut self) -> Result<Received<Acker>, Lost> {
        match self.broken.take() {
            Some(lost) => Err(lost),
            None => received(self.consumer.next().await),
        }
    }

    fn ready(&mut self) -> Option<Received<Acker>> {
        match received(self.consumer.next().now_or_never()?) {
            Ok(received) => Some(received),
            Err(lost) => {
                self.broken = Some(lost);
                None
            }
        }
    }

    fn broken(&mut self) -> Option<Lost> {
        let closed =
            || (!self.channel.status().connected()).then(|| Lost("the channel is closed".to_owned()));
        self.broken.take().or_else(closed)
    }

    async fn settle(&mut self, run: Vec<Acker>, single: Vec<Acker>) -> Result<(), Lost> {
        let acks = async {
            let up_to = run.last().map(|last| (last, BasicAckOptions { multiple: true }));
            let single = single.iter().map(|one| (one, BasicAckOptions { multiple: false }));
            for (acker, options) in up_to.into_iter().chain(single) {
                match acker.ack(options).await {
                    Ok(true) => {}
                    Ok(false) => return Err(Lost("the channel was closed before an ack".to_owned())),
                    Err(error) => return Err(Lost(error.to_string())),
                }
            }
            Ok(())
        };
        match timeout(self.patience, acks).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Lost("acks are overdue".to_owned())),
        }
    }

    async fn close(self) {
        let closing = async {
            self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await?;
            // Only then what was sent ahead goes back, in its order.
            self.channel.close(200, short("OK")).await
        };
        if let Ok(Err(error)) = timeout(CLOSING, closing).await {
            tracing::debug!(%error, "a consumer was gone before it was closed");
        }
    }
}

fn received(next: Option<Result<Delivery, Error>>) -> Result<Received<Acker>, Lost> {
    match next {
        Some(Ok(delivery)) => Ok(envelope(delivery)),
        Some(Err(error)) => Err(Lost(error.to_string())),
        None => Err(Lost("the broker has ended the consumer".to_owned())),
    }
}

fn envelope(delivery: Delivery) -> Received<Acker> {
    let properties = &delivery.properties;
    let envelope = Envelope {
        receipt: new_id(),
        routing_key: delivery.routing_key.to_string(),
        message_id: properties.message_id().as_ref().map(ToString::to_string),
        content_type: properties.content_type().as_ref().map(ToString::to_string),
        headers: properties.headers().as_ref().map(to_json).unwrap_or_default(),
        body: delivery.data,
    };
    (envelope, delivery.acker)
}
