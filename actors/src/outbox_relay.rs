//! Passes events and dead letters from the outbox to the broker, in the order they happened to each entity.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Recipient, Supervised, WrapFuture};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::error::HubResult;
use crate::mailbox::Mailbox;
use crate::port::Publish;
use crate::store::outbox::{OutboxStore, Relay, Relayed};

/// How often the outbox is looked at without being told to: for what other instances left behind.
const SWEEP: Duration = Duration::from_secs(1);
/// Messages published at a time.
const BATCH: i64 = 200;

pub struct OutboxRelay {
    pub(crate) relay: Passing,
}

/// What passes messages on, in the actor's own loop or once more at the end.
#[derive(Clone)]
pub(crate) struct Passing {
    pub outbox: Mailbox<OutboxStore>,
    pub broker: Recipient<Publish>,
    pub filled: std::sync::Arc<Notify>,
}

impl Actor for OutboxRelay {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let relay = self.relay.clone();
        ctx.spawn(async move { relay.run().await }.into_actor(self));
    }
}

impl Supervised for OutboxRelay {}

impl Passing {
    async fn run(&self) {
        let mut away = false;
        loop {
            match self.pass_on().await {
                // More may wait behind a full batch.
                Ok(relayed) if relayed.published > 0 && relayed.found >= BATCH as usize => continue,
                Ok(_) => away = false,
                Err(error) if away => tracing::debug!(%error, "the outbox keeps waiting"),
                Err(error) => {
                    tracing::warn!(%error, "the outbox waits");
                    away = true;
                }
            }
            let _ = timeout(SWEEP, self.filled.notified()).await;
            if away {
                // Every commit nudges; a broker that is away need not be asked each time.
                tokio::time::sleep(SWEEP).await;
            }
        }
    }

    /// Until nothing waits or the broker does not take it.
    pub async fn flush(&self) {
        while self.pass_on().await.is_ok_and(|relayed| relayed.published > 0) {}
    }

    async fn pass_on(&self) -> HubResult<Relayed> {
        self.outbox.ask(Relay { broker: self.broker.clone(), limit: BATCH }).await
    }
}
