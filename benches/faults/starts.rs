//! A hub that starts before what it depends on.

use std::time::Duration;

use crate::away::well;
use crate::rig::figures::Figures;
use crate::rig::hub::{Hub, Person, ready};
use crate::rig::load::millis;
use crate::rig::{Outcome, until};
use crate::stage::{Stage, made};

const HEALS_WITHIN: Duration = Duration::from_secs(30);

/// Row 17. Without PostgreSQL it is not ready; without Redis or RabbitMQ it is, and `/health` tells.
pub async fn without(stage: &mut Stage) -> Outcome<Figures> {
    let mut figures = Figures::default();
    for (name, is_ready) in [("PostgreSQL", 503), ("Redis", 200), ("RabbitMQ", 200), ("all", 503)] {
        let mut wired = stage.place().await?.wired();
        for (wire, its_name) in [
            (&mut wired.postgres, "PostgreSQL"),
            (&mut wired.redis, "Redis"),
            (&mut wired.rabbitmq, "RabbitMQ"),
        ] {
            if name != its_name && name != "all" {
                wire.open();
            }
        }
        let mut hub = Hub::with(&wired.place.variables())?;
        hub.start()?;
        until("the hub is live", HEALS_WITHIN, async || status(&hub.base, "live").await == 200).await?;
        // Ready at the latest after everything that is there has been prepared.
        let settled =
            until("readiness", HEALS_WITHIN, async || status(&hub.base, "ready").await == is_ready).await;
        figures.hold(format!("without {name}: live, ready {is_ready}"), settled.is_ok());
        figures.equal("well", well(&hub.base).await, false);
        for (wire, its_name) in [
            (&mut wired.postgres, "PostgreSQL"),
            (&mut wired.redis, "Redis"),
            (&mut wired.rabbitmq, "RabbitMQ"),
        ] {
            if name == its_name || name == "all" {
                wire.open();
            }
        }
        let healed = until("the hub is well", HEALS_WITHIN, async || well(&hub.base).await).await?;
        ready(&hub.base).await?;
        made(&Person::admin(&hub.base).await?).await?;
        figures.note(format!("well {} after its return", millis(healed)));
        let (took, ended_well) = hub.stop().await?;
        figures.hold(format!("stopped in {}", millis(took)), ended_well);
    }
    Ok(figures)
}

async fn status(base: &str, which: &str) -> u16 {
    let answer = reqwest::get(format!("{base}/health/{which}")).await;
    answer.map_or(0, |answer| answer.status().as_u16())
}
