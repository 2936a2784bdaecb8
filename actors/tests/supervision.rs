//! What a supervised actor survives, what it costs, and when it is given up. Time is paused throughout: it
//! moves only while everything waits for it, so that an elapsed time of zero proves that nothing paused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use actix_rt::{Arbiter, ArbiterHandle};
use nexus_actors::supervision::{Intake, Restarts, State, Supervision};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

// ---- what a restart keeps and what it drops

#[actix_rt::test]
async fn a_panic_costs_the_message_and_the_queue_behind_it_is_answered() {
    let (_, worker, _) = start(Trouble::None);
    for deadly in [Deadly::AtOnce, Deadly::WhileOthersWait] {
        let before = worker.send(Ping).await.unwrap();
        let (first, died, second, third) =
            tokio::join!(worker.send(Ping), worker.send(deadly), worker.send(Ping), worker.send(Ping));
        assert_eq!(first.unwrap(), before);
        assert_eq!(died, Err(MailboxError::Closed));
        assert_eq!((second.unwrap(), third.unwrap()), (before + 1, before + 1), "answered by the next life");
    }
}

#[actix_rt::test]
async fn a_stop_is_a_restart_that_keeps_queue_and_actor() {
    let (supervision, worker, seen) = start(Trouble::None);
    let (stopped, pinged) = tokio::join!(worker.send(Stop), worker.send(Ping));
    stopped.unwrap();
    assert_eq!(pinged.unwrap(), 2);
    assert_eq!(seen.made(), 1, "the same actor value");
    assert_eq!(health(&supervision), (State::Running, 1));
}

#[actix_rt::test]
async fn a_restart_drops_what_the_actor_spawned_but_not_what_runs_outside_of_it() {
    let (_, worker, _) = start(Trouble::None);
    let (inside, outside, died) =
        tokio::join!(worker.send(Slow::Inside), worker.send(Slow::Outside), worker.send(Deadly::AtOnce));
    assert_eq!(died, Err(MailboxError::Closed));
    assert_eq!(inside, Err(MailboxError::Closed), "a ResponseActFuture dies with its actor");
    assert_eq!(outside, Ok(()), "a ResponseFuture doesn't");
}

#[actix_rt::test]
async fn a_panic_outside_of_the_actor_leaves_it_alone() {
    let (supervision, worker, _) = start(Trouble::None);
    assert_eq!(worker.send(Deadly::Outside).await, Err(MailboxError::Closed));
    assert_eq!(worker.send(Ping).await, Ok(1));
    assert_eq!(health(&supervision), (State::Running, 0));
}

#[actix_rt::test]
async fn timers_tick_once_a_period_after_a_restart() {
    let (_, worker, seen) = start(Trouble::None);
    worker.send(Deadly::AtOnce).await.unwrap_err();
    worker.send(Ping).await.unwrap();
    let before = seen.ticks();
    sleep(10 * SECOND + SECOND / 2).await;
    assert_eq!(seen.ticks() - before, 10);
}

#[actix_rt::test]
async fn an_actor_nobody_has_an_address_of_lives_on() {
    let (supervision, worker, seen) = start(Trouble::None);
    worker.send(Deadly::AtOnce).await.unwrap_err();
    drop(worker);
    sleep(2 * SECOND + SECOND / 2).await;
    assert_eq!(seen.ticks(), 2);
    assert_eq!(health(&supervision), (State::Running, 1));
}

// ---- the intensity limit

#[actix_rt::test]
async fn a_hundred_panics_one_after_the_other_are_survived_without_a_pause() {
    let (supervision, worker, _) = start(Trouble::None);
    let began = Instant::now();
    for round in 1..=100 {
        worker.send(Deadly::AtOnce).await.unwrap_err();
        assert_eq!(worker.send(Ping).await, Ok(round + 1));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(health(&supervision), (State::Running, 100));
}

#[actix_rt::test]
async fn panics_among_messages_that_make_the_actor_wait_are_not_counted_either() {
    let (supervision, worker, _) = start(Trouble::None);
    let began = Instant::now();
    for round in 1..=100 {
        let deadly = if round % 2 == 0 { Deadly::AtOnce } else { Deadly::WhileOthersWait };
        (0..round % 5).for_each(|_| worker.do_send(Slow::Alone));
        worker.send(deadly).await.unwrap_err();
        worker.send(Slow::Alone).await.unwrap();
    }
    assert_eq!(began.elapsed().as_secs(), 200 + 50 + 100);
    assert_eq!(health(&supervision), (State::Running, 100));
}

#[actix_rt::test]
async fn a_message_an_actor_sends_itself_is_no_different() {
    let (supervision, worker, _) = start(Trouble::None);
    for _ in 1..=100 {
        worker.send(Ping).await.unwrap();
        assert_eq!(worker.send(Relay(Deadly::AtOnce)).await, Ok(Err(MailboxError::Closed)));
    }
    assert_eq!(health(&supervision), (State::Running, 100));
}

#[actix_rt::test]
async fn a_mailbox_full_of_panics_is_survived_without_a_pause() {
    let (supervision, worker, _) = start(Trouble::None);
    let began = Instant::now();
    for deadly in [Deadly::AtOnce, Deadly::WhileOthersWait] {
        (0..500).for_each(|_| worker.do_send(deadly));
    }
    worker.send(Ping).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 500, "the second that each of the slow ones takes");
    assert_eq!(health(&supervision), (State::Running, 1_000));
}

#[actix_rt::test]
async fn a_crash_loop_is_given_up() {
    for trouble in [
        Trouble::PanicsInStarted,
        Trouble::StopsInStarted,
        Trouble::PanicsWhileLoading,
        Trouble::PanicsInRestarting,
        Trouble::PanicsInReloading,
        Trouble::PanicsInSpawned,
        Trouble::FeedsItself,
        Trouble::FeedsItselfSlowly,
    ] {
        let (supervision, worker, _) = start(trouble);
        worker.do_send(Deadly::AtOnce);
        assert_eq!(supervision.failed().await, "worker", "{trouble:?}");
        assert_eq!(supervision.health()[0].state, State::Failed);
        assert_eq!(worker.send(Ping).await, Err(MailboxError::Closed), "{trouble:?}");
    }
}

#[actix_rt::test]
async fn pauses_grow_to_their_cap_and_end_with_the_limit() {
    let restarts =
        Restarts { max_restarts: 5, within: 60 * SECOND, backoff_first: SECOND, backoff_cap: 3 * SECOND };
    let (supervision, _, seen) = start_under(restarts, Trouble::PanicsInStarted);
    supervision.failed().await;
    let at: Vec<_> = seen.started_at().windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(at, [0, 1, 2, 3, 3]);
    assert_eq!(supervision.health()[0].restarts, 5);
}

#[actix_rt::test]
async fn a_failed_actor_runs_none_of_its_hooks_again() {
    for (trouble, starts) in [(Trouble::PanicsInStarted, 7), (Trouble::PanicsInRestarting, 1)] {
        let (supervision, worker, seen) = start(trouble);
        worker.do_send(Deadly::AtOnce);
        supervision.failed().await;
        supervision.stopped().await;
        assert_eq!(seen.starts(), starts, "{trouble:?}");
        assert!(seen.log.lock().unwrap().is_empty(), "{trouble:?}");
    }
}

#[actix_rt::test]
async fn deaths_far_enough_apart_never_add_up() {
    let restarts = Restarts { max_restarts: 3, within: 3 * SECOND, ..Restarts::default() };
    let (supervision, _, seen) = start_under(restarts, Trouble::PanicsAfter(2 * SECOND));
    tokio::select! { _ = supervision.failed() => unreachable!(), () = sleep(1_000 * SECOND) => {} }
    assert!(seen.starts() > 400);

    let (supervision, ..) = start_under(restarts, Trouble::PanicsAfter(SECOND / 2));
    assert_eq!(supervision.failed().await, "worker");
}

#[actix_rt::test]
async fn a_panic_before_there_is_an_actor_fails_at_once() {
    let supervision = paused();
    let addr: Addr<Worker> = supervision.start(&here(), "stillborn", |_| panic!("no actor"));
    assert_eq!(supervision.failed().await, "stillborn");
    assert_eq!(addr.send(Ping).await, Err(MailboxError::Closed));
}

#[actix_rt::test]
async fn the_end_of_its_thread_is_the_end_of_an_actor() {
    let supervision = Supervision::default();
    let arbiter = Arbiter::new();
    let seen = Seen::default();
    let worker = supervision.start(&arbiter.handle(), "worker", seen.clone().worker(Trouble::None));
    assert_eq!(worker.send(Ping).await, Ok(1));
    arbiter.stop();
    assert_eq!(supervision.failed().await, "worker");
    arbiter.join().unwrap();
    let handle = { Arbiter::new() }.handle();
    handle.stop();
    while handle.alive() {
        tokio::task::yield_now().await;
    }
    supervision.start(&handle, "homeless", seen.worker(Trouble::None));
    assert_eq!(supervision.health()[1].state, State::Failed);
}

#[actix_rt::test]
async fn an_actor_is_starting_until_it_has_loaded_and_restarting_until_it_has_again() {
    let (supervision, worker, _) = start(Trouble::LoadsForASecond);
    sleep(SECOND / 2).await;
    assert_eq!(health(&supervision), (State::Starting, 0));
    worker.send(Ping).await.unwrap();
    assert_eq!(health(&supervision), (State::Running, 0));
    worker.send(Deadly::AtOnce).await.unwrap_err();
    sleep(SECOND / 2).await;
    assert_eq!(health(&supervision), (State::Restarting, 1));
    worker.send(Ping).await.unwrap();
    assert_eq!(health(&supervision), (State::Running, 1));
}

// ---- shutdown

#[actix_rt::test]
async fn actors_stop_in_reverse_order_each_with_an_empty_mailbox() {
    let supervision = paused();
    let seen = Seen::default();
    let start = |name| supervision.start(&here(), name, seen.clone().worker_named(name, Trouble::None));
    let (store, desk) = (start("store"), start("desk"));
    // The desk's last message makes it write to the store, as a real one would.
    desk.do_send(Slow::Alone);
    desk.do_send(Forward(store.clone().recipient()));
    desk.do_send(Deadly::AtOnce);
    let pinged = desk.send(Ping);
    assert!(supervision.shutdown(60 * SECOND).await.is_empty());
    assert_eq!(pinged.await, Ok(3), "in the desk's second life, the store's counted too");
    assert_eq!(*seen.log.lock().unwrap(), ["desk forwards", "store noted", "desk stopped", "store stopped"]);
    assert!(supervision.health().iter().all(|actor| actor.state == State::Stopped));
    assert_eq!(store.send(Ping).await, Err(MailboxError::Closed));
}

#[actix_rt::test]
async fn a_shutdown_waits_for_what_is_to_be_drained_first() {
    let supervision = paused();
    let make = Seen::default().worker(Trouble::None);
    let intake = Intake { answered: Arc::default(), drained: Box::pin(sleep(2 * SECOND)) };
    let worker = supervision.start_behind(intake, &here(), "worker", make);
    let under_way = worker.send(Slow::Inside);
    assert!(supervision.shutdown(60 * SECOND).await.is_empty());
    assert_eq!(under_way.await, Ok(()));
}

#[actix_rt::test]
async fn an_actor_that_hangs_is_cut_short_and_leaves_time_to_those_below_it() {
    let supervision = paused();
    let seen = Seen::default();
    let start = |name| supervision.start(&here(), name, seen.clone().worker_named(name, Trouble::None));
    let (store, desk) = (start("store"), start("desk"));
    let stuck = desk.send(Hang);
    store.do_send(Slow::Alone);
    let began = Instant::now();
    assert_eq!(supervision.shutdown(8 * SECOND).await, ["desk"]);
    assert_eq!(began.elapsed().as_secs(), 4);
    supervision.stopped().await;
    assert_eq!(stuck.await, Err(MailboxError::Closed));
    assert!(seen.log.lock().unwrap().contains(&"store stopped".to_owned()));
}

#[actix_rt::test]
async fn once_a_shutdown_has_begun_a_stop_is_final() {
    let (supervision, worker, seen) = start(Trouble::None);
    supervision.begin_shutdown();
    worker.send(Ping).await.unwrap();
    worker.send(Stop).await.unwrap();
    supervision.stopped().await;
    assert_eq!((seen.starts(), health(&supervision)), (1, (State::Stopped, 0)));
}

#[actix_rt::test]
async fn a_shutdown_does_not_wait_for_a_pause_nor_restart_a_crash_loop() {
    let hour = Duration::from_secs(3_600);
    let restarts = Restarts { max_restarts: 9, within: 9 * hour, backoff_first: hour, backoff_cap: hour };
    let (supervision, worker, seen) = start_under(restarts, Trouble::PanicsInStarted);
    let queued = worker.send(Ping);
    sleep(SECOND).await;
    let (began, starts) = (Instant::now(), seen.starts());
    assert!(supervision.shutdown(60 * SECOND).await.is_empty());
    assert_eq!((began.elapsed(), seen.starts()), (Duration::ZERO, starts + 1), "one last try");
    assert_eq!(queued.await, Err(MailboxError::Closed));
}

#[cfg(feature = "fault-injection")]
#[actix_rt::test]
async fn an_actor_can_be_told_to_crash() {
    let (supervision, worker, _) = start(Trouble::None);
    worker.send(Ping).await.unwrap();
    supervision.crash_when_started("worker");
    worker.send(nexus_actors::mailbox::Panic).await.unwrap_err();
    assert_eq!(supervision.failed().await, "worker");
}

// ---- an actor with any trouble wanted

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    PanicsInStarted,
    StopsInStarted,
    PanicsWhileLoading,
    PanicsInRestarting,
    PanicsInReloading,
    PanicsInSpawned,
    PanicsAfter(Duration),
    FeedsItself,
    FeedsItselfSlowly,
    LoadsForASecond,
}

struct Worker {
    name: &'static str,
    trouble: Trouble,
    seen: Seen,
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.seen.started_at.lock().unwrap().push(Instant::now());
        ctx.run_interval(SECOND, |worker, _| {
            worker.seen.ticks.fetch_add(1, SeqCst);
        });
        match self.trouble {
            Trouble::PanicsInStarted => panic!("in started"),
            Trouble::StopsInStarted => ctx.stop(),
            Trouble::PanicsWhileLoading => ctx.wait(panics_soon().into_actor(self)),
            Trouble::PanicsInSpawned => drop(ctx.spawn(panics_soon().into_actor(self))),
            Trouble::PanicsAfter(time) => drop(ctx.run_later(time, |_, _| panic!("in a timer"))),
            Trouble::FeedsItself => ctx.address().do_send(Deadly::AtOnce),
            Trouble::FeedsItselfSlowly => ctx.address().do_send(Deadly::WhileOthersWait),
            Trouble::LoadsForASecond => ctx.wait(sleep(SECOND).into_actor(self)),
            Trouble::None | Trouble::PanicsInRestarting | Trouble::PanicsInReloading => {}
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.seen.note(self.name, "stopped");
    }
}

impl Supervised for Worker {
    fn restarting(&mut self, ctx: &mut Self::Context) {
        match self.trouble {
            Trouble::PanicsInRestarting => panic!("in restarting"),
            Trouble::PanicsInReloading => ctx.wait(panics_soon().into_actor(self)),
            _ => {}
        }
    }
}

async fn panics_soon() {
    sleep(Duration::from_millis(3)).await;
    panic!("soon");
}

/// Answered with the number of times the actor has started.
#[derive(Message)]
#[rtype(u32)]
struct Ping;

impl Handler<Ping> for Worker {
    type Result = u32;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> u32 {
        self.seen.starts()
    }
}

#[derive(Message)]
#[rtype("()")]
struct Stop;

impl Handler<Stop> for Worker {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[derive(Clone, Copy, Message)]
#[rtype("()")]
enum Deadly {
    AtOnce,
    WhileOthersWait,
    Outside,
}

impl Handler<Deadly> for Worker {
    type Result = ActorOr;

    fn handle(&mut self, deadly: Deadly, _: &mut Self::Context) -> ActorOr {
        match deadly {
            Deadly::AtOnce => panic!("at once"),
            Deadly::WhileOthersWait => ActorOr::Atomic(AtomicResponse::new(Box::pin(
                async {
                    sleep(SECOND).await;
                    panic!("while others wait")
                }
                .into_actor(self),
            ))),
            Deadly::Outside => ActorOr::Outside(Box::pin(async { panic!("outside") })),
        }
    }
}

#[derive(Clone, Copy, Message)]
#[rtype("()")]
enum Slow {
    Inside,
    Outside,
    Alone,
}

impl Handler<Slow> for Worker {
    type Result = ActorOr;

    fn handle(&mut self, slow: Slow, _: &mut Self::Context) -> ActorOr {
        match slow {
            Slow::Inside => ActorOr::Inside(Box::pin(sleep(SECOND).into_actor(self))),
            Slow::Outside => ActorOr::Outside(Box::pin(sleep(SECOND))),
            Slow::Alone => ActorOr::Atomic(AtomicResponse::new(Box::pin(sleep(SECOND).into_actor(self)))),
        }
    }
}

/// Sends itself the message from a future of its own, and answers when that is answered.
#[derive(Message)]
#[rtype("Result<(), MailboxError>")]
struct Relay(Deadly);

impl Handler<Relay> for Worker {
    type Result = ResponseFuture<Result<(), MailboxError>>;

    fn handle(&mut self, Relay(deadly): Relay, ctx: &mut Self::Context) -> Self::Result {
        let (tell, told) = tokio::sync::oneshot::channel();
        let relay = std::future::ready(()).into_actor(self).map(move |(), worker, ctx| {
            let _ = tell.send(ctx.address().send(deadly));
            // What is spawned makes actix look into the mailbox again before it lets go of the actor.
            ctx.spawn(std::future::ready(()).into_actor(worker));
        });
        ctx.spawn(relay);
        Box::pin(async { told.await.unwrap().await })
    }
}

#[derive(Message)]
#[rtype("()")]
struct Hang;

impl Handler<Hang> for Worker {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Hang, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(Box::pin(pending::<()>().into_actor(self)))
    }
}

#[derive(Message)]
#[rtype("()")]
struct Note;

impl Handler<Note> for Worker {
    type Result = ();

    fn handle(&mut self, _: Note, _: &mut Self::Context) {
        self.seen.note(self.name, "noted");
    }
}

#[derive(Message)]
#[rtype("()")]
struct Forward(Recipient<Note>);

impl Handler<Forward> for Worker {
    type Result = ();

    fn handle(&mut self, Forward(to): Forward, _: &mut Self::Context) {
        self.seen.note(self.name, "forwards");
        to.do_send(Note);
    }
}

/// Each way a handler can answer later.
enum ActorOr {
    Inside(ResponseActFuture<Worker, ()>),
    Outside(ResponseFuture<()>),
    Atomic(AtomicResponse<Worker, ()>),
}

impl<M: Message<Result = ()>> actix::dev::MessageResponse<Worker, M> for ActorOr {
    fn handle(self, ctx: &mut Context<Worker>, tx: Option<actix::dev::OneshotSender<()>>) {
        match self {
            Self::Inside(answer) => actix::dev::MessageResponse::<Worker, M>::handle(answer, ctx, tx),
            Self::Outside(answer) => actix::dev::MessageResponse::<Worker, M>::handle(answer, ctx, tx),
            Self::Atomic(answer) => actix::dev::MessageResponse::<Worker, M>::handle(answer, ctx, tx),
        }
    }
}

#[cfg(feature = "fault-injection")]
nexus_actors::panics_on_demand!(Worker);

/// What happened to a worker, seen from outside.
#[derive(Clone, Default)]
struct Seen {
    made: Arc<AtomicU32>,
    ticks: Arc<AtomicU32>,
    started_at: Arc<Mutex<Vec<Instant>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Seen {
    fn worker(self, trouble: Trouble) -> impl FnOnce(&mut Context<Worker>) -> Worker + Send + 'static {
        self.worker_named("worker", trouble)
    }

    fn worker_named(
        self,
        name: &'static str,
        trouble: Trouble,
    ) -> impl FnOnce(&mut Context<Worker>) -> Worker + Send + 'static {
        self.made.fetch_add(1, SeqCst);
        move |_| Worker { name, trouble, seen: self }
    }

    fn note(&self, name: &str, what: &str) {
        self.log.lock().unwrap().push(format!("{name} {what}"));
    }

    fn made(&self) -> u32 {
        self.made.load(SeqCst)
    }

    fn ticks(&self) -> u32 {
        self.ticks.load(SeqCst)
    }

    fn started_at(&self) -> Vec<Instant> {
        self.started_at.lock().unwrap().clone()
    }

    fn starts(&self) -> u32 {
        self.started_at.lock().unwrap().len() as u32
    }
}

fn start(trouble: Trouble) -> (Supervision, Addr<Worker>, Seen) {
    start_under(Restarts::default(), trouble)
}

fn start_under(restarts: Restarts, trouble: Trouble) -> (Supervision, Addr<Worker>, Seen) {
    drop(paused());
    let supervision = Supervision::new(restarts);
    let seen = Seen::default();
    let worker = supervision.start(&here(), "worker", seen.clone().worker(trouble));
    (supervision, worker, seen)
}

fn paused() -> Supervision {
    // Pausing twice panics.
    thread_local!(static PAUSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    if !PAUSED.replace(true) {
        tokio::time::pause();
    }
    Supervision::default()
}

fn here() -> ArbiterHandle {
    Arbiter::current()
}

fn health(supervision: &Supervision) -> (State, u64) {
    let actor = supervision.health()[0];
    (actor.state, actor.restarts)
}
