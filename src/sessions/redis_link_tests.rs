use tokio::time::Instant;

use super::super::testing::{Mode, Wire, connected, link, prefix, redis_url};
use super::*;

const QUICK: Pace = Pace { call: Duration::from_millis(100), rest: Duration::from_millis(10) };
const PATIENT: Pace = Pace { call: Duration::from_secs(5), rest: Duration::ZERO };

/// A link through a wire.
async fn wired(pace: Pace) -> (Wire, RedisLink) {
    let wire = Wire::new().await;
    let link = RedisLink::start_at(&wire.url, &prefix(), pace).unwrap();
    connected(&link).await;
    (wire, link)
}

async fn down(link: &RedisLink) {
    let mut changes = link.0.state.subscribe();
    changes.wait_for(|state| matches!(state, State::Down)).await.unwrap();
}

fn unavailable<T>(outcome: &HubResult<T>) -> bool {
    matches!(outcome, Err(HubError::Unavailable { what: "redis" }))
}

const TIMEOUT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_call_made_before_the_connection_stands_waits_for_it() {
    let link = RedisLink::start_at(&redis_url(), &prefix(), PATIENT).unwrap();
    assert!(!link.is_up());
    link.ping().await.unwrap();
    assert!(link.is_up());
}

#[tokio::test]
async fn commands_and_scripts_answer() {
    let link = link().await;
    let key = link.key("greeting");
    let _: () = link.query(redis::cmd("SET").arg(&key).arg("hello").arg("PX").arg(60_000)).await.unwrap();
    let script = redis::Script::new("return redis.call('GET', KEYS[1])");
    assert_eq!(link.run::<String>(&script.key(&key)).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_refused_command_leaves_the_connection_alone() {
    let link = link().await;
    let before = link.epoch();
    assert!(unavailable(&link.query::<()>(redis::cmd("NO-SUCH-COMMAND").arg("x")).await));
    assert_eq!(link.epoch(), before);
    link.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_at_once() {
    // Port 1 is reserved and refuses connections.
    let link = RedisLink::start("redis://127.0.0.1:1", &prefix(), TIMEOUT).unwrap();
    down(&link).await;
    let started = Instant::now();
    for _ in 0..1_000 {
        assert!(unavailable(&link.ping().await));
    }
    assert!(started.elapsed() < TIMEOUT);
    assert!(!link.is_up());
}

#[tokio::test]
async fn a_call_outlives_a_broken_connection() {
    let (wire, link) = wired(PATIENT).await;
    let before = link.epoch();
    wire.set(Mode::Cut).await;
    wire.set(Mode::Whole).await;
    link.ping().await.unwrap();
    assert!(before < link.epoch());
}

#[tokio::test]
async fn what_must_not_be_sent_twice_fails_with_its_connection() {
    let (_wire, link) = wired(QUICK).await;
    let epoch = link.epoch().unwrap();
    let script = redis::Script::new("return 1");
    assert_eq!(link.run_over::<i64>(epoch, &script.prepare_invoke()).await.unwrap(), 1);
    assert!(unavailable(&link.run_over::<i64>(epoch + 1, &script.prepare_invoke()).await));
}

#[tokio::test]
async fn a_frozen_server_is_given_up_and_taken_back() {
    let (wire, link) = wired(QUICK).await;
    wire.set(Mode::Frozen).await;
    for _ in 0..TIMEOUTS {
        let started = Instant::now();
        assert!(unavailable(&link.ping().await));
        assert!(started.elapsed() < QUICK.call * 3);
    }
    assert!(!link.is_up());
    wire.set(Mode::Whole).await;
    connected(&link).await;
    link.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_without_being_asked_for() {
    let (wire, link) = wired(QUICK).await;
    wire.set(Mode::Cut).await;
    assert!(unavailable(&link.ping().await));
    down(&link).await;
    wire.set(Mode::Whole).await;
    connected(&link).await;
    link.ping().await.unwrap();
}

#[tokio::test]
async fn neither_errors_nor_debug_output_show_the_password() {
    let refused = RedisLink::start("http://user:hunter2@127.0.0.1", "p:", TIMEOUT).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    let link = RedisLink::start("redis://:hunter2@127.0.0.1:1", "p:", TIMEOUT).unwrap();
    assert!(!format!("{link:?}").contains("hunter2"));
}

#[tokio::test]
async fn the_task_ends_with_the_last_link() {
    let link = link().await;
    let state = Arc::downgrade(&link.0.state);
    drop(link);
    assert!(state.upgrade().is_none());
}
