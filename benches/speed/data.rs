//! What a hub has after some years, written straight into the tables: through the hub it would take an hour.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::rig::services::count;
use crate::rig::{Outcome, until};

/// Of each kind, at scale 1.
pub const CUSTOMERS: usize = 100_000;
pub const INQUIRIES: usize = 300_000;
pub const RESPONSES: usize = 300_000;
pub const CSOS: usize = 50;
pub const MANAGERS: usize = 5;

/// Ids that the load generator can count up: the kind, and a number of twelve digits.
pub const CUSTOMER: &str = "01890000-0000-7001-8000-";
pub const INQUIRY: &str = "01890000-0000-7002-8000-";

/// A copy of the database, for pgbench: what it writes is nothing that a hub should come across.
pub const CEILING: &str = "ceiling";

const FILL: &str = include_str!("pgbench/fill.sql");

/// `scale` times as many customers, inquiries and responses. The CSOs and managers are there already.
pub async fn fill(database: &str, scale: usize) -> Outcome {
    let mut connection = PgConnection::connect(database).await?;
    let sizes = [(":customers", CUSTOMERS), (":inquiries", INQUIRIES), (":responses", RESPONSES)];
    let sql = sizes
        .iter()
        .fold(FILL.to_owned(), |sql, (name, size)| sql.replace(name, &(size * scale).to_string()));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    // What autovacuum does in time, so that it is not done meanwhile.
    sqlx::raw_sql("vacuum analyze").execute(&mut connection).await?;
    connection.close().await?;
    // Nobody may be connected to what is copied.
    let mut other = url::Url::parse(database)?;
    other.set_path("template1");
    let mut connection = PgConnection::connect(other.as_str()).await?;
    let copy = format!("create database {CEILING} template postgres");
    sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut connection).await?;
    sqlx::raw_sql("checkpoint").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// How long it took until nothing waited any more that the hub does behind its answers: publishing, telling, sealing.
pub async fn settled(database: &str) -> Outcome<Duration> {
    const WAITS: &str = "select (select count(*) from outbox) + (select count(*) from audit_unsealed)\
        + (select count(*) from notifications where seq is null)";
    until("nothing waits", Duration::from_secs(300), async || {
        count(database, WAITS).await.is_ok_and(|waiting| waiting == 0)
    })
    .await
}
