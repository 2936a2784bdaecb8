use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::approval_coordinator::{AdvanceResponse, DraftResponse, Step};
use nexus_actors::desk::{permit, permit_list};
use nexus_actors::domain::Principal;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::response::{
    Approval, HistoryEntry, NewResponse, Rejection, Response, ResponseInput,
};
use nexus_actors::store::responses::{
    GetResponse, HISTORY_SORTS, ListHistory, ListResponses, ResponseFilter, SORTS,
};
use uuid::Uuid;

use super::State;
use super::access::{PathId, Target, after_permission};
use super::body::Body;
use super::conditional::{changed, created, found};
use super::openapi::{
    ActionProblems, EntityWriteProblems, Id, IdempotencyKey, IfMatch, IfNoneMatch, ListProblems, Paging,
    ReadProblems, WriteProblems,
};
use super::problem::{HttpError, Problem};
use super::query::{Listing, Query};
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/responses").get(list).post(create))
        .service(web::resource("/responses/{id}").get(read).put(edit))
        .service(web::resource("/responses/{id}/submit").post(submit))
        .service(web::resource("/responses/{id}/withdraw").post(withdraw))
        .service(web::resource("/responses/{id}/approve").post(approve))
        .service(web::resource("/responses/{id}/reject").post(reject))
        .service(web::resource("/responses/{id}/history").get(history));
}

/// Lists responses. A CSO sees their own.
#[utoipa::path(get, path = "/api/v1/responses", tag = "responses", security(("bearer" = [])),
    params(
        Paging,
        ("status" = Option<nexus_actors::domain::response::ResponseStatus>, Query),
        ("inquiryId" = Option<Uuid>, Query),
        ("respondedBy" = Option<Uuid>, Query),
        ("approvedBy" = Option<Uuid>, Query),
    ),
    responses((status = 200, body = Page<Response>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    let asked = asked(signed.principal(), &query)?;
    Ok(HttpResponse::Ok().json(state.hub.responses.ask(asked).await?))
}

/// What a query asks for, as far as the caller may see it.
pub(super) fn asked(principal: &Principal, query: &Query) -> Result<ListResponses, HttpError> {
    let visible_to = permit_list(principal, Action::ReadResponse)?;
    let mut params = query.list(&["status", "inquiryId", "respondedBy", "approvedBy"])?;
    let filter = ResponseFilter {
        status: params.one("status"),
        inquiry_id: params.id("inquiryId")?,
        responded_by: params.id("respondedBy")?,
        approved_by: params.id("approvedBy")?,
        visible_to,
    };
    let page = params.page(Listing::newest(SORTS))?;
    Ok(ListResponses { filter, page })
}

/// Drafts a reply to an inquiry.
#[utoipa::path(post, path = "/api/v1/responses", tag = "responses", security(("bearer" = [])),
    params(IdempotencyKey), request_body = NewResponse,
    responses((status = 201, body = Response, headers(("ETag" = String), ("Location" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The request is still in progress"),
        WriteProblems))]
pub async fn create(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let input =
        body.parse().and_then(|input: NewResponse| Ok(input.validate().map_err(HubError::Invalid)?));
    let input =
        after_permission(&state.hub, signed.principal(), Action::CreateResponse, Target::None, input).await?;
    let response =
        state.hub.approval_coordinator.ask(DraftResponse { caller: signed.creating(), input }).await?;
    Ok(created("/api/v1/responses", &response))
}

/// Reads one response.
#[utoipa::path(get, path = "/api/v1/responses/{id}", tag = "responses", security(("bearer" = [])),
    params(Id, IfNoneMatch),
    responses((status = 200, body = Response, headers(("ETag" = String))),
        (status = 304, description = "Unchanged"), ReadProblems))]
pub async fn read(
    request: HttpRequest,
    state: State,
    signed: Signed,
    id: PathId,
) -> Result<HttpResponse, HttpError> {
    let response = state.hub.responses.ask(GetResponse(id.0)).await?;
    Ok(found(&request, &permit(signed.principal(), Action::ReadResponse, EntityType::Response, response)?))
}

/// Writes a new revision of a draft or of a rejected response, which becomes a draft again.
#[utoipa::path(put, path = "/api/v1/responses/{id}", tag = "responses", security(("bearer" = [])),
    params(Id, IfMatch), request_body = ResponseInput,
    responses((status = 200, body = Response, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "Neither a draft nor rejected"),
        EntityWriteProblems))]
pub async fn edit(state: State, signed: Signed, id: PathId, body: Body) -> Result<HttpResponse, HttpError> {
    let input =
        body.parse().and_then(|input: ResponseInput| Ok(input.validate().map_err(HubError::Invalid)?));
    advance(&state, signed, id.0, Action::EditResponse, input.map(Step::Edit)).await
}

/// Asks for approval. Where a `sampled` approval policy applies and does not pick it, the response is released at once
/// instead, and answered as `approved`.
#[utoipa::path(post, path = "/api/v1/responses/{id}/submit", tag = "responses", security(("bearer" = [])),
    params(Id, IfMatch, IdempotencyKey),
    responses((status = 200, body = Response, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "Neither a draft nor failed in delivery"),
        ActionProblems))]
pub async fn submit(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    advance(&state, signed, id.0, Action::SubmitResponse, Ok(Step::Submit)).await
}

/// Takes a submitted response back to draft.
#[utoipa::path(post, path = "/api/v1/responses/{id}/withdraw", tag = "responses", security(("bearer" = [])),
    params(Id, IfMatch, IdempotencyKey),
    responses((status = 200, body = Response, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "Not waiting for approval"),
        ActionProblems))]
pub async fn withdraw(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    advance(&state, signed, id.0, Action::WithdrawResponse, Ok(Step::Withdraw)).await
}

/// Approves exactly the current text, for anyone but those who wrote or edited it. Where two people have to, it stays
/// `pending_approval` after the first.
#[utoipa::path(post, path = "/api/v1/responses/{id}/approve", tag = "responses", security(("bearer" = [])),
    params(Id, IfMatch, IdempotencyKey), request_body = Option<Approval>,
    responses((status = 200, body = Response, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "Not waiting for approval, or for none of this caller; the revision named is not the \
                current one; or the customer has written again"),
        EntityWriteProblems))]
pub async fn approve(
    state: State,
    signed: Signed,
    id: PathId,
    body: Body,
) -> Result<HttpResponse, HttpError> {
    let input = body.parse_or_default();
    let input = input.and_then(|input: Approval| Ok(input.validate().map_err(HubError::Invalid)?));
    advance(&state, signed, id.0, Action::DecideResponse, input.map(Step::Approve)).await
}

/// Rejects with notes, for anyone but those who wrote or edited it.
#[utoipa::path(post, path = "/api/v1/responses/{id}/reject", tag = "responses", security(("bearer" = [])),
    params(Id, IfMatch, IdempotencyKey), request_body = Rejection,
    responses((status = 200, body = Response, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "Not waiting for approval"),
        EntityWriteProblems))]
pub async fn reject(state: State, signed: Signed, id: PathId, body: Body) -> Result<HttpResponse, HttpError> {
    let input = body.parse().and_then(|input: Rejection| Ok(input.validate().map_err(HubError::Invalid)?));
    advance(&state, signed, id.0, Action::DecideResponse, input.map(Step::Reject)).await
}

/// Every revision and every decision, oldest first.
#[utoipa::path(get, path = "/api/v1/responses/{id}/history", tag = "responses", security(("bearer" = [])),
    params(Id, Paging), responses((status = 200, body = Page<HistoryEntry>), ActionProblems))]
pub async fn history(
    state: State,
    signed: Signed,
    id: PathId,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    let response = state.hub.responses.ask(GetResponse(id.0)).await?;
    permit(signed.principal(), Action::ReadResponse, EntityType::Response, response)?;
    let page = query.list(&[])?.page(Listing::told(HISTORY_SORTS))?;
    Ok(HttpResponse::Ok().json(state.hub.responses.ask(ListHistory { response_id: id.0, page }).await?))
}

async fn advance(
    state: &State,
    signed: Signed,
    id: Uuid,
    action: Action,
    step: Result<Step, HttpError>,
) -> Result<HttpResponse, HttpError> {
    let step = after_permission(&state.hub, signed.principal(), action, Target::Response(id), step).await?;
    let advance = AdvanceResponse { caller: signed.caller, id, step };
    Ok(changed(&state.hub.approval_coordinator.ask(advance).await?))
}
