//! Decides which CSO gets an inquiry, and takes waiting ones up when someone has room.

use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture,
};
use uuid::Uuid;

use crate::clock::{Clock, new_id};
use crate::domain::assignment::{Assignment, Candidate, Decision, choose};
use crate::domain::event::{EntityType, EventType};
use crate::domain::inquiry::{Inquiry, Place};
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::inquiries::{InquiryStore, ListWaiting};
use crate::store::users::{ListCandidates, UserStore};
use crate::store::{Commit, LoadRule, Write, Writer};

/// How often the queue is looked at without being told to: for room that appeared on another instance.
const SWEEP: Duration = Duration::from_secs(5);
/// Waiting inquiries read in one go.
const BATCH: i64 = 100;

/// Whom inquiries should go to, by the rules of contract section 7: one decision for each, in the same order. Decides,
/// changes nothing.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Vec<Decision>>")]
pub struct ChooseAssignees(pub Vec<Seeking>);

/// An inquiry in need of someone.
#[derive(Clone, Debug)]
pub struct Seeking {
    pub category: String,
    pub own_cso: Option<Uuid>,
    /// Where it stands in the queue, so that it takes no room that those ahead of it can use. `None` lets it
    /// pass them.
    pub place: Option<Place>,
}

impl Seeking {
    pub(crate) async fn choose(self, balancer: &Mailbox<AssignmentBalancer>) -> HubResult<Decision> {
        let decision = balancer.ask(ChooseAssignees(vec![self])).await?.pop();
        decision.ok_or_else(|| HubError::Internal("no decision for an inquiry".to_owned()))
    }
}

/// Room may have appeared: hands waiting inquiries out.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct TakeUpWaiting;

pub struct AssignmentBalancer {
    desk: Balance,
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
}

impl AssignmentBalancer {
    pub(crate) fn new(desk: Balance) -> Self {
        Self { desk, sweeping: false, again: false }
    }

    fn sweep(&mut self, ctx: &mut Context<Self>) {
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

impl Handler<ChooseAssignees> for AssignmentBalancer {
    type Result = ResponseFuture<HubResult<Vec<Decision>>>;

    fn handle(&mut self, ChooseAssignees(seeking): ChooseAssignees, _: &mut Self::Context) -> Self::Result {
        let desk = self.desk.clone();
        Box::pin(async move { desk.choose_for(&seeking).await })
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
        loop {
            match self.round().await {
                // Another instance, or someone by hand, was faster; the next round sees how things are.
                Err(HubError::Contended | HubError::NoRoom) => {}
                settled => return settled,
            }
        }
    }

    /// One way through the queue, with one look at who has room: room that appears meanwhile must not go to
    /// whatever is looked at next, past what was looked at before. It comes with a nudge of its own.
    async fn round(&self) -> HubResult<()> {
        let mut candidates = self.users.ask(ListCandidates).await?;
        let mut after = None;
        while candidates.iter().any(Candidate::has_room) {
            let waiting = self.inquiries.ask(ListWaiting { after, limit: BATCH }).await?;
            let Some(last) = waiting.last() else { return Ok(()) };
            after = Some(last.inquiry.place());
            for one in &waiting {
                let decision = choose(&one.inquiry.category, one.own_cso, &candidates);
                let now = self.clock.now();
                if take(&mut candidates, &decision, now) {
                    self.assign(&one.inquiry, decision, now).await?;
                }
            }
        }
        Ok(())
    }

    /// Goes through those that seek and those that wait already in the order of the queue, and counts what a waiting
    /// one will take as if it had been taken up: a sweep is about to.
    async fn choose_for(&self, seeking: &[Seeking]) -> HubResult<Vec<Decision>> {
        let mut candidates = self.users.ask(ListCandidates).await?;
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
            let one = &seeking[index];
            while let Some(ahead) =
                waiting.next_if(|waiting| one.place.is_some_and(|place| waiting.inquiry.place() < place))
            {
                let decision = choose(&ahead.inquiry.category, ahead.own_cso, &candidates);
                take(&mut candidates, &decision, now);
            }
            let decision = choose(&one.category, one.own_cso, &candidates);
            take(&mut candidates, &decision, now);
            decisions.push((index, decision));
        }
        decisions.sort_by_key(|(index, _)| *index);
        Ok(decisions.into_iter().map(|(_, decision)| decision).collect())
    }

    async fn assign(&self, inquiry: &Inquiry, decision: Decision, now: Timestamp) -> HubResult<()> {
        let after = inquiry.assign(decision.assignee, now);
        let entity = (EntityType::Inquiry, inquiry.id);
        let event = Event::of(new_id(), EventType::InquiryAssigned, entity, Some(inquiry), &after, now);
        let assignment = Assignment {
            id: new_id(),
            created_at: now,
            inquiry_id: inquiry.id,
            assignee_id: decision.assignee,
            reason: decision.reason,
            actor_id: None,
            candidates: decision.considered,
        };
        let write = Write::UpdateInquiry { before: inquiry.clone(), after, load: LoadRule::WithinCapacity };
        self.writer.ask(Commit::new(write, event).and(Write::InsertAssignment(assignment))).await
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
