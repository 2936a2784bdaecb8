//! Forgets what has been kept as long as promised, and repairs what is counted wrongly.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture};

use crate::clock::Clock;
use crate::error::HubResult;
use crate::mailbox::Mailbox;
use crate::store::idempotency::{ForgetKeys, IdempotencyStore};
use crate::store::notifications::{ForgetNotifications, NotificationStore};
use crate::store::sessions::{ForgetSessions, SessionStore};
use crate::store::tickets::{ForgetTickets, TicketStore};
use crate::store::users::{ReconcileLoads, UserStore};
use crate::store::webhooks::{ForgetWebhookMessages, WebhookStore};

const EVERY: Duration = Duration::from_secs(10 * 60);

#[derive(Clone)]
pub struct Housekeeper {
    pub(crate) clock: Clock,
    pub(crate) idempotency: Mailbox<IdempotencyStore>,
    pub(crate) sessions: Mailbox<SessionStore>,
    pub(crate) notifications: Mailbox<NotificationStore>,
    pub(crate) tickets: Mailbox<TicketStore>,
    pub(crate) users: Mailbox<UserStore>,
    pub(crate) webhooks: Mailbox<WebhookStore>,
}

/// Does a round now. The housekeeper does so by itself, every ten minutes. What cannot be done waits for the next.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct KeepHouse;

impl Actor for Housekeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(EVERY, |actor, ctx| {
            let keeper = actor.clone();
            ctx.spawn(async move { keeper.round().await }.into_actor(actor));
        });
    }
}

impl Supervised for Housekeeper {}

crate::follows_traces!(Housekeeper);

impl Handler<KeepHouse> for Housekeeper {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, _: KeepHouse, _: &mut Self::Context) -> Self::Result {
        let keeper = self.clone();
        Box::pin(async move {
            keeper.round().await;
            Ok(())
        })
    }
}

impl Housekeeper {
    async fn round(&self) {
        let now = self.clock.now();
        later("idempotency keys", self.idempotency.ask(ForgetKeys { now }).await);
        later("sessions", self.sessions.ask(ForgetSessions { now }).await);
        later("notifications", self.notifications.ask(ForgetNotifications { now }).await);
        later("tickets", self.tickets.ask(ForgetTickets { now }).await);
        later("webhook messages", self.webhooks.ask(ForgetWebhookMessages { now }).await);
        self.reconcile_loads().await;
    }

    /// Loads are kept in the transactions that change them, so one that is off is a defect, or somebody's doing.
    async fn reconcile_loads(&self) {
        match self.users.ask(ReconcileLoads).await {
            Ok(repaired) => {
                for load in repaired {
                    let (counted, held) = (load.counted, load.held);
                    let difference = counted - held;
                    tracing::warn!(user = %load.user_id, counted, held, difference, "a load was off, and is repaired");
                }
            }
            Err(error) => tracing::warn!(%error, "loads are not reconciled until the next round"),
        }
    }
}

/// What could not be forgotten is tried again with the next round.
fn later(what: &str, forgotten: HubResult<()>) {
    if let Err(error) = forgotten {
        tracing::warn!(%error, "old {what} stay until the next round");
    }
}
