use actix::{AtomicResponse, ResponseFuture, WrapFuture};
use actix_rt::{Arbiter, spawn};
use opentelemetry::trace::noop::NoopTracer;
use tokio::sync::oneshot::{self, Receiver, Sender};

use super::*;
use crate::supervision::State;
use crate::trace::{Tracer, within};

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

/// As if it were part of a trace.
async fn traced<T>(asking: impl Future<Output = T>) -> T {
    let tracer = Tracer::new(NoopTracer::new(), "none");
    let span = tracer.begin(SpanKind::Internal, "test", None, Vec::new());
    within(Some(&span), asking).await
}

#[actix_rt::test]
async fn a_message_that_is_traced_is_answered_refused_and_lost_as_any_other() {
    let (supervision, mailbox) = start(2);
    assert_eq!(traced(mailbox.ask(Echo(7))).await.unwrap(), 7);
    let died = traced(mailbox.ask(Die)).await;
    assert!(matches!(died, Err(HubError::ActorFailed { .. })), "{died:?}");
    let (release, released) = oneshot::channel();
    let asked = {
        let mailbox = mailbox.clone();
        spawn(async move { traced(mailbox.ask(Hold(released))).await })
    };
    let (other, let_go) = held(&mailbox);
    until(|| mailbox.in_flight() == 2).await;
    let refused = traced(mailbox.ask(Echo(1))).await;
    assert!(matches!(refused, Err(HubError::Overloaded { .. })), "{refused:?}");
    // Whoever gives up leaves the message its place.
    asked.abort();
    until(|| asked.is_finished()).await;
    assert_eq!(mailbox.in_flight(), 2);
    release.send(()).unwrap();
    let_go.send(()).unwrap();
    other.await.unwrap().unwrap();
    until(|| mailbox.in_flight() == 0).await;
    assert!(supervision.shutdown(Duration::from_secs(5)).await.is_empty());
    let stopped = traced(mailbox.ask(Echo(1))).await;
    assert!(matches!(stopped, Err(HubError::ActorFailed { .. })), "{stopped:?}");
}

struct Desk;

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Supervised for Desk {}

crate::follows_traces!(Desk);

impl<T> Answer for AtomicResponse<Desk, T> {
    fn within(self, _: Span) -> Self {
        self
    }
}

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
