//! When nobody decides: reminders and escalations, each once.

use std::time::Duration;

use nexus_actors::approval_coordinator::FireTimers;
use serde_json::{Value, json};

use crate::harness::{Client, Engine, TestHub, on_both_engines, path, run_instances};
use crate::responses::{submitted, to};

on_both_engines!(
    with PATIENT;
    what_waits_long_is_reminded_of_once_and_then_escalated_once,
    what_was_decided_or_taken_back_meanwhile_stays_quiet,
    submitted_again_it_waits_anew,
    what_nobody_may_decide_is_escalated_at_once,
    when_its_last_reviewer_leaves_it_is_escalated,
    a_clock_that_steps_back_fires_nothing_twice,
);
on_both_engines!(with SWITCHED_OFF; switched_off_nothing_fires);

/// Access tokens outlive every wait in here.
const PATIENT: &[(&str, &str)] = &[TOKENS];
const SWITCHED_OFF: &[(&str, &str)] =
    &[TOKENS, ("NEXUS__APPROVAL__REMIND_AFTER", "0"), ("NEXUS__APPROVAL__ESCALATE_AFTER", "0")];
const TOKENS: (&str, &str) = ("JWT_EXPIRATION", "7d");
const MINUTE: Duration = Duration::from_secs(60);

/// Moves the clock and fires what is due by then.
async fn pass(hub: &TestHub, time: Duration) {
    hub.clock.advance(time);
    hub.app.hub.approval_coordinator.ask(FireTimers).await.unwrap();
}

/// How often a timer fired for this response, as its audit trail tells.
async fn fired(admin: &Client, response: &Value, event: &str) -> usize {
    let trail = admin.get(&format!("/audit?limit=100&entityId={}", response["id"].as_str().unwrap())).await;
    let trail = trail.expect(200);
    trail["data"].as_array().unwrap().iter().filter(|entry| entry["action"] == event).count()
}

async fn both(admin: &Client, response: &Value) -> (usize, usize) {
    (fired(admin, response, "approval.reminder").await, fired(admin, response, "approval.escalated").await)
}

/// Who was told of this, by type.
async fn told(client: &Client, event: &str) -> usize {
    let list = client.get("/notifications?limit=100").await.expect(200);
    list["data"].as_array().unwrap().iter().filter(|one| one["type"] == event).count()
}

async fn what_waits_long_is_reminded_of_once_and_then_escalated_once(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    pass(hub, 29 * MINUTE).await;
    assert_eq!(both(&admin, &response).await, (0, 0));
    pass(hub, MINUTE).await;
    pass(hub, MINUTE).await;
    assert_eq!(both(&admin, &response).await, (1, 0));
    pass(hub, 89 * MINUTE).await;
    pass(hub, 100 * MINUTE).await;
    assert_eq!(both(&admin, &response).await, (1, 1));
    crate::harness::eventually("managers are reminded and admins told", async || {
        told(&manager, "approval.reminder").await == 1 && told(&admin, "approval.escalated").await == 1
    })
    .await;
    assert_eq!((told(&admin, "approval.reminder").await, told(&manager, "approval.escalated").await), (0, 0));
    // Never decided by time.
    assert_eq!(crate::responses::now(&admin, &response).await["status"], "pending_approval");
}

async fn what_was_decided_or_taken_back_meanwhile_stays_quiet(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let approved = submitted(hub, &cso, &admin).await;
    let withdrawn = submitted(hub, &cso, &admin).await;
    manager.act(&to(&approved, "approve")).await.expect(200);
    cso.act(&to(&withdrawn, "withdraw")).await.expect(200);
    pass(hub, 300 * MINUTE).await;
    assert_eq!(both(&admin, &approved).await, (0, 0));
    assert_eq!(both(&admin, &withdrawn).await, (0, 0));
}

async fn submitted_again_it_waits_anew(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    pass(hub, 30 * MINUTE).await;
    manager.post(&to(&response, "reject"), json!({"notes": "Kinder, please."})).await.expect(200);
    cso.put(&path("responses", &response), json!({"message": "It ships tomorrow, dear Ada."}))
        .await
        .expect(200);
    cso.act(&to(&response, "submit")).await.expect(200);
    pass(hub, 10 * MINUTE).await;
    assert_eq!(both(&admin, &response).await, (1, 0));
    pass(hub, 20 * MINUTE).await;
    assert_eq!(both(&admin, &response).await, (2, 0));
}

async fn what_nobody_may_decide_is_escalated_at_once(hub: &TestHub) {
    let admin = hub.admin().await;
    // The only one who decides has written it.
    let response = submitted(hub, &admin, &admin).await;
    assert_eq!(both(&admin, &response).await, (0, 1));
    let cso = hub.cso().await;
    let other = submitted(hub, &cso, &admin).await;
    assert_eq!(both(&admin, &other).await, (0, 0));
}

async fn when_its_last_reviewer_leaves_it_is_escalated(hub: &TestHub) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let response = submitted(hub, &admin, &admin).await;
    pass(hub, MINUTE).await;
    assert_eq!(both(&admin, &response).await, (0, 0));
    admin.patch(&format!("/users/{}", manager.id), json!({"isActive": false})).await.expect(200);
    pass(hub, MINUTE).await;
    pass(hub, MINUTE).await;
    assert_eq!(both(&admin, &response).await, (0, 1));
}

async fn a_clock_that_steps_back_fires_nothing_twice(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let _manager = hub.manager().await;
    let response = submitted(hub, &cso, &admin).await;
    pass(hub, 31 * MINUTE).await;
    hub.clock.set_back(60 * MINUTE);
    pass(hub, MINUTE).await;
    pass(hub, 59 * MINUTE).await;
    assert_eq!(both(&admin, &response).await, (1, 0));
    pass(hub, 90 * MINUTE).await;
    assert_eq!(both(&admin, &response).await, (1, 1));
}

async fn switched_off_nothing_fires(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let _manager = hub.manager().await;
    let response = submitted(hub, &cso, &admin).await;
    pass(hub, 5000 * MINUTE).await;
    assert_eq!(both(&admin, &response).await, (0, 0));
}

#[test]
fn of_two_instances_one_reminds() {
    run_instances(Engine::Full, 2, PATIENT, |hubs| {
        Box::pin(async move {
            let (admin, cso) = (hubs[0].admin().await, hubs[0].cso().await);
            let _manager = hubs[0].manager().await;
            let mut responses = Vec::new();
            for _ in 0..20 {
                responses.push(submitted(&hubs[0], &cso, &admin).await);
            }
            for hub in hubs {
                hub.clock.advance(150 * MINUTE);
            }
            let fire = |hub: &TestHub| hub.app.hub.approval_coordinator.clone();
            let (one, two) = (fire(&hubs[0]), fire(&hubs[1]));
            let (one, two) = tokio::join!(one.ask(FireTimers), two.ask(FireTimers));
            one.unwrap();
            two.unwrap();
            for response in &responses {
                assert_eq!(both(&admin, response).await, (1, 1));
            }
        })
    });
}
