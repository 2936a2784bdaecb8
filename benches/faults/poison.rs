//! Messages that cannot be taken, between others that can.

use std::time::{Duration, Instant};

use crate::rig::Outcome;
use crate::rig::figures::Figures;
use crate::rig::gateway::{Message, Publisher};
use crate::rig::services::count;
use crate::rig::soak::{malformed_message, said};
use crate::stage::{Place, Stage};

/// Of the others, one message in so many is poison.
const ONE_IN: usize = 20;
/// Of what the throughput of the others may lose.
const LOST: f64 = 0.10;
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

/// Row 12, as far as it is about time; what becomes of each kind of poison is tested.
pub async fn throughput(stage: &mut Stage) -> Outcome<Figures> {
    let (messages, rounds) = (stage.either(400, 10_000), stage.either(2, 5));
    let place = stage.place().await?;
    let _hub = place.hub().await?;
    let mut intake =
        Intake { publisher: Publisher::with_prefix(&place.rabbitmq, &place.prefix), place, sent: 0, dead: 0 };
    // Plans and caches as they are from then on.
    intake.rate(messages, true).await?;
    let (mut clean, mut poisoned) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // The tables grow: neither always comes second.
        for poison in [round % 2 == 1, round % 2 == 0] {
            let rate = intake.rate(messages, poison).await?;
            if poison { poisoned.push(rate) } else { clean.push(rate) }
        }
    }
    let (clean, poisoned) = (median(clean), median(poisoned));
    let lost = 1.0 - poisoned / clean;
    let mut figures = Figures::default();
    figures.note(format!("medians of {rounds} times {messages} messages: {clean:.0}/s"));
    // A few messages are taken in within a few moments, which other work may have as well.
    let held = lost < LOST || !stage.full;
    figures.hold(
        format!("{poisoned:.0}/s with a malformed one for every {ONE_IN}, {:.1} % less", lost * 100.0),
        held,
    );
    figures.equal("dead letters", intake.count("select count(*) from dead_letters").await?, intake.dead);
    Ok(figures)
}

struct Intake {
    publisher: Publisher,
    place: Place,
    /// So far, that can be taken.
    sent: usize,
    /// So far, that cannot.
    dead: usize,
}

impl Intake {
    /// Good messages taken in a second, from the first publish to the last commit.
    async fn rate(&mut self, messages: usize, poison: bool) -> Outcome<f64> {
        let mut batch: Vec<Message> = Vec::new();
        for number in self.sent..self.sent + messages {
            batch.push(said(&format!("m{number}"), None, 0));
            if poison && number % ONE_IN == 0 {
                batch.push(malformed_message(number));
                self.dead += 1;
            }
        }
        self.sent += messages;
        let begun = Instant::now();
        self.publisher.publish(&batch).await;
        while self.count("select count(*) from inbox").await? < self.sent {
            if begun.elapsed() > SETTLED_WITHIN {
                return Err(format!("{messages} messages were not taken in within {SETTLED_WITHIN:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        Ok(messages as f64 / begun.elapsed().as_secs_f64())
    }

    async fn count(&self, sql: &'static str) -> Outcome<usize> {
        count(&self.place.database, sql).await
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
