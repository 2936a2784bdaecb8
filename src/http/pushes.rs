//! The notifications of whoever is signed in, as they happen: by Server-Sent Events and by WebSocket.

pub(super) mod feed;
mod frames;
mod socket;

use std::convert::Infallible;

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::{Stream, StreamExt, stream};
use nexus_actors::domain::notification::Notification;
use nexus_actors::notifier::Kind;

use self::feed::{Feed, Item};
use super::State;
use super::listed;
use super::openapi::CommonProblems;
use super::problem::HttpError;
use super::query::Query;
use super::signed::Signed;

const LAST_EVENT_ID: &str = "last-event-id";
/// Milliseconds after which a browser connects again by itself.
const RETRY: &str = "retry: 2000\n\n";
const HEARTBEAT: &str = ": heartbeat\n\n";

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/events").get(events)).service(web::resource("/ws").get(socket));
}

/// Your notifications as Server-Sent Events: each `data` is one notification, each `id` its id. With `Last-Event-ID`
/// (or `after`) what was missed comes first. A comment every 15 s is the heartbeat.
#[utoipa::path(get, path = "/api/v1/events", tag = "notifications", security(("bearer" = []), ("ticket" = [])),
    params(
        ("Last-Event-ID" = Option<i64>, Header, nullable = false, description = "The last notification you have"),
        ("after" = Option<i64>, Query, description = "The same, where headers cannot be sent"),
    ),
    responses((status = 200, body = Notification, content_type = "text/event-stream"), CommonProblems))]
pub async fn events(
    request: HttpRequest,
    state: State,
    signed: Signed,
    query: Query,
) -> Result<HttpResponse, HttpError> {
    let header = request.headers().get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or_default());
    let after = match header {
        Some(text) => Some(number("Last-Event-ID", text)?),
        None => after(&query)?,
    };
    let feed = Feed::open(&state.hub, signed.principal(), Kind::Stream, after).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Compressed, or kept back by a proxy, nothing would arrive until there is much of it.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(written(feed)))
}

/// The same by WebSocket: each text message is one notification. A ping every 15 s is the heartbeat; what you send is
/// ignored. The hub closes with 1008 when you are no longer signed in, with 1013 when you read too slowly and with
/// 1001 when it stops.
#[utoipa::path(get, path = "/api/v1/ws", tag = "notifications", security(("bearer" = []), ("ticket" = [])),
    params(
        ("after" = Option<i64>, Query, description = "The last notification you have"),
    ),
    responses((status = 101, description = "A WebSocket"), CommonProblems))]
pub async fn socket(
    request: HttpRequest,
    state: State,
    signed: Signed,
    query: Query,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    if !from_here(&request, &state.settings.http.cors_origin) {
        return Err(HttpError::ForeignSite);
    }
    let after = after(&query)?;
    let payload = web::Payload::from_request(&request, &mut frames::bounded(payload.into_inner())).await;
    let upgrade = payload.and_then(|payload| actix_ws::handle(&request, payload));
    let (response, session, messages) =
        upgrade.map_err(|error| HttpError::Malformed(format!("not a WebSocket handshake: {error}")))?;
    let feed = Feed::open(&state.hub, signed.principal(), Kind::Socket, after).await?;
    actix_web::rt::spawn(socket::converse(session, messages, feed));
    Ok(response)
}

fn after(query: &Query) -> Result<Option<i64>, HttpError> {
    query.value("after")?.map(|text| number("after", &text)).transpose()
}

fn number(name: &str, text: &str) -> Result<i64, HttpError> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| HttpError::Malformed(format!("{name} must be the id of a notification")))
}

fn written(feed: Feed) -> impl Stream<Item = Result<web::Bytes, Infallible>> + 'static {
    let begin = stream::iter([Ok(web::Bytes::from_static(RETRY.as_bytes()))]);
    let rest = stream::unfold(feed, async |mut feed| {
        let chunk = match feed.next().await {
            Item::Heartbeat => web::Bytes::from_static(HEARTBEAT.as_bytes()),
            Item::Notification(one) => web::Bytes::from(event(&one)?),
            Item::End(_) => return None,
        };
        Some((Ok(chunk), feed))
    });
    begin.chain(rest)
}

/// `None` for what cannot be written as JSON, which ends the stream.
fn event(notification: &Notification) -> Option<String> {
    let data = serde_json::to_string(notification).ok()?;
    Some(format!("id: {}\ndata: {data}\n\n", notification.id))
}

/// Browsers let any page open a WebSocket to anywhere; only the origin tells whose page it is (RFC 6455, section 10.2).
fn from_here(request: &HttpRequest, allowed: &str) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    own || listed(allowed).any(|one| one == origin)
}

#[cfg(test)]
mod tests;
