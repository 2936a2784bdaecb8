//! What the soak and the benches run against: servers of their own on free ports, and the release binary. Nothing that
//! runs on the machine already is touched, and everything ends with the process.

#![expect(dead_code, reason = "each bench uses a part")]

pub mod figures;
pub mod gateway;
pub mod hub;
pub mod load;
pub mod services;
pub mod soak;

use std::ffi::OsStr;
use std::net::TcpListener;
use std::process::Command;
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

/// A server's program, at a lower priority than this process and its load generators: where both want a core, what is
/// measured is the server's slowness and not that of whoever measures. The process is the program's own.
pub fn giving_way(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "10"]).arg(program);
    command
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

/// CPU seconds that a process has used, with those of its children that have ended.
pub fn cpu_seconds(process: u32) -> Option<f64> {
    let fields = stat(process)?;
    // utime, stime, cutime and cstime of proc(5), in ticks; the first field here is the third there.
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<f64>().ok()).sum::<Option<f64>>()?;
    Some(ticks / 100.0)
}

/// The processes that it started and that are still there.
pub fn children(process: u32) -> Outcome<Vec<u32>> {
    let all = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let parent = |child: &u32| stat(*child)?.get(1)?.parse().ok();
    Ok(all.filter(|child| parent(child) == Some(process)).collect())
}

/// The fields behind the name.
fn stat(process: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

/// A whole number given as `name=value` on the command line.
pub fn argument(name: &str, default: usize) -> usize {
    let given =
        std::env::args().find_map(|argument| argument.strip_prefix(&format!("{name}="))?.parse().ok());
    given.unwrap_or(default)
}
