//! Conversations: in the order they were published, however many come at once.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::gateway::{Inbound, address};
use super::{Stage, staged};
use crate::harness::{TestHub, eventually, on_both_engines, path};

on_both_engines!(
    in staged;
    a_thread_continues_its_inquiry_and_reopens_it,
    many_messages_of_several_threads_keep_their_order,
);

async fn a_thread_continues_its_inquiry_and_reopens_it(hub: &TestHub, stage: &Stage) {
    let email = address();
    let send = async |text: &str| stage.gateway.send(&[Inbound::mail(&email, Some("t"), text)]).await;
    send("one").await;
    send("two").await;
    eventually(
        "both are there",
        async || matches!(stage.inquiries().await.as_slice(), [one] if stage.said(one).await.len() == 2),
    )
    .await;
    let inquiry = stage.inquiries().await.remove(0);
    let status = async || stage.admin.get(&path("inquiries", &inquiry)).await.expect(200)["status"].clone();

    // On a clock that stands still, each message is a millisecond ahead of it.
    hub.clock.advance(Duration::from_secs(1));
    stage.approved(&inquiry, "It ships tomorrow.").await;
    hub.clock.advance(Duration::from_secs(1));
    assert_eq!(status().await, "responded");
    send("three").await;
    eventually("it is reopened", async || status().await == "in_progress").await;

    let close = json!({"status": "closed"});
    stage.cso.patch(&format!("{}/status", path("inquiries", &inquiry)), close).await.expect(200);
    send("four").await;
    eventually("it is reopened", async || status().await == "in_progress").await;
    assert_eq!(stage.said(&inquiry).await, ["one", "two", "It ships tomorrow.", "three", "four"]);
    assert_eq!(stage.inquiries().await.len(), 1);

    // A thread belongs to its customer.
    stage.gateway.send(&[Inbound::mail(&address(), Some("t"), "mine")]).await;
    eventually("the stranger has an inquiry", async || stage.inquiries().await.len() == 2).await;
}

async fn many_messages_of_several_threads_keep_their_order(_: &TestHub, stage: &Stage) {
    const THREADS: usize = 7;
    const EACH: usize = 40;
    let emails: Vec<_> = (0..THREADS).map(|_| address()).collect();
    let messages: Vec<_> = (0..THREADS * EACH)
        .map(|n| Inbound::mail(&emails[n % THREADS], Some("t"), &format!("{:03}", n / THREADS)))
        .collect();
    stage.gateway.send(&messages).await;
    let mut said: HashMap<String, Vec<String>> = HashMap::new();
    eventually("all are there", async || {
        said.clear();
        for inquiry in stage.inquiries().await {
            said.insert(inquiry["customerId"].to_string(), stage.said(&inquiry).await);
        }
        said.values().map(Vec::len).sum::<usize>() == THREADS * EACH
    })
    .await;
    let in_order: Vec<_> = (0..EACH).map(|n| format!("{n:03}")).collect();
    assert_eq!(said.len(), THREADS);
    for (customer, texts) in said {
        assert_eq!(texts, in_order, "{customer}");
    }
    let untouched: Vec<Value> =
        stage.admin.get("/dead-letters").await.expect(200)["data"].as_array().unwrap().clone();
    assert_eq!(untouched, Vec::<Value>::new());
}
