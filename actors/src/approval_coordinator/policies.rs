//! What `approval.policies` asks for, for a response as it stands.

use actix::{Handler, Message, ResponseFuture};
use uuid::Uuid;

use super::ApprovalCoordinator;
use crate::desk::permit_any;
use crate::domain::Caller;
use crate::domain::approval_policy::{Circumstances, Explanation, Requirement, Terms, applicable, explain};
use crate::domain::policy::Action;
use crate::domain::response::Response;
use crate::error::{HubError, HubResult};
use crate::store::customers::GetCustomer;
use crate::store::responses::{GetResponse, IsPicked};
use crate::store::users::GetUser;

/// Which policy applies to a response, and why.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Explanation>")]
pub struct ExplainPolicies {
    pub caller: Caller,
    pub response_id: Uuid,
}

impl Handler<ExplainPolicies> for ApprovalCoordinator {
    type Result = ResponseFuture<HubResult<Explanation>>;

    fn handle(&mut self, wanted: ExplainPolicies, _: &mut Self::Context) -> Self::Result {
        let coordinator = self.clone();
        Box::pin(async move {
            permit_any(&wanted.caller.principal, Action::ExplainPolicies)?;
            let found = coordinator.responses.ask(GetResponse(wanted.response_id)).await?;
            let absent =
                || HubError::invalid("/responseId", "not_found", "must be the id of an existing response");
            let circumstances = coordinator.circumstances(&found.ok_or_else(absent)?).await?;
            Ok(explain(&coordinator.policies, &circumstances, wanted.response_id))
        })
    }
}

impl ApprovalCoordinator {
    /// What applies if it is submitted now.
    pub(super) async fn terms(&self, response: &Response) -> HubResult<Terms> {
        if self.policies.is_empty() {
            return Ok(Terms::default());
        }
        let circumstances = self.circumstances(response).await?;
        let Some(policy) = applicable(&self.policies, &circumstances) else { return Ok(Terms::default()) };
        // Once picked, it does not help to take it back and try again, nor to write it anew.
        let picked = policy.requires == Requirement::Sampled
            && self.responses.ask(IsPicked { inquiry_id: response.inquiry_id }).await?;
        Ok(policy.terms(|percentage| picked || is_picked_by_chance(percentage)))
    }

    /// How many people have to approve it as things are now, if anyone has to.
    pub(super) async fn approvals_required(&self, response: &Response) -> HubResult<i64> {
        if self.policies.is_empty() {
            return Ok(Terms::default().approvals);
        }
        let circumstances = self.circumstances(response).await?;
        let policy = applicable(&self.policies, &circumstances);
        Ok(policy.map_or_else(Terms::default, |policy| policy.terms(|_| true)).approvals)
    }

    async fn circumstances(&self, response: &Response) -> HubResult<Circumstances> {
        let inquiry = self.inquiry_of(response).await?;
        let customer = self.customers.ask(GetCustomer(inquiry.customer_id)).await?;
        let mut authors = Vec::with_capacity(response.editors.len());
        for &editor in &response.editors {
            let user = self.users.ask(GetUser(editor)).await?;
            authors.extend(user.map(|user| user.email.to_lowercase()));
        }
        Ok(Circumstances {
            authors,
            category: inquiry.category,
            channel: inquiry.channel,
            customer_status: customer.map(|customer| customer.status),
            priority: inquiry.priority,
        })
    }
}

/// Of a UUID of version 4, 122 bits are random.
fn is_picked_by_chance(percentage: u8) -> bool {
    Uuid::new_v4().as_u128() % 100 < u128::from(percentage)
}
