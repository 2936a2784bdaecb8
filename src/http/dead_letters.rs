use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::dead_letter_desk::{SettleDeadLetter, Verdict};
use nexus_actors::desk::permit_any;
use nexus_actors::domain::Principal;
use nexus_actors::domain::dead_letter::{BuriedMessage, DeadLetter};
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::store::dead_letters::{GetDeadLetter, ListDeadLetters, SORTS};

use super::State;
use super::access::PathId;
use super::conditional::{changed, found};
use super::openapi::{
    ActionProblems, Id, IdempotencyKey, IfMatch, IfNoneMatch, ListProblems, Paging, ReadProblems,
};
use super::problem::{HttpError, Problem};
use super::query::{Listing, Query};
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/dead-letters").get(list))
        .service(web::resource("/dead-letters/{id}").get(read))
        .service(web::resource("/dead-letters/{id}/replay").post(replay))
        .service(web::resource("/dead-letters/{id}/discard").post(discard));
}

/// Lists messages of the broker that could not be taken, newest first and without their bodies.
#[utoipa::path(get, path = "/api/v1/dead-letters", tag = "dead-letters", security(("bearer" = [])),
    params(Paging, ("status" = Option<nexus_actors::domain::dead_letter::DeadLetterStatus>, Query)),
    responses((status = 200, body = Page<DeadLetter>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    let asked = asked(signed.principal(), &query)?;
    Ok(HttpResponse::Ok().json(state.hub.dead_letters.ask(asked).await?))
}

/// What a query asks for.
pub(super) fn asked(principal: &Principal, query: &Query) -> Result<ListDeadLetters, HttpError> {
    permit_any(principal, Action::ManageDeadLetters)?;
    let mut params = query.list(&["status"])?;
    let status = params.one("status");
    let page = params.page(Listing::newest(SORTS))?;
    Ok(ListDeadLetters { status, page })
}

/// One of them, with its body.
#[utoipa::path(get, path = "/api/v1/dead-letters/{id}", tag = "dead-letters", security(("bearer" = [])),
    params(Id, IfNoneMatch),
    responses((status = 200, body = DeadLetter, headers(("ETag" = String))),
        (status = 304, description = "Not modified"), ReadProblems))]
pub async fn read(
    request: HttpRequest,
    state: State,
    signed: Signed,
    id: PathId,
) -> Result<HttpResponse, HttpError> {
    permit_any(signed.principal(), Action::ManageDeadLetters)?;
    let buried = state.hub.dead_letters.ask(GetDeadLetter(id.0)).await?;
    let letter = buried.map(BuriedMessage::shown).ok_or(HubError::NotFound(EntityType::DeadLetter))?;
    Ok(found(&request, &letter))
}

/// Takes it as if it had just come: after its cause has been mended.
#[utoipa::path(post, path = "/api/v1/dead-letters/{id}/replay", tag = "dead-letters",
    security(("bearer" = [])), params(Id, IfMatch, IdempotencyKey),
    responses((status = 200, body = DeadLetter, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "It is still refused, and stays open; or it was settled before"),
        ActionProblems))]
pub async fn replay(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    settle(&state, signed, id, Verdict::Replay).await
}

/// Gives it up. It stays on record.
#[utoipa::path(post, path = "/api/v1/dead-letters/{id}/discard", tag = "dead-letters",
    security(("bearer" = [])), params(Id, IfMatch, IdempotencyKey),
    responses((status = 200, body = DeadLetter, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "It was settled before"),
        ActionProblems))]
pub async fn discard(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    settle(&state, signed, id, Verdict::Discard).await
}

async fn settle(
    state: &State,
    signed: Signed,
    id: PathId,
    verdict: Verdict,
) -> Result<HttpResponse, HttpError> {
    let settle = SettleDeadLetter { caller: Some(signed.caller), id: id.0, verdict };
    Ok(changed(&state.hub.dead_letter_desk.ask(settle).await?))
}
