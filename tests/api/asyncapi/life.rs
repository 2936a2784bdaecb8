//! Whatever can happen in a hub happens once, and every event it leaves behind is as the document says.

use std::collections::BTreeSet;
use std::time::Duration;

use nexus_actors::approval_coordinator::FireTimers;
use nexus_actors::dead_letter_desk::{SettleDeadLetter, Verdict};
use nexus_actors::domain::cloud_event::CloudEvent;
use nexus_actors::domain::envelope::Envelope;
use nexus_actors::domain::event::EventType;
use nexus_actors::domain::{Timestamp, delivery::OutboundMessage};
use nexus_actors::intake_desk::{Receipt, Receive};
use nexus_actors::store::Db;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::schemas::{Schemas, expect_valid};
use crate::assignment::ask;
use crate::auth::totp::enrol;
use crate::behind::{execute, rows};
use crate::harness::{Client, PASSWORD, TestHub, on_both_engines, path};

on_both_engines!(with POLICIES; everything_that_is_published_is_as_the_document_says);

const POLICIES: &[(&str, &str)] = &[(
    "NEXUS__APPROVAL__POLICIES",
    r#"[{"name": "legal", "category": ["legal"], "requires": "two_approvals"},
        {"name": "most", "category": ["chatter"], "requires": "sampled", "percentage": 1}]"#,
)];

async fn everything_that_is_published_is_as_the_document_says(hub: &TestHub) {
    listen(hub).await;
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    customers(&admin, &cso).await;
    inquiries(&admin, &cso).await;
    responses(hub, &admin, &cso, &manager).await;
    policies(hub, &admin, &cso, &manager).await;
    dead_letters(hub).await;
    second_factors(hub, &cso).await;
    goes_away(&cso).await;
    nobody_decides(hub, &admin, &cso).await;

    let schemas = Schemas::of(super::document());
    let mut seen = BTreeSet::new();
    for event in published(hub).await {
        let event_type = event.event_type.clone();
        let schema = schemas.of_message(&event_type, "payload");
        expect_valid(&schema, &json!(event), &event_type);
        seen.insert(event_type);
    }
    let all = EventType::ALL.iter().filter(|one| one.entity_type().is_published());
    assert_eq!(seen, all.map(ToString::to_string).collect(), "something did not happen");

    let deliveries: Vec<(String,)> = rows(hub, "select cast(message as text) from deliveries").await;
    assert_eq!(deliveries.len(), 3);
    for (delivery,) in deliveries {
        let message: OutboundMessage = serde_json::from_str(&delivery).unwrap();
        let schema = schemas.of_message("OutboundDelivery", "payload");
        expect_valid(&schema, &json!(message), "a delivery");
    }
}

async fn customers(admin: &Client, cso: &Client) {
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    let mut input =
        json!({"firstName": "Ada", "lastName": "Lovelace", "email": email, "phone": "+44 20 7946 0000"});
    let customer = admin.post("/customers", input.clone()).await.expect(201);
    let customer = path("customers", &customer);
    input["metadata"] = json!({"plan": "gold", "seats": 12, "notes": [null, {"vip": true}]});
    input["status"] = json!("suspended");
    admin.put(&customer, input).await.expect(200);
    admin.post(&format!("{customer}/assign"), json!({"assigneeId": cso.id})).await.expect(200);
    admin.delete(&customer).await.expect(204);
}

async fn inquiries(admin: &Client, cso: &Client) {
    let message = |id: &str| {
        json!({"externalId": id, "threadId": "room-7", "message": "Where is it?",
            "customer": {"email": "grace@example.com", "firstName": "Grace"}})
    };
    let taken = admin.post("/inbound/chat", message("1")).await.expect(201);
    let inquiry = format!("/inquiries/{}", taken["inquiryId"].as_str().unwrap());
    let input = json!({"subject": "Where is my order?", "message": "Where is it?", "priority": "urgent"});
    cso.put(&inquiry, input).await.expect(200);
    cso.patch(&format!("{inquiry}/status"), json!({"status": "closed"})).await.expect(200);
    admin.post("/inbound/chat", message("2")).await.expect(201);
    assert_eq!(cso.get(&inquiry).await.expect(200)["status"], "in_progress", "it was reopened");
}

/// One that is sent after all that can be done to it, and one that cannot be sent.
async fn responses(hub: &TestHub, admin: &Client, cso: &Client, manager: &Client) {
    let response = path("responses", &hub.draft(cso, admin).await);
    let submit = format!("{response}/submit");
    cso.act(&submit).await.expect(200);
    cso.act(&format!("{response}/withdraw")).await.expect(200);
    cso.put(&response, json!({"message": "It ships today."})).await.expect(200);
    cso.act(&submit).await.expect(200);
    manager.post(&format!("{response}/reject"), json!({"notes": "Sure?"})).await.expect(200);
    cso.put(&response, json!({"message": "It ships tomorrow."})).await.expect(200);
    cso.act(&submit).await.expect(200);
    manager.act(&format!("{response}/approve")).await.expect(200);
    report(admin, "confirm", json!({})).await;

    let unlucky = path("responses", &hub.draft(cso, admin).await);
    cso.act(&format!("{unlucky}/submit")).await.expect(200);
    manager.post(&format!("{unlucky}/approve"), json!({"notes": "Good."})).await.expect(200);
    report(admin, "fail", json!({"reason": "no such mailbox", "permanent": true})).await;
    for (response, status) in [(response, "sent"), (unlucky, "delivery_failed")] {
        assert_eq!(admin.get(&response).await.expect(200)["status"], status);
    }
}

/// One approval of two, and one that goes without any.
async fn policies(hub: &TestHub, admin: &Client, cso: &Client, manager: &Client) {
    let submitted = async |category: &str| {
        let inquiry = ask(admin, &hub.customer(admin).await, json!({"category": category})).await;
        let draft = json!({"inquiryId": inquiry["id"], "message": "Yes."});
        let draft = path("responses", &cso.post("/responses", draft).await.expect(201));
        cso.act(&format!("{draft}/submit")).await.expect(200)
    };
    let legal = path("responses", &submitted("legal").await);
    manager.act(&format!("{legal}/approve")).await.expect(200);
    // One in a hundred is picked.
    while submitted("chatter").await["status"] != "approved" {}
}

/// Of the one delivery that is pending.
async fn report(admin: &Client, outcome: &str, body: Value) {
    let pending = admin.get("/deliveries?status=pending").await.expect(200);
    let [delivery] = pending["data"].as_array().unwrap().as_slice() else { panic!("{pending}") };
    admin.post(&format!("{}/{outcome}", path("deliveries", delivery)), body).await.expect(200);
}

/// One without anything, and one whose cause can be mended.
async fn dead_letters(hub: &TestHub) {
    let message = json!({"customer": {"email": "grace@example.com"}, "message": "Hello"});
    let bare = Envelope {
        receipt: Uuid::now_v7(),
        routing_key: String::new(),
        message_id: None,
        content_type: None,
        headers: Map::new(),
        body: b"\x00\xff".to_vec(),
    };
    let without_channel = Envelope {
        receipt: Uuid::now_v7(),
        routing_key: "inquiry".to_owned(),
        message_id: Some("7".to_owned()),
        content_type: Some("application/json".to_owned()),
        headers: Map::from_iter([("x-hops".to_owned(), json!([1, {"by": "mx"}]))]),
        body: message.to_string().into_bytes(),
    };
    let receipts = hub.app.hub.intake_desk.ask(Receive(vec![bare, without_channel])).await.unwrap();
    assert_eq!(receipts, [Some(Receipt::DeadLettered); 2]);
    let ids = |key: &'static str| async move {
        let letters: Vec<(Uuid, String)> = rows(hub, "select id, routing_key from dead_letters").await;
        letters.into_iter().find(|(_, found)| found == key).unwrap().0
    };
    let (bare, without_channel) = (ids("").await, ids("inquiry").await);
    execute(hub, "update dead_letters set routing_key = 'inquiry.chat' where routing_key = 'inquiry'").await;
    for (id, verdict) in [(bare, Verdict::Discard), (without_channel, Verdict::Replay)] {
        let settle = SettleDeadLetter { caller: None, id, verdict };
        hub.app.hub.dead_letter_desk.ask(settle).await.unwrap();
    }
}

/// Not even when the customer writes again.
async fn nobody_decides(hub: &TestHub, admin: &Client, cso: &Client) {
    let message = |id: &str| {
        json!({"externalId": id, "threadId": "room-8", "message": "Where is it?",
            "customer": {"email": "joan@example.com"}})
    };
    let taken = admin.post("/inbound/chat", message("1-8")).await.expect(201);
    let draft = json!({"inquiryId": taken["inquiryId"], "message": "It is late."});
    let response = path("responses", &cso.post("/responses", draft).await.expect(201));
    cso.act(&format!("{response}/submit")).await.expect(200);
    admin.post("/inbound/chat", message("2-8")).await.expect(201);
    assert_eq!(admin.get(&response).await.expect(200)["stale"], true);
    hub.clock.advance(Duration::from_secs(2 * 60 * 60));
    hub.app.hub.approval_coordinator.ask(FireTimers).await.unwrap();
}

async fn second_factors(hub: &TestHub, cso: &Client) {
    let (app, _) = enrol(hub, cso).await;
    let proof = |code: &str| json!({"currentPassword": PASSWORD, "code": code});
    let codes = cso.post("/auth/totp/recovery-codes", proof(&app.shows(hub, 1))).await.expect(200);
    let code = codes["recoveryCodes"][0].as_str().unwrap();
    cso.post("/auth/totp/disable", proof(code)).await.expect(200);
}

/// With a new password, and with work left that goes back to the queue.
async fn goes_away(cso: &Client) {
    let new = json!({"currentPassword": PASSWORD, "newPassword": "seven copper lanterns"});
    cso.put("/auth/profile", new).await.expect(200);
    cso.put("/auth/profile", json!({"availability": "away"})).await.expect(200);
}

/// Rows leave the outbox once they are published, so each is noted as it comes in.
async fn listen(hub: &TestHub) {
    match &hub.app.hub.storage.db {
        Db::Postgres(_) => {
            execute(
                hub,
                "create table seen (like outbox);
                create function note() returns trigger language plpgsql as
                    'begin insert into seen select new.*; return new; end';
                create trigger note after insert on outbox for each row execute function note();",
            )
            .await;
        }
        Db::Sqlite { .. } => {
            execute(
                hub,
                "create table seen as select * from outbox where false;
                create trigger note after insert on outbox begin
                    insert into seen select * from outbox where seq = new.seq;
                end;",
            )
            .await;
        }
    }
}

async fn published(hub: &TestHub) -> Vec<CloudEvent> {
    const SQL: &str = "select id, event_type, entity_id, created_at, cast(data as text) from seen \
        where kind = 'event' order by seq";
    type Row = (Uuid, String, Uuid, Timestamp, String);
    let event = |(id, event_type, subject, time, data): Row| {
        CloudEvent::new(id, event_type, subject, time, serde_json::from_str(&data).unwrap())
    };
    rows(hub, SQL).await.into_iter().map(event).collect()
}
