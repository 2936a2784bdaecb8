use super::super::redis_connection::Pace;
use super::super::testing::{Mode, Wire, connected, link, link_to, prefix, redis_url};
use super::*;

const KEY: CacheKey = CacheKey::User(Uuid::nil());
const OTHER: CacheKey = CacheKey::Session(Uuid::nil());
const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

async fn cache() -> RedisCache {
    on(link().await).await
}

async fn on(link: RedisLink) -> RedisCache {
    let cache = RedisCache::start(link);
    usable(&cache).await;
    cache
}

async fn usable(cache: &RedisCache) {
    let mut changes = cache.0.standing.subscribe();
    tokio::time::timeout(Duration::from_secs(5), async {
        while cache.0.usable().is_none() {
            changes.changed().await.unwrap();
        }
    })
    .await
    .unwrap();
}

async fn look(cache: &RedisCache) -> Lookup {
    cache.get(&[KEY]).await.pop().unwrap()
}

async fn lease(cache: &RedisCache) -> Uuid {
    match look(cache).await {
        Lookup::Miss(lease) => lease,
        other => panic!("expected a lease, got {other:?}"),
    }
}

async fn filled(cache: &RedisCache, value: &[u8]) {
    let lease = lease(cache).await;
    cache.fill(KEY, lease, value.to_vec()).await;
    assert_eq!(look(cache).await, Lookup::Hit(value.into()));
}

/// Takes everything from Redis that this cache has in there.
async fn forget(cache: &RedisCache) {
    let link = &cache.0.link;
    let keys: Vec<String> = link.query(redis::cmd("KEYS").arg(link.key("*"))).await.unwrap();
    let _: i64 = link.query(redis::cmd("DEL").arg(keys)).await.unwrap();
}

#[tokio::test]
async fn one_reader_fills_and_the_others_hit() {
    let cache = cache().await;
    let lease = lease(&cache).await;
    assert_eq!(look(&cache).await, Lookup::Bypass);
    let value = [0, 1, 2, 0xff, b'\n'];
    cache.fill(KEY, lease, value.to_vec()).await;
    assert_eq!(look(&cache).await, Lookup::Hit(value.as_slice().into()));
}

#[tokio::test]
async fn several_keys_are_asked_for_at_once() {
    let cache = cache().await;
    filled(&cache, b"value").await;
    cache.hold(&[OTHER], ONE).await;
    let fresh = CacheKey::User(ONE);
    let answers = cache.get(&[KEY, OTHER, fresh]).await;
    assert_eq!(answers[..2], [Lookup::Hit(b"value".as_slice().into()), Lookup::Bypass]);
    assert!(matches!(answers[2], Lookup::Miss(_)));
    assert!(cache.get(&[]).await.is_empty());
}

#[tokio::test]
async fn a_fill_that_raced_a_write_is_refused() {
    let cache = cache().await;
    let lease = lease(&cache).await;
    cache.hold(&[KEY], ONE).await;
    cache.fill(KEY, lease, b"old".to_vec()).await;
    assert_eq!(look(&cache).await, Lookup::Bypass);
    cache.release(&[KEY], ONE).await;
    cache.fill(KEY, lease, b"old".to_vec()).await;
    assert!(matches!(look(&cache).await, Lookup::Miss(_)));
}

#[tokio::test]
async fn the_last_of_two_writers_lifts_the_hold() {
    let cache = cache().await;
    cache.hold(&[KEY], ONE).await;
    cache.hold(&[KEY], TWO).await;
    cache.release(&[KEY], ONE).await;
    assert_eq!(look(&cache).await, Lookup::Bypass);
    cache.release(&[KEY], TWO).await;
    assert!(matches!(look(&cache).await, Lookup::Miss(_)));
}

#[tokio::test]
async fn what_one_instance_writes_the_others_no_longer_answer() {
    let prefix = prefix();
    let writer = on(link_to(&redis_url(), &prefix).await).await;
    let reader = on(link_to(&redis_url(), &prefix).await).await;
    filled(&reader, b"old").await;
    writer.hold(&[KEY], ONE).await;
    assert_eq!(look(&reader).await, Lookup::Bypass);
    writer.release(&[KEY], ONE).await;
    assert!(matches!(look(&reader).await, Lookup::Miss(_)));
}

#[tokio::test]
async fn everything_in_redis_goes_away_by_itself() {
    let cache = cache().await;
    filled(&cache, b"value").await;
    cache.hold(&[OTHER], ONE).await;
    look_up_a_third(&cache).await;
    let link = &cache.0.link;
    let keys: Vec<String> = link.query(redis::cmd("KEYS").arg(link.key("*"))).await.unwrap();
    assert_eq!(keys.len(), 4);
    for key in keys {
        let longest = if key.ends_with("generation") { 86_400_000 } else { 60_000 };
        let left: i64 = link.query(redis::cmd("PTTL").arg(&key)).await.unwrap();
        assert!((1..=longest).contains(&left), "{key}: {left}");
    }
}

async fn look_up_a_third(cache: &RedisCache) {
    assert!(matches!(cache.get(&[CacheKey::User(TWO)]).await[..], [Lookup::Miss(_)]));
}

#[tokio::test]
async fn what_was_read_is_not_read_again() {
    let cache = cache().await;
    filled(&cache, b"value").await;
    // Redis does not tell whoever did it.
    let _: i64 = cache.0.link.query(redis::cmd("DEL").arg(cache.0.key(KEY))).await.unwrap();
    assert_eq!(look(&cache).await, Lookup::Hit(b"value".as_slice().into()));
    // Near or not, each is answered in its place.
    let answers = cache.get(&[OTHER, KEY, CacheKey::User(ONE)]).await;
    assert!(matches!(&answers[..], [Lookup::Miss(_), Lookup::Hit(_), Lookup::Miss(_)]), "{answers:?}");
}

#[tokio::test]
async fn what_somebody_else_takes_from_redis_is_no_longer_near() {
    for change in ["DEL", "DEL generation", "PEXPIRE"] {
        let prefix = prefix();
        let cache = on(link_to(&redis_url(), &prefix).await).await;
        let other = link_to(&redis_url(), &prefix).await;
        filled(&cache, b"value").await;
        let (key, generation) = (cache.0.key(KEY), cache.0.generation.clone());
        let _: redis::Value = match change {
            "DEL" => other.query(redis::cmd("DEL").arg(key)).await.unwrap(),
            "DEL generation" => other.query(redis::cmd("DEL").arg(generation)).await.unwrap(),
            _ => other.query(redis::cmd("PEXPIRE").arg(key).arg(0)).await.unwrap(),
        };
        assert!(!matches!(look(&cache).await, Lookup::Hit(_)), "{change}");
    }
}

#[tokio::test]
async fn while_redis_says_nothing_nothing_near_is_answered() {
    let wire = Wire::new().await;
    let pace = Pace { call: Duration::from_millis(200), rest: Duration::from_millis(10) };
    let link = RedisLink::start_at(&wire.url, &prefix(), pace).unwrap();
    connected(&link).await;
    let cache = on(link).await;
    filled(&cache, b"value").await;
    wire.set(Mode::Frozen).await;
    assert_eq!(look(&cache).await, Lookup::Bypass);
}

#[tokio::test]
async fn an_entity_is_looked_for_when_it_is_asked_for_again() {
    let cache = cache().await;
    let customer = [CacheKey::Customer(ONE)];
    assert_eq!(cache.get(&customer).await, [Lookup::Bypass]);
    let [Lookup::Miss(lease)] = cache.get(&customer).await[..] else { panic!("expected a lease") };
    cache.fill(customer[0], lease, b"value".to_vec()).await;
    for _ in 0..2 {
        assert_eq!(cache.get(&customer).await, [Lookup::Hit(b"value".as_slice().into())]);
    }
}

#[tokio::test]
async fn what_was_read_before_a_lost_hold_does_not_outlive_the_write() {
    let cache = cache().await;
    cache.hold(&[KEY], ONE).await;
    forget(&cache).await;
    assert_eq!(look(&cache).await, Lookup::Bypass, "no generation, no answer");
    usable(&cache).await;
    let early = lease(&cache).await;
    cache.release(&[KEY], ONE).await;
    cache.fill(KEY, early, b"old".to_vec()).await;
    assert!(matches!(look(&cache).await, Lookup::Miss(_)));

    cache.hold(&[KEY], TWO).await;
    forget(&cache).await;
    look(&cache).await;
    usable(&cache).await;
    filled(&cache, b"old").await;
    cache.release(&[KEY], TWO).await;
    assert!(matches!(look(&cache).await, Lookup::Miss(_)));
}

#[tokio::test]
async fn a_generation_that_was_lost_never_comes_back() {
    let cache = cache().await;
    let generation =
        async || -> String { cache.0.link.query(redis::cmd("GET").arg(&cache.0.generation)).await.unwrap() };
    let first = generation().await;
    forget(&cache).await;
    look(&cache).await;
    usable(&cache).await;
    assert_ne!(generation().await, first);
}

#[tokio::test]
async fn while_redis_is_away_everything_is_bypassed() {
    let wire = Wire::new().await;
    let cache = on(link_to(&wire.url, &prefix()).await).await;
    filled(&cache, b"value").await;
    wire.set(Mode::Cut).await;
    assert_eq!(cache.get(&[KEY, OTHER]).await, [Lookup::Bypass, Lookup::Bypass]);
}

#[tokio::test]
async fn a_write_that_redis_missed_is_not_answered_with_what_was_there_before() {
    let prefix = prefix();
    let wire = Wire::new().await;
    let writer = on(link_to(&wire.url, &prefix).await).await;
    let reader = on(link_to(&redis_url(), &prefix).await).await;
    filled(&reader, b"old").await;
    wire.set(Mode::Cut).await;
    writer.hold(&[KEY], ONE).await;
    writer.release(&[KEY], ONE).await;
    wire.set(Mode::Whole).await;
    connected(&writer.0.link).await;
    usable(&writer).await;
    assert!(matches!(look(&writer).await, Lookup::Miss(_)));
    assert!(!matches!(look(&reader).await, Lookup::Hit(_)));
}

#[tokio::test]
async fn after_a_reconnection_old_values_no_longer_count() {
    let prefix = prefix();
    let wire = Wire::new().await;
    let cut_off = on(link_to(&wire.url, &prefix).await).await;
    filled(&cut_off, b"old").await;
    let stray = cut_off.get(&[CacheKey::User(TWO)]).await;
    wire.set(Mode::Cut).await;
    wire.set(Mode::Whole).await;
    assert_eq!(look(&cut_off).await, Lookup::Bypass);
    connected(&cut_off.0.link).await;
    usable(&cut_off).await;
    assert!(matches!(look(&cut_off).await, Lookup::Miss(_)));
    // Nor does a lease of the generation before.
    let [Lookup::Miss(lease)] = stray[..] else { panic!("expected a lease") };
    cut_off.fill(CacheKey::User(TWO), lease, b"old".to_vec()).await;
    look_up_a_third(&cut_off).await;
}

#[tokio::test]
async fn doubt_renews_the_generation_without_a_new_connection() {
    let cache = cache().await;
    filled(&cache, b"old").await;
    cache.0.doubt();
    assert_eq!(look(&cache).await, Lookup::Bypass);
    usable(&cache).await;
    assert!(matches!(look(&cache).await, Lookup::Miss(_)));
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle() {
    let cache = cache().await;
    let mut changes = cache.0.standing.subscribe();
    drop(cache);
    assert!(changes.wait_for(|_| false).await.is_err());
}
