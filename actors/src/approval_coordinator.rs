//! Owns the life cycle of responses. Nothing else changes one, so nothing gets past an approval.

mod deliveries;
mod policies;
mod timers;
mod traces;

use std::sync::{Arc, Mutex};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture};
use tokio::sync::SetOnce;
use uuid::Uuid;

use crate::assignment_balancer::{AssignmentBalancer, TakeUpWaiting};
use crate::clock::{Clock, new_id};
use crate::desk::{expect_version, permit, permit_any, settle};
use crate::domain::approval_policy::ApprovalPolicy;
use crate::domain::delivery::{Delivery, RetryRule};
use crate::domain::event::{EntityType, EventType};
use crate::domain::inquiry::{ConversationMessage, Direction, Inquiry};
use crate::domain::policy::Action;
use crate::domain::response::{
    Approval, HistoryAction, HistoryEntry, NewResponse, Rejection, Response, ResponseInput, ResponseStatus,
    Timer,
};
use crate::domain::{Caller, Event};
use crate::error::{Conflict, HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::customers::{CustomerStore, GetCustomer};
use crate::store::deliveries::DeliveryStore;
use crate::store::inquiries::{GetInquiry, InquiryStore};
use crate::store::responses::{GetResponse, ResponseStore};
use crate::store::users::{ListApprovers, UserStore};
use crate::store::{Commit, LoadRule, Write, Writer};

pub use deliveries::{FetchDeliveries, ReleaseDeliveries, SettleDelivery};
pub use policies::ExplainPolicies;
pub use timers::{ApprovalTimers, FireTimers};
use timers::{SWEEP, has_reviewer};

#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Response>")]
pub struct DraftResponse {
    pub caller: Caller,
    pub input: NewResponse,
}

/// One step of one response.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Response>")]
pub struct AdvanceResponse {
    pub caller: Caller,
    pub id: Uuid,
    pub step: Step,
}

#[derive(Clone, Debug)]
pub enum Step {
    Edit(ResponseInput),
    Submit,
    Withdraw,
    Approve(Approval),
    Reject(Rejection),
}

impl Step {
    pub fn action(&self) -> Action {
        match self {
            Self::Edit(_) => Action::EditResponse,
            Self::Submit => Action::SubmitResponse,
            Self::Withdraw => Action::WithdrawResponse,
            Self::Approve(_) | Self::Reject(_) => Action::DecideResponse,
        }
    }
}

#[derive(Clone)]
pub struct ApprovalCoordinator {
    pub(crate) clock: Clock,
    /// Before, there is nothing to look at.
    pub(crate) prepared: Arc<SetOnce<()>>,
    pub(crate) responses: Mailbox<ResponseStore>,
    pub(crate) inquiries: Mailbox<InquiryStore>,
    pub(crate) customers: Mailbox<CustomerStore>,
    pub(crate) deliveries: Mailbox<DeliveryStore>,
    pub(crate) users: Mailbox<UserStore>,
    pub(crate) retry: RetryRule,
    pub(crate) timers: ApprovalTimers,
    pub(crate) policies: Arc<[ApprovalPolicy]>,
    /// Those who could decide when it was last made sure that someone can; see `timers`.
    pub(crate) approvers: Arc<Mutex<Option<Vec<Uuid>>>>,
    pub(crate) balancer: Mailbox<AssignmentBalancer>,
    pub(crate) writer: Mailbox<Writer>,
}

impl Actor for ApprovalCoordinator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let coordinator = self.clone();
        let sweeps = async move {
            coordinator.prepared.wait().await;
            loop {
                if let Err(error) = coordinator.fire_timers().await {
                    tracing::warn!(%error, "reminders and escalations wait for the next sweep");
                }
                tokio::time::sleep(SWEEP).await;
            }
        };
        ctx.spawn(sweeps.into_actor(self));
    }
}

impl Supervised for ApprovalCoordinator {}

crate::follows_traces!(ApprovalCoordinator);

impl Handler<DraftResponse> for ApprovalCoordinator {
    type Result = ResponseFuture<HubResult<Response>>;

    fn handle(
        &mut self,
        DraftResponse { caller, input }: DraftResponse,
        _: &mut Self::Context,
    ) -> Self::Result {
        let coordinator = self.clone();
        Box::pin(async move { coordinator.draft(&caller, input).await })
    }
}

impl Handler<AdvanceResponse> for ApprovalCoordinator {
    type Result = ResponseFuture<HubResult<Response>>;

    fn handle(&mut self, advance: AdvanceResponse, _: &mut Self::Context) -> Self::Result {
        let coordinator = self.clone();
        Box::pin(async move {
            let AdvanceResponse { caller, id, step } = &advance;
            let response = settle(|| coordinator.advance(caller, *id, step)).await?;
            if response.status == ResponseStatus::Approved {
                // The inquiry left its CSO's load.
                coordinator.balancer.nudge(TakeUpWaiting);
            }
            Ok(response)
        })
    }
}

impl ApprovalCoordinator {
    async fn draft(&self, caller: &Caller, input: NewResponse) -> HubResult<Response> {
        permit_any(&caller.principal, Action::CreateResponse)?;
        if self.inquiries.ask(GetInquiry(input.inquiry_id)).await?.is_none() {
            return Err(HubError::invalid(
                "/inquiryId",
                "not_found",
                "must be the id of an existing inquiry",
            ));
        }
        let author = caller.principal.user_id;
        let response = Response::draft(new_id(), input.inquiry_id, input.message, author, self.clock.now());
        let event = event(EventType::ResponseCreated, None, &response, caller);
        let commit = Commit::new(Write::InsertResponse(response.clone()), event)
            .and(Write::InsertHistory(history(HistoryAction::Created, &response, caller)))
            .answering(caller, &response);
        self.writer.ask(commit).await?;
        Ok(response)
    }

    async fn advance(&self, caller: &Caller, id: Uuid, step: &Step) -> HubResult<Response> {
        let found = self.responses.ask(GetResponse(id)).await?;
        let before = permit(&caller.principal, step.action(), EntityType::Response, found)?;
        expect_version(caller, before.version)?;
        let (by, now) = (caller.principal.user_id, self.clock.now());
        let (after, event_type, action) = match step {
            Step::Edit(input) => {
                let after = before.edit(by, input.message.clone(), now)?;
                (after, EventType::ResponseEdited, HistoryAction::Edited)
            }
            Step::Submit => {
                let after = before.submit(self.terms(&before).await?, now)?;
                if after.status == ResponseStatus::Approved {
                    (after, EventType::ResponseReleased, HistoryAction::Released)
                } else {
                    (after, EventType::ResponseSubmitted, HistoryAction::Submitted)
                }
            }
            Step::Withdraw => (before.withdraw(now)?, EventType::ResponseWithdrawn, HistoryAction::Withdrawn),
            Step::Approve(approval) => {
                let required = self.approvals_required(&before).await?;
                let after = before.approve(by, approval, required, now)?;
                if after.status == ResponseStatus::Approved {
                    (after, EventType::ResponseApproved, HistoryAction::Approved)
                } else {
                    (after, EventType::ResponseApprovalAdded, HistoryAction::ApprovalAdded)
                }
            }
            Step::Reject(rejection) => {
                let after = before.reject(rejection.notes.clone(), now)?;
                (after, EventType::ResponseRejected, HistoryAction::Rejected)
            }
        };
        let mut commit = Commit::new(
            Write::UpdateResponse(after.clone()),
            event(event_type, Some(&before), &after, caller),
        )
        .and(Write::InsertHistory(history(action, &after, caller)))
        .answering(caller, &after);
        if after.status == ResponseStatus::PendingApproval {
            // Whether the customer wrote before or after is settled by who commits first.
            commit = commit.and(Write::HoldInquiry(after.inquiry_id));
        }
        match step {
            Step::Submit | Step::Approve(_) if after.status == ResponseStatus::Approved => {
                commit = self.release(commit, &after, caller).await?;
            }
            Step::Submit if !has_reviewer(&after, &self.users.ask(ListApprovers).await?) => {
                commit = self.fire(commit, &after, Timer::Escalation);
            }
            Step::Submit | Step::Approve(_) | Step::Edit(_) | Step::Withdraw | Step::Reject(_) => {}
        }
        self.writer.ask(commit).await?;
        if event_type == EventType::ResponseApprovalAdded {
            // It may have taken the last reviewer but one.
            self.look_for_reviewers_again();
        }
        Ok(after)
    }

    /// What an approval, or a release by policy, sets off in its own transaction: the delivery of exactly this text,
    /// which joins the conversation, and the inquiry is answered.
    async fn release(&self, commit: Commit, response: &Response, caller: &Caller) -> HubResult<Commit> {
        let inquiry = self.inquiry_of(response).await?;
        let reply = ConversationMessage {
            id: new_id(),
            created_at: inquiry.next_message_at(response.updated_at),
            inquiry_id: response.inquiry_id,
            direction: Direction::Outbound,
            message: response.message.clone(),
            author_id: Some(response.responded_by),
            response_id: Some(response.id),
            external_id: None,
            metadata: None,
        };
        let customer = self.customers.ask(GetCustomer(inquiry.customer_id)).await?;
        let customer = customer.ok_or(Conflict::CustomerDeleted)?;
        let delivery = Delivery::of_approved(new_id(), response, &inquiry, &customer, response.updated_at);
        let commit = self.trace_release(commit, &delivery).await?;
        let commit = commit.and(Write::InsertMessage(reply)).and(Write::InsertDelivery(delivery));
        let Some(answered) = inquiry.answered(response.updated_at) else { return Ok(commit) };
        let entity = (EntityType::Inquiry, inquiry.id);
        let event = Event::of(
            new_id(),
            EventType::InquiryStatusChanged,
            entity,
            Some(&inquiry),
            &answered,
            answered.updated_at,
        )
        .by(caller.principal.user_id, &caller.request_id);
        let write = Write::UpdateInquiry { before: inquiry, after: answered, load: LoadRule::Any };
        Ok(commit.and(write).with_event(event))
    }

    async fn inquiry_of(&self, response: &Response) -> HubResult<Inquiry> {
        let found = self.inquiries.ask(GetInquiry(response.inquiry_id)).await?;
        found.ok_or_else(|| HubError::Internal("a response without its inquiry".to_owned()))
    }
}

fn history(action: HistoryAction, response: &Response, caller: &Caller) -> HistoryEntry {
    HistoryEntry { actor_id: Some(caller.principal.user_id), ..history_of(action, response) }
}

fn history_of(action: HistoryAction, response: &Response) -> HistoryEntry {
    let (message, notes) = match action {
        HistoryAction::Created | HistoryAction::Edited => (Some(response.message.clone()), None),
        HistoryAction::Approved | HistoryAction::Rejected => (None, response.approval_notes.clone()),
        HistoryAction::ApprovalAdded => {
            (None, response.approvals.last().and_then(|approval| approval.notes.clone()))
        }
        HistoryAction::Released => (None, response.policy.clone()),
        HistoryAction::Submitted | HistoryAction::Withdrawn => (None, None),
        HistoryAction::Sent | HistoryAction::DeliveryFailed => (None, response.delivery_error.clone()),
    };
    HistoryEntry {
        id: new_id(),
        created_at: response.updated_at,
        response_id: response.id,
        action,
        revision: response.revision,
        message,
        notes,
        actor_id: None,
    }
}

fn event(event_type: EventType, before: Option<&Response>, after: &Response, caller: &Caller) -> Event {
    let entity = (EntityType::Response, after.id);
    Event::of(new_id(), event_type, entity, before, after, after.updated_at)
        .by(caller.principal.user_id, &caller.request_id)
}
