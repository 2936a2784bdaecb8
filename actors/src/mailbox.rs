//! The bounded way to an actor.
//!
//! Actix's own mailbox bound holds for one `Addr` and leaks through its clones, and `send` ignores it. A
//! [`Mailbox`] admits a fixed number of messages at a time and refuses the next at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::dev::{Request, ToEnvelope};
use actix::{Actor, Addr, Context, Handler, Message, Supervised};
use actix_rt::ArbiterHandle;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::timeout;

use crate::error::HubError;
use crate::supervision::{Intake, Supervision};

/// A database that has frozen answers nothing, not even an error, for as long as TCP is patient.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// An actor's address with a bound on the messages it has been sent and has not finished.
///
/// A message counts from `ask` or `nudge` until its handler has answered, for a `ResponseFuture` until that
/// is through. All clones share the bound.
pub struct Mailbox<A: Actor> {
    addr: Addr<A>,
    gate: Gate,
}

impl<A: Actor> Mailbox<A> {
    /// `name` is what errors call the actor, `capacity` how many messages it may have at a time.
    pub fn new(addr: Addr<A>, name: &'static str, capacity: u32) -> Self {
        Self { addr, gate: Gate::new(name, capacity) }
    }

    /// Starts a supervised actor behind a mailbox. At a shutdown the mailbox refuses new messages first
    /// (`Overloaded`), lets those under way finish, stops the actor, and answers `ActorFailed` from then on.
    pub fn start<F>(
        supervision: &Supervision,
        arbiter: &ArbiterHandle,
        name: &'static str,
        capacity: u32,
        make: F,
    ) -> Self
    where
        A: Supervised + Actor<Context = Context<A>>,
        F: FnOnce(&mut Context<A>) -> A + Send + 'static,
    {
        Self::start_until(supervision, arbiter, name, capacity, std::future::ready(()), make)
    }

    /// As [`Self::start`], with something left to be done at a shutdown: when the messages under way are finished and
    /// before the actor stops.
    pub fn start_until<F>(
        supervision: &Supervision,
        arbiter: &ArbiterHandle,
        name: &'static str,
        capacity: u32,
        last: impl Future<Output = ()> + Send + 'static,
        make: F,
    ) -> Self
    where
        A: Supervised + Actor<Context = Context<A>>,
        F: FnOnce(&mut Context<A>) -> A + Send + 'static,
    {
        let gate = Gate::new(name, capacity);
        let closed = gate.clone().close();
        let drained = Box::pin(async move {
            closed.await;
            last.await;
        });
        let intake = Intake { answered: Arc::clone(&gate.answered), drained };
        let addr = supervision.start_behind(intake, arbiter, name, make);
        Self { addr, gate }
    }

    /// Sends a message and waits for the answer, for [`PATIENCE`] at most.
    ///
    /// Once sent, the message is handled even if the caller no longer waits, and counts until then.
    ///
    /// # Errors
    /// `Overloaded` at once if the actor is at its bound; the message was not sent. `ActorFailed` if the
    /// actor died with the message or before it, or has been stopped, `Unavailable` if the time was up: whether
    /// it took effect is unknown.
    pub async fn ask<M, T>(&self, message: M) -> Result<T, HubError>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message<Result = Result<T, HubError>> + Send + 'static,
        T: Send + 'static,
    {
        let mut request = self.send(message)?;
        let Ok(answered) = timeout(PATIENCE, request.answer()).await else {
            return Err(HubError::Unavailable { what: self.gate.actor });
        };
        let Ok(answer) = answered else {
            return Err(HubError::ActorFailed { actor: self.gate.actor });
        };
        self.gate.answered.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// Sends a message whose loss is harmless. It is lost if the actor is at its bound, has been stopped or
    /// dies.
    pub fn nudge<M>(&self, message: M)
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        // Not `do_send`: that would queue without bound in front of an actor that is stuck.
        drop(self.send(message));
    }

    /// The actor's name.
    pub fn actor(&self) -> &'static str {
        self.gate.actor
    }

    /// Messages sent and not finished.
    pub fn in_flight(&self) -> usize {
        self.gate.in_flight()
    }

    /// Messages that may be in flight at a time.
    pub fn capacity(&self) -> usize {
        self.gate.capacity as usize
    }

    fn send<M>(&self, message: M) -> Result<UnderWay<Request<A, M>>, HubError>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let permit = self.gate.enter()?;
        Ok(UnderWay(Some((Box::pin(self.addr.send(message)), permit))))
    }
}

// Derived, it would ask for `A: Clone`.
impl<A: Actor> Clone for Mailbox<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), gate: self.gate.clone() }
    }
}

/// Panics in the handler.
#[cfg(feature = "fault-injection")]
#[derive(Message)]
#[rtype(result = "Result<(), HubError>")]
pub struct Panic;

/// Lets the given actors handle [`Panic`]; expands to nothing without the feature `fault-injection`.
#[macro_export]
macro_rules! panics_on_demand {
    ($($actor:ty),+ $(,)?) => {$(
        #[cfg(feature = "fault-injection")]
        impl ::actix::Handler<$crate::mailbox::Panic> for $actor {
            type Result = Result<(), $crate::error::HubError>;

            fn handle(&mut self, _: $crate::mailbox::Panic, _: &mut Self::Context) -> Self::Result {
                panic!("told to panic");
            }
        }
    )+};
}

#[derive(Clone)]
struct Gate {
    actor: &'static str,
    capacity: u32,
    permits: Arc<Semaphore>,
    answered: Arc<AtomicU64>,
}

impl Gate {
    fn new(actor: &'static str, capacity: u32) -> Self {
        let permits = Arc::new(Semaphore::new(capacity as usize));
        Self { actor, capacity, permits, answered: Arc::default() }
    }

    fn enter(&self) -> Result<OwnedSemaphorePermit, HubError> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => HubError::Overloaded { actor: self.actor },
            TryAcquireError::Closed => HubError::ActorFailed { actor: self.actor },
        })
    }

    fn in_flight(&self) -> usize {
        (self.capacity as usize).saturating_sub(self.permits.available_permits())
    }

    /// Lets nobody in any more and waits until all are out.
    async fn close(self) {
        // A semaphore is fair: from the first poll on, every permit given back comes here.
        let all = self.permits.acquire_many(self.capacity).await;
        self.permits.close();
        drop(all);
    }
}

/// A message on its way, with its permit. Dropped before the answer is here, it goes on by itself: what the
/// actor still has to do must keep counting, or callers that give up would let any number of messages in.
struct UnderWay<F: Future<Output: Send> + Send + 'static>(Option<(Pin<Box<F>>, OwnedSemaphorePermit)>);

impl<F: Future<Output: Send> + Send + 'static> UnderWay<F> {
    async fn answer(&mut self) -> F::Output {
        match &mut self.0 {
            Some((request, _permit)) => {
                let answer = request.await;
                self.0 = None;
                answer
            }
            None => std::future::pending().await,
        }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for UnderWay<F> {
    fn drop(&mut self) {
        // Only a process that is going down drops this outside of a runtime.
        if let (Some((request, permit)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                request.await;
                drop(permit);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use actix::{AtomicResponse, ResponseFuture, WrapFuture};
    use actix_rt::{Arbiter, spawn};
    use tokio::sync::oneshot::{self, Receiver, Sender};

    use super::*;
    use crate::supervision::State;

    #[actix_rt::test]
    async fn the_message_after_the_last_that_fits_is_refused_at_once() {
        let (_, mailbox) = start(2);
        let ((first, release), (second, _held)) = (held(&mailbox), held(&mailbox));
        until(|| mailbox.in_flight() == mailbox.capacity()).await;
        assert!(matches!(mailbox.clone().ask(Echo(1)).await, Err(HubError::Overloaded { actor: "desk" })));
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(mailbox.ask(Echo(2)).await.unwrap(), 2);
        assert_eq!(mailbox.in_flight(), 1);
        drop(second);
    }

    #[actix_rt::test]
    async fn a_caller_that_gives_up_frees_no_place_before_the_actor_is_done() {
        let (_, mailbox) = start(1);
        let (asked, release) = held(&mailbox);
        until(|| mailbox.in_flight() == 1).await;
        asked.abort();
        assert!(asked.await.is_err_and(|error| error.is_cancelled()));
        assert!(matches!(mailbox.ask(Echo(1)).await, Err(HubError::Overloaded { .. })));
        release.send(()).unwrap();
        until(|| mailbox.in_flight() == 0).await;
        assert_eq!(mailbox.ask(Echo(2)).await.unwrap(), 2);
    }

    #[actix_rt::test]
    async fn a_caller_is_told_when_the_answer_takes_too_long_and_the_message_keeps_its_place() {
        tokio::time::pause();
        let (_, mailbox) = start(1);
        let (release, released) = oneshot::channel();
        // Idle, the paused clock jumps to where the time is up.
        assert!(matches!(mailbox.ask(Hold(released)).await, Err(HubError::Unavailable { what: "desk" })));
        assert_eq!(mailbox.in_flight(), 1);
        release.send(()).unwrap();
        until(|| mailbox.in_flight() == 0).await;
        assert_eq!(mailbox.ask(Echo(1)).await.unwrap(), 1);
    }

    #[actix_rt::test]
    async fn a_message_is_handled_though_its_caller_gave_up_while_it_was_queued() {
        let (_, mailbox) = start(2);
        let (busy, release) = alone(&mailbox);
        let (handled, was_handled) = oneshot::channel();
        let queued = spawn({
            let mailbox = mailbox.clone();
            async move { mailbox.ask(Tell(handled)).await }
        });
        until(|| mailbox.in_flight() == 2).await;
        queued.abort();
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
        was_handled.await.unwrap();
    }

    #[actix_rt::test]
    async fn a_panic_fails_its_message_only_and_gives_the_place_back() {
        let (_, mailbox) = start(1);
        for round in 0..10 {
            assert!(matches!(mailbox.ask(Die).await, Err(HubError::ActorFailed { actor: "desk" })));
            assert_eq!(mailbox.ask(Echo(round)).await.unwrap(), round);
        }
        assert_eq!(mailbox.in_flight(), 0);
    }

    #[actix_rt::test]
    async fn panics_under_a_load_that_never_lets_up_are_not_taken_for_a_loop() {
        let (supervision, mailbox) = start(20_000);
        let asked: Vec<_> = (0..4_000)
            .map(|_| {
                let mailbox = mailbox.clone();
                spawn(async move { tokio::join!(mailbox.ask(Echo(1)), mailbox.ask(Die)) })
            })
            .collect();
        for asked in asked {
            let (echoed, died) = asked.await.unwrap();
            assert_eq!(echoed.unwrap(), 1);
            assert!(matches!(died, Err(HubError::ActorFailed { .. })));
        }
        assert_eq!(mailbox.ask(Echo(2)).await.unwrap(), 2);
        assert_eq!(supervision.health()[0].restarts, 4_000);
    }

    #[actix_rt::test]
    async fn nudges_never_exceed_the_bound() {
        let (_, mailbox) = start(3);
        let (_busy, release) = alone(&mailbox);
        until(|| mailbox.in_flight() == 1).await;
        let (told, was_told): (Vec<_>, Vec<_>) = (0..100).map(|_| oneshot::channel()).unzip();
        told.into_iter().for_each(|told| mailbox.nudge(Tell(told)));
        assert_eq!(mailbox.in_flight(), 3);
        release.send(()).unwrap();
        let mut handled = 0;
        for told in was_told {
            handled += usize::from(told.await.is_ok());
        }
        assert_eq!(handled, 2);
    }

    #[actix_rt::test]
    async fn a_shutdown_refuses_new_messages_and_finishes_those_under_way() {
        let (supervision, mailbox) = start(2);
        let (under_way, release) = held(&mailbox);
        until(|| mailbox.in_flight() == 1).await;
        let shutdown = spawn({
            let supervision = supervision.clone();
            async move { supervision.shutdown(Duration::from_secs(60)).await }
        });
        until(|| mailbox.in_flight() == 2).await;
        assert!(matches!(mailbox.ask(Echo(1)).await, Err(HubError::Overloaded { .. })));
        assert_eq!(supervision.health()[0].state, State::Running);
        release.send(()).unwrap();
        under_way.await.unwrap().unwrap();
        assert!(shutdown.await.unwrap().is_empty());
        assert!(matches!(mailbox.ask(Echo(1)).await, Err(HubError::ActorFailed { .. })));
    }

    struct Desk;

    impl Actor for Desk {
        type Context = Context<Self>;
    }

    impl Supervised for Desk {}

    #[derive(Message)]
    #[rtype(result = "Result<u32, HubError>")]
    struct Echo(u32);

    /// Under way until the other end is used; other messages pass by.
    #[derive(Message)]
    #[rtype(result = "Result<(), HubError>")]
    struct Hold(Receiver<()>);

    /// As [`Hold`]; nothing passes.
    #[derive(Message)]
    #[rtype(result = "Result<(), HubError>")]
    struct Occupy(Receiver<()>);

    #[derive(Message)]
    #[rtype(result = "Result<(), HubError>")]
    struct Tell(Sender<()>);

    #[derive(Message)]
    #[rtype(result = "Result<(), HubError>")]
    struct Die;

    impl Handler<Echo> for Desk {
        type Result = Result<u32, HubError>;

        fn handle(&mut self, Echo(value): Echo, _: &mut Self::Context) -> Self::Result {
            Ok(value)
        }
    }

    impl Handler<Hold> for Desk {
        type Result = ResponseFuture<Result<(), HubError>>;

        fn handle(&mut self, Hold(released): Hold, _: &mut Self::Context) -> Self::Result {
            Box::pin(async move {
                let _ = released.await;
                Ok(())
            })
        }
    }

    impl Handler<Occupy> for Desk {
        type Result = AtomicResponse<Self, Result<(), HubError>>;

        fn handle(&mut self, Occupy(released): Occupy, _: &mut Self::Context) -> Self::Result {
            let released = async move {
                let _ = released.await;
                Ok(())
            };
            AtomicResponse::new(Box::pin(released.into_actor(self)))
        }
    }

    impl Handler<Tell> for Desk {
        type Result = Result<(), HubError>;

        fn handle(&mut self, Tell(told): Tell, _: &mut Self::Context) -> Self::Result {
            let _ = told.send(());
            Ok(())
        }
    }

    impl Handler<Die> for Desk {
        type Result = Result<(), HubError>;

        fn handle(&mut self, _: Die, _: &mut Self::Context) -> Self::Result {
            panic!("told to die")
        }
    }

    type Asked = tokio::task::JoinHandle<Result<(), HubError>>;

    fn start(capacity: u32) -> (Supervision, Mailbox<Desk>) {
        let supervision = Supervision::default();
        let mailbox = Mailbox::start(&supervision, &Arbiter::current(), "desk", capacity, |_| Desk);
        (supervision, mailbox)
    }

    fn held(mailbox: &Mailbox<Desk>) -> (Asked, Sender<()>) {
        let (release, released) = oneshot::channel();
        let mailbox = mailbox.clone();
        (spawn(async move { mailbox.ask(Hold(released)).await }), release)
    }

    fn alone(mailbox: &Mailbox<Desk>) -> (Asked, Sender<()>) {
        let (release, released) = oneshot::channel();
        let mailbox = mailbox.clone();
        (spawn(async move { mailbox.ask(Occupy(released)).await }), release)
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::task::yield_now().await;
        }
    }
}
