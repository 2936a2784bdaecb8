//! A slow database, and clients that do not wait for it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::Rng;
use reqwest::Method;

use crate::rig::figures::Figures;
use crate::rig::hub::Person;
use crate::rig::load::{get, millis, post, slowest};
use crate::rig::services::count;
use crate::rig::{Outcome, until};
use crate::stage::{Stage, customer, limit, made};

const CLIENTS: usize = 50;
const SLOWER: Duration = Duration::from_millis(500);
const IDLE_IN_TRANSACTION: &str = "select count(*) from pg_stat_activity where datname = current_database() \
                                   and state like 'idle in transaction%'";

/// Row 13.
pub async fn requests(stage: &mut Stage) -> Outcome<Figures> {
    let requests = stage.either(500, 10_000);
    let place = stage.place().await?;
    let mut wired = place.wired();
    wired.open();
    // What is tried here are requests that are carried out.
    let hub = wired.place.hub_with(&[("NEXUS__SERVER__SHED_ABOVE", "60s".to_owned())]).await?;
    let admin = Person::admin(&hub.base).await?;
    let one = format!("/customers/{}", made(&admin).await?);
    wired.postgres.slow_down(SLOWER);
    let (next, cancelled) = (Cell::new(0_usize), Cell::new(0_usize));
    join_all((0..CLIENTS).map(|_| async {
        while next.get() < requests {
            let number = next.replace(next.get() + 1);
            let request = match number % 3 {
                0 => admin.request(Method::POST, "/customers").json(&customer()),
                1 => admin.request(Method::GET, "/customers?limit=10"),
                _ => admin.request(Method::PUT, &one).json(&customer()),
            };
            // Cancelled anywhere between the first statement and the answer.
            let patience = Duration::from_millis(rand::rng().random_range(50..2_500));
            let answered = tokio::time::timeout(patience, request.send()).await;
            cancelled.set(cancelled.get() + usize::from(answered.is_err()));
        }
    }))
    .await;
    wired.postgres.slow_down(Duration::ZERO);
    let since = Instant::now();
    let settled = until("no session is idle in transaction", Duration::from_secs(15), async || {
        count(&place.database, IDLE_IN_TRANSACTION).await.is_ok_and(|idle| idle == 0)
    })
    .await;
    let settled_in = since.elapsed();
    // More at once than there are connections: each of them is used.
    let body = customer();
    let reads = join_all((0..CLIENTS * 4).map(|_| get(&admin, "/customers?limit=1"))).await;
    let writes = join_all((0..CLIENTS).map(|_| post(&admin, "/customers", &body))).await;
    let reads_failed = reads.iter().filter(|sent| sent.status != 200).count();
    let made = writes.iter().filter(|sent| sent.status == 201).count();
    let refused = writes.iter().filter(|sent| sent.status == 409).count();
    let idle = count(&place.database, IDLE_IN_TRANSACTION).await?;
    let mut figures = Figures::default();
    figures.note(format!("{requests} requests, {} cancelled, +{}", cancelled.get(), millis(SLOWER)));
    figures.hold(
        format!("no session idle in transaction {} after", millis(settled_in)),
        settled.is_ok() && settled_in <= limit(Duration::from_secs(2)),
    );
    figures.equal("idle in transaction after more", idle, 0);
    figures.equal("reads failed", reads_failed, 0);
    // All of them ask for the same email.
    figures.equal("made of one email", made, 1);
    figures.equal("refused as taken", refused, writes.len() - 1);
    figures.note(format!("slowest {}", millis(slowest(reads.iter().chain(&writes)))));
    Ok(figures)
}
