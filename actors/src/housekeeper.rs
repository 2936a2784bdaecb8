//! Forgets what has been kept as long as promised.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Supervised, WrapFuture};

use crate::clock::Clock;
use crate::mailbox::Mailbox;
use crate::store::idempotency::{ForgetKeys, IdempotencyStore};
use crate::store::notifications::{ForgetNotifications, NotificationStore};
use crate::store::sessions::{ForgetSessions, SessionStore};
use crate::store::tickets::{ForgetTickets, TicketStore};

const EVERY: Duration = Duration::from_secs(10 * 60);

pub struct Housekeeper {
    pub(crate) clock: Clock,
    pub(crate) idempotency: Mailbox<IdempotencyStore>,
    pub(crate) sessions: Mailbox<SessionStore>,
    pub(crate) notifications: Mailbox<NotificationStore>,
    pub(crate) tickets: Mailbox<TicketStore>,
}

impl Actor for Housekeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(EVERY, |actor, ctx| {
            let (idempotency, sessions) = (actor.idempotency.clone(), actor.sessions.clone());
            let (notifications, tickets) = (actor.notifications.clone(), actor.tickets.clone());
            let now = actor.clock.now();
            let forget = async move {
                if let Err(error) = idempotency.ask(ForgetKeys { now }).await {
                    tracing::warn!(%error, "old idempotency keys stay until the next round");
                }
                if let Err(error) = sessions.ask(ForgetSessions { now }).await {
                    tracing::warn!(%error, "old sessions stay until the next round");
                }
                if let Err(error) = notifications.ask(ForgetNotifications { now }).await {
                    tracing::warn!(%error, "old notifications stay until the next round");
                }
                if let Err(error) = tickets.ask(ForgetTickets { now }).await {
                    tracing::warn!(%error, "old tickets stay until the next round");
                }
            };
            ctx.spawn(forget.into_actor(actor));
        });
    }
}

impl Supervised for Housekeeper {}
