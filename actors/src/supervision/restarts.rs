//! When to restart an actor that died, and when to give it up.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The intensity limit: how many deaths an actor may have before it is given up, and how long it rests after
/// each.
///
/// A panic in a message handler costs that message: the actor restarts at once and the death is not counted,
/// or whoever finds a request that panics could stop the process with it. What counts is
/// - a panic in `started` or `restarting`, or in what these wait for,
/// - a panic in a timer or anything else the actor has spawned, a `ResponseActFuture` included,
/// - a `ctx.stop()`,
/// - any message's panic once 2,000 in a row have killed the actor, with none answered and its mailbox never
///   empty in between: it feeds itself, or can do nothing any more.
///
/// After the first counted death the actor restarts at once, after the next it rests for `backoff_first`,
/// then twice as long each time up to `backoff_cap`. Deaths older than `within` are forgotten. One more than
/// `max_restarts` and the actor is given up. The pauses must fit into `within`, or the limit is never
/// reached.
#[derive(Clone, Copy, Debug)]
pub struct Restarts {
    pub max_restarts: u32,
    pub within: Duration,
    pub backoff_first: Duration,
    pub backoff_cap: Duration,
}

/// More than a mailbox should hold, so that one full of messages that panic is not taken for a loop.
const BURST: u32 = 2_000;

impl Default for Restarts {
    /// Gives up a crash loop after some three seconds, and a timer that panics oftener than every ten.
    fn default() -> Self {
        Self {
            max_restarts: 6,
            within: Duration::from_secs(60),
            backoff_first: Duration::from_millis(100),
            backoff_cap: Duration::from_secs(5),
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Blame {
    Actor,
    /// `settled`: its mailbox was empty once since it started.
    Request {
        settled: bool,
    },
}

/// The deaths that [`Restarts`] counts.
pub(super) struct Deaths {
    limit: Restarts,
    counted: VecDeque<Instant>,
    burst: u32,
    answered: u64,
}

impl Deaths {
    pub(super) fn new(limit: Restarts) -> Self {
        Self { limit, counted: VecDeque::new(), burst: 0, answered: 0 }
    }

    /// `answered` is how many messages the actor has answered so far.
    pub(super) fn counts(&mut self, blame: Blame, answered: u64) -> bool {
        let Blame::Request { settled } = blame else { return true };
        let progress = settled || answered != self.answered;
        self.answered = answered;
        self.burst = if progress { 0 } else { self.burst.saturating_add(1) };
        self.burst > BURST
    }

    /// How long to rest after one more counted death; `None` if it was one too many.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        self.counted.retain(|&death| now.duration_since(death) <= self.limit.within);
        self.counted.push_back(now);
        let deaths = u32::try_from(self.counted.len()).unwrap_or(u32::MAX);
        match deaths.checked_sub(2) {
            _ if deaths > self.limit.max_restarts => None,
            None => Some(Duration::ZERO),
            Some(doublings) => {
                let grown = self.limit.backoff_first.saturating_mul(2_u32.saturating_pow(doublings));
                Some(grown.min(self.limit.backoff_cap))
            }
        }
    }
}
