//! How fast the hub takes inquiries in, against what the database can commit at all, in one run.
//!
//!     scripts/ingest [messages=20000] [rounds=3] [clients=8]
//!
//! The ceiling is `pgbench` inserting single rows, each committed by itself. The messages wait in RabbitMQ before the
//! hub starts to take them; each is a new customer's, with its audit entries, its events and its assignment.

mod rig;

use std::process::Command;
use std::time::{Duration, Instant};

use rig::gateway::{Message, Publisher};
use rig::hub::{Hub, Person, ready};
use rig::services::Services;
use rig::{Outcome, argument, until};
use serde_json::json;
use sqlx::{Connection, PgConnection};

const CSOS: usize = 50;
/// Messages taken in before anything is measured.
const WARM_UP: usize = 2000;

fn main() {
    let outcome = actix_web::rt::System::new().block_on(bench());
    if let Err(error) = outcome {
        eprintln!("ingest failed: {error}");
        std::process::exit(1);
    }
}

async fn bench() -> Outcome {
    let (messages, rounds, clients) =
        (argument("messages", 20_000), argument("rounds", 3), argument("clients", 8));
    let services = Services::start().await?;
    let mut hub = Hub::new(&services)?;
    hub.start()?;
    ready(&hub.base).await?;
    let admin = Person::admin(&hub.base).await?;
    for number in 0..CSOS {
        admin.make("cso", &format!("cso-{number}@example.com")).await?;
    }
    let mut connection = PgConnection::connect(&services.database_url()).await?;
    sqlx::raw_sql(
        "create table ceiling (id bigint primary key generated always as identity, body text not null)",
    )
    .execute(&mut connection)
    .await?;
    println!(
        "prefetch 500, batches of at most 250, each in at most four transactions; {messages} messages; pgbench -c {clients} single-row inserts"
    );
    // What autovacuum does for a table that has grown, once a minute; before that, plans are those of an empty one.
    ingest(&services, &mut hub, &mut connection, rounds, WARM_UP).await?;
    sqlx::raw_sql("vacuum analyze").execute(&mut connection).await?;
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let ceiling = single_inserts(&services, clients)?;
        let Ingest { rate, cpu, rows } =
            ingest(&services, &mut hub, &mut connection, round, messages).await?;
        ratios.push(rate / ceiling);
        println!(
            "round {round}: {rate:.0} inquiries/s of {rows:.1} rows each, {ceiling:.0} single-row commits/s, ratio {:.2}, \
             by rows {:.2}; hub CPU {cpu:.2} s per 1000",
            rate / ceiling,
            rate * rows / ceiling
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ratios.len() / 2]);
    Ok(())
}

struct Ingest {
    /// Inquiries a second.
    rate: f64,
    /// Of the hub, in seconds per 1000 inquiries.
    cpu: f64,
    /// Written for an inquiry.
    rows: f64,
}

async fn ingest(
    services: &Services,
    hub: &mut Hub,
    connection: &mut PgConnection,
    round: usize,
    messages: usize,
) -> Outcome<Ingest> {
    hub.kill();
    let mut publisher = Publisher::new(&services.amqp_url());
    let waiting: Vec<Message> = (0..messages).map(|number| said(round, number)).collect();
    for some in waiting.chunks(1000) {
        publisher.publish(some).await;
    }
    let before = taken(connection).await?;
    hub.start()?;
    // Its start is not what is measured.
    until("the first is taken", Duration::from_secs(60), async || {
        taken(connection).await.is_ok_and(|now| now > before)
    })
    .await?;
    let (begun, first, cpu) = (Instant::now(), taken(connection).await?, hub.cpu_seconds());
    let rows = written(connection).await?;
    until("all are taken", Duration::from_secs(600), async || {
        taken(connection).await.is_ok_and(|now| now >= before + messages)
    })
    .await?;
    let count = (before + messages - first) as f64;
    let rate = count / begun.elapsed().as_secs_f64();
    let cpu = hub.cpu_seconds().zip(cpu).map_or(f64::NAN, |(now, then)| (now - then) / count * 1000.0);
    let rows = (written(connection).await? - rows) as f64 / count;
    Ok(Ingest { rate, cpu, rows })
}

/// Rows written so far. Those of the outbox are gone by now; their sequence knows how many there were.
async fn written(connection: &mut PgConnection) -> Outcome<i64> {
    const SQL: &str = "select sum(n)::bigint from (\
        select count(*) n from customers union all select count(*) from inquiries union all \
        select count(*) from messages union all select count(*) from inbox union all \
        select count(*) from assignments union all select count(*) from rosters union all \
        select count(*) from audit_log union all select coalesce(last_value, 0) from pg_sequences \
        where sequencename = 'outbox_seq_seq') counts";
    Ok(sqlx::query_scalar(SQL).fetch_one(connection).await?)
}

fn said(round: usize, number: usize) -> Message {
    let id = format!("{round}-{number}");
    let customer = json!({"email": format!("{id}@example.com"), "firstName": "Ada", "lastName": "Lovelace"});
    let message = "My order was due on Monday and the tracking page has not changed since. ".repeat(4);
    let body = json!({"externalId": id, "customer": customer, "subject": "Where is it?", "message": message});
    Message { routing_key: "inquiry.email", id, body: body.to_string() }
}

async fn taken(connection: &mut PgConnection) -> Outcome<usize> {
    let count: i64 = sqlx::query_scalar("select count(*) from inbox").fetch_one(connection).await?;
    Ok(usize::try_from(count)?)
}

/// Commits a second.
fn single_inserts(services: &Services, clients: usize) -> Outcome<f64> {
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(script.path(), "insert into ceiling (body) values (repeat('x', 300));\n")?;
    let output = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-T", "10", "-j", "2", "-c", &clients.to_string()])
        .args(["-h", "127.0.0.1", "-p", &services.postgres_port().to_string(), "-U", "postgres", "-f"])
        .arg(script.path())
        .arg("postgres")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.ok_or_else(|| format!("pgbench: {text} {}", String::from_utf8_lossy(&output.stderr)).into())
}
