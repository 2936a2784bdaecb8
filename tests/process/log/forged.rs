use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{approved_reply, expect_events, log_of, logged, people};
use crate::gateway::Inbound;
use crate::harness::{Client, Engine, Place, path};
use crate::hub::Hub;
use crate::mail_server::Manner;
use crate::rabbit::Rabbit;

/// A line of its own, in other words, and in colour.
const FORGED: &str = "no\r\n2000-01-01T00:00:00.000000Z ERROR forged: it was me\u{1b}[31m\u{9b}0m\u{2028}\u{2029}\u{85}\u{7f}!";

#[test]
fn nobody_else_writes_a_line_of_the_log_embedded() {
    nobody_else_writes_a_line_of_the_log(Engine::Embedded);
}

#[test]
fn nobody_else_writes_a_line_of_the_log_full() {
    nobody_else_writes_a_line_of_the_log(Engine::Full);
}

fn nobody_else_writes_a_line_of_the_log(engine: Engine) {
    for format in ["pretty", "json"] {
        let log = log_of(engine, format, async |hub, place, server| {
            let (cso, admin) = people(hub).await;
            heads(hub).await;
            let made = json!({"name": "gateway", "scopes": ["inbound", "deliveries"]});
            let key = admin.post("/api-keys", made).await.expect(201)["key"].as_str().unwrap().to_owned();
            bodies(hub, (&cso, &admin), &key).await;
            server.behave(Manner::Answer(
                "AUTH",
                "535 5.7.8 no\u{1b}[31m\u{9b}0m\u{2028}2000-01-01 ERROR forged",
            ));
            approved_reply(hub, (&cso, &admin), &key, FORGED).await;
            logged(hub, "the mail server does not let us in").await;
            match engine {
                Engine::Embedded => database(place).await,
                Engine::Full => broker(place).await,
            }
            // What the database says of a delivery, or RabbitMQ of a message.
            let what = if engine == Engine::Embedded { "deliveries wait" } else { "dead letter" };
            approved_reply(hub, (&cso, &admin), &key, FORGED).await;
            logged(hub, what).await;
        });
        assert!(log.contains("forged"), "{log}");
        expect_events(&log, format);
    }
}

/// In every part of a request's head.
async fn heads(hub: &Hub) {
    let evil = [
        "a\u{1b}[31mforged",
        "a\rforged",
        "a\u{2028}forged",
        "a\n 2000-01-01T00:00:00Z ERROR forged",
        "\u{85}\u{9b}",
    ];
    let names = [
        "X-Request-Id",
        "Authorization",
        "X-API-Key",
        "Idempotency-Key",
        "X-Forwarded-For",
        "User-Agent",
        "Origin",
        "If-Match",
        "If-None-Match",
        "Content-Type",
        "Accept",
        "Cookie",
        "Host",
        "Last-Event-ID",
    ];
    let mut requests = Vec::new();
    for evil in evil {
        requests.extend(names.map(|name| format!("POST /api/v1/customers HTTP/1.1\r\n{name}: {evil}\r\n")));
        requests.push(format!("GET /api/v1/{evil} HTTP/1.1\r\n"));
        requests.push(format!("GET /api/v1/customers?q={evil} HTTP/1.1\r\n"));
        requests.push(format!("{evil} /api/v1/customers HTTP/1.1\r\n"));
    }
    let encoded = "%0D%0A2000-01-01T00:00:00Z%20ERROR%20forged%1B[31m%E2%80%A8";
    for at in ["customers/", "inbound/", "customers?q=", "auth/profile?", "events?ticket="] {
        requests.push(format!("GET /api/v1/{at}{encoded} HTTP/1.1\r\n"));
    }
    let address = hub.address.strip_prefix("http://").unwrap();
    for head in requests {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{head}Host: hub.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "), "{head:?}: {}", String::from_utf8_lossy(&answer));
    }
}

/// In every field of text, most of which refuse it.
async fn bodies(hub: &Hub, (cso, admin): (&Client, &Client), key: &str) {
    let answered = |reply: crate::harness::Reply| assert!(reply.status < 500, "{}", reply.text);
    let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": "lovelace@example.com"});
    let customer = admin.post("/customers", customer).await.expect(201);
    let inquiry =
        json!({"customerId": customer["id"], "subject": FORGED, "message": FORGED, "category": FORGED});
    answered(admin.post("/inquiries", inquiry).await);
    let inquiry = json!({"customerId": customer["id"], "subject": "Where?", "message": FORGED});
    let inquiry = admin.post("/inquiries", inquiry).await.expect(201);
    let draft = json!({"inquiryId": inquiry["id"], "message": FORGED});
    let draft = cso.post("/responses", draft).await.expect(201);
    cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
    let reject = format!("{}/reject", path("responses", &draft));
    admin.post(&reject, json!({"notes": FORGED})).await.expect(200);
    let person = json!({
        "email": FORGED, "password": FORGED, "role": FORGED, "firstName": FORGED, "lastName": FORGED, FORGED: FORGED
    });
    let webhook =
        json!({"url": format!("https://hooks.example/{FORGED}"), "events": [FORGED], "description": FORGED});
    let inbound = json!({
        "externalId": FORGED, "threadId": FORGED, "customer": {"email": FORGED, "firstName": FORGED},
        "subject": FORGED, "message": FORGED, "metadata": {FORGED: FORGED},
    });
    for (path, body) in [
        ("/auth/login", json!({"email": FORGED, "password": FORGED})),
        ("/auth/refresh", json!({"refreshToken": FORGED})),
        ("/auth/register", person.clone()),
        ("/customers", person),
        ("/api-keys", json!({"name": FORGED, "scopes": [FORGED]})),
        ("/api-keys", json!({"name": FORGED, "scopes": ["inbound"]})),
        ("/webhooks", webhook),
        ("/responses", json!({"inquiryId": FORGED, "message": FORGED})),
    ] {
        answered(admin.post(path, body).await);
    }
    let profile = json!({"firstName": FORGED, "lastName": FORGED, "availability": FORGED});
    answered(admin.put("/auth/profile", profile).await);
    let headers = [("X-API-Key", key)];
    for body in [inbound, json!(FORGED), json!({FORGED: FORGED})] {
        answered(hub.anyone().send(Method::POST, "/inbound/email", Some(body), &headers).await);
    }
}

/// What the database answers to whoever updates a delivery.
async fn database(place: &Place) {
    let url = place.variables().into_iter().find(|(name, _)| name == "DATABASE_URL").unwrap().1;
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let sql = format!(
        "create trigger forged before update on deliveries begin select raise(abort, '{FORGED}'); end"
    );
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// In every field of a message.
async fn broker(place: &Place) {
    let rabbit = Rabbit::connect().await;
    let topology = nexus_hub::broker::Topology::new(&place.name, ["email", "chat"]);
    let forged = |routing_key: &str, body: Value| {
        let mut message = Inbound::new(routing_key, Some(FORGED), body.to_string());
        message.headers.insert(FORGED.to_owned(), json!(FORGED));
        message.headers.insert("x-nexus-reason".to_owned(), json!(FORGED));
        message
    };
    let customer = json!({"email": "ada@example.com", "firstName": FORGED});
    let messages = [
        forged(&format!("inquiry.{FORGED}"), json!({"customer": customer, "message": FORGED})),
        forged(
            "inquiry.email",
            json!({"externalId": FORGED, "customer": {"email": FORGED}, "message": FORGED}),
        ),
        forged("inquiry.email", json!(FORGED)),
        forged("inquiry.email", json!({FORGED: FORGED})),
        forged("delivery.failed", json!({"deliveryId": FORGED, "reason": FORGED})),
        forged(&format!("delivery.{FORGED}"), json!({})),
        Inbound::new("inquiry.email", None, FORGED),
    ];
    rabbit.publish(&topology.inbound(), &messages).await;
}
