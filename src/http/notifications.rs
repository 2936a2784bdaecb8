use actix_web::{HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::notification::Notification;
use nexus_actors::domain::page::Page;
use nexus_actors::store::notifications::{ListNotifications, MarkRead, SORTS};

use super::State;
use super::openapi::{ActionProblems, CommonProblems, IdempotencyKey, ListProblems, Paging};
use super::problem::HttpError;
use super::query::{Listing, Query};
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/notifications").get(list))
        .service(web::resource("/notifications/read-all").post(read_all))
        .service(web::resource("/notifications/{id}/read").post(read));
}

/// What you were told of, newest first.
#[utoipa::path(get, path = "/api/v1/notifications", tag = "notifications", security(("bearer" = [])),
    params(Paging, ("unread" = Option<bool>, Query, description = "Only the unread ones, or only the others")),
    responses((status = 200, body = Page<Notification>), ListProblems))]
pub async fn list(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    let params = query.list(&["unread"])?;
    let unread = params.flag("unread")?;
    let page = params.page(Listing::newest(SORTS))?;
    let list = ListNotifications { user_id: signed.principal().user_id, unread, page };
    let Page { data, meta } = state.hub.notifications.ask(list).await?;
    let data = data.into_iter().map(|told| told.notification).collect();
    Ok(HttpResponse::Ok().json(Page { data, meta }))
}

/// Marks one of them as read. Repeated, it changes nothing.
#[utoipa::path(post, path = "/api/v1/notifications/{id}/read", tag = "notifications", security(("bearer" = [])),
    params(("id" = i64, Path), IdempotencyKey),
    responses((status = 200, body = Notification), ActionProblems))]
pub async fn read(state: State, signed: Signed, id: web::Path<String>) -> Result<HttpResponse, HttpError> {
    let id =
        id.parse().map_err(|_| HttpError::Malformed("the id of a notification is a number".to_owned()))?;
    let mark = MarkRead { user_id: signed.principal().user_id, id: Some(id), now: state.hub.clock.now() };
    let told = state.hub.notifications.ask(mark).await?;
    let told = told.ok_or(HubError::NotFound(EntityType::Notification))?;
    Ok(HttpResponse::Ok().json(told.notification))
}

/// Marks all of them as read.
#[utoipa::path(post, path = "/api/v1/notifications/read-all", tag = "notifications", security(("bearer" = [])),
    params(IdempotencyKey),
    responses((status = 204, description = "All are read"), CommonProblems))]
pub async fn read_all(state: State, signed: Signed) -> Result<HttpResponse, HttpError> {
    let mark = MarkRead { user_id: signed.principal().user_id, id: None, now: state.hub.clock.now() };
    state.hub.notifications.ask(mark).await?;
    Ok(HttpResponse::NoContent().finish())
}
