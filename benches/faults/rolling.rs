//! Two instances behind a load balancer, restarted one after the other under load.
//!
//! The balancer does what nginx does by default for requests that may be repeated: it takes the instances in turn, and
//! where one refused the connection, or closed it before the first byte of an answer, sends the request once more to
//! the other. It does not watch /health/ready. All requests may be repeated: GETs, and POSTs with an
//! `Idempotency-Key`. A request has failed when what the client gets is anything but the 2xx it should have, a 503
//! included.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::Method;
use uuid::Uuid;

use crate::rig::Outcome;
use crate::rig::figures::Figures;
use crate::rig::hub::{Person, ready};
use crate::rig::load::{millis, percentile};
use crate::stage::{Stage, customer, made};

const RATE: u32 = 200;
/// The default of `shutdown.timeout`.
const SHUTDOWN: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Counts {
    times: RefCell<Vec<Duration>>,
    failed: RefCell<Vec<String>>,
    refused: Cell<usize>,
    closed: Cell<usize>,
    under_way: Cell<usize>,
}

/// Row 15.
pub async fn restarts(stage: &mut Stage) -> Outcome<Figures> {
    let rounds = stage.either(2, 10);
    let place = stage.place().await?;
    let mut hubs = [place.hub().await?, place.hub().await?];
    let admin = Person::admin(&hubs[0].base).await?;
    let path = format!("/customers/{}", made(&admin).await?);
    let people = [admin.clone(), admin.at(&hubs[1].base)];
    let (counts, stop) = (Rc::new(Counts::default()), Rc::new(Cell::new(false)));
    let load = actix_web::rt::spawn(offer(people, path, Rc::clone(&counts), Rc::clone(&stop)));
    let mut stops = Vec::new();
    let mut ended_badly = 0;
    for _ in 0..rounds {
        for hub in &mut hubs {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let (took, well) = hub.stop().await?;
            stops.push(took);
            ended_badly += usize::from(!well);
            hub.start()?;
            ready(&hub.base).await?;
        }
    }
    stop.set(true);
    let sent = load.await?;
    let answered = counts.times.borrow().len();
    let failed = counts.failed.borrow();
    let mut figures = Figures::default();
    figures.note(format!(
        "{sent} requests at {RATE}/s through {} restarts of 2 instances; answered {answered}, p99 {}",
        rounds * 2,
        millis(percentile(&counts.times.borrow(), 99)),
    ));
    figures.note(format!(
        "sent again by the balancer: {} refused, {} closed before an answer",
        counts.refused.get(),
        counts.closed.get()
    ));
    figures.equal("failed", failed.len(), 0);
    if let Some(first) = failed.first() {
        figures.note(format!("the first of them: {first}"));
    }
    let slowest = stops.iter().max().copied().unwrap_or_default();
    figures.hold(format!("SIGTERM to exit at most {}", millis(slowest)), slowest <= SHUTDOWN);
    figures.equal("ended badly", ended_badly, 0);
    Ok(figures)
}

/// Whether or not the ones before are answered. Ends when all of them are.
async fn offer(people: [Person; 2], path: String, counts: Rc<Counts>, stop: Rc<Cell<bool>>) -> usize {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut sent = 0;
    while !stop.get() {
        ticks.tick().await;
        let (people, path, counts) = (people.clone(), path.clone(), Rc::clone(&counts));
        counts.under_way.set(counts.under_way.get() + 1);
        actix_web::rt::spawn(async move {
            balance(&people, &path, sent, &counts).await;
            counts.under_way.set(counts.under_way.get() - 1);
        });
        sent += 1;
    }
    while counts.under_way.get() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sent
}

async fn balance(people: &[Person; 2], path: &str, number: usize, counts: &Counts) {
    let begun = Instant::now();
    let body = customer();
    let key = Uuid::new_v4().to_string();
    let request = |person: &Person| match number / 2 % 4 {
        0 | 1 => person.request(Method::GET, path),
        2 => person.request(Method::GET, "/customers?limit=10"),
        _ => person.request(Method::POST, "/customers").header("Idempotency-Key", &key).json(&body),
    };
    let mut answer = request(&people[number % 2]).send().await;
    if let Err(error) = &answer
        && !error.is_timeout()
    {
        let count = if error.is_connect() { &counts.refused } else { &counts.closed };
        count.set(count.get() + 1);
        answer = request(&people[(number + 1) % 2]).send().await;
    }
    let outcome = match answer {
        Ok(answer) if answer.status().is_success() => {
            answer.bytes().await.map(drop).map_err(|error| format!("the answer broke off: {error:?}"))
        }
        Ok(answer) => Err(format!("{} {}", answer.status(), answer.text().await.unwrap_or_default())),
        Err(error) => Err(format!("{error:?}")),
    };
    match outcome {
        Ok(()) => counts.times.borrow_mut().push(begun.elapsed()),
        Err(error) => counts.failed.borrow_mut().push(error),
    }
}
