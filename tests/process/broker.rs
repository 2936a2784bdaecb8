//! RabbitMQ away, frozen or declared otherwise: the hub says so, goes on, and heals by itself.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use nexus_hub::broker::{LocalMessage, Topology};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::gateway::content;
use crate::harness::{Client, amqp_url, eventually, within};
use crate::hub::Hub;
use crate::rabbit::Rabbit;
use crate::wire::Wire;

pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "brisk otter paints seven lanterns";
/// RabbitMQ gives a silent peer up after this, and so does the hub; then it connects again.
const NOTICED: Duration = Duration::from_secs(25);

/// A hub's surroundings: SQLite in a directory, and a RabbitMQ that it reaches by a wire.
pub struct Surroundings {
    pub directory: tempfile::TempDir,
    pub wire: Wire,
    pub rabbit: Rabbit,
    pub topology: Topology,
    prefix: String,
}

impl Surroundings {
    pub async fn start(&self) -> Hub {
        self.start_at(&self.wire.through(&amqp_url()), self.directory.path()).await
    }

    async fn start_at(&self, url: &str, directory: &Path) -> Hub {
        let variables = [
            ("APP_ENV", "test"),
            ("RATE_LIMIT_LIMIT", "1000000"),
            ("RUST_LOG", "info,lapin=off"),
            ("AMQP_URL", url),
            ("NEXUS__BROKER__PREFIX", &self.prefix),
            ("BOOTSTRAP_ADMIN_EMAIL", EMAIL),
            ("BOOTSTRAP_ADMIN_PASSWORD", PASSWORD),
        ];
        Hub::start(directory, &variables).await
    }

    /// A ready hub with its broker, and its admin.
    pub async fn running(&mut self) -> (Hub, Client) {
        self.wire.open();
        let hub = self.start().await;
        hub.is_ready().await;
        broker_is(&hub, "up").await;
        let (admin, _) = hub.sign_in(EMAIL, PASSWORD).await;
        (hub, admin)
    }

    /// A queue that gets every event, also what is published as soon as the hub connects.
    pub async fn watch_events(&self) -> String {
        let (exchange, queue) = (self.topology.events(), format!("{}.watch", self.prefix));
        // As the hub does it.
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let name = exchange.as_str().into();
        let declared =
            self.rabbit.channel.exchange_declare(name, ExchangeKind::Topic, options, FieldTable::default());
        declared.await.unwrap();
        self.rabbit.bind(&queue, &exchange, "#").await;
        queue
    }

    pub async fn next(&self, queue: &str) -> LocalMessage {
        self.rabbit.take(queue, Duration::from_secs(30)).await.expect("a message")
    }
}

/// Runs a test with a RabbitMQ of its own behind a wire that is not open yet.
pub fn with_rabbit(test: impl for<'a> FnOnce(&'a mut Surroundings) -> LocalBoxFuture<'a, ()>) {
    actix_web::rt::System::new().block_on(async {
        let prefix = format!("nexus_test_{}", Uuid::new_v4().simple());
        let topology = Topology::new(&prefix, ["email", "chat"]);
        let (directory, wire) = (tempfile::tempdir().unwrap(), Wire::to(&amqp_url()));
        let rabbit = Rabbit::connect().await;
        let mut it = Surroundings { directory, wire, rabbit, topology, prefix };
        let outcome = std::panic::AssertUnwindSafe(test(&mut it)).catch_unwind().await;
        Rabbit::clean_up(&it.topology).await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn a_hub_started_without_rabbitmq_is_ready_and_catches_up_in_order() {
    with_rabbit(|it| {
        Box::pin(async move {
            let events = it.watch_events().await;
            let hub = it.start().await;
            hub.get("//health/live").await.expect(200);
            hub.is_ready().await;
            let health = hub.get("//health").await.expect(200);
            assert_eq!(
                (&health["status"], &health["checks"]["broker"]),
                (&json!("degraded"), &json!("down"))
            );
            let (admin, _) = hub.sign_in(EMAIL, PASSWORD).await;
            let mut made = Vec::new();
            for _ in 0..30 {
                made.push(quickly(make_customer(&admin)).await["id"].clone());
            }
            let errors = hub.errors();
            let told: Vec<_> = errors.lines().filter(|line| line.contains("cannot connect")).collect();
            assert_eq!(told.len(), 1, "one line for one trouble: {errors}");

            it.wire.open();
            let mut told = Vec::new();
            while told.len() < made.len() {
                let event = content(&it.next(&events).await);
                if event["type"] == "customer.created" {
                    told.push(event["subject"].clone());
                }
            }
            assert_eq!(told, made);
            broker_is(&hub, "up").await;
            hub.stop().await;
        })
    });
}

#[test]
fn a_rabbitmq_that_freezes_makes_no_request_hang_and_is_found_again() {
    with_rabbit(|it| {
        Box::pin(async move {
            let events = it.watch_events().await;
            let (hub, admin) = it.running().await;
            it.wire.freeze(true);
            let mut made = Vec::new();
            let begun = Instant::now();
            within(NOTICED, "the freeze is noticed", async || {
                made.push(quickly(make_customer(&admin)).await["id"].clone());
                quickly(hub.get("//health")).await.json()["checks"]["broker"] == "down"
            })
            .await;
            assert!(begun.elapsed() < Duration::from_secs(12), "it took {:?}", begun.elapsed());
            hub.get("//health/ready").await.expect(200);
            it.wire.freeze(false);
            broker_is(&hub, "up").await;
            made.push(make_customer(&admin).await["id"].clone());
            let mut told = Vec::new();
            while told.last() != made.last() {
                let event = content(&it.next(&events).await);
                // What was confirmed into the freeze is published again.
                if event["type"] == "customer.created" && !told.contains(&event["subject"]) {
                    told.push(event["subject"].clone());
                }
            }
            assert_eq!(told, made);
            hub.stop().await;
        })
    });
}

#[test]
fn a_rabbitmq_that_freezes_does_not_keep_the_hub_from_stopping() {
    with_rabbit(|it| {
        Box::pin(async move {
            let (hub, _) = it.running().await;
            it.wire.freeze(true);
            hub.terminate();
            let took = hub.ended().await.took;
            assert!(took < Duration::from_secs(12), "it took {took:?}, and shutdown.timeout is 10s");
        })
    });
}

#[test]
fn a_queue_that_is_declared_otherwise_is_named_until_it_is_gone() {
    with_rabbit(|it| {
        Box::pin(async move {
            let queue = it.topology.inquiries().name;
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let name = queue.as_str().into();
            it.rabbit.channel.queue_declare(name, options, FieldTable::default()).await.unwrap();
            it.wire.open();
            let hub = it.start().await;
            eventually("the log names it", async || hub.errors().contains(&queue)).await;
            let errors = hub.errors();
            let told: Vec<_> = errors.lines().filter(|line| line.contains(&queue)).collect();
            let [line] = told.as_slice() else { panic!("{errors}") };
            for part in ["PRECONDITION_FAILED", "inequivalent arg", "Delete", "broker.prefix"] {
                assert!(line.contains(part), "{line}");
            }
            hub.get("//health/live").await.expect(200);
            hub.get("//health/ready").await.expect(503);
            broker_is(&hub, "down").await;
            it.rabbit.delete_queue(&queue).await;
            hub.is_ready().await;
            broker_is(&hub, "up").await;
            hub.stop().await;
        })
    });
}

#[test]
fn a_password_that_is_refused_is_not_in_the_log() {
    with_rabbit(|it| {
        Box::pin(async move {
            let mut url = url::Url::parse(&amqp_url()).unwrap();
            url.set_username("nobody").unwrap();
            url.set_password(Some("s3cret-s3cret")).unwrap();
            let hub = it.start_at(url.as_str(), it.directory.path()).await;
            eventually("the refusal is in the log", async || hub.errors().contains("ACCESS_REFUSED")).await;
            hub.is_ready().await;
            broker_is(&hub, "down").await;
            let end = hub.stop().await;
            assert!(!end.err.contains("s3cret") && !end.out.contains("s3cret"), "{}", end.err);
            assert!(end.out.contains("RabbitMQ at 127.0.0.1"), "{}", end.out);
        })
    });
}

pub async fn broker_is(hub: &Hub, state: &str) {
    within(NOTICED, "the broker is as expected", async || {
        hub.get("//health").await.json()["checks"]["broker"] == state
    })
    .await;
}

async fn make_customer(admin: &Client) -> Value {
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": email});
    admin.post("/customers", customer).await.expect(201)
}

/// What does not wait for the broker.
async fn quickly<T>(request: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(2), request).await.expect("a request waits for the broker")
}
