//! Figures of a range: what falls into it, whose they are, and which ranges there are.

use std::time::Duration;

use nexus_actors::domain::Timestamp;
use serde_json::{Value, json};

use super::{stats, submitted};
use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    with LASTING;
    the_first_reply_to_an_inquiry_counts_and_no_other,
    a_range_has_its_beginning_and_not_its_end,
    what_a_cso_has_answered_is_their_throughput,
    an_unusable_range_is_refused,
);

pub const LASTING: &[(&str, &str)] = &[("JWT_EXPIRATION", "7d")];

/// A reply to this inquiry, approved.
pub async fn answered(cso: &Client, manager: &Client, inquiry: &Value) {
    let response = submitted(cso, inquiry).await;
    manager.act(&format!("{}/approve", path("responses", &response))).await.expect(200);
}

async fn within(client: &Client, from: Timestamp, to: Timestamp) -> Value {
    client.get(&format!("/stats?from={from}&to={to}")).await.expect(200)
}

async fn the_first_reply_to_an_inquiry_counts_and_no_other(hub: &TestHub) {
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let mut inquiries = Vec::new();
    for _ in 0..10 {
        inquiries.push(hub.inquiry(&admin).await);
    }
    // Rejected: no reply at all.
    let rejected = submitted(&cso, &inquiries[9]).await;
    let reject = format!("{}/reject", path("responses", &rejected));
    manager.post(&reject, json!({"notes": "No."})).await.expect(200);
    for (n, inquiry) in inquiries.iter().enumerate() {
        hub.clock.advance(Duration::from_secs(10));
        answered(&cso, &manager, inquiry).await;
        if n < 3 {
            answered(&cso, &manager, inquiry).await;
        }
    }
    // 10 s, 20 s, … 100 s.
    let told = stats(&manager).await;
    assert_eq!(
        told["timeToFirstResponse"],
        json!({"count": 10, "averageSeconds": 55.0, "p50Seconds": 50.0, "p90Seconds": 90.0})
    );
    assert_eq!(told["inflow"], json!({"created": 10, "responded": 13}));
    assert_eq!(told["timeToDecision"]["count"], 14);
}

async fn a_range_has_its_beginning_and_not_its_end(hub: &TestHub) {
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let (tick, hour) = (Duration::from_millis(1), Duration::from_secs(3_600));
    let asked = hub.clock.now();
    let inquiry = hub.inquiry(&admin).await;
    hub.clock.advance(hour);
    let answer = hub.clock.now();
    answered(&cso, &manager, &inquiry).await;
    hub.clock.advance(hour);
    let figures = async |from, to| {
        let told = within(&manager, from, to).await;
        assert_eq!(told["range"], json!({"from": from, "to": to}));
        assert_eq!(told["inquiries"]["responded"], 1, "what is counted as it now is knows no range");
        let count = |what: &str| told[what]["count"].as_i64().unwrap();
        assert_eq!(count("timeToFirstResponse"), count("timeToDecision"));
        assert_eq!(json!(count("timeToFirstResponse")), told["inflow"]["responded"]);
        let cso = &told["csos"][0];
        assert_eq!(
            (&cso["throughput"], &cso["answered"]),
            (&told["inflow"]["responded"], &cso["throughput"])
        );
        (told["inflow"]["created"].as_i64().unwrap(), count("timeToDecision"))
    };
    assert_eq!(figures(asked, answer.plus(tick)).await, (1, 1));
    assert_eq!(figures(asked, answer).await, (1, 0));
    assert_eq!(figures(asked.plus(tick), answer.plus(tick)).await, (0, 1));
    assert_eq!(figures(answer, answer.plus(tick)).await, (0, 1));
    assert_eq!(figures(answer.plus(tick), answer.plus(hour)).await, (0, 0));
    assert_eq!(figures(asked, asked).await, (0, 0));
    // One end is enough; and a plus sign need not be encoded.
    let told = manager.get(&format!("/stats?to={answer}")).await.expect(200);
    assert_eq!(told["range"], json!({"from": answer.minus(720 * hour), "to": answer}));
    let told = manager.get("/stats?from=2100-06-01T11:00:00+02:00").await.expect(200);
    assert_eq!(told["range"], json!({"from": "2100-06-01T09:00:00.000Z", "to": hub.clock.now().plus(tick)}));
}

async fn what_a_cso_has_answered_is_their_throughput(hub: &TestHub) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let (one, two) = (hub.cso().await, hub.cso().await);
    let [first, second, third] =
        [hub.inquiry(&admin).await, hub.inquiry(&admin).await, hub.inquiry(&admin).await];
    hub.clock.advance(Duration::from_secs(7));
    answered(&one, &manager, &first).await;
    answered(&one, &manager, &second).await;
    hub.clock.advance(Duration::from_secs(7));
    answered(&two, &manager, &second).await;
    answered(&admin, &manager, &third).await;
    let told = stats(&manager).await;
    let of = |told: &Value, cso: &Client| {
        let csos = told["csos"].as_array().unwrap();
        let cso = csos.iter().find(|other| other["userId"] == json!(cso.id)).unwrap();
        (cso["throughput"].as_i64().unwrap(), cso["answered"].as_i64().unwrap())
    };
    assert_eq!((of(&told, &one), of(&told, &two)), ((2, 2), (1, 0)));
    assert_eq!((&told["inflow"]["responded"], &told["timeToFirstResponse"]["count"]), (&json!(4), &json!(3)));

    let own = stats(&one).await;
    assert_eq!(of(&own, &one), (2, 2));
    let times = json!({"count": 2, "averageSeconds": 7.0, "p50Seconds": 7.0, "p90Seconds": 7.0});
    assert_eq!(own["timeToFirstResponse"], times);
    assert_eq!((&own["inflow"]["responded"], &own["timeToDecision"]["count"]), (&json!(2), &json!(2)));
    let own = stats(&two).await;
    assert_eq!(of(&own, &two), (1, 0));
    assert_eq!((&own["inflow"]["responded"], &own["timeToFirstResponse"]["count"]), (&json!(1), &json!(0)));
}

async fn an_unusable_range_is_refused(hub: &TestHub) {
    let manager = hub.manager().await;
    for query in ["from=yesterday", "to=2100-13-01T00:00:00Z", "from=2100-06-01", "to="] {
        manager.get(&format!("/stats?{query}")).await.problem(400);
    }
    for (query, at) in [
        ("from=2100-06-02T00:00:00Z&to=2100-06-01T00:00:00Z", "from"),
        ("from=2100-06-01T08:00:01Z", "from"),
        ("from=2099-05-31T23:59:59.999Z&to=2100-06-02T00:00:00Z", "from"),
        ("page=2", "page"),
        ("from=2100-05-01T00:00:00Z&from=2100-05-02T00:00:00Z", "from"),
    ] {
        let problem = manager.get(&format!("/stats?{query}")).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], at, "{query}: {problem}");
    }
    let longest = "from=2099-06-01T00:00:00Z&to=2100-06-02T00:00:00Z";
    manager.get(&format!("/stats?{longest}")).await.expect(200);
}
