//! What happens is told once it is committed: as CloudEvents, and for each entity in order.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::gateway::{Inbound, Listener, address, content};
use super::{Stage, staged, unpublished};
use crate::harness::{TestHub, eventually, on_both_engines, path};

on_both_engines!(
    in staged;
    the_way_of_a_reply_is_told_in_order,
    sign_ins_are_nobodys_business,
);

async fn the_way_of_a_reply_is_told_in_order(hub: &TestHub, stage: &Stage) {
    let events = stage.gateway.events().await;
    let replies = stage.gateway.replies("email").await;
    let email = address();
    stage.gateway.send(&[Inbound::mail(&email, Some("t"), "one")]).await;
    eventually("it is there", async || !stage.inquiries().await.is_empty()).await;
    let inquiry = stage.inquiries().await.remove(0);
    let first = stage.submitted(&inquiry, "Soon.").await;
    let reject = format!("{}/reject", path("responses", &first));
    stage.manager.post(&reject, json!({"notes": "When?"})).await.expect(200);
    stage.cso.put(&path("responses", &first), json!({"message": "Tomorrow."})).await.expect(200);
    stage.cso.act(&format!("{}/submit", path("responses", &first))).await.expect(200);
    stage.manager.act(&format!("{}/approve", path("responses", &first))).await.expect(200);
    let delivery = replies.next().await.message_id.unwrap();
    stage.gateway.report("confirmed", json!({"deliveryId": delivery})).await;
    eventually("it is sent", async || stage.response(&first).await["status"] == "sent").await;
    stage.gateway.send(&[Inbound::mail(&email, Some("t"), "two")]).await;

    let told = until(&events, "inquiry.reopened").await;
    let of = |entity: &Value| {
        let about = told.iter().filter(|event| event["subject"] == entity["id"]);
        about.map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(
        of(&first),
        [
            "response.created",
            "response.submitted",
            "response.rejected",
            "response.edited",
            "response.submitted",
            "response.approved",
            "response.sent",
        ]
    );
    assert_eq!(
        of(&inquiry),
        [
            "inquiry.created",
            "inquiry.assigned",
            "inquiry.status_changed",
            "inquiry.message_added",
            "inquiry.reopened",
        ]
    );
    let of_type = |name: &str| told.iter().find(|event| event["type"] == name).unwrap();
    assert_eq!(of_type("response.approved")["data"]["actorId"], json!(stage.manager.id));
    assert_eq!(of_type("response.approved")["data"]["message"], "Tomorrow.");
    assert_eq!(of_type("response.rejected")["data"]["approvalNotes"], "When?");
    assert_eq!(of_type("inquiry.created")["data"]["actorId"], Value::Null);
    assert_eq!(of_type("inquiry.created")["data"]["customerId"], inquiry["customerId"]);
    let ids: HashSet<_> = told.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), told.len(), "each once");
    eventually("nothing waits any more", async || unpublished(hub).await == 0).await;
}

async fn sign_ins_are_nobodys_business(hub: &TestHub, stage: &Stage) {
    let events = stage.gateway.events().await;
    hub.user(nexus_actors::domain::user::Role::Cso).await;
    let customer = hub.customer(&stage.admin).await;
    let told = until(&events, "customer.created").await;
    assert_eq!(told.last().unwrap()["subject"], customer["id"]);
    for event in &told {
        let name = event["type"].as_str().unwrap();
        assert!(!name.starts_with("session.") && !name.starts_with("api_key."), "{event}");
    }
}

/// The events up to the first of this type, each as it must be.
async fn until(events: &Listener<'_>, last: &str) -> Vec<Value> {
    let mut told = Vec::new();
    loop {
        let message = events.next().await;
        let event = content(&message);
        assert_eq!(message.content_type.as_deref(), Some("application/cloudevents+json"));
        assert_eq!(message.message_id.as_deref(), event["id"].as_str());
        assert_eq!(event["type"], message.routing_key);
        assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!("/nexus-hub")));
        assert_eq!(event["data"]["id"], event["subject"]);
        assert!(event["data"].as_object().unwrap().contains_key("actorId"), "{event}");
        told.push(event);
        if message.routing_key == last {
            return told;
        }
    }
}
