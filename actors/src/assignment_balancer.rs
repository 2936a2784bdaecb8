//! Decides which CSO gets an inquiry, and takes waiting ones up when someone has room.

mod promises;

use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture,
};
use uuid::Uuid;

use self::promises::{Asked, Promises, Turn};
use crate::clock::{Clock, new_id};
use crate::domain::assignment::{Assignment, Candidate, Decision, Reason, Wanted, choose};
use crate::domain::event::{EntityType, EventType};
use crate::domain::inquiry::{Inquiry, Place};
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::inquiries::{InquiryStore, ListNotTakenUp, ListWaiting, Waiting};
use crate::store::users::{ListCandidates, UserStore};
use crate::store::{Commit, LoadRule, Write, Writer};

pub use self::promises::Promise;

/// How often the queue is looked at without being told to: for room that appeared on another instance.
const SWEEP: Duration = Duration::from_secs(5);
/// Waiting inquiries read in one go.
const BATCH: i64 = 100;
/// Whoever had the turn did not live to decide.
const DIED: HubError = HubError::ActorFailed { actor: "AssignmentBalancer" };

/// Whom inquiries should go to, by the rules of contract section 7: one decision for each, in the same order. Decides,
/// changes nothing.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Chosen>")]
pub struct ChooseAssignees(pub Vec<Seeking>);

pub type Chosen = (Vec<Decision>, Promise);

/// An inquiry in need of someone.
#[derive(Clone, Debug)]
pub struct Seeking {
    pub inquiry_id: Uuid,
    pub wanted: Wanted,
    /// Where it stands in the queue, so that it takes no room that those ahead of it can use. `None` lets it
    /// pass them.
    pub place: Option<Place>,
}

impl Seeking {
    pub(crate) async fn choose(
        self,
        balancer: &Mailbox<AssignmentBalancer>,
    ) -> HubResult<(Decision, Promise)> {
        let (mut decisions, promise) = balancer.ask(ChooseAssignees(vec![self])).await?;
        let decision = decisions.pop();
        let decision = decision.ok_or_else(|| HubError::Internal("no decision for an inquiry".to_owned()))?;
        Ok((decision, promise))
    }
}

/// Room may have appeared: hands waiting inquiries out.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct TakeUpWaiting;

pub struct AssignmentBalancer {
    desk: Balance,
    promises: Promises,
    /// A sweep is under way; another nudge waits for the next.
    sweeping: bool,
    again: bool,
}

#[derive(Clone)]
pub(crate) struct Balance {
    pub clock: Clock,
    pub inquiries: Mailbox<InquiryStore>,
    pub users: Mailbox<UserStore>,
    pub writer: Mailbox<Writer>,
    /// Whether what waits is handed out by this hub.
    pub hands_out: bool,
    /// How long an assigned inquiry may wait to be taken up; zero for as long as it takes.
    pub accept_within: Duration,
}

impl AssignmentBalancer {
    pub(crate) fn new(desk: Balance) -> Self {
        Self { desk, promises: Promises::default(), sweeping: false, again: false }
    }

    fn sweep(&mut self, ctx: &mut Context<Self>) {
        if !self.desk.hands_out {
            return;
        }
        if self.sweeping {
            self.again = true;
            return;
        }
        self.sweeping = true;
        let desk = self.desk.clone();
        // In a task of its own: were one inquiry to make it panic, the actor would live on.
        let task = actix_rt::spawn(async move { desk.hand_out().await });
        let sweep = task.into_actor(self).map(|outcome, actor, ctx| {
            actor.sweeping = false;
            match outcome {
                Ok(Ok(())) if std::mem::take(&mut actor.again) => actor.sweep(ctx),
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "waiting inquiries stay waiting until the next sweep")
                }
                Err(error) => tracing::error!(%error, "a sweep of the waiting inquiries died"),
            }
        });
        ctx.spawn(sweep);
    }
}

impl Actor for AssignmentBalancer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A restart dropped whatever was under way.
        self.sweeping = false;
        ctx.run_interval(SWEEP, |actor, ctx| actor.sweep(ctx));
    }
}

impl Supervised for AssignmentBalancer {}

crate::follows_traces!(AssignmentBalancer);

impl Handler<ChooseAssignees> for AssignmentBalancer {
    type Result = ResponseFuture<HubResult<Chosen>>;

    fn handle(&mut self, ChooseAssignees(seeking): ChooseAssignees, _: &mut Self::Context) -> Self::Result {
        let (desk, promises) = (self.desk.clone(), self.promises.clone());
        Box::pin(async move { desk.choose_for(seeking, &promises).await })
    }
}

impl Handler<TakeUpWaiting> for AssignmentBalancer {
    type Result = HubResult<()>;

    fn handle(&mut self, _: TakeUpWaiting, ctx: &mut Self::Context) -> Self::Result {
        self.sweep(ctx);
        Ok(())
    }
}

impl Balance {
    /// Goes through the queue in its order until nobody has room, or nobody who has may take what is left.
    async fn hand_out(&self) -> HubResult<()> {
        self.take_back().await?;
        loop {
            match self.round().await {
                // Another instance, or someone by hand, was faster; the next round sees how things are.
                Err(HubError::Contended | HubError::NoRoom) => {}
                settled => return settled,
            }
        }
    }

    /// What its CSO has not taken up in time waits again, with its old place in the queue.
    async fn take_back(&self) -> HubResult<()> {
        if self.accept_within.is_zero() {
            return Ok(());
        }
        loop {
            let assigned_until = self.clock.now().minus(self.accept_within);
            let lapsed = self.inquiries.ask(ListNotTakenUp { assigned_until, limit: BATCH }).await?;
            for inquiry in &lapsed {
                match self.take_from(inquiry).await {
                    // It has just been taken up, or another instance was faster.
                    Err(HubError::Contended) => {}
                    outcome => outcome?,
                }
            }
            if lapsed.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    async fn take_from(&self, inquiry: &Inquiry) -> HubResult<()> {
        let now = self.clock.now();
        let after = inquiry.assign(None, now);
        let entity = (EntityType::Inquiry, inquiry.id);
        let event = Event::of(new_id(), EventType::InquiryUnassigned, entity, Some(inquiry), &after, now);
        let decision = Decision::without_choice(None, Reason::NotTakenUp);
        let assignment = Assignment::of(new_id(), inquiry.id, decision, None, now);
        let write = Write::UpdateInquiry { before: inquiry.clone(), after, load: LoadRule::Any };
        let lapse = Write::SetLapsed { inquiry_id: inquiry.id, by: inquiry.assigned_to };
        self.writer.ask(Commit::new(write, event).and(lapse).and(Write::InsertAssignment(assignment))).await
    }

    /// One way through the queue, with one look at who has room: room that appears meanwhile must not go to
    /// whatever is looked at next, past what was looked at before. It comes with a nudge of its own.
    async fn round(&self) -> HubResult<()> {
        let mut candidates = self.users.ask(ListCandidates::default()).await?;
        let mut after = None;
        while candidates.iter().any(Candidate::has_room) {
            let waiting = self.inquiries.ask(ListWaiting { after, limit: BATCH }).await?;
            let Some(last) = waiting.last() else { return Ok(()) };
            after = Some(last.inquiry.place());
            for one in &waiting {
                let decision = choose(&one.wanted, &candidates);
                let now = self.clock.now();
                if take(&mut candidates, &decision, now) {
                    self.assign(one, decision, now).await?;
                }
            }
        }
        Ok(())
    }

    /// Decided in the first turn that begins from now on, by whoever has it.
    async fn choose_for(&self, seeking: Vec<Seeking>, promises: &Promises) -> HubResult<Chosen> {
        let mut answered = promises.ask(seeking);
        let turn = tokio::select! {
            biased;
            answer = &mut answered => return answer.unwrap_or(Err(DIED)),
            turn = promises.turn() => turn?,
        };
        let asked = turn.asked();
        let decided = self.decide(asked.iter().flat_map(|one| &one.seeking).collect(), &turn).await;
        let mut decisions = decided.map(Vec::into_iter);
        for Asked { seeking, answer } in asked {
            let chosen = match &mut decisions {
                Ok(decisions) => {
                    let decisions: Vec<_> = decisions.take(seeking.len()).collect();
                    let promise = turn.promise(&seeking, &decisions);
                    Ok((decisions, promise))
                }
                Err(error) => Err(error.clone()),
            };
            // Whoever no longer waits for it drops the promise.
            let _ = answer.send(chosen);
        }
        answered.await.unwrap_or(Err(DIED))
    }

    /// Goes through those that seek and those that wait already in the order of the queue, and counts what a waiting
    /// one will take as if it had been taken up: a sweep is about to.
    async fn decide(&self, seeking: Vec<&Seeking>, turn: &Turn<'_>) -> HubResult<Vec<Decision>> {
        let mut candidates = self.users.ask(ListCandidates { without: turn.promised() }).await?;
        turn.count(&mut candidates);
        let queued = seeking.iter().any(|one| one.place.is_some());
        let waiting = if queued && candidates.iter().any(Candidate::has_room) {
            self.inquiries.ask(ListWaiting { after: None, limit: BATCH }).await?
        } else {
            Vec::new()
        };
        let mut waiting = waiting.iter().peekable();
        let mut order: Vec<usize> = (0..seeking.len()).collect();
        order.sort_by(|&a, &b| match (seeking[a].place, seeking[b].place) {
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        let now = self.clock.now();
        let mut decisions: Vec<(usize, Decision)> = Vec::with_capacity(seeking.len());
        for index in order {
            let one = seeking[index];
            while let Some(ahead) =
                waiting.next_if(|waiting| one.place.is_some_and(|place| waiting.inquiry.place() < place))
            {
                let decision = choose(&ahead.wanted, &candidates);
                take(&mut candidates, &decision, now);
            }
            let decision = choose(&one.wanted, &candidates);
            take(&mut candidates, &decision, now);
            decisions.push((index, decision));
        }
        decisions.sort_by_key(|(index, _)| *index);
        Ok(decisions.into_iter().map(|(_, decision)| decision).collect())
    }

    async fn assign(&self, one: &Waiting, decision: Decision, now: Timestamp) -> HubResult<()> {
        let inquiry = &one.inquiry;
        let after = inquiry.assign(decision.assignee, now);
        let entity = (EntityType::Inquiry, inquiry.id);
        let event = Event::of(new_id(), EventType::InquiryAssigned, entity, Some(inquiry), &after, now);
        let assignment = Assignment::of(new_id(), inquiry.id, decision, None, now);
        let write = Write::UpdateInquiry { before: inquiry.clone(), after, load: LoadRule::WithinCapacity };
        let mut commit = Commit::new(write, event).and(Write::InsertAssignment(assignment));
        if one.wanted.lapsed_by.is_some() {
            commit = commit.and(Write::SetLapsed { inquiry_id: inquiry.id, by: None });
        }
        self.writer.ask(commit).await
    }
}

/// Puts one more inquiry on whoever was chosen; `false` when nobody was.
fn take(candidates: &mut [Candidate], decision: &Decision, now: Timestamp) -> bool {
    let chosen = candidates.iter_mut().find(|candidate| Some(candidate.user_id) == decision.assignee);
    let Some(candidate) = chosen else { return false };
    candidate.open += 1;
    candidate.last_assigned_at = Some(now);
    true
}
