use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::desk::{permit, permit_any};
use nexus_actors::domain::Principal;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::user::{User, UserPatch};
use nexus_actors::store::users::{GetUser, ListUsers, SORTS, UserFilter};
use nexus_actors::user_desk::{ChangeUser, ResetTotp};

use super::State;
use super::access::{PathId, Target, after_permission};
use super::body::Body;
use super::conditional::{changed, found};
use super::openapi::{
    ActionProblems, EntityWriteProblems, Id, IfMatch, IfNoneMatch, ListProblems, Paging, ReadProblems,
};
use super::problem::{HttpError, Problem};
use super::query::{Listing, Query};
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/users").get(list))
        .service(web::resource("/users/{id}").get(read).patch(change))
        .service(web::resource("/users/{id}/totp").delete(reset_totp));
}

/// Lists users.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", security(("bearer" = [])),
    params(
        Paging,
        ("role" = Option<nexus_actors::domain::user::Role>, Query),
        ("isActive" = Option<bool>, Query),
    ),
    responses((status = 200, body = Page<User>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    let asked = asked(signed.principal(), &query)?;
    Ok(HttpResponse::Ok().json(state.hub.users.ask(asked).await?))
}

/// What a query asks for.
pub(super) fn asked(principal: &Principal, query: &Query) -> Result<ListUsers, HttpError> {
    permit_any(principal, Action::ReadUsers)?;
    let mut params = query.list(&["role", "isActive"])?;
    let filter = UserFilter { role: params.one("role"), is_active: params.flag("isActive")? };
    let page = params.page(Listing::newest(SORTS))?;
    Ok(ListUsers { filter, page })
}

/// Reads one user.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", security(("bearer" = [])),
    params(Id, IfNoneMatch),
    responses((status = 200, body = User, headers(("ETag" = String))),
        (status = 304, description = "Unchanged"), ReadProblems))]
pub async fn read(
    request: HttpRequest,
    state: State,
    signed: Signed,
    id: PathId,
) -> Result<HttpResponse, HttpError> {
    // Who may read no user at all is told so; there is nothing to keep from them.
    permit_any(signed.principal(), Action::ReadUsers)?;
    let user = state.hub.users.ask(GetUser(id.0)).await?;
    Ok(found(&request, &permit(signed.principal(), Action::ReadUsers, EntityType::User, user)?))
}

/// Changes what is named and leaves the rest. Deactivating ends the user's sessions and hands their work on.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "users", security(("bearer" = [])),
    params(Id, IfMatch), request_body = UserPatch,
    responses((status = 200, body = User, headers(("ETag" = String))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "Nobody deactivates themselves or changes their own role"),
        EntityWriteProblems))]
pub async fn change(state: State, signed: Signed, id: PathId, body: Body) -> Result<HttpResponse, HttpError> {
    permit_any(signed.principal(), Action::ReadUsers)?;
    let patch = body.parse().and_then(|patch: UserPatch| Ok(patch.validate().map_err(HubError::Invalid)?));
    let target = Target::User(id.0);
    let patch = after_permission(&state.hub, signed.principal(), Action::WriteUsers, target, patch).await?;
    Ok(changed(&state.hub.user_desk.ask(ChangeUser { caller: signed.caller, id: id.0, patch }).await?))
}

/// Takes the second factor off a user who has lost it. Their sessions end.
#[utoipa::path(delete, path = "/api/v1/users/{id}/totp", tag = "users", security(("bearer" = [])),
    params(Id, IfMatch),
    responses((status = 204, description = "Taken off"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The user has none, or is the caller, who takes a code to do so"),
        ActionProblems))]
pub async fn reset_totp(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    permit_any(signed.principal(), Action::ReadUsers)?;
    state.hub.user_desk.ask(ResetTotp { caller: Some(signed.caller), user_id: id.0 }).await?;
    Ok(HttpResponse::NoContent().finish())
}
