//! Gateways over REST: what they bring in counts once, and what they fetch is what was approved.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    a_message_counts_once_however_often_it_is_brought,
    a_known_thread_continues_its_inquiry_and_reopens_it,
    an_unknown_customer_is_created_once,
    the_idempotency_key_stands_in_for_a_missing_external_id,
    bad_messages_are_refused_by_field,
    a_key_opens_its_scopes_until_it_is_revoked,
    people_are_refused_except_admins,
    a_confirmed_delivery_makes_the_response_sent,
    a_failed_delivery_is_tried_again_and_fails_for_good_in_the_end,
    a_permanent_failure_can_be_submitted_again,
);

struct Gateway {
    client: Client,
    key: String,
}

impl Gateway {
    async fn with(hub: &TestHub, admin: &Client, scopes: &[&str]) -> Self {
        let created = admin.post("/api-keys", json!({"name": "gateway", "scopes": scopes})).await.expect(201);
        Self { client: hub.anonymous(), key: created["key"].as_str().unwrap().to_owned() }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> crate::harness::Reply {
        self.client.send(method, path, body, &[("X-API-Key", &self.key)]).await
    }

    async fn post(&self, path: &str, body: Value) -> crate::harness::Reply {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn pending(&self) -> Vec<Value> {
        let page = self.send(Method::GET, "/deliveries?status=pending&limit=100", None).await.expect(200);
        page["data"].as_array().unwrap().clone()
    }
}

fn mail(external_id: &str, email: &str) -> Value {
    json!({
        "externalId": external_id,
        "customer": {"email": email, "firstName": "Ada", "lastName": "Lovelace", "phone": null, "company": null},
        "subject": "Where is my order?", "message": "It was due on Monday.", "priority": "high",
        "category": "shipping", "metadata": {"spf": "pass"}
    })
}

fn address() -> String {
    format!("{}@example.com", Uuid::new_v4().simple())
}

/// An inquiry that came in by mail, with an approved reply.
async fn approved(hub: &TestHub, gateway: &Gateway, admin: &Client) -> (Value, Value) {
    let (cso, manager) = (hub.cso().await, hub.manager().await);
    let taken = gateway.post("/inbound/email", mail("<1@mail.example>", &address())).await.expect(201);
    let inquiry =
        admin.get(&format!("/inquiries/{}", taken["inquiryId"].as_str().unwrap())).await.expect(200);
    let draft = json!({"inquiryId": inquiry["id"], "message": "It ships\r\n tomorrow.\n"});
    let draft = cso.post("/responses", draft).await.expect(201);
    cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
    let response = manager.act(&format!("{}/approve", path("responses", &draft))).await.expect(200);
    (inquiry, response)
}

async fn a_message_counts_once_however_often_it_is_brought(hub: &TestHub) {
    let admin = hub.admin().await;
    let gateway = Gateway::with(hub, &admin, &["inbound"]).await;
    let message = mail("<CAF=abc@mail.example>", &address());
    let first = gateway.post("/inbound/email", message.clone()).await.expect(201);
    assert_eq!(first["duplicate"], false);
    let repeats =
        futures_util::future::join_all((0..20).map(|_| gateway.post("/inbound/email", message.clone())));
    for repeat in repeats.await {
        let repeat = repeat.expect(200);
        assert_eq!((&repeat["duplicate"], &repeat["inquiryId"]), (&json!(true), &first["inquiryId"]));
    }
    // Another channel may use the same id for something else.
    let other = gateway.post("/inbound/chat", message).await.expect(201);
    assert_ne!(other["inquiryId"], first["inquiryId"]);
    let inquiry =
        admin.get(&format!("/inquiries/{}", first["inquiryId"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&inquiry["channel"], &inquiry["externalId"]),
        (&json!("email"), &json!("<CAF=abc@mail.example>"))
    );
    assert_eq!((&inquiry["priority"], &inquiry["category"]), (&json!("high"), &json!("shipping")));
}

async fn a_known_thread_continues_its_inquiry_and_reopens_it(hub: &TestHub) {
    let admin = hub.admin().await;
    let cso = hub.cso().await;
    let gateway = Gateway::with(hub, &admin, &["inbound"]).await;
    let email = address();
    let in_thread = |id: &str, email: &str, text: &str| {
        let mut message = mail(id, email);
        message["threadId"] = json!("thread-7");
        message["message"] = json!(text);
        message
    };
    let first = gateway.post("/inbound/email", in_thread("1", &email, "one")).await.expect(201);
    let inquiry = format!("/inquiries/{}", first["inquiryId"].as_str().unwrap());
    let second = gateway.post("/inbound/email", in_thread("2", &email, "two")).await.expect(201);
    assert_eq!(second["inquiryId"], first["inquiryId"]);
    cso.patch(&format!("{inquiry}/status"), json!({"status": "closed"})).await.expect(200);
    let third = gateway.post("/inbound/email", in_thread("3", &email, "three")).await.expect(201);
    assert_eq!(third["inquiryId"], first["inquiryId"]);
    let reopened = cso.get(&inquiry).await.expect(200);
    assert_eq!((&reopened["status"], &reopened["assignedTo"]), (&json!("in_progress"), &json!(cso.id)));
    let told = cso.get(&format!("{inquiry}/messages")).await.expect(200);
    let told: Vec<_> = told["data"].as_array().unwrap().iter().map(|one| one["message"].clone()).collect();
    assert_eq!(told, ["one", "two", "three"]);
    let stranger = gateway.post("/inbound/email", in_thread("4", &address(), "mine")).await.expect(201);
    assert_ne!(stranger["inquiryId"], first["inquiryId"], "a thread belongs to its customer");
}

async fn an_unknown_customer_is_created_once(hub: &TestHub) {
    let admin = hub.admin().await;
    let gateway = Gateway::with(hub, &admin, &["inbound"]).await;
    let email = address();
    let messages = (0..10).map(|n| gateway.post("/inbound/email", mail(&n.to_string(), &email)));
    for taken in futures_util::future::join_all(messages).await {
        taken.expect(201);
    }
    let found = admin.get(&format!("/customers?q={email}")).await.expect(200);
    assert_eq!(found["meta"]["total"], 1, "{found}");
    let customer = found["data"][0]["id"].as_str().unwrap();
    let inquiries = admin.get(&format!("/inquiries?customerId={customer}")).await.expect(200);
    assert_eq!(inquiries["meta"]["total"], 10);
}

async fn the_idempotency_key_stands_in_for_a_missing_external_id(hub: &TestHub) {
    let admin = hub.admin().await;
    let gateway = Gateway::with(hub, &admin, &["inbound"]).await;
    let message = json!({"customer": {"email": address()}, "message": "Hello, is anybody there?"});
    let send = |key: &'static str| {
        let headers = [("X-API-Key", gateway.key.clone()), ("Idempotency-Key", key.to_owned())];
        let (client, message) = (gateway.client.clone(), message.clone());
        async move {
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            client.send(Method::POST, "/inbound/chat", Some(message), &headers).await
        }
    };
    let first = send("a").await.expect(201);
    let again = send("a").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201), first);
    assert_ne!(send("b").await.expect(201)["inquiryId"], first["inquiryId"]);
    let inquiry =
        admin.get(&format!("/inquiries/{}", first["inquiryId"].as_str().unwrap())).await.expect(200);
    assert_eq!(inquiry["subject"], "Hello, is anybody there?");
    assert_eq!(inquiry["externalId"], Value::Null, "the channel gave it no id");
}

async fn bad_messages_are_refused_by_field(hub: &TestHub) {
    let admin = hub.admin().await;
    let gateway = Gateway::with(hub, &admin, &["inbound"]).await;
    let mut bad = mail("x", "nobody");
    bad["message"] = json!("");
    let refused = gateway.post("/inbound/email", bad).await.expect(422);
    let pointers: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|one| one["pointer"].clone()).collect();
    assert_eq!(pointers, ["/message", "/customer/email"]);
    gateway.post("/inbound/E-Mail", mail("x", &address())).await.expect(422);
    let mut unknown = mail("x", &address());
    unknown["role"] = json!("admin");
    gateway.post("/inbound/email", unknown).await.expect(422);
}

async fn a_key_opens_its_scopes_until_it_is_revoked(hub: &TestHub) {
    let admin = hub.admin().await;
    let created = admin.post("/api-keys", json!({"name": "mail", "scopes": ["inbound"]})).await.expect(201);
    let key = created["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("nxk_") && key.len() > 40);
    let gateway = Gateway { client: hub.anonymous(), key: key.clone() };
    gateway.post("/inbound/email", mail("1", &address())).await.expect(201);
    gateway.send(Method::GET, "/deliveries", None).await.expect(403);
    gateway.send(Method::GET, "/customers", None).await.expect(403);
    let bearer = hub.anonymous().raw(Method::GET, "/deliveries").bearer_auth(&key);
    crate::harness::reply(bearer).await.expect(403);

    let listed = admin.get("/api-keys").await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains(&key), "the key is shown once");
    assert_ne!(listed["data"][0]["lastUsedAt"], Value::Null);
    admin.delete(&path("api-keys", &created)).await.expect(204);
    gateway.post("/inbound/email", mail("2", &address())).await.expect(401);
    admin.delete(&path("api-keys", &created)).await.expect(404);
}

async fn people_are_refused_except_admins(hub: &TestHub) {
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    for person in [&manager, &cso] {
        person.post("/inbound/email", mail("1", &address())).await.expect(403);
        person.get("/deliveries").await.expect(403);
        person.post("/api-keys", json!({"name": "x", "scopes": ["inbound"]})).await.expect(403);
        person.get("/api-keys").await.expect(403);
    }
    admin.post("/inbound/email", mail("1", &address())).await.expect(201);
    admin.get("/deliveries").await.expect(200);
    hub.anonymous().get("/deliveries").await.expect(401);
}

async fn a_confirmed_delivery_makes_the_response_sent(hub: &TestHub) {
    let admin = hub.admin().await;
    let gateway = Gateway::with(hub, &admin, &["inbound", "deliveries"]).await;
    let (inquiry, response) = approved(hub, &gateway, &admin).await;
    let pending = gateway.pending().await;
    let [delivery] = pending.as_slice() else { panic!("{pending:?}") };
    assert_eq!(delivery["message"], "It ships\r\n tomorrow.\n", "byte for byte");
    assert_eq!(delivery["deliveryId"], delivery["id"]);
    assert_eq!((&delivery["responseId"], &delivery["revision"]), (&response["id"], &json!(1)));
    assert_eq!((&delivery["externalId"], &delivery["channel"]), (&inquiry["externalId"], &json!("email")));
    assert_eq!(delivery["subject"], "Re: Where is my order?");
    assert_eq!(delivery["approvedBy"], response["approvedBy"]);

    let confirm = format!("{}/confirm", path("deliveries", delivery));
    let sent = gateway.send(Method::POST, &confirm, None).await.expect(200);
    assert_eq!(sent["status"], "sent");
    let again = gateway.send(Method::POST, &confirm, None).await.expect(200);
    assert_eq!(again, sent, "the same report changes nothing");
    let contradiction = format!("{}/fail", path("deliveries", delivery));
    gateway.post(&contradiction, json!({"reason": "bounced", "permanent": true})).await.expect(409);
    let sent = admin.get(&path("responses", &response)).await.expect(200);
    assert_eq!(sent["status"], "sent");
    assert_ne!(sent["sentAt"], Value::Null);
    assert!(gateway.pending().await.is_empty());
    let unknown = format!("/deliveries/{}/confirm", Uuid::now_v7());
    gateway.send(Method::POST, &unknown, None).await.expect(404);
}

async fn a_failed_delivery_is_tried_again_and_fails_for_good_in_the_end(hub: &TestHub) {
    let admin = hub.admin().await;
    let gateway = Gateway::with(hub, &admin, &["inbound", "deliveries"]).await;
    let (_, response) = approved(hub, &gateway, &admin).await;
    let delivery = gateway.pending().await.remove(0);
    let fail = format!("{}/fail", path("deliveries", &delivery));
    for attempt in 1..8 {
        let failed =
            gateway.post(&fail, json!({"reason": "greylisted", "permanent": false})).await.expect(200);
        assert_eq!((&failed["status"], &failed["attempts"]), (&json!("pending"), &json!(attempt)));
        assert_ne!(failed["nextAttemptAt"], Value::Null);
        hub.clock.advance(Duration::from_secs(3600));
    }
    let failed = gateway.post(&fail, json!({"reason": "greylisted"})).await.expect(200);
    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("failed"), &json!(8)));
    // Hours have passed; the admin signs in again.
    let admin = hub.admin().await;
    let response = admin.get(&path("responses", &response)).await.expect(200);
    assert_eq!(
        (&response["status"], &response["deliveryError"]),
        (&json!("delivery_failed"), &json!("greylisted"))
    );
}

async fn a_permanent_failure_can_be_submitted_again(hub: &TestHub) {
    let admin = hub.admin().await;
    let gateway = Gateway::with(hub, &admin, &["inbound", "deliveries"]).await;
    let (_, response) = approved(hub, &gateway, &admin).await;
    let first = gateway.pending().await.remove(0);
    let fail = format!("{}/fail", path("deliveries", &first));
    gateway.post(&fail, json!({"reason": "no such mailbox", "permanent": true})).await.expect(200);
    gateway.send(Method::POST, &format!("{}/confirm", path("deliveries", &first)), None).await.expect(409);
    let response = path("responses", &response);
    admin.act(&format!("{response}/submit")).await.expect(200);
    hub.manager().await.act(&format!("{response}/approve")).await.expect(200);
    let second = gateway.pending().await.remove(0);
    assert_ne!(second["id"], first["id"], "each approval has a delivery of its own");
    gateway.send(Method::POST, &format!("{}/confirm", path("deliveries", &second)), None).await.expect(200);
    assert_eq!(admin.get(&response).await.expect(200)["status"], "sent");
    let history = admin.get(&format!("{response}/history")).await.expect(200);
    let steps: Vec<_> = history["data"].as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(
        steps,
        ["created", "submitted", "approved", "delivery_failed", "submitted", "approved", "sent"]
    );
}
