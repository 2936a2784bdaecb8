//! Behind the hub's back: straight in its database.

use nexus_actors::store::Db;
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::harness::TestHub;

pub async fn rows<T>(hub: &TestHub, sql: &'static str) -> Vec<T>
where
    T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    match &hub.app.hub.storage.db {
        Db::Postgres(pool) => sqlx::query_as(sql).fetch_all(pool).await.unwrap(),
        Db::Sqlite { reads, .. } => sqlx::query_as(sql).fetch_all(reads).await.unwrap(),
    }
}

/// Any number of statements.
pub async fn execute(hub: &TestHub, sql: &'static str) {
    try_execute(hub, sql).await.unwrap();
}

/// As [`execute`], where the database may refuse.
pub async fn try_execute(hub: &TestHub, sql: &'static str) -> Result<(), sqlx::Error> {
    match &hub.app.hub.storage.db {
        Db::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(drop),
        Db::Sqlite { writes, .. } => sqlx::raw_sql(sql).execute(writes).await.map(drop),
    }
}
