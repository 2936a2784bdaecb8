//! `GET /stats/daily`: the same figures, by the calendar of a zone.

use std::time::Duration;

use nexus_actors::domain::Timestamp;
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::percentiles::{figures, rounded};
use super::ranges::LASTING;
use super::submitted;
use crate::harness::{TestHub, on_both_engines, path};

on_both_engines!(with LASTING; days_are_those_of_a_plain_computation);
on_both_engines!(days_follow_the_calendar_of_a_zone, what_cannot_be_told_by_day_is_refused);

const INQUIRIES: usize = 30;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// In minutes, so that hardly any two things are at once.
const SPAN: u64 = 5 * 24 * 60;

/// Zones that keep one time all year, with their offsets in minutes.
const ZONES: &[(&str, i64)] =
    &[("UTC", 0), ("Asia/Kathmandu", 345), ("Pacific/Kiritimati", 840), ("Pacific/Pago_Pago", -660)];

/// One inquiry, in milliseconds since 1970.
#[derive(Clone, Debug, Default)]
struct Life {
    inquiry: Value,
    response: Value,
    by_first: bool,
    asked: i64,
    submitted: i64,
    decided: i64,
}

async fn days_are_those_of_a_plain_computation(hub: &TestHub) {
    let mut runner = TestRunner::deterministic();
    let minutes = vec((0..SPAN, 1..SPAN / 3, 1..SPAN / 3), INQUIRIES)
        .prop_map(|all| {
            let steps = |(n, (asked, one, two))| [(asked, n), (asked + one, n), (asked + one + two, n)];
            let mut steps: Vec<_> = all.into_iter().enumerate().flat_map(steps).collect();
            steps.sort_unstable();
            steps
        })
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let csos = [hub.cso().await, hub.cso().await];
    let beginning = hub.clock.now();
    let mut lives = vec![Life::default(); INQUIRIES];
    for (at, n) in minutes {
        let now = beginning.plus(Duration::from_secs(at * 60)).millis();
        hub.clock.advance(Duration::from_millis(u64::try_from(now - hub.clock.now().millis()).unwrap()));
        let life = &mut lives[n];
        if life.asked == 0 {
            (life.asked, life.inquiry) = (now, hub.inquiry(&admin).await);
        } else if life.submitted == 0 {
            life.by_first = n % 3 == 0;
            let author = &csos[usize::from(!life.by_first)];
            (life.submitted, life.response) = (now, submitted(author, &life.inquiry).await);
        } else {
            manager.act(&format!("{}/approve", path("responses", &life.response))).await.expect(200);
            life.decided = now;
        }
    }
    for life in &mut lives {
        life.inquiry = admin.get(&path("inquiries", &life.inquiry)).await.expect(200);
    }
    // All of it, and a part that begins and ends in the midst of days.
    let from = beginning.plus(Duration::from_secs(31 * 3600));
    for (from, to) in [
        (beginning, hub.clock.now().plus(Duration::from_millis(1))),
        (from, from.plus(Duration::from_millis(3 * 86_400_000 + 77))),
    ] {
        for (zone, minutes) in ZONES {
            let asked = format!("/stats/daily?from={from}&to={to}&zone={zone}");
            let (everyone, own) =
                (manager.get(&asked).await.expect(200), csos[0].get(&asked).await.expect(200));
            assert_eq!(
                (&everyone["zone"], &everyone["range"]),
                (&json!(zone), &json!({"from": from, "to": to}))
            );
            check(&everyone, &lives, from, to, *minutes, |_| true, |_| true);
            let mine = json!(csos[0].id);
            check(
                &own,
                &lives,
                from,
                to,
                *minutes,
                |life| life.inquiry["assignedTo"] == mine,
                |life| life.by_first,
            );
            // The whole is what `/stats` tells of it.
            let whole = manager.get(&format!("/stats?from={from}&to={to}")).await.expect(200);
            let sum = |pointer: &str| -> i64 {
                let days = everyone["days"].as_array().unwrap().iter();
                days.map(|day| day.pointer(pointer).unwrap().as_i64().unwrap()).sum()
            };
            for count in [
                "/inflow/created",
                "/inflow/responded",
                "/timeToFirstResponse/count",
                "/timeToDecision/count",
            ] {
                assert_eq!(json!(sum(count)), *whole.pointer(count).unwrap(), "{count}");
                assert!(sum(count) > 5, "{count}: the range has something in it");
            }
        }
    }
}

/// Every local day of the range, with what was asked by those in `asked` and answered by those in `answered`.
fn check(
    told: &Value,
    lives: &[Life],
    from: Timestamp,
    to: Timestamp,
    offset: i64,
    asked: impl Fn(&Life) -> bool,
    answered: impl Fn(&Life) -> bool,
) {
    let local = |millis: i64| (millis + offset * 60_000).div_euclid(DAY);
    let within = |millis: i64| from.millis() <= millis && millis < to.millis();
    let days = told["days"].as_array().unwrap();
    let (first, last) = (local(from.millis()), local(to.millis() - 1));
    assert_eq!(days.len() as i64, last - first + 1, "{told}");
    for (number, day) in (first..).zip(days) {
        let on_it = |millis: i64| within(millis) && local(millis) == number;
        let decided: Vec<_> = lives.iter().filter(|life| on_it(life.decided) && answered(life)).collect();
        let created = lives.iter().filter(|life| on_it(life.asked) && asked(life)).count();
        let times = |since: fn(&Life) -> i64| {
            figures(decided.iter().map(|life| u64::try_from(life.decided - since(life)).unwrap()).collect())
        };
        let date = written(number);
        assert_eq!(day["date"], date, "{day}");
        assert_eq!(day["inflow"], json!({"created": created, "responded": decided.len()}), "{date}");
        assert_eq!(rounded(&day["timeToFirstResponse"]), times(|life| life.asked), "{date}");
        assert_eq!(rounded(&day["timeToDecision"]), times(|life| life.submitted), "{date}");
    }
}

/// Of a day that is this many after the first of 1970.
fn written(number: i64) -> String {
    let noon = chrono::DateTime::from_timestamp_millis(number * DAY + 12 * HOUR).unwrap();
    noon.format("%Y-%m-%d").to_string()
}

async fn days_follow_the_calendar_of_a_zone(hub: &TestHub) {
    let manager = hub.manager().await;
    let nothing = json!({"count": 0, "averageSeconds": null, "p50Seconds": null, "p90Seconds": null});
    let day = |date: &str, from: &str, to: &str| {
        json!({"date": date, "from": from, "to": to, "inflow": {"created": 0, "responded": 0},
            "timeToFirstResponse": nothing, "timeToDecision": nothing})
    };
    let told = manager
        .get("/stats/daily?from=2026-03-28T23:00:00Z&to=2026-03-30T22:00:00Z&zone=Europe/Berlin")
        .await
        .expect(200);
    let expected = json!({
        "range": {"from": "2026-03-28T23:00:00.000Z", "to": "2026-03-30T22:00:00.000Z"},
        "zone": "Europe/Berlin",
        "days": [
            day("2026-03-29", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"),
            day("2026-03-30", "2026-03-29T22:00:00.000Z", "2026-03-30T22:00:00.000Z"),
        ],
    });
    assert_eq!(told, expected);
    let usual = manager.get("/stats/daily").await.expect(200);
    assert_eq!((&usual["zone"], usual["days"].as_array().unwrap().len()), (&json!("UTC"), 31));
    assert_eq!(usual["days"][30]["date"], "2100-06-01");
    let none =
        manager.get("/stats/daily?from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z").await.expect(200);
    assert_eq!(none["days"], json!([]));
    // As far back and ahead as times can be written.
    for edge in [
        "from=0000-01-01T00:00:00Z&to=0000-02-01T00:00:00Z",
        "from=9999-12-01T00:00:00Z&to=9999-12-31T23:59:59Z",
    ] {
        for zone in ["Asia/Tokyo", "America/Lima"] {
            manager.get(&format!("/stats/daily?{edge}&zone={zone}")).await.expect(200);
        }
    }
}

async fn what_cannot_be_told_by_day_is_refused(hub: &TestHub) {
    let manager = hub.manager().await;
    for (query, at) in [
        ("zone=Europe/Atlantis", "zone"),
        ("zone=", "zone"),
        ("zone=UTC&zone=UTC", "zone"),
        ("from=2099-05-31T23:59:59.999Z&to=2100-06-02T00:00:00Z", "from"),
        ("page=2", "page"),
    ] {
        let problem = manager.get(&format!("/stats/daily?{query}")).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], at, "{query}: {problem}");
    }
    manager.get("/stats/daily?from=yesterday").await.problem(400);
    hub.anonymous().get("/stats/daily").await.problem(401);
}
