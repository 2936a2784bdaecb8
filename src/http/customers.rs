use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::customer_desk::{AssignCustomer, CreateCustomer, DeleteCustomer, ReplaceCustomer};
use nexus_actors::desk::{permit, permit_list};
use nexus_actors::domain::Principal;
use nexus_actors::domain::customer::{Customer, CustomerInput};
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::store::customers::{CustomerFilter, GetCustomer, ListCustomers, SORTS};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::State;
use super::access::{PathId, Target, after_permission};
use super::body::Body;
use super::conditional::{changed, created, found};
use super::openapi::{
    ActionProblems, AssignedTo, EntityWriteProblems, Id, IdempotencyKey, IfMatch, IfNoneMatch, ListProblems,
    Paging, ReadProblems, WriteProblems,
};
use super::problem::{HttpError, Problem};
use super::query::{Listing, Query};
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/customers").get(list).post(create))
        .service(web::resource("/customers/{id}").get(read).put(replace).delete(delete))
        .service(web::resource("/customers/{id}/assign").post(assign));
}

/// `POST /customers/:id/assign`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerAssignee {
    /// An active CSO, or null for none.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    pub assignee_id: Option<Uuid>,
}

/// Lists customers. A CSO sees their own.
#[utoipa::path(get, path = "/api/v1/customers", tag = "customers", security(("bearer" = [])),
    params(
        Paging,
        ("q" = Option<String>, Query, description = "Words that each begin some word of names, email or company"),
        ("status" = Option<nexus_actors::domain::customer::CustomerStatus>, Query),
        AssignedTo,
        ("createdFrom" = Option<String>, Query, format = DateTime, description = "Inclusive"),
        ("createdTo" = Option<String>, Query, format = DateTime, description = "Exclusive"),
    ),
    responses((status = 200, body = Page<Customer>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    let asked = asked(signed.principal(), &query)?;
    Ok(HttpResponse::Ok().json(state.hub.customers.ask(asked).await?))
}

/// What a query asks for, as far as the caller may see it.
pub(super) fn asked(principal: &Principal, query: &Query) -> Result<ListCustomers, HttpError> {
    let visible_to = permit_list(principal, Action::ReadCustomer)?;
    let mut params = query.list(&["q", "status", "assignedTo", "createdFrom", "createdTo"])?;
    let filter = CustomerFilter {
        q: params.text("q").filter(|q| !q.trim().is_empty()),
        status: params.one("status"),
        assigned_to: params.assignee("assignedTo", principal)?,
        created_from: params.time("createdFrom")?,
        created_to: params.time("createdTo")?,
        visible_to,
    };
    let page = params.page(Listing::newest(SORTS))?;
    Ok(ListCustomers { filter, page })
}

/// Creates a customer.
#[utoipa::path(post, path = "/api/v1/customers", tag = "customers", security(("bearer" = [])),
    params(IdempotencyKey), request_body = CustomerInput,
    responses((status = 201, body = Customer, headers(("ETag" = String), ("Location" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The email is in use, or the request is still in progress"),
        WriteProblems))]
pub async fn create(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let input =
        body.parse().and_then(|input: CustomerInput| Ok(input.validate().map_err(HubError::Invalid)?));
    let input =
        after_permission(&state.hub, signed.principal(), Action::WriteCustomer, Target::None, input).await?;
    let customer = state.hub.customer_desk.ask(CreateCustomer { caller: signed.creating(), input }).await?;
    Ok(created("/api/v1/customers", &customer))
}

/// Reads one customer.
#[utoipa::path(get, path = "/api/v1/customers/{id}", tag = "customers", security(("bearer" = [])),
    params(Id, IfNoneMatch),
    responses((status = 200, body = Customer, headers(("ETag" = String))),
        (status = 304, description = "Unchanged"), ReadProblems))]
pub async fn read(
    request: HttpRequest,
    state: State,
    signed: Signed,
    id: PathId,
) -> Result<HttpResponse, HttpError> {
    let customer = state.hub.customers.ask(GetCustomer(id.0)).await?;
    let customer = permit(signed.principal(), Action::ReadCustomer, EntityType::Customer, customer)?;
    Ok(found(&request, &customer))
}

/// Replaces everything editable; an optional field left out is cleared.
#[utoipa::path(put, path = "/api/v1/customers/{id}", tag = "customers", security(("bearer" = [])),
    params(Id, IfMatch), request_body = CustomerInput,
    responses((status = 200, body = Customer, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The email is in use"),
        EntityWriteProblems))]
pub async fn replace(
    state: State,
    signed: Signed,
    id: PathId,
    body: Body,
) -> Result<HttpResponse, HttpError> {
    let input =
        body.parse().and_then(|input: CustomerInput| Ok(input.validate().map_err(HubError::Invalid)?));
    let target = Target::Customer(id.0);
    let input =
        after_permission(&state.hub, signed.principal(), Action::WriteCustomer, target, input).await?;
    let replace = ReplaceCustomer { caller: signed.caller, id: id.0, input };
    Ok(changed(&state.hub.customer_desk.ask(replace).await?))
}

/// Hides a customer from every read. Their inquiries stay, and their email is free for a new customer.
#[utoipa::path(delete, path = "/api/v1/customers/{id}", tag = "customers", security(("bearer" = [])),
    params(Id, IfMatch),
    responses((status = 204, description = "Deleted"), ActionProblems))]
pub async fn delete(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    state.hub.customer_desk.ask(DeleteCustomer { caller: signed.caller, id: id.0 }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Names the customer's own CSO, or none.
#[utoipa::path(post, path = "/api/v1/customers/{id}/assign", tag = "customers", security(("bearer" = [])),
    params(Id, IfMatch, IdempotencyKey),
    request_body = CustomerAssignee,
    responses((status = 200, body = Customer, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        EntityWriteProblems))]
pub async fn assign(state: State, signed: Signed, id: PathId, body: Body) -> Result<HttpResponse, HttpError> {
    let target = Target::Customer(id.0);
    let input = body.parse::<CustomerAssignee>();
    let input =
        after_permission(&state.hub, signed.principal(), Action::AssignCustomer, target, input).await?;
    let assign = AssignCustomer { caller: signed.caller, id: id.0, assignee: input.assignee_id };
    Ok(changed(&state.hub.customer_desk.ask(assign).await?))
}
