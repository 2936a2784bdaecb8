//! What cannot be taken becomes a dead letter, and holds up nothing.

use serde_json::{Value, json};
use uuid::Uuid;

use super::gateway::{Inbound, Listener, address};
use super::{Stage, staged};
use crate::harness::{TestHub, eventually, on_both_engines};

on_both_engines!(
    in staged;
    each_kind_of_poison_is_a_dead_letter_between_good_messages,
    reports_that_cannot_be_taken_are_dead_letters,
    brought_again_it_stays_one_dead_letter,
);

const MIB: usize = 1024 * 1024;

async fn each_kind_of_poison_is_a_dead_letter_between_good_messages(_: &TestHub, stage: &Stage) {
    let good = json!({"customer": {"email": address()}, "message": "x"});
    let with = |field: &str, value: Value| {
        let mut message = good.clone();
        message[field] = value;
        message.to_string().into_bytes()
    };
    let poison: Vec<(&str, &str, Vec<u8>)> = vec![
        ("bad_json", "inquiry.email", b"{\"customer\":".to_vec()),
        ("bad_json", "inquiry.email", b"\xff\xfe\x00".to_vec()),
        ("bad_json", "inquiry.email", Vec::new()),
        ("validation_failed", "inquiry.email", b"[]".to_vec()),
        ("validation_failed", "inquiry.email", with("role", json!("admin"))),
        ("validation_failed", "inquiry.email", b"{\"message\":\"x\"}".to_vec()),
        ("validation_failed", "inquiry.email", with("message", json!("a\u{0}b"))),
        ("too_large", "inquiry.email", with("message", json!("x".repeat(MIB)))),
        ("no_channel", "inquiry", good.to_string().into_bytes()),
        ("no_channel", "inquiry.", good.to_string().into_bytes()),
        ("no_channel", "inquiry.a.b", good.to_string().into_bytes()),
        ("no_channel", "inquiry.E-Mail", good.to_string().into_bytes()),
    ];
    let letters = stage.gateway.dead_letters().await;
    let mut sent = Vec::new();
    for (place, (_, key, body)) in poison.iter().enumerate() {
        sent.push(Inbound::mail(&address(), None, "good"));
        let mut bad = Inbound::new(key, Some(&place.to_string()), body);
        bad.headers.insert("x-trace".to_owned(), json!(format!("trace {place}\u{7}")));
        sent.push(bad);
    }
    sent.push(Inbound::mail(&address(), None, "good"));
    stage.gateway.send(&sent).await;
    eventually("the good ones are there", async || stage.inquiries().await.len() == poison.len() + 1).await;

    for (place, (reason, key, body)) in poison.iter().enumerate() {
        let letter = letters.next().await;
        assert_eq!(letter.message_id, Some(place.to_string()), "in their order");
        assert_eq!((letter.routing_key.as_str(), &letter.body), (*key, body), "{reason}");
        assert_eq!(letter.headers["x-nexus-reason"], *reason);
        assert!(!letter.headers["x-nexus-error"].as_str().unwrap().is_empty());
        assert_eq!(letter.headers["x-trace"], format!("trace {place}\u{7}"));
        let id = letter.headers["x-nexus-dead-letter-id"].as_str().unwrap();
        let kept = stage.admin.get(&format!("/dead-letters/{id}")).await.expect(200);
        assert_eq!((&kept["reason"], &kept["status"]), (&json!(reason), &json!("open")));
        assert_eq!(kept["size"], json!(body.len()));
    }
    letters.silent().await;
}

async fn reports_that_cannot_be_taken_are_dead_letters(_: &TestHub, stage: &Stage) {
    stage.gateway.send(&[Inbound::mail(&address(), None, "hello")]).await;
    eventually("it is there", async || stage.inquiries().await.len() == 1).await;
    let inquiry = stage.inquiries().await.remove(0);
    let response = stage.approved(&inquiry, "It ships tomorrow.").await;
    let id = stage.delivery().await["id"].clone();
    let letters = stage.gateway.dead_letters().await;

    let unknown = json!({"deliveryId": Uuid::now_v7()});
    let malformed = json!({"deliveryId": "x"});
    stage.gateway.report("confirmed", unknown).await;
    stage.gateway.report("confirmed", malformed).await;
    stage.gateway.report("failed", json!({"deliveryId": id})).await;
    stage.gateway.report("delayed", json!({"deliveryId": id})).await;
    stage.gateway.report("confirmed", json!({"deliveryId": id})).await;
    eventually("it is sent", async || stage.response(&response).await["status"] == "sent").await;
    stage.gateway.report("failed", json!({"deliveryId": id, "reason": "bounced", "permanent": true})).await;
    let expected = [
        "unknown_delivery",
        "validation_failed",
        "validation_failed",
        "unknown_routing_key",
        "contradicting_report",
    ];
    assert_eq!(reasons(&letters, expected.len()).await, {
        let mut expected = expected.map(str::to_owned).to_vec();
        expected.sort();
        expected
    });
    letters.silent().await;
    assert_eq!(stage.response(&response).await["status"], "sent");
}

async fn brought_again_it_stays_one_dead_letter(_: &TestHub, stage: &Stage) {
    let letters = stage.gateway.dead_letters().await;
    // 255 bytes of NUL, which no database takes as they are, and which grow when they are replaced.
    for id in ["twice".to_owned(), "\u{0}".repeat(255), "a\r\nb".to_owned()] {
        let bad = Inbound::new("inquiry.email", Some(&id), "no JSON");
        stage.gateway.send(&[bad.clone(), bad.clone()]).await;
        stage.gateway.send(&[bad]).await;
        let letter = letters.next().await;
        assert_eq!(letter.headers["x-nexus-reason"], "bad_json");
    }
    letters.silent().await;
    assert_eq!(stage.admin.get("/dead-letters").await.expect(200)["meta"]["total"], 3);
    // One that would be good but for its id.
    let body = json!({"customer": {"email": address()}, "message": "x"}).to_string();
    stage.gateway.send(&[Inbound::new("inquiry.email", Some("a\u{0}b"), body)]).await;
    assert_eq!(letters.next().await.headers["x-nexus-reason"], "validation_failed");
}

/// Sorted: reports and inquiries are taken apart, and so may their dead letters be.
async fn reasons(letters: &Listener<'_>, count: usize) -> Vec<String> {
    let mut reasons = Vec::new();
    for _ in 0..count {
        let letter = letters.next().await;
        reasons.push(letter.headers["x-nexus-reason"].as_str().unwrap().to_owned());
    }
    reasons.sort();
    reasons
}
