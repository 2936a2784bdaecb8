//! What PostgreSQL does by itself with the same statements: pgbench, prepared, over as many connections.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::data::CEILING;
use crate::rig::Outcome;
use crate::rig::services::Services;

/// What scenarios are not held against, to see them by.
pub const SINGLE_ROWS: [(&str, &str); 2] = [
    ("pgbench single-row insert", include_str!("pgbench/insert.sql")),
    ("pgbench single-row update", include_str!("pgbench/update.sql")),
];

/// No two runs make the same ids.
static RUNS: AtomicUsize = AtomicUsize::new(1);

/// Transactions a second.
pub fn run(
    services: &Services,
    script: &str,
    scale: usize,
    connections: usize,
    lasting: Duration,
) -> Outcome<f64> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), script)?;
    let output = Command::new(services.program("pgbench"))
        .args(["-n", "-M", "prepared", "-h", "127.0.0.1", "-U", "postgres"])
        .args(["-p", &services.postgres_port().to_string()])
        .args(["-j", &connections.min(2).to_string(), "-c", &connections.to_string()])
        .args(["-T", &lasting.as_secs().to_string(), "-D", "counter=0", "-D", &format!("scale={scale}")])
        .args(["-D", &format!("run={}", RUNS.fetch_add(1, Ordering::Relaxed))])
        .arg("-f")
        .arg(file.path())
        .arg(CEILING)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.ok_or_else(|| format!("pgbench: {text} {}", String::from_utf8_lossy(&output.stderr)).into())
}
