use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nexus_actors::domain::Principal;
use nexus_actors::domain::notification::Notification;
use nexus_actors::mailbox::Mailbox;
use nexus_actors::notifier::{Ending, Kind, Subscribe, Subscription};
use nexus_actors::store::notifications::{NotificationStore, ReadNotifications};
use nexus_actors::{Hub, HubResult};
use tokio::time::{Instant, Interval, interval_at};
use uuid::Uuid;

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Missed notifications read at a time.
const BATCH: i64 = 100;

/// A user's notifications in order: those that were missed, then those that happen.
pub struct Feed {
    user_id: Uuid,
    notifications: Mailbox<NotificationStore>,
    subscription: Subscription,
    missed: VecDeque<Notification>,
    /// The number of the last one given out, or skipped.
    last: i64,
    heartbeat: Interval,
}

pub enum Item {
    Notification(Arc<Notification>),
    Heartbeat,
    /// `None`: the missed ones could not be read.
    End(Option<Ending>),
}

impl Feed {
    /// Without `after`, nothing was missed.
    pub async fn open(hub: &Hub, principal: &Principal, kind: Kind, after: Option<i64>) -> HubResult<Self> {
        let (user_id, session_id) = (principal.user_id, principal.session_id);
        let subscription = hub.notifier.ask(Subscribe { user_id, session_id, kind }).await?;
        Ok(Self::new(user_id, hub.notifications.clone(), subscription, after))
    }

    pub(super) fn new(
        user_id: Uuid,
        notifications: Mailbox<NotificationStore>,
        subscription: Subscription,
        after: Option<i64>,
    ) -> Self {
        Self {
            user_id,
            notifications,
            last: after.unwrap_or(subscription.from),
            subscription,
            missed: VecDeque::new(),
            heartbeat: interval_at(Instant::now() + HEARTBEAT, HEARTBEAT),
        }
    }

    pub async fn next(&mut self) -> Item {
        if self.missed.is_empty() && self.last < self.subscription.from {
            let read = ReadNotifications { user_id: Some(self.user_id), after: self.last, limit: BATCH };
            match self.notifications.ask(read).await {
                Ok(some) => self.missed.extend(some.into_iter().map(|told| told.notification)),
                Err(error) => {
                    tracing::warn!(%error, "missed notifications cannot be read; the client will ask again");
                    return Item::End(None);
                }
            }
            if self.missed.is_empty() {
                self.last = self.subscription.from;
            }
        }
        if let Some(missed) = self.missed.pop_front() {
            self.last = missed.id;
            return Item::Notification(Arc::new(missed));
        }
        loop {
            tokio::select! {
                biased;
                pushed = self.subscription.pushed.recv() => match pushed {
                    // It may have come from the database already.
                    Some(pushed) if pushed.id <= self.last => {}
                    Some(pushed) => {
                        self.last = pushed.id;
                        return Item::Notification(pushed);
                    }
                    None => return Item::End(self.subscription.ending.get().copied()),
                },
                _ = self.heartbeat.tick() => return Item::Heartbeat,
            }
        }
    }
}
