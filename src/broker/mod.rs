//! The way to and from the channels: RabbitMQ, or its twin in this process.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`topology`] | the names, the bindings, and how keys are matched |
//! | [`link`], `connection` | one connection to RabbitMQ, made again whenever it is lost |
//! | `publisher` | hub to broker: an outcome for every message |
//! | `intake`, `rabbit_feed` | broker to hub: in order, acknowledged once committed |
//! | `nudges` | one hub to another: there is something to be pushed |
//! | [`local`], [`local_line`] | the twin |

mod address;
mod backoff;
mod connection;
mod headers;
mod intake;
mod link;
pub mod local;
pub mod local_line;
mod nudges;
mod parcel;
mod publisher;
mod rabbit_feed;
mod reports;
mod settings;
pub mod topology;
mod traces;

use std::sync::Arc;

use actix::Recipient;
use actix_rt::{Arbiter, ArbiterHandle};
use nexus_actors::Hub;
use nexus_actors::port::Publish;
use nexus_actors::supervision::{Intake as Before, Supervision};
use nexus_actors::trace::Tracer;
use tokio::sync::watch;

pub use address::Address;
pub use local::{LocalBroker, LocalMessage};
pub use settings::BrokerSettings;
pub use topology::Topology;

use crate::settings::BadSetting;
use intake::{Consumer, Intake, Order, Source};
use link::Link;
use nudges::Nudges;
use publisher::Publisher;
use rabbit_feed::RabbitQueue;
use reports::Reports;

/// The broker of one hub: what the hub publishes to is started before it, what it gets its messages from after it.
#[derive(Clone)]
pub struct Broker {
    way: Way,
    batch: usize,
    arbiter: ArbiterHandle,
    order: Arc<watch::Sender<Order>>,
}

#[derive(Clone)]
enum Way {
    Local(LocalBroker),
    Rabbit(Arc<Rabbit>),
}

struct Rabbit {
    topology: Topology,
    /// Apart from the other: RabbitMQ stops reading from those who publish when its memory is short, and
    /// acknowledgements must go on.
    publisher: Link,
    consumer: Link,
    settings: BrokerSettings,
}

impl Broker {
    /// Does not wait for RabbitMQ. Answers with whom to publish to.
    ///
    /// # Errors
    /// What is wrong with `broker.url`.
    pub fn start(
        settings: &BrokerSettings,
        supervision: &Supervision,
        tracer: Option<Tracer>,
    ) -> Result<(Self, Recipient<Publish>), BadSetting> {
        let arbiter = Arbiter::new().handle();
        let topology = Topology::new(&settings.prefix, settings.channels());
        let (way, recipient) = if settings.url.is_empty() {
            let local = LocalBroker::new(topology, settings.prefetch.into(), tracer);
            let actor = local.clone();
            let started = supervision.start(&arbiter, "Broker", move |_| actor);
            (Way::Local(local), started.recipient())
        } else {
            let address = settings.address()?;
            let reports = Reports::default();
            let link = |name| {
                let (address, topology) = (address.clone(), topology.clone());
                Link::new(address, topology, name, settings.connect_timeout, reports.clone())
            };
            let (publisher, consumer) = (link("publisher"), link("consumer"));
            let actor = Publisher::new(publisher.clone(), topology.clone(), settings.confirm_timeout, tracer);
            let ending = publisher.clone();
            let before = Before {
                answered: Arc::default(),
                // Once the hub has nothing more to publish.
                drained: Box::pin(async move { ending.end().await }),
            };
            let started = supervision.start_behind(before, &arbiter, "Publisher", move |_| actor);
            let rabbit = Rabbit { topology, publisher, consumer, settings: settings.clone() };
            (Way::Rabbit(Arc::new(rabbit)), started.recipient())
        };
        let order = Arc::new(watch::Sender::new(Order::Wait));
        Ok((Self { way, batch: settings.batch, arbiter, order }, recipient))
    }

    /// Starts what brings messages to `hub`, to be stopped before it. Nothing comes before [`Self::begin`].
    pub fn connect(&self, hub: &Hub) {
        match &self.way {
            Way::Local(local) => {
                local.connect(hub.approval_coordinator.clone());
                self.consume(hub, "InquiryConsumer", local.inquiries());
                self.consume(hub, "DeliveryConsumer", local.deliveries());
            }
            Way::Rabbit(rabbit) => {
                let ending = rabbit.consumer.clone();
                let before =
                    Before { answered: Arc::default(), drained: Box::pin(async move { ending.end().await }) };
                let link = link::Keeper(rabbit.consumer.clone());
                hub.supervision.start_behind(before, &self.arbiter, "ConsumerLink", move |_| link);
                let nudges = Nudges {
                    link: rabbit.consumer.clone(),
                    exchange: rabbit.topology.events(),
                    due: Arc::clone(&hub.storage.news_due),
                    patience: rabbit.settings.connect_timeout,
                };
                hub.supervision.start(&self.arbiter, "Nudges", move |_| nudges);
                self.consume(hub, "InquiryConsumer", rabbit.queue(rabbit.topology.inquiries().name));
                self.consume(hub, "DeliveryConsumer", rabbit.queue(rabbit.topology.deliveries().name));
            }
        }
    }

    fn consume<S: Source + Send>(&self, hub: &Hub, name: &'static str, source: S) {
        let idle = watch::Sender::new(true);
        let intake = Intake {
            source,
            desk: hub.intake_desk.clone(),
            batch: self.batch,
            order: self.order.subscribe(),
            idle: idle.clone(),
        };
        let order = Arc::clone(&self.order);
        let before = Before {
            answered: Arc::default(),
            // What is under way is settled first.
            drained: Box::pin(async move {
                order.send_replace(Order::Stop);
                // The sender is right here.
                let _ = idle.subscribe().wait_for(|&idle| idle).await;
            }),
        };
        hub.supervision.start_behind(before, &self.arbiter, name, move |_| Consumer(intake));
    }

    /// The database is prepared: messages may come.
    pub fn begin(&self) {
        self.order.send_if_modified(|order| {
            let waits = *order == Order::Wait;
            if waits {
                *order = Order::Go;
            }
            waits
        });
    }

    /// Whether messages pass in both directions, as far as is known.
    pub fn is_up(&self) -> bool {
        match &self.way {
            Way::Local(_) => true,
            Way::Rabbit(rabbit) => rabbit.publisher.is_up() && rabbit.consumer.is_up(),
        }
    }

    /// Waits until exchanges and queues are in place, or RabbitMQ has turned out to be out of reach. Not while
    /// something there is declared otherwise: that takes a person.
    pub async fn settled(&self) {
        if let Way::Rabbit(rabbit) = &self.way {
            tokio::join!(rabbit.publisher.settled(), rabbit.consumer.settled());
        }
    }

    /// The twin, where there is no RabbitMQ.
    pub fn local(&self) -> Option<&LocalBroker> {
        match &self.way {
            Way::Local(local) => Some(local),
            Way::Rabbit(_) => None,
        }
    }
}

impl Rabbit {
    fn queue(&self, name: String) -> RabbitQueue {
        RabbitQueue::new(self.consumer.clone(), name, self.settings.prefetch, self.settings.connect_timeout)
    }
}
