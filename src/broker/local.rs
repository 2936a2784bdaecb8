//! The broker of the embedded default: in this process, with the same names and the same routing.
//!
//! It keeps nothing. What a hub publishes is in its database until it is confirmed here: deliveries beyond that, until
//! they are reported. What comes in is confirmed once the hub has settled it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actix::{Actor, Context, Handler, Supervised};
use nexus_actors::approval_coordinator::ApprovalCoordinator;
use nexus_actors::domain::envelope::Envelope;
use nexus_actors::mailbox::Mailbox;
use nexus_actors::port::{Outcome, Publish};
use nexus_actors::redelivery::Redeliver;
use nexus_actors::{HubError, HubResult, new_id};
use serde_json::{Map, Value};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::intake::{Feed, Lost, Received, Source};
use super::parcel::Parcel;
use super::topology::{Queue, Topology, delivery_key, matches};

/// Messages a subscriber may lag behind.
const LAG: usize = 256;
const STOPPED: HubError = HubError::Unavailable { what: "hub" };

/// The way in and out for code in this process.
#[derive(Clone)]
pub struct LocalBroker(Arc<Inner>);

struct Inner {
    topology: Topology,
    inquiries: Line,
    deliveries: Line,
    subscribers: Mutex<Vec<Subscriber>>,
    coordinator: OnceLock<Mailbox<ApprovalCoordinator>>,
}

/// A message as a subscriber gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalMessage {
    pub exchange: String,
    pub routing_key: String,
    pub message_id: Option<String>,
    pub content_type: Option<String>,
    pub headers: Map<String, Value>,
    pub body: Vec<u8>,
}

struct Subscriber {
    exchange: String,
    pattern: String,
    to: mpsc::Sender<LocalMessage>,
}

/// The confirm of a message that is under way.
#[derive(Debug)]
pub struct Settlement(oneshot::Receiver<()>);

impl Settlement {
    /// Waits until the hub has settled the message for good.
    ///
    /// # Errors
    /// `Unavailable` when the hub stops or its consumer dies before: the message may have been taken. Published again
    /// with the same `message_id`, it counts once.
    pub async fn settled(self) -> HubResult<()> {
        self.0.await.map_err(|_| STOPPED)
    }
}

/// One inbound queue. It holds a bounded number of messages; who publishes more waits.
#[derive(Clone)]
pub struct Line {
    queue: Queue,
    into: mpsc::Sender<Pending>,
    from: Arc<tokio::sync::Mutex<mpsc::Receiver<Pending>>>,
}

type Pending = Received<oneshot::Sender<()>>;

pub struct LocalFeed(tokio::sync::OwnedMutexGuard<mpsc::Receiver<Pending>>);

impl LocalBroker {
    /// `room`: inbound messages that wait at a time in each queue.
    pub fn new(topology: Topology, room: usize) -> Self {
        let line = |queue: Queue| {
            let (into, from) = mpsc::channel(room.max(1));
            Line { queue, into, from: Arc::new(tokio::sync::Mutex::new(from)) }
        };
        let (inquiries, deliveries) = (line(topology.inquiries()), line(topology.deliveries()));
        let (subscribers, coordinator) = (Mutex::default(), OnceLock::new());
        Self(Arc::new(Inner { topology, inquiries, deliveries, subscribers, coordinator }))
    }

    pub fn topology(&self) -> &Topology {
        &self.0.topology
    }

    /// Brings a message to the exchange for what comes in, as a gateway would. Resolves once the hub has settled it
    /// for good: that is the confirm. Dropped before, it may be settled all the same.
    ///
    /// # Errors
    /// As [`Self::offer`] and [`Settlement`].
    pub async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        message_id: Option<&str>,
        headers: Map<String, Value>,
        body: impl Into<Vec<u8>>,
    ) -> HubResult<()> {
        self.offer(exchange, routing_key, message_id, headers, body).await?.settled().await
    }

    /// As [`Self::publish`], but resolves when the message has its place in the queue, so that a publisher can have
    /// many under way in its order.
    ///
    /// # Errors
    /// `Conflict` when no queue is bound for it, `Unavailable` when the hub has stopped.
    pub async fn offer(
        &self,
        exchange: &str,
        routing_key: &str,
        message_id: Option<&str>,
        headers: Map<String, Value>,
        body: impl Into<Vec<u8>>,
    ) -> HubResult<Settlement> {
        let gets =
            |line: &&Line| line.queue.exchange == exchange && matches(&line.queue.pattern, routing_key);
        let lines = [&self.0.inquiries, &self.0.deliveries];
        let line = lines.into_iter().find(gets).ok_or(HubError::Conflict("No queue is bound for it."))?;
        let envelope = Envelope {
            receipt: new_id(),
            routing_key: routing_key.to_owned(),
            message_id: message_id.map(str::to_owned),
            content_type: None,
            headers,
            body: body.into(),
        };
        let (settled, settlement) = oneshot::channel();
        line.into.send((envelope, settled)).await.map_err(|_| STOPPED)?;
        Ok(Settlement(settlement))
    }

    /// From now on, what is published to `exchange` with a key that `pattern` matches. Deliveries of its channels that
    /// were handed over before and are not reported come once more, under the same ids.
    ///
    /// Whoever lags more than 256 messages behind is dropped: the receiver ends. Subscribing again brings deliveries
    /// back, not events.
    ///
    /// # Errors
    /// `Unavailable` when the deliveries to come once more cannot be found.
    pub async fn subscribe(&self, exchange: &str, pattern: &str) -> HubResult<mpsc::Receiver<LocalMessage>> {
        let (to, from) = mpsc::channel(LAG);
        let subscriber = Subscriber { exchange: exchange.to_owned(), pattern: pattern.to_owned(), to };
        self.subscribers().push(subscriber);
        if exchange == self.0.topology.outbound()
            && let Some(coordinator) = self.0.coordinator.get()
        {
            let pattern = pattern.to_owned();
            let wanted = move |channel: &str| matches(&pattern, &delivery_key(channel));
            coordinator.ask(Redeliver { wanted: Arc::new(wanted) }).await?;
        }
        Ok(from)
    }

    /// As [`Self::subscribe`], by the name of one of the queues that the hub would declare on RabbitMQ.
    ///
    /// # Errors
    /// `Conflict` when there is no such queue; as [`Self::subscribe`].
    pub async fn consume(&self, queue: &str) -> HubResult<mpsc::Receiver<LocalMessage>> {
        let found = self.0.topology.queues().into_iter().find(|one| one.name == queue);
        let queue = found.ok_or(HubError::Conflict("There is no such queue."))?;
        self.subscribe(&queue.exchange, &queue.pattern).await
    }

    pub(super) fn inquiries(&self) -> Line {
        self.0.inquiries.clone()
    }

    pub(super) fn deliveries(&self) -> Line {
        self.0.deliveries.clone()
    }

    /// Whom to ask for deliveries once more.
    pub(super) fn connect(&self, coordinator: Mailbox<ApprovalCoordinator>) {
        // One hub has one broker; a second call would change nothing.
        let _ = self.0.coordinator.set(coordinator);
    }

    fn hand_out(&self, parcel: Parcel) {
        let mut headers = parcel.headers;
        headers.extend(parcel.hub_headers.into_iter().map(|(name, text)| (name.to_owned(), text.into())));
        let message = LocalMessage {
            exchange: parcel.exchange,
            routing_key: parcel.routing_key,
            message_id: parcel.message_id,
            content_type: parcel.content_type,
            headers,
            body: parcel.body,
        };
        self.subscribers().retain(|subscriber| {
            if subscriber.exchange != message.exchange || !matches(&subscriber.pattern, &message.routing_key)
            {
                return !subscriber.to.is_closed();
            }
            match subscriber.to.try_reserve() {
                Ok(place) => {
                    place.send(message.clone());
                    true
                }
                Err(TrySendError::Closed(())) => false,
                Err(TrySendError::Full(())) => {
                    tracing::warn!(
                        exchange = subscriber.exchange,
                        "a subscriber lags too far behind; dropped"
                    );
                    false
                }
            }
        });
    }

    fn subscribers(&self) -> std::sync::MutexGuard<'_, Vec<Subscriber>> {
        self.0.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Actor for LocalBroker {
    type Context = Context<Self>;
}

impl Supervised for LocalBroker {}

impl Handler<Publish> for LocalBroker {
    type Result = HubResult<Vec<Outcome>>;

    fn handle(&mut self, Publish(messages): Publish, _: &mut Self::Context) -> Self::Result {
        if self.subscribers().is_empty() {
            return Ok(vec![Outcome::Confirmed; messages.len()]);
        }
        for message in &messages {
            self.hand_out(Parcel::of(message, &self.0.topology)?);
        }
        Ok(vec![Outcome::Confirmed; messages.len()])
    }
}

impl Source for Line {
    type Feed = LocalFeed;

    async fn open(&self) -> Option<LocalFeed> {
        Some(LocalFeed(Arc::clone(&self.from).lock_owned().await))
    }

    /// It never is.
    fn lost(&self, _: &Lost) {}
}

impl Feed for LocalFeed {
    type Ticket = oneshot::Sender<()>;

    async fn next(&mut self) -> Result<Pending, Lost> {
        match self.0.recv().await {
            Some(pending) => Ok(pending),
            // The other end lives in the same `Line`.
            None => std::future::pending().await,
        }
    }

    fn ready(&mut self) -> Option<Pending> {
        self.0.try_recv().ok()
    }

    fn broken(&mut self) -> Option<Lost> {
        None
    }

    async fn settle(
        &mut self,
        run: Vec<oneshot::Sender<()>>,
        single: Vec<oneshot::Sender<()>>,
    ) -> Result<(), Lost> {
        for settled in run.into_iter().chain(single) {
            // Whoever published it may wait no more.
            let _ = settled.send(());
        }
        Ok(())
    }

    /// What waits is told that nobody takes it.
    async fn close(mut self) {
        self.0.close();
        while self.0.try_recv().is_ok() {}
    }
}
