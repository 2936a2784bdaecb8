//! More than the hub can do: what it accepts stays quick, the rest is refused at once.
//!
//! The load is open: requests are sent when they are due, whatever became of those before. The sustainable rate is
//! four fifths of what 32 connections get that send the next request when the one before is answered.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use crate::data::{CUSTOMER, CUSTOMERS};
use crate::rig::Outcome;
use crate::rig::hub::{Hub, Person};
use crate::rig::load::{Sent, percentile, send};
use crate::scenarios::{SCENARIOS, Who};
use crate::table::Note;
use crate::{Bench, wrk};

const CLOSED: usize = 32;
const SUSTAINABLE: f64 = 0.8;
const TIMES: f64 = 4.0;
/// At the hub's memory, which is not for nothing.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub async fn create_inquiries(bench: &Bench) -> Outcome<Note> {
    let scenario =
        SCENARIOS.iter().find(|scenario| scenario.name == "create inquiry").ok_or("no scenario")?;
    let (script, tokens) = (scenario.script(bench.scale), bench.tokens(Who::Csos));
    let most = wrk::run(&bench.hub.base, &script, &tokens, CLOSED, bench.lasting)?;
    let sustainable = most.done() / most.seconds * SUSTAINABLE;
    let people = &bench.csos;
    let (usual, resident) = offer(people, &bench.hub, sustainable, bench.lasting).await?;
    let (over, peak) = offer(people, &bench.hub, sustainable * TIMES, bench.lasting).await?;
    let p99 = |sent: &[Sent], status: u16| {
        let times: Vec<_> = sent.iter().filter(|sent| sent.status == status).map(|sent| sent.took).collect();
        (times.len(), percentile(&times, 99).as_secs_f64() * 1000.0)
    };
    let (usual_made, usual_p99) = p99(&usual, 201);
    let ((made, made_p99), (refused, refused_p99)) = (p99(&over, 201), p99(&over, 503));
    let other = over.len() - made - refused;
    let growth = (peak - resident).max(0.0) / 1_048_576.0;
    Ok(Note {
        name: "overload",
        line: format!(
            "at {sustainable:.0}/s {usual_made} of {} made, p99 {usual_p99:.1} ms; at {:.0}/s {made} made, p99 {made_p99:.1} ms, \
             ratio {:.1}, {refused} refused, p99 {refused_p99:.1} ms, {other} neither; RSS grew {growth:.0} MiB",
            usual.len(),
            sustainable * TIMES,
            made_p99 / usual_p99,
        ),
        figures: json!({
            "sustainablePerSecond": sustainable,
            "p99Ms": usual_p99,
            "overload": {"made": made, "p99Ms": made_p99, "refused": refused, "refusedP99Ms": refused_p99, "neither": other},
            "residentGrowthMib": growth,
        }),
    })
}

/// Sends `rate` requests a second; what came of each, and the most memory the hub had.
async fn offer(people: &[Person], hub: &Hub, rate: f64, lasting: Duration) -> Outcome<(Vec<Sent>, f64)> {
    let answers = Rc::new(RefCell::new(Vec::new()));
    let begun = Instant::now();
    let mut looked = begun;
    let (mut sent, mut peak) = (0_usize, hub.resident_bytes().ok_or("no memory figure")?);
    let mut under_way = Vec::new();
    while begun.elapsed() < lasting {
        let due = (begun.elapsed().as_secs_f64() * rate) as usize;
        while sent < due {
            let request = people[sent % people.len()].request(Method::POST, "/inquiries").json(&inquiry());
            let answers = Rc::clone(&answers);
            under_way.push(actix_web::rt::spawn(async move {
                let answer = send(request).await;
                answers.borrow_mut().push(answer);
            }));
            sent += 1;
        }
        if looked.elapsed() > LOOK_EVERY {
            peak = peak.max(hub.resident_bytes().ok_or("no memory figure")?);
            looked = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for ended in join_all(under_way).await {
        ended?;
    }
    Ok((answers.take(), peak))
}

fn inquiry() -> Value {
    let number = rand::rng().random_range(0..CUSTOMERS);
    json!({
        "customerId": format!("{CUSTOMER}{number:012}"),
        "subject": "Where is my order?",
        "message": "My order was due on Monday and the tracking page has not changed since. ".repeat(4),
    })
}
