//! The whole log of a hub, at its most talkative: no secret is in it, and nobody but the hub writes lines of it.

mod forged;
mod secrets;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use nexus_actors::domain::Timestamp;
use nexus_hub::broker::Topology;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::types::Uuid;

use crate::broker::{EMAIL, PASSWORD};
use crate::harness::{Client, Engine, Place, amqp_url, path, within};
use crate::hub::Hub;
use crate::mail_server::MailServer;
use crate::rabbit::Rabbit;

const PATIENCE: Duration = Duration::from_secs(30);
/// All that the hub's own code has to say.
const TALKATIVE: &str = "info,nexus_hub=trace,nexus_actors=trace,lapin=off";
const MAIL_PASSWORD: &str = "s3cret-of-the-mail-server";
const ACCESS_SECRET: &str = "0123456789-0123456789-0123456789-access";
const REFRESH_SECRET: &str = "0123456789-0123456789-0123456789-refresh";

/// A hub that logs all it can, on `engine`, with a mail server to which it has to sign in. Answers with the log.
fn log_of(engine: Engine, format: &str, test: impl AsyncFnOnce(&Hub, &Place, &MailServer)) -> String {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(engine).await;
        let server = MailServer::start();
        let mail = format!("smtp://hub:{MAIL_PASSWORD}@127.0.0.1:{}?tls=none", server.port);
        let mut variables = place.variables();
        let more = [
            ("LOG_FORMAT", format),
            ("RUST_LOG", TALKATIVE),
            ("JWT_SECRET", ACCESS_SECRET),
            ("JWT_REFRESH_SECRET", REFRESH_SECRET),
            ("BOOTSTRAP_ADMIN_EMAIL", EMAIL),
            ("BOOTSTRAP_ADMIN_PASSWORD", PASSWORD),
            ("SMTP_URL", &mail),
            ("SMTP_FROM", "support@hub.example"),
        ];
        variables.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if engine == Engine::Full {
            variables.push(("AMQP_URL".to_owned(), amqp_url()));
        }
        let directory = tempfile::tempdir().unwrap();
        let hub = start(directory.path(), &variables).await;
        hub.is_ready().await;
        let outcome = AssertUnwindSafe(test(&hub, &place, &server)).catch_unwind().await;
        let log = hub.stop().await.err;
        if engine == Engine::Full {
            Rabbit::clean_up(&Topology::new(&place.name, ["email", "chat"])).await;
        }
        place.remove().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        log
    })
}

async fn start(directory: &Path, variables: &[(String, String)]) -> Hub {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Hub::start(directory, &variables).await
}

/// Each line is an event: an object of JSON, or one that begins with its time and level.
#[track_caller]
fn expect_events(log: &str, format: &str) {
    assert!(log.lines().count() > 10, "{log}");
    let since = Timestamp::parse("2020-01-01T00:00:00Z").unwrap();
    for line in log.lines() {
        let (time, level) = if format == "json" {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            (text("timestamp"), text("level"))
        } else {
            let mut words = line.split_whitespace().map(str::to_owned);
            (words.next().unwrap_or_default(), words.next().unwrap_or_default())
        };
        assert!(Timestamp::parse(&time).is_some_and(|time| time > since), "{line:?}");
        assert!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level.as_str()), "{line:?}");
        let breaks = |c: char| c.is_control() || "\u{2028}\u{2029}".contains(c);
        assert!(!line.contains(breaks), "{line:?}");
    }
}

/// Who writes the replies, and who approves them.
async fn people(hub: &Hub) -> (Client, Client) {
    let (admin, _) = hub.sign_in(EMAIL, PASSWORD).await;
    let cso = json!({
        "email": "grace@example.com", "password": PASSWORD, "role": "cso", "firstName": "Grace", "lastName": "Hopper"
    });
    admin.post("/auth/register", cso).await.expect(201);
    let (cso, _) = hub.sign_in("grace@example.com", PASSWORD).await;
    (cso, admin)
}

/// An approved reply to a mail that `key` brings in, which the hub is to send by its mail server.
async fn approved_reply(hub: &Hub, (cso, admin): (&Client, &Client), key: &str, text: &str) -> Value {
    let mail = json!({
        "externalId": Uuid::new_v4().to_string(), "customer": {"email": "ada@example.com"}, "message": "Where is it?"
    });
    let headers = [("X-API-Key", key)];
    let taken = hub.anyone().send(Method::POST, "/inbound/email", Some(mail), &headers).await.expect(201);
    let inquiry = taken["inquiryId"].clone();
    let draft = cso.post("/responses", json!({"inquiryId": inquiry, "message": text})).await.expect(201);
    cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
    admin.act(&format!("{}/approve", path("responses", &draft))).await.expect(200)
}

async fn logged(hub: &Hub, what: &str) {
    let waited = format!("the log has {what:?}");
    within(PATIENCE, &waited, async || hub.errors().contains(what)).await;
}
