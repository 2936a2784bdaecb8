//! The embedded default: killed, and out of space on a file system of its own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::kills::through_kills;
use crate::rig::Outcome;
use crate::rig::figures::Figures;
use crate::rig::hub::{Hub, Person, ready};
use crate::rig::load::{get, millis, read, slowest};
use crate::stage::{Stage, customer, limit};

const AFTER_SPACE: Duration = Duration::from_secs(1);

/// Row 16.
pub async fn faults(stage: &mut Stage) -> Outcome<Figures> {
    let mut figures = Figures::default();
    let directory = tempfile::tempdir()?;
    let mut hub = at(directory.path()).await?;
    hub = through_kills(&mut figures, hub, stage.either(400, 10_000), stage.either(3, 20)).await?;
    hub.kill();
    figures.equal("integrity_check", integrity(directory.path()).await?, "ok".to_owned());
    match Disk::mount() {
        Some(disk) => full_disk(&mut figures, &disk).await?,
        None => figures.note("full disk not tried: mounting a tmpfs needs root"),
    }
    Ok(figures)
}

async fn full_disk(figures: &mut Figures, disk: &Disk) -> Outcome {
    let mut hub = at(&disk.0).await?;
    let admin = Person::admin(&hub.base).await?;
    let mut acknowledged = Vec::new();
    for _ in 0..100 {
        write(&admin, &mut acknowledged).await?;
    }
    let filler = disk.fill()?;
    let mut refused = Vec::new();
    let begun = Instant::now();
    // What the files have room for is still taken.
    while refused.len() < 20 {
        match write(&admin, &mut acknowledged).await? {
            None => {}
            Some(refusal) => refused.push(refusal),
        }
        if begun.elapsed() > Duration::from_secs(60) {
            return Err("the disk did not become full".into());
        }
    }
    let well_refused = refused.iter().filter(|refusal| **refusal == (503, true)).count();
    figures.equal("full tmpfs: writes refused with 503 and Retry-After", well_refused, refused.len());
    let mut reads = Vec::new();
    for id in acknowledged.iter().take(20) {
        reads.push(get(&admin, &format!("/customers/{id}")).await);
        reads.push(get(&admin, "/customers?limit=10").await);
    }
    let answered = reads.iter().filter(|read| read.status == 200).count();
    figures.equal("reads answered", answered, reads.len());
    figures.note(format!("slowest {}", millis(slowest(&reads))));
    fs::remove_file(filler)?;
    let freed = Instant::now();
    while write(&admin, &mut acknowledged).await?.is_some() {
        if freed.elapsed() > Duration::from_secs(30) {
            return Err("no write succeeded within 30 s of free space".into());
        }
    }
    let back = freed.elapsed();
    figures.hold(format!("writes back {} after space", millis(back)), back <= limit(AFTER_SPACE));
    hub.kill_and_start()?;
    ready(&hub.base).await?;
    let mut missing = 0;
    for id in &acknowledged {
        missing += usize::from(read(&admin, &format!("/customers/{id}")).await.is_err());
    }
    figures.equal(&format!("of {} acknowledged missing", acknowledged.len()), missing, 0);
    let total = read(&admin, "/customers?limit=1").await?["meta"]["total"].as_u64().unwrap_or_default();
    figures.equal("refused but there", usize::try_from(total)? - acknowledged.len(), 0);
    hub.kill();
    figures.equal("integrity_check", integrity(&disk.0).await?, "ok".to_owned());
    Ok(())
}

async fn at(directory: &Path) -> Outcome<Hub> {
    let mut hub = Hub::with(&[("DATABASE_URL", format!("sqlite://{}", database(directory).display()))])?;
    hub.start()?;
    ready(&hub.base).await?;
    Ok(hub)
}

fn database(directory: &Path) -> PathBuf {
    directory.join("hub.db")
}

async fn integrity(directory: &Path) -> Outcome<String> {
    let mut connection =
        SqliteConnection::connect(&format!("sqlite://{}", database(directory).display())).await?;
    let found = sqlx::query_scalar("pragma integrity_check").fetch_one(&mut connection).await?;
    // A file that is still open would keep its disk mounted.
    connection.close().await?;
    Ok(found)
}

/// A customer with some weight. The status, and whether `Retry-After` came, where it was refused.
async fn write(admin: &Person, acknowledged: &mut Vec<String>) -> Outcome<Option<(u16, bool)>> {
    let mut customer = customer();
    customer["metadata"] = json!({"weight": "x".repeat(16_000)});
    let answer = admin.request(reqwest::Method::POST, "/customers").json(&customer).send().await?;
    if answer.status().as_u16() != 201 {
        return Ok(Some((answer.status().as_u16(), answer.headers().contains_key("retry-after"))));
    }
    let made: Value = answer.json().await?;
    acknowledged.push(made["id"].as_str().ok_or("no id")?.to_owned());
    Ok(None)
}

/// A small file system in memory. Unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount() -> Option<Self> {
        let directory = tempfile::Builder::new().prefix("nexus-disk-").tempdir().ok()?.keep();
        let path = directory.to_str()?;
        // Whoever runs the suite owns it.
        let mounted = as_root(&["mount", "-t", "tmpfs", "-o", "size=32m,mode=777", "nexus-disk", path]);
        if mounted {
            return Some(Self(directory));
        }
        let _ = fs::remove_dir(directory);
        None
    }

    /// To the last byte.
    fn fill(&self) -> Outcome<PathBuf> {
        let path = self.0.join("filler");
        let mut filler = fs::File::create(&path)?;
        let block = [0_u8; 4096];
        loop {
            match filler.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(path),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if as_root(&["umount", &self.0.display().to_string()]) {
            let _ = fs::remove_dir(&self.0);
        }
    }
}

/// As root already, or by a sudo that asks for no password.
fn as_root(command: &[&str]) -> bool {
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    run(command[0], &command[1..]) || run("sudo", &[&["-n"], command].concat())
}
