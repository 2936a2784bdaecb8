//! The lives of one actor, from the first start to the last death.

use std::any::Any;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{self, Poll, ready};
use std::time::Duration;

use actix::dev::ContextFut;
use actix::fut::{ActorFuture, wrap_future};
use actix::{Actor, ActorContext, AsyncContext, Context, SpawnHandle, Supervised};
use tokio::time::{self, Instant};

use super::restarts::{Blame, Deaths};
use super::{Child, State, Tenure};

/// Restarts the actor until it is given up or stopped for good.
pub(super) async fn supervise<A>(tenure: Tenure, mut actor: ContextFut<A, Context<A>>)
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

pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}
