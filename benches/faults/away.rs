//! PostgreSQL and Redis stopped for a while under a hub that has work.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::rig::figures::Figures;
use crate::rig::gateway::{Message, Publisher};
use crate::rig::hub::{PASSWORD, Person};
use crate::rig::load::{Sent, get, millis, percentile, post, send, slowest};
use crate::rig::services::{Service, count};
use crate::rig::{Outcome, until};
use crate::stage::{Place, Stage, customer, limit, made};

const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// What a request takes besides waiting for the database.
const OVERHEAD: Duration = Duration::from_millis(200);
const NORMAL_WITHIN: Duration = Duration::from_secs(5);
const ADDED: Duration = Duration::from_millis(150);
const MESSAGES: usize = 100;

/// Row 8. The hub reaches RabbitMQ by a wire, on which repeated deliveries would be seen.
pub async fn postgres(stage: &mut Stage) -> Outcome<Figures> {
    let away_for = stage.seconds(6, 60);
    let place = stage.place().await?;
    let mut wired = place.wired();
    wired.rabbitmq.open();
    let through = Place { rabbitmq: wired.place.rabbitmq.clone(), ..place.clone() };
    let hub = through.hub().await?;
    let admin = Person::admin(&hub.base).await?;
    made(&admin).await?;
    stage.services.lock().await.stop(Service::Postgres).await?;
    let before = wired.rabbitmq.received();
    let messages: Vec<_> = (0..MESSAGES).map(message).collect();
    let size: usize = messages.iter().map(|message| message.body.len()).sum();
    Publisher::with_prefix(&place.rabbitmq, &place.prefix).publish(&messages).await;
    let begun = Instant::now();
    let mut writes = Vec::new();
    while begun.elapsed() < away_for {
        writes.push(post(&admin, "/customers", &customer()).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let copies = (wired.rabbitmq.received() - before) / u64::try_from(size)?;
    stage.services.lock().await.start_again(Service::Postgres).await?;
    let back = Instant::now();
    let mut after = Vec::new();
    until("a write is taken", limit(NORMAL_WITHIN) * 4, async || {
        after.push(post(&admin, "/customers", &customer()).await);
        after.last().is_some_and(|write| write.status == 201)
    })
    .await?;
    let written = back.elapsed();
    let taken_in = "select count(*) from inbox";
    until("the messages are taken in", limit(NORMAL_WITHIN) * 4, async || {
        count(&place.database, taken_in).await.is_ok_and(|taken| taken == MESSAGES)
    })
    .await?;
    let normal = back.elapsed();
    let mut figures = Figures::default();
    figures.note(format!("{} s away", away_for.as_secs()));
    let refused = writes.iter().filter(|write| write.status == 503 && write.retry_after).count();
    figures.equal("writes 503", refused, writes.len());
    figures.hold(
        format!("slowest {}", millis(slowest(&writes))),
        slowest(&writes) <= limit(REFUSED_WITHIN + OVERHEAD),
    );
    figures.hold(
        format!("{MESSAGES} messages sent {copies} times over meanwhile"),
        copies <= away_for.as_secs().max(1),
    );
    figures.hold(
        format!("back: first write {}, all messages {}", millis(written), millis(normal)),
        normal <= limit(NORMAL_WITHIN),
    );
    figures.equal("dead letters", count(&place.database, "select count(*) from dead_letters").await?, 0);
    Ok(figures)
}

fn message(number: usize) -> Message {
    let body = json!({
        "externalId": format!("m{number}"),
        "customer": {"email": format!("m{number}@example.com")},
        "subject": "Where is my order?",
        "message": "x".repeat(1000),
    });
    Message { routing_key: "inquiry.email", id: format!("m{number}"), body: body.to_string() }
}

/// Row 9.
pub async fn redis(stage: &mut Stage) -> Outcome<Figures> {
    let rounds = stage.either(50, 2_000);
    let place = stage.place().await?;
    let hub = place.hub_with(&[("NEXUS__RATE_LIMIT__LOGIN_LIMIT", "20".to_owned())]).await?;
    let admin = Person::admin(&hub.base).await?;
    let manager = admin.make("manager", "grace@example.com").await?;
    let ended = Person::admin(&hub.base).await?;
    let refresh = refresh_token(&hub.base).await?;
    send(ended.request(reqwest::Method::POST, "/auth/logout").json(&json!({}))).await;
    let before = Work::done(&admin, &manager, rounds).await?;
    stage.services.lock().await.stop(Service::Redis).await?;
    let during = Work::done(&admin, &manager, rounds).await?;
    let refreshed = post(&admin, "/auth/refresh", &json!({"refreshToken": refresh})).await;
    let revoked = get(&ended, "/auth/profile").await;
    let mut logins = Vec::new();
    for _ in 0..30 {
        let wrong = json!({"email": "nobody@example.com", "password": "not the password"});
        logins.push(post(&admin, "/auth/login", &wrong).await.status);
    }
    stage.services.lock().await.start_again(Service::Redis).await?;
    let heals = until("the hub is well", Duration::from_secs(30), async || well(&hub.base).await).await?;
    let mut figures = Figures::default();
    for (what, before, during) in [
        ("reads", &before.reads, &during.reads),
        ("writes", &before.writes, &during.writes),
        ("approvals", &before.approvals, &during.approvals),
    ] {
        let p99 = |sent: &[Sent]| percentile(&sent.iter().map(|sent| sent.took).collect::<Vec<_>>(), 99);
        let (p99_before, p99_during) = (p99(before), p99(during));
        let failed = during.iter().filter(|sent| !(200..300).contains(&sent.status)).count();
        figures.equal(&format!("{} {what} failed", during.len()), failed, 0);
        figures.hold(
            format!("p99 {} after {}", millis(p99_during), millis(p99_before)),
            p99_during <= p99_before + limit(ADDED),
        );
    }
    figures.equal("refresh", refreshed.status, 503);
    figures.equal("revoked session", revoked.status, 401);
    let open = logins.iter().skip(20).filter(|status| **status != 429).count();
    figures.equal("sign-ins past the limit let through", open, 0);
    figures.note(format!("well {} after its return", millis(heals)));
    Ok(figures)
}

#[derive(Default)]
struct Work {
    reads: Vec<Sent>,
    writes: Vec<Sent>,
    approvals: Vec<Sent>,
}

impl Work {
    async fn done(admin: &Person, manager: &Person, rounds: usize) -> Outcome<Self> {
        let mut work = Self::default();
        let inquiry =
            json!({"customerId": made(admin).await?, "subject": "Where?", "message": "It is late."});
        for _ in 0..rounds {
            let path = format!("/customers/{}", inquiry["customerId"].as_str().unwrap_or_default());
            work.reads.push(get(admin, &path).await);
            work.writes.push(post(admin, "/customers", &customer()).await);
            let asked = admin.post("/inquiries", inquiry.clone()).await?;
            let draft = json!({"inquiryId": asked["id"], "message": "It ships tomorrow."});
            let draft = admin.post("/responses", draft).await?;
            let path = format!("/responses/{}", draft["id"].as_str().unwrap_or_default());
            admin.post(&format!("{path}/submit"), json!({})).await?;
            work.approvals.push(post(manager, &format!("{path}/approve"), &json!({})).await);
        }
        Ok(work)
    }
}

pub async fn refresh_token(base: &str) -> Outcome<String> {
    let login = json!({"email": "admin@example.com", "password": PASSWORD});
    let answer = reqwest::Client::new().post(format!("{base}/api/v1/auth/login")).json(&login).send().await?;
    let answer: serde_json::Value = answer.error_for_status()?.json().await?;
    Ok(answer["refreshToken"].as_str().ok_or("no refresh token")?.to_owned())
}

/// All checks of `/health` are up.
pub async fn well(base: &str) -> bool {
    let asked = async {
        let answer = reqwest::get(format!("{base}/health")).await?;
        answer.json::<serde_json::Value>().await
    };
    asked.await.is_ok_and(|health| health["status"] == "up")
}
