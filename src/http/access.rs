//! Whether a caller may do what they ask, settled before what they sent is judged: a body that fails to parse
//! must not tell a caller of something they cannot see.
//!
//! The actors decide by the same table, on the entity as it is when they change it; this runs only when a
//! request is refused anyway.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use nexus_actors::desk::{permit, permit_any};
use nexus_actors::domain::Principal;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::policy::Action;
use nexus_actors::store::customers::GetCustomer;
use nexus_actors::store::inquiries::GetInquiry;
use nexus_actors::store::responses::GetResponse;
use nexus_actors::store::users::GetUser;
use nexus_actors::store::webhooks::GetWebhook;
use nexus_actors::{Hub, HubError, HubResult};
use uuid::Uuid;

use super::problem::HttpError;

/// What an action is taken on.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Nothing that exists yet.
    None,
    Customer(Uuid),
    Inquiry(Uuid),
    Response(Uuid),
    User(Uuid),
    Webhook(Uuid),
}

/// `outcome`, unless it is an error and the caller may not take `action` at all, which then comes first.
pub async fn after_permission<T>(
    hub: &Hub,
    principal: &Principal,
    action: Action,
    target: Target,
    outcome: Result<T, HttpError>,
) -> Result<T, HttpError> {
    if outcome.is_err() {
        check(hub, principal, action, target).await?;
    }
    outcome
}

async fn check(hub: &Hub, principal: &Principal, action: Action, target: Target) -> HubResult<()> {
    match target {
        Target::None => permit_any(principal, action),
        Target::Customer(id) => {
            let found = hub.customers.ask(GetCustomer(id)).await?;
            permit(principal, action, EntityType::Customer, found).map(drop)
        }
        Target::Inquiry(id) => {
            let found = hub.inquiries.ask(GetInquiry(id)).await?;
            permit(principal, action, EntityType::Inquiry, found).map(drop)
        }
        Target::Response(id) => {
            let found = hub.responses.ask(GetResponse(id)).await?;
            permit(principal, action, EntityType::Response, found).map(drop)
        }
        Target::Webhook(id) => {
            permit_any(principal, action)?;
            let found = hub.webhooks.ask(GetWebhook(id)).await?;
            found.map(drop).ok_or(HubError::NotFound(EntityType::Webhook))
        }
        Target::User(id) => {
            let found = hub.users.ask(GetUser(id)).await?;
            permit(principal, action, EntityType::User, found).map(drop)
        }
    }
}

/// An id in the path.
#[derive(Clone, Copy, Debug)]
pub struct PathId(pub Uuid);

impl FromRequest for PathId {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("id").unwrap_or_default();
        let id = Uuid::parse_str(text)
            .map_err(|_| HttpError::Malformed("the id in the path must be a UUID".to_owned()));
        ready(id.map(Self))
    }
}
