//! `GET /stats` and `GET /stats/daily`: what it counts, and for whom.

mod daily;
mod percentiles;
mod ranges;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, PASSWORD, TestHub, on_both_engines, path};

on_both_engines!(
    an_empty_hub_counts_nothing,
    everything_is_counted_by_status,
    the_approval_queue_and_the_time_to_decision_are_measured,
    the_load_of_each_cso_is_told,
    a_cso_sees_their_own_figures_only,
);

async fn stats(client: &Client) -> Value {
    client.get("/stats").await.expect(200)
}

async fn submitted(by: &Client, inquiry: &Value) -> Value {
    let draft = json!({"inquiryId": inquiry["id"], "message": "Soon."});
    let draft = by.post("/responses", draft).await.expect(201);
    by.act(&format!("{}/submit", path("responses", &draft))).await.expect(200)
}

async fn an_empty_hub_counts_nothing(hub: &TestHub) {
    let nothing = json!({"count": 0, "averageSeconds": null, "p50Seconds": null, "p90Seconds": null});
    let expected = json!({
        "range": {"from": "2100-05-02T08:00:00.001Z", "to": "2100-06-01T08:00:00.001Z"},
        "customers": {"active": 0, "inactive": 0, "suspended": 0},
        "inquiries": {"pending": 0, "in_progress": 0, "responded": 0, "closed": 0},
        "responses": {"draft": 0, "pending_approval": 0, "approved": 0, "rejected": 0, "sent": 0, "delivery_failed": 0},
        "approvalQueue": {"length": 0, "oldestAgeSeconds": null},
        "inflow": {"created": 0, "responded": 0},
        "timeToFirstResponse": nothing,
        "timeToDecision": nothing,
        "csos": [],
        "fairness": null
    });
    for client in [hub.admin().await, hub.manager().await] {
        assert_eq!(stats(&client).await, expected);
    }
    hub.anonymous().get("/stats").await.problem(401);
}

async fn everything_is_counted_by_status(hub: &TestHub) {
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    for (status, count) in [("active", 3), ("inactive", 2), ("suspended", 1)] {
        for number in 0..count {
            let email = format!("{status}{number}@example.com");
            let customer = json!({"firstName": "A", "lastName": "B", "email": email, "status": status});
            admin.post("/customers", customer).await.expect(201);
        }
    }
    let page = admin.get("/customers?status=inactive").await.expect(200);
    admin.delete(&path("customers", &page["data"][0])).await.expect(204);
    // The customers of these come on top of those.
    let [one, two, three] = [hub.inquiry(&admin).await, hub.inquiry(&admin).await, hub.inquiry(&admin).await];
    cso.patch(&format!("{}/status", path("inquiries", &one)), json!({"status": "in_progress"}))
        .await
        .expect(200);
    cso.patch(&format!("{}/status", path("inquiries", &two)), json!({"status": "closed"})).await.expect(200);
    let approved = submitted(&cso, &one).await;
    manager.act(&format!("{}/approve", path("responses", &approved))).await.expect(200);
    let rejected = submitted(&cso, &two).await;
    manager
        .post(&format!("{}/reject", path("responses", &rejected)), json!({"notes": "No."}))
        .await
        .expect(200);
    submitted(&cso, &three).await;
    for _ in 0..2 {
        cso.post("/responses", json!({"inquiryId": three["id"], "message": "Draft"})).await.expect(201);
    }
    for client in [&admin, &manager] {
        let told = stats(client).await;
        assert_eq!(told["customers"], json!({"active": 6, "inactive": 1, "suspended": 1}));
        assert_eq!(told["inquiries"], json!({"pending": 1, "in_progress": 0, "responded": 1, "closed": 1}));
        let responses = json!({
            "draft": 2, "pending_approval": 1, "approved": 1, "rejected": 1, "sent": 0, "delivery_failed": 0
        });
        assert_eq!(told["responses"], responses);
    }
}

async fn the_approval_queue_and_the_time_to_decision_are_measured(hub: &TestHub) {
    let (admin, cso, email) = (hub.admin().await, hub.cso().await, hub.manager().await.email);
    let inquiry = hub.inquiry(&admin).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(submitted(&cso, &inquiry).await);
        hub.clock.advance(Duration::from_secs(100));
    }
    let manager = hub.sign_in(&email, PASSWORD).await;
    let told = stats(&manager).await;
    assert_eq!(told["approvalQueue"], json!({"length": 3, "oldestAgeSeconds": 300}));
    let decide = async |response: &Value| {
        manager.act(&format!("{}/approve", path("responses", response))).await.expect(200)
    };
    decide(&waiting[0]).await;
    hub.clock.advance(Duration::from_millis(500));
    decide(&waiting[1]).await;
    let told = stats(&manager).await;
    assert_eq!(told["approvalQueue"], json!({"length": 1, "oldestAgeSeconds": 100}));
    assert_eq!(told["timeToDecision"]["count"], 2);
    assert_eq!(
        told["timeToDecision"],
        json!({"count": 2, "averageSeconds": 250.25, "p50Seconds": 200.5, "p90Seconds": 300.0})
    );
    hub.clock.advance(Duration::from_millis(30 * 24 * 3_600_000 - 1));
    let manager = hub.sign_in(&email, PASSWORD).await;
    assert_eq!(
        stats(&manager).await["timeToDecision"]["count"],
        1,
        "the last 30 days, the first moment included"
    );
    hub.clock.advance(Duration::from_millis(1));
    assert_eq!(stats(&manager).await["timeToDecision"]["count"], 0);
}

async fn the_load_of_each_cso_is_told(hub: &TestHub) {
    let (admin, one, two, gone) = (hub.admin().await, hub.cso().await, hub.cso().await, hub.cso().await);
    let patch = async |who: &Client, patch: Value| {
        admin.patch(&format!("/users/{}", who.id), patch).await.expect(200)
    };
    patch(&one, json!({"lastName": "Alpha", "maxOpenInquiries": 7})).await;
    patch(&two, json!({"lastName": "Beta", "availability": "away"})).await;
    patch(&gone, json!({"isActive": false})).await;
    let mut inquiries = Vec::new();
    for _ in 0..3 {
        inquiries.push(hub.inquiry(&admin).await);
    }
    assert!(inquiries.iter().all(|inquiry| inquiry["assignedTo"] == json!(one.id)));
    let assign = format!("{}/assign", path("inquiries", &inquiries[0]));
    admin.post(&assign, json!({"assigneeId": two.id})).await.expect(200);
    let close = format!("{}/status", path("inquiries", &inquiries[1]));
    one.patch(&close, json!({"status": "closed"})).await.expect(200);
    let load = |who: &Client, last: &str, availability: &str, open: i64, max: i64| {
        json!({"userId": who.id, "firstName": "Test", "lastName": last, "availability": availability,
            "openInquiries": open, "maxOpenInquiries": max, "load": open as f64 / max as f64, "throughput": 0,
            "answered": 0})
    };
    let expected = json!([load(&one, "Alpha", "online", 1, 7), load(&two, "Beta", "away", 1, 20)]);
    let told = stats(&admin).await;
    assert_eq!((&told["csos"], &told["fairness"]), (&expected, &json!(1.0)), "one of them is away");
    patch(&two, json!({"availability": "online"})).await;
    let uneven = stats(&admin).await["fairness"].as_f64().unwrap();
    let (high, low) = (1.0 / 7.0, 1.0 / 20.0);
    assert!((uneven - high / ((high + low) / 2.0)).abs() < 1e-9, "{uneven}");
    patch(&one, json!({"maxOpenInquiries": 0})).await;
    assert_eq!(stats(&admin).await["csos"][0]["load"], Value::Null);
    let own = stats(&two).await;
    assert_eq!((own["csos"].as_array().unwrap().len(), &own["csos"][0]["userId"]), (1, &json!(two.id)));
    assert_eq!(own["fairness"], Value::Null);
}

async fn a_cso_sees_their_own_figures_only(hub: &TestHub) {
    let (admin, manager, one) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let mine = hub.customer(&admin).await;
    hub.customer(&admin).await;
    admin
        .post(&format!("{}/assign", path("customers", &mine)), json!({"assigneeId": one.id}))
        .await
        .expect(200);
    let inquiry = hub.inquiry(&admin).await;
    submitted(&one, &inquiry).await;
    hub.clock.advance(Duration::from_secs(60));
    let of_admin = submitted(&admin, &inquiry).await;
    hub.clock.advance(Duration::from_secs(60));
    manager.act(&format!("{}/approve", path("responses", &of_admin))).await.expect(200);
    let two = hub.cso().await;

    let told = stats(&one).await;
    assert_eq!(told["customers"], json!({"active": 1, "inactive": 0, "suspended": 0}));
    assert_eq!(
        (&told["inquiries"]["responded"], &told["responses"]["pending_approval"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(told["responses"]["approved"], 0);
    assert_eq!(told["approvalQueue"], json!({"length": 1, "oldestAgeSeconds": 120}));
    assert_eq!(told["timeToDecision"]["count"], 0);
    assert_eq!(
        told["csos"].as_array().unwrap().iter().map(|cso| cso["userId"].clone()).collect::<Vec<_>>(),
        [json!(one.id)]
    );

    let other = stats(&two).await;
    for counted in ["customers", "inquiries", "responses"] {
        assert!(other[counted].as_object().unwrap().values().all(|count| *count == 0), "{counted}: {other}");
    }
    assert_eq!(other["approvalQueue"]["length"], 0);
}
