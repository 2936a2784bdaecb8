//! What this process has read from the cache in Redis, for as long as Redis has not said that it changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::ops::compute::Op;
use moka::sync::Cache;
use nexus_actors::store::cache::{CacheKey, VALUE_TTL};

/// What arrives late must not bring back what was forgotten: a value is kept only while the mark stands that was left
/// before it was asked for.
#[derive(Clone, Debug)]
pub(super) struct NearCache {
    marks: Cache<CacheKey, Mark>,
    tickets: Arc<AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    Value(Arc<[u8]>),
    Asked(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Near {
    Value(Arc<[u8]>),
    /// Not here. With the `ticket`, what Redis has may be kept. `again`: somebody has asked for it lately.
    Absent {
        ticket: u64,
        again: bool,
    },
}

impl NearCache {
    /// Room for `capacity` entities.
    pub fn new(capacity: u64) -> Self {
        let marks = Cache::builder().max_capacity(capacity).time_to_live(VALUE_TTL).build();
        Self { marks, tickets: Arc::default() }
    }

    /// Of several who ask for the same at once, what the last one gets is kept.
    pub fn look(&self, key: CacheKey) -> Near {
        let mark = self.marks.get(&key);
        if let Some(Mark::Value(value)) = mark {
            return Near::Value(value);
        }
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        self.marks.insert(key, Mark::Asked(ticket));
        Near::Absent { ticket, again: mark.is_some() }
    }

    pub fn value(&self, key: CacheKey) -> Option<Arc<[u8]>> {
        match self.marks.get(&key) {
            Some(Mark::Value(value)) => Some(value),
            Some(Mark::Asked(_)) | None => None,
        }
    }

    /// Unless it has been forgotten since the ticket was drawn.
    pub fn keep(&self, key: CacheKey, ticket: u64, value: Arc<[u8]>) {
        self.marks.entry(key).and_compute_with(|entry| match entry {
            Some(entry) if *entry.value() == Mark::Asked(ticket) => Op::Put(Mark::Value(value)),
            _ => Op::Nop,
        });
    }

    pub fn forget(&self, key: CacheKey) {
        self.marks.invalidate(&key);
    }

    pub fn forget_all(&self) {
        self.marks.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const KEY: CacheKey = CacheKey::User(Uuid::nil());

    fn ticket(near: &NearCache) -> u64 {
        match near.look(KEY) {
            Near::Absent { ticket, .. } => ticket,
            Near::Value(_) => panic!("it is there"),
        }
    }

    #[test]
    fn what_was_kept_is_there_until_it_is_forgotten() {
        let near = NearCache::new(10);
        near.keep(KEY, ticket(&near), b"value".as_slice().into());
        assert_eq!(near.look(KEY), Near::Value(b"value".as_slice().into()));
        assert_eq!(near.value(KEY), Some(b"value".as_slice().into()));
        near.forget(KEY);
        assert_eq!(near.value(KEY), None);
    }

    #[test]
    fn what_was_asked_for_before_it_was_forgotten_is_not_kept() {
        let near = NearCache::new(10);
        for forget in [|near: &NearCache| near.forget(KEY), NearCache::forget_all] {
            let early = ticket(&near);
            forget(&near);
            near.keep(KEY, early, b"old".as_slice().into());
            assert_eq!(near.value(KEY), None);
        }
    }

    #[test]
    fn it_tells_the_first_who_asks_from_the_next() {
        let near = NearCache::new(10);
        assert!(matches!(near.look(KEY), Near::Absent { again: false, .. }));
        assert!(matches!(near.look(KEY), Near::Absent { again: true, .. }));
        near.forget(KEY);
        assert!(matches!(near.look(KEY), Near::Absent { again: false, .. }));
    }

    #[test]
    fn of_several_the_last_one_is_believed() {
        let near = NearCache::new(10);
        let (first, second) = (ticket(&near), ticket(&near));
        near.keep(KEY, first, b"first".as_slice().into());
        assert_eq!(near.value(KEY), None);
        near.keep(KEY, second, b"second".as_slice().into());
        assert_eq!(near.value(KEY), Some(b"second".as_slice().into()));
    }
}
