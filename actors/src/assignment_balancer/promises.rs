//! What has been decided and may not be committed yet.
//!
//! Decisions are made side by side with the commits of those before. One that saw the database alone would find the
//! same CSO the least busy as all the others did, and that one would get everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Chosen, Seeking};
use crate::domain::assignment::{Candidate, Decision};
use crate::error::{HubError, HubResult};
use crate::mailbox::PATIENCE;

/// The decisions of this instance. What another one is about to commit, no decision here can see.
#[derive(Clone, Debug, Default)]
pub(super) struct Promises {
    counts: Arc<Mutex<HashMap<Uuid, Count>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Inquiries to be decided on together, in the next turn, whoever has it. So a look at the candidates serves all that
/// came during the look before.
#[derive(Debug)]
pub(super) struct Asked {
    pub seeking: Vec<Seeking>,
    pub answer: oneshot::Sender<HubResult<Chosen>>,
}

/// Inquiries promised to a CSO since the start. Neither count ever falls.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    made: i64,
    settled: i64,
}

/// Keeps what was decided counted until it is dropped: once it is committed, or will not be.
#[derive(Debug)]
#[must_use = "dropped, it lets the next decision overlook this one"]
pub struct Promise {
    to: Vec<Uuid>,
    promises: Promises,
}

/// A look at the candidates that nobody else has at the same time.
pub(super) struct Turn<'a> {
    promises: &'a Promises,
    settled: HashMap<Uuid, i64>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl Promises {
    pub fn ask(&self, seeking: Vec<Seeking>) -> oneshot::Receiver<HubResult<Chosen>> {
        let (answer, answered) = oneshot::channel();
        lock(&self.asked).push(Asked { seeking, answer });
        answered
    }

    /// To be begun before the candidates are read: what is settled later may or may not be among what they have.
    pub async fn turn(&self) -> HubResult<Turn<'_>> {
        let turn = timeout(PATIENCE, self.turn.lock()).await;
        let turn = turn.map_err(|_| HubError::Unavailable { what: "AssignmentBalancer" })?;
        let settled = lock(&self.counts).iter().map(|(id, count)| (*id, count.settled)).collect();
        Ok(Turn { promises: self, settled, _turn: turn })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turn<'_> {
    /// Everybody who has asked by now and has had no answer.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.promises.asked))
    }

    /// Adds what is promised to what the candidates have.
    pub fn count(&self, candidates: &mut [Candidate]) {
        let counts = lock(&self.promises.counts);
        for candidate in candidates {
            let made = counts.get(&candidate.user_id).map_or(0, |count| count.made);
            candidate.open += made - self.settled.get(&candidate.user_id).copied().unwrap_or(0);
        }
    }

    pub fn promise(&self, decisions: &[Decision]) -> Promise {
        let to: Vec<Uuid> = decisions.iter().filter_map(|decision| decision.assignee).collect();
        let mut counts = lock(&self.promises.counts);
        for cso in &to {
            counts.entry(*cso).or_default().made += 1;
        }
        Promise { to, promises: self.promises.clone() }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut counts = lock(&self.promises.counts);
        for cso in &self.to {
            counts.entry(*cso).or_default().settled += 1;
        }
    }
}
