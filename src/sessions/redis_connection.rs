//! Makes the connection to Redis, and another one whenever it is lost.
//!
//! The crate's own `ConnectionManager` is not used: its callers wait while it reconnects, it keeps a connection to
//! a peer that has frozen, and an error reply to the first handshake (too many clients, a wrong password) stays its
//! answer for ever. Here one task alone connects, once a second at most, and proves each connection by a PING.

use std::convert::Infallible;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// All a call may take, its retry included.
    pub call: Duration,
    /// At least this long between the starts of two attempts to connect.
    pub rest: Duration,
}

pub(super) enum State {
    /// Calls wait: the first attempt since the start, or since the connection was lost, is under way.
    Connecting,
    Up(Live),
    /// Calls fail at once.
    Down,
}

#[derive(Clone)]
pub(super) struct Live {
    pub connection: MultiplexedConnection,
    /// Counts connections. What happened on the server between two of them is unknown.
    pub epoch: u64,
    /// Calls in a row that timed out.
    pub timeouts: Arc<AtomicU32>,
}

impl State {
    pub fn live(&self) -> Option<&Live> {
        match self {
            Self::Up(live) => Some(live),
            Self::Connecting | Self::Down => None,
        }
    }

    pub fn epoch(&self) -> Option<u64> {
        self.live().map(|live| live.epoch)
    }
}

/// Told of the keys that were read over the connection and that somebody else has changed since, before whatever was
/// asked after the change is answered; `None` when that may be any.
pub(super) type Listeners = Arc<RwLock<Vec<Box<dyn Fn(Option<&str>) + Send + Sync>>>>;

/// Connects whenever there is no connection, until the last link is dropped.
pub(super) async fn keep_connected(
    client: Client,
    listeners: Listeners,
    rest: Duration,
    state: Weak<watch::Sender<State>>,
    mut changes: watch::Receiver<State>,
) {
    let mut epoch = 0;
    let mut not_before = Instant::now();
    while changes.wait_for(|state| !matches!(state, State::Up(_))).await.is_ok() {
        if Instant::now() < not_before {
            let Some(state) = state.upgrade() else { return };
            state.send_replace(State::Down);
            drop(state);
            sleep_until(not_before).await;
        }
        not_before = Instant::now() + rest;
        let connected = connect(&client, &listeners).await;
        let Some(state) = state.upgrade() else { return };
        match connected {
            Ok(connection) => {
                epoch += 1;
                state.send_replace(State::Up(Live { connection, epoch, timeouts: Arc::default() }));
                tracing::info!("connected to Redis");
            }
            Err(reason) => {
                if !matches!(state.send_replace(State::Down), State::Down) {
                    tracing::warn!(%reason, "Redis is unavailable");
                }
            }
        }
    }
}

async fn connect(client: &Client, listeners: &Listeners) -> Result<MultiplexedConnection, String> {
    let listeners = Arc::clone(listeners);
    let config = AsyncConnectionConfig::new()
        .set_push_sender(move |push| {
            tell(&listeners, &push);
            Ok::<(), Infallible>(())
        })
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        // Calls have their own, shorter one.
        .set_response_timeout(Some(CONNECT_TIMEOUT));
    let connecting = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        // What this connection changes is known here without being told.
        let tracking = redis::cmd("CLIENT").arg(&["TRACKING", "ON", "NOLOOP"]).to_owned();
        tracking.query_async::<()>(&mut connection).await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await?;
        Ok(connection)
    };
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(connected) => connected.map_err(|error: RedisError| error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

fn tell(listeners: &Listeners, PushInfo { kind, data }: &PushInfo) {
    if !matches!(kind, PushKind::Invalidate) {
        return;
    }
    // None of the hub's own keys is anything but text. Without a list, the server was emptied.
    let changed: Vec<Option<String>> = match data.first() {
        Some(Value::Array(keys)) => keys.iter().map(|key| redis::from_redis_value_ref(key).ok()).collect(),
        _ => vec![None],
    };
    for listener in listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
        changed.iter().for_each(|key| listener(key.as_deref()));
    }
}

/// Whether another connection might do better. A server demoted to a replica (READONLY) or still loading its data
/// answers, but not for the server we mean to talk to.
pub(super) fn is_broken(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(error.code(), Some("READONLY" | "LOADING"))
}
