//! The one way to Redis, shared by everything that uses it: short time-outs, one retry, and no waiting for a server
//! that is known to be down.

use std::fmt::{self, Display};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use nexus_actors::{HubError, HubResult};
use redis::aio::MultiplexedConnection;
use redis::{
    Client, Cmd, FromRedisValue, IntoConnectionInfo, ProtocolVersion, RedisResult, ScriptInvocation,
};
use tokio::sync::watch;
use tokio::time::timeout;

use super::redis_connection::{Listeners, Live, Pace, State, is_broken, keep_connected};

/// Between two tries to connect.
const REST: Duration = Duration::from_secs(1);
/// Calls in a row that may time out before the connection is given up.
const TIMEOUTS: u32 = 5;
const UNUSABLE: &str = "the Redis URL is malformed, or asks for what this build lacks";
/// What errors call it.
const REDIS: &str = "redis";

/// Everything in here that can fail answers `Unavailable`, after the time-out at the latest, and at once while Redis
/// is known to be down.
#[derive(Clone)]
pub struct RedisLink(Arc<Inner>);

struct Inner {
    state: Arc<watch::Sender<State>>,
    listeners: Listeners,
    prefix: String,
    pace: Pace,
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
    pub fn start(url: &str, prefix: &str, timeout: Duration) -> HubResult<Self> {
        Self::start_at(url, prefix, Pace { call: timeout, rest: REST })
    }

    pub(super) fn start_at(url: &str, prefix: &str, pace: Pace) -> HubResult<Self> {
        let client = open(url).map_err(|_| HubError::Internal(UNUSABLE.to_owned()))?;
        let (state, changes) = watch::channel(State::Connecting);
        let (state, listeners) = (Arc::new(state), Listeners::default());
        tokio::spawn(keep_connected(
            client,
            Arc::clone(&listeners),
            pace.rest,
            Arc::downgrade(&state),
            changes,
        ));
        Ok(Self(Arc::new(Inner { state, listeners, prefix: prefix.to_owned(), pace })))
    }

    /// Has `listener` told, for as long as there is a link, of the keys that were read and that another connection has
    /// changed since, before whatever was asked after the change is answered; `None` when that may be any.
    pub(super) fn listen(&self, listener: impl Fn(Option<&str>) + Send + Sync + 'static) {
        self.0.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
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

    /// Whether the connection numbered `epoch` is there and has told everything by now.
    pub(super) async fn is_current(&self, epoch: u64) -> bool {
        let ping = redis::cmd("PING");
        let answer: HubResult<String> = self.call(Sending::OnceOver(epoch), Request::Command(&ping)).await;
        answer.is_ok()
    }

    /// The number of the connection there is.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.0.state.borrow().epoch()
    }

    /// Waits for a connection other than number `seen`, for as long as it takes.
    pub(super) async fn reconnected(&self, seen: Option<u64>) -> Option<u64> {
        let mut changes = self.0.state.subscribe();
        let state = changes.wait_for(|state| state.epoch().is_some_and(|epoch| Some(epoch) != seen)).await;
        state.ok()?.epoch()
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
            let error = match request.send(live.connection.clone()).await {
                Ok(answer) => {
                    live.timeouts.store(0, Ordering::Relaxed);
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
        let live = self.0.state.borrow().live().cloned();
        if let Some(live) = live
            && live.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= TIMEOUTS
        {
            self.give_up(live.epoch, &"it does not answer");
        }
    }

    /// Has a new connection made, unless that has happened since.
    fn give_up(&self, epoch: u64, reason: &dyn Display) {
        let given_up = self.0.state.send_if_modified(|state| {
            let current = state.epoch() == Some(epoch);
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

/// With RESP3, in which the server also speaks unasked.
fn open(url: &str) -> RedisResult<Client> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings))
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

#[cfg(test)]
#[path = "redis_link_tests.rs"]
mod tests;
