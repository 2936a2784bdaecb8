use std::sync::atomic::{AtomicUsize, Ordering};

use actix_rt::{Arbiter, ArbiterHandle};

/// Deals actors out to threads in turn.
pub(super) struct Threads {
    handles: Vec<ArbiterHandle>,
    next: AtomicUsize,
}

impl Threads {
    pub fn new(count: usize) -> Self {
        let handles = (0..count.max(1)).map(|_| Arbiter::new().handle()).collect();
        Self { handles, next: AtomicUsize::new(0) }
    }

    pub fn next(&self) -> ArbiterHandle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.handles[turn % self.handles.len()].clone()
    }
}
