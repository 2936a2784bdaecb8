//! How soon what happened is on every manager's screen, and what a connection costs.
//!
//!     scripts/pushes [sockets=1000] [rounds=50]
//!
//! Managers connect by WebSocket, five sockets each, to one instance, and one more manager to a second instance. A CSO
//! submits responses to the first, one after the other. The time counted is from when the submission is sent until a
//! socket has it: the commit is in it, and so is what this process needs to read all of its sockets.

mod rig;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rig::hub::{Hub, Person, ready};
use rig::services::Services;
use rig::{Outcome, argument, until};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Sockets a user may have.
const EACH: usize = 5;
/// For a push to arrive everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

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
        managers.push(admin.make("manager", &format!("manager-{number}@example.com")).await?);
    }
    admin.make("manager", "elsewhere@example.com").await?;
    let elsewhere = Person::sign_in(&other.base, "elsewhere@example.com").await?;

    let seen = Rc::new(RefCell::new(Seen::default()));
    let before = hub.resident_bytes().ok_or("no memory figures")?;
    for number in 0..sockets {
        listen(&hub.base, &managers[number / EACH], &seen, |seen| &mut seen.here).await?;
    }
    let each = (hub.resident_bytes().ok_or("no memory figures")? - before) / sockets as f64 / 1024.0;
    for _ in 0..EACH {
        listen(&other.base, &elsewhere, &seen, |seen| &mut seen.there).await?;
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

/// Notes when each submission arrives.
async fn listen(
    base: &str,
    manager: &Person,
    seen: &Rc<RefCell<Seen>>,
    list: fn(&mut Seen) -> &mut Vec<Duration>,
) -> Outcome {
    let mut request = format!("{}/api/v1/ws", base.replacen("http", "ws", 1)).into_client_request()?;
    let bearer = HeaderValue::from_str(&format!("Bearer {}", manager.token))?;
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = connect_async(request).await?;
    let seen = Rc::clone(seen);
    actix_web::rt::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let now = Instant::now();
            let Ok(told) = serde_json::from_str::<Value>(&text) else { continue };
            let mut seen = seen.borrow_mut();
            let sent = told["subject"].as_str().and_then(|subject| seen.sent.get(subject).copied());
            if let (Some(sent), Some("response.submitted")) = (sent, told["type"].as_str()) {
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
