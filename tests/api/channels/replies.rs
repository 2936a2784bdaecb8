//! Approved replies go to their channel: exactly the approved text, under one id, until they are reported.

use std::time::Duration;

use nexus_hub::broker::LocalMessage;
use serde_json::{Value, json};
use sqlx::Connection;

use super::gateway::{Inbound, Listener, address, content};
use super::{Stage, staged};
use crate::harness::{Engine, TestHub, eventually, on_both_engines, path};

on_both_engines!(
    in staged;
    an_approved_reply_is_delivered_byte_for_byte_and_confirmed,
    nothing_but_the_approved_is_delivered,
    a_transient_failure_is_tried_again_under_the_same_id,
    a_permanent_failure_fails_the_response,
    a_delivery_that_was_tampered_with_is_withheld,
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

async fn a_delivery_that_was_tampered_with_is_withheld(hub: &TestHub, stage: &Stage) {
    let replies = stage.gateway.replies("email").await;
    let inquiry = inquiry(stage).await;
    let response = stage.approved(&inquiry, "It ships tomorrow.").await;
    let message = replies.next().await;
    fail(stage, &replies, &message).await;
    tamper(stage).await;
    hub.clock.advance(LATER);
    eventually("it is withheld", async || stage.delivery().await["status"] == "failed").await;
    let withheld = stage.delivery().await;
    assert!(withheld["lastError"].as_str().unwrap().starts_with("withheld"), "{withheld}");
    replies.silent().await;
    assert_eq!(stage.response(&response).await["message"], "It ships tomorrow.");
}

/// Changes the text of what is to be sent, past the hub.
async fn tamper(stage: &Stage) {
    let url = stage.place.variables().into_iter().find(|(name, _)| name == "DATABASE_URL").unwrap().1;
    match stage.place.engine {
        Engine::Embedded => {
            let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let sql = "update deliveries set message = replace(message, 'tomorrow', 'never')";
            assert_eq!(sqlx::query(sql).execute(&mut database).await.unwrap().rows_affected(), 1);
        }
        Engine::Full => {
            let mut database = sqlx::PgConnection::connect(&url).await.unwrap();
            let sql = "update deliveries set message = replace(message::text, 'tomorrow', 'never')::jsonb";
            assert_eq!(sqlx::query(sql).execute(&mut database).await.unwrap().rows_affected(), 1);
        }
    }
}
