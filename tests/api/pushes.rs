//! Notifications: kept, pushed by Server-Sent Events and WebSocket, and resumed without a gap.

mod killed;
mod sockets;
mod streams;
mod stuck;
mod wire;

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Client, TestHub, eventually, on_both_engines};
use crate::responses::{submitted, to};

on_both_engines!(
    everyone_is_told_of_what_concerns_them_and_of_nothing_else,
    a_list_shows_what_is_unread_and_marks_it_as_read,
    nobody_reads_or_marks_what_is_told_to_another,
    a_ticket_opens_one_stream_once_and_in_time,
    what_did_not_happen_is_not_told,
);

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream as a client reads it.
pub struct Stream {
    bytes: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Vec<u8>>>>>,
    unread: String,
}

impl Stream {
    pub async fn open(client: &Client, path: &str, last: Option<i64>) -> Self {
        let mut request = client.raw(Method::GET, path);
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec()));
        Self { bytes: Box::pin(bytes), unread: String::new() }
    }

    /// The next notification; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Value> {
        timeout(PATIENCE, self.read()).await.expect("nothing was pushed")
    }

    async fn read(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.unread = rest;
                let field = |name: &str| {
                    event.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
                };
                if let (Some(data), Some(id)) = (field("data:"), field("id:")) {
                    let notification: Value = serde_json::from_str(&data).unwrap();
                    assert_eq!(notification["id"].to_string(), id);
                    return Some(notification);
                }
            }
            let chunk = self.bytes.next().await?.ok()?;
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    pub async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut taken = Vec::new();
        while taken.len() < count {
            taken.push(self.next().await.expect("the stream ended"));
        }
        taken
    }
}

/// All that are listed, oldest first.
pub async fn notifications(client: &Client, filter: &str) -> Vec<Value> {
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = format!("/notifications?limit=100&sortOrder=asc{filter}{cursor}");
        let page = client.get(&page).await.expect(200);
        listed.extend(page["data"].as_array().unwrap().iter().cloned());
        let Some(next) = page["meta"]["nextCursor"].as_str() else { return listed };
        cursor = format!("&cursor={next}");
    }
}

fn id(notification: &Value) -> i64 {
    notification["id"].as_i64().unwrap()
}

fn ids(notifications: &[Value]) -> Vec<i64> {
    notifications.iter().map(id).collect()
}

/// Their types and subjects, oldest first.
async fn told(client: &Client) -> Vec<(String, Value)> {
    let kind = |one: &Value| (one["type"].as_str().unwrap().to_owned(), one["subject"].clone());
    notifications(client, "").await.iter().map(kind).collect()
}

async fn everyone_is_told_of_what_concerns_them_and_of_nothing_else(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    let (id, inquiry) = (&response["id"], &response["inquiryId"]);
    manager.post(&to(&response, "reject"), json!({"notes": "No."})).await.expect(200);
    let edited = json!({"message": "Yes."});
    cso.put(&crate::harness::path("responses", &response), edited).await.expect(200);
    cso.act(&to(&response, "submit")).await.expect(200);
    manager.act(&to(&response, "approve")).await.expect(200);
    let of = |kind: &str, subject: &Value| (kind.to_owned(), subject.clone());
    let submitted_twice = [of("response.submitted", id), of("response.submitted", id)];
    let expected =
        [of("inquiry.assigned", inquiry), of("response.rejected", id), of("response.approved", id)];
    eventually("all are told", async || told(&cso).await.len() == 3 && told(&manager).await.len() == 2).await;
    assert_eq!(told(&cso).await, expected);
    assert_eq!(told(&manager).await, submitted_twice);
    assert_eq!(told(&admin).await, submitted_twice);
    let first = &notifications(&manager, "").await[0];
    assert_eq!(
        (&first["data"]["message"], &first["data"]["actorId"]),
        (&response["message"], &json!(cso.id))
    );
    assert_eq!(first["readAt"], Value::Null);
}

async fn a_list_shows_what_is_unread_and_marks_it_as_read(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for _ in 0..3 {
        submitted(hub, &cso, &admin).await;
    }
    eventually("the manager is told", async || notifications(&manager, "").await.len() == 3).await;
    let unread = notifications(&manager, "&unread=true").await;
    let read = format!("/notifications/{}/read", unread[0]["id"]);
    let marked = manager.act(&read).await.expect(200);
    assert_eq!((&marked["id"], marked["readAt"].is_string()), (&unread[0]["id"], true));
    hub.clock.advance(Duration::from_secs(5));
    assert_eq!(manager.act(&read).await.expect(200), marked);
    assert_eq!(notifications(&manager, "&unread=true").await, unread[1..]);
    assert_eq!(notifications(&manager, "&unread=false").await, [marked]);
    assert_eq!(manager.act("/notifications/read-all").await.status, 204);
    assert_eq!(notifications(&manager, "&unread=true").await, [Value::Null; 0]);
    assert_eq!(notifications(&manager, "").await.len(), 3);
    assert_eq!(notifications(&admin, "&unread=true").await.len(), 3);
}

async fn nobody_reads_or_marks_what_is_told_to_another(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    submitted(hub, &cso, &admin).await;
    eventually("the manager is told", async || notifications(&manager, "").await.len() == 1).await;
    let id = notifications(&manager, "").await[0]["id"].clone();
    cso.act(&format!("/notifications/{id}/read")).await.problem(404);
    admin.act(&format!("/notifications/{id}/read")).await.problem(404);
    assert_eq!(notifications(&manager, "&unread=true").await.len(), 1);
    cso.act("/notifications/x/read").await.problem(400);
    cso.act("/notifications/99999999999999999999/read").await.problem(400);
}

async fn a_ticket_opens_one_stream_once_and_in_time(hub: &TestHub) {
    let manager = hub.manager().await;
    let ticket = async || {
        let answer = manager.act("/auth/ticket").await.expect(200);
        assert_eq!(answer["expiresIn"], 30);
        answer["ticket"].as_str().unwrap().to_owned()
    };
    let first = ticket().await;
    let path = format!("/events?ticket={first}");
    drop(Stream::open(&hub.anonymous(), &path, None).await);
    hub.anonymous().get(&path).await.problem(401);
    // It opens nothing else.
    let second = ticket().await;
    hub.anonymous().get(&format!("/auth/profile?ticket={second}")).await.problem(401);
    hub.anonymous().get(&format!("/notifications?ticket={second}")).await.problem(401);
    hub.clock.advance(Duration::from_secs(31));
    hub.anonymous().get(&format!("/events?ticket={second}")).await.problem(401);
    hub.anonymous().get("/events?ticket=nonsense").await.problem(401);
    hub.anonymous().get("/events").await.problem(401);
    // One that belongs to a session that has ended.
    let third = ticket().await;
    manager.act("/auth/logout").await;
    hub.anonymous().get(&format!("/events?ticket={third}")).await.problem(401);
}

async fn what_did_not_happen_is_not_told(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    let stale = manager.post(&to(&response, "approve"), json!({"revision": 7})).await;
    stale.problem(409);
    cso.act(&to(&response, "approve")).await.problem(403);
    manager.act(&to(&response, "approve")).await.expect(200);
    eventually("the author is told", async || told(&cso).await.len() == 2).await;
    assert_eq!(told(&cso).await[1].0, "response.approved");
}
