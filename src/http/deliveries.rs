use actix_web::{HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::approval_coordinator::{FetchDeliveries, SettleDelivery};
use nexus_actors::domain::api_key::Scope;
use nexus_actors::domain::delivery::{Delivery, FailureReport, Report};
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::Page;
use nexus_actors::store::deliveries::{GetDelivery, SORTS};
use uuid::Uuid;

use super::State;
use super::access::PathId;
use super::body::Body;
use super::conditional::changed;
use super::gateway::Gateway;
use super::openapi::{ActionProblems, EntityWriteProblems, Id, IdempotencyKey, ListProblems, Paging};
use super::problem::{HttpError, Problem};
use super::query::{Listing, Query};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/deliveries").get(list))
        .service(web::resource("/deliveries/{id}/confirm").post(confirm))
        .service(web::resource("/deliveries/{id}/fail").post(fail));
}

/// Lists deliveries, oldest first: what is to be sent, and how it fares.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "gateways", security(("bearer" = []), ("apiKey" = [])),
    params(Paging, ("status" = Option<nexus_actors::domain::delivery::DeliveryStatus>, Query)),
    responses((status = 200, body = Page<Delivery>), ListProblems))]
pub async fn list(state: State, gateway: Gateway, query: Query) -> Result<HttpResponse, HttpError> {
    gateway.allows(Scope::Deliveries)?;
    let mut params = query.list(&["status"])?;
    let status = params.one("status");
    let page = params.page(Listing::told(SORTS))?;
    Ok(HttpResponse::Ok().json(state.hub.approval_coordinator.ask(FetchDeliveries { status, page }).await?))
}

/// It was sent. Telling so again changes nothing.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/confirm", tag = "gateways",
    security(("bearer" = []), ("apiKey" = [])), params(Id, IdempotencyKey),
    responses((status = 200, body = Delivery, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "It was reported as failed before"),
        ActionProblems))]
pub async fn confirm(state: State, gateway: Gateway, id: PathId) -> Result<HttpResponse, HttpError> {
    gateway.allows(Scope::Deliveries)?;
    report(&state, gateway, id.0, Report::Confirmed { delivered_at: None }).await
}

/// It could not be sent. Unless that is permanent it stays pending, to be tried again later.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/fail", tag = "gateways",
    security(("bearer" = []), ("apiKey" = [])), params(Id, IdempotencyKey), request_body = FailureReport,
    responses((status = 200, body = Delivery, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "It was confirmed before"),
        EntityWriteProblems))]
pub async fn fail(state: State, gateway: Gateway, id: PathId, body: Body) -> Result<HttpResponse, HttpError> {
    gateway.allows(Scope::Deliveries)?;
    let failed =
        body.parse().and_then(|input: FailureReport| Ok(input.validate().map_err(HubError::Invalid)?));
    // As everywhere, whether it is there comes before what was sent.
    if failed.is_err() && state.hub.deliveries.ask(GetDelivery(id.0)).await?.is_none() {
        return Err(HubError::NotFound(EntityType::Delivery).into());
    }
    report(&state, gateway, id.0, failed?).await
}

async fn report(
    state: &State,
    gateway: Gateway,
    id: Uuid,
    report: Report,
) -> Result<HttpResponse, HttpError> {
    let settle = SettleDelivery { id, report, origin: gateway.origin };
    Ok(changed(&state.hub.approval_coordinator.ask(settle).await?))
}
