//! Names in place of ids.

use std::collections::HashMap;

use futures_util::future::join_all;
use nexus_actors::desk::permit;
use nexus_actors::domain::customer::Customer;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::user::User;
use nexus_actors::store::customers::GetCustomer;
use nexus_actors::store::users::GetUser;
use nexus_actors::{HubError, HubResult};
use uuid::Uuid;

use super::visitor::Visitor;
use crate::http::HttpState;

/// Those whose names a page tells, as far as its visitor may know them.
#[derive(Debug, Default)]
pub struct Names {
    users: HashMap<Uuid, User>,
    customers: HashMap<Uuid, Customer>,
}

impl Names {
    pub async fn of(
        state: &HttpState,
        visitor: &Visitor,
        users: impl IntoIterator<Item = Uuid>,
        customers: impl IntoIterator<Item = Uuid>,
    ) -> HubResult<Self> {
        let (users, customers) = (distinct(users), distinct(customers));
        let found = async {
            // CSOs are told of no users but themselves.
            if !visitor.may(Action::ReadUsers) {
                return Ok(Vec::new());
            }
            join_all(users.iter().map(|&id| state.hub.users.ask(GetUser(id)))).await.into_iter().collect()
        };
        let visible = join_all(customers.iter().map(|&id| async move {
            let found = state.hub.customers.ask(GetCustomer(id)).await?;
            match permit(visitor.principal(), Action::ReadCustomer, EntityType::Customer, found) {
                Ok(customer) => Ok(Some(customer)),
                Err(HubError::NotFound(_) | HubError::Forbidden(_)) => Ok(None),
                Err(error) => Err(error),
            }
        }));
        let (found, visible) = futures_util::join!(found, visible);
        let found: HubResult<Vec<Option<User>>> = found;
        let visible: HubResult<Vec<Option<Customer>>> = visible.into_iter().collect();
        Ok(Self {
            users: found?.into_iter().flatten().map(|user| (user.id, user)).collect(),
            customers: visible?.into_iter().flatten().map(|customer| (customer.id, customer)).collect(),
        })
    }

    /// `you`, their name, or a word for someone whose name is not to be told.
    pub fn user(&self, visitor: &Visitor, id: Uuid) -> String {
        if id == visitor.user.id {
            return visitor.t("you");
        }
        self.users.get(&id).map_or_else(|| visitor.t("a-colleague"), full_name)
    }

    /// Likewise, and a dash for nobody.
    pub fn user_or_nobody(&self, visitor: &Visitor, id: Option<Uuid>) -> String {
        id.map_or_else(|| "–".to_owned(), |id| self.user(visitor, id))
    }

    /// Absent where they are not for the visitor to see, or deleted.
    pub fn customer(&self, id: Uuid) -> Option<&Customer> {
        self.customers.get(&id)
    }

    pub fn customer_name(&self, visitor: &Visitor, id: Uuid) -> String {
        self.customers.get(&id).map_or_else(
            || visitor.t("a-customer"),
            |customer| format!("{} {}", customer.first_name, customer.last_name),
        )
    }
}

pub fn full_name(user: &User) -> String {
    format!("{} {}", user.first_name, user.last_name)
}

fn distinct(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<_> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
