//! Takes in what channels bring: an inquiry, or the next message of one, exactly once.

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use serde_json::json;
use uuid::Uuid;

use crate::assignment_balancer::{AssignmentBalancer, ChooseAssignee, TakeUpWaiting};
use crate::clock::{Clock, new_id};
use crate::desk::settle;
use crate::domain::assignment::Assignment;
use crate::domain::channel::InboundMessage;
use crate::domain::customer::Customer;
use crate::domain::event::{EntityType, EventType};
use crate::domain::inquiry::{ConversationMessage, Direction, Inquiry, NewInquiry};
use crate::domain::{Claim, Event, Origin, Timestamp};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::intake::{FindBelonging, IntakeStore};
use crate::store::users::{GetUser, UserStore};
use crate::store::{Commit, LoadRule, Write, Writer};

/// A channel's message, already validated. `external_id` is what identifies it: the message's own, or what stands in
/// for that and is shown nowhere; without one, each call is new.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Taken>")]
pub struct TakeIn {
    pub channel: String,
    pub external_id: Option<String>,
    pub message: InboundMessage,
    pub origin: Origin,
    /// The `Idempotency-Key` of the request, settled with the commit.
    pub claim: Option<Claim>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub inquiry_id: Uuid,
    /// It had been taken in before; nothing was changed.
    pub duplicate: bool,
}

#[derive(Clone)]
pub struct IntakeDesk {
    pub(crate) clock: Clock,
    pub(crate) intake: Mailbox<IntakeStore>,
    pub(crate) users: Mailbox<UserStore>,
    pub(crate) balancer: Mailbox<AssignmentBalancer>,
    pub(crate) writer: Mailbox<Writer>,
}

impl Actor for IntakeDesk {
    type Context = Context<Self>;
}

impl Supervised for IntakeDesk {}

impl Handler<TakeIn> for IntakeDesk {
    type Result = ResponseFuture<HubResult<Taken>>;

    fn handle(&mut self, take_in: TakeIn, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move { settle(|| desk.take_in(&take_in)).await })
    }
}

impl IntakeDesk {
    async fn take_in(&self, take_in: &TakeIn) -> HubResult<Taken> {
        let TakeIn { channel, external_id, message, origin, claim } = take_in;
        let find = FindBelonging {
            channel: channel.clone(),
            external_id: external_id.clone(),
            thread_id: message.thread_id.clone(),
            email: message.customer.email.clone(),
        };
        let belonging = self.intake.ask(find).await?;
        if let Some(inquiry_id) = belonging.taken_into {
            return Ok(Taken { inquiry_id, duplicate: true });
        }
        let now = self.clock.now();
        let mut commit = Commit::default();
        let customer = match belonging.customer {
            Some(customer) => customer,
            None => {
                let customer = Customer::new(new_id(), message.customer.clone().into_input(), None, now);
                let entity = (EntityType::Customer, customer.id);
                let event = Event::of(new_id(), EventType::CustomerCreated, entity, None, &customer, now);
                commit = commit.and(Write::InsertCustomer(customer.clone())).with_event(origin.stamp(event));
                customer
            }
        };
        let (commit, inquiry_id, waits) = match belonging.thread {
            Some(inquiry) => self.append(commit, take_in, inquiry, now).await?,
            None => self.open(commit, take_in, &customer, now).await?,
        };
        let commit = match external_id {
            Some(external_id) => commit.and(Write::InsertInbox {
                channel: channel.clone(),
                external_id: external_id.clone(),
                inquiry_id,
                at: now,
            }),
            None => commit,
        };
        let settle = claim
            .clone()
            .map(|claim| (claim, json!({"inquiryId": inquiry_id, "duplicate": false}).to_string()));
        match self.writer.ask(Commit { settle, ..commit }).await {
            // The same customer wrote twice at once; the other message made them.
            Err(HubError::Taken { .. }) => return Err(HubError::Contended),
            outcome => outcome?,
        }
        if waits {
            // Also for room that appeared before it stood in the queue.
            self.balancer.nudge(TakeUpWaiting);
        }
        Ok(Taken { inquiry_id, duplicate: false })
    }

    /// A new inquiry, assigned at once if anyone has room.
    async fn open(
        &self,
        commit: Commit,
        take_in: &TakeIn,
        customer: &Customer,
        now: Timestamp,
    ) -> HubResult<(Commit, Uuid, bool)> {
        let message = &take_in.message;
        let input = NewInquiry {
            customer_id: customer.id,
            subject: message.subject(),
            message: message.message.clone(),
            priority: message.priority,
            category: message.category.clone(),
            channel: Some(take_in.channel.clone()),
        };
        let mut inquiry = Inquiry::new(new_id(), input, now);
        inquiry.external_id.clone_from(&message.external_id);
        inquiry.thread_id.clone_from(&message.thread_id);
        let (category, place) = (inquiry.category.clone(), Some(inquiry.place()));
        let choice = ChooseAssignee { category, own_cso: customer.assigned_to, place };
        let decision = self.balancer.ask(choice).await?;
        inquiry.assigned_to = decision.assignee;
        inquiry.assigned_at = decision.assignee.map(|_| now);
        let entity = (EntityType::Inquiry, inquiry.id);
        let created = Event::of(new_id(), EventType::InquiryCreated, entity, None, &inquiry, now);
        let assignment = Assignment {
            id: new_id(),
            created_at: now,
            inquiry_id: inquiry.id,
            assignee_id: decision.assignee,
            reason: decision.reason,
            actor_id: None,
            candidates: decision.considered,
        };
        let mut commit = commit
            .and(Write::InsertInquiry { inquiry: inquiry.clone(), load: LoadRule::WithinCapacity })
            .and(Write::InsertMessage(said(take_in, inquiry.id, now)))
            .and(Write::InsertAssignment(assignment))
            .with_event(take_in.origin.stamp(created));
        if inquiry.assigned_to.is_some() {
            commit = commit.with_event(Event::of(
                new_id(),
                EventType::InquiryAssigned,
                entity,
                None,
                &inquiry,
                now,
            ));
        }
        Ok((commit, inquiry.id, inquiry.assigned_to.is_none()))
    }

    /// The next message of a conversation; an inquiry that was over is taken up again.
    async fn append(
        &self,
        commit: Commit,
        take_in: &TakeIn,
        inquiry: Inquiry,
        now: Timestamp,
    ) -> HubResult<(Commit, Uuid, bool)> {
        let entity = (EntityType::Inquiry, inquiry.id);
        let mut commit = commit.and(Write::InsertMessage(said(take_in, inquiry.id, now)));
        let assignee = match inquiry.assigned_to {
            Some(id) => self.users.ask(GetUser(id)).await?,
            None => None,
        };
        let is_there = assignee.is_some_and(|user| user.may_be_assigned());
        let after = inquiry.written_to_again(is_there, now);
        let added = Event::of(new_id(), EventType::InquiryMessageAdded, entity, Some(&inquiry), &after, now);
        commit = commit.with_event(take_in.origin.stamp(added));
        if !inquiry.status.is_open() {
            let event = Event::of(new_id(), EventType::InquiryReopened, entity, Some(&inquiry), &after, now);
            commit = commit.with_event(take_in.origin.stamp(event));
        }
        let waits = after.assigned_to.is_none();
        // Also when it was open: its version ties the message to the status it was added in.
        let commit = commit.and(Write::UpdateInquiry { before: inquiry, after, load: LoadRule::Any });
        Ok((commit, entity.1, waits))
    }
}

fn said(take_in: &TakeIn, inquiry_id: Uuid, now: Timestamp) -> ConversationMessage {
    ConversationMessage {
        id: new_id(),
        created_at: now,
        inquiry_id,
        direction: Direction::Inbound,
        message: take_in.message.message.clone(),
        author_id: None,
        response_id: None,
        external_id: take_in.message.external_id.clone(),
        metadata: take_in.message.metadata.clone(),
    }
}
