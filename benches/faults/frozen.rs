//! Servers that were sent SIGSTOP, and a RabbitMQ that takes no publishes for want of memory.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::away::{refresh_token, well};
use crate::rig::figures::Figures;
use crate::rig::hub::{PASSWORD, Person};
use crate::rig::load::{Sent, get, millis, post, slowest};
use crate::rig::services::Service;
use crate::rig::{Outcome, until};
use crate::stage::{Stage, customer, made};

const LONGEST: Duration = Duration::from_secs(10);

/// Row 11.
pub async fn peers(stage: &mut Stage) -> Outcome<Figures> {
    let frozen_for = stage.seconds(5, 30);
    let hub = stage.place().await?.hub().await?;
    let admin = Person::admin(&hub.base).await?;
    let one = format!("/customers/{}", made(&admin).await?);
    let mut figures = Figures::default();
    for service in [Service::Postgres, Service::Redis, Service::Rabbitmq] {
        let refresh = refresh_token(&hub.base).await?;
        let frozen = stage.services.lock().await.freeze(service)?;
        let sent = requests(&admin, &one, &refresh, frozen_for).await;
        drop(frozen);
        judge(&mut figures, &format!("{service:?} frozen"), &sent, service != Service::Postgres);
        heal(&mut figures, &hub.base).await?;
    }
    stage.services.lock().await.memory_alarm(true)?;
    let refresh = refresh_token(&hub.base).await?;
    let sent = requests(&admin, &one, &refresh, frozen_for).await;
    stage.services.lock().await.memory_alarm(false)?;
    judge(&mut figures, "RabbitMQ's memory alarm", &sent, true);
    heal(&mut figures, &hub.base).await?;
    Ok(figures)
}

/// Of every kind, one after the other, for a while.
async fn requests(admin: &Person, one: &str, refresh: &str, lasting: Duration) -> Vec<Sent> {
    let begun = Instant::now();
    let mut sent = Vec::new();
    let login = json!({"email": "admin@example.com", "password": PASSWORD});
    let refresh = json!({"refreshToken": refresh});
    while begun.elapsed() < lasting {
        let customer = customer();
        let (one, list, made, login, refreshed) = tokio::join!(
            get(admin, one),
            get(admin, "/customers?limit=10"),
            post(admin, "/customers", &customer),
            post(admin, "/auth/login", &login),
            post(admin, "/auth/refresh", &refresh),
        );
        sent.extend([one, list, made, login, refreshed]);
    }
    sent
}

fn judge(figures: &mut Figures, what: &str, sent: &[Sent], works: bool) {
    let slowest = slowest(sent);
    figures.hold(format!("{what}: {} requests, slowest {}", sent.len(), millis(slowest)), slowest <= LONGEST);
    let broken = sent.iter().filter(|sent| sent.status == 0 || sent.status == 500).count();
    figures.equal("without an honest answer", broken, 0);
    if works {
        // Everything but signing in and refreshing.
        let failed = sent.chunks(5).flat_map(|round| &round[..3]).filter(|sent| sent.status >= 300).count();
        figures.equal("reads and writes failed", failed, 0);
    }
}

async fn heal(figures: &mut Figures, base: &str) -> Outcome {
    let heals = until("the hub is well again", Duration::from_secs(60), async || well(base).await).await?;
    figures.note(format!("well {} after", millis(heals)));
    Ok(())
}
