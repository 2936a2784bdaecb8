//! What was found, for people and for programs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::Outcome;
use crate::wrk::Counted;

pub struct Row {
    pub scenario: &'static str,
    pub connections: usize,
    /// Requests, or whole flows, a second.
    pub rate: f64,
    pub counted: Counted,
    /// Seconds for 1,000 of them; likewise below.
    pub hub_cpu: f64,
    pub postgres_cpu: f64,
    pub redis_cpu: f64,
    pub resident_mib: f64,
    /// Until all was done that the hub does behind its answers.
    pub settled: Duration,
    pub ceiling: Option<Ceiling>,
}

/// What pgbench ran, how often a second, and the seconds PostgreSQL needed for 1,000.
pub struct Ceiling {
    pub name: &'static str,
    pub rate: f64,
    pub cpu: f64,
}

/// Something beside the scenarios: its name, a line for people, the figures.
pub struct Note {
    pub name: &'static str,
    pub line: String,
    pub figures: Value,
}

pub struct Table {
    found: Vec<Value>,
}

impl Table {
    pub fn new() -> Self {
        println!("Milliseconds, and seconds of CPU for 1,000. Ratio: the rate to pgbench's in the same run.");
        println!(
            "scenario | connections | per second | p50 | p95 | p99 | hub CPU | PostgreSQL CPU | Redis CPU | RSS MiB | settled s | \
             errors | pgbench per second (PostgreSQL CPU) | ratio"
        );
        Self { found: Vec::new() }
    }

    pub fn add(&mut self, row: Row) -> Outcome {
        let Counted { p50, p95, p99, errors, .. } = row.counted;
        let (ceiling, ratio) = match &row.ceiling {
            Some(Ceiling { name, rate, cpu }) => {
                (format!("{rate:.0} ({name}; {cpu:.3})"), format!("{:.2}", row.rate / rate))
            }
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!(
            "{} | {} | {:.0} | {p50:.2} | {p95:.2} | {p99:.2} | {:.3} | {:.3} | {:.3} | {:.0} | {:.1} | {errors} | {ceiling} | {ratio}",
            row.scenario,
            row.connections,
            row.rate,
            row.hub_cpu,
            row.postgres_cpu,
            row.redis_cpu,
            row.resident_mib,
            row.settled.as_secs_f64(),
        );
        self.found.push(json!({
            "scenario": row.scenario,
            "connections": row.connections,
            "perSecond": row.rate,
            "p50Ms": p50,
            "p95Ms": p95,
            "p99Ms": p99,
            "errors": errors,
            "hubCpuSecondsPer1000": row.hub_cpu,
            "postgresCpuSecondsPer1000": row.postgres_cpu,
            "redisCpuSecondsPer1000": row.redis_cpu,
            "residentMib": row.resident_mib,
            "settledSeconds": row.settled.as_secs_f64(),
            "pgbench": row.ceiling.map(|Ceiling { name, rate, cpu }| {
                json!({"what": name, "perSecond": rate, "postgresCpuSecondsPer1000": cpu})
            }),
        }));
        Ok(())
    }

    pub fn note(&mut self, note: Note) -> Outcome {
        println!("{}: {}", note.name, note.line);
        self.found.push(json!({"scenario": note.name, "figures": note.figures}));
        Ok(())
    }

    pub fn write(self) -> Outcome {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.json");
        fs::write(&path, serde_json::to_string_pretty(&self.found)?)?;
        println!("written to {}", path.display());
        Ok(())
    }
}
