//! Approved replies go to their channel: exactly the approved text, under one id, until they are reported.

use std::time::Duration;

use nexus_hub::broker::LocalMessage;
use serde_json::{Value, json};

use super::gateway::{Inbound, Listener, address, content};
use super::{Stage, staged};
use crate::behind::execute;
use crate::harness::{Engine, TestHub, eventually, on_both_engines, path};

on_both_engines!(
    in staged;
    an_approved_reply_is_delivered_byte_for_byte_and_confirmed,
    nothing_but_the_approved_is_delivered,
    a_transient_failure_is_tried_again_under_the_same_id,
    a_permanent_failure_fails_the_response,
    a_delivery_that_was_tampered_with_fails_its_response_and_is_never_sent,
    of_a_response_whose_delivery_was_forged_nothing_is_sent,
    who_fetches_deliveries_gets_none_that_was_tampered_with,
);

/// Longer than the first back-off.
const LATER: Duration = Duration::from_secs(31);

async fn inquiry(stage: &Stage) -> Value {
    stage.gateway.send(&[Inbound::mail(&address(), Some("t-9"), "It was due on Monday.")]).await;
    eventually("it is there", async || !stage.inquiries().await.is_empty()).await;
    stage.inquiries().await.remove(0)
}

fn delivery_id(message: &LocalMessage) -> &str {
    message.message_id.as_deref().unwrap()
}

async fn an_approved_reply_is_delivered_byte_for_byte_and_confirmed(_: &TestHub, stage: &Stage) {
    const TEXT: &str = "Dear Ada,\r\n it  ships\ttomorrow 📦.\n\n\u{202e}x";
    let replies = stage.gateway.replies("email").await;
    let inquiry = inquiry(stage).await;
    let response = stage.approved(&inquiry, TEXT).await;
    let message = replies.next().await;
    assert_eq!(message.exchange, stage.gateway.topology.outbound());
    assert_eq!(message.routing_key, "delivery.email");
    assert_eq!(message.content_type.as_deref(), Some("application/json"));
    let told = content(&message);
    let customer = stage.admin.get(&format!("/customers/{}", inquiry["customerId"].as_str().unwrap())).await;
    let customer = customer.expect(200);
    assert_eq!(
        told,
        json!({
            "deliveryId": delivery_id(&message), "responseId": response["id"], "inquiryId": inquiry["id"],
            "revision": 1, "channel": "email", "externalId": inquiry["externalId"], "threadId": "t-9",
            "to": {"customerId": customer["id"], "email": customer["email"], "phone": null, "name": "Ada Lovelace"},
            "subject": "Re: Where is my order?", "message": TEXT, "approvedBy": stage.manager.id,
            "approvedAt": response["decidedAt"], "releasedBy": null,
        })
    );
    replies.silent().await;
    let report = json!({"deliveryId": delivery_id(&message), "deliveredAt": "2100-06-01T07:59:58.000Z"});
    stage.gateway.report("confirmed", report.clone()).await;
    eventually("it is sent", async || stage.response(&response).await["status"] == "sent").await;
    let sent = stage.response(&response).await;
    assert_eq!(sent["sentAt"], "2100-06-01T07:59:58.000Z");
    stage.gateway.report("confirmed", report).await;
    replies.silent().await;
    assert_eq!(stage.response(&response).await, sent, "the same report changes nothing");
}

async fn nothing_but_the_approved_is_delivered(_: &TestHub, stage: &Stage) {
    let replies = stage.gateway.replies("email").await;
    let inquiry = inquiry(stage).await;
    stage.draft(&inquiry, "a draft").await;
    stage.submitted(&inquiry, "pending").await;
    let rejected = stage.submitted(&inquiry, "rejected").await;
    let reject = format!("{}/reject", path("responses", &rejected));
    stage.manager.post(&reject, json!({"notes": "No."})).await.expect(200);
    let withdrawn = stage.submitted(&inquiry, "withdrawn").await;
    stage.cso.act(&format!("{}/withdraw", path("responses", &withdrawn))).await.expect(200);
    replies.silent().await;
}

async fn a_transient_failure_is_tried_again_under_the_same_id(hub: &TestHub, stage: &Stage) {
    let replies = stage.gateway.replies("email").await;
    let inquiry = inquiry(stage).await;
    let response = stage.approved(&inquiry, "It ships tomorrow.").await;
    let first = replies.next().await;
    fail(stage, &replies, &first).await;
    hub.clock.advance(LATER);
    let again = replies.next().await;
    assert_eq!(delivery_id(&again), delivery_id(&first));
    assert_eq!(again.body, first.body);
    assert_eq!(stage.delivery().await["attempts"], 1);
    stage.gateway.report("confirmed", json!({"deliveryId": delivery_id(&again)})).await;
    eventually("it is sent", async || stage.response(&response).await["status"] == "sent").await;
}

/// Not permanent; nothing is published before the back-off is over.
async fn fail(stage: &Stage, replies: &Listener<'_>, message: &LocalMessage) {
    let report = json!({"deliveryId": delivery_id(message), "reason": "greylisted"});
    stage.gateway.report("failed", report).await;
    eventually("the failure is noted", async || stage.delivery().await["lastError"] == "greylisted").await;
    replies.silent().await;
}

async fn a_permanent_failure_fails_the_response(_: &TestHub, stage: &Stage) {
    let replies = stage.gateway.replies("email").await;
    let inquiry = inquiry(stage).await;
    let response = stage.approved(&inquiry, "It ships tomorrow.").await;
    let message = replies.next().await;
    let report = json!({"deliveryId": delivery_id(&message), "reason": "no such mailbox", "permanent": true});
    stage.gateway.report("failed", report).await;
    eventually("it has failed", async || stage.response(&response).await["status"] == "delivery_failed")
        .await;
    assert_eq!(stage.response(&response).await["deliveryError"], "no such mailbox");
    replies.silent().await;
}

async fn a_delivery_that_was_tampered_with_fails_its_response_and_is_never_sent(
    hub: &TestHub,
    stage: &Stage,
) {
    let replies = stage.gateway.replies("email").await;
    let inquiry = inquiry(stage).await;
    let response = stage.approved(&inquiry, "It ships tomorrow.").await;
    let message = replies.next().await;
    fail(stage, &replies, &message).await;
    change(hub, TAMPER).await;
    hub.clock.advance(LATER);
    let response = failed_as_withheld(stage, &response).await;
    assert_eq!(response["message"], "It ships tomorrow.");
    let withheld = stage.delivery().await;
    assert_eq!((&withheld["status"], &withheld["lastError"]), (&json!("failed"), &response["deliveryError"]));
    assert_eq!(counted(hub, "response.delivery_failed").await, 1);
    assert_eq!(counted(hub, "delivery.withheld").await, 1);
    replies.silent().await;

    // The way out: once more before other eyes. What goes out is what they have approved.
    let submit = format!("{}/submit", path("responses", &response));
    stage.cso.act(&submit).await.expect(200);
    let approve = format!("{}/approve", path("responses", &response));
    stage.manager.act(&approve).await.expect(200);
    let again = replies.next().await;
    assert_ne!(delivery_id(&again), delivery_id(&message));
    assert_eq!(content(&again)["message"], "It ships tomorrow.");
    stage.gateway.report("confirmed", json!({"deliveryId": delivery_id(&again)})).await;
    eventually("it is sent", async || stage.response(&response).await["status"] == "sent").await;
    assert_eq!(stage.response(&response).await["deliveryError"], json!(null));
}

async fn of_a_response_whose_delivery_was_forged_nothing_is_sent(hub: &TestHub, stage: &Stage) {
    let replies = stage.gateway.replies("email").await;
    let inquiry = inquiry(stage).await;
    let response = stage.approved(&inquiry, "It ships tomorrow.").await;
    let message = replies.next().await;
    fail(stage, &replies, &message).await;
    // Both are due at once.
    change(hub, FORGE).await;
    hub.clock.advance(LATER);
    failed_as_withheld(stage, &response).await;
    let withheld = stage.admin.get("/deliveries?status=failed").await.expect(200);
    assert_eq!(withheld["meta"]["total"], 2, "{withheld}");
    assert_eq!(counted(hub, "response.delivery_failed").await, 1);
    replies.silent().await;
}

async fn who_fetches_deliveries_gets_none_that_was_tampered_with(hub: &TestHub, stage: &Stage) {
    let replies = stage.gateway.replies("email").await;
    let inquiry = inquiry(stage).await;
    let response = stage.approved(&inquiry, "It ships tomorrow.").await;
    fail(stage, &replies, &replies.next().await).await;
    let pending = stage.admin.get("/deliveries?status=pending").await.expect(200);
    assert_eq!(pending["data"][0]["message"], "It ships tomorrow.");
    // It is not due, so that nobody else looks at it.
    change(hub, TAMPER).await;
    let pending = stage.admin.get("/deliveries?status=pending").await.expect(200);
    assert_eq!((&pending["data"], &pending["meta"]["total"]), (&json!([]), &json!(0)));
    failed_as_withheld(stage, &response).await;
    assert_eq!(stage.delivery().await["status"], "failed");
    assert_eq!(counted(hub, "delivery.withheld").await, 1);
}

/// What everyone is told of a response whose delivery was withheld.
async fn failed_as_withheld(stage: &Stage, response: &Value) -> Value {
    eventually("it has failed", async || stage.response(response).await["status"] == "delivery_failed").await;
    let failed = stage.response(response).await;
    let error = failed["deliveryError"].as_str().unwrap();
    assert!(error.starts_with("withheld: "), "{failed}");
    for reader in [&stage.manager, &stage.admin] {
        let told = async || -> Vec<Value> {
            let told = reader.get("/notifications?limit=100").await.expect(200);
            let told = told["data"].as_array().unwrap().iter();
            told.filter(|one| one["type"] == "response.delivery_failed").cloned().collect()
        };
        eventually("they are told", async || !told().await.is_empty()).await;
        let told = told().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0]["subject"], &told[0]["data"]["deliveryError"]), (&failed["id"], &json!(error)));
    }
    let id = failed["id"].as_str().unwrap();
    let trail = stage.admin.get(&format!("/audit?entityType=response&entityId={id}&limit=100")).await;
    let trail = trail.expect(200);
    let entry =
        trail["data"].as_array().unwrap().iter().find(|one| one["action"] == "response.delivery_failed");
    let entry = entry.unwrap_or_else(|| panic!("no entry in {trail}"));
    let status = json!({"from": "approved", "to": "delivery_failed"});
    assert_eq!((&entry["changes"]["status"], &entry["actorId"]), (&status, &json!(null)));
    let history = stage.admin.get(&format!("{}/history?limit=100", path("responses", &failed))).await;
    let history = history.expect(200);
    let last = history["data"].as_array().unwrap().iter().find(|one| one["action"] == "delivery_failed");
    assert_eq!(last.unwrap_or_else(|| panic!("no entry in {history}"))["notes"], error);
    failed
}

/// By `nexus_events_total`.
async fn counted(hub: &TestHub, event_type: &str) -> u64 {
    let line = format!("nexus_events_total{{type=\"{event_type}\"}} ");
    let metrics = hub.anonymous().get("//metrics").await.text;
    metrics.lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse().unwrap()
}

/// Changes the text of what is to be sent. The engines have different types for JSON.
const TAMPER: [&str; 2] = [
    "update deliveries set message = replace(message, 'tomorrow', 'never')",
    "update deliveries set message = replace(message::text, 'tomorrow', 'never')::jsonb",
];

/// Adds a delivery of another text to the one that there is.
const FORGE: [&str; 2] = [
    "insert into deliveries (id, version, created_at, updated_at, response_id, inquiry_id, channel, message, status, \
     attempts, next_attempt_at) select randomblob(16), version, created_at, updated_at, response_id, inquiry_id, \
     channel, replace(message, 'tomorrow', 'never'), status, attempts, next_attempt_at from deliveries",
    "insert into deliveries (id, version, created_at, updated_at, response_id, inquiry_id, channel, message, status, \
     attempts, next_attempt_at) select gen_random_uuid(), version, created_at, updated_at, response_id, inquiry_id, \
     channel, replace(message::text, 'tomorrow', 'never')::jsonb, status, attempts, next_attempt_at from deliveries",
];

/// Past the hub: on SQLite or on PostgreSQL.
async fn change(hub: &TestHub, [sqlite, postgres]: [&'static str; 2]) {
    let sql = match hub.engine {
        Engine::Embedded => sqlite,
        Engine::Full => postgres,
    };
    execute(hub, sql).await;
}
