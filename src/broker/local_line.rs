//! An inbound queue of the twin, and the confirm of what is published to it.

use std::sync::Arc;

use nexus_actors::domain::envelope::Envelope;
use nexus_actors::{HubError, HubResult};
use tokio::sync::{mpsc, oneshot};

use super::intake::{Feed, Lost, Received, Source};
use super::topology::{Queue, matches};

const STOPPED: HubError = HubError::Unavailable { what: "hub" };

/// The confirm of a message that is under way.
#[derive(Debug)]
pub struct Settlement(oneshot::Receiver<()>);

impl Settlement {
    /// Waits until the hub has settled the message for good.
    ///
    /// # Errors
    /// `Unavailable` when the hub stops or its consumer dies before: the message may have been taken. Published again
    /// with the same `message_id`, it counts once.
    pub async fn settled(self) -> HubResult<()> {
        self.0.await.map_err(|_| STOPPED)
    }
}

/// One inbound queue. It holds a bounded number of messages; who publishes more waits.
#[derive(Clone)]
pub struct Line {
    queue: Queue,
    into: mpsc::Sender<Pending>,
    from: Arc<tokio::sync::Mutex<mpsc::Receiver<Pending>>>,
}

type Pending = Received<oneshot::Sender<()>>;

/// A [`Line`] being consumed, by one consumer at a time.
pub struct LocalFeed(tokio::sync::OwnedMutexGuard<mpsc::Receiver<Pending>>);

impl Line {
    /// `room`: messages that wait in it at a time.
    pub(super) fn new(queue: Queue, room: usize) -> Self {
        let (into, from) = mpsc::channel(room.max(1));
        Self { queue, into, from: Arc::new(tokio::sync::Mutex::new(from)) }
    }

    pub(super) fn gets(&self, exchange: &str, routing_key: &str) -> bool {
        self.queue.exchange == exchange && matches(&self.queue.pattern, routing_key)
    }

    pub(super) async fn put(&self, envelope: Envelope) -> HubResult<Settlement> {
        let (settled, settlement) = oneshot::channel();
        self.into.send((envelope, settled)).await.map_err(|_| STOPPED)?;
        Ok(Settlement(settlement))
    }
}

impl Source for Line {
    type Feed = LocalFeed;

    async fn open(&self) -> Option<LocalFeed> {
        Some(LocalFeed(Arc::clone(&self.from).lock_owned().await))
    }

    /// It never is.
    fn lost(&self, _: &Lost) {}
}

impl Feed for LocalFeed {
    type Ticket = oneshot::Sender<()>;

    async fn next(&mut self) -> Result<Pending, Lost> {
        match self.0.recv().await {
            Some(pending) => Ok(pending),
            // The other end lives in the same `Line`.
            None => std::future::pending().await,
        }
    }

    fn ready(&mut self) -> Option<Pending> {
        self.0.try_recv().ok()
    }

    fn broken(&mut self) -> Option<Lost> {
        None
    }

    async fn settle(
        &mut self,
        run: Vec<oneshot::Sender<()>>,
        single: Vec<oneshot::Sender<()>>,
    ) -> Result<(), Lost> {
        for settled in run.into_iter().chain(single) {
            // Whoever published it may wait no more.
            let _ = settled.send(());
        }
        Ok(())
    }

    /// What waits is told that nobody takes it.
    async fn close(mut self) {
        self.0.close();
        while self.0.try_recv().is_ok() {}
    }
}
