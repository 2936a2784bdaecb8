//! Messages that could not be taken: kept whole, replayed after a fix, or discarded. Each exactly once, by admins.

use std::collections::BTreeMap;

use nexus_actors::domain::envelope::Envelope;
use nexus_actors::intake_desk::{Receipt, Receive};
use nexus_actors::new_id;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    what_cannot_be_taken_is_kept_whole_and_what_is_around_it_is_taken,
    brought_again_it_stays_one_dead_letter,
    after_a_fix_a_replay_takes_it_once,
    a_discarded_one_stays_on_record_and_is_settled,
    the_list_is_filtered_by_status,
);

/// As a gateway on the broker publishes it.
pub fn envelope(routing_key: &str, message_id: Option<&str>, body: impl AsRef<[u8]>) -> Envelope {
    Envelope {
        receipt: new_id(),
        routing_key: routing_key.to_owned(),
        message_id: message_id.map(str::to_owned),
        content_type: Some("application/json".to_owned()),
        headers: serde_json::Map::from_iter([("x-trace".to_owned(), json!("abc\0def"))]),
        body: body.as_ref().to_vec(),
    }
}

pub async fn receive(hub: &TestHub, envelopes: Vec<Envelope>) -> Vec<Option<Receipt>> {
    hub.app.hub.intake_desk.ask(Receive(envelopes)).await.unwrap()
}

/// Buries one message and answers with it as the API lists it.
pub async fn buried(hub: &TestHub, admin: &Client) -> Value {
    let bad = envelope("inquiry.email", Some(&Uuid::new_v4().to_string()), "no JSON");
    assert_eq!(receive(hub, vec![bad]).await, [Some(Receipt::DeadLettered)]);
    admin.get("/dead-letters?limit=1").await.expect(200)["data"][0].clone()
}

fn inquiry(external_id: &str) -> String {
    let customer = json!({"email": format!("{external_id}@example.com")});
    json!({"externalId": external_id, "customer": customer, "message": "Where is it?"}).to_string()
}

async fn what_cannot_be_taken_is_kept_whole_and_what_is_around_it_is_taken(hub: &TestHub) {
    let admin = hub.admin().await;
    let unknown = Uuid::new_v4();
    let mut role = serde_json::from_str::<Value>(&inquiry("r")).unwrap();
    role["role"] = json!("admin");
    let poison: Vec<(&str, &str, Vec<u8>)> = vec![
        ("bad_json", "inquiry.email", b"{\"customer\":".to_vec()),
        ("bad_json", "inquiry.email", b"\xff\xfe".to_vec()),
        ("validation_failed", "inquiry.email", b"[]".to_vec()),
        ("validation_failed", "inquiry.email", role.to_string().into_bytes()),
        ("validation_failed", "inquiry.email", b"{\"message\":\"x\"}".to_vec()),
        ("too_large", "inquiry.email", vec![b' '; 1024 * 1024 + 1]),
        ("no_channel", "inquiry", inquiry("n").into_bytes()),
        ("no_channel", "inquiry.a.b", inquiry("n").into_bytes()),
        ("no_channel", "inquiry.E-Mail", inquiry("n").into_bytes()),
        ("unknown_routing_key", "delivery.bounced", b"{}".to_vec()),
        ("unknown_delivery", "delivery.confirmed", json!({"deliveryId": unknown}).to_string().into_bytes()),
        ("validation_failed", "delivery.confirmed", b"{}".to_vec()),
        (
            "validation_failed",
            "delivery.failed",
            json!({"deliveryId": unknown, "reason": ""}).to_string().into_bytes(),
        ),
    ];
    let mut envelopes = vec![envelope("inquiry.email", None, inquiry("before"))];
    for (index, (_, key, body)) in poison.iter().enumerate() {
        envelopes.push(envelope(key, None, body));
        envelopes.push(envelope("inquiry.email", None, inquiry(&format!("after-{index}"))));
    }
    let receipts = receive(hub, envelopes).await;
    for (index, receipt) in receipts.iter().enumerate() {
        let expected = if index % 2 == 0 { Receipt::Taken } else { Receipt::DeadLettered };
        assert_eq!(*receipt, Some(expected), "{index}");
    }
    let taken = admin.get("/inquiries").await.expect(200);
    assert_eq!(taken["meta"]["total"], json!(poison.len() + 1));

    let listed = admin.get("/dead-letters?limit=100&sortOrder=asc").await.expect(200);
    let listed = listed["data"].as_array().unwrap();
    assert_eq!(listed.len(), poison.len());
    let mut expected = BTreeMap::new();
    for (reason, key, body) in &poison {
        *expected.entry((*reason, *key, body.len() as i64)).or_insert(0) += 1;
    }
    let mut found = BTreeMap::new();
    for letter in listed {
        let reason = letter["reason"].as_str().unwrap();
        let key = letter["routingKey"].as_str().unwrap();
        *found.entry((reason, key, letter["size"].as_i64().unwrap())).or_insert(0) += 1;
        assert_eq!((&letter["status"], letter.get("body")), (&json!("open"), None));
        assert_eq!(
            letter["headers"]["x-trace"], "abc\u{fffd}def",
            "what PostgreSQL cannot store is replaced"
        );
        assert_ne!(letter["error"], "");
        let shown = admin.get(&path("dead-letters", letter)).await.expect(200);
        assert_eq!(json!(shown["body"].as_str().unwrap().is_empty()), json!(letter["size"] == 0));
    }
    assert_eq!(found, expected);
}

async fn brought_again_it_stays_one_dead_letter(hub: &TestHub) {
    let admin = hub.admin().await;
    let bad = || envelope("inquiry.email", Some("7"), "nonsense");
    receive(hub, vec![bad(), bad()]).await;
    receive(hub, vec![bad()]).await;
    // Another text under the same id is another message: a careless gateway must not lose one.
    receive(hub, vec![envelope("inquiry.email", Some("7"), "other nonsense")]).await;
    assert_eq!(admin.get("/dead-letters").await.expect(200)["meta"]["total"], 2);
}

async fn after_a_fix_a_replay_takes_it_once(hub: &TestHub) {
    let admin = hub.admin().await;
    let report = json!({"deliveryId": Uuid::new_v4()}).to_string();
    receive(hub, vec![envelope("delivery.confirmed", None, report)]).await;
    let letter = admin.get("/dead-letters").await.expect(200)["data"][0].clone();
    let replay = format!("{}/replay", path("dead-letters", &letter));
    let refused = admin.act(&replay).await;
    assert_eq!(refused.problem(409)["type"], "urn:nexus-hub:problem:still-refused");
    let still = admin.get(&path("dead-letters", &letter)).await.expect(200);
    assert_eq!((&still["status"], &still["reason"]), (&json!("open"), &json!("unknown_delivery")));

    // A message of a channel that nobody could read until the hub was mended: here the database is.
    let bad = envelope("inquiry.email", None, inquiry("mended"));
    let letter = mended(hub, bad).await;
    let replay = format!("{}/replay", path("dead-letters", &letter));
    let stale = admin.send(Method::POST, &replay, None, &[("If-Match", "\"7\"")]).await;
    stale.problem(412);
    let replayed = admin.act(&replay).await.expect(200);
    assert_eq!((&replayed["status"], &replayed["version"]), (&json!("replayed"), &json!(2)));
    admin.act(&replay).await.problem(409);
    let taken = admin.get("/inquiries").await.expect(200);
    assert_eq!((&taken["meta"]["total"], &taken["data"][0]["externalId"]), (&json!(1), &json!("mended")));
    let audit = admin.get("/audit?entityType=dead_letter").await.expect(200);
    let actions: Vec<_> = audit["data"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
    assert!(actions.contains(&&json!("dead_letter.replayed")), "{actions:?}");
}

/// A dead letter whose cause is gone.
pub async fn mended(hub: &TestHub, envelope: Envelope) -> Value {
    use nexus_actors::domain::dead_letter::{BuriedMessage, DeadLetterReason};
    use nexus_actors::domain::envelope::Refusal;
    use nexus_actors::store::{Commit, Write};
    let refusal = Refusal::new(DeadLetterReason::FailedRepeatedly, "the hub failed on it 5 times");
    let buried = BuriedMessage::new(new_id(), &envelope, &refusal, hub.clock.now());
    let letter = serde_json::to_value(&buried.letter).unwrap();
    let commit = Commit::quiet(vec![Write::InsertDeadLetter(buried)]);
    hub.app.hub.writer.ask(commit).await.unwrap();
    letter
}

async fn a_discarded_one_stays_on_record_and_is_settled(hub: &TestHub) {
    let admin = hub.admin().await;
    let letter = path("dead-letters", &buried(hub, &admin).await);
    let discard = format!("{letter}/discard");
    let key = [("Idempotency-Key", "once")];
    let first = admin.send(Method::POST, &discard, None, &key).await.expect(200);
    assert_eq!(first["status"], "discarded");
    assert_eq!(admin.send(Method::POST, &discard, None, &key).await.expect(200), first, "replayed");
    admin.act(&discard).await.problem(409);
    admin.act(&format!("{letter}/replay")).await.problem(409);
    assert_eq!(admin.get(&letter).await.expect(200)["body"], "no JSON");
    let missing = format!("/dead-letters/{}", Uuid::new_v4());
    admin.get(&missing).await.problem(404);
    admin.act(&format!("{missing}/discard")).await.problem(404);
}

async fn the_list_is_filtered_by_status(hub: &TestHub) {
    let admin = hub.admin().await;
    let first = buried(hub, &admin).await;
    let second = buried(hub, &admin).await;
    admin.act(&format!("{}/discard", path("dead-letters", &first))).await.expect(200);
    for (status, letter) in [("open", &second), ("discarded", &first)] {
        let listed = admin.get(&format!("/dead-letters?status={status}")).await.expect(200);
        assert_eq!(
            (&listed["meta"]["total"], &listed["data"][0]["id"]),
            (&json!(1), &letter["id"]),
            "{status}"
        );
    }
    admin.get("/dead-letters?status=lost").await.problem(422);
}
