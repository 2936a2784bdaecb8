//! Hands approved replies to their channels: to the broker, or for `email` to the mail server where there is one.
//!
//! Nothing goes out past the gate: [`ReleaseDeliveries`] checks each delivery once more against the response it is of.
//! A delivery is claimed in the database before it is handed over, so that one instance does it; should that one die
//! over it, the delivery is due again when the claim ends, under the same id.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Recipient, Supervised, WrapFuture};
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use crate::approval_coordinator::{ApprovalCoordinator, ReleaseDeliveries, SettleDelivery};
use crate::clock::Clock;
use crate::domain::delivery::{Delivery, Report, RetryRule};
use crate::domain::{Origin, Timestamp};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::port::{MailOutcome, Outcome, Outgoing, Ports, Publish, SendMail};
use crate::store::deliveries::{DeliveryStore, ListDue};
use crate::store::{Commit, Write, Writer};

/// How often due deliveries are looked for without being told to.
const SWEEP: Duration = Duration::from_secs(1);
/// Deliveries handed over at a time.
const BATCH: i64 = 100;
/// How long a claim holds: longer than any hand-over may take.
pub(crate) const CLAIM: Duration = Duration::from_secs(90);
/// The mail server and this hub's patience with it are bounded by less than [`CLAIM`].
const MAIL_PATIENCE: Duration = Duration::from_secs(75);
/// The channel whose replies the hub can send by itself.
const EMAIL: &str = "email";

pub struct DeliveryDispatcher {
    pub(crate) dispatch: Dispatch,
}

#[derive(Clone)]
pub(crate) struct Dispatch {
    pub clock: Clock,
    pub retry: RetryRule,
    pub deliveries: Mailbox<DeliveryStore>,
    pub coordinator: Mailbox<ApprovalCoordinator>,
    pub writer: Mailbox<Writer>,
    pub ports: Ports,
    pub due: Arc<Notify>,
}

impl Actor for DeliveryDispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let dispatch = self.dispatch.clone();
        ctx.spawn(async move { dispatch.run().await }.into_actor(self));
    }
}

impl Supervised for DeliveryDispatcher {}

impl Dispatch {
    async fn run(&self) {
        loop {
            match self.round().await {
                Ok(found) if found >= BATCH as usize => continue,
                // Another instance, or a report, was faster.
                Ok(_) | Err(HubError::Contended) => {}
                Err(error) => tracing::warn!(%error, "deliveries wait"),
            }
            let _ = timeout(SWEEP, self.due.notified()).await;
        }
    }

    async fn round(&self) -> HubResult<usize> {
        let due = self.deliveries.ask(ListDue { now: self.clock.now(), limit: BATCH }).await?;
        let found = due.len();
        if found == 0 {
            return Ok(0);
        }
        let until = self.clock.now().plus(CLAIM);
        let released = self.coordinator.ask(ReleaseDeliveries { deliveries: due, until }).await?;
        let (mail, rest): (Vec<_>, Vec<_>) =
            released.into_iter().partition(|one| self.ports.mail.is_some() && one.message.channel == EMAIL);
        self.publish(rest).await?;
        if let Some(server) = &self.ports.mail {
            // One slow server must not hold up the others' replies for longer than one batch takes.
            join_all(mail.into_iter().map(|delivery| self.send(server, delivery))).await;
        }
        Ok(found)
    }

    /// To the broker, all at once.
    async fn publish(&self, deliveries: Vec<Delivery>) -> HubResult<()> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let messages = deliveries.iter().map(|delivery| Outgoing::Delivery(delivery.message.clone()));
        let answer = self.ports.broker.send(Publish(messages.collect())).await;
        let outcomes = answer.unwrap_or(Err(HubError::Unavailable { what: "broker" }));
        let now = self.clock.now();
        let by_id: HashMap<Uuid, Outcome> = match outcomes {
            Ok(outcomes) => deliveries.iter().map(|one| one.id).zip(outcomes).collect(),
            Err(error) => {
                tracing::warn!(%error, "deliveries wait for the broker");
                HashMap::new()
            }
        };
        for delivery in deliveries {
            let after = match by_id.get(&delivery.id) {
                Some(Outcome::Confirmed) => delivery.handed_over(now),
                Some(Outcome::Unroutable) => self.unroutable(&delivery, now),
                // The broker may have it. It is published again, as the same message.
                Some(Outcome::Unconfirmed) | None => delivery.due_at(now.plus(SWEEP), now),
            };
            self.keep(after).await?;
        }
        Ok(())
    }

    /// Nothing is bound for its channel yet. It can be fetched over REST, and is offered again from time to time.
    fn unroutable(&self, delivery: &Delivery, now: Timestamp) -> Delivery {
        let age = u64::try_from(now.millis() - delivery.created_at.millis()).unwrap_or(0);
        let pause = Duration::from_millis(age).clamp(self.retry.backoff, self.retry.backoff_cap);
        let reason = format!("unroutable: no queue is bound for delivery.{}", delivery.message.channel);
        delivery.put_off(reason, now.plus(pause), now)
    }

    /// A report may have come in between; it counts for more than how the hand-over went.
    async fn keep(&self, after: Delivery) -> HubResult<()> {
        let commit = Commit { writes: vec![Write::UpdateDelivery(after)], ..Commit::default() };
        match self.writer.ask(commit).await {
            Err(HubError::Contended) => Ok(()),
            outcome => outcome,
        }
    }

    async fn send(&self, server: &Recipient<SendMail>, delivery: Delivery) {
        let (id, message) = (delivery.id, delivery.message.clone());
        let outcome = match timeout(MAIL_PATIENCE, server.send(SendMail(message))).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => MailOutcome::Unknown { reason: "the sender died over it".to_owned() },
            Err(_) => MailOutcome::Unknown { reason: "the mail server did not answer in time".to_owned() },
        };
        let kept = match outcome {
            MailOutcome::Sent => self.report(id, Report::Confirmed { delivered_at: None }).await,
            MailOutcome::Failed { reason, permanent } => {
                self.report(id, Report::Failed { reason, permanent }).await
            }
            MailOutcome::Unknown { reason } => {
                let now = self.clock.now();
                let until = now.plus(self.retry.backoff);
                self.keep(delivery.in_doubt(format!("outcome unknown: {reason}"), until, now)).await
            }
        };
        if let Err(error) = kept {
            tracing::warn!(%error, delivery = %id, "what became of a mail could not be kept");
        }
    }

    async fn report(&self, id: Uuid, report: Report) -> HubResult<()> {
        self.coordinator.ask(SettleDelivery { id, report, origin: Origin::default() }).await.map(drop)
    }
}
