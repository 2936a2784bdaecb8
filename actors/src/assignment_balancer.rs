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

/// Whom an inquiry should go to, by the rules of contract section 7. Decides, changes nothing.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Decision>")]
pub struct ChooseAssignee {
    pub category: String,
    pub own_cso: Option<Uuid>,
    /// Where it stands in the queue, so that it takes no room that those ahead of it can use. `None` lets it
    /// pass them.
    pub place: Option<Place>,
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

impl Handler<ChooseAssignee> for AssignmentBalancer {
    type Result = ResponseFuture<HubResult<Decision>>;

    fn handle(&mut self, message: ChooseAssignee, _: &mut Self::Context) -> Self::Result {
        let desk = self.desk.clone();
        Box::pin(async move {
            let mut candidates = desk.users.ask(ListCandidates).await?;
            if let Some(place) = message.place {
                desk.set_aside(&mut candidates, place).await?;
            }
            Ok(choose(&message.category, message.own_cso, &candidates))
        })
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
                let Some(candidate) = chosen(&mut candidates, &decision) else { continue };
                let now = self.clock.now();
                candidate.open += 1;
                candidate.last_assigned_at = Some(now);
                self.assign(&one.inquiry, decision, now).await?;
            }
        }
        Ok(())
    }

    /// Counts what waits ahead of `place` as if it had been taken up already. A sweep is about to.
    async fn set_aside(&self, candidates: &mut [Candidate], place: Place) -> HubResult<()> {
        if !candidates.iter().any(Candidate::has_room) {
            return Ok(());
        }
        let waiting = self.inquiries.ask(ListWaiting { after: None, limit: BATCH }).await?;
        for one in waiting.iter().take_while(|one| one.inquiry.place().is_ahead_of(place)) {
            let decision = choose(&one.inquiry.category, one.own_cso, candidates);
            if let Some(candidate) = chosen(candidates, &decision) {
                candidate.open += 1;
            }
        }
        Ok(())
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

fn chosen<'a>(candidates: &'a mut [Candidate], decision: &Decision) -> Option<&'a mut Candidate> {
    candidates.iter_mut().find(|candidate| Some(candidate.user_id) == decision.assignee)
}
