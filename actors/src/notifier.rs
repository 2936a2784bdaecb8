//! Pushes notifications to whoever is connected.
//!
//! Each instance follows the numbers of all notifications and hands what is new to those of its own connections it is
//! for. It is woken by its own commits and, where several instances share a broker, by the others' events; without
//! either it looks from time to time. What a connection missed it reads from the database: pushes can be late, never lost.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture};
use tokio::sync::{Notify, SetOnce, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::notification::Notification;
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::outage::Outage;
use crate::store::notifications::{
    LastNumber, NotificationStore, NumberNotifications, ReadNotifications, Told,
};
use crate::store::sessions::{FindEnded, SessionStore};

/// How often it is checked that those connected are still signed in.
const CHECK: Duration = Duration::from_secs(2);
/// From one look to the next at least: all instances look when one commits, so that the database would have the more to
/// do for each commit, the more instances there are. The first look after a quiet time is at once.
const GATHER: Duration = Duration::from_millis(50);
/// Notifications handled at a time.
const BATCH: i64 = 500;
/// Notifications a connection may lag behind; then it is dropped, and can come back for the rest.
pub const LAG: usize = 256;
/// Connections of one kind a user may have here.
pub const MAX_SOCKETS: usize = 5;
pub const MAX_STREAMS: usize = 32;

/// Opens a connection: from now on, what the user is told of comes through it.
///
/// # Errors
/// `TooManyConnections`; `Unavailable` until the database has been reached once, and while the hub stops.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Subscription>")]
pub struct Subscribe {
    pub user_id: Uuid,
    pub session_id: Uuid,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Stream,
    Socket,
}

/// Dropped, it ends the connection.
#[derive(Debug)]
pub struct Subscription {
    pub pushed: mpsc::Receiver<Arc<Notification>>,
    /// Everything above it comes through `pushed`, in order. What is up to it is in the database.
    pub from: i64,
    /// Set before `pushed` ends.
    pub ending: Arc<OnceLock<Ending>>,
}

/// Why the hub ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The session it was opened with has ended.
    SignedOut,
    /// It read too slowly.
    Lagged,
    /// The hub stops.
    Stopping,
}

/// Counts for the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushCounts {
    pub connections: usize,
    pub pushed: u64,
    pub dropped: u64,
}

pub struct Notifier {
    pub(crate) pushing: Pushing,
}

/// What follows the notifications, in the actor's own loop.
#[derive(Clone)]
pub(crate) struct Pushing {
    pub clock: Clock,
    pub notifications: Mailbox<NotificationStore>,
    pub sessions: Mailbox<SessionStore>,
    pub prepared: Arc<SetOnce<()>>,
    pub due: Arc<Notify>,
    /// How often notifications are looked for without being told to: for what other instances committed.
    pub look_every: Duration,
    pub lines: Lines,
}

/// Who is connected, and how far they have been told.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Connected>>);

#[derive(Debug, Default)]
struct Connected {
    lines: HashMap<Uuid, Vec<Line>>,
    /// The number up to which everything has been pushed; `None` before the first look.
    told: Option<i64>,
    stopping: bool,
    counts: PushCounts,
}

#[derive(Debug)]
struct Line {
    session_id: Uuid,
    kind: Kind,
    to: mpsc::Sender<Arc<Notification>>,
    ending: Arc<OnceLock<Ending>>,
}

impl Actor for Notifier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let pushing = self.pushing.clone();
        ctx.spawn(async move { pushing.run().await }.into_actor(self));
        ctx.run_interval(CHECK, |actor, ctx| {
            let pushing = actor.pushing.clone();
            let check = async move {
                if let Err(error) = pushing.check().await {
                    tracing::warn!(%error, "connections stay as they are until the next check");
                }
            };
            ctx.spawn(check.into_actor(actor));
        });
    }
}

impl Supervised for Notifier {}

crate::follows_traces!(Notifier);

impl Handler<Subscribe> for Notifier {
    type Result = ResponseFuture<HubResult<Subscription>>;

    fn handle(&mut self, subscribe: Subscribe, _: &mut Self::Context) -> Self::Result {
        let pushing = self.pushing.clone();
        Box::pin(async move {
            if pushing.lines.told().is_none() {
                pushing.pass_on().await?;
            }
            pushing.lines.open(subscribe)
        })
    }
}

impl Pushing {
    async fn run(&self) {
        let mut outage = Outage::of("notifications wait");
        self.prepared.wait().await;
        loop {
            let begun = Instant::now();
            match self.pass_on().await {
                Ok(true) => continue,
                Ok(false) => outage.over(),
                Err(error) => outage.begun_or_going_on(&error),
            }
            let _ = timeout(self.look_every, self.due.notified()).await;
            sleep_until(begun + GATHER).await;
        }
    }

    /// Answers whether more may wait.
    async fn pass_on(&self) -> HubResult<bool> {
        let Some(told) = self.lines.told() else {
            let last = self.notifications.ask(LastNumber).await?;
            self.lines.begin(last);
            return Ok(true);
        };
        let numbered = self.notifications.ask(NumberNotifications { limit: BATCH }).await?;
        let read = ReadNotifications { user_id: None, after: told, limit: BATCH };
        let news = self.notifications.ask(read).await?;
        let more = news.len() >= BATCH as usize || numbered >= BATCH as u64;
        self.lines.push(news);
        Ok(more)
    }

    /// Ends the connections of those who are no longer signed in.
    async fn check(&self) -> HubResult<()> {
        let sessions = self.lines.sessions();
        if sessions.is_empty() {
            return Ok(());
        }
        let ended = self.sessions.ask(FindEnded { sessions, now: self.clock.now() }).await?;
        for (user_id, session_id) in ended {
            self.lines.end(user_id, |line| line.session_id == session_id, Ending::SignedOut);
        }
        Ok(())
    }
}

impl Lines {
    pub fn counts(&self) -> PushCounts {
        let connected = self.lock();
        PushCounts { connections: connected.lines.values().map(Vec::len).sum(), ..connected.counts }
    }

    /// Ends every connection and lets no other begin.
    pub fn stop(&self) {
        let mut connected = self.lock();
        connected.stopping = true;
        for line in connected.lines.drain().flat_map(|(_, lines)| lines) {
            line.end(Ending::Stopping);
        }
    }

    fn told(&self) -> Option<i64> {
        self.lock().told
    }

    /// Whoever opens a connection from now on is pushed what is numbered above `last`.
    pub fn begin(&self, last: i64) {
        self.lock().told.get_or_insert(last);
    }

    /// # Errors
    /// As those of [`Subscribe`].
    pub fn open(&self, Subscribe { user_id, session_id, kind }: Subscribe) -> HubResult<Subscription> {
        let mut connected = self.lock();
        let from = connected.told.filter(|_| !connected.stopping);
        let from = from.ok_or(HubError::Unavailable { what: "Notifier" })?;
        let lines = connected.lines.entry(user_id).or_default();
        lines.retain(|line| !line.to.is_closed());
        let most = match kind {
            Kind::Stream => MAX_STREAMS,
            Kind::Socket => MAX_SOCKETS,
        };
        if lines.iter().filter(|line| line.kind == kind).count() >= most {
            return Err(HubError::TooManyConnections { most });
        }
        let (to, pushed) = mpsc::channel(LAG);
        let ending = Arc::new(OnceLock::new());
        lines.push(Line { session_id, kind, to, ending: Arc::clone(&ending) });
        Ok(Subscription { pushed, from, ending })
    }

    /// Hands what is new to the connections of those it is for. Numbers grow.
    pub fn push(&self, news: Vec<Told>) {
        let mut connected = self.lock();
        let connected = &mut *connected;
        for Told { user_id, notification, .. } in news {
            let number = notification.id;
            // Two looks may have overlapped.
            if connected.told.is_some_and(|told| number <= told) {
                continue;
            }
            connected.told = Some(number);
            let Entry::Occupied(mut lines) = connected.lines.entry(user_id) else { continue };
            let notification = Arc::new(notification);
            lines.get_mut().retain(|line| match line.to.try_send(Arc::clone(&notification)) {
                Ok(()) => {
                    connected.counts.pushed += 1;
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    connected.counts.dropped += 1;
                    line.end(Ending::Lagged);
                    false
                }
            });
            if lines.get().is_empty() {
                lines.remove();
            }
        }
    }

    /// Of everyone connected; forgets those who have gone.
    fn sessions(&self) -> Vec<Uuid> {
        let mut connected = self.lock();
        connected.lines.retain(|_, lines| {
            lines.retain(|line| !line.to.is_closed());
            !lines.is_empty()
        });
        let mut sessions: Vec<Uuid> =
            connected.lines.values().flatten().map(|line| line.session_id).collect();
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    fn end(&self, user_id: Uuid, which: impl Fn(&Line) -> bool, ending: Ending) {
        let mut connected = self.lock();
        let Some(lines) = connected.lines.get_mut(&user_id) else { return };
        lines.retain(|line| {
            if which(line) {
                line.end(ending);
            }
            !which(line)
        });
    }

    fn lock(&self) -> MutexGuard<'_, Connected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// To be dropped right after, which ends it.
    fn end(&self, ending: Ending) {
        // The first reason is the one.
        let _ = self.ending.set(ending);
    }
}

#[cfg(test)]
mod tests;
