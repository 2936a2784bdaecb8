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
    made: Arc<Mutex<Made>>,
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

/// Those of promises that are kept up, by a number of their own.
#[derive(Debug, Default)]
struct Made {
    next: u64,
    promised: HashMap<u64, Vec<Promised>>,
}

#[derive(Clone, Copy, Debug)]
struct Promised {
    inquiry_id: Uuid,
    to: Uuid,
}

/// Keeps what was decided counted until it is dropped: once it is committed, or will not be.
#[derive(Debug)]
#[must_use = "dropped, it lets the next decision overlook this one"]
pub struct Promise {
    number: u64,
    promises: Promises,
}

/// A look at the candidates that nobody else has at the same time.
pub(super) struct Turn<'a> {
    promises: &'a Promises,
    promised: Vec<Promised>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl Promises {
    pub fn ask(&self, seeking: Vec<Seeking>) -> oneshot::Receiver<HubResult<Chosen>> {
        let (answer, answered) = oneshot::channel();
        lock(&self.asked).push(Asked { seeking, answer });
        answered
    }

    /// To be begun before the candidates are read: what is promised may then be committed at any moment.
    pub async fn turn(&self) -> HubResult<Turn<'_>> {
        let turn = timeout(PATIENCE, self.turn.lock()).await;
        let turn = turn.map_err(|_| HubError::Unavailable { what: "AssignmentBalancer" })?;
        let promised = lock(&self.made).promised.values().flatten().copied().collect();
        Ok(Turn { promises: self, promised, _turn: turn })
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

    /// What is promised, committed or not.
    pub fn promised(&self) -> Vec<Uuid> {
        self.promised.iter().map(|promised| promised.inquiry_id).collect()
    }

    /// Adds what is promised to what the candidates have without it.
    pub fn count(&self, candidates: &mut [Candidate]) {
        let mut counts: HashMap<Uuid, i64> = HashMap::new();
        for promised in &self.promised {
            *counts.entry(promised.to).or_default() += 1;
        }
        for candidate in candidates {
            candidate.open += counts.get(&candidate.user_id).copied().unwrap_or(0);
        }
    }

    /// `decisions`: one for each that seeks, in the same order.
    pub fn promise(&self, seeking: &[Seeking], decisions: &[Decision]) -> Promise {
        let both = seeking.iter().zip(decisions);
        let promised = both.filter_map(|(seeking, decision)| {
            decision.assignee.map(|to| Promised { inquiry_id: seeking.inquiry_id, to })
        });
        let mut made = lock(&self.promises.made);
        let number = made.next;
        made.next += 1;
        made.promised.insert(number, promised.collect());
        Promise { number, promises: self.promises.clone() }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        lock(&self.promises.made).promised.remove(&self.number);
    }
}
