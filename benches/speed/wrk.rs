//! The load generator: wrk, which needs a tenth of what it measures.

use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::rig::Outcome;

/// What every script begins with.
const COMMON: &str = include_str!("wrk/common.lua");

/// What wrk counted, times in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Counted {
    pub requests: f64,
    pub seconds: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    /// Answers other than 2xx and 3xx, connections that broke, and requests that took longer than two seconds.
    pub errors: u64,
    /// Whole flows, where a request is but a part of one.
    pub flows: f64,
}

impl Counted {
    /// Requests that were answered as they should be.
    pub fn done(&self) -> f64 {
        self.requests - self.errors as f64
    }
}

/// Sends what `script` has to say over `connections` for `lasting`.
pub fn run(
    base: &str,
    script: &str,
    tokens: &[String],
    connections: usize,
    lasting: Duration,
) -> Outcome<Counted> {
    let file = tempfile::Builder::new().suffix(".lua").tempfile()?;
    std::fs::write(file.path(), format!("{COMMON}\n{script}"))?;
    let threads = connections.min(2);
    let output = Command::new("wrk")
        .args(["-t", &threads.to_string(), "-c", &connections.to_string()])
        .args(["-d", &format!("{}s", lasting.as_secs()), "-s"])
        .arg(file.path())
        .arg(base)
        .arg("--")
        .args(tokens)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().find_map(|line| line.strip_prefix("counted "));
    let found = found.ok_or_else(|| format!("wrk: {text} {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(serde_json::from_str(found)?)
}
