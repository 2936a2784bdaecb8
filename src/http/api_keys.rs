use actix_web::{HttpResponse, web};
use nexus_actors::api_key_desk::{CreateApiKey, RevokeApiKey};
use nexus_actors::desk::permit_any;
use nexus_actors::domain::api_key::{ApiKey, NewApiKey};
use nexus_actors::domain::page::Page;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::{Caller, Principal};
use nexus_actors::store::api_keys::{ListApiKeys, SORTS};
use nexus_actors::{HubError, HubResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{PathId, Target, after_permission};
use super::body::Body;
use super::conditional::never_stored;
use super::openapi::{ActionProblems, Id, ListProblems, Paging, WriteProblems};
use super::problem::HttpError;
use super::query::{Listing, Query};
use super::signed::Signed;
use super::{HttpState, State};
use crate::sessions::{api_key_hint, new_api_key, random_text_hash};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api-keys").get(list).post(create))
        .service(web::resource("/api-keys/{id}").delete(revoke));
}

/// A new key, with its text: shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedApiKey {
    #[serde(flatten)]
    pub api_key: ApiKey,
    #[schema(example = "nxk_…")]
    pub key: String,
}

/// Lists keys that are not revoked.
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "api-keys", security(("bearer" = [])),
    params(Paging), responses((status = 200, body = Page<ApiKey>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    let asked = asked(signed.principal(), &query)?;
    Ok(HttpResponse::Ok().json(state.hub.api_keys.ask(asked).await?))
}

/// What a query asks for.
pub(super) fn asked(principal: &Principal, query: &Query) -> Result<ListApiKeys, HttpError> {
    permit_any(principal, Action::ManageApiKeys)?;
    Ok(ListApiKeys { page: query.list(&[])?.page(Listing::newest(SORTS))? })
}

/// Makes a key. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "api-keys", security(("bearer" = [])),
    request_body = NewApiKey, responses((status = 201, body = CreatedApiKey), WriteProblems))]
pub async fn create(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let input = body.parse().and_then(|input: NewApiKey| Ok(input.validate().map_err(HubError::Invalid)?));
    let input =
        after_permission(&state.hub, signed.principal(), Action::ManageApiKeys, Target::None, input).await?;
    let created = create_api_key(&state, signed.caller, input).await?;
    Ok(never_stored(HttpResponse::Created().json(created)))
}

/// A key with its text, of which the hub keeps no more than a hash.
pub(super) async fn create_api_key(
    state: &HttpState,
    caller: Caller,
    input: NewApiKey,
) -> HubResult<CreatedApiKey> {
    let key = new_api_key();
    let create = CreateApiKey { caller, input, key_hash: random_text_hash(&key), hint: api_key_hint(&key) };
    let api_key = state.hub.api_key_desk.ask(create).await?;
    Ok(CreatedApiKey { api_key, key })
}

/// Revokes a key at once.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "api-keys", security(("bearer" = [])),
    params(Id), responses((status = 204, description = "Revoked"), ActionProblems))]
pub async fn revoke(state: State, signed: Signed, id: PathId) -> Result<HttpResponse, HttpError> {
    state.hub.api_key_desk.ask(RevokeApiKey { caller: signed.caller, id: id.0 }).await?;
    Ok(HttpResponse::NoContent().finish())
}
