//! Ten times as many requests at once as the hub admits.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use reqwest::Method;

use crate::rig::Outcome;
use crate::rig::figures::Figures;
use crate::rig::hub::{Hub, Person};
use crate::rig::load::{Sent, millis, percentile, send};
use crate::rig::services::count;
use crate::stage::{Stage, customer};

/// After which who was refused comes again: sooner than `Retry-After` asks.
const PAUSE: Duration = Duration::from_millis(500);
/// Messages an actor admits; few, so that ten times as many clients fit this machine.
const ADMITTED: usize = 32;
const GROWTH: f64 = 64.0 * 1024.0 * 1024.0;
const REFUSED_WITHIN: Duration = Duration::from_millis(50);

/// Row 7.
pub async fn sheds(stage: &mut Stage) -> Outcome<Figures> {
    let lasting = stage.seconds(8, 60);
    let place = stage.place().await?;
    let hub = place.hub_with(&[("NEXUS__ACTORS__MAILBOX_CAPACITY", ADMITTED.to_string())]).await?;
    let admin = Person::admin(&hub.base).await?;
    // Memory once everything has been used, with as many as are admitted.
    let (warm, _) = offer(&admin, ADMITTED, Duration::from_secs(3), &hub).await?;
    let resident = hub.resident_bytes().ok_or("no memory figure")?;
    let (sent, peak) = offer(&admin, ADMITTED * 10, lasting, &hub).await?;
    // Not as the API has it, which estimates so many.
    let there = count(&place.database, "select count(*) from customers").await?;
    let with = |status: u16| sent.iter().filter(move |sent| sent.status == status);
    let (made, refused) = (with(201).count(), with(503).count());
    let made_warm = warm.iter().filter(|sent| sent.status == 201).count();
    let times: Vec<_> = with(503).map(|sent| sent.took).collect();
    let mut figures = Figures::default();
    figures.note(format!(
        "{} clients for {} s where {ADMITTED} are admitted: {made} made, {refused} refused",
        ADMITTED * 10,
        lasting.as_secs()
    ));
    let other: Vec<_> = sent.iter().filter(|sent| ![201, 503].contains(&sent.status)).collect();
    figures.equal("neither", other.len(), 0);
    if let Some(first) = other.first() {
        figures.note(format!("the first of them: {} after {}", first.status, millis(first.took)));
    }
    figures.hold("some refused", refused > 0);
    figures.equal("without Retry-After", with(503).filter(|sent| !sent.retry_after).count(), 0);
    let p99 = percentile(&times, 99);
    // The clients have the same cores: in a debug build beside other work the figure is theirs.
    figures.hold(format!("refused at p99 {}", millis(p99)), p99 <= REFUSED_WITHIN || cfg!(debug_assertions));
    let growth = peak - resident;
    figures.hold(format!("RSS grew {:.0} MiB", growth.max(0.0) / 1_048_576.0), growth <= GROWTH);
    figures.equal("accepted and there", there, made + made_warm);
    Ok(figures)
}

/// Clients that each send the next request when the one before is answered, or a pause after it was refused; and the
/// most memory the hub had.
async fn offer(admin: &Person, clients: usize, lasting: Duration, hub: &Hub) -> Outcome<(Vec<Sent>, f64)> {
    let begun = Instant::now();
    let (sent, peak) = (RefCell::new(Vec::new()), Cell::new(0.0_f64));
    let clients = try_join_all((0..clients).map(|_| async {
        while begun.elapsed() < lasting {
            let answer = send(admin.request(Method::POST, "/customers").json(&customer())).await;
            let refused = answer.status == 503;
            sent.borrow_mut().push(answer);
            if refused {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Outcome::Ok(())
    }));
    let watch = async {
        while begun.elapsed() < lasting {
            peak.set(peak.get().max(hub.resident_bytes().ok_or("no memory figure")?));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Outcome::Ok(())
    };
    futures_util::try_join!(clients, watch)?;
    Ok((sent.into_inner(), peak.get()))
}
