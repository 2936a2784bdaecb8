//! What SQL computes equals what a plain computation does, for any times and any range.

use std::time::Duration;

use proptest::collection::vec;
use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::ranges::LASTING;
use super::submitted;
use crate::harness::{TestHub, on_both_engines, path};

on_both_engines!(with LASTING; percentiles_are_those_of_a_plain_computation);

const INQUIRIES: usize = 24;
const RANGES: usize = 60;
/// Milliseconds within which all happens.
const SPAN: u64 = 100_000;

/// Milliseconds from the beginning.
#[derive(Clone, Copy, Debug)]
struct Life {
    asked: u64,
    submitted: u64,
    decided: u64,
}

#[derive(Clone, Copy)]
enum Step {
    Ask,
    Submit,
    Decide,
}

/// Some take the same time as others, and some hardly any.
fn lives() -> impl Strategy<Value = Vec<Life>> {
    let duration = || proptest::prop_oneof![Just(1_u64), Just(2_500), 0..SPAN / 3];
    let life = (0..SPAN / 3, duration(), duration()).prop_map(|(asked, first, second)| Life {
        asked,
        submitted: asked + first,
        decided: asked + first + second.max(1),
    });
    vec(life, INQUIRIES)
}

async fn percentiles_are_those_of_a_plain_computation(hub: &TestHub) {
    let mut runner = TestRunner::deterministic();
    let lives = lives().new_tree(&mut runner).unwrap().current();
    let beginning = hub.clock.now();
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let mut steps = Vec::new();
    for (n, life) in lives.iter().enumerate() {
        steps.extend([
            (life.asked, n, Step::Ask),
            (life.submitted, n, Step::Submit),
            (life.decided, n, Step::Decide),
        ]);
    }
    steps.sort_by_key(|(at, ..)| *at);
    let mut under_way = vec![Value::Null; INQUIRIES];
    for (at, n, step) in steps {
        let now = beginning.plus(Duration::from_millis(at));
        hub.clock
            .advance(Duration::from_millis(u64::try_from(now.millis() - hub.clock.now().millis()).unwrap()));
        under_way[n] = match step {
            Step::Ask => hub.inquiry(&admin).await,
            Step::Submit => submitted(&cso, &under_way[n]).await,
            Step::Decide => {
                manager.act(&format!("{}/approve", path("responses", &under_way[n]))).await.expect(200)
            }
        };
    }
    let ranges = vec((0..SPAN, 0..SPAN), RANGES).new_tree(&mut runner).unwrap().current();
    let mut counted = 0;
    for (one, other) in ranges {
        let (from, to) = (one.min(other), one.max(other));
        let time = |at: u64| beginning.plus(Duration::from_millis(at));
        let (first, decisions) =
            (plain(&lives, from..to, |life| life.asked), plain(&lives, from..to, |life| life.submitted));
        let told = manager.get(&format!("/stats?from={}&to={}", time(from), time(to))).await.expect(200);
        assert_eq!(rounded(&told["timeToFirstResponse"]), first, "{from}..{to} of {lives:?}");
        assert_eq!(rounded(&told["timeToDecision"]), decisions, "{from}..{to} of {lives:?}");
        counted += first["count"].as_u64().unwrap();
    }
    assert!(counted > 100, "{counted}: the ranges have something in them");
}

fn plain(lives: &[Life], range: std::ops::Range<u64>, from: impl Fn(&Life) -> u64) -> Value {
    let over = lives.iter().filter(|life| range.contains(&life.decided));
    figures(over.map(|life| life.decided - from(life)).collect())
}

/// Of what took so many milliseconds.
pub fn figures(mut times: Vec<u64>) -> Value {
    times.sort_unstable();
    let nearest = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank.wrapping_sub(1)).map(|millis| *millis as f64 / 1000.0)
    };
    let average = times.iter().sum::<u64>() as f64 / times.len() as f64 / 1000.0;
    rounded(&json!({
        "count": times.len(), "averageSeconds": (!times.is_empty()).then_some(average),
        "p50Seconds": nearest(50), "p90Seconds": nearest(90),
    }))
}

/// The average as whole microseconds: the engines add up in another order.
pub fn rounded(times: &Value) -> Value {
    let mut times = times.clone();
    times["averageSeconds"] = json!(times["averageSeconds"].as_f64().map(|average| (average * 1e6).round()));
    times
}
