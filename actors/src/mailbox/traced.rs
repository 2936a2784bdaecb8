//! How a message takes its trace along into its actor.

use actix::dev::MessageResponse;
use actix::{Actor, Handler, Message, ResponseFuture};
use tokio::sync::oneshot::{Receiver, channel};

use crate::trace::Span;

/// A message on its way to its handler, which it is given in its span.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Errand<A: Actor>(Handling<A>);

type Handling<A> = Box<dyn FnOnce(&mut A, &mut <A as Actor>::Context) + Send>;

/// What a handler answers with. What of it is still to be done is done in the span of its message.
pub trait Answer {
    #[must_use]
    fn within(self, span: Span) -> Self;
}

impl<T: 'static> Answer for ResponseFuture<T> {
    fn within(self, span: Span) -> Self {
        Box::pin(span.around(self))
    }
}

impl<T, E> Answer for Result<T, E> {
    fn within(self, _: Span) -> Self {
        self
    }
}

impl<A: Actor> Errand<A> {
    /// With where the answer comes; that ends without one when the actor dies with the message or before it.
    pub(super) fn of<M>(message: M, span: Span) -> (Self, Receiver<M::Result>)
    where
        A: Handler<M>,
        <A as Handler<M>>::Result: Answer,
        M: Message<Result: Send> + Send + 'static,
    {
        let (answer, answered) = channel();
        let run = move |actor: &mut A, context: &mut A::Context| {
            let entered = span.enter();
            let response = <A as Handler<M>>::handle(actor, message, context);
            drop(entered);
            MessageResponse::<A, M>::handle(response.within(span), context, Some(answer));
        };
        (Self(Box::new(run)), answered)
    }

    /// For `follows_traces!`.
    pub fn run(self, actor: &mut A, context: &mut A::Context) {
        (self.0)(actor, context);
    }
}

/// Lets the given actors be sent messages through a [`Mailbox`](crate::mailbox::Mailbox).
#[macro_export]
macro_rules! follows_traces {
    ($($actor:ty),+ $(,)?) => {$(
        impl ::actix::Handler<$crate::mailbox::Errand<Self>> for $actor {
            type Result = ();

            fn handle(&mut self, errand: $crate::mailbox::Errand<Self>, context: &mut Self::Context) {
                errand.run(self, context);
            }
        }
    )+};
}
