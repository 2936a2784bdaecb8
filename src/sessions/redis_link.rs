//! The one connection to Redis, shared by everything that uses it, and the circuit breaker around it.
//!
//! The crate's own `ConnectionManager` is not used: its callers wait while it reconnects, it keeps a connection to
//! a peer that has frozen, and an error reply to the first handshake (too many clients, a wrong password) stays its
//! answer for ever. Here one task alone connects, once a second at most, and proves each connection by a PING.

use std::fmt::{self, Display};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use nexus_actors::{HubError, HubResult};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

const PACE: Pace = Pace { call: Duration::from_millis(150), rest: Duration::from_secs(1) };
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Calls in a row that may time out before the connection is given up.
const TIMEOUTS: u32 = 5;
/// What errors call it.
const REDIS: &str = "redis";

/// Everything in here that can fail answers `Unavailable`, after 150 ms at the latest, and at once while Redis is
/// known to be down.
#[derive(Clone)]
pub struct RedisLink(Arc<Inner>);

struct Inner {
    state: watch::Sender<State>,
    timeouts: AtomicU32,
    prefix: String,
    pace: Pace,
}

#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// All a call may take, its retry included.
    pub call: Duration,
    /// At least this long between the starts of two attempts to connect.
    pub rest: Duration,
}

#[derive(Clone)]
enum State {
    /// Calls wait: the first attempt since the start, or since the connection was lost, is under way.
    Connecting,
    Up(Live),
    /// Calls fail at once.
    Down,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// Counts connections. What happened on the server between two of them is unknown.
    epoch: u64,
}

/// Whether a call may be sent again when its connection broke.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// For what may happen twice: nobody knows whether it happened before the connection broke.
    Twice,
    /// Only over the connection with this number.
    OnceOver(u64),
}

#[derive(Clone, Copy)]
enum Request<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl RedisLink {
    /// Connects in the background, so that a Redis that is down keeps nobody from starting. `prefix` goes before
    /// every key. Must be called inside the runtime that lives as long as the process: the connection lives in it.
    ///
    /// # Errors
    /// `Internal` if `url` is no Redis URL. The error does not repeat it, since it may hold a password.
    pub fn start(url: &str, prefix: &str) -> HubResult<Self> {
        Self::start_at(url, prefix, PACE)
    }

    pub(super) fn start_at(url: &str, prefix: &str, pace: Pace) -> HubResult<Self> {
        let client = Client::open(url).map_err(|_| HubError::Internal("not a usable Redis URL".to_owned()))?;
        let (state, changes) = watch::channel(State::Connecting);
        let inner = Inner { state, timeouts: AtomicU32::new(0), prefix: prefix.to_owned(), pace };
        let link = Self(Arc::new(inner));
        tokio::spawn(keep_connected(client, pace.rest, Arc::downgrade(&link.0), changes));
        Ok(link)
    }

    /// Whether there is a connection, as far as is known without asking.
    pub fn is_up(&self) -> bool {
        self.epoch().is_some()
    }

    pub async fn ping(&self) -> HubResult<()> {
        self.query::<String>(&redis::cmd("PING")).await.map(drop)
    }

    /// The key `name` has in Redis.
    pub fn key(&self, name: impl Display) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// Sends a command that may as well be carried out twice.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> HubResult<T> {
        self.call(Sending::Twice, Request::Command(command)).await
    }

    /// Runs a script that may as well be run twice.
    pub async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> HubResult<T> {
        self.call(Sending::Twice, Request::Script(script)).await
    }

    /// Runs a script at most once, and over the connection numbered `epoch` or not at all.
    pub(super) async fn run_over<T: FromRedisValue>(
        &self,
        epoch: u64,
        script: &ScriptInvocation<'_>,
    ) -> HubResult<T> {
        self.call(Sending::OnceOver(epoch), Request::Script(script)).await
    }

    /// The number of the connection there is.
    pub(super) fn epoch(&self) -> Option<u64> {
        match &*self.0.state.borrow() {
            State::Up(live) => Some(live.epoch),
            State::Connecting | State::Down => None,
        }
    }

    /// Waits for a connection other than number `seen`, for as long as it takes.
    pub(super) async fn reconnected(&self, seen: Option<u64>) -> Option<u64> {
        let mut changes = self.0.state.subscribe();
        let other = |state: &State| matches!(state, State::Up(live) if Some(live.epoch) != seen);
        changes.wait_for(other).await.ok()?;
        self.epoch()
    }

    async fn call<T: FromRedisValue>(&self, sending: Sending, request: Request<'_>) -> HubResult<T> {
        match timeout(self.0.pace.call, self.attempt(sending, request)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.timed_out();
                Err(HubError::Unavailable { what: REDIS })
            }
        }
    }

    async fn attempt<T: FromRedisValue>(&self, sending: Sending, request: Request<'_>) -> HubResult<T> {
        let mut last = sending != Sending::Twice;
        loop {
            let live = self.live().await?;
            if matches!(sending, Sending::OnceOver(epoch) if epoch != live.epoch) {
                return Err(HubError::Unavailable { what: REDIS });
            }
            let error = match request.send(live.connection).await {
                Ok(answer) => {
                    self.0.timeouts.store(0, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let broken = is_broken(&error);
            if broken {
                self.give_up(live.epoch, &error);
            } else {
                tracing::warn!(%error, "Redis refused a command");
            }
            if last || !broken {
                return Err(HubError::Unavailable { what: REDIS });
            }
            last = true;
        }
    }

    async fn live(&self) -> HubResult<Live> {
        let mut changes = self.0.state.subscribe();
        let settled = changes.wait_for(|state| !matches!(state, State::Connecting)).await;
        match settled.as_deref() {
            Ok(State::Up(live)) => Ok(live.clone()),
            _ => Err(HubError::Unavailable { what: REDIS }),
        }
    }

    fn timed_out(&self) {
        if self.0.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= TIMEOUTS
            && let Some(epoch) = self.epoch()
        {
            self.give_up(epoch, &"it does not answer");
        }
    }

    /// Has a new connection made, unless that has happened since.
    fn give_up(&self, epoch: u64, reason: &dyn Display) {
        let given_up = self.0.state.send_if_modified(|state| {
            let current = matches!(state, State::Up(live) if live.epoch == epoch);
            if current {
                *state = State::Connecting;
            }
            current
        });
        if given_up {
            tracing::warn!(%reason, "lost the connection to Redis");
        }
    }
}

impl Request<'_> {
    async fn send<T: FromRedisValue>(self, mut connection: MultiplexedConnection) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(&mut connection).await,
            Self::Script(script) => script.invoke_async(&mut connection).await,
        }
    }
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink").field("prefix", &self.0.prefix).field("up", &self.is_up()).finish()
    }
}

/// Whether another connection might do better. A server demoted to a replica (READONLY) or still loading its data
/// answers, but not for the server we mean to talk to.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || matches!(error.code(), Some("READONLY" | "LOADING"))
}

/// Connects whenever there is no connection, until the last link is dropped.
async fn keep_connected(
    client: Client,
    rest: Duration,
    link: Weak<Inner>,
    mut changes: watch::Receiver<State>,
) {
    let mut epoch = 0;
    let mut not_before = Instant::now();
    while changes.wait_for(|state| !matches!(state, State::Up(_))).await.is_ok() {
        if Instant::now() < not_before {
            let Some(link) = link.upgrade() else { return };
            link.state.send_replace(State::Down);
            drop(link);
            sleep_until(not_before).await;
        }
        not_before = Instant::now() + rest;
        let connected = connect(&client).await;
        let Some(link) = link.upgrade() else { return };
        match connected {
            Ok(connection) => {
                epoch += 1;
                link.timeouts.store(0, Ordering::Relaxed);
                link.state.send_replace(State::Up(Live { connection, epoch }));
                tracing::info!("connected to Redis");
            }
            Err(reason) => {
                if !matches!(link.state.send_replace(State::Down), State::Down) {
                    tracing::warn!(%reason, "Redis is unavailable");
                }
            }
        }
    }
}

async fn connect(client: &Client) -> Result<MultiplexedConnection, String> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        // Calls have their own, shorter one.
        .set_response_timeout(Some(CONNECT_TIMEOUT));
    let connecting = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await?;
        Ok(connection)
    };
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(connected) => connected.map_err(|error: RedisError| error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

#[cfg(test)]
#[path = "redis_link_tests.rs"]
mod tests;
