//! What its CSO does not take up in time goes back to its place, and to somebody else.

use std::time::Duration;

use nexus_actors::assignment_balancer::TakeUpWaiting;
use serde_json::{Value, json};

use super::{change, decisions, load, move_to};
use crate::harness::{Client, TestHub, eventually, on_both_engines, path};

on_both_engines!(
    with TEN_MINUTES;
    what_is_not_taken_up_goes_to_somebody_else,
    what_is_taken_up_in_time_stays,
    with_nobody_else_it_waits_in_its_old_place,
    in_the_end_it_may_come_back,
);

const TEN_MINUTES: &[(&str, &str)] = &[("NEXUS__ASSIGNMENT__ACCEPT_WITHIN", "10m")];

async fn pass(hub: &TestHub, minutes: u64) {
    hub.clock.advance(Duration::from_secs(60 * minutes));
    hub.app.hub.assignment_balancer.ask(TakeUpWaiting).await.unwrap();
}

async fn holder(admin: &Client, inquiry: &Value) -> Value {
    admin.get(&path("inquiries", inquiry)).await.expect(200)["assignedTo"].clone()
}

async fn comes_to(admin: &Client, inquiry: &Value, who: Value) {
    eventually("it is with whom it should be", async || holder(admin, inquiry).await == who).await;
}

async fn what_is_not_taken_up_goes_to_somebody_else(hub: &TestHub) {
    let admin = hub.admin().await;
    let first = hub.cso().await;
    let inquiry = hub.inquiry(&admin).await;
    assert_eq!(inquiry["assignedTo"], json!(first.id));
    let second = hub.cso().await;
    pass(hub, 9).await;
    assert_eq!(holder(&admin, &inquiry).await, json!(first.id));
    pass(hub, 1).await;
    comes_to(&admin, &inquiry, json!(second.id)).await;
    assert_eq!((load(&admin, &first).await, load(&admin, &second).await), (0, 1));
    let told = decisions(&admin, &inquiry).await;
    let reasons: Vec<_> = told.iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(reasons, ["lowest_load", "not_taken_up", "lowest_load"]);
    let candidates = told[2]["candidates"].as_array().unwrap();
    let of_first = candidates.iter().find(|one| one["userId"] == json!(first.id)).unwrap();
    assert_eq!(of_first["finding"], "did_not_take_it_up");
}

async fn what_is_taken_up_in_time_stays(hub: &TestHub) {
    let admin = hub.admin().await;
    let first = hub.cso().await;
    let inquiry = hub.inquiry(&admin).await;
    hub.cso().await;
    move_to(&first, &inquiry, "in_progress").await;
    pass(hub, 14).await;
    hub.app.hub.assignment_balancer.ask(TakeUpWaiting).await.unwrap();
    assert_eq!(holder(&admin, &inquiry).await, json!(first.id));
    assert_eq!(decisions(&admin, &inquiry).await.len(), 1);
}

async fn with_nobody_else_it_waits_in_its_old_place(hub: &TestHub) {
    let admin = hub.admin().await;
    let only = hub.cso().await;
    let (older, younger) = (hub.inquiry(&admin).await, hub.inquiry(&admin).await);
    move_to(&only, &younger, "in_progress").await;
    pass(hub, 10).await;
    comes_to(&admin, &older, Value::Null).await;
    // One that comes later stands behind it.
    change(&admin, &only, json!({"maxOpenInquiries": 1})).await;
    let latest = hub.inquiry(&admin).await;
    assert_eq!(latest["assignedTo"], Value::Null);
    let other = hub.cso().await;
    comes_to(&admin, &older, json!(other.id)).await;
    comes_to(&admin, &latest, json!(other.id)).await;
    let when = async |inquiry: &Value| decisions(&admin, inquiry).await.last().unwrap()["createdAt"].clone();
    assert!(when(&older).await.as_str() <= when(&latest).await.as_str());
}

async fn in_the_end_it_may_come_back(hub: &TestHub) {
    let admin = hub.admin().await;
    let first = hub.cso().await;
    let inquiry = hub.inquiry(&admin).await;
    let second = hub.cso().await;
    pass(hub, 10).await;
    comes_to(&admin, &inquiry, json!(second.id)).await;
    let admin = hub.sign_in(&admin.email, crate::harness::PASSWORD).await;
    pass(hub, 10).await;
    comes_to(&admin, &inquiry, json!(first.id)).await;
}
