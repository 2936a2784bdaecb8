//! A channel's gateway, on RabbitMQ or on its twin in the hub's process.

use std::cell::RefCell;
use std::time::Duration;

use nexus_hub::broker::{LocalBroker, LocalMessage, Topology};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use uuid::Uuid;

use super::rabbit::Rabbit;
use crate::harness::TestHub;

/// For what the hub does by itself.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than the hub needs to publish what it should not.
pub const MOMENT: Duration = Duration::from_millis(2500);

pub enum Way {
    Twin(LocalBroker),
    Rabbit(Box<Rabbit>),
}

pub struct ChannelGateway {
    pub way: Way,
    pub topology: Topology,
}

/// What a gateway publishes.
#[derive(Clone, Debug)]
pub struct Inbound {
    pub routing_key: String,
    pub message_id: Option<String>,
    pub headers: Map<String, Value>,
    pub body: Vec<u8>,
}

/// What comes out of a queue.
pub enum Listener<'a> {
    Twin(RefCell<mpsc::Receiver<LocalMessage>>),
    Rabbit(&'a Rabbit, String),
}

impl Inbound {
    pub fn new(routing_key: &str, message_id: Option<&str>, body: impl AsRef<[u8]>) -> Self {
        let message_id = message_id.map(str::to_owned);
        let (routing_key, body) = (routing_key.to_owned(), body.as_ref().to_vec());
        Self { routing_key, message_id, headers: Map::new(), body }
    }

    /// A mail, with an id of its own.
    pub fn mail(email: &str, thread: Option<&str>, text: &str) -> Self {
        let mail = json!({
            "externalId": format!("<{}@mail.example>", Uuid::new_v4()), "threadId": thread,
            "customer": {"email": email, "firstName": "Ada", "lastName": "Lovelace"},
            "subject": "Where is my order?", "message": text,
        });
        Self::new("inquiry.email", None, mail.to_string())
    }
}

pub fn address() -> String {
    format!("{}@example.com", Uuid::new_v4().simple())
}

impl ChannelGateway {
    /// On the broker of `hub`.
    pub async fn of(hub: &TestHub, topology: Topology) -> Self {
        let way = match hub.app.broker.local() {
            Some(twin) => Way::Twin(twin.clone()),
            None => Way::Rabbit(Box::new(Rabbit::connect().await)),
        };
        Self { way, topology }
    }

    /// Publishes all at once, in their order, and waits until the broker has confirmed them.
    pub async fn send(&self, messages: &[Inbound]) {
        let exchange = self.topology.inbound();
        match &self.way {
            Way::Rabbit(rabbit) => rabbit.publish(&exchange, messages).await,
            Way::Twin(twin) => {
                let mut confirms = Vec::new();
                for message in messages {
                    let (id, headers) = (message.message_id.as_deref(), message.headers.clone());
                    let body = message.body.clone();
                    let offered = twin.offer(&exchange, &message.routing_key, id, headers, body);
                    confirms.push(offered.await.unwrap());
                }
                for confirm in confirms {
                    confirm.settled().await.unwrap();
                }
            }
        }
    }

    /// A report about a delivery.
    pub async fn report(&self, outcome: &str, report: Value) {
        self.send(&[Inbound::new(&format!("delivery.{outcome}"), None, report.to_string())]).await;
    }

    /// What is to be sent on a channel.
    pub async fn replies(&self, channel: &str) -> Listener<'_> {
        self.consume(format!("{}.{channel}", self.topology.outbound())).await
    }

    pub async fn dead_letters(&self) -> Listener<'_> {
        self.consume(self.topology.dead_letters()).await
    }

    /// Every event from now on.
    pub async fn events(&self) -> Listener<'_> {
        let exchange = self.topology.events();
        match &self.way {
            Way::Twin(twin) => Listener::Twin(RefCell::new(twin.subscribe(&exchange, "#").await.unwrap())),
            Way::Rabbit(rabbit) => {
                let queue = format!("{exchange}.{}", Uuid::new_v4());
                rabbit.bind(&queue, &exchange, "#").await;
                Listener::Rabbit(rabbit, queue)
            }
        }
    }

    async fn consume(&self, queue: String) -> Listener<'_> {
        match &self.way {
            Way::Twin(twin) => Listener::Twin(RefCell::new(twin.consume(&queue).await.unwrap())),
            Way::Rabbit(rabbit) => Listener::Rabbit(rabbit, queue),
        }
    }
}

impl Listener<'_> {
    pub async fn next(&self) -> LocalMessage {
        self.take(PATIENCE).await.expect("a message")
    }

    /// Nothing comes, not even in a moment.
    pub async fn silent(&self) {
        let unexpected = self.take(MOMENT).await;
        assert!(unexpected.is_none(), "{unexpected:?}");
    }

    #[expect(clippy::await_holding_refcell_ref, reason = "one test has it")]
    pub async fn take(&self, patience: Duration) -> Option<LocalMessage> {
        match self {
            Self::Twin(messages) => {
                timeout(patience, messages.borrow_mut().recv()).await.ok().map(|message| message.unwrap())
            }
            Self::Rabbit(rabbit, queue) => rabbit.take(queue, patience).await,
        }
    }
}

/// The body as JSON.
pub fn content(message: &LocalMessage) -> Value {
    serde_json::from_slice(&message.body).unwrap()
}
