//! Keeps actors alive: a panic costs one request, a crash loop costs the process.
//!
//! `actix::Supervisor` restarts an actor that calls `ctx.stop()` but dies with one that panics, and knows no
//! limit. [`Supervision`] polls the same `ContextFut` under `catch_unwind` and restarts after both.
//!
//! What a restart keeps: the mailbox with its queued messages, and the actor value. What it drops: the
//! message being handled (its sender sees `MailboxError::Closed`) and everything `ctx.spawn`ed, `ctx.wait`ed
//! or timed. `restarting()` and then `started()` run again, so `started` is the place to arm timers and to
//! load state, the latter under `ctx.wait`. Handlers that answer with a `ResponseFuture` run outside the
//! actor: they neither kill it nor die with it, which a `ResponseActFuture` does.
//!
//! Supervised actors must not use `cancel_future`: actix keeps a cancellation pending across a restart while
//! it numbers futures from the start again, so it would hit a new timer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use actix::dev::channel::channel;
use actix::{Actor, Addr, Context, Supervised};
use actix_rt::ArbiterHandle;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{self, Instant};

mod life;
mod restarts;

pub use restarts::Restarts;

use life::{panic_message, supervise};

/// The actors that live as long as the process, in the order they were started.
#[derive(Clone, Default)]
pub struct Supervision(Arc<Shared>);

/// What stands between an actor and those who send to it, as far as supervision needs to know.
pub struct Intake {
    /// Grows with every message answered.
    pub answered: Arc<AtomicU64>,
    /// Awaited at a shutdown before the actor is told to stop: refuses new messages and waits for those under
    /// way, a `ResponseFuture` among them.
    pub drained: BoxFuture<'static, ()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorHealth {
    pub name: &'static str,
    pub state: State,
    pub restarts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not up for the first time: `started` or what it waits for has not finished.
    Starting,
    Running,
    /// Died; pausing, or not up again.
    Restarting,
    /// Given up. Its mailbox is closed and [`Supervision::failed`] has fired.
    Failed,
    /// Ended by a shutdown.
    Stopped,
}

impl Supervision {
    pub fn new(restarts: Restarts) -> Self {
        Self(Arc::new(Shared { restarts, ..Shared::default() }))
    }

    /// Starts an actor on `arbiter` that lives until [`Self::shutdown`], whether or not an address is kept.
    ///
    /// Start bottom-up: what an actor sends to must start before it and is then stopped after it. The actor's
    /// mailbox takes any number of messages; `Mailbox` is what bounds it. Messages sent while it starts or
    /// restarts wait. A panic in `make` fails the actor at once, as there is nothing to restart.
    pub fn start<A, F>(&self, arbiter: &ArbiterHandle, name: &'static str, make: F) -> Addr<A>
    where
        A: Supervised + Actor<Context = Context<A>>,
        F: FnOnce(&mut Context<A>) -> A + Send + 'static,
    {
        let intake = Intake { answered: Arc::default(), drained: Box::pin(std::future::ready(())) };
        self.start_behind(intake, arbiter, name, make)
    }

    /// As [`Self::start`], for an actor that gets its messages through an [`Intake`].
    pub fn start_behind<A, F>(
        &self,
        intake: Intake,
        arbiter: &ArbiterHandle,
        name: &'static str,
        make: F,
    ) -> Addr<A>
    where
        A: Supervised + Actor<Context = Context<A>>,
        F: FnOnce(&mut Context<A>) -> A + Send + 'static,
    {
        // Actix's own bound (0 is none) holds for one `Addr` only and leaks through its clones.
        let (tx, rx) = channel(0);
        let child = Arc::new(Child::new(name, intake));
        lock(&self.0.children).push(Arc::clone(&child));
        let tenure = Tenure { child: Arc::clone(&child), shared: Arc::clone(&self.0) };
        // If the arbiter is gone, the tenure is dropped with the closure and fails the actor.
        arbiter.spawn_fn(move || {
            let mut ctx = Context::with_receiver(rx);
            match catch_unwind(AssertUnwindSafe(|| make(&mut ctx))) {
                Ok(actor) => {
                    let task = actix_rt::spawn(supervise(tenure, ctx.into_future(actor)));
                    let _ = child.task.set(task.abort_handle());
                }
                Err(panic) => tenure.fail(panic_message(&*panic)),
            }
        });
        Addr::new(tx)
    }

    /// One entry an actor, in start order.
    pub fn health(&self) -> Vec<ActorHealth> {
        let children = lock(&self.0.children);
        let health = |c: &Arc<Child>| ActorHealth {
            name: c.name,
            state: *c.state.borrow(),
            restarts: c.restarts.load(Ordering::Relaxed),
        };
        children.iter().map(health).collect()
    }

    /// Waits until an actor has been given up and names the first. The process is then to answer "not ready"
    /// and to exit with an error.
    pub async fn failed(&self) -> &'static str {
        let mut failed = self.0.failed.subscribe();
        let name = failed.wait_for(Option::is_some).await.ok().and_then(|name| *name);
        match name {
            Some(name) => name,
            // The sender lives in `self`, so that this can't be reached.
            None => std::future::pending().await,
        }
    }

    /// From here on an actor that stops by itself, or dies of anything but a message, is not restarted.
    pub fn begin_shutdown(&self) {
        self.0.shutting_down.store(true, Ordering::SeqCst);
    }

    /// Waits until every actor has ended, be it stopped or failed.
    pub async fn stopped(&self) {
        for child in self.0.children() {
            child.ended().await;
        }
    }

    /// Stops the actors, the last started first, each once it has handled what its mailbox holds. What it has
    /// spawned is dropped, but for what its [`Intake`] waits for.
    ///
    /// Takes `timeout` at most and gives no actor but the last more than half of what is left, so that one
    /// that hangs leaves time to those below it. Returns the names of those whose time was up: they are
    /// dropped where they stand, as soon as their thread lets go of them.
    pub async fn shutdown(&self, timeout: Duration) -> Vec<&'static str> {
        self.begin_shutdown();
        let deadline = Instant::now() + timeout;
        let mut cut_short = Vec::new();
        for (below, child) in self.0.children().iter().enumerate().rev() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = if below == 0 { left } else { left / 2 };
            if time::timeout(share, child.finish()).await.is_err() {
                tracing::warn!(actor = child.name, "did not stop in time");
                child.abort();
                cut_short.push(child.name);
            }
        }
        cut_short
    }

    /// Makes every further start of the actor panic, so that its next death begins a crash loop.
    #[cfg(feature = "fault-injection")]
    pub fn crash_when_started(&self, name: &str) {
        for child in self.0.children().iter().filter(|child| child.name == name) {
            child.crash.store(true, Ordering::SeqCst);
        }
    }
}

#[derive(Default)]
struct Shared {
    restarts: Restarts,
    children: Mutex<Vec<Arc<Child>>>,
    failed: watch::Sender<Option<&'static str>>,
    shutting_down: AtomicBool,
}

impl Shared {
    fn children(&self) -> Vec<Arc<Child>> {
        lock(&self.children).clone()
    }
}

struct Child {
    name: &'static str,
    state: watch::Sender<State>,
    restarts: AtomicU64,
    stop: watch::Sender<bool>,
    task: OnceLock<AbortHandle>,
    answered: Arc<AtomicU64>,
    drained: Mutex<Option<BoxFuture<'static, ()>>>,
    #[cfg(feature = "fault-injection")]
    crash: AtomicBool,
}

impl Child {
    fn new(name: &'static str, intake: Intake) -> Self {
        Self {
            name,
            state: watch::Sender::new(State::Starting),
            restarts: AtomicU64::new(0),
            stop: watch::Sender::new(false),
            task: OnceLock::new(),
            answered: intake.answered,
            drained: Mutex::new(Some(intake.drained)),
            #[cfg(feature = "fault-injection")]
            crash: AtomicBool::new(false),
        }
    }

    async fn finish(&self) {
        let drained = lock(&self.drained).take();
        if let Some(drained) = drained {
            tokio::select! { () = drained => {}, () = self.ended() => {} }
        }
        self.stop.send_replace(true);
        self.ended().await;
    }

    fn abort(&self) {
        // Without a task yet, its first look at `stop` will end it.
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    async fn told_to_stop(&self) {
        let _ = self.stop.subscribe().wait_for(|&stop| stop).await;
    }

    async fn ended(&self) {
        let _ = self.state.subscribe().wait_for(|state| state.ended()).await;
    }
}

impl State {
    fn ended(self) -> bool {
        matches!(self, Self::Failed | Self::Stopped)
    }
}

/// Records how an actor ended, also when its thread went away with it.
struct Tenure {
    child: Arc<Child>,
    shared: Arc<Shared>,
}

impl Tenure {
    fn shutting_down(&self) -> bool {
        self.shared.shutting_down.load(Ordering::SeqCst)
    }

    fn fail(&self, cause: &str) {
        tracing::error!(actor = self.child.name, cause, "actor given up");
        self.child.state.send_replace(State::Failed);
        self.shared.failed.send_if_modified(|first| match first {
            Some(_) => false,
            None => first.replace(self.child.name).is_none(),
        });
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        let ended = self.child.state.borrow().ended();
        if !ended && self.shutting_down() {
            self.child.state.send_replace(State::Stopped);
        } else if !ended {
            self.fail("its thread has ended");
        }
    }
}

/// No code that could panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
