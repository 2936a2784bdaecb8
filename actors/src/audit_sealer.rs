//! Chains the audit trail, soon after each entry has committed.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Supervised, WrapFuture};
use tokio::sync::SetOnce;
use tokio::time::{Instant, sleep};

use crate::mailbox::Mailbox;
use crate::outage::Outage;
use crate::store::audit::{AuditStore, SealEntries};

/// How often entries are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// Entries sealed at a time.
const BATCH: i64 = 500;
/// With more waiting it rests for so many times as long as a batch took. A rush needs the database for itself; its entries
/// can be sealed behind it.
const REST: u32 = 3;

pub struct AuditSealer {
    pub(crate) audit: Mailbox<AuditStore>,
    pub(crate) prepared: Arc<SetOnce<()>>,
}

impl Actor for AuditSealer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (audit, prepared) = (self.audit.clone(), Arc::clone(&self.prepared));
        let sealing = async move {
            prepared.wait().await;
            run(&audit).await
        };
        ctx.spawn(sealing.into_actor(self));
    }
}

impl Supervised for AuditSealer {}

crate::follows_traces!(AuditSealer);

async fn run(audit: &Mailbox<AuditStore>) {
    let (mut outage, mut pause) = (Outage::of("audit entries stay unsealed"), EVERY);
    loop {
        sleep(pause).await;
        let begun = Instant::now();
        pause = EVERY;
        match audit.ask(SealEntries { limit: BATCH }).await {
            Ok(sealed) if sealed >= BATCH as u64 => pause = begun.elapsed() * REST,
            Ok(_) => outage.over(),
            Err(error) => outage.begun_or_going_on(&error),
        }
    }
}
