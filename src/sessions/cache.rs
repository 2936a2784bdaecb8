//! The cache of entities, shared by all instances through Redis. `nexus_actors::store::cache` tells how leases and
//! holds keep what a write has replaced from ever being answered.
//!
//! That protocol needs a memory that forgets nothing in mid-write, and Redis may be away when a hold is due, or come
//! back with old data or none. So everything readers leave carries the *generation* it was made in, and counts only
//! while that is the current one, which is kept beside it and read in the same round trip. Whoever may have missed
//! something sets a new generation, a fresh UUID, before asking the cache again: after each new connection, after a
//! hold or release that failed, and where no generation is found.
//!
//! What was read stays in this process as well ([`NearCache`]), and Redis tells when it changes (client tracking). That
//! may come late, so it is asked for a sign of life before anything near is answered: what it told of earlier changes
//! has arrived before that. One sign of life serves all who wait for one.
//!
//! What remains is an instance that alone is cut off from Redis: until it is back, the others may answer with what
//! they have cached of its writes, for `VALUE_TTL` at most.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use nexus_actors::store::cache::{CacheKey, HOLD_TTL, LEASE_TTL, Lookup, SharedCache, VALUE_TTL};
use redis::{Script, ScriptInvocation};
use tokio::sync::watch;
use uuid::Uuid;

use super::RedisLink;
use super::near_cache::{Near, NearCache};
use super::together::Together;

/// For each key: its value if it has one of this generation, nothing if someone is at it, and otherwise a lease.
///
/// `KEYS`: the generation, then the keys. `ARGV`: a lease's time in milliseconds, then a lease for each key.
const GET: &str = r"
local generation = redis.call('GET', KEYS[1])
if not generation then return false end
local answers = {}
for i = 2, #KEYS do
    local mark = redis.call('GET', KEYS[i])
    local kind = mark and string.sub(mark, 1, 1)
    local current = mark and string.sub(mark, 2, 1 + #generation) == generation
    if kind == 'V' and current then
        answers[i - 1] = 'V' .. string.sub(mark, 2 + #generation)
    elseif kind == 'H' or (kind == 'L' and current) then
        answers[i - 1] = 'B'
    else
        redis.call('SET', KEYS[i], 'L' .. generation .. ARGV[i], 'PX', ARGV[1])
        answers[i - 1] = 'M'
    end
end
return answers";

/// Turns a lease of this generation into a value of this generation.
///
/// `KEYS`: the generation, the key. `ARGV`: a value's time in milliseconds, the lease, the value.
const FILL: &str = r"
local generation = redis.call('GET', KEYS[1])
if generation and redis.call('GET', KEYS[2]) == 'L' .. generation .. ARGV[2] then
    redis.call('SET', KEYS[2], 'V' .. generation .. ARGV[3], 'PX', ARGV[1])
end
return 1";

/// `KEYS`: the keys. `ARGV`: a hold's time in milliseconds, the hold.
const HOLD: &str = r"
for _, key in ipairs(KEYS) do redis.call('SET', key, 'H' .. ARGV[2], 'PX', ARGV[1]) end
return 1";

/// Lifts the hold. Where it has been lost, because Redis restarted, so goes what readers have left since: they may
/// have read before the commit. Another writer's hold stays.
///
/// `KEYS`: the keys. `ARGV`: the hold.
const RELEASE: &str = r"
for _, key in ipairs(KEYS) do
    local mark = redis.call('GET', key)
    if mark and (mark == 'H' .. ARGV[1] or string.sub(mark, 1, 1) ~= 'H') then redis.call('DEL', key) end
end
return 1";

/// It expires, rarely, so that a prefix no longer used leaves nothing behind.
///
/// `KEYS`: the generation. `ARGV`: its time in milliseconds, the new one.
const RENEW: &str = "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1]) return 1";

const PREFIX: &str = "cache:";
const GENERATION: &str = "generation";

/// Entities kept in this process.
const NEAR: u64 = 20_000;

const GENERATION_TTL: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Debug)]
pub struct RedisCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: RedisLink,
    generation: String,
    standing: watch::Sender<Standing>,
    near: NearCache,
    /// Whether the connection with this number is there and has told everything.
    signs: Together<u64, bool>,
    get: Script,
    fill: Script,
    hold: Script,
    release: Script,
    renew: Script,
}

/// Whether the cache may be asked: no new connection and no new doubt since the generation was last renewed.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    doubts: u64,
    renewed: Option<Renewed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Renewed {
    epoch: u64,
    doubts: u64,
}

impl RedisCache {
    /// Must be called inside the runtime that lives as long as the process: a task in it renews the generation.
    pub fn start(link: RedisLink) -> Self {
        let (standing, mut changes) = watch::channel(Standing::default());
        let near = NearCache::new(NEAR);
        link.listen({
            let (near, prefix) = (near.clone(), link.key(PREFIX));
            move |changed| match changed.map(|key| key.strip_prefix(&prefix)) {
                None | Some(Some(GENERATION)) => near.forget_all(),
                Some(Some(name)) => {
                    if let Ok(key) = name.parse() {
                        near.forget(key);
                    }
                }
                // Not of the cache.
                Some(None) => {}
            }
        });
        let signs = Together::start({
            let link = link.clone();
            move |epochs: Vec<u64>| {
                let link = link.clone();
                async move {
                    let newest = epochs.iter().copied().max().unwrap_or_default();
                    let current = link.is_current(newest).await;
                    epochs.iter().map(|&epoch| current && epoch == newest).collect()
                }
            }
        });
        let cache = Self(Arc::new(Inner {
            generation: link.key(format_args!("{PREFIX}{GENERATION}")),
            near,
            signs,
            link: link.clone(),
            standing,
            get: Script::new(GET),
            fill: Script::new(FILL),
            hold: Script::new(HOLD),
            release: Script::new(RELEASE),
            renew: Script::new(RENEW),
        }));
        let renewal = keep_usable(link, changes.clone(), Arc::downgrade(&cache.0));
        tokio::spawn(async move {
            tokio::select! {
                // Never true: it ends when the last handle is dropped.
                _ = changes.wait_for(|_| false) => {}
                () = renewal => {}
            }
        });
        cache
    }
}

impl SharedCache for RedisCache {
    fn get<'a>(&'a self, keys: &'a [CacheKey]) -> BoxFuture<'a, Vec<Lookup>> {
        Box::pin(async move { self.0.get(keys).await.unwrap_or_else(|| vec![Lookup::Bypass; keys.len()]) })
    }

    fn fill<'a>(&'a self, key: CacheKey, lease: Uuid, value: Vec<u8>) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.0.fill(key, lease, &value).await })
    }

    fn hold<'a>(&'a self, keys: &'a [CacheKey], hold: Uuid) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut call = self.0.on(&self.0.hold, keys);
            call.arg(millis(HOLD_TTL)).arg(id(hold));
            self.0.mark(keys, &call).await;
        })
    }

    fn release<'a>(&'a self, keys: &'a [CacheKey], hold: Uuid) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut call = self.0.on(&self.0.release, keys);
            call.arg(id(hold));
            self.0.mark(keys, &call).await;
        })
    }
}

impl Inner {
    /// `None` where the cache is away or may not be asked.
    async fn get(&self, keys: &[CacheKey]) -> Option<Vec<Lookup>> {
        let epoch = self.usable()?;
        let near: Vec<Near> = keys.iter().map(|&key| self.near.look(key)).collect();
        let far: Vec<(CacheKey, u64)> =
            keys.iter().zip(&near).filter_map(|(&key, near)| asked_far(key, near)).collect();
        let mut answers = match far.as_slice() {
            [] if near.iter().all(|near| matches!(near, Near::Absent { .. })) => Vec::new(),
            [] => {
                self.signs.ask(epoch).await.filter(|&current| current)?;
                Vec::new()
            }
            far => self.ask(epoch, far).await?,
        }
        .into_iter();
        // Only now: what was near before is answered if Redis has had nothing to say against it.
        let answer = |(&key, near): (&CacheKey, Near)| match near {
            Near::Value(_) => self.near.value(key).map_or(Lookup::Bypass, Lookup::Hit),
            near if asked_far(key, &near).is_some() => answers.next().unwrap_or(Lookup::Bypass),
            Near::Absent { .. } => Lookup::Bypass,
        };
        Some(keys.iter().zip(near).map(answer).collect())
    }

    /// What Redis has of them.
    async fn ask(&self, epoch: u64, keys: &[(CacheKey, u64)]) -> Option<Vec<Lookup>> {
        let leases: Vec<Uuid> = keys.iter().map(|_| Uuid::new_v4()).collect();
        let mut call = self.get.key(&self.generation);
        for (key, _) in keys {
            call.key(self.key(*key));
        }
        call.arg(millis(LEASE_TTL));
        for lease in &leases {
            call.arg(id(*lease));
        }
        // Over the connection found usable or not at all: nobody knows what happened before another.
        let answers: Option<Vec<Vec<u8>>> = self.link.run_over(epoch, &call).await.ok()?;
        let Some(answers) = answers else {
            self.doubt();
            return None;
        };
        let lookup = |((answer, lease), &(key, ticket)): ((&Vec<u8>, Uuid), &(CacheKey, u64))| match answer
            .split_first()
        {
            Some((b'V', value)) => {
                let value: Arc<[u8]> = value.into();
                self.near.keep(key, ticket, Arc::clone(&value));
                Lookup::Hit(value)
            }
            Some((b'M', _)) => Lookup::Miss(lease),
            _ => Lookup::Bypass,
        };
        (answers.len() == keys.len()).then(|| answers.iter().zip(leases).zip(keys).map(lookup).collect())
    }

    async fn fill(&self, key: CacheKey, lease: Uuid, value: &[u8]) {
        let mut call = self.fill.key(&self.generation);
        call.key(self.key(key)).arg(millis(VALUE_TTL)).arg(id(lease)).arg(value);
        // Lost, the lease runs out and someone else fills the key.
        let _filled: Option<i64> = self.link.run(&call).await.ok();
    }

    fn on<'a>(&self, script: &'a Script, keys: &[CacheKey]) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(self.key(*key));
        }
        call
    }

    /// Holds or releases.
    async fn mark(&self, keys: &[CacheKey], call: &ScriptInvocation<'_>) {
        if keys.is_empty() {
            return;
        }
        if self.link.run::<i64>(call).await.is_err() {
            self.doubt();
        }
        // After Redis has the mark: what was read before it and arrives only now is not kept either. Redis does not tell
        // of what this connection has changed.
        for &key in keys {
            self.near.forget(key);
        }
    }

    /// The number of the connection over which the cache may be asked.
    fn usable(&self) -> Option<u64> {
        let epoch = self.link.epoch()?;
        let Standing { doubts, renewed } = *self.standing.borrow();
        (renewed == Some(Renewed { epoch, doubts })).then_some(epoch)
    }

    /// Something a reader must not see may be in the cache, so nothing in there counts any longer.
    fn doubt(&self) {
        self.standing.send_modify(|standing| standing.doubts += 1);
    }

    async fn renew(&self, epoch: u64) -> bool {
        let doubts = self.standing.borrow().doubts;
        let mut call = self.renew.key(&self.generation);
        call.arg(millis(GENERATION_TTL)).arg(id(Uuid::new_v4()));
        // At most once: a second time, the same generation might come after someone else's newer one.
        let renewed = self.link.run_over::<i64>(epoch, &call).await.is_ok();
        if renewed {
            self.near.forget_all();
            self.standing.send_modify(|standing| standing.renewed = Some(Renewed { epoch, doubts }));
        }
        renewed
    }

    fn key(&self, key: CacheKey) -> String {
        self.link.key(format_args!("{PREFIX}{key}"))
    }
}

/// Renews the generation whenever the cache may not be asked without.
async fn keep_usable(link: RedisLink, mut changes: watch::Receiver<Standing>, inner: Weak<Inner>) {
    const PAUSE: Duration = Duration::from_millis(100);
    while let Some(epoch) = link.reconnected(None).await {
        let Some(renewing) = inner.upgrade() else { return };
        let renewed = renewing.renew(epoch).await;
        drop(renewing);
        if renewed {
            let doubted =
                |standing: &Standing| standing.renewed.is_none_or(|it| it.doubts != standing.doubts);
            tokio::select! {
                _ = link.reconnected(Some(epoch)) => {}
                _ = changes.wait_for(doubted) => {}
            }
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// With its ticket, a key that Redis is asked for. What comes with every request is at once; anything else when it is
/// asked for again: most entities are read once in a while, when asking Redis, and telling it, costs more than it saves.
fn asked_far(key: CacheKey, near: &Near) -> Option<(CacheKey, u64)> {
    let always = matches!(key, CacheKey::Session(_) | CacheKey::User(_));
    match near {
        &Near::Absent { ticket, again } if again || always => Some((key, ticket)),
        Near::Absent { .. } | Near::Value(_) => None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Of a fixed length, as the scripts cut marks by position.
fn id(id: Uuid) -> String {
    id.simple().to_string()
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
