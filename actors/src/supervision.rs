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

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{self, Poll, ready};
use std::time::Duration;

use actix::dev::{ContextFut, channel::channel};
use actix::fut::{ActorFuture, wrap_future};
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, SpawnHandle, Supervised};
use actix_rt::ArbiterHandle;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{self, Instant};

/// The intensity limit: how many deaths an actor may have before it is given up, and how long it rests after
/// each.
///
/// A panic in a message handler costs that message: the actor restarts at once and the death is not counted,
/// or whoever finds a request that panics could stop the process with it. What counts is
/// - a panic in `started` or `restarting`, or in what these wait for,
/// - a panic in a timer or anything else the actor has spawned, a `ResponseActFuture` included,
/// - a `ctx.stop()`,
/// - any message's panic once 2,000 in a row have killed the actor, with none answered and its mailbox never
///   empty in between: it feeds itself, or can do nothing any more.
///
/// After the first counted death the actor restarts at once, after the next it rests for `backoff_first`,
/// then twice as long each time up to `backoff_cap`. Deaths older than `within` are forgotten. One more than
/// `max_restarts` and the actor is given up. The pauses must fit into `within`, or the limit is never
/// reached.
#[derive(Clone, Copy, Debug)]
pub struct Restarts {
    pub max_restarts: u32,
    pub within: Duration,
    pub backoff_first: Duration,
    pub backoff_cap: Duration,
}

/// More than a mailbox should hold, so that one full of messages that panic is not taken for a loop.
const BURST: u32 = 2_000;

impl Default for Restarts {
    /// Gives up a crash loop after some three seconds, and a timer that panics oftener than every ten.
    fn default() -> Self {
        Self {
            max_restarts: 6,
            within: Duration::from_secs(60),
            backoff_first: Duration::from_millis(100),
            backoff_cap: Duration::from_secs(5),
        }
    }
}

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

async fn supervise<A>(tenure: Tenure, mut actor: ContextFut<A, Context<A>>)
where
    A: Supervised + Actor<Context = Context<A>>,
{
    let child = &tenure.child;
    // Actix ends an actor that nobody has an address of, even one that lives by its timers.
    let address = actor.address();
    let mut deaths = Deaths::new(tenure.shared.restarts);
    let mut again = false;
    let failure = loop {
        let death = live(&mut actor, child, again).await;
        let pause = if !deaths.counts(death.blame, child.answered.load(Ordering::Relaxed)) {
            Duration::ZERO
        } else if tenure.shutting_down() {
            break None;
        } else if let Some(pause) = deaths.pause(Instant::now()) {
            pause
        } else {
            break Some(death.cause);
        };
        child.state.send_replace(State::Restarting);
        let restarts = child.restarts.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::error!(actor = child.name, cause = death.cause, restarts, ?pause, "actor died, restarting");
        if pause.is_zero() {
            // Requests that panic one after the other must not keep the thread from its other actors.
            tokio::task::yield_now().await;
        } else {
            // A shutdown doesn't wait for the pause: what is queued gets its chance now.
            let _ = time::timeout(pause, child.told_to_stop()).await;
        }
        again = true;
    };
    // Dropped alive, a `ContextFut` runs the actor's hooks once more, `started` among them.
    actor.ctx().terminate();
    drop(address);
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(actor)));
    if let Err(panic) = dropped {
        tracing::error!(actor = child.name, cause = panic_message(&*panic), "panic while dropping the actor");
    }
    if let Some(cause) = failure {
        tenure.fail(&cause);
    }
}

/// Runs the actor until it dies.
async fn live<A>(actor: &mut ContextFut<A, Context<A>>, child: &Arc<Child>, again: bool) -> Death
where
    A: Supervised + Actor<Context = Context<A>>,
{
    let life = Rc::new(Life::default());
    let mut end = Ok(());
    if again {
        end = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(feature = "fault-injection")]
            child.crash_if_told();
            actor.restart();
        }));
    }
    if end.is_ok() {
        attend(actor.ctx(), child, &life);
        let poll = |cx: &mut task::Context<'_>| {
            life.own_turn.set(false);
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *actor).poll(cx)));
            polled.map_or_else(|panic| Poll::Ready(Err(panic)), |poll| poll.map(Ok))
        };
        end = poll_fn(poll).await;
    }
    let stage = life.stage.get();
    // Actix notes which spawned future it polls, but may still have the note when it has turned to a message.
    let own_work = life.own_turn.get() && actor.ctx().handle() != SpawnHandle::default();
    match end {
        Ok(()) => Death { cause: "it stopped itself".to_owned(), blame: Blame::Actor },
        Err(panic) => {
            let blame = if own_work || stage == Stage::Starting {
                Blame::Actor
            } else {
                Blame::Request { settled: stage == Stage::Settled }
            };
            Death { cause: panic_message(&*panic).to_owned(), blame }
        }
    }
}

struct Death {
    cause: String,
    blame: Blame,
}

#[derive(Clone, Copy)]
enum Blame {
    Actor,
    /// `settled`: its mailbox was empty once since it started.
    Request {
        settled: bool,
    },
}

/// The deaths that [`Restarts`] counts.
struct Deaths {
    limit: Restarts,
    counted: VecDeque<Instant>,
    burst: u32,
    answered: u64,
}

impl Deaths {
    fn new(limit: Restarts) -> Self {
        Self { limit, counted: VecDeque::new(), burst: 0, answered: 0 }
    }

    /// `answered` is how many messages the actor has answered so far.
    fn counts(&mut self, blame: Blame, answered: u64) -> bool {
        let Blame::Request { settled } = blame else { return true };
        let progress = settled || answered != self.answered;
        self.answered = answered;
        self.burst = if progress { 0 } else { self.burst.saturating_add(1) };
        self.burst > BURST
    }

    /// How long to rest after one more counted death; `None` if it was one too many.
    fn pause(&mut self, now: Instant) -> Option<Duration> {
        self.counted.retain(|&death| now.duration_since(death) <= self.limit.within);
        self.counted.push_back(now);
        let deaths = u32::try_from(self.counted.len()).unwrap_or(u32::MAX);
        match deaths.checked_sub(2) {
            _ if deaths > self.limit.max_restarts => None,
            None => Some(Duration::ZERO),
            Some(doublings) => {
                let grown = self.limit.backoff_first.saturating_mul(2_u32.saturating_pow(doublings));
                Some(grown.min(self.limit.backoff_cap))
            }
        }
    }
}

/// How far the actor has come since its last start, told from inside.
#[derive(Default)]
struct Life {
    stage: Cell<Stage>,
    /// In this poll actix is through with the messages and has turned to what the actor spawned.
    own_turn: Cell<bool>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Starting,
    Up,
    Settled,
}

fn attend<A>(ctx: &mut Context<A>, child: &Arc<Child>, life: &Rc<Life>)
where
    A: Actor<Context = Context<A>>,
{
    // Actix polls what an actor waits for newest first and takes no message before all is done: this comes
    // after whatever `started` waits for and before the first message.
    let (up, child_up) = (Rc::clone(life), Arc::clone(child));
    ctx.wait(wrap_future(async move {
        up.stage.set(Stage::Up);
        child_up.state.send_replace(State::Running);
    }));
    let child = Arc::clone(child);
    let told_to_stop = Box::pin(async move { child.told_to_stop().await });
    ctx.spawn(Attendant { life: Rc::clone(life), told_to_stop });
}

/// The first future spawned in an actor. Actix polls those after the mailbox, so that this one finds it
/// empty, unless a message has just made the actor wait.
///
/// After such a message actix polls it last instead of first, or first again. While it is last, the panic of
/// a timer passes for a request's: it goes uncounted, and the next life starts in order.
struct Attendant {
    life: Rc<Life>,
    told_to_stop: Pin<Box<dyn Future<Output = ()>>>,
}

impl<A: Actor<Context = Context<A>>> ActorFuture<A> for Attendant {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        _: &mut A,
        ctx: &mut Context<A>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        self.life.own_turn.set(!ctx.waiting());
        if ctx.waiting() {
            return Poll::Pending;
        }
        self.life.stage.set(Stage::Settled);
        ready!(self.told_to_stop.as_mut().poll(cx));
        ctx.stop();
        Poll::Ready(())
    }
}

#[cfg(feature = "fault-injection")]
impl Child {
    #[expect(clippy::panic, reason = "fault injection")]
    fn crash_if_told(&self) {
        if self.crash.load(Ordering::SeqCst) {
            panic!("told to crash");
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}

/// No code that could panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
