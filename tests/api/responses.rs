//! A reply from its first draft to the customer's eyes.

mod four_eyes;
mod policies;
mod racing;
mod stale;
mod trail;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    a_decision_takes_notes_and_a_rejection_needs_them,
    a_rejected_reply_is_edited_and_submitted_again,
    a_withdrawn_reply_is_a_draft_again,
    an_approval_is_refused_for_any_revision_but_the_current_one,
    a_stale_if_match_changes_nothing,
    every_answer_carries_its_version_as_etag,
    a_message_is_kept_byte_for_byte,
    a_conversation_shows_approved_replies_and_no_other,
    an_approval_answers_the_inquiry_unless_it_was_closed,
    a_draft_answers_an_inquiry_that_exists,
);

/// What the reply's life begins with: a text of `author`, waiting for approval.
pub async fn submitted(hub: &TestHub, author: &Client, admin: &Client) -> Value {
    let draft = hub.draft(author, admin).await;
    author.act(&to(&draft, "submit")).await.expect(200)
}

/// `/responses/…/action`
pub fn to(response: &Value, action: &str) -> String {
    format!("{}/{action}", path("responses", response))
}

pub async fn now(reader: &Client, response: &Value) -> Value {
    reader.get(&path("responses", response)).await.expect(200)
}

/// One field of every item of a list.
pub async fn told(reader: &Client, list: &str, field: &str) -> Vec<Value> {
    let list = reader.get(list).await.expect(200);
    list["data"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
}

async fn a_decision_takes_notes_and_a_rejection_needs_them(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    for without in [json!({}), json!({"notes": null}), json!({"notes": ""}), json!({"notes": " \n"})] {
        assert_eq!(manager.post(&to(&response, "reject"), without).await.invalid(), ["/notes"]);
    }
    assert_eq!(now(&cso, &response).await, response);
    let rejected = manager.post(&to(&response, "reject"), json!({"notes": "Be kinder."})).await.expect(200);
    assert_eq!((&rejected["status"], &rejected["approvalNotes"]), (&json!("rejected"), &json!("Be kinder.")));
    assert_eq!(rejected["approvedBy"], Value::Null);

    let response = submitted(hub, &cso, &admin).await;
    let approved = manager.act(&to(&response, "approve")).await.expect(200);
    assert_eq!((&approved["status"], &approved["approvalNotes"]), (&json!("approved"), &Value::Null));
    assert_eq!(approved["approvedBy"], json!(manager.id));
}

async fn a_rejected_reply_is_edited_and_submitted_again(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    manager.post(&to(&response, "reject"), json!({"notes": "Be kinder."})).await.expect(200);
    assert_eq!(cso.act(&to(&response, "submit")).await.status, 409, "not without another text");

    let edited = cso.put(&path("responses", &response), json!({"message": "Dear Ada"})).await.expect(200);
    assert_eq!((&edited["status"], &edited["revision"]), (&json!("draft"), &json!(2)));
    assert_eq!(edited["approvalNotes"], "Be kinder.", "in sight while its author works on it");
    let again = cso.act(&to(&response, "submit")).await.expect(200);
    assert_eq!((&again["status"], &again["revision"]), (&json!("pending_approval"), &json!(2)));
    assert_eq!((&again["approvalNotes"], &again["decidedAt"]), (&Value::Null, &Value::Null), "a new round");
    let approved = manager.post(&to(&response, "approve"), json!({"revision": 2})).await.expect(200);
    assert_eq!((&approved["status"], &approved["message"]), (&json!("approved"), &json!("Dear Ada")));
}

async fn a_withdrawn_reply_is_a_draft_again(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    let withdrawn = cso.act(&to(&response, "withdraw")).await.expect(200);
    assert_eq!((&withdrawn["status"], &withdrawn["submittedAt"]), (&json!("draft"), &Value::Null));
    assert_eq!(withdrawn["revision"], 1, "the text is the same");
    for decision in ["approve", "reject"] {
        assert_eq!(manager.post(&to(&response, decision), json!({"notes": "N"})).await.status, 409);
    }
    cso.put(&path("responses", &response), json!({"message": "Dear Ada"})).await.expect(200);
    cso.act(&to(&response, "submit")).await.expect(200);
    let approved = manager.act(&to(&response, "approve")).await.expect(200);
    assert_eq!(approved["message"], "Dear Ada");
}

/// The approver read one text while the author put another in its place.
async fn an_approval_is_refused_for_any_revision_but_the_current_one(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    cso.act(&to(&response, "withdraw")).await.expect(200);
    cso.put(&path("responses", &response), json!({"message": "Another text."})).await.expect(200);
    let current = cso.act(&to(&response, "submit")).await.expect(200);
    for revision in [1, 3, 0, -1] {
        let refused = manager.post(&to(&response, "approve"), json!({"revision": revision})).await;
        assert_eq!(refused.problem(409)["type"], "urn:nexus-hub:problem:revision-changed", "{revision}");
        assert_eq!(now(&manager, &response).await, current, "{revision}");
    }
    let conversation = format!("/inquiries/{}/messages", response["inquiryId"].as_str().unwrap());
    assert_eq!(told(&cso, &conversation, "message").await, [json!("It is late.")]);
    let approved = manager.post(&to(&response, "approve"), json!({"revision": 2})).await.expect(200);
    assert_eq!(approved["message"], "Another text.");
}

async fn a_stale_if_match_changes_nothing(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let draft = hub.draft(&cso, &admin).await;
    let edit = Some(json!({"message": "Dear Ada"}));
    let note = Some(json!({"notes": "N"}));
    let own = path("responses", &draft);
    let (submit, withdraw) = (to(&draft, "submit"), to(&draft, "withdraw"));
    let (approve, reject) = (to(&draft, "approve"), to(&draft, "reject"));
    // Each from where the one before has led.
    let steps = [
        (&cso, Method::PUT, &own, &edit),
        (&cso, Method::POST, &submit, &None),
        (&cso, Method::POST, &withdraw, &None),
        (&cso, Method::POST, &submit, &None),
        (&manager, Method::POST, &reject, &note),
        (&cso, Method::PUT, &own, &edit),
        (&cso, Method::POST, &submit, &None),
        (&manager, Method::POST, &approve, &note),
    ];
    for (client, method, path, body) in steps {
        let before = now(&cso, &draft).await;
        let version = before["version"].as_i64().unwrap();
        for stale in [version - 1, version + 1] {
            let tag = format!("\"{stale}\"");
            let refused = client.send(method.clone(), path, body.clone(), &[("if-match", &tag)]).await;
            assert_eq!(refused.problem(412)["type"], "urn:nexus-hub:problem:stale-version", "{path}");
            assert_eq!(now(&cso, &draft).await, before, "{path}");
        }
        let tag = format!("\"{version}\"");
        let done = client.send(method, path, body.clone(), &[("if-match", &tag)]).await.expect(200);
        assert_eq!(done["version"], version + 1, "{path}");
    }
}

async fn every_answer_carries_its_version_as_etag(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let inquiry = hub.inquiry(&admin).await;
    let draft = cso.post("/responses", json!({"inquiryId": inquiry["id"], "message": "It ships."})).await;
    assert_eq!((draft.status, draft.header("etag")), (201, "\"1\""));
    let draft = draft.json();
    let edited = cso.put(&path("responses", &draft), json!({"message": "Dear Ada"})).await;
    assert_eq!((edited.status, edited.header("etag")), (200, "\"2\""));
    let submitted = cso.act(&to(&draft, "submit")).await;
    assert_eq!((submitted.status, submitted.header("etag")), (200, "\"3\""));
    let approved = manager.act(&to(&draft, "approve")).await;
    assert_eq!((approved.status, approved.header("etag")), (200, "\"4\""));
    let read = cso.get(&path("responses", &draft)).await;
    assert_eq!((read.status, read.header("etag"), &read.json()), (200, "\"4\"", &approved.json()));
    for (tag, status) in [("\"4\"", 304), ("\"3\"", 200)] {
        let again = cso.send(Method::GET, &path("responses", &draft), None, &[("if-none-match", tag)]).await;
        assert_eq!(
            (again.status, again.header("etag"), again.text.is_empty()),
            (status, "\"4\"", status == 304)
        );
    }
}

async fn a_message_is_kept_byte_for_byte(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    // Line ends of both kinds, blanks and tabs at both ends, a decomposed accent, characters beyond the BMP and
    // from right to left, a byte order mark, controls, and what other formats would need to escape.
    let text = "\t Dear Ada,\r\n\r\n  e\u{301}\u{e9} \u{1F4E6}\u{200D}\u{1F69A} \u{5E9}\u{5DC}\u{202E} \u{FEFF}\u{1}\u{7F}\
        \\n \\u0000 \"'`<b>&amp;</b>%00;--{{x}}$1\n\n ";
    let inquiry = hub.inquiry(&admin).await;
    let draft =
        cso.post("/responses", json!({"inquiryId": inquiry["id"], "message": "First."})).await.expect(201);
    assert_eq!(
        cso.put(&path("responses", &draft), json!({"message": text})).await.expect(200)["message"],
        text
    );
    assert_eq!(cso.act(&to(&draft, "submit")).await.expect(200)["message"], text);
    assert_eq!(manager.act(&to(&draft, "approve")).await.expect(200)["message"], text);
    assert_eq!(now(&cso, &draft).await["message"], text);
    assert_eq!(told(&cso, "/responses", "message").await, [json!(text)]);
    let conversation = format!("{}/messages", path("inquiries", &inquiry));
    assert_eq!(told(&cso, &conversation, "message").await, [json!("It is late."), json!(text)]);
    assert_eq!(told(&cso, &to(&draft, "history"), "message").await[1], text);
}

async fn a_conversation_shows_approved_replies_and_no_other(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let inquiry = hub.inquiry(&admin).await;
    let conversation = format!("{}/messages", path("inquiries", &inquiry));
    for actions in
        [&["submit", "approve"][..], &[], &["submit"], &["submit", "reject"], &["submit", "withdraw"]]
    {
        let text = format!("Reply: {actions:?}");
        let reply = json!({"inquiryId": inquiry["id"], "message": text});
        let draft = cso.post("/responses", reply).await.expect(201);
        for action in actions {
            let (who, body) = match *action {
                "approve" | "reject" => (&manager, Some(json!({"notes": "N"}))),
                _ => (&cso, None),
            };
            who.send(Method::POST, &to(&draft, action), body, &[]).await.expect(200);
        }
    }
    let shown = cso.get(&conversation).await.expect(200)["data"].clone();
    let of = |index: usize, field: &str| shown[index][field].clone();
    assert_eq!(shown.as_array().unwrap().len(), 2);
    assert_eq!((of(0, "direction"), of(0, "message")), (json!("inbound"), json!("It is late.")));
    assert_eq!((of(0, "authorId"), of(0, "responseId")), (Value::Null, Value::Null));
    assert_eq!(of(1, "direction"), "outbound");
    assert_eq!(of(1, "message"), "Reply: [\"submit\", \"approve\"]");
    assert_eq!(of(1, "authorId"), json!(cso.id));
    let approved = told(&cso, "/responses?status=approved", "id").await;
    assert_eq!(approved, [of(1, "responseId")]);
}

async fn an_approval_answers_the_inquiry_unless_it_was_closed(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let cases: [(&[&str], &str); 4] = [
        (&[], "responded"),
        (&["in_progress"], "responded"),
        (&["in_progress", "responded"], "responded"),
        (&["closed"], "closed"),
    ];
    for (moves, expected) in cases {
        let response = submitted(hub, &cso, &admin).await;
        let inquiry = format!("/inquiries/{}", response["inquiryId"].as_str().unwrap());
        for status in moves {
            cso.patch(&format!("{inquiry}/status"), json!({"status": status})).await.expect(200);
        }
        let before = cso.get(&inquiry).await.expect(200);
        manager.act(&to(&response, "approve")).await.expect(200);
        let after = cso.get(&inquiry).await.expect(200);
        assert_eq!(after["status"], expected, "after {moves:?}");
        let moved = i64::from(before["status"] != after["status"]);
        assert_eq!(after["version"], json!(before["version"].as_i64().unwrap() + moved), "after {moves:?}");
    }
    // A rejection leaves the inquiry alone.
    let response = submitted(hub, &cso, &admin).await;
    manager.post(&to(&response, "reject"), json!({"notes": "N"})).await.expect(200);
    let inquiry =
        cso.get(&format!("/inquiries/{}", response["inquiryId"].as_str().unwrap())).await.expect(200);
    assert_eq!((&inquiry["status"], &inquiry["version"]), (&json!("pending"), &json!(1)));
}

async fn a_draft_answers_an_inquiry_that_exists(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let unknown = json!({"inquiryId": uuid::Uuid::new_v4(), "message": "M"});
    assert_eq!(cso.post("/responses", unknown).await.invalid(), ["/inquiryId"]);
    let inquiry = hub.inquiry(&admin).await;
    let blank = json!({"inquiryId": inquiry["id"], "message": " \n"});
    assert_eq!(cso.post("/responses", blank).await.invalid(), ["/message"]);
    assert!(told(&admin, "/responses", "id").await.is_empty());
    let draft = cso.post("/responses", json!({"inquiryId": inquiry["id"], "message": "M"})).await;
    assert_eq!(draft.header("location"), format!("/api/v1{}", path("responses", &draft.json())));
    let draft = draft.expect(201);
    assert_eq!(
        (&draft["status"], &draft["revision"], &draft["version"]),
        (&json!("draft"), &json!(1), &json!(1))
    );
    assert_eq!((&draft["respondedBy"], &draft["inquiryId"]), (&json!(cso.id), &inquiry["id"]));
    assert_eq!(now(&cso, &draft).await, draft);
}
