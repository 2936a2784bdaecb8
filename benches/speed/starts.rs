//! The embedded hub: how soon it is ready with a month of data, and how large it is.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use crate::rig::Outcome;
use crate::rig::hub::{Hub, binary};
use crate::table::Note;

const STARTS: usize = 20;
/// After a start, until its memory is looked at.
const IDLE: Duration = Duration::from_secs(3);

pub async fn embedded() -> Outcome<Note> {
    let mut hub = Hub::with(&[])?;
    hub.run(&["demo"])?;
    let ready = format!("{}/health/ready", hub.base);
    let mut times = Vec::new();
    let mut resident = 0.0;
    for start in 0..STARTS {
        let begun = Instant::now();
        hub.start()?;
        // A client of its own, which does not take its time between two tries to connect.
        let http = reqwest::Client::new();
        while !http.get(&ready).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("the hub did not become ready".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        if start + 1 == STARTS {
            tokio::time::sleep(IDLE).await;
            resident = hub.resident_bytes().ok_or("no memory figure")? / 1_048_576.0;
        }
        hub.stop().await?;
    }
    times.sort_by(f64::total_cmp);
    let (median, slowest) = (times[STARTS / 2], times[STARTS - 1]);
    let size = std::fs::metadata(binary())?.len() as f64 / 1_048_576.0;
    Ok(Note {
        name: "embedded start",
        line: format!(
            "ready after {median:.0} ms, {slowest:.0} ms at most of {STARTS}; idle RSS {resident:.1} MiB; binary {size:.1} MiB"
        ),
        figures: json!({"readyMs": median, "slowestMs": slowest, "idleResidentMib": resident, "binaryMib": size}),
    })
}
