//! Owns changes to inquiries.

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use uuid::Uuid;

use crate::assignment_balancer::{AssignmentBalancer, Seeking, TakeUpWaiting};
use crate::clock::{Clock, new_id};
use crate::customer_desk::assignable;
use crate::desk::{expect_version, permit, permit_any, settle};
use crate::domain::assignment::{Assignment, Decision, Reason, Wanted};
use crate::domain::event::{EntityType, EventType};
use crate::domain::inquiry::{
    ConversationMessage, Direction, Inquiry, InquiryInput, InquiryStatus, NewInquiry,
};
use crate::domain::policy::Action;
use crate::domain::{Caller, Event};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::customers::{CustomerStore, GetCustomer};
use crate::store::inquiries::{GetInquiry, InquiryStore};
use crate::store::users::UserStore;
use crate::store::{Commit, LoadRule, Write, Writer};
use crate::trace;

/// Takes a new inquiry in and assigns it in the same transaction, if anyone has room.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Inquiry>")]
pub struct CreateInquiry {
    pub caller: Caller,
    pub input: NewInquiry,
}

#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Inquiry>")]
pub struct ReplaceInquiry {
    pub caller: Caller,
    pub id: Uuid,
    pub input: InquiryInput,
}

#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Inquiry>")]
pub struct MoveInquiry {
    pub caller: Caller,
    pub id: Uuid,
    pub to: InquiryStatus,
}

#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Inquiry>")]
pub struct AssignInquiry {
    pub caller: Caller,
    pub id: Uuid,
    pub to: Assignee,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignee {
    /// Whoever the balancer chooses.
    Auto,
    User(Uuid),
}

#[derive(Clone)]
pub struct InquiryDesk {
    pub(crate) clock: Clock,
    pub(crate) inquiries: Mailbox<InquiryStore>,
    pub(crate) customers: Mailbox<CustomerStore>,
    pub(crate) users: Mailbox<UserStore>,
    pub(crate) balancer: Mailbox<AssignmentBalancer>,
    pub(crate) writer: Mailbox<Writer>,
}

impl Actor for InquiryDesk {
    type Context = Context<Self>;
}

impl Supervised for InquiryDesk {}

crate::follows_traces!(InquiryDesk);

impl Handler<CreateInquiry> for InquiryDesk {
    type Result = ResponseFuture<HubResult<Inquiry>>;

    fn handle(&mut self, create: CreateInquiry, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            permit_any(&create.caller.principal, Action::WriteInquiry)?;
            let id = new_id();
            let inquiry = settle(|| desk.create(id, &create.caller, &create.input)).await?;
            if inquiry.assigned_to.is_none() {
                // Room that appeared in between was offered before this one stood in the queue.
                desk.balancer.nudge(TakeUpWaiting);
            }
            Ok(inquiry)
        })
    }
}

impl Handler<ReplaceInquiry> for InquiryDesk {
    type Result = ResponseFuture<HubResult<Inquiry>>;

    fn handle(&mut self, replace: ReplaceInquiry, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let ReplaceInquiry { caller, id, input } = &replace;
            let replaced = settle(|| async {
                let before = desk.load(caller, *id, Action::WriteInquiry).await?;
                let after = before.replace(input.clone(), desk.clock.now());
                desk.update(caller, EventType::InquiryUpdated, before, after).await
            })
            .await?;
            if replaced.assigned_to.is_none() {
                // Someone may have the skill for what it now is.
                desk.balancer.nudge(TakeUpWaiting);
            }
            Ok(replaced)
        })
    }
}

impl Handler<MoveInquiry> for InquiryDesk {
    type Result = ResponseFuture<HubResult<Inquiry>>;

    fn handle(&mut self, MoveInquiry { caller, id, to }: MoveInquiry, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let moved = settle(|| async {
                let before = desk.load(&caller, id, Action::WriteInquiry).await?;
                let after = before.move_to(to, desk.clock.now())?;
                let reopened = !before.status.is_open() && after.status.is_open();
                let event_type =
                    if reopened { EventType::InquiryReopened } else { EventType::InquiryStatusChanged };
                desk.update(&caller, event_type, before, after).await
            })
            .await?;
            if !moved.status.is_open() {
                desk.balancer.nudge(TakeUpWaiting);
            }
            Ok(moved)
        })
    }
}

impl Handler<AssignInquiry> for InquiryDesk {
    type Result = ResponseFuture<HubResult<Inquiry>>;

    fn handle(
        &mut self,
        AssignInquiry { caller, id, to }: AssignInquiry,
        _: &mut Self::Context,
    ) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let assigned = settle(|| desk.assign(&caller, id, to)).await?;
            // Whoever had it before may have room now.
            desk.balancer.nudge(TakeUpWaiting);
            Ok(assigned)
        })
    }
}

impl InquiryDesk {
    async fn create(&self, id: Uuid, caller: &Caller, input: &NewInquiry) -> HubResult<Inquiry> {
        let customer = self.customers.ask(GetCustomer(input.customer_id)).await?.ok_or_else(|| {
            HubError::invalid("/customerId", "not_found", "must be the id of an existing customer")
        })?;
        let now = self.clock.now();
        let mut inquiry = Inquiry::new(id, input.clone(), now);
        let (category, place) = (inquiry.category.clone(), Some(inquiry.place()));
        let wanted = Wanted { category, own_cso: customer.assigned_to, lapsed_by: None };
        let seeking = Seeking { inquiry_id: id, wanted, place };
        let (decision, promise) = seeking.choose(&self.balancer).await?;
        inquiry.assigned_to = decision.assignee;
        inquiry.assigned_at = decision.assignee.map(|_| now);

        let first_message = ConversationMessage {
            id: new_id(),
            created_at: now,
            inquiry_id: id,
            direction: Direction::Inbound,
            message: inquiry.message.clone(),
            author_id: None,
            response_id: None,
            external_id: inquiry.external_id.clone(),
            metadata: None,
        };
        let created = event(EventType::InquiryCreated, None, &inquiry, caller);
        let write = Write::InsertInquiry { inquiry: inquiry.clone(), load: LoadRule::WithinCapacity };
        let mut commit = Commit::new(write, created)
            .and(Write::InsertMessage(first_message))
            .and(Write::InsertAssignment(Assignment::of(new_id(), id, decision, None, now)))
            .answering(caller, &inquiry);
        if inquiry.assigned_to.is_some() {
            let entity = (EntityType::Inquiry, id);
            commit = commit.with_event(Event::of(
                new_id(),
                EventType::InquiryAssigned,
                entity,
                None,
                &inquiry,
                now,
            ));
        }
        if let Some(place) = trace::current_place() {
            commit = commit.and(Write::KeepTrace { entity_id: id, place });
        }
        self.writer.ask(commit).await?;
        drop(promise);
        Ok(inquiry)
    }

    async fn assign(&self, caller: &Caller, id: Uuid, to: Assignee) -> HubResult<Inquiry> {
        let before = self.load(caller, id, Action::AssignInquiry).await?;
        let (decision, promise, by, load) = match to {
            Assignee::User(user) => {
                assignable(&self.users, user).await?;
                let decision = Decision::without_choice(Some(user), Reason::Manual);
                (decision, None, Some(caller.principal.user_id), LoadRule::Any)
            }
            Assignee::Auto => {
                let customer = self.customers.ask(GetCustomer(before.customer_id)).await?;
                let own_cso = customer.and_then(|customer| customer.assigned_to);
                let wanted = Wanted { category: before.category.clone(), own_cso, lapsed_by: None };
                let seeking = Seeking { inquiry_id: id, wanted, place: None };
                let (mut decision, promise) = seeking.choose(&self.balancer).await?;
                // Nobody better: it stays where it is.
                decision.assignee = decision.assignee.or(before.assigned_to);
                (decision, Some(promise), None, LoadRule::WithinCapacity)
            }
        };
        let now = self.clock.now();
        let after = before.assign(decision.assignee, now);
        let event = event(EventType::InquiryAssigned, Some(&before), &after, caller);
        let write = Write::UpdateInquiry { before, after: after.clone(), load };
        let commit = Commit::new(write, event)
            .and(Write::InsertAssignment(Assignment::of(new_id(), id, decision, by, now)))
            .answering(caller, &after);
        self.writer.ask(commit).await?;
        drop(promise);
        Ok(after)
    }

    async fn load(&self, caller: &Caller, id: Uuid, action: Action) -> HubResult<Inquiry> {
        let found = self.inquiries.ask(GetInquiry(id)).await?;
        let inquiry = permit(&caller.principal, action, EntityType::Inquiry, found)?;
        expect_version(caller, inquiry.version)?;
        Ok(inquiry)
    }

    async fn update(
        &self,
        caller: &Caller,
        event_type: EventType,
        before: Inquiry,
        after: Inquiry,
    ) -> HubResult<Inquiry> {
        let event = event(event_type, Some(&before), &after, caller);
        let write = Write::UpdateInquiry { before, after: after.clone(), load: LoadRule::Any };
        self.writer.ask(Commit::new(write, event).answering(caller, &after)).await?;
        Ok(after)
    }
}

fn event(event_type: EventType, before: Option<&Inquiry>, after: &Inquiry, caller: &Caller) -> Event {
    let entity = (EntityType::Inquiry, after.id);
    Event::of(new_id(), event_type, entity, before, after, after.updated_at)
        .by(caller.principal.user_id, &caller.request_id)
}
