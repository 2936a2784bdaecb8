//! Keeps a connection to RabbitMQ, for as long as the hub runs.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Supervised, WrapFuture};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::address::Address;
use super::backoff::Backoff;
use super::connection::{Connection, Failure};
use super::reports::Reports;
use super::topology::Topology;

/// Between two tries to connect: the first pause, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a connection is looked at without being told to.
const LOOK: Duration = Duration::from_secs(1);

/// One connection at a time, made again whenever it is lost.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    address: Address,
    topology: Topology,
    name: String,
    connect_timeout: Duration,
    state: watch::Sender<State>,
    ending: watch::Sender<bool>,
    reports: Reports,
}

#[derive(Clone, Debug)]
pub enum State {
    /// The first try has not ended.
    Starting,
    Up(Live),
    Away,
    /// Something is declared otherwise on the broker.
    Misdeclared,
    /// The hub has let go of it for good.
    Ended,
}

/// A connection that was there when it was asked for.
#[derive(Clone, Debug)]
pub struct Live {
    /// Grows with every connection made.
    epoch: u64,
    pub connection: Arc<Connection>,
}

impl Link {
    pub fn new(
        address: Address,
        topology: Topology,
        name: &str,
        connect_timeout: Duration,
        reports: Reports,
    ) -> Self {
        let state = watch::Sender::new(State::Starting);
        let ending = watch::Sender::new(false);
        let name = format!("nexus-hub {name}");
        Self(Arc::new(Inner { address, topology, name, connect_timeout, state, ending, reports }))
    }

    /// Runs until [`Self::end`]. Dropped, it leaves the connection to lapin to close.
    pub async fn run(&self) {
        let _held = LetGo(self);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut ending = self.0.ending.subscribe();
        for epoch in 1.. {
            let begun = Instant::now();
            let keeping = self.keep(epoch);
            let pause = tokio::select! {
                _ = ending.wait_for(|&ending| ending) => break,
                misdeclared = keeping => if misdeclared { LONGEST_PAUSE } else { backoff.jittered() },
            };
            if begun.elapsed() > self.0.connect_timeout * 2 + LONGEST_PAUSE {
                // It held. A broker that takes connections only to break them is asked no oftener than one that is away.
                backoff.reset();
            }
            tokio::select! {
                _ = ending.wait_for(|&ending| ending) => break,
                () = sleep(pause) => {}
            }
        }
        if let Some(live) = self.live() {
            live.connection.close().await;
        }
        self.0.state.send_replace(State::Ended);
    }

    /// Connects and stays until the connection is lost. Answers whether the broker has something declared otherwise.
    async fn keep(&self, epoch: u64) -> bool {
        let Inner { address, topology, name, connect_timeout, reports, .. } = &*self.0;
        match Connection::open(address, name, topology, *connect_timeout).await {
            Ok(connection) => {
                let live = Live { epoch, connection: Arc::new(connection) };
                self.0.state.send_replace(State::Up(live.clone()));
                reports.well(address);
                let reason = self.lost(&live).await;
                self.give_up(&live, &reason);
                live.connection.close().await;
                false
            }
            Err(Failure::Unreachable(problem)) => {
                self.0.state.send_replace(State::Away);
                reports.trouble(&format!("RabbitMQ at {address}: {problem}"));
                false
            }
            Err(Failure::Misdeclared(problem)) => {
                self.0.state.send_replace(State::Misdeclared);
                reports.trouble(&format!("RabbitMQ at {address}: {problem}"));
                true
            }
        }
    }

    /// Why the connection is no more.
    async fn lost(&self, live: &Live) -> String {
        let mut events = pin!(live.connection.events());
        let mut state = self.0.state.subscribe();
        loop {
            let given_up = state.wait_for(|state| !state.is_up(live.epoch));
            tokio::select! {
                _ = given_up => return "given up".to_owned(),
                event = timeout(LOOK, events.next()) => match event {
                    Ok(Some(lapin::Event::Error(error))) => return error.to_string(),
                    Ok(Some(lapin::Event::ConnectionBlocked(reason))) => {
                        tracing::warn!(reason, "RabbitMQ takes no messages for now");
                    }
                    Ok(Some(lapin::Event::ConnectionUnblocked)) => {
                        tracing::info!("RabbitMQ takes messages again");
                    }
                    Ok(None) => return "it has ended".to_owned(),
                    Ok(Some(_)) | Err(_) => {}
                },
            }
            if !live.connection.is_connected() {
                return "it has ended".to_owned();
            }
        }
    }

    pub fn live(&self) -> Option<Live> {
        match &*self.0.state.borrow() {
            State::Up(live) => Some(live.clone()),
            State::Starting | State::Away | State::Misdeclared | State::Ended => None,
        }
    }

    /// Waits for a connection, for as long as it takes. `None`: there will be none.
    pub async fn up(&self) -> Option<Live> {
        let mut state = self.0.state.subscribe();
        let found = state.wait_for(|state| matches!(state, State::Up(_) | State::Ended)).await;
        match found.as_deref() {
            Ok(State::Up(live)) => Some(live.clone()),
            _ => None,
        }
    }

    /// Has a new connection made, unless that has happened since.
    pub fn give_up(&self, live: &Live, reason: &str) {
        let given_up = self.0.state.send_if_modified(|state| {
            let current = state.is_up(live.epoch);
            if current {
                *state = State::Away;
            }
            current
        });
        if given_up {
            self.0.reports.trouble(&format!("RabbitMQ at {}: lost the connection: {reason}", self.0.address));
        }
    }

    pub fn is_up(&self) -> bool {
        self.live().is_some_and(|live| live.connection.is_connected() && !live.connection.is_blocked())
    }

    /// Waits until the first try has ended: with a connection and everything in place, or with the broker out of
    /// reach.
    pub async fn settled(&self) {
        let mut state = self.0.state.subscribe();
        let settled = |state: &State| matches!(state, State::Up(_) | State::Away | State::Ended);
        // The sender lives in `self`.
        let _ = state.wait_for(settled).await;
    }

    /// Closes the connection and makes no other.
    pub async fn end(&self) {
        self.0.ending.send_replace(true);
        let _ = self.0.state.subscribe().wait_for(|state| matches!(state, State::Ended)).await;
    }
}

/// The actor that keeps a link which nothing else does.
pub struct Keeper(pub Link);

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let link = self.0.clone();
        ctx.spawn(async move { link.run().await }.into_actor(self));
    }
}

impl Supervised for Keeper {}

impl Live {
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.connection, &other.connection)
    }
}

impl State {
    fn is_up(&self, epoch: u64) -> bool {
        matches!(self, Self::Up(live) if live.epoch == epoch)
    }
}

/// Whoever ran the link is gone: so is its connection.
struct LetGo<'a>(&'a Link);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        self.0.0.state.send_if_modified(|state| {
            let held = matches!(state, State::Up(_));
            if held {
                *state = State::Away;
            }
            held
        });
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("name", &self.0.name).field("up", &self.is_up()).finish()
    }
}
