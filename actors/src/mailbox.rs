//! The bounded way to an actor.
//!
//! Actix's own mailbox bound holds for one `Addr` and leaks through its clones, and `send` ignores it. A
//! [`Mailbox`] admits a fixed number of messages at a time and refuses the next at once.

use std::any::type_name;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Context, Handler, Message, Supervised};
use actix_rt::ArbiterHandle;
use futures_util::TryFutureExt;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout};

use crate::error::HubError;
use crate::measures::{MailboxMeasures, message_seconds};
use crate::supervision::{Intake, Supervision};
use crate::trace::{KeyValue, Span, SpanKind};

mod traced;

pub use traced::{Answer, Errand};

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
        A: Handler<M, Result: Answer> + Handler<Errand<A>>,
        A::Context: ToEnvelope<A, M> + ToEnvelope<A, Errand<A>>,
        M: Message<Result = Result<T, HubError>> + Send + 'static,
        T: Send + 'static,
    {
        let mut request = self.send(message)?;
        let Ok((answered, place)) = timeout(PATIENCE, request.answer()).await else {
            return Err(HubError::Unavailable { what: self.gate.actor });
        };
        let answer = match answered {
            Ok(answer) => {
                self.gate.answered.fetch_add(1, Ordering::Relaxed);
                answer
            }
            Err(Gone) => Err(HubError::ActorFailed { actor: self.gate.actor }),
        };
        if let (Some(span), Err(error)) = (&place.span, &answer) {
            span.fail_if_fault(error);
        }
        answer
    }

    /// Sends a message whose loss is harmless. It is lost if the actor is at its bound, has been stopped or
    /// dies.
    pub fn nudge<M>(&self, message: M)
    where
        A: Handler<M, Result: Answer> + Handler<Errand<A>>,
        A::Context: ToEnvelope<A, M> + ToEnvelope<A, Errand<A>>,
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

    pub fn measures(&self) -> MailboxMeasures {
        MailboxMeasures {
            actor: self.actor(),
            in_flight: self.in_flight(),
            capacity: self.capacity(),
            refused: self.gate.refused.clone(),
            seconds: self.gate.seconds.clone(),
        }
    }

    fn send<M>(&self, message: M) -> Result<UnderWay<M::Result>, HubError>
    where
        A: Handler<M, Result: Answer> + Handler<Errand<A>>,
        A::Context: ToEnvelope<A, M> + ToEnvelope<A, Errand<A>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let mut place = self.gate.enter()?;
        place.span = self.gate.span::<M>();
        let request: Sent<M::Result> = match place.span.clone() {
            None => Box::pin(self.addr.send(message).map_err(|_| Gone)),
            Some(span) => {
                let (errand, answered) = Errand::of(message, span);
                // Its place bounds it, and whatever becomes of it shows where its answer comes.
                self.addr.do_send(errand);
                Box::pin(answered.map_err(|_| Gone))
            }
        };
        Ok(UnderWay(Some((request, place))))
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
    refused: Counter,
    seconds: Histogram,
}

impl Gate {
    fn new(actor: &'static str, capacity: u32) -> Self {
        let permits = Arc::new(Semaphore::new(capacity as usize));
        let (refused, seconds) = (Counter::default(), message_seconds());
        Self { actor, capacity, permits, answered: Arc::default(), refused, seconds }
    }

    fn enter(&self) -> Result<Place, HubError> {
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => {
                let (since, seconds) = (Instant::now(), self.seconds.clone());
                Ok(Place { _permit: permit, since, seconds, span: None })
            }
            Err(TryAcquireError::NoPermits) => {
                self.refused.inc();
                Err(HubError::Overloaded { actor: self.actor })
            }
            Err(TryAcquireError::Closed) => Err(HubError::ActorFailed { actor: self.actor }),
        }
    }

    /// What the handling of a message is in its trace.
    fn span<M>(&self) -> Option<Span> {
        let current = Span::current()?;
        let path = type_name::<M>();
        let message = path.rsplit("::").next().unwrap_or(path);
        let attributes =
            vec![KeyValue::new("nexus.actor", self.actor), KeyValue::new("nexus.message", message)];
        Some(current.child(SpanKind::Internal, format!("{} {message}", self.actor), attributes))
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

/// A message's place in a mailbox, until its actor is done with it.
struct Place {
    _permit: OwnedSemaphorePermit,
    since: Instant,
    seconds: Histogram,
    span: Option<Span>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.seconds.observe(self.since.elapsed().as_secs_f64());
        if let Some(span) = &self.span {
            span.end();
        }
    }
}

/// A message on its way, with its place. Dropped before the answer is here, it goes on by itself: what the
/// actor still has to do must keep counting, or callers that give up would let any number of messages in.
struct UnderWay<T: Send + 'static>(Option<(Sent<T>, Place)>);

/// An answer to come.
type Sent<T> = Pin<Box<dyn Future<Output = Result<T, Gone>> + Send>>;

/// The actor died with the message or before it.
struct Gone;

impl<T: Send + 'static> UnderWay<T> {
    /// The answer, and the place the message had until now.
    async fn answer(&mut self) -> (Result<T, Gone>, Place) {
        if let Some((request, _)) = &mut self.0 {
            let answer = request.await;
            if let Some((_, place)) = self.0.take() {
                return (answer, place);
            }
        }
        std::future::pending().await
    }
}

impl<T: Send + 'static> Drop for UnderWay<T> {
    fn drop(&mut self) {
        // Only a process that is going down drops this outside of a runtime.
        if let (Some((request, place)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                let _ = request.await;
                drop(place);
            });
        }
    }
}

#[cfg(test)]
mod tests;
