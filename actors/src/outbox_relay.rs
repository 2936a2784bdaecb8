//! Passes events and dead letters from the outbox to the broker, in the order they happened to each entity.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Recipient, Supervised, WrapFuture};
use tokio::sync::{Notify, SetOnce};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::error::HubResult;
use crate::mailbox::Mailbox;
use crate::outage::Outage;
use crate::port::Publish;
use crate::store::outbox::{OutboxStore, Relay, Relayed};

/// How often the outbox is looked at without being told to: for what other instances left behind.
const SWEEP: Duration = Duration::from_secs(1);
/// From one look to the next at least, so that under load each takes much. The first after a quiet time is at once.
const GATHER: Duration = Duration::from_millis(20);
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
    pub prepared: Arc<SetOnce<()>>,
    pub filled: Arc<Notify>,
    pub waits: Arc<AtomicBool>,
}

impl Actor for OutboxRelay {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let relay = self.relay.clone();
        ctx.spawn(async move { relay.run().await }.into_actor(self));
    }
}

impl Supervised for OutboxRelay {}

crate::follows_traces!(OutboxRelay);

impl Passing {
    async fn run(&self) {
        self.prepared.wait().await;
        let mut outage = Outage::of("the outbox waits");
        loop {
            let begun = Instant::now();
            match self.pass_on().await {
                // More may wait behind a full batch.
                Ok(relayed) if relayed.published > 0 && relayed.found >= BATCH as usize => continue,
                Ok(_) => outage.over(),
                Err(error) => outage.begun_or_going_on(&error),
            }
            let _ = timeout(SWEEP, self.filled.notified()).await;
            sleep_until(begun + GATHER).await;
            if outage.lasts() {
                // Every commit nudges; a broker that is away need not be asked each time.
                sleep(SWEEP).await;
            }
        }
    }

    /// What this process has committed, as far as the broker takes it now. Nothing is asked when there is nothing, so
    /// that a database that is away does not hold up a shutdown.
    pub async fn flush(&self) {
        while self.waits.load(Ordering::SeqCst) {
            match self.pass_on().await {
                Ok(relayed) if relayed.published > 0 => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    async fn pass_on(&self) -> HubResult<Relayed> {
        let waited = self.waits.swap(false, Ordering::SeqCst);
        let relayed = self.outbox.ask(Relay { broker: self.broker.clone(), limit: BATCH }).await;
        let left = match &relayed {
            Ok(done) => done.published < done.found || done.found >= BATCH as usize,
            Err(_) => waited,
        };
        if left {
            self.waits.store(true, Ordering::SeqCst);
        }
        relayed
    }
}
