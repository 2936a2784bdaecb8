//! The composition root: puts storage, actors, sessions and HTTP together, starts them and stops them.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use nexus_actors::approval_coordinator::ApprovalTimers;
use nexus_actors::domain::approval_policy::Requirement;
use nexus_actors::domain::delivery::RetryRule;
use nexus_actors::port::Ports;
use nexus_actors::store::cache::{MemoryCache, NoCache, SharedCache};
use nexus_actors::store::{Db, DbSettings, Storage};
use nexus_actors::supervision::{Restarts, Supervision};
use nexus_actors::{Clock, Hub, HubError, HubSettings};
use tokio::task::JoinHandle;

use crate::bootstrap;
use crate::broker::Broker;
use crate::http::{HttpState, Loads, Metrics, application, connection, listed};
use crate::mail::MailSender;
use crate::sessions::{
    Authenticators, Lockout, Passwords, RateLimiter, RedisCache, RedisLink, RefreshTokens, Tokens,
};
use crate::settings::{BadSetting, DatabaseSettings, Settings};
use crate::telemetry::Telemetry;
use crate::transport;
use crate::webhooks::WebhookCaller;

/// Between two tries to reach a database that is down at the start.
const RETRY: Duration = Duration::from_millis(500);

/// Whether requests should be sent here.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }
}

/// One line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: String, cause: std::io::Error },
    #[error("the database {path} is in use by another nexus-hub")]
    InUse { path: String },
    #[error("cannot use {path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("setting {setting}: {problem}")]
    Setting { setting: &'static str, problem: String },
}

/// A started hub.
pub struct App {
    pub address: SocketAddr,
    pub hub: Hub,
    pub broker: Broker,
    pub readiness: Readiness,
    settings: Arc<Settings>,
    server: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    preparing: JoinHandle<()>,
    /// Held while the hub runs on SQLite.
    _lock: Option<File>,
}

impl App {
    /// Listens at once; becomes ready when the database is there and migrated. Must run in an actix system.
    ///
    /// # Errors
    /// What no waiting can mend: an address that is taken, a file that cannot be used, a bad setting.
    pub fn start(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        let settings = Arc::new(settings);
        bootstrap::check(&settings.bootstrap)?;
        if settings.is_production() {
            for (_, setting) in transport::unprotected(&settings) {
                tracing::warn!(setting, "what goes there leaves this machine without verified TLS");
            }
        }
        let lock = lock_database(&settings.database)?;
        let redis = connect_redis(&settings)?;
        let storage = open_storage(&settings, redis.as_ref())?;
        let hub_settings = hub_settings(&settings, cores_unless(settings.actors.threads));
        for policy in
            settings.approval.policies.iter().filter(|policy| policy.requires == Requirement::Sampled)
        {
            tracing::warn!(policy = policy.name, "replies this approval policy does not pick go out unread");
        }
        let supervision = Supervision::new(Restarts::default());
        let bad = |BadSetting { setting, problem }| StartError::Setting { setting, problem };
        let telemetry = Telemetry::start(&settings, &supervision).map_err(bad)?;
        let tracer = telemetry.as_ref().map(|telemetry| telemetry.tracer.clone());
        let (broker, publisher) =
            Broker::start(&settings.broker, &supervision, tracer.clone()).map_err(bad)?;
        let mail = MailSender::start(&settings.smtp, &supervision, clock.clone()).map_err(bad)?;
        let webhooks = WebhookCaller::start(&settings.webhooks, &supervision).map_err(bad)?;
        let ports = Ports { broker: publisher, mail, webhooks, tracer };
        let hub = Hub::start(hub_settings, supervision, Some(ports), storage, clock);
        broker.connect(&hub);
        let readiness = Readiness::default();
        let state = HttpState {
            tokens: Arc::new(tokens(&settings)?),
            authenticators: Arc::new(authenticators(&settings)?),
            passwords: Passwords::new(settings.auth.hashing_concurrency),
            refresh_tokens: match &redis {
                Some(link) => RefreshTokens::in_redis(link.clone()),
                None => RefreshTokens::Store(hub.sessions.clone()),
            },
            lockout: redis.clone().map_or_else(Lockout::in_process, Lockout::in_redis),
            limiter: redis.clone().map_or_else(RateLimiter::in_process, RateLimiter::in_redis),
            trusted_proxies: Arc::new(trusted_proxies(&settings)?),
            hub: hub.clone(),
            settings: Arc::clone(&settings),
            redis,
            broker: broker.clone(),
            readiness: readiness.clone(),
            metrics: Metrics::default(),
            loads: Loads::default(),
            telemetry,
        };
        let (server, serving, address) = listen(&settings, &state)?;
        let preparing = actix_web::rt::spawn(prepare(state, readiness.clone()));
        Ok(Self { address, hub, broker, readiness, settings, server, serving, preparing, _lock: lock })
    }

    /// Waits until requests are welcome.
    pub async fn ready(&mut self) {
        if !self.preparing.is_finished() {
            let _ = (&mut self.preparing).await;
        }
    }

    /// Stops accepting, finishes requests, then what the broker has brought, then actors; what they have to tell is
    /// published before the broker is let go. Closes the database. `false` when something did not
    /// finish within `shutdown.timeout`.
    pub async fn stop(self) -> bool {
        self.readiness.set(false);
        self.preparing.abort();
        let deadline = tokio::time::Instant::now() + self.settings.shutdown.timeout;
        // Streams have no end of their own.
        self.hub.lines.stop();
        let drained = tokio::time::timeout_at(deadline, self.server.stop(true)).await.is_ok();
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        let unfinished = self.hub.shutdown(left.max(Duration::from_millis(100))).await;
        for actor in &unfinished {
            tracing::error!(actor, "did not finish in time");
        }
        self.serving.abort();
        drained && unfinished.is_empty()
    }
}

fn listen(
    settings: &Settings,
    state: &HttpState,
) -> Result<(ServerHandle, JoinHandle<std::io::Result<()>>, SocketAddr), StartError> {
    let address = format!("{}:{}", settings.server.host, settings.server.port);
    let failed = |cause| StartError::Listen { address: address.clone(), cause };
    let state = state.clone();
    let write_timeout = settings.server.write_timeout;
    let server = HttpServer::new(move || application(state.clone()))
        .on_connect(move |connection, _| connection::bound(connection, write_timeout))
        .workers(cores_unless(settings.server.workers))
        // The caller owns the signals.
        .disable_signals()
        .shutdown_timeout(settings.shutdown.timeout.as_secs())
        .bind((settings.server.host.as_str(), settings.server.port))
        .map_err(failed)?;
    let bound = server.addrs().first().copied();
    let bound = bound.ok_or_else(|| failed(std::io::Error::other("no address to listen on")))?;
    let server = server.run();
    let handle = server.handle();
    Ok((handle, actix_web::rt::spawn(server), bound))
}

/// Migrates and makes the first admin, however long the database stays away. The broker may be away, but what is
/// declared there must be what the hub needs.
async fn prepare(state: HttpState, readiness: Readiness) {
    loop {
        match bootstrap::prepare(&state).await {
            Ok(()) => break,
            Err(HubError::Internal(cause)) => {
                tracing::error!(cause, "the database cannot be prepared; trying again")
            }
            Err(error) => tracing::warn!(%error, "not ready yet; trying again"),
        }
        tokio::time::sleep(RETRY).await;
    }
    state.broker.begin();
    state.broker.settled().await;
    readiness.set(true);
    tracing::info!("ready");
}

/// Does not wait for Redis to answer.
pub fn connect_redis(settings: &Settings) -> Result<Option<RedisLink>, StartError> {
    if !settings.uses_redis() {
        return Ok(None);
    }
    RedisLink::start(&settings.redis.url, &settings.redis.prefix, settings.redis.timeout)
        .map(Some)
        .map_err(|error| StartError::Setting { setting: "REDIS_URL", problem: error.to_string() })
}

pub fn open_storage(settings: &Settings, redis: Option<&RedisLink>) -> Result<Storage, StartError> {
    create_directory(&settings.database)?;
    let database = DbSettings {
        url: settings.database.url.clone(),
        max_connections: settings.database.max_connections,
        idle_timeout: settings.database.idle_timeout,
        acquire_timeout: settings.database.acquire_timeout,
    };
    let db = Db::open(&database)
        .map_err(|error| StartError::Setting { setting: "DATABASE_URL", problem: error.to_string() })?;
    let cache: Arc<dyn SharedCache> = match redis {
        Some(redis) => Arc::new(RedisCache::start(redis.clone())),
        None if db.is_private() => Arc::new(MemoryCache::new(settings.cache.capacity)),
        None => Arc::new(NoCache),
    };
    Ok(Storage::new(db, cache))
}

/// The file behind a SQLite URL.
fn sqlite_path(database: &DatabaseSettings) -> Option<&str> {
    let path = database.url.strip_prefix("sqlite://").or_else(|| database.url.strip_prefix("sqlite:"))?;
    path.split('?').next().filter(|path| !path.is_empty() && *path != ":memory:")
}

fn create_directory(database: &DatabaseSettings) -> Result<(), StartError> {
    let directory = sqlite_path(database).and_then(|path| Path::new(path).parent());
    let Some(directory) = directory.filter(|directory| !directory.as_os_str().is_empty()) else {
        return Ok(());
    };
    let failed = |cause| StartError::File { path: directory.display().to_string(), cause };
    fs::create_dir_all(directory).map_err(failed)
}

/// Two hubs on one SQLite file would serve each other stale reads from memory.
pub fn lock_database(database: &DatabaseSettings) -> Result<Option<File>, StartError> {
    let Some(path) = sqlite_path(database) else { return Ok(None) };
    create_directory(database)?;
    let lock = format!("{path}.lock");
    let failed = |cause| StartError::File { path: lock.clone(), cause };
    let file = File::options().create(true).truncate(false).write(true).open(&lock).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Err(StartError::InUse { path: path.to_owned() }),
        Err(fs::TryLockError::Error(cause)) => Err(StartError::File { path: lock, cause }),
    }
}

fn trusted_proxies(settings: &Settings) -> Result<std::collections::HashSet<std::net::IpAddr>, StartError> {
    listed(&settings.http.trusted_proxies)
        .map(|text| {
            text.parse().map_err(|_| StartError::Setting {
                setting: "http.trusted_proxies",
                problem: format!("{text:?} is no IP address"),
            })
        })
        .collect()
}

pub fn hub_settings(settings: &Settings, threads: usize) -> HubSettings {
    let delivery = &settings.delivery;
    let retry = RetryRule {
        backoff: delivery.backoff,
        backoff_cap: delivery.backoff_cap,
        max_attempts: i64::from(delivery.max_attempts),
    };
    let timers = ApprovalTimers {
        remind_after: settings.approval.remind_after,
        escalate_after: settings.approval.escalate_after,
    };
    HubSettings {
        threads,
        mailbox_capacity: settings.actors.mailbox_capacity,
        retry,
        webhooks: settings.webhooks.rule(),
        timers,
        digest_every: settings.approval.digest_every,
        policies: settings.approval.policies.clone().into(),
        totp_required_for: settings.auth.totp_required_for.clone().into(),
        hands_out: true,
        accept_within: settings.assignment.accept_within,
        look_every: settings.push.look_every,
    }
}

fn tokens(settings: &Settings) -> Result<Tokens, StartError> {
    let auth = &settings.auth;
    Tokens::new(&auth.jwt_secret, &auth.previous_jwt_secret, &auth.jwt_refresh_secret, auth.access_ttl)
        .map_err(|error| StartError::Setting { setting: "JWT_SECRET", problem: error.to_string() })
}

fn authenticators(settings: &Settings) -> Result<Authenticators, StartError> {
    let auth = &settings.auth;
    let key = if auth.totp_key.is_empty() { &auth.jwt_refresh_secret } else { &auth.totp_key };
    Authenticators::new(key, &auth.previous_totp_key)
        .map_err(|error| StartError::Setting { setting: "NEXUS__AUTH__TOTP_KEY", problem: error.to_string() })
}

fn cores_unless(set: usize) -> usize {
    if set > 0 { set } else { std::thread::available_parallelism().map_or(1, std::num::NonZero::get) }
}
