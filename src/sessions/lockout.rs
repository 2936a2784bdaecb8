//! Sign-ins that failed, in a row, for each email: after so many each further one makes the next wait, and longer each
//! time. Counted in Redis for all instances together, or else in this process, as rate limits are.
//!
//! An attempt counts as failed when it begins, and is taken back when it was none: any number at once get no further
//! than one after the other.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nexus_actors::domain::Timestamp;
use redis::Script;

use super::RedisLink;
use super::limits::digest;

/// After the last failure that is free; doubled with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(900);
/// After the last one, failures are forgotten.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Emails kept in memory, some 100 bytes each.
const MAX_KEPT: usize = 100_000;

/// Answers the milliseconds to wait, or 0 when the attempt may go on.
///
/// `KEYS`: the email. `ARGV`: now, how many are free, the first wait and the longest, how long it is kept; times in
/// milliseconds.
const BEGIN: &str = r"
local kept = redis.call('HMGET', KEYS[1], 'count', 'until')
local now, longest = tonumber(ARGV[1]), tonumber(ARGV[4])
local left = math.min(tonumber(kept[2] or '0') - now, longest)
if left > 0 then return left end
local count = tonumber(kept[1] or '0') + 1
redis.call('HSET', KEYS[1], 'count', count)
local beyond = count - tonumber(ARGV[2])
if beyond >= 0 then
    local wait = math.min(tonumber(ARGV[3]) * 2 ^ math.min(beyond, 20), longest)
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + wait))
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 0";

/// `KEYS`: the email.
const WITHDRAW: &str = r"
if (tonumber(redis.call('HGET', KEYS[1], 'count') or '0')) > 0 then
    redis.call('HINCRBY', KEYS[1], 'count', -1)
    redis.call('HSET', KEYS[1], 'until', 0)
end
return 1";

/// All clones count together.
#[derive(Clone)]
pub struct Lockout {
    redis: Option<RedisLink>,
    scripts: Arc<Scripts>,
    local: Arc<Mutex<Failures>>,
}

struct Scripts {
    begin: Script,
    withdraw: Script,
}

/// The failures this process knows of.
struct Failures {
    kept: HashMap<u128, Failed>,
    capacity: usize,
}

#[derive(Clone, Copy)]
struct Failed {
    count: u32,
    until: Timestamp,
    last: Timestamp,
}

impl Lockout {
    pub fn in_process() -> Self {
        Self::new(None)
    }

    pub fn in_redis(link: RedisLink) -> Self {
        Self::new(Some(link))
    }

    fn new(redis: Option<RedisLink>) -> Self {
        let scripts = Scripts { begin: Script::new(BEGIN), withdraw: Script::new(WITHDRAW) };
        let local = Failures { kept: HashMap::new(), capacity: MAX_KEPT };
        Self { redis, scripts: Arc::new(scripts), local: Arc::new(Mutex::new(local)) }
    }

    /// Counts an attempt as failed, `free` of which in a row come without a wait.
    ///
    /// # Errors
    /// How long it is until one may begin; this one has not, and does not count.
    pub async fn begin(&self, email_key: &str, free: u32, now: Timestamp) -> Result<(), Duration> {
        let digest = digest(email_key);
        let left = match self.begin_in_redis(digest, free, now).await {
            Some(left) => left,
            None => self.lock().begin(digest, free, now),
        };
        if left.is_zero() { Ok(()) } else { Err(left) }
    }

    /// The attempt went well: those before are forgotten.
    pub async fn forget(&self, email_key: &str) {
        let digest = digest(email_key);
        if let Some((link, key)) = self.place(digest) {
            // What stays because Redis is away is forgotten by itself.
            let _ = link.query::<i64>(redis::cmd("DEL").arg(key)).await;
        }
        self.lock().kept.remove(&digest);
    }

    /// The attempt came to nothing, and has not failed.
    pub async fn withdraw(&self, email_key: &str) {
        let digest = digest(email_key);
        if let Some((link, key)) = self.place(digest) {
            let _ = link.run::<i64>(&self.scripts.withdraw.key(key)).await;
        }
        self.lock().withdraw(digest);
    }

    async fn begin_in_redis(&self, digest: u128, free: u32, now: Timestamp) -> Option<Duration> {
        let (link, key) = self.place(digest)?;
        let mut call = self.scripts.begin.key(key);
        call.arg(now.millis()).arg(free);
        for duration in [FIRST_WAIT, LONGEST_WAIT, KEPT_FOR] {
            call.arg(duration.as_millis().to_string());
        }
        link.run(&call).await.ok().map(Duration::from_millis)
    }

    fn place(&self, digest: u128) -> Option<(&RedisLink, String)> {
        self.redis.as_ref().map(|link| (link, link.key(format_args!("failed:{digest:032x}"))))
    }

    /// A panic in there leaves the counts as they are.
    fn lock(&self) -> MutexGuard<'_, Failures> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lockout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lockout").field("redis", &self.redis).finish_non_exhaustive()
    }
}

impl Failures {
    fn begin(&mut self, key: u128, free: u32, now: Timestamp) -> Duration {
        let known = self.kept.get(&key).filter(|failed| failed.last.plus(KEPT_FOR) > now);
        // After a step back of the clock, nobody waits for longer than the longest wait.
        let left = known.map_or(0, |failed| failed.until.millis() - now.millis());
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(LONGEST_WAIT);
        if !left.is_zero() {
            return left;
        }
        let count = known.map_or(0, |failed| failed.count).saturating_add(1);
        let until = count.checked_sub(free).map_or(now, |beyond| now.plus(wait(beyond)));
        if !self.kept.contains_key(&key) {
            self.make_room();
        }
        self.kept.insert(key, Failed { count, until, last: now });
        Duration::ZERO
    }

    fn withdraw(&mut self, key: u128) {
        if let Some(failed) = self.kept.get_mut(&key) {
            failed.count = failed.count.saturating_sub(1);
            failed.until = failed.last;
        }
    }

    /// A flood of emails takes the place of those that failed least, longest ago.
    fn make_room(&mut self) {
        if self.kept.len() < self.capacity {
            return;
        }
        let mut all: Vec<_> = self.kept.iter().map(|(key, one)| (one.count, one.last, *key)).collect();
        let quarter = (all.len() / 4).min(all.len() - 1);
        all.select_nth_unstable(quarter);
        for (.., key) in &all[..=quarter] {
            self.kept.remove(key);
        }
    }
}

fn wait(beyond: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << beyond.min(20)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::super::testing::{Mode, Wire, link, link_to, prefix};
    use super::*;

    fn noon() -> Timestamp {
        Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
    }

    fn after(seconds: u64) -> Timestamp {
        noon().plus(Duration::from_secs(seconds))
    }

    async fn waits_longer_each_time(lockout: &Lockout) {
        let begin =
            async |seconds| lockout.begin("ada", 5, after(seconds)).await.map_err(|left| left.as_secs());
        for _ in 0..5 {
            assert_eq!(begin(0).await, Ok(()));
        }
        let mut now = 0;
        for wait in [30, 60, 120, 240, 480, 900, 900] {
            assert_eq!(begin(now).await, Err(wait));
            assert_eq!(begin(now + wait - 1).await, Err(1), "to ask does not prolong it");
            now += wait;
            assert_eq!(begin(now).await, Ok(()));
        }
        assert_eq!(lockout.begin("grace", 5, after(now)).await, Ok(()));
        lockout.forget("ada").await;
        for _ in 0..5 {
            assert_eq!(begin(now).await, Ok(()));
        }
        assert_eq!(begin(now).await, Err(30));
    }

    async fn what_came_to_nothing_does_not_count(lockout: &Lockout) {
        for _ in 0..20 {
            assert_eq!(lockout.begin("ada", 2, noon()).await, Ok(()));
            lockout.withdraw("ada").await;
        }
        assert_eq!(lockout.begin("ada", 2, noon()).await, Ok(()));
        assert_eq!(lockout.begin("ada", 2, noon()).await, Ok(()));
        assert!(lockout.begin("ada", 2, noon()).await.is_err());
        lockout.withdraw("grace").await;
    }

    #[tokio::test]
    async fn each_failure_after_the_free_ones_makes_the_wait_longer() {
        waits_longer_each_time(&Lockout::in_process()).await;
        waits_longer_each_time(&Lockout::in_redis(link().await)).await;
    }

    #[tokio::test]
    async fn an_attempt_that_did_not_fail_is_taken_back() {
        what_came_to_nothing_does_not_count(&Lockout::in_process()).await;
        what_came_to_nothing_does_not_count(&Lockout::in_redis(link().await)).await;
    }

    #[tokio::test]
    async fn any_number_at_once_and_over_all_instances_get_no_further() {
        let link = link().await;
        let instances = [Lockout::in_redis(link.clone()), Lockout::in_redis(link)];
        let begun = join_all((0..100).map(|turn| instances[turn % 2].begin("ada", 5, noon()))).await;
        assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 5);
    }

    #[tokio::test]
    async fn it_goes_on_without_redis() {
        let wire = Wire::new().await;
        let lockout = Lockout::in_redis(link_to(&wire.url, &prefix()).await);
        wire.set(Mode::Cut).await;
        let mut begun = 0;
        for _ in 0..10 {
            begun += u32::from(lockout.begin("ada", 2, noon()).await.is_ok());
        }
        assert_eq!(begun, 2);
    }

    #[tokio::test]
    async fn failures_are_forgotten_after_a_day_and_a_step_back_of_the_clock_locks_nobody_out() {
        let lockout = Lockout::in_process();
        for _ in 0..5 {
            lockout.begin("ada", 5, after(7_200)).await.unwrap();
        }
        assert_eq!(lockout.begin("ada", 5, noon()).await, Err(LONGEST_WAIT));
        let day_after = after(7_200).plus(KEPT_FOR);
        for _ in 0..5 {
            assert_eq!(lockout.begin("ada", 5, day_after).await, Ok(()));
        }
    }

    #[test]
    fn a_flood_of_emails_is_bounded_and_frees_nobody_who_waits() {
        let mut failures = Failures { kept: HashMap::new(), capacity: 1_000 };
        for _ in 0..5 {
            failures.begin(u128::MAX, 5, noon());
        }
        for key in 0..100_000 {
            failures.begin(key, 5, after(1));
        }
        assert!(failures.kept.len() <= 1_000);
        assert!(!failures.begin(u128::MAX, 5, after(2)).is_zero());
    }
}
