//! Rate limits: so many in a window of time, which begins with the first.
//!
//! Counted in Redis for all instances together, or else in this process. While Redis is away the process counts by
//! itself, so the limit then holds for each instance and never opens altogether.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nexus_actors::domain::Timestamp;
use redis::Script;
use sha2::{Digest, Sha256};

use super::RedisLink;
use super::together::Together;

/// Counts one more in each window and answers its count and the milliseconds left of it, one window after the other.
///
/// `KEYS`: the windows; the same may come several times. `ARGV`: the length of each in milliseconds.
const COUNT: &str = r"
local answers = {}
for i, key in ipairs(KEYS) do
    local length = tonumber(ARGV[i])
    local left = redis.call('PTTL', key)
    answers[2 * i - 1] = redis.call('INCR', key)
    if left < 0 or left > length then
        redis.call('PEXPIRE', key, ARGV[i])
        left = length
    end
    answers[2 * i] = left
end
return answers";

/// Takes one back.
///
/// `KEYS`: the window.
const GIVE_BACK: &str = r"
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end
return 1";

/// Windows kept in memory, some 100 bytes each.
const MAX_WINDOWS: usize = 100_000;
/// Windows shared by those for whom there is no room.
const SHARED: u64 = 256;

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub limit: u32,
    /// How many more are allowed in this window.
    pub remaining: u32,
    /// Until the window ends and all is allowed again.
    pub reset: Duration,
}

/// All clones count together.
#[derive(Clone)]
pub struct RateLimiter {
    redis: Option<RedisLink>,
    /// Counts in Redis, unless it is away.
    counts: Option<Together<Counting, Option<(u32, Duration)>>>,
    give_back: Arc<Script>,
    local: Arc<Mutex<Windows>>,
}

/// The window to count in, and its length.
#[derive(Clone, Copy, Debug)]
struct Counting {
    digest: u128,
    window: Duration,
}

/// The counters of this process.
struct Windows {
    open: HashMap<u128, Window>,
    capacity: usize,
    /// When windows that have ended are next cleared away.
    sweep_at: Option<Timestamp>,
    hasher: RandomState,
}

struct Window {
    count: u32,
    ends_at: Timestamp,
}

impl RateLimiter {
    pub fn in_process() -> Self {
        Self::new(None)
    }

    /// Must be called inside the runtime that lives as long as the process.
    pub fn in_redis(link: RedisLink) -> Self {
        Self::new(Some(link))
    }

    fn new(redis: Option<RedisLink>) -> Self {
        let local = Arc::new(Mutex::new(Windows::new(MAX_WINDOWS)));
        let counts = redis.clone().map(|link| {
            let script = Arc::new(Script::new(COUNT));
            Together::start(move |all: Vec<Counting>| {
                let (link, script) = (link.clone(), Arc::clone(&script));
                async move { count_all(&link, &script, &all).await }
            })
        });
        Self { redis, counts, give_back: Arc::new(Script::new(GIVE_BACK)), local }
    }

    /// Counts one more under `key` and says whether that is still within `limit` for its `window`, which must
    /// always be the same for one key. Refused ones count too, but do not prolong the window.
    pub async fn check(&self, key: &str, limit: u32, window: Duration, now: Timestamp) -> Decision {
        let digest = digest(key);
        let counted = match &self.counts {
            Some(counts) => counts.ask(Counting { digest, window }).await.flatten(),
            None => None,
        };
        let (count, reset) = counted.unwrap_or_else(|| self.lock().count(digest, window, now));
        Decision { allowed: count <= limit, limit, remaining: limit.saturating_sub(count), reset }
    }

    /// Takes one back that was counted and should not have been.
    pub async fn give_back(&self, key: &str) {
        let digest = digest(key);
        if let Some(link) = &self.redis {
            // With Redis away it stays until its window ends.
            let _ = link.run::<i64>(&self.give_back.key(window_key(link, digest))).await;
        }
        self.lock().give_back(digest);
    }

    /// A panic in there leaves the counts as they are.
    fn lock(&self) -> MutexGuard<'_, Windows> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The count of each and what is left of its window, all asked for at once; none where Redis is away.
async fn count_all(link: &RedisLink, script: &Script, all: &[Counting]) -> Vec<Option<(u32, Duration)>> {
    let mut call = script.prepare_invoke();
    for Counting { digest, window } in all {
        call.key(window_key(link, *digest));
        call.arg(window.as_millis().clamp(1, i64::MAX as u128).to_string());
    }
    let answers: Vec<u64> = link.run(&call).await.unwrap_or_default();
    let counted = |pair: &[u64]| {
        let &[count, left] = pair else { return None };
        Some((u32::try_from(count).unwrap_or(u32::MAX), Duration::from_millis(left)))
    };
    let mut counted = answers.chunks(2).map(counted);
    all.iter().map(|_| counted.next().flatten()).collect()
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("redis", &self.redis).finish_non_exhaustive()
    }
}

impl Windows {
    fn new(capacity: usize) -> Self {
        Self { open: HashMap::new(), capacity, sweep_at: None, hasher: RandomState::new() }
    }

    fn count(&mut self, key: u128, length: Duration, now: Timestamp) -> (u32, Duration) {
        self.sweep(now);
        let key = if self.open.contains_key(&key) || self.open.len() < self.capacity {
            key
        } else {
            // A flood of keys must neither take all memory nor get everyone a fresh window: they share some.
            // By a keyed hash, or one could choose whose.
            u128::from(self.hasher.hash_one(key) % SHARED)
        };
        let fresh = Window { count: 0, ends_at: now.plus(length) };
        let window = self.open.entry(key).or_insert(fresh);
        if window.ends_at <= now {
            *window = Window { count: 0, ends_at: now.plus(length) };
        }
        // After a step back of the clock, nobody waits for longer than a window.
        window.ends_at = window.ends_at.min(now.plus(length));
        window.count = window.count.saturating_add(1);
        let left = window.ends_at.millis() - now.millis();
        (window.count, Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }

    fn give_back(&mut self, key: u128) {
        if let Some(window) = self.open.get_mut(&key) {
            window.count = window.count.saturating_sub(1);
        }
    }

    /// Every ten seconds, so that its cost is spread over many requests.
    fn sweep(&mut self, now: Timestamp) {
        const EVERY: Duration = Duration::from_secs(10);
        let due = self.sweep_at.is_none_or(|at| at <= now || at > now.plus(EVERY));
        if due {
            self.open.retain(|_, window| window.ends_at > now);
            self.sweep_at = Some(now.plus(EVERY));
        }
    }
}

fn window_key(link: &RedisLink, digest: u128) -> String {
    link.key(format_args!("limit:{digest:032x}"))
}

/// Of one size whatever the key, which may be as long as the client likes, and keeps email addresses out of Redis.
pub(super) fn digest(key: &str) -> u128 {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(16).fold(0, |digest, byte| digest << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::super::testing::{Mode, Wire, link, link_to, prefix};
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn noon() -> Timestamp {
        Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
    }

    fn after(seconds: u64) -> Timestamp {
        noon().plus(Duration::from_secs(seconds))
    }

    /// The rule both kinds keep, in a window that does not end meanwhile.
    async fn allows_as_many_as_the_limit(limiter: &RateLimiter) {
        for count in 1..=5 {
            let decision = limiter.check("ada", 3, WINDOW, noon()).await;
            assert_eq!(decision.allowed, count <= 3, "{count}");
            assert_eq!((decision.limit, decision.remaining), (3, 3_u32.saturating_sub(count)));
            assert!(decision.reset <= WINDOW && decision.reset > Duration::from_secs(30));
        }
        assert!(limiter.check("bob", 3, WINDOW, noon()).await.allowed);
        assert!(!limiter.check("carol", 0, WINDOW, noon()).await.allowed);
    }

    #[tokio::test]
    async fn both_kinds_allow_as_many_as_the_limit() {
        allows_as_many_as_the_limit(&RateLimiter::in_process()).await;
        allows_as_many_as_the_limit(&RateLimiter::in_redis(link().await)).await;
    }

    async fn takes_back(limiter: &RateLimiter) {
        for _ in 0..10 {
            assert!(limiter.check("ada", 2, WINDOW, noon()).await.allowed);
            limiter.give_back("ada").await;
        }
        limiter.give_back("ada").await;
        let allowed = [0; 3].map(|_| limiter.check("ada", 2, WINDOW, noon()));
        let allowed: Vec<_> = join_all(allowed).await.iter().map(|decision| decision.allowed).collect();
        assert_eq!(allowed, [true, true, false]);
    }

    #[tokio::test]
    async fn both_kinds_take_back_what_should_not_have_counted() {
        takes_back(&RateLimiter::in_process()).await;
        takes_back(&RateLimiter::in_redis(link().await)).await;
    }

    #[tokio::test]
    async fn instances_count_together_in_redis() {
        let link = link().await;
        let instances = [RateLimiter::in_redis(link.clone()), RateLimiter::in_redis(link)];
        let checks = (0..100).map(|turn| instances[turn % 2].check("ada", 30, WINDOW, noon()));
        let allowed = join_all(checks).await.into_iter().filter(|decision| decision.allowed).count();
        assert_eq!(allowed, 30);
    }

    #[tokio::test]
    async fn a_window_in_redis_goes_away_by_itself_and_names_nobody() {
        let link = link().await;
        let limiter = RateLimiter::in_redis(link.clone());
        // A name that the hexadecimal digits around it cannot spell.
        limiter.check("grace@example.com", 3, WINDOW, noon()).await;
        let keys: Vec<String> = link.query(redis::cmd("KEYS").arg(link.key("*"))).await.unwrap();
        assert_eq!(keys.len(), 1);
        assert!(!keys[0].contains("grace"));
        let left: i64 = link.query(redis::cmd("PTTL").arg(&keys[0])).await.unwrap();
        assert!((1..=60_000).contains(&left));
    }

    #[tokio::test]
    async fn the_next_window_starts_afresh() {
        let limiter = RateLimiter::in_process();
        assert_eq!(limiter.check("ada", 1, WINDOW, noon()).await.reset, WINDOW);
        let refused = limiter.check("ada", 1, WINDOW, after(59)).await;
        assert_eq!((refused.allowed, refused.reset), (false, Duration::from_secs(1)));
        assert!(limiter.check("ada", 1, WINDOW, after(60)).await.allowed);
    }

    #[tokio::test]
    async fn a_step_back_of_the_clock_locks_nobody_out_and_opens_nothing() {
        let limiter = RateLimiter::in_process();
        limiter.check("ada", 1, WINDOW, after(3_600)).await;
        let refused = limiter.check("ada", 1, WINDOW, noon()).await;
        assert_eq!((refused.allowed, refused.reset), (false, WINDOW));
        assert!(limiter.check("ada", 1, WINDOW, after(60)).await.allowed);
    }

    #[tokio::test]
    async fn throttling_goes_on_without_redis() {
        let wire = Wire::new().await;
        let limiter = RateLimiter::in_redis(link_to(&wire.url, &prefix()).await);
        assert!(limiter.check("ada", 2, WINDOW, noon()).await.allowed);
        wire.set(Mode::Cut).await;
        let mut allowed = 0;
        for _ in 0..10 {
            allowed += u32::from(limiter.check("ada", 2, WINDOW, noon()).await.allowed);
        }
        assert_eq!(allowed, 2);
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_opens_nothing() {
        let mut windows = Windows::new(1_000);
        for key in 1..=100_000_u128 {
            windows.count(key << 64, WINDOW, noon());
        }
        assert!(windows.open.len() <= 1_000 + SHARED as usize);
        assert_eq!(windows.count(1 << 64, WINDOW, noon()).0, 2, "who had a window keeps it");
        assert!(windows.count(u128::MAX, WINDOW, noon()).0 > 100, "who had none shares one");
        windows.count(1, WINDOW, after(60));
        assert_eq!(windows.open.len(), 1, "windows that have ended are cleared away");
    }
}
