//! What the README tells operators to do, done under load.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sqlx::{Connection, PgConnection};

use crate::rig::figures::Figures;
use crate::rig::hub::{Hub, Person, ready};
use crate::rig::load::read;
use crate::rig::{Outcome, until};
use crate::stage::{Place, Stage, made};

const WRITERS: usize = 8;

/// Row 18: a backup taken while customers are made has all of those that were answered before it began, and a hub
/// goes on from it.
pub async fn backups(stage: &mut Stage) -> Outcome<Figures> {
    let mut figures = Figures::default();
    let customers = stage.either(200, 5_000);
    let place = stage.place().await?;
    let (dump, pg_dump, pg_restore) = {
        let services = stage.services.lock().await;
        (tempfile::NamedTempFile::new()?, services.program("pg_dump"), services.program("pg_restore"))
    };
    let hub = place.hub().await?;
    let answered = under_load(&hub, customers, async || {
        let mut command = Command::new(&pg_dump);
        command.args(["--format=custom", "--file"]).arg(dump.path()).arg(&place.database);
        run(command).await
    })
    .await?;
    // Beside the one it was taken of, so that it is clear which one answers.
    let restored = Place { prefix: format!("{}_restored", place.prefix), ..stage.place().await? };
    let mut command = Command::new(&pg_restore);
    command.args(["--no-owner", "--exit-on-error", "--dbname"]).arg(&restored.database).arg(dump.path());
    run(command).await?;
    goes_on(&mut figures, "pg_dump, pg_restore", restored.hub().await?, &answered).await?;

    let directory = tempfile::tempdir()?;
    let (file, copy) = (directory.path().join("hub.db"), directory.path().join("copy.db"));
    let hub = on_file(&file).await?;
    let answered = under_load(&hub, customers, async || {
        let backup = format!(".backup {}", copy.display());
        let mut command = Command::new("sqlite3");
        command.arg(&file).arg(backup);
        run(command).await
    })
    .await?;
    goes_on(&mut figures, "SQLite's .backup", on_file(&copy).await?, &answered).await?;
    Ok(figures)
}

/// Row 19: instances that start at the same time on an empty database migrate it once, in turn.
pub async fn starts_at_once(stage: &mut Stage) -> Outcome<Figures> {
    const ROUNDS: usize = 3;
    let mut figures = Figures::default();
    let (mut admins, mut migrations) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let place = stage.place().await?;
        let mut hubs = (0..4).map(|_| Hub::with(&place.variables())).collect::<Outcome<Vec<_>>>()?;
        for hub in &mut hubs {
            hub.start()?;
        }
        for hub in &hubs {
            ready(&hub.base).await?;
            made(&Person::admin(&hub.base).await?).await?;
        }
        let mut connection = PgConnection::connect(&place.database).await?;
        let sql = "select count(*) from users";
        admins.push(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await?);
        let sql = "select count(*) from _sqlx_migrations where success";
        migrations.push(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await?);
    }
    figures.note(format!("{ROUNDS} times 4 instances, {} migrations each", migrations[0]));
    figures.hold("all the same", migrations.iter().all(|one| *one == migrations[0]));
    figures.hold("one first admin each", admins.iter().all(|one| *one == 1));
    Ok(figures)
}

/// Does `backup` in the middle of making `customers`. Those that were answered before it began.
async fn under_load(hub: &Hub, customers: usize, backup: impl AsyncFn() -> Outcome) -> Outcome<Vec<String>> {
    let admin = Person::admin(&hub.base).await?;
    let (answered, over) = (RefCell::new(Vec::new()), Cell::new(false));
    let writers = futures_util::future::try_join_all((0..WRITERS).map(|_| async {
        while !over.get() {
            let id = made(&admin).await?;
            answered.borrow_mut().push(id);
        }
        Outcome::Ok(())
    }));
    let backup = async {
        let enough = async || answered.borrow().len() >= customers;
        until("customers are made", Duration::from_secs(120), enough).await?;
        let before = answered.borrow().clone();
        let taken = backup().await;
        over.set(true);
        taken.map(|()| before)
    };
    let (_, before) = futures_util::try_join!(writers, backup)?;
    Ok(before)
}

async fn goes_on(figures: &mut Figures, how: &str, hub: Hub, answered: &[String]) -> Outcome {
    let admin = Person::admin(&hub.base).await?;
    let mut missing = 0;
    for id in answered {
        missing += usize::from(read(&admin, &format!("/customers/{id}")).await.is_err());
    }
    let new = made(&admin).await?;
    let there = read(&admin, &format!("/customers/{new}")).await.is_ok();
    figures.equal(&format!("{how}: of {} answered before missing", answered.len()), missing, 0);
    figures.hold("goes on", there);
    Ok(())
}

async fn on_file(file: &Path) -> Outcome<Hub> {
    let mut hub = Hub::with(&[("DATABASE_URL", format!("sqlite://{}", file.display()))])?;
    hub.start()?;
    ready(&hub.base).await?;
    Ok(hub)
}

/// To its end, while everything else goes on.
async fn run(mut command: Command) -> Outcome {
    let done = actix_web::web::block(move || command.output()).await??;
    if done.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&done.stderr).into())
}
