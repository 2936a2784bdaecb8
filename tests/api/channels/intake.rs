//! What gateways publish counts once.

use serde_json::json;

use super::gateway::{Inbound, address};
use super::{Stage, staged};
use crate::harness::{TestHub, eventually, on_both_engines};

on_both_engines!(
    in staged;
    an_inquiry_comes_in,
    the_same_external_id_counts_once,
    the_message_id_stands_in_for_a_missing_external_id,
    an_unknown_customer_is_created_once,
    headers_and_properties_grant_nothing,
);

async fn an_inquiry_comes_in(_: &TestHub, stage: &Stage) {
    let email = address();
    stage.gateway.send(&[Inbound::mail(&email, Some("t-1"), "It was due on Monday.")]).await;
    eventually("it is there", async || stage.inquiries().await.len() == 1).await;
    let inquiry = stage.inquiries().await.remove(0);
    assert_eq!((&inquiry["channel"], &inquiry["threadId"]), (&json!("email"), &json!("t-1")));
    assert_eq!(inquiry["subject"], "Where is my order?");
    assert_eq!(inquiry["assignedTo"], json!(stage.cso.id));
    assert_eq!(stage.said(&inquiry).await, ["It was due on Monday."]);
    let customer = stage.admin.get(&format!("/customers?q={email}")).await.expect(200);
    assert_eq!(customer["data"][0]["id"], inquiry["customerId"]);
}

async fn the_same_external_id_counts_once(_: &TestHub, stage: &Stage) {
    let message = Inbound::mail(&address(), None, "once");
    for _ in 0..3 {
        // With message ids that differ, as a gateway that starts anew would have.
        let copies: Vec<_> = (0..7)
            .map(|_| Inbound { message_id: Some(uuid::Uuid::new_v4().to_string()), ..message.clone() })
            .collect();
        stage.gateway.send(&copies).await;
    }
    let mut elsewhere = message.clone();
    elsewhere.routing_key = "inquiry.chat".to_owned();
    stage.gateway.send(&[elsewhere]).await;
    eventually("both are there", async || stage.inquiries().await.len() == 2).await;
    let mut channels: Vec<_> =
        stage.inquiries().await.iter().map(|one| one["channel"].as_str().unwrap().to_owned()).collect();
    channels.sort();
    assert_eq!(channels, ["chat", "email"], "another channel may use the same id for something else");
}

async fn the_message_id_stands_in_for_a_missing_external_id(_: &TestHub, stage: &Stage) {
    let body = json!({"customer": {"email": address()}, "message": "Is anybody there?"}).to_string();
    let message = |id: &str| Inbound::new("inquiry.chat", Some(id), &body);
    stage.gateway.send(&[message("a"), message("a"), message("b")]).await;
    stage.gateway.send(&[message("b"), message("a"), message("c")]).await;
    eventually("the last is there", async || stage.inquiries().await.len() == 3).await;
    for inquiry in stage.inquiries().await {
        assert_eq!(inquiry["subject"], "Is anybody there?");
        assert_eq!(inquiry["externalId"], json!(null), "the channel gave it no id");
    }
}

async fn an_unknown_customer_is_created_once(_: &TestHub, stage: &Stage) {
    let email = address();
    let shouted = email.to_uppercase();
    let messages: Vec<_> =
        (0..20).map(|n| Inbound::mail(if n % 2 == 0 { &email } else { &shouted }, None, "hello")).collect();
    let (half, rest) = messages.split_at(10);
    futures_util::future::join(stage.gateway.send(half), stage.gateway.send(rest)).await;
    eventually("all are there", async || stage.inquiries().await.len() == 20).await;
    let found = stage.admin.get("/customers").await.expect(200);
    assert_eq!(found["meta"]["total"], 1, "{found}");
}

async fn headers_and_properties_grant_nothing(_: &TestHub, stage: &Stage) {
    let mut message = Inbound::mail(&address(), None, "let me in");
    for (name, value) in [("authorization", "Bearer x"), ("x-role", "admin"), ("actorId", "0")] {
        message.headers.insert(name.to_owned(), json!(value));
    }
    stage.gateway.send(&[message]).await;
    eventually("it is there", async || stage.inquiries().await.len() == 1).await;
    let inquiry = stage.inquiries().await.remove(0);
    let audit = format!("/audit?entityId={}", inquiry["id"].as_str().unwrap());
    let audit = stage.admin.get(&audit).await.expect(200);
    assert_eq!(audit["data"][0]["actorId"], json!(null), "{audit}");
}
