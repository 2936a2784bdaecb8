//! What the soak and the benches run against: servers of their own on free ports, and the release binary. Nothing that
//! runs on the machine already is touched, and everything ends with the process.

#![expect(dead_code, reason = "each bench uses a part")]

pub mod figures;
pub mod gateway;
pub mod hub;
pub mod services;
pub mod soak;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rand::Rng;

pub type Failure = Box<dyn std::error::Error>;
pub type Outcome<T = ()> = Result<T, Failure>;

/// Not one that the system deals out to outgoing connections: a server comes back to its port after a restart.
pub fn free_port() -> Outcome<u16> {
    let mut random = rand::rng();
    let ports = (0..100).map(|_| random.random_range(20_000..30_000));
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = ports.filter(free);
    ports.next().ok_or_else(|| "no free port".into())
}

/// Asks until it holds.
pub async fn until(what: &str, limit: Duration, mut holds: impl AsyncFnMut() -> bool) -> Outcome<Duration> {
    let begun = Instant::now();
    while !holds().await {
        if begun.elapsed() > limit {
            return Err(format!("within {limit:?} it was not so that {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(begun.elapsed())
}

/// A whole number given as `name=value` on the command line.
pub fn argument(name: &str, default: usize) -> usize {
    let given =
        std::env::args().find_map(|argument| argument.strip_prefix(&format!("{name}="))?.parse().ok());
    given.unwrap_or(default)
}
