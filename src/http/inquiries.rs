use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::desk::permit;
use nexus_actors::domain::Principal;
use nexus_actors::domain::assignment::Assignment;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::inquiry::{
    ConversationMessage, Inquiry, InquiryInput, InquiryStatus, NewInquiry, Priority,
};
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::inquiry_desk::{AssignInquiry, Assignee, CreateInquiry, MoveInquiry, ReplaceInquiry};
use nexus_actors::store::inquiries::{
    GetInquiry, InquiryFilter, ListAssignments, ListInquiries, ListMessages, SORTS, TOLD,
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

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
use super::{HttpState, State};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/inquiries").get(list).post(create))
        .service(web::resource("/inquiries/{id}").get(read).put(replace))
        .service(web::resource("/inquiries/{id}/status").patch(set_status))
        .service(web::resource("/inquiries/{id}/assign").post(assign))
        .service(web::resource("/inquiries/{id}/messages").get(messages))
        .service(web::resource("/inquiries/{id}/assignments").get(assignments));
}

/// `PATCH /inquiries/:id/status`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusMove {
    pub status: InquiryStatus,
}

/// `POST /inquiries/:id/assign`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InquiryAssignee {
    /// The id of an active CSO, or `auto` for whoever the rules choose.
    #[schema(example = "auto")]
    pub assignee_id: String,
}

impl InquiryAssignee {
    fn validate(&self) -> Result<Assignee, HttpError> {
        if self.assignee_id == "auto" {
            return Ok(Assignee::Auto);
        }
        Uuid::parse_str(&self.assignee_id).map(Assignee::User).map_err(|_| {
            HubError::invalid("/assigneeId", "not_eligible", "must be the id of an active CSO, or \"auto\"")
                .into()
        })
    }
}

/// Lists inquiries.
#[utoipa::path(get, path = "/api/v1/inquiries", tag = "inquiries", security(("bearer" = [])),
    params(
        Paging,
        ("q" = Option<String>, Query, description = "Words that each begin some word of subject or message"),
        ("status" = Option<Vec<InquiryStatus>>, Query, style = Form, explode = false, min_items = 1,
            description = "One or more statuses, separated by commas"),
        ("priority" = Option<Vec<Priority>>, Query, style = Form, explode = false, min_items = 1,
            description = "One or more priorities, separated by commas"),
        ("category" = Option<String>, Query),
        ("channel" = Option<String>, Query),
        ("customerId" = Option<Uuid>, Query),
        AssignedTo,
        ("createdFrom" = Option<String>, Query, format = DateTime, description = "Inclusive"),
        ("createdTo" = Option<String>, Query, format = DateTime, description = "Exclusive"),
    ),
    responses((status = 200, body = Page<Inquiry>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    let asked = asked(signed.principal(), &query)?;
    Ok(HttpResponse::Ok().json(state.hub.inquiries.ask(asked).await?))
}

/// What a query asks for.
pub(super) fn asked(principal: &Principal, query: &Query) -> Result<ListInquiries, HttpError> {
    let mut params = query.list(&[
        "q",
        "status",
        "priority",
        "category",
        "channel",
        "customerId",
        "assignedTo",
        "createdFrom",
        "createdTo",
    ])?;
    let filter = InquiryFilter {
        q: params.text("q").filter(|q| !q.trim().is_empty()),
        statuses: params.many("status"),
        priorities: params.many("priority"),
        category: params.text("category"),
        channel: params.text("channel"),
        customer_id: params.id("customerId")?,
        assigned_to: params.assignee("assignedTo", principal)?,
        created_from: params.time("createdFrom")?,
        created_to: params.time("createdTo")?,
    };
    let page = params.page(Listing::newest(SORTS))?;
    Ok(ListInquiries { filter, page })
}

/// Takes an inquiry in and assigns it, if any CSO has room.
#[utoipa::path(post, path = "/api/v1/inquiries", tag = "inquiries", security(("bearer" = [])),
    params(IdempotencyKey), request_body = NewInquiry,
    responses((status = 201, body = Inquiry, headers(("ETag" = String), ("Location" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The request is still in progress"),
        WriteProblems))]
pub async fn create(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let input = body.parse().and_then(|input: NewInquiry| Ok(input.validate().map_err(HubError::Invalid)?));
    let input =
        after_permission(&state.hub, signed.principal(), Action::WriteInquiry, Target::None, input).await?;
    let inquiry = state.hub.inquiry_desk.ask(CreateInquiry { caller: signed.creating(), input }).await?;
    Ok(created("/api/v1/inquiries", &inquiry))
}

/// Reads one inquiry.
#[utoipa::path(get, path = "/api/v1/inquiries/{id}", tag = "inquiries", security(("bearer" = [])),
    params(Id, IfNoneMatch),
    responses((status = 200, body = Inquiry, headers(("ETag" = String))),
        (status = 304, description = "Unchanged"), ReadProblems))]
pub async fn read(
    request: HttpRequest,
    state: State,
    signed: Signed,
    id: PathId,
) -> Result<HttpResponse, HttpError> {
    Ok(found(&request, &visible(&state, signed.principal(), id.0).await?))
}

/// Replaces everything editable, which the status is not.
#[utoipa::path(put, path = "/api/v1/inquiries/{id}", tag = "inquiries", security(("bearer" = [])),
    params(Id, IfMatch), request_body = InquiryInput,
    responses((status = 200, body = Inquiry, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json"), EntityWriteProblems))]
pub async fn replace(
    state: State,
    signed: Signed,
    id: PathId,
    body: Body,
) -> Result<HttpResponse, HttpError> {
    let input =
        body.parse().and_then(|input: InquiryInput| Ok(input.validate().map_err(HubError::Invalid)?));
    let target = Target::Inquiry(id.0);
    let input = after_permission(&state.hub, signed.principal(), Action::WriteInquiry, target, input).await?;
    let replace = ReplaceInquiry { caller: signed.caller, id: id.0, input };
    Ok(changed(&state.hub.inquiry_desk.ask(replace).await?))
}

/// Moves an inquiry along its life cycle.
#[utoipa::path(patch, path = "/api/v1/inquiries/{id}/status", tag = "inquiries", security(("bearer" = [])),
    params(Id, IfMatch), request_body = StatusMove,
    responses((status = 200, body = Inquiry, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The life cycle has no such move"),
        EntityWriteProblems))]
pub async fn set_status(
    state: State,
    signed: Signed,
    id: PathId,
    body: Body,
) -> Result<HttpResponse, HttpError> {
    let target = Target::Inquiry(id.0);
    let input = body.parse::<StatusMove>();
    let input = after_permission(&state.hub, signed.principal(), Action::WriteInquiry, target, input).await?;
    let step = MoveInquiry { caller: signed.caller, id: id.0, to: input.status };
    Ok(changed(&state.hub.inquiry_desk.ask(step).await?))
}

/// Assigns an inquiry to a CSO, or to whoever the rules choose.
#[utoipa::path(post, path = "/api/v1/inquiries/{id}/assign", tag = "inquiries", security(("bearer" = [])),
    params(Id, IfMatch, IdempotencyKey), request_body = InquiryAssignee,
    responses((status = 200, body = Inquiry, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json"), EntityWriteProblems))]
pub async fn assign(state: State, signed: Signed, id: PathId, body: Body) -> Result<HttpResponse, HttpError> {
    let target = Target::Inquiry(id.0);
    let to = body.parse().and_then(|input: InquiryAssignee| input.validate());
    let to = after_permission(&state.hub, signed.principal(), Action::AssignInquiry, target, to).await?;
    Ok(changed(&state.hub.inquiry_desk.ask(AssignInquiry { caller: signed.caller, id: id.0, to }).await?))
}

/// The conversation with the customer, oldest first: their messages and approved replies.
#[utoipa::path(get, path = "/api/v1/inquiries/{id}/messages", tag = "inquiries", security(("bearer" = [])),
    params(Id, Paging), responses((status = 200, body = Page<ConversationMessage>), ActionProblems))]
pub async fn messages(
    state: State,
    signed: Signed,
    id: PathId,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    visible(&state, signed.principal(), id.0).await?;
    let page = query.list(&[])?.page(Listing::told(TOLD))?;
    Ok(HttpResponse::Ok().json(state.hub.inquiries.ask(ListMessages { inquiry_id: id.0, page }).await?))
}

/// Every decision about who answers this inquiry, with the candidates and the reason, oldest first.
#[utoipa::path(get, path = "/api/v1/inquiries/{id}/assignments", tag = "inquiries", security(("bearer" = [])),
    params(Id, Paging), responses((status = 200, body = Page<Assignment>), ActionProblems))]
pub async fn assignments(
    state: State,
    signed: Signed,
    id: PathId,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    visible(&state, signed.principal(), id.0).await?;
    let page = query.list(&[])?.page(Listing::told(TOLD))?;
    Ok(HttpResponse::Ok().json(state.hub.inquiries.ask(ListAssignments { inquiry_id: id.0, page }).await?))
}

/// The inquiry, for who may see it.
pub(super) async fn visible(
    state: &HttpState,
    principal: &Principal,
    id: Uuid,
) -> Result<Inquiry, HttpError> {
    let inquiry = state.hub.inquiries.ask(GetInquiry(id)).await?;
    Ok(permit(principal, Action::ReadInquiry, EntityType::Inquiry, inquiry)?)
}
