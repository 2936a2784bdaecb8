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
use nexus_actors::trace::Tracer;
use nexus_actors::{Conflict, HubResult, new_id};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::local_line::{Line, Settlement};
use super::parcel::Parcel;
use super::topology::{Topology, delivery_key, matches};
use super::traces;

/// Messages a subscriber may lag behind.
const LAG: usize = 256;

/// The way in and out for code in this process.
#[derive(Clone)]
pub struct LocalBroker(Arc<Inner>);

struct Inner {
    topology: Topology,
    inquiries: Line,
    deliveries: Line,
    subscribers: Mutex<Vec<Subscriber>>,
    coordinator: OnceLock<Mailbox<ApprovalCoordinator>>,
    tracer: Option<Tracer>,
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

impl LocalBroker {
    /// `room`: inbound messages that wait at a time in each queue.
    pub fn new(topology: Topology, room: usize, tracer: Option<Tracer>) -> Self {
        let inquiries = Line::new(topology.inquiries(), room);
        let deliveries = Line::new(topology.deliveries(), room);
        let (subscribers, coordinator) = (Mutex::default(), OnceLock::new());
        Self(Arc::new(Inner { topology, inquiries, deliveries, subscribers, coordinator, tracer }))
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
        let lines = [&self.0.inquiries, &self.0.deliveries];
        let line = lines.into_iter().find(|line| line.gets(exchange, routing_key));
        let line = line.ok_or(Conflict::NoSuchQueue)?;
        let envelope = Envelope {
            receipt: new_id(),
            routing_key: routing_key.to_owned(),
            message_id: message_id.map(str::to_owned),
            content_type: None,
            headers,
            body: body.into(),
        };
        line.put(envelope).await
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
        let queue = found.ok_or(Conflict::NoSuchQueue)?;
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
        for (message, place) in &messages {
            let mut parcel = Parcel::of(message, &self.0.topology)?;
            let span = traces::begin(self.0.tracer.as_ref(), &mut parcel, message, *place);
            self.hand_out(parcel);
            if let Some(span) = span {
                traces::end(&span, Outcome::Confirmed);
            }
        }
        Ok(vec![Outcome::Confirmed; messages.len()])
    }
}
