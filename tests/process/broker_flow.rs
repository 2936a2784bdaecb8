//! Messages flow while connections break and hubs are killed: nothing is lost, nothing is doubled.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::{EMAIL, PASSWORD, Surroundings, broker_is, with_rabbit};
use crate::gateway::{Inbound, address, content};
use crate::harness::{Client, path, within};
use crate::hub::Hub;

const DRAINED: Duration = Duration::from_secs(60);
const THREADS: usize = 5;

#[test]
fn a_connection_that_breaks_again_and_again_loses_and_doubles_nothing() {
    with_rabbit(|it| {
        Box::pin(async move {
            let events = it.watch_events().await;
            let (hub, admin) = it.running().await;
            let conversations = Conversations::new();
            let mut sent = 0;
            for round in 1..=4 {
                sent += conversations.send(it, 100).await;
                // Somewhere in the middle of it.
                within(DRAINED, "some are in", async || total(&admin).await > 0 || round > 1).await;
                it.wire.cut();
                it.wire.open();
            }
            conversations.arrived(&admin, sent).await;
            broker_is(&hub, "up").await;

            let reply = approved_reply(&hub, &admin).await;
            let queue = format!("{}.email", it.topology.outbound());
            let delivery = it.next(&queue).await;
            assert_eq!(content(&delivery)["responseId"], reply["id"]);
            it.wire.cut();
            let report = json!({"deliveryId": delivery.message_id}).to_string();
            let report = Inbound::new("delivery.confirmed", None, report);
            it.rabbit.publish(&it.topology.inbound(), &[report]).await;
            it.wire.open();
            within(DRAINED, "it is sent", async || {
                admin.get(&path("responses", &reply)).await.expect(200)["status"] == "sent"
            })
            .await;
            told_of(it, &events, sent, &reply).await;
            hub.stop().await;
        })
    });
}

#[test]
fn a_hub_killed_while_messages_flow_takes_each_once() {
    with_rabbit(|it| {
        Box::pin(async move {
            let (mut hub, mut admin) = it.running().await;
            let conversations = Conversations::new();
            let mut sent = 0;
            for _ in 0..4 {
                // Before they are sent: a quick hub has them all by the time it could be asked.
                let before = total_messages(&admin).await;
                sent += conversations.send(it, 100).await;
                within(DRAINED, "some are in", async || total_messages(&admin).await > before).await;
                hub.kill();
                hub = it.start().await;
                hub.is_ready().await;
                admin = hub.sign_in(EMAIL, PASSWORD).await.0;
            }
            conversations.arrived(&admin, sent).await;
            assert_eq!(admin.get("/dead-letters").await.expect(200)["meta"]["total"], 0);
            hub.stop().await;
        })
    });
}

/// Customers who write one message after the other, each twice, in one thread each.
struct Conversations {
    emails: Vec<String>,
    next: std::cell::Cell<usize>,
}

impl Conversations {
    fn new() -> Self {
        Self { emails: (0..THREADS).map(|_| address()).collect(), next: std::cell::Cell::new(0) }
    }

    /// Answers how many, the duplicates aside.
    async fn send(&self, it: &Surroundings, count: usize) -> usize {
        let mut messages = Vec::new();
        for _ in 0..count {
            let n = self.next.replace(self.next.get() + 1);
            let text = format!("{:04}", n / THREADS);
            let message = Inbound::mail(&self.emails[n % THREADS], Some("t"), &text);
            messages.push(message.clone());
            messages.push(message);
        }
        it.rabbit.publish(&it.topology.inbound(), &messages).await;
        count
    }

    /// All of them, each once and in its place.
    async fn arrived(&self, admin: &Client, sent: usize) {
        within(DRAINED, "all are in", async || total_messages(admin).await >= sent).await;
        let page = admin.get("/inquiries?limit=100").await.expect(200);
        let inquiries = page["data"].as_array().unwrap();
        assert_eq!(inquiries.len(), THREADS);
        for inquiry in inquiries {
            let in_order: Vec<_> = (0..sent / THREADS).map(|n| format!("{n:04}")).collect();
            assert_eq!(said(admin, inquiry).await, in_order);
        }
    }
}

async fn said(admin: &Client, inquiry: &Value) -> Vec<String> {
    let page = admin.get(&format!("{}/messages?limit=100", path("inquiries", inquiry))).await.expect(200);
    let messages = page["data"].as_array().unwrap().iter();
    messages.map(|one| one["message"].as_str().unwrap().to_owned()).collect()
}

async fn total(admin: &Client) -> u64 {
    admin.get("/inquiries?limit=1").await.expect(200)["meta"]["total"].as_u64().unwrap()
}

async fn total_messages(admin: &Client) -> usize {
    let page = admin.get("/inquiries?limit=100").await.expect(200);
    let mut count = 0;
    for inquiry in page["data"].as_array().unwrap() {
        count += said(admin, inquiry).await.len();
    }
    count
}

async fn approved_reply(hub: &Hub, admin: &Client) -> Value {
    let email = "grace@example.com";
    let manager = json!({
        "email": email, "password": PASSWORD, "role": "manager", "firstName": "Grace", "lastName": "Hopper",
    });
    admin.post("/auth/register", manager).await.expect(201);
    let (manager, _) = hub.sign_in(email, PASSWORD).await;
    let inquiry = admin.get("/inquiries?limit=1").await.expect(200)["data"][0].clone();
    let draft = json!({"inquiryId": inquiry["id"], "message": "It ships tomorrow."});
    let draft = admin.post("/responses", draft).await.expect(201);
    admin.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
    manager.act(&format!("{}/approve", path("responses", &draft))).await.expect(200)
}

/// Every message and every step of the reply, however often; for each entity in order.
async fn told_of(it: &Surroundings, events: &str, sent: usize, reply: &Value) {
    let mut told: Vec<Value> = Vec::new();
    let mut ids = HashSet::new();
    let of_type = |told: &[Value], name: &str| told.iter().filter(|event| event["type"] == name).count();
    let is_last = |event: &Value| event["type"] == "response.sent" && event["subject"] == reply["id"];
    while of_type(&told, "inquiry.message_added") < sent - THREADS || !told.iter().any(is_last) {
        let event = content(&it.next(events).await);
        if ids.insert(event["id"].to_string()) {
            told.push(event);
        }
    }
    assert_eq!(of_type(&told, "inquiry.created"), THREADS);
    assert_eq!(of_type(&told, "inquiry.message_added"), sent - THREADS);
    let mut versions = std::collections::HashMap::new();
    for event in &told {
        let version = event["data"]["version"].as_i64().unwrap();
        let last = versions.insert(event["subject"].to_string(), version).unwrap_or(0);
        assert!(last <= version, "out of order: {event}");
    }
}
