//! What a reply leaves behind: its history for those who work on it, the audit trail for those who check on them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{to, told};
use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    history_has_every_text_and_every_decision_in_order,
    the_audit_trail_names_who_did_what_in_which_request,
    a_refused_step_leaves_no_trace,
);

async fn history_has_every_text_and_every_decision_in_order(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let draft = hub.draft(&cso, &admin).await;
    let first = draft["message"].clone();
    let own = path("responses", &draft);
    let minute = std::time::Duration::from_secs(60);
    let steps = [
        (&cso, Method::PUT, own.clone(), Some(json!({"message": "Second."}))),
        (&cso, Method::POST, to(&draft, "submit"), None),
        (&cso, Method::POST, to(&draft, "withdraw"), None),
        (&admin, Method::POST, to(&draft, "submit"), None),
        (&manager, Method::POST, to(&draft, "reject"), Some(json!({"notes": "Be kinder."}))),
        (&admin, Method::PUT, own, Some(json!({"message": "Third."}))),
        (&cso, Method::POST, to(&draft, "submit"), None),
        (&manager, Method::POST, to(&draft, "approve"), Some(json!({"notes": "Good.", "revision": 3}))),
    ];
    let mut times = vec![draft["createdAt"].clone()];
    for (who, method, path, body) in steps {
        hub.clock.advance(minute);
        times.push(who.send(method, &path, body, &[]).await.expect(200)["updatedAt"].clone());
    }
    let entry = |action: &str, revision: i64, message: Value, notes: Value, actor: &Client| {
        json!({"action": action, "revision": revision, "message": message, "notes": notes, "actorId": actor.id,
            "responseId": draft["id"]})
    };
    let mut expected = [
        entry("created", 1, first, Value::Null, &cso),
        entry("edited", 2, json!("Second."), Value::Null, &cso),
        entry("submitted", 2, Value::Null, Value::Null, &cso),
        entry("withdrawn", 2, Value::Null, Value::Null, &cso),
        entry("submitted", 2, Value::Null, Value::Null, &admin),
        entry("rejected", 2, Value::Null, json!("Be kinder."), &manager),
        entry("edited", 3, json!("Third."), Value::Null, &admin),
        entry("submitted", 3, Value::Null, Value::Null, &cso),
        entry("approved", 3, Value::Null, json!("Good."), &manager),
    ];
    for (entry, time) in expected.iter_mut().zip(times) {
        entry["createdAt"] = time;
    }
    for reader in [&cso, &manager, &admin] {
        let mut history = reader.get(&to(&draft, "history")).await.expect(200)["data"].clone();
        for entry in history.as_array_mut().unwrap() {
            entry.as_object_mut().unwrap().remove("id");
        }
        assert_eq!(history, json!(expected));
    }
}

async fn the_audit_trail_names_who_did_what_in_which_request(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let inquiry = hub.inquiry(&admin).await;
    let reply = json!({"inquiryId": inquiry["id"], "message": "First."});
    let draft = by_request("r-1", &cso, Method::POST, "/responses", Some(reply)).await;
    let edit = Some(json!({"message": "Second."}));
    by_request("r-2", &cso, Method::PUT, &path("responses", &draft), edit).await;
    by_request("r-3", &cso, Method::POST, &to(&draft, "submit"), None).await;
    by_request("r-4", &manager, Method::POST, &to(&draft, "approve"), Some(json!({"notes": "Good."}))).await;

    let trail = audit_of(&admin, &draft).await;
    let told: Vec<_> = trail
        .iter()
        .map(|one| (one["action"].clone(), one["actorId"].clone(), one["requestId"].clone()))
        .collect();
    let expected = [
        ("response.created", &cso, "r-1"),
        ("response.edited", &cso, "r-2"),
        ("response.submitted", &cso, "r-3"),
        ("response.approved", &manager, "r-4"),
    ];
    assert_eq!(told, expected.map(|(action, actor, id)| (json!(action), json!(actor.id), json!(id))));
    assert!(trail.iter().all(|one| one["entityType"] == "response" && one["entityId"] == draft["id"]));
    assert_eq!(trail[1]["changes"]["message"], json!({"from": "First.", "to": "Second."}));
    assert_eq!(trail[1]["changes"]["revision"], json!({"from": 1, "to": 2}));
    assert_eq!(trail[3]["changes"]["status"], json!({"from": "pending_approval", "to": "approved"}));
    assert_eq!(trail[3]["changes"]["approvedBy"], json!({"from": null, "to": manager.id}));

    let of_inquiry = audit_of(&admin, &inquiry).await;
    let answered = of_inquiry.last().unwrap();
    assert_eq!(answered["action"], "inquiry.status_changed");
    assert_eq!((&answered["actorId"], &answered["requestId"]), (&json!(manager.id), &json!("r-4")));
    assert_eq!(answered["changes"], json!({"status": {"from": "pending", "to": "responded"}}));
    let decisions = told_by(&manager, &format!("/audit?actorId={}&entityType=response", manager.id)).await;
    assert_eq!(decisions, ["response.approved"]);
}

async fn a_refused_step_leaves_no_trace(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = super::submitted(hub, &cso, &admin).await;
    let before = audit_of(&admin, &response).await;
    let tag = [("if-match", "\"1\"")];
    let refusals = [
        (cso.put(&path("responses", &response), json!({"message": "M"})).await, 409),
        (cso.act(&to(&response, "submit")).await, 409),
        (cso.act(&to(&response, "approve")).await, 403),
        (manager.act(&to(&response, "withdraw")).await, 403),
        (manager.post(&to(&response, "approve"), json!({"revision": 9})).await, 409),
        (manager.post(&to(&response, "reject"), json!({})).await, 422),
        (manager.send(Method::POST, &to(&response, "approve"), None, &tag).await, 412),
    ];
    for (refusal, status) in refusals {
        refusal.problem(status);
    }
    assert_eq!(audit_of(&admin, &response).await, before);
    assert_eq!(told(&cso, &to(&response, "history"), "action").await, ["created", "submitted"]);
}

async fn by_request(id: &str, who: &Client, method: Method, path: &str, body: Option<Value>) -> Value {
    let reply = who.send(method, path, body, &[("x-request-id", id)]).await;
    assert!(reply.status < 300, "{path}: {}", reply.text);
    assert_eq!(reply.header("x-request-id"), id);
    reply.json()
}

/// Oldest first.
async fn audit_of(reader: &Client, entity: &Value) -> Vec<Value> {
    let list = format!("/audit?entityId={}&sortOrder=asc&limit=100", entity["id"].as_str().unwrap());
    reader.get(&list).await.expect(200)["data"].as_array().unwrap().clone()
}

async fn told_by(reader: &Client, list: &str) -> Vec<Value> {
    told(reader, list, "action").await
}
