//! How soon what happened is on every manager's screen, and what a connection costs.
//!
//!     scripts/pushes [sockets=1000] [rounds=50]
//!
//! Managers connect by WebSocket, five sockets each, to one instance, and one more manager to a second instance. A CSO
//! submits responses to the first, one after the other. The time counted is from when the submission is sent until a
//! socket has it: the commit is in it, and so is what this process needs to read all of its sockets. This process and
//! the hub each need an open file for every socket.

mod rig;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rig::hub::{Hub, Person, ready};
use rig::services::Services;
use rig::{Outcome, argument, until};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Sockets a user may have.
const EACH: usize = 5;
/// Open files that a process needs beside its sockets.
const OTHER_FILES: usize = 500;
/// Sockets from one address, which has 28,000 ports on a Linux nobody has changed.
const FROM_ONE: usize = 20_000;
/// For a push to arrive everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// What of a notification this bench reads.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    subject: &'a str,
}

#[derive(Default)]
struct Seen {
    sent: HashMap<String, Instant>,
    here: Vec<Duration>,
    there: Vec<Duration>,
}

fn main() {
    let outcome = actix_web::rt::System::new().block_on(bench());
    if let Err(error) = outcome {
        eprintln!("pushes failed: {error}");
        std::process::exit(1);
    }
}

async fn bench() -> Outcome {
    let (sockets, rounds) = (argument("sockets", 1000), argument("rounds", 50));
    enough_files(sockets + OTHER_FILES)?;
    let services = Services::start().await?;
    let (mut hub, mut other) = (Hub::new(&services)?, Hub::new(&services)?);
    hub.start()?;
    ready(&hub.base).await?;
    other.start()?;
    ready(&other.base).await?;
    let admin = Person::admin(&hub.base).await?;
    let cso = admin.make("cso", "cso@example.com").await?;
    let mut managers = Vec::new();
    for number in 0..sockets.div_ceil(EACH) {
        managers.push(admin.make("manager", &format!("manager-{number}@example.com")).await?.token);
    }
    admin.make("manager", "elsewhere@example.com").await?;
    let elsewhere = Person::sign_in(&other.base, "elsewhere@example.com").await?.token;

    // Hashing thousands of passwords leaves it with memory that the connections would then come out of.
    hub.kill_and_start()?;
    ready(&hub.base).await?;
    let seen = Rc::new(RefCell::new(Seen::default()));
    let before = hub.resident_bytes().ok_or("no memory figures")?;
    for number in 0..sockets {
        let opened = listen(&hub.base, number, &managers[number / EACH], &seen, |seen| &mut seen.here).await;
        opened.map_err(|error| format!("socket {} of {sockets}: {error}", number + 1))?;
    }
    let each = (hub.resident_bytes().ok_or("no memory figures")? - before) / sockets as f64 / 1024.0;
    for number in 0..EACH {
        listen(&other.base, number, &elsewhere, &seen, |seen| &mut seen.there).await?;
    }
    println!("{sockets} sockets on one instance, {EACH} on another; {each:.1} KiB resident a connection");

    let mut slowest = Vec::new();
    for round in 0..rounds {
        let response = draft(&cso, &admin, round).await?;
        let begun = Instant::now();
        seen.borrow_mut().sent.insert(response.clone(), begun);
        cso.post(&format!("/responses/{response}/submit"), json!({})).await?;
        let (here, there) = (sockets * (round + 1), EACH * (round + 1));
        until("everyone is told", PATIENCE, async || {
            let seen = seen.borrow();
            seen.here.len() >= here && seen.there.len() >= there
        })
        .await?;
        let seen = seen.borrow();
        slowest.extend(seen.here[here - sockets..].iter().max().copied());
    }
    let seen = &mut *seen.borrow_mut();
    for (what, times) in [("here", &mut seen.here), ("on the other instance", &mut seen.there)] {
        println!("{what}: p50 {:.1} ms, p99 {:.1} ms", millis(times, 0.5), millis(times, 0.99));
    }
    println!(
        "the last of all {sockets}: p50 {:.1} ms, p99 {:.1} ms",
        millis(&mut slowest, 0.5),
        millis(&mut slowest, 0.99)
    );
    Ok(())
}

/// What the hub is started with it has from this process.
fn enough_files(needed: usize) -> Outcome {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let limit =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    match limit.and_then(|limit| limit.parse::<usize>().ok()) {
        Some(limit) if limit < needed => {
            Err(format!("{needed} open files are needed and {limit} allowed: raise `ulimit -n`").into())
        }
        _ => Ok(()),
    }
}

/// Notes when each submission arrives.
async fn listen(
    base: &str,
    number: usize,
    token: &str,
    seen: &Rc<RefCell<Seen>>,
    list: fn(&mut Seen) -> &mut Vec<Duration>,
) -> Outcome {
    let mut request = format!("{}/api/v1/ws", base.replacen("http", "ws", 1)).into_client_request()?;
    let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
    request.headers_mut().insert("authorization", bearer);
    let tcp = TcpSocket::new_v4()?;
    let from = Ipv4Addr::LOCALHOST.to_bits() + u32::try_from(number / FROM_ONE)?;
    tcp.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(from)), 0))?;
    let to = base.strip_prefix("http://").ok_or("no address")?.parse()?;
    let (mut socket, _) = client_async(request, tcp.connect(to).await?).await?;
    let seen = Rc::clone(seen);
    actix_web::rt::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let now = Instant::now();
            let Ok(told) = serde_json::from_str::<Told<'_>>(&text) else { continue };
            let mut seen = seen.borrow_mut();
            let sent = seen.sent.get(told.subject).copied();
            if let Some(sent) = sent.filter(|_| told.event_type == "response.submitted") {
                list(&mut seen).push(now - sent);
            }
        }
    });
    Ok(())
}

async fn draft(cso: &Person, admin: &Person, round: usize) -> Outcome<String> {
    let customer =
        json!({"firstName": "Ada", "lastName": "Lovelace", "email": format!("{round}@example.com")});
    let customer = admin.post("/customers", customer).await?;
    let inquiry = json!({"customerId": customer["id"], "subject": "Where is it?", "message": "It is late."});
    let inquiry = admin.post("/inquiries", inquiry).await?;
    let draft = json!({"inquiryId": inquiry["id"], "message": "It ships tomorrow."});
    let draft = cso.post("/responses", draft).await?;
    Ok(draft["id"].as_str().ok_or("no id")?.to_owned())
}

fn millis(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    let place = ((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1));
    times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
