//! Webhooks, as an admin and as a receiver have them.

mod failures;
mod private;
pub mod receiver;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, Engine, TestHub, eventually, on_both_engines, path, run_instances};
use receiver::{Call, Manner, Receiver};

/// The receivers of these tests are on this machine. Tokens last as long as the clock is driven.
pub const LOCAL: &[(&str, &str)] = &[
    ("NEXUS__WEBHOOKS__ALLOW_PRIVATE", "true"),
    ("NEXUS__WEBHOOKS__TIMEOUT", "2s"),
    ("JWT_EXPIRATION", "60d"),
];

on_both_engines!(
    with LOCAL;
    an_event_is_called_signed_and_whole,
    only_what_an_endpoint_wants_is_called,
    a_secret_is_shown_once_and_signs_for_a_day_after_it_was_rotated,
    a_replay_makes_the_same_call_again,
    an_endpoint_that_never_answers_holds_up_nobody_else,
    one_that_is_disabled_or_deleted_is_called_no_more,
    what_makes_no_sense_is_refused,
    a_change_may_name_the_version_it_is_meant_for,
);

/// A webhook and the way to it.
struct Hook {
    path: String,
    secret: String,
}

async fn hook(admin: &Client, receiver: &Receiver, events: Value) -> Hook {
    let created = admin.post("/webhooks", json!({"url": receiver.url, "events": events})).await.expect(201);
    Hook { path: path("webhooks", &created), secret: created["secret"].as_str().unwrap().to_owned() }
}

/// The calls, once there have been so many.
async fn called(receiver: &Receiver, count: usize) -> Vec<Call> {
    eventually("it was called", async || receiver.count() >= count).await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), count);
    calls
}

/// The attempts, newest first, once there have been so many.
async fn attempts(admin: &Client, hook: &Hook, count: usize) -> Vec<Value> {
    let list = async || admin.get(&format!("{}/attempts?limit=100", hook.path)).await.expect(200);
    eventually("it was tried", async || list().await["meta"]["total"] == count).await;
    list().await["data"].as_array().unwrap().clone()
}

async fn an_event_is_called_signed_and_whole(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let hook = hook(&admin, &receiver, json!(["customer.created"])).await;
    let customer = hub.customer(&admin).await;

    let call = called(&receiver, 1).await.remove(0);
    assert_eq!(call.line, "POST /hooks?a=b HTTP/1.1");
    assert_eq!(call.header("content-type"), "application/json");
    assert!(call.header("user-agent").starts_with("nexus-hub/"));
    assert!(call.header("webhook-id").starts_with("msg_"), "{call:?}");
    let at: i64 = call.header("webhook-timestamp").parse().unwrap();
    assert_eq!(at, hub.clock.now().millis() / 1000);
    assert_eq!(call.signed_by(&[&hook.secret]), [1]);
    assert_eq!(call.header("webhook-signature").split(' ').count(), 1);

    let body = call.json();
    assert_eq!((&body["type"], &body["subject"]), (&json!("customer.created"), &customer["id"]));
    assert_eq!((&body["specversion"], &body["source"]), (&json!("1.0"), &json!("/nexus-hub")));
    assert_eq!((&body["timestamp"], &body["time"]), (&customer["createdAt"], &customer["createdAt"]));
    let mut data = customer.clone();
    data["actorId"] = json!(admin.id);
    assert_eq!(body["data"], data);

    let tried = attempts(&admin, &hook, 1).await.remove(0);
    assert_eq!((&tried["succeeded"], &tried["responseStatus"]), (&json!(true), &json!(204)));
    assert_eq!((&tried["attempt"], &tried["messageStatus"]), (&json!(1), &json!("delivered")));
    assert_eq!((&tried["eventId"], &tried["eventType"]), (&body["id"], &json!("customer.created")));
    assert_eq!((&tried["url"], &tried["nextAttemptAt"]), (&json!(receiver.url), &Value::Null));
    let id = tried["messageId"].as_str().unwrap().parse::<Uuid>().unwrap();
    assert_eq!(call.header("webhook-id"), format!("msg_{}", id.simple()));
}

async fn only_what_an_endpoint_wants_is_called(hub: &TestHub) {
    let admin = hub.admin().await;
    let (some, all) = (Receiver::start(), Receiver::start());
    let hook = hook(&admin, &some, json!(["inquiry.created", "inquiry.status_changed"])).await;
    self::hook(&admin, &all, json!(["*"])).await;
    let inquiry = hub.inquiry(&admin).await;
    let status = format!("{}/status", path("inquiries", &inquiry));
    admin.patch(&status, json!({"status": "closed"})).await.expect(200);

    let types = |calls: Vec<Call>| -> BTreeSet<String> {
        calls.iter().map(|call| call.json()["type"].as_str().unwrap().to_owned()).collect()
    };
    let wanted = BTreeSet::from(["inquiry.created".to_owned(), "inquiry.status_changed".to_owned()]);
    assert_eq!(types(called(&some, 2).await), wanted);
    let all = types(called(&all, 3).await);
    assert_eq!(all, wanted.into_iter().chain(["customer.created".to_owned()]).collect());
    attempts(&admin, &hook, 2).await;
}

async fn a_secret_is_shown_once_and_signs_for_a_day_after_it_was_rotated(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let input = json!({"url": receiver.url, "events": ["customer.created"], "description": "CRM"});
    let created = admin.post("/webhooks", input).await;
    assert_eq!(created.header("cache-control"), "no-store");
    let location = created.header("location").to_owned();
    let mut created = created.expect(201);
    let first = created["secret"].as_str().unwrap().to_owned();
    let path = path("webhooks", &created);
    assert_eq!(location, format!("/api/v1{path}"));

    let read = admin.get(&path).await.expect(200);
    created.as_object_mut().unwrap().remove("secret");
    assert_eq!(read, created);
    admin.patch(&path, json!({"description": ""})).await.expect(200);
    let rotated = admin.act(&format!("{path}/rotate")).await;
    assert_eq!(rotated.header("cache-control"), "no-store");
    let second = rotated.expect(200)["secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    for shown in [&path, "/webhooks", "/audit?limit=100"] {
        let text = admin.get(shown).await.text;
        assert!(!text.contains("whsec_") && !text.contains(&first[6..]), "{shown}: {text}");
    }

    for (index, (seconds, signed)) in [(0, [1, 1]), (86_399, [1, 1]), (1, [1, 0])].into_iter().enumerate() {
        hub.clock.advance(Duration::from_secs(seconds));
        hub.customer(&admin).await;
        let call = called(&receiver, index + 1).await.remove(index);
        assert_eq!(call.signed_by(&[&second, &first]), signed, "{seconds} s later");
    }
}

async fn a_replay_makes_the_same_call_again(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let hook = hook(&admin, &receiver, json!(["customer.created"])).await;
    hub.customer(&admin).await;
    let tried = attempts(&admin, &hook, 1).await.remove(0);
    let replay = format!("{}/attempts/{}/replay", hook.path, tried["id"].as_str().unwrap());
    let answer = admin.act(&replay).await.expect(202);
    assert_eq!((&answer["id"], &answer["status"]), (&tried["messageId"], &json!("pending")));

    let calls = called(&receiver, 2).await;
    assert_eq!(calls[0].body, calls[1].body);
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    let newest = attempts(&admin, &hook, 2).await.remove(0);
    assert_eq!((&newest["attempt"], &newest["messageId"]), (&json!(2), &tried["messageId"]));
    let audit = admin.get("/audit?entityType=webhook&limit=100").await.expect(200);
    let actions: Vec<_> = audit["data"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
    assert_eq!(actions, ["webhook.replayed", "webhook.created"]);

    let missing = format!("{}/attempts/{}/replay", hook.path, Uuid::new_v4());
    admin.act(&missing).await.problem(404);
    let other = self::hook(&admin, &receiver, json!(["customer.created"])).await;
    let foreign = format!("{}/attempts/{}/replay", other.path, tried["id"].as_str().unwrap());
    admin.act(&foreign).await.problem(404);
}

async fn an_endpoint_that_never_answers_holds_up_nobody_else(hub: &TestHub) {
    let admin = hub.admin().await;
    let (silent, prompt) = (Receiver::start(), Receiver::start());
    silent.behave(Manner::Silent);
    let slow = hook(&admin, &silent, json!(["customer.created"])).await;
    hub.customer(&admin).await;
    called(&silent, 1).await;
    // While it is waited for.
    hook(&admin, &prompt, json!(["inquiry.created"])).await;
    hub.inquiry(&admin).await;
    called(&prompt, 1).await;
    let tried = attempts(&admin, &slow, 1).await.remove(0);
    assert_eq!((&tried["responseStatus"], &tried["error"]), (&Value::Null, &json!("no answer within 2s")));
}

async fn one_that_is_disabled_or_deleted_is_called_no_more(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let kept = Receiver::start();
    let hook = hook(&admin, &receiver, json!(["customer.created"])).await;
    self::hook(&admin, &kept, json!(["customer.created"])).await;
    receiver.behave(Manner::Answer(500, ""));
    hub.customer(&admin).await;
    let tried = attempts(&admin, &hook, 1).await.remove(0);

    let disabled = admin.patch(&hook.path, json!({"isEnabled": false})).await.expect(200);
    assert_eq!((&disabled["isEnabled"], &disabled["disabledReason"]), (&json!(false), &Value::Null));
    hub.clock.advance(Duration::from_secs(60));
    hub.customer(&admin).await;
    called(&kept, 2).await;
    let replay = format!("{}/attempts/{}/replay", hook.path, tried["id"].as_str().unwrap());
    admin.act(&replay).await.problem(409);
    assert_eq!(receiver.count(), 1);

    // What was pending goes on; what happened meanwhile it does not hear of.
    receiver.behave(Manner::Answer(200, ""));
    let enabled = admin.patch(&hook.path, json!({"isEnabled": true})).await.expect(200);
    assert_eq!(enabled["failingSince"], Value::Null);
    let calls = called(&receiver, 2).await;
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    attempts(&admin, &hook, 2).await;

    assert_eq!(admin.delete(&hook.path).await.status, 204);
    admin.get(&hook.path).await.problem(404);
    admin.delete(&hook.path).await.problem(404);
    admin.get(&format!("{}/attempts", hook.path)).await.problem(404);
    admin.act(&replay).await.problem(404);
    hub.customer(&admin).await;
    called(&kept, 3).await;
    assert_eq!(receiver.count(), 2);
    assert_eq!(admin.get("/webhooks").await.expect(200)["meta"]["total"], 1);
}

async fn what_makes_no_sense_is_refused(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let hook = hook(&admin, &receiver, json!(["*"])).await;
    let url = "https://example.com/hooks";
    for (body, pointers) in [
        (json!({"url": "nonsense", "events": ["*"]}), &["/url"][..]),
        (json!({"url": "ftp://example.com/", "events": ["*"]}), &["/url"]),
        (json!({"url": "https://u:p@example.com/", "events": ["*"]}), &["/url"]),
        (json!({"url": url, "events": []}), &["/events"]),
        (json!({"url": url, "events": ["*", "session.started", "x"]}), &["/events/1", "/events/2"]),
        (json!({"url": url, "events": ["*"], "description": "x".repeat(101)}), &["/description"]),
        (json!({"url": url, "events": ["*"], "secret": "x"}), &["/secret"]),
        (json!({"events": ["*"]}), &["/url"]),
    ] {
        assert_eq!(admin.post("/webhooks", body.clone()).await.invalid(), pointers, "{body}");
    }
    for (patch, pointer) in [
        (json!({"url": "nonsense"}), "/url"),
        (json!({"events": []}), "/events"),
        (json!({"isEnabled": null}), "/isEnabled"),
        (json!({"failingSince": null}), "/failingSince"),
    ] {
        assert_eq!(admin.patch(&hook.path, patch.clone()).await.invalid(), [pointer], "{patch}");
    }
    admin.act(&format!("{}/attempts/1/replay", hook.path)).await.problem(400);
    assert_eq!(admin.get(&hook.path).await.expect(200)["version"], 1);
}

async fn a_change_may_name_the_version_it_is_meant_for(hub: &TestHub) {
    use reqwest::Method;
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let hook = hook(&admin, &receiver, json!(["*"])).await;
    let old = [("If-Match", "\"1\"")];
    let patch = || Some(json!({"events": ["response.sent", "response.approved"]}));
    let changed = admin.send(Method::PATCH, &hook.path, patch(), &old).await;
    assert_eq!(changed.header("etag"), "\"2\"");
    let changed = changed.expect(200);
    assert_eq!(changed["events"], json!(["response.approved", "response.sent"]));
    admin.send(Method::PATCH, &hook.path, patch(), &old).await.problem(412);
    let rotate = format!("{}/rotate", hook.path);
    admin.send(Method::POST, &rotate, None, &old).await.problem(412);
    admin.send(Method::DELETE, &hook.path, None, &old).await.problem(412);
    assert_eq!(admin.get(&hook.path).await.expect(200), changed);
}

#[test]
fn of_two_instances_one_calls_each_message() {
    const CUSTOMERS: usize = 40;
    run_instances(Engine::Full, 2, LOCAL, |hubs| {
        Box::pin(async move {
            let (one, other) = (hubs[0].admin().await, hubs[1].admin().await);
            let receiver = Receiver::start();
            let hook = hook(&one, &receiver, json!(["customer.created"])).await;
            for index in 0..CUSTOMERS {
                hubs[index % 2].customer(if index % 2 == 0 { &one } else { &other }).await;
            }
            let calls = called(&receiver, CUSTOMERS).await;
            let ids: BTreeSet<_> = calls.iter().map(|call| call.header("webhook-id").to_owned()).collect();
            assert_eq!(ids.len(), CUSTOMERS);
            attempts(&one, &hook, CUSTOMERS).await;
            assert_eq!(receiver.count(), CUSTOMERS);
        })
    });
}
