//! Tells those who look at the approval queue when it has changed, whoever changed it and on whichever instance.
//!
//! Notifications do not do for that: a manager is told of none when a colleague decides or an author withdraws. While
//! nobody looks, nothing is read.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Supervised, WrapFuture};
use tokio::sync::{SetOnce, watch};

use crate::error::HubResult;
use crate::mailbox::Mailbox;
use crate::outage::Outage;
use crate::store::responses::{ApprovalQueue, ReadApprovalQueue, ResponseStore};

/// How often an instance looks, for all who look at it here.
const EVERY: Duration = Duration::from_secs(1);

/// Answers with what changes whenever the queue does.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<watch::Receiver<ApprovalQueue>>")]
pub struct WatchApprovals;

pub struct ApprovalWatch {
    pub(crate) responses: Mailbox<ResponseStore>,
    pub(crate) prepared: Arc<SetOnce<()>>,
    pub(crate) waiting: Arc<watch::Sender<ApprovalQueue>>,
}

impl Actor for ApprovalWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (responses, prepared) = (self.responses.clone(), Arc::clone(&self.prepared));
        // Not the actor's alone, so that those who look go on looking after a restart.
        let waiting = Arc::clone(&self.waiting);
        let looking = async move {
            prepared.wait().await;
            run(&responses, &waiting).await
        };
        ctx.spawn(looking.into_actor(self));
    }
}

impl Supervised for ApprovalWatch {}

crate::follows_traces!(ApprovalWatch);

impl Handler<WatchApprovals> for ApprovalWatch {
    type Result = HubResult<watch::Receiver<ApprovalQueue>>;

    fn handle(&mut self, _: WatchApprovals, _: &mut Self::Context) -> Self::Result {
        Ok(self.waiting.subscribe())
    }
}

async fn run(responses: &Mailbox<ResponseStore>, waiting: &watch::Sender<ApprovalQueue>) {
    let mut outage = Outage::of("the approval queue is not looked at");
    loop {
        if waiting.receiver_count() > 0 {
            match responses.ask(ReadApprovalQueue).await {
                Ok(now) => {
                    outage.over();
                    waiting.send_if_modified(|before| std::mem::replace(before, now) != now);
                }
                Err(error) => outage.begun_or_going_on(&error),
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}
