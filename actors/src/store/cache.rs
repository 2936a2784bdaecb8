//! A cache of entities by id that never answers with what a committed write has replaced, on any instance.
//!
//! Three kinds of marks make it so (the leases of "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1):
//! a reader that misses gets a *lease* and may fill the key only while its lease still stands; a writer puts a
//! *hold* on every key it touched before it commits and lifts it after. A hold overwrites values and leases,
//! so whoever read the row before the commit can no longer fill the key; while it stands, readers bypass the
//! cache. Holds and leases expire by themselves should their maker die; a hold outlives the longest statement.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::future::BoxFuture;
use moka::ops::compute::Op;
use moka::sync::Cache;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, SetOnce};
use uuid::Uuid;

use super::db::Db;
use crate::clock::new_id;
use crate::error::HubResult;
use crate::measures::Measures;

/// How long a value may stay; bounds what an instance cut off from the cache can miss.
pub const VALUE_TTL: Duration = Duration::from_secs(60);
pub const LEASE_TTL: Duration = Duration::from_secs(5);
/// Longer than any transaction can run, see the statement time-out.
pub const HOLD_TTL: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CacheKey {
    User(Uuid),
    Session(Uuid),
    Customer(Uuid),
    Inquiry(Uuid),
    Response(Uuid),
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Session(id) => write!(f, "session:{id}"),
            Self::Customer(id) => write!(f, "customer:{id}"),
            Self::Inquiry(id) => write!(f, "inquiry:{id}"),
            Self::Response(id) => write!(f, "response:{id}"),
        }
    }
}

impl FromStr for CacheKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, id) = text.split_once(':').ok_or(())?;
        let id = id.parse().map_err(drop)?;
        match kind {
            "user" => Ok(Self::User(id)),
            "session" => Ok(Self::Session(id)),
            "customer" => Ok(Self::Customer(id)),
            "inquiry" => Ok(Self::Inquiry(id)),
            "response" => Ok(Self::Response(id)),
            _ => Err(()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Hit(Arc<[u8]>),
    /// Absent; the lease allows one fill.
    Miss(Uuid),
    /// Someone is writing or filling it, or the cache is away: read the database and leave no trace.
    Bypass,
}

/// A port that stays a trait: it is asked on every request, where a hop through a mailbox would cost as much
/// as what it saves. No call fails: a cache that is away answers `Bypass`.
pub trait SharedCache: Send + Sync + fmt::Debug {
    fn get<'a>(&'a self, keys: &'a [CacheKey]) -> BoxFuture<'a, Vec<Lookup>>;

    /// Stores `value` if `lease` still stands.
    fn fill<'a>(&'a self, key: CacheKey, lease: Uuid, value: Vec<u8>) -> BoxFuture<'a, ()>;

    /// Puts a hold on every key; awaited before the commit.
    fn hold<'a>(&'a self, keys: &'a [CacheKey], hold: Uuid) -> BoxFuture<'a, ()>;

    /// Lifts what `hold` still holds.
    fn release<'a>(&'a self, keys: &'a [CacheKey], hold: Uuid) -> BoxFuture<'a, ()>;
}

/// For one process that alone writes to its database.
#[derive(Clone, Debug)]
pub struct MemoryCache(Cache<CacheKey, Mark>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    Value(Arc<[u8]>),
    Lease(Uuid),
    Hold(Uuid),
}

impl MemoryCache {
    /// Room for `capacity` entities.
    pub fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).time_to_live(VALUE_TTL).build())
    }

    fn lookup(&self, key: CacheKey) -> Lookup {
        match self.0.get(&key) {
            Some(Mark::Value(value)) => Lookup::Hit(value),
            Some(Mark::Lease(_) | Mark::Hold(_)) => Lookup::Bypass,
            None => {
                let lease = new_id();
                let entry = self.0.entry(key).or_insert(Mark::Lease(lease));
                if entry.is_fresh() { Lookup::Miss(lease) } else { Lookup::Bypass }
            }
        }
    }

    fn replace_if(&self, key: CacheKey, expected: &Mark, replacement: Option<Mark>) {
        self.0.entry(key).and_compute_with(|entry| match (entry, replacement) {
            (Some(entry), Some(mark)) if entry.value() == expected => Op::Put(mark),
            (Some(entry), None) if entry.value() == expected => Op::Remove,
            _ => Op::Nop,
        });
    }
}

impl SharedCache for MemoryCache {
    fn get<'a>(&'a self, keys: &'a [CacheKey]) -> BoxFuture<'a, Vec<Lookup>> {
        Box::pin(async move { keys.iter().map(|&key| self.lookup(key)).collect() })
    }

    fn fill<'a>(&'a self, key: CacheKey, lease: Uuid, value: Vec<u8>) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.replace_if(key, &Mark::Lease(lease), Some(Mark::Value(value.into()))) })
    }

    fn hold<'a>(&'a self, keys: &'a [CacheKey], hold: Uuid) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for &key in keys {
                self.0.insert(key, Mark::Hold(hold));
            }
        })
    }

    fn release<'a>(&'a self, keys: &'a [CacheKey], hold: Uuid) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for &key in keys {
                self.replace_if(key, &Mark::Hold(hold), None);
            }
        })
    }
}

/// For several instances that share a database but no Redis: nothing could tell one what another wrote.
#[derive(Clone, Copy, Debug)]
pub struct NoCache;

impl SharedCache for NoCache {
    fn get<'a>(&'a self, keys: &'a [CacheKey]) -> BoxFuture<'a, Vec<Lookup>> {
        Box::pin(async move { vec![Lookup::Bypass; keys.len()] })
    }

    fn fill<'a>(&'a self, _: CacheKey, _: Uuid, _: Vec<u8>) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn hold<'a>(&'a self, _: &'a [CacheKey], _: Uuid) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn release<'a>(&'a self, _: &'a [CacheKey], _: Uuid) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// What every persistence actor works with.
#[derive(Clone, Debug)]
pub struct Storage {
    pub db: Db,
    pub cache: Arc<dyn SharedCache>,
    /// Set once the schema is in place. What looks at tables without being asked waits for it.
    pub prepared: Arc<SetOnce<()>>,
    /// Told after a commit that left something to be published.
    pub outbox_filled: Arc<Notify>,
    /// Whether this process has committed something that may not be published yet.
    pub outbox_waits: Arc<AtomicBool>,
    /// Told after a commit that made a delivery, for each route it may take.
    pub delivery_due: Arc<Notify>,
    pub mail_due: Arc<Notify>,
    /// Told after a commit that someone is to be told of.
    pub news_due: Arc<Notify>,
    /// Told after a commit that endpoints are to be told of.
    pub webhooks_due: Arc<Notify>,
    pub measures: Measures,
}

impl Storage {
    pub fn new(db: Db, cache: Arc<dyn SharedCache>) -> Self {
        Self {
            db,
            cache,
            prepared: Arc::default(),
            outbox_filled: Arc::default(),
            outbox_waits: Arc::default(),
            delivery_due: Arc::default(),
            mail_due: Arc::default(),
            news_due: Arc::default(),
            webhooks_due: Arc::default(),
            measures: Measures::default(),
        }
    }

    /// Brings the schema up to date. Safe to repeat, and on several instances at once.
    pub async fn prepare(&self) -> HubResult<()> {
        self.db.migrate().await?;
        // It may have been before.
        let _ = self.prepared.set(());
        Ok(())
    }

    /// The entity under `key`, from the cache or else by `load`.
    pub(super) async fn cached<T, F>(&self, key: CacheKey, load: F) -> HubResult<Option<T>>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = HubResult<Option<T>>>,
    {
        let lookup = self.cache.get(&[key]).await.pop().unwrap_or(Lookup::Bypass);
        self.found_or(key, &lookup, load).await
    }

    /// What was found under `key`, or else what `load` brings.
    pub(super) async fn found_or<T, F>(&self, key: CacheKey, lookup: &Lookup, load: F) -> HubResult<Option<T>>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = HubResult<Option<T>>>,
    {
        if let Some(value) = decode(lookup) {
            return Ok(Some(value));
        }
        let loaded = load.await?;
        if let Some(value) = &loaded {
            self.fill(key, lookup, value).await;
        }
        Ok(loaded)
    }

    pub(super) async fn fill<T: Serialize>(&self, key: CacheKey, lookup: &Lookup, value: &T) {
        if let Lookup::Miss(lease) = lookup
            && let Ok(bytes) = serde_json::to_vec(value)
        {
            self.cache.fill(key, *lease, bytes).await;
        }
    }
}

/// `None` as well for what an older version of the hub may have cached in another shape.
pub(super) fn decode<T: DeserializeOwned>(lookup: &Lookup) -> Option<T> {
    match lookup {
        Lookup::Hit(bytes) => serde_json::from_slice(bytes).ok(),
        Lookup::Miss(_) | Lookup::Bypass => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: CacheKey = CacheKey::User(Uuid::nil());

    async fn look(cache: &MemoryCache) -> Lookup {
        cache.get(&[KEY]).await.pop().unwrap()
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let id = Uuid::from_u128(1);
        let kinds =
            [CacheKey::User, CacheKey::Session, CacheKey::Customer, CacheKey::Inquiry, CacheKey::Response];
        for key in kinds.map(|kind| kind(id)) {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for other in ["generation", "user", "user:1", "limit:00000000-0000-0000-0000-000000000001"] {
            assert_eq!(other.parse::<CacheKey>(), Err(()), "{other}");
        }
    }

    #[tokio::test]
    async fn a_fill_that_raced_a_write_is_refused() {
        let cache = MemoryCache::new(10);
        let Lookup::Miss(lease) = look(&cache).await else { panic!("expected a lease") };
        cache.hold(&[KEY], Uuid::from_u128(1)).await;
        cache.fill(KEY, lease, b"old".to_vec()).await;
        assert_eq!(look(&cache).await, Lookup::Bypass);
        cache.release(&[KEY], Uuid::from_u128(1)).await;
        cache.fill(KEY, lease, b"old".to_vec()).await;
        assert!(matches!(look(&cache).await, Lookup::Miss(_)));
    }

    #[tokio::test]
    async fn the_last_of_two_writers_lifts_the_hold() {
        let cache = MemoryCache::new(10);
        cache.hold(&[KEY], Uuid::from_u128(1)).await;
        cache.hold(&[KEY], Uuid::from_u128(2)).await;
        cache.release(&[KEY], Uuid::from_u128(1)).await;
        assert_eq!(look(&cache).await, Lookup::Bypass);
        cache.release(&[KEY], Uuid::from_u128(2)).await;
        assert!(matches!(look(&cache).await, Lookup::Miss(_)));
    }

    #[tokio::test]
    async fn one_reader_fills_and_the_others_hit() {
        let cache = MemoryCache::new(10);
        let Lookup::Miss(lease) = look(&cache).await else { panic!("expected a lease") };
        assert_eq!(look(&cache).await, Lookup::Bypass);
        cache.fill(KEY, lease, b"new".to_vec()).await;
        assert_eq!(look(&cache).await, Lookup::Hit(b"new".as_slice().into()));
    }
}
