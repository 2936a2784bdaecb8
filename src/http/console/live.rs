//! What happens meanwhile, as Server-Sent Events for htmx: `changed` when a list on the page may be out of date, `notice`
//! with a sentence about what the visitor was told of.

use std::convert::Infallible;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use futures_util::{Stream, StreamExt, stream};
use maud::{Markup, html};
use nexus_actors::approval_watch::WatchApprovals;
use nexus_actors::domain::notification::Notification;
use nexus_actors::domain::policy::Action;
use nexus_actors::notifier::Kind;
use nexus_actors::store::responses::ApprovalQueue;
use tokio::sync::watch;

use super::assets;
use super::prefs::Prefs;
use super::visitor::Visitor;
use crate::http::State;
use crate::http::problem::HttpError;
use crate::http::pushes::feed::{Feed, Item};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/live").get(stream));
}

/// `body` is told what happens. Whenever the connection stands again, everything counts as changed: nothing that
/// happened in between is missed, because the page asks for the whole.
pub fn connected(body: Markup) -> Markup {
    html! {
        // Before htmx looks at the page, as all that is deferred.
        script src=(assets::link("sse.min.js")) defer {}
        div hx-ext="sse" sse-connect="/live" {
            // Read by the script, which is told only of what some element takes.
            div hidden sse-swap="notice" hx-swap="none" {}
            (body)
        }
    }
}

async fn stream(state: State, visitor: Visitor) -> Result<HttpResponse, HttpError> {
    let feed = Feed::open(&state.hub, visitor.principal(), Kind::Stream, None).await?;
    let waiting = if visitor.may(Action::DecideResponse) {
        Some(state.hub.approval_watch.ask(WatchApprovals).await?)
    } else {
        None
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Compressed, or kept back by a proxy, nothing would arrive until there is much of it.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(told(visitor.prefs, feed, waiting)))
}

fn told(
    prefs: Prefs,
    feed: Feed,
    waiting: Option<watch::Receiver<ApprovalQueue>>,
) -> impl Stream<Item = Result<web::Bytes, Infallible>> {
    let begin = stream::iter([Ok(web::Bytes::from(event("changed", "")))]);
    let rest = stream::unfold((feed, waiting), move |(mut feed, mut waiting)| async move {
        let text = tokio::select! {
            item = feed.next() => match item {
                Item::Heartbeat => ": heartbeat\n\n".to_owned(),
                Item::Notification(one) => notice(&prefs, &one) + &event("changed", ""),
                Item::End(_) => return None,
            },
            () = changed(&mut waiting) => event("changed", ""),
        };
        Some((Ok(web::Bytes::from(text)), (feed, waiting)))
    });
    begin.chain(rest)
}

/// For those who do not decide it never is.
async fn changed(waiting: &mut Option<watch::Receiver<ApprovalQueue>>) {
    let Some(queue) = waiting else { return std::future::pending().await };
    if queue.changed().await.is_err() {
        // The hub stops, and the feed says so.
        std::future::pending().await
    }
}

/// Nothing for what has no sentence.
fn notice(prefs: &Prefs, notification: &Notification) -> String {
    let id = format!("notice-{}", notification.event_type.replace(['.', '_'], "-"));
    prefs.language.text_if_any(&id).map_or_else(String::new, |text| event("notice", &text))
}

/// `data` has one line.
fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
