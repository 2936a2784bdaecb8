use actix_web::{HttpResponse, web};
use nexus_actors::desk::permit_any;
use nexus_actors::domain::Principal;
use nexus_actors::domain::audit::AuditEntry;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::store::audit::{AuditFilter, ListAudit, SORTS};

use super::State;
use super::openapi::{ListProblems, Paging};
use super::problem::HttpError;
use super::query::{Listing, Query};
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/audit").get(list));
}

/// The audit trail, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", security(("bearer" = [])),
    params(
        Paging,
        ("entityType" = Option<EntityType>, Query),
        ("entityId" = Option<uuid::Uuid>, Query),
        ("actorId" = Option<uuid::Uuid>, Query),
        ("from" = Option<String>, Query, format = DateTime, description = "Inclusive"),
        ("to" = Option<String>, Query, format = DateTime, description = "Exclusive"),
    ),
    responses((status = 200, body = Page<AuditEntry>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    let asked = asked(signed.principal(), &query)?;
    Ok(HttpResponse::Ok().json(state.hub.audit.ask(asked).await?))
}

/// What a query asks for.
pub(super) fn asked(principal: &Principal, query: &Query) -> Result<ListAudit, HttpError> {
    permit_any(principal, Action::ReadAudit)?;
    let mut params = query.list(&["entityType", "entityId", "actorId", "from", "to"])?;
    let filter = AuditFilter {
        entity_type: params.one::<EntityType>("entityType").map(|kind| kind.to_string()),
        entity_id: params.id("entityId")?,
        actor_id: params.id("actorId")?,
        from: params.time("from")?,
        to: params.time("to")?,
    };
    let page = params.page(Listing::newest(SORTS))?;
    Ok(ListAudit { filter, page })
}
