//! Hands approved replies to their channels: to the broker, or for `email` to the mail server where there is one.
//!
//! Nothing goes out past the gate: [`ReleaseDeliveries`] checks each delivery once more against the response it is of.
//! A delivery is claimed in the database before it is handed over, so that one instance does it; should that one die
//! over it, the delivery is due again when the claim ends, under the same id.
//!
//! Each route has a dispatcher of its own, so that a slow mail server holds up nothing but mail.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Recipient, Supervised, WrapFuture};
use futures_util::future::join_all;
use tokio::sync::{Mutex, Notify, SetOnce};
use tokio::time::timeout;
use uuid::Uuid;

use crate::approval_coordinator::{ApprovalCoordinator, ReleaseDeliveries, SettleDelivery};
use crate::clock::Clock;
use crate::domain::delivery::{Delivery, Report, RetryRule};
use crate::domain::trace_parent::TraceParent;
use crate::domain::{Origin, Timestamp};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::port::{MAIL_CLAIM, Mail, MailOutcome, Outcome, Outgoing, Publish, SendMail, send_mail};
use crate::store::deliveries::{Channels, DeliveryStore, FindTraces, ListDue};
use crate::store::{Commit, Write, Writer};
use crate::trace::{KeyValue, Span, SpanKind, Tracer, within};

/// How often due deliveries are looked for without being told to.
const SWEEP: Duration = Duration::from_secs(1);
/// Deliveries handed over at a time.
const BATCH: i64 = 100;
/// How long a claim for the broker holds: longer than the hand-over may take. Confirms are waited for 10 s at most.
const BROKER_CLAIM: Duration = Duration::from_secs(20);
/// The channel whose replies the hub can send by itself.
pub(crate) const EMAIL: &str = "email";

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
    pub route: Route,
    pub channels: Channels,
    pub prepared: Arc<SetOnce<()>>,
    pub due: Arc<Notify>,
    pub tracer: Option<Tracer>,
    /// Held while deliveries are handed over, and at the end for good.
    pub turn: Arc<Mutex<()>>,
}

#[derive(Clone)]
pub(crate) enum Route {
    Broker(Recipient<Publish>),
    Mail(Recipient<SendMail>),
}

impl Route {
    fn claim(&self) -> Duration {
        match self {
            Self::Broker(_) => BROKER_CLAIM,
            Self::Mail(_) => MAIL_CLAIM,
        }
    }
}

impl Actor for DeliveryDispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let dispatch = self.dispatch.clone();
        ctx.spawn(async move { dispatch.run().await }.into_actor(self));
    }
}

impl Supervised for DeliveryDispatcher {}

crate::follows_traces!(DeliveryDispatcher);

impl Dispatch {
    async fn run(&self) {
        self.prepared.wait().await;
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

    /// Waits for the hand-over under way, so that what became of it is kept, and lets no other begin.
    pub async fn finish(self) {
        let turn = self.turn.lock().await;
        std::mem::forget(turn);
    }

    async fn round(&self) -> HubResult<usize> {
        let now = self.clock.now();
        let due = self.deliveries.ask(ListDue { channels: self.channels, now, limit: BATCH }).await?;
        let found = due.len();
        if found == 0 {
            return Ok(0);
        }
        // Before anything is claimed: whatever comes between a claim and the hand-over leaves it in doubt.
        let places = self.places(&due).await?;
        let _turn = self.turn.lock().await;
        let deliveries = match self.route {
            // The broker gets the same message once more, which its gateway knows by its id.
            Route::Broker(_) => due,
            Route::Mail(_) => due.into_iter().map(Delivery::if_interrupted).collect(),
        };
        let released = self
            .coordinator
            .ask(ReleaseDeliveries { deliveries, until: now.plus(self.route.claim()) })
            .await?;
        let traced = released.into_iter().map(|delivery| {
            let span = places.get(&delivery.id).and_then(|&place| self.begin(&delivery, place));
            (delivery, span)
        });
        let traced: Vec<_> = traced.collect();
        match &self.route {
            Route::Broker(broker) => self.publish(broker, traced).await?,
            Route::Mail(server) => {
                let sending = traced.into_iter().map(|(delivery, span)| async move {
                    within(span.as_ref(), self.send(server, delivery, span.as_ref())).await;
                });
                join_all(sending).await;
            }
        }
        Ok(found)
    }

    /// Where the traces have come to in which they were released; none where nothing is traced.
    async fn places(&self, deliveries: &[Delivery]) -> HubResult<HashMap<Uuid, TraceParent>> {
        match self.tracer {
            Some(_) => self.deliveries.ask(FindTraces(deliveries.iter().map(|one| one.id).collect())).await,
            None => Ok(HashMap::new()),
        }
    }

    /// The span of handing it over, which goes on from `place`.
    fn begin(&self, delivery: &Delivery, place: TraceParent) -> Option<Span> {
        let attributes = vec![
            KeyValue::new("nexus.delivery.id", delivery.id.to_string()),
            KeyValue::new("nexus.inquiry.id", delivery.message.inquiry_id.to_string()),
            KeyValue::new("nexus.channel", delivery.message.channel.clone()),
        ];
        Some(self.tracer.as_ref()?.begin(SpanKind::Internal, "deliver", Some(place), attributes))
    }

    /// To the broker, all at once.
    async fn publish(
        &self,
        broker: &Recipient<Publish>,
        traced: Vec<(Delivery, Option<Span>)>,
    ) -> HubResult<()> {
        if traced.is_empty() {
            return Ok(());
        }
        let messages = traced.iter().map(|(delivery, span)| {
            (Outgoing::Delivery(delivery.message.clone()), span.as_ref().map(Span::place))
        });
        let answer = broker.send(Publish(messages.collect())).await;
        let outcomes =
            answer.unwrap_or(Err(HubError::Unavailable { what: "broker" })).unwrap_or_else(|error| {
                tracing::warn!(%error, "deliveries wait for the broker");
                Vec::new()
            });
        let now = self.clock.now();
        let mut outcomes = outcomes.into_iter();
        let became = |(delivery, span): (Delivery, Option<Span>)| {
            let (after, failure) = match outcomes.next() {
                Some(Outcome::Confirmed) => (delivery.handed_over(now), None),
                Some(Outcome::Unroutable) => (self.unroutable(&delivery, now), Some("unroutable")),
                // The broker may have it. It is published again, as the same message.
                Some(Outcome::Unconfirmed) | None => {
                    (delivery.due_at(now.plus(SWEEP), now), Some("unconfirmed"))
                }
            };
            if let (Some(span), Some(failure)) = (span, failure) {
                span.fail(failure);
            }
            after
        };
        self.keep_all(traced.into_iter().map(became).collect()).await
    }

    /// In one transaction, unless a report has come in for one of them.
    async fn keep_all(&self, deliveries: Vec<Delivery>) -> HubResult<()> {
        let writes = deliveries.iter().cloned().map(Write::UpdateDelivery).collect();
        match self.writer.ask(Commit::quiet(writes)).await {
            Err(HubError::Contended) => {
                for delivery in deliveries {
                    self.keep(delivery).await?;
                }
                Ok(())
            }
            outcome => outcome,
        }
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
        let commit = Commit::quiet(vec![Write::UpdateDelivery(after)]);
        match self.writer.ask(commit).await {
            Err(HubError::Contended) => Ok(()),
            outcome => outcome,
        }
    }

    async fn send(&self, server: &Recipient<SendMail>, delivery: Delivery, span: Option<&Span>) {
        let id = delivery.id;
        let outcome = send_mail(server, Mail::Reply(Box::new(delivery.message.clone()))).await;
        let failure = match &outcome {
            MailOutcome::Sent => None,
            MailOutcome::Failed { .. } => Some("refused"),
            MailOutcome::NotTried { .. } => Some("not_tried"),
            MailOutcome::Unknown { .. } => Some("unknown"),
        };
        if let (Some(span), Some(failure)) = (span, failure) {
            span.fail(failure);
        }
        let kept = match outcome {
            MailOutcome::Sent => self.report(id, Report::Confirmed { delivered_at: None }).await,
            MailOutcome::Failed { reason, permanent } => {
                self.report(id, Report::Failed { reason, permanent }).await
            }
            MailOutcome::Unknown { reason } => self.report(id, Report::Unknown { reason }).await,
            MailOutcome::NotTried { reason } => {
                let now = self.clock.now();
                self.keep(delivery.put_off(reason, now.plus(self.retry.backoff), now)).await
            }
        };
        if let Err(error) = kept {
            // The claim stands; when it ends, the delivery is in doubt.
            tracing::warn!(%error, delivery = %id, "what became of a mail could not be kept");
        }
    }

    async fn report(&self, id: Uuid, report: Report) -> HubResult<()> {
        self.coordinator.ask(SettleDelivery { id, report, origin: Origin::default() }).await.map(drop)
    }
}
