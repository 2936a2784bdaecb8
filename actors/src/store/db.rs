use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgPool, Pool, Postgres, Sqlite, SqlitePool, Transaction};
use tracing::log::LevelFilter;

use crate::error::{HubError, HubResult};
use crate::trace::{self, KeyValue, SpanKind};

static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

/// A query that runs longer is a defect or an outage; the caller has long been answered 503.
const STATEMENT_TIMEOUT_MS: &str = "10000";
/// PostgreSQL's code for a table that is not there.
const NO_TABLE: &str = "42P01";
/// A connection idle for longer is checked before use, so that a restarted database costs no request.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct DbSettings {
    /// `postgres://…` or `sqlite://path`.
    pub url: String,
    pub max_connections: u32,
    pub idle_timeout: Duration,
    /// How long a request waits for a connection before it is answered 503.
    pub acquire_timeout: Duration,
}

/// The database, whichever of the two engines it is.
#[derive(Clone, Debug)]
pub enum Db {
    Postgres(PgPool),
    /// SQLite allows one writer at a time: writes queue for their own single connection instead of failing
    /// with SQLITE_BUSY, and never hold up reads.
    Sqlite {
        reads: SqlitePool,
        writes: SqlitePool,
    },
}

/// The connections of one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// What they are for.
    pub pool: &'static str,
    pub idle: u32,
    pub used: u32,
    /// That may be open at a time.
    pub most: u32,
}

impl Connections {
    fn of<D: sqlx::Database>(name: &'static str, pool: &Pool<D>) -> Self {
        let open = pool.size();
        let idle = u32::try_from(pool.num_idle()).unwrap_or(open).min(open);
        Self { pool: name, idle, used: open - idle, most: pool.options().get_max_connections() }
    }
}

/// A transaction on either engine. Rolled back when dropped.
pub(super) enum Tx {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

/// Runs one body against the pool for reads: `read!(db, |pool| sqlx::query(SQL).fetch_all(pool).await)`.
macro_rules! read {
    ($db:expr, |$pool:ident| $body:expr) => {{
        let db: &$crate::store::db::Db = $db;
        let body = async {
            match db {
                $crate::store::db::Db::Postgres($pool) => $body,
                $crate::store::db::Db::Sqlite { reads: $pool, .. } => $body,
            }
        };
        db.in_span("read", body).await
    }};
}

/// Runs one body inside a transaction: `write!(tx, |c| sqlx::query(SQL).execute(c).await)`.
macro_rules! write_tx {
    ($tx:expr, |$connection:ident| $body:expr) => {
        match $tx {
            $crate::store::db::Tx::Postgres(tx) => {
                let $connection = &mut **tx;
                $body
            }
            $crate::store::db::Tx::Sqlite(tx) => {
                let $connection = &mut **tx;
                $body
            }
        }
    };
}

/// Runs one body in a transaction of its own: `write_one!(db, |c| sqlx::query(SQL).execute(c).await.map(drop))`.
macro_rules! write_one {
    ($db:expr, |$connection:ident| $body:expr) => {{
        let body = async {
            let mut tx = $db.begin().await?;
            let written = $crate::store::db::write_tx!(&mut tx, |$connection| $body)
                .map_err($crate::store::db::failed)?;
            tx.commit().await?;
            $crate::error::HubResult::Ok(written)
        };
        $db.in_span("write", body).await
    }};
}

/// Changes one row, or is `Contended`: `change_one!(&mut work.tx, query(SQL).bind(id))`.
macro_rules! change_one {
    ($tx:expr, $change:expr) => {
        $crate::store::db::write_tx!($tx, |connection| $change
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))
        .map_err($crate::store::db::failed)
        .and_then($crate::store::db::one_row)
    };
}

pub(super) use {change_one, read, write_one, write_tx};

impl Db {
    /// Opens lazily: no connection is made yet, so a database that is down does not keep the hub from starting.
    ///
    /// # Errors
    /// `Internal` when the URL cannot be understood.
    pub fn open(settings: &DbSettings) -> HubResult<Self> {
        let opened = if settings.url.starts_with("sqlite:") {
            Self::open_sqlite(settings)
        } else {
            Self::open_postgres(settings)
        };
        opened.map_err(|error| HubError::Internal(error.to_string()))
    }

    fn open_postgres(settings: &DbSettings) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(&settings.url)?
            .application_name("nexus-hub")
            .options([
                ("statement_timeout", STATEMENT_TIMEOUT_MS),
                ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT_MS),
            ])
            .log_statements(LevelFilter::Trace)
            .log_slow_statements(LevelFilter::Warn, Duration::from_secs(1));
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .idle_timeout(settings.idle_timeout)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED_IDLE {
                        return Ok(connection.ping().await.is_ok());
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Ok(Self::Postgres(pool))
    }

    fn open_sqlite(settings: &DbSettings) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(&settings.url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit that was answered survives the loss of power, too.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .log_statements(LevelFilter::Trace)
            .log_slow_statements(LevelFilter::Warn, Duration::from_secs(1));
        let pool = |connections: u32| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(settings.acquire_timeout)
                .idle_timeout(None)
                .max_lifetime(None)
                // A disk that was full leaves a connection inside a transaction that cannot end.
                .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        };
        Ok(Self::Sqlite {
            reads: pool(settings.max_connections.clamp(1, 8)).connect_lazy_with(options.clone()),
            writes: pool(1).connect_lazy_with(options),
        })
    }

    /// Brings the schema up to date. On PostgreSQL an advisory lock makes concurrent starts take turns, and a schema that
    /// is up to date is left alone: the hub's role need not have the right to change it.
    pub async fn migrate(&self) -> HubResult<()> {
        let migrated = match self {
            Self::Postgres(pool) if is_migrated(pool).await? => return Ok(()),
            Self::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await,
            Self::Sqlite { writes, .. } => SQLITE_MIGRATIONS.run(writes).await,
        };
        migrated.map_err(|error| match error {
            MigrateError::Execute(error) => failed(error),
            other => HubError::Internal(other.to_string()),
        })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> HubResult<()> {
        read!(self, |pool| sqlx::query("select 1").execute(pool).await.map(drop)).map_err(failed)
    }

    /// One entry a pool.
    pub fn connections(&self) -> Vec<Connections> {
        match self {
            Self::Postgres(pool) => vec![Connections::of("all", pool)],
            Self::Sqlite { reads, writes } => {
                vec![Connections::of("reads", reads), Connections::of("writes", writes)]
            }
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { reads, writes } => {
                reads.close().await;
                writes.close().await;
            }
        }
    }

    /// Only one process has a SQLite file open, so what it caches in memory cannot go stale.
    pub fn is_private(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    /// Runs `work` on this database, as a part of what is traced.
    pub(super) async fn in_span<F: Future>(&self, what: &'static str, work: F) -> F::Output {
        let system = || {
            let name = match self {
                Self::Postgres(_) => "postgresql",
                Self::Sqlite { .. } => "sqlite",
            };
            vec![KeyValue::new("db.system.name", name)]
        };
        trace::in_part(SpanKind::Client, what, system, work).await
    }

    pub(super) async fn begin(&self) -> HubResult<Tx> {
        match self {
            Self::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
            // Deferred transactions that turn into writers fail with SQLITE_BUSY; immediate ones wait.
            Self::Sqlite { writes, .. } => writes.begin_with("begin immediate").await.map(Tx::Sqlite),
        }
        .map_err(failed)
    }
}

/// The host of the database with this URL, and whether connections to it are made by TLS alone, to a server whose
/// certificate is verified. `None` for a file or a socket of this machine.
pub fn server_of(url: &str) -> Option<(String, bool)> {
    if url.starts_with("sqlite:") {
        return None;
    }
    let options = PgConnectOptions::from_str(url).ok()?;
    let host = options.get_host();
    let verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    (options.get_socket().is_none() && !host.starts_with('/')).then(|| (host.to_owned(), verified))
}

async fn is_migrated(pool: &PgPool) -> HubResult<bool> {
    const APPLIED: &str = "select version, checksum from _sqlx_migrations where success order by version";
    let applied: Vec<(i64, Vec<u8>)> = match sqlx::query_as(APPLIED).fetch_all(pool).await {
        Ok(applied) => applied,
        Err(error)
            if error.as_database_error().is_some_and(|error| error.code() == Some(NO_TABLE.into())) =>
        {
            return Ok(false);
        }
        Err(error) => return Err(failed(error)),
    };
    let known = POSTGRES_MIGRATIONS.iter().map(|migration| (migration.version, &*migration.checksum));
    Ok(known.eq(applied.iter().map(|(version, checksum)| (*version, checksum.as_slice()))))
}

impl Tx {
    pub(super) async fn commit(self) -> HubResult<()> {
        match self {
            Self::Postgres(tx) => tx.commit().await,
            Self::Sqlite(tx) => tx.commit().await,
        }
        .map_err(failed)
    }
}

/// Zero rows: the row is no longer the version the change started from.
pub(super) fn one_row(affected: u64) -> HubResult<()> {
    if affected == 1 { Ok(()) } else { Err(HubError::Contended) }
}

/// What a database error means to whoever asked.
pub(super) fn failed(error: sqlx::Error) -> HubError {
    match &error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            tracing::warn!(%error, "the database is unavailable");
            HubError::Unavailable { what: "database" }
        }
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            match code.as_ref() {
                // deadlock, serialization failure
                "40P01" | "40001" => HubError::Contended,
                // connection exceptions, insufficient resources, operator intervention, disk full;
                // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
                code if code.starts_with("08")
                    || code.starts_with("53")
                    || code.starts_with("57")
                    || matches!(code, "5" | "6" | "10" | "13" | "14")
                    || sqlite_primary(code)
                        .is_some_and(|primary| matches!(primary, 5 | 6 | 10 | 13 | 14)) =>
                {
                    tracing::warn!(%error, "the database is unavailable");
                    HubError::Unavailable { what: "database" }
                }
                _ => HubError::Internal(error.to_string()),
            }
        }
        _ => HubError::Internal(error.to_string()),
    }
}

/// `taken` when `error` is a violated unique constraint; other errors as [`failed`] has them.
pub(super) fn unique(error: sqlx::Error, what: &'static str, pointer: &'static str) -> HubError {
    if error.as_database_error().is_some_and(|database| database.is_unique_violation()) {
        HubError::Taken { what, pointer }
    } else {
        failed(error)
    }
}

/// SQLite's extended codes carry the primary one in their low byte; PostgreSQL's have five characters.
fn sqlite_primary(code: &str) -> Option<u32> {
    (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten().map(|extended| extended & 0xff)
}
