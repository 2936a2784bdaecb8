//! What the hub promises under faults, one line for each promise.
//!
//!     scripts/faults [full] [only=2,15]
//!
//! The short form, for every change, runs each fault once in a debug build; the full form has the numbers of the
//! promises in a release build. Everything that is killed, stopped or filled was started here. Rows that are missing
//! here are tests of the API; scripts/faults runs those as well. Ends with an error when a promise was broken.

#[path = "../rig/mod.rs"]
mod rig;

#[expect(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "shared with the tests")]
#[path = "../../tests/process/wire.rs"]
mod wire;

mod away;
mod cancelled;
mod frozen;
mod kills;
mod operators;
mod orders;
mod overload;
mod poison;
mod rolling;
mod sign_ins;
mod sqlite;
mod stage;
mod starts;

use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use rig::Outcome;
use rig::figures::Figures;
use stage::Stage;

/// One row of the table of promises.
struct Row {
    number: usize,
    promise: &'static str,
    run: for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, Outcome<Figures>>,
}

const ROWS: &[Row] = &[
    Row {
        number: 1,
        promise: "a confirmed inbound message becomes one inquiry or one dead letter",
        run: |stage| Box::pin(kills::messages(stage)),
    },
    Row { number: 2, promise: "every 2xx answer survives", run: |stage| Box::pin(kills::answers(stage)) },
    Row {
        number: 3,
        promise: "a reply is sent if and only if it was approved",
        run: |stage| Box::pin(kills::replies(stage)),
    },
    Row { number: 7, promise: "overload sheds", run: |stage| Box::pin(overload::sheds(stage)) },
    Row { number: 8, promise: "PostgreSQL away", run: |stage| Box::pin(away::postgres(stage)) },
    Row { number: 9, promise: "Redis away", run: |stage| Box::pin(away::redis(stage)) },
    Row { number: 10, promise: "RabbitMQ away", run: |stage| Box::pin(orders::rabbitmq(stage)) },
    Row {
        number: 11,
        promise: "a frozen peer: no request over 10 s",
        run: |stage| Box::pin(frozen::peers(stage)),
    },
    Row {
        number: 12,
        promise: "a poison message holds up no other",
        run: |stage| Box::pin(poison::throughput(stage)),
    },
    Row {
        number: 13,
        promise: "slow database, requests cancelled",
        run: |stage| Box::pin(cancelled::requests(stage)),
    },
    Row {
        number: 15,
        promise: "rolling restart under load",
        run: |stage| Box::pin(rolling::restarts(stage)),
    },
    Row { number: 16, promise: "SQLite: kills, full disk", run: |stage| Box::pin(sqlite::faults(stage)) },
    Row { number: 17, promise: "start with any service down", run: |stage| Box::pin(starts::without(stage)) },
    Row {
        number: 18,
        promise: "a backup under load restores",
        run: |stage| Box::pin(operators::backups(stage)),
    },
    Row {
        number: 19,
        promise: "instances that start at once",
        run: |stage| Box::pin(operators::starts_at_once(stage)),
    },
    Row {
        number: 20,
        promise: "the time of a sign-in that fails tells nothing",
        run: |stage| Box::pin(sign_ins::medians(stage)),
    },
];

fn main() {
    let kept = actix_web::rt::System::new().block_on(faults());
    match kept {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(error) => {
            eprintln!("the faults could not be made: {error}");
            std::process::exit(2);
        }
    }
}

async fn faults() -> Outcome<bool> {
    let full = std::env::args().any(|argument| argument == "full");
    let only = std::env::args().find_map(|argument| argument.strip_prefix("only=").map(str::to_owned));
    let only: Option<Vec<usize>> =
        only.map(|rows| rows.split(',').filter_map(|row| row.parse().ok()).collect());
    let limit = Duration::from_secs(if full { 3600 } else { 180 });
    let mut stage = Stage::start(full).await?;
    let mut all_kept = true;
    for row in ROWS.iter().filter(|row| only.as_ref().is_none_or(|only| only.contains(&row.number))) {
        let begun = Instant::now();
        let (figures, kept) = match tokio::time::timeout(limit, (row.run)(&mut stage)).await {
            Ok(Ok(figures)) => (figures.to_string(), figures.kept()),
            Ok(Err(error)) => (error.to_string(), false),
            Err(_) => (format!("not done within {limit:?}"), false),
        };
        all_kept &= kept;
        let verdict = if kept { "kept" } else { "BROKEN" };
        println!(
            "{} | {} | {figures} | {verdict} ({:.0} s)",
            row.number,
            row.promise,
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(all_kept)
}
