//! The product's main job, from a customer's question to an approved reply.

use serde_json::json;

use crate::harness::{TestHub, on_both_engines, path};

on_both_engines!(an_inquiry_is_answered_with_exactly_the_text_a_manager_approved);

async fn an_inquiry_is_answered_with_exactly_the_text_a_manager_approved(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let inquiry = hub.inquiry(&admin).await;
    assert_eq!(inquiry["status"], "pending");
    assert_eq!(inquiry["assignedTo"], json!(cso.id), "the only CSO with room");

    let text = "Dear Ada,\r\n\r\n  it ships tomorrow. \u{1F4E6}\n";
    let draft =
        cso.post("/responses", json!({"inquiryId": inquiry["id"], "message": text})).await.expect(201);
    assert_eq!((&draft["status"], &draft["revision"]), (&json!("draft"), &json!(1)));
    let submitted = cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
    assert_eq!(submitted["status"], "pending_approval");

    let decision = json!({"revision": 1, "notes": "Good."});
    let approved =
        manager.post(&format!("{}/approve", path("responses", &draft)), decision).await.expect(200);
    assert_eq!(approved["status"], "approved");
    assert_eq!(approved["message"], text);
    assert_eq!(approved["approvedBy"], json!(manager.id));

    let answered = cso.get(&path("inquiries", &inquiry)).await.expect(200);
    assert_eq!(answered["status"], "responded");
    let conversation = cso.get(&format!("{}/messages", path("inquiries", &inquiry))).await.expect(200);
    let told: Vec<_> =
        conversation["data"].as_array().unwrap().iter().map(|one| one["message"].clone()).collect();
    assert_eq!(told, [json!("It is late."), json!(text)]);

    let history = manager.get(&format!("{}/history", path("responses", &draft))).await.expect(200);
    let steps: Vec<_> = history["data"].as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(steps, ["created", "submitted", "approved"]);
}
