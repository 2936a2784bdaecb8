use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    ACCESS_SECRET, MAIL_PASSWORD, REFRESH_SECRET, approved_reply, expect_events, log_of, logged, people,
    start,
};
use crate::broker::{EMAIL, PASSWORD};
use crate::harness::{Client, Engine};
use crate::hub::Hub;
use crate::mail_server::Manner;

/// What begins every token, key, ticket, secret and hash.
const PREFIXES: [&str; 6] = ["eyJ", "nxk_", "nxt_", "nxr_", "whsec_", "$argon2"];

/// What must not be in a log, and what it is.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn keep(&mut self, what: &'static str, secret: &str) -> String {
        assert!(secret.len() >= 10, "{what}");
        self.0.push((what, secret.to_owned()));
        secret.to_owned()
    }

    fn keep_of(&mut self, what: &'static str, answer: &Value) -> String {
        self.keep(what, answer.as_str().unwrap())
    }

    #[track_caller]
    fn expect_none_in(&self, log: &str) {
        let found = |text: &str| log.lines().find(|line| line.contains(text));
        for (what, secret) in &self.0 {
            // Its end as well: a part of it would be too much.
            for text in [secret.as_str(), &secret[secret.len() - 10..]] {
                assert_eq!(found(text), None, "{what} is in the log");
            }
        }
        for prefix in PREFIXES {
            assert_eq!(found(prefix), None, "something that begins with {prefix} is in the log");
        }
    }
}

#[test]
fn no_secret_is_in_the_log_embedded() {
    no_secret_is_in_the_log(Engine::Embedded);
}

#[test]
fn no_secret_is_in_the_log_full() {
    no_secret_is_in_the_log(Engine::Full);
}

fn no_secret_is_in_the_log(engine: Engine) {
    for format in ["pretty", "json"] {
        let mut secrets = Secrets::default();
        let log = log_of(engine, format, async |hub, _, server| {
            secrets.keep("the secret of access tokens", ACCESS_SECRET);
            secrets.keep("the secret of refresh tokens", REFRESH_SECRET);
            secrets.keep("the admin's password", PASSWORD);
            secrets.keep("the mail server's password", MAIL_PASSWORD);
            let credentials = STANDARD.encode(format!("\0hub\0{MAIL_PASSWORD}"));
            secrets.keep("the sign-in to the mail server", &credentials);
            sessions(hub, &mut secrets).await;
            let (cso, admin) = people(hub).await;
            let key = keys(hub, &admin, &mut secrets).await;
            webhooks(&admin, &mut secrets).await;
            errors(hub, &mut secrets).await;
            server.behave(Manner::Answer("AUTH", "535 5.7.8 no"));
            approved_reply(hub, (&cso, &admin), &key, "It ships tomorrow.").await;
            logged(hub, "the mail server does not let us in").await;
        });
        expect_events(&log, format);
        assert!(log.contains("answered"), "{log}");
        secrets.expect_none_in(&log);
    }
}

async fn sessions(hub: &Hub, secrets: &mut Secrets) {
    let wrong = secrets.keep("a wrong password", "mistyped otter paints lanterns");
    hub.try_sign_in(EMAIL, &wrong).await.expect(401);
    hub.try_sign_in("nobody@example.com", &wrong).await.expect(401);
    let pair = hub.try_sign_in(EMAIL, PASSWORD).await.expect(200);
    let access = secrets.keep_of("an access token", &pair["accessToken"]);
    let refresh = secrets.keep_of("a refresh token", &pair["refreshToken"]);
    let admin = hub.anyone().with_token(&access);
    let ticket = admin.act("/auth/ticket").await.expect(200);
    let events = format!("/events?ticket={}", secrets.keep_of("a ticket", &ticket["ticket"]));
    // A stream without an end: its head is all that is waited for.
    let stream = hub.anyone().raw(Method::GET, &events).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    drop(stream);
    hub.get(&events).await.expect(401);
    let chosen = secrets.keep("a new password", "eleven quiet herons wade");
    let change = |current: &str, new: &str| json!({"currentPassword": current, "newPassword": new});
    admin.put("/auth/profile", change(&wrong, &chosen)).await.expect(422);
    admin.put("/auth/profile", change(PASSWORD, &chosen)).await.expect(200);
    admin.put("/auth/profile", change(&chosen, PASSWORD)).await.expect(200);

    let spend = async |token: &str| hub.anyone().post("/auth/refresh", json!({"refreshToken": token})).await;
    let pair = spend(&refresh).await.expect(200);
    secrets.keep_of("a refreshed access token", &pair["accessToken"]);
    secrets.keep_of("a refreshed refresh token", &pair["refreshToken"]);
    // Used again, which ends the session; and used as what it is not.
    spend(&refresh).await.expect(401);
    spend(&access).await.expect(401);
    hub.anyone().with_token(&refresh).get("/auth/profile").await.expect(401);
    let (admin, refresh) = hub.sign_in(EMAIL, PASSWORD).await;
    secrets.keep("another refresh token", &refresh);
    let access = secrets.keep("another access token", admin.token.as_ref().unwrap());
    admin.act("/auth/logout").await.expect(204);
    admin.get("/auth/profile").await.expect(401);
    hub.get(&format!("/auth/profile?access_token={access}")).await.expect(401);
    hub.get(&format!("/auth/{access}")).await.expect(404);
}

/// An API key that is good.
async fn keys(hub: &Hub, admin: &Client, secrets: &mut Secrets) -> String {
    let wanted = json!({"name": "gateway", "scopes": ["inbound", "deliveries"]});
    let made = admin.post("/api-keys", wanted.clone()).await.expect(201);
    let key = secrets.keep_of("an API key", &made["key"]);
    hub.anyone().with_token(&key).get("/deliveries").await.expect(200);
    let revoked = admin.post("/api-keys", wanted).await.expect(201);
    let other = secrets.keep_of("a revoked API key", &revoked["key"]);
    admin.delete(&crate::harness::path("api-keys", &revoked)).await.expect(204);
    for header in ["X-API-Key", "Authorization"] {
        let value = if header == "Authorization" { format!("Bearer {other}") } else { other.clone() };
        hub.anyone().send(Method::GET, "/deliveries", None, &[(header, &value)]).await.expect(401);
    }
    key
}

async fn webhooks(admin: &Client, secrets: &mut Secrets) {
    // The path is the secret of some receivers.
    let url =
        format!("https://nowhere.invalid/{}", secrets.keep("a webhook's path", "services/T0001/B0002/XXXX"));
    let webhook = admin.post("/webhooks", json!({"url": url, "events": ["*"]})).await.expect(201);
    secrets.keep_of("a webhook's secret", &webhook["secret"]);
    let path = crate::harness::path("webhooks", &webhook);
    let rotated = admin.act(&format!("{path}/rotate")).await.expect(200);
    secrets.keep_of("a webhook's new secret", &rotated["secret"]);
    let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": "lovelace@example.com"});
    admin.post("/customers", customer).await.expect(201);
    let called = async || {
        let attempts = admin.get(&format!("{path}/attempts")).await.expect(200);
        attempts["meta"]["total"].as_u64().unwrap() > 0
    };
    crate::harness::within(super::PATIENCE, "it is called", called).await;
}

/// Bodies that hold a password and are refused for what else is in them.
async fn errors(hub: &Hub, secrets: &mut Secrets) {
    let password = secrets.keep("a password in a bad request", "five patient gulls return");
    let cut_off = format!("{{\"email\": \"ada@example.com\", \"password\": \"{password}\"");
    let login = hub.anyone().raw(Method::POST, "/auth/login").header("content-type", "application/json");
    crate::harness::reply(login.body(cut_off)).await.expect(400);
    for body in [
        json!({"email": 7, "password": password}),
        json!({"email": "ada@example.com", "password": [password]}),
        json!({"email": "ada@example.com", "password": password, "secret": password}),
    ] {
        hub.anyone().post("/auth/login", body).await.expect(422);
    }
    for header in ["Authorization", "X-API-Key", "Cookie", "X-Request-Id", "Idempotency-Key"] {
        let headers = [(header, password.as_str())];
        hub.anyone().send(Method::POST, "/customers", Some(json!({})), &headers).await.expect(401);
    }
}

#[test]
fn servers_that_are_away_are_named_without_their_passwords() {
    actix_web::rt::System::new().block_on(async {
        for format in ["pretty", "json"] {
            let mut secrets = Secrets::default();
            let [database, redis, broker] =
                ["database", "redis", "broker"].map(|what| format!("s3cret-of-the-{what}"));
            let variables = [
                ("LOG_FORMAT", format.to_owned()),
                ("RUST_LOG", super::TALKATIVE.to_owned()),
                // Nobody listens at the discard port.
                ("DATABASE_URL", format!("postgres://hub:{database}@127.0.0.1:9/nexus")),
                ("REDIS_URL", format!("redis://:{redis}@127.0.0.1:9")),
                ("AMQP_URL", format!("amqp://hub:{broker}@127.0.0.1:9")),
            ];
            let directory = tempfile::tempdir().unwrap();
            let hub = start(directory.path(), &variables.map(|(name, value)| (name.to_owned(), value))).await;
            for what in ["the database is unavailable", "Redis is unavailable", "RabbitMQ"] {
                logged(&hub, what).await;
            }
            secrets.keep("the database's password", &database);
            secrets.keep("the password of Redis", &redis);
            secrets.keep("the password of RabbitMQ", &broker);
            secrets.expect_none_in(&hub.errors());
            hub.kill();
        }
    });
}
