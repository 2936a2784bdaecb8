//! Owns changes to customers.

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use uuid::Uuid;

use crate::assignment_balancer::{AssignmentBalancer, TakeUpWaiting};
use crate::clock::{Clock, new_id};
use crate::desk::{expect_version, permit, permit_any, settle};
use crate::domain::customer::{Customer, CustomerInput};
use crate::domain::event::{EntityType, EventType};
use crate::domain::policy::Action;
use crate::domain::{Caller, Event};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::customers::{CustomerStore, GetCustomer};
use crate::store::users::{GetUser, UserStore};
use crate::store::{Commit, Write, Writer};

#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Customer>")]
pub struct CreateCustomer {
    pub caller: Caller,
    pub input: CustomerInput,
}

#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Customer>")]
pub struct ReplaceCustomer {
    pub caller: Caller,
    pub id: Uuid,
    pub input: CustomerInput,
}

/// Hides the customer from every read; their inquiries stay.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct DeleteCustomer {
    pub caller: Caller,
    pub id: Uuid,
}

/// Names the customer's own CSO, or none.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Customer>")]
pub struct AssignCustomer {
    pub caller: Caller,
    pub id: Uuid,
    pub assignee: Option<Uuid>,
}

#[derive(Clone)]
pub struct CustomerDesk {
    pub(crate) clock: Clock,
    pub(crate) customers: Mailbox<CustomerStore>,
    pub(crate) users: Mailbox<UserStore>,
    pub(crate) balancer: Mailbox<AssignmentBalancer>,
    pub(crate) writer: Mailbox<Writer>,
}

impl Actor for CustomerDesk {
    type Context = Context<Self>;
}

impl Supervised for CustomerDesk {}

crate::follows_traces!(CustomerDesk);

impl Handler<CreateCustomer> for CustomerDesk {
    type Result = ResponseFuture<HubResult<Customer>>;

    fn handle(
        &mut self,
        CreateCustomer { caller, input }: CreateCustomer,
        _: &mut Self::Context,
    ) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            permit_any(&caller.principal, Action::WriteCustomer)?;
            let customer = Customer::new(new_id(), input, Some(caller.principal.user_id), desk.clock.now());
            let event = event(EventType::CustomerCreated, None, &customer, &caller);
            let commit =
                Commit::new(Write::InsertCustomer(customer.clone()), event).answering(&caller, &customer);
            desk.writer.ask(commit).await?;
            Ok(customer)
        })
    }
}

impl Handler<ReplaceCustomer> for CustomerDesk {
    type Result = ResponseFuture<HubResult<Customer>>;

    fn handle(&mut self, replace: ReplaceCustomer, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let ReplaceCustomer { caller, id, input } = &replace;
            settle(|| async {
                let before = desk.load(caller, *id, Action::WriteCustomer).await?;
                let after = before.replace(input.clone(), desk.clock.now());
                desk.update(caller, EventType::CustomerUpdated, before, after).await
            })
            .await
        })
    }
}

impl Handler<DeleteCustomer> for CustomerDesk {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(
        &mut self,
        DeleteCustomer { caller, id }: DeleteCustomer,
        _: &mut Self::Context,
    ) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            settle(|| async {
                let customer = desk.load(&caller, id, Action::WriteCustomer).await?;
                let at = desk.clock.now();
                let event = event(EventType::CustomerDeleted, Some(&customer), &customer, &caller);
                desk.writer.ask(Commit::new(Write::DeleteCustomer { customer, at }, event)).await
            })
            .await
        })
    }
}

impl Handler<AssignCustomer> for CustomerDesk {
    type Result = ResponseFuture<HubResult<Customer>>;

    fn handle(&mut self, assign: AssignCustomer, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let AssignCustomer { caller, id, assignee } = &assign;
            let assigned = settle(|| async {
                let before = desk.load(caller, *id, Action::AssignCustomer).await?;
                if let Some(assignee) = assignee {
                    assignable(&desk.users, *assignee).await?;
                }
                let after = before.assign(*assignee, desk.clock.now());
                desk.update(caller, EventType::CustomerAssigned, before, after).await
            })
            .await?;
            // The customer's own CSO may take what nobody else had the skill for.
            desk.balancer.nudge(TakeUpWaiting);
            Ok(assigned)
        })
    }
}

impl CustomerDesk {
    async fn load(&self, caller: &Caller, id: Uuid, action: Action) -> HubResult<Customer> {
        let found = self.customers.ask(GetCustomer(id)).await?;
        let customer = permit(&caller.principal, action, EntityType::Customer, found)?;
        expect_version(caller, customer.version)?;
        Ok(customer)
    }

    async fn update(
        &self,
        caller: &Caller,
        event_type: EventType,
        before: Customer,
        after: Customer,
    ) -> HubResult<Customer> {
        let event = event(event_type, Some(&before), &after, caller);
        let commit = Commit::new(Write::UpdateCustomer(after.clone()), event).answering(caller, &after);
        self.writer.ask(commit).await?;
        Ok(after)
    }
}

/// # Errors
/// `Invalid` at `/assigneeId` unless the user is an active CSO.
pub(crate) async fn assignable(users: &Mailbox<UserStore>, id: Uuid) -> HubResult<()> {
    let user = users.ask(GetUser(id)).await?;
    if user.is_some_and(|user| user.may_be_assigned()) {
        Ok(())
    } else {
        Err(HubError::invalid("/assigneeId", "not_eligible", "must be the id of an active CSO"))
    }
}

fn event(event_type: EventType, before: Option<&Customer>, after: &Customer, caller: &Caller) -> Event {
    let entity = (EntityType::Customer, after.id);
    Event::of(new_id(), event_type, entity, before, after, after.updated_at)
        .by(caller.principal.user_id, &caller.request_id)
}
