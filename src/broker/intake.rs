//! Takes in what a queue holds: in its order, batch by batch, and lets go of a message once it is settled for good.

use std::collections::VecDeque;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Supervised, WrapFuture};
use futures_util::FutureExt;
use nexus_actors::domain::envelope::Envelope;
use nexus_actors::intake_desk::{IntakeDesk, Receipt, Receive};
use nexus_actors::mailbox::Mailbox;
use tokio::sync::watch;
use tokio::time::timeout;

use super::backoff::Backoff;

/// After a passing fault: the first pause, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Bytes of one batch, so that many large messages do not take longer than the hub is patient. One always fits.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A queue as it is consumed. Its messages come in their order.
pub trait Feed {
    /// What settles a message.
    type Ticket;

    /// Waits for the next message. Dropped while it waits, it loses none.
    async fn next(&mut self) -> Result<Received<Self::Ticket>, Lost>;

    /// The next message, if it is there already.
    fn ready(&mut self) -> Option<Received<Self::Ticket>>;

    /// Whether what it has brought can still be settled.
    fn broken(&mut self) -> Option<Lost>;

    /// Tells the queue that these are done with: a run from the oldest on, and single ones behind.
    async fn settle(&mut self, run: Vec<Self::Ticket>, single: Vec<Self::Ticket>) -> Result<(), Lost>;

    /// Wants no more. Resolves once the queue has taken what is not settled back.
    async fn close(self);
}

/// Where a [`Feed`] comes from.
pub trait Source: Clone + Unpin + 'static {
    type Feed: Feed;

    /// Waits for as long as it takes. `None`: there will be none any more.
    async fn open(&self) -> Option<Self::Feed>;

    /// The feed it opened last has broken.
    fn lost(&self, lost: &Lost);
}

pub type Received<T> = (Envelope, T);

/// The feed has broken; what was not settled comes again with the next.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

/// Whether to consume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Not before the database is prepared.
    Wait,
    Go,
    Stop,
}

/// Consumes one queue.
pub struct Consumer<S>(pub Intake<S>);

#[derive(Clone)]
pub struct Intake<S> {
    pub source: S,
    pub desk: Mailbox<IntakeDesk>,
    /// Messages taken in at a time.
    pub batch: usize,
    pub order: watch::Receiver<Order>,
    /// True while nothing is under way and nothing will be.
    pub idle: watch::Sender<bool>,
}

impl<S: Source> Actor for Consumer<S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let intake = self.0.clone();
        ctx.spawn(async move { intake.run().await }.into_actor(self));
    }
}

impl<S: Source> Supervised for Consumer<S> {}

enum End {
    Told,
    Lost(Lost),
}

impl<S: Source> Intake<S> {
    async fn run(&self) {
        let _idle = IdleAfterwards(&self.idle);
        self.idle.send_replace(false);
        // An error is the end of whoever could tell.
        let _ = self.order.clone().wait_for(|&order| order != Order::Wait).await;
        loop {
            let mut feed = tokio::select! {
                biased;
                () = told_to_stop(&self.order) => return self.refuse().await,
                feed = self.source.open() => match feed {
                    Some(feed) => feed,
                    None => return,
                },
            };
            match self.consume(&mut feed).await {
                End::Told => {
                    feed.close().await;
                    return;
                }
                End::Lost(lost) => self.source.lost(&lost),
            }
        }
    }

    /// Whoever waits is not to wait for nothing.
    async fn refuse(&self) {
        if let Some(Some(feed)) = self.source.open().now_or_never() {
            feed.close().await;
        }
    }

    async fn consume(&self, feed: &mut S::Feed) -> End {
        let mut held: VecDeque<Received<<S::Feed as Feed>::Ticket>> = VecDeque::new();
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            if held.is_empty() {
                tokio::select! {
                    biased;
                    () = told_to_stop(&self.order) => return End::Told,
                    next = feed.next() => match next {
                        Ok(received) => held.push_back(received),
                        Err(lost) => return End::Lost(lost),
                    },
                }
            }
            while held.len() < self.batch
                && let Some(received) = feed.ready()
            {
                held.push_back(received);
            }
            if let Some(lost) = feed.broken() {
                return End::Lost(lost);
            }
            let receipts = self.desk.ask(Receive(self.first_of(&held))).await;
            let pause = match receipts {
                Ok(receipts) if receipts.iter().any(Option::is_some) => {
                    if let Err(lost) = settle(feed, &mut held, &receipts).await {
                        return End::Lost(lost);
                    }
                    backoff.reset();
                    None
                }
                Ok(_) => Some(backoff.pause()),
                Err(error) => {
                    let pause = backoff.pause();
                    tracing::warn!(%error, messages = held.len(), ?pause, "inbound messages wait");
                    Some(pause)
                }
            };
            if *self.order.borrow() == Order::Stop {
                return End::Told;
            }
            if let Some(pause) = pause
                && timeout(pause, told_to_stop(&self.order)).await.is_ok()
            {
                return End::Told;
            }
        }
    }

    fn first_of<T>(&self, held: &VecDeque<Received<T>>) -> Vec<Envelope> {
        let mut bytes = 0;
        let fits = |(place, (envelope, _)): &(usize, &Received<T>)| {
            bytes += envelope.body.len();
            *place == 0 || bytes <= BATCH_BYTES
        };
        held.iter().enumerate().take_while(fits).map(|(_, (envelope, _))| envelope.clone()).collect()
    }
}

/// Lets go of what has a receipt and keeps the others in their order.
async fn settle<F: Feed>(
    feed: &mut F,
    held: &mut VecDeque<Received<F::Ticket>>,
    receipts: &[Option<Receipt>],
) -> Result<(), Lost> {
    let (mut run, mut single) = (Vec::new(), Vec::new());
    let mut kept = VecDeque::new();
    for receipt in receipts {
        let Some((envelope, ticket)) = held.pop_front() else { break };
        match receipt {
            Some(_) if kept.is_empty() => run.push(ticket),
            Some(_) => single.push(ticket),
            None => kept.push_back((envelope, ticket)),
        }
    }
    kept.append(held);
    *held = kept;
    feed.settle(run, single).await
}

async fn told_to_stop(order: &watch::Receiver<Order>) {
    // An error is the end of whoever could tell.
    let _ = order.clone().wait_for(|&order| order == Order::Stop).await;
}

/// Also after a panic, or a shutdown would wait for it.
struct IdleAfterwards<'a>(&'a watch::Sender<bool>);

impl Drop for IdleAfterwards<'_> {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}
