//! The heartbeat, in time that is driven.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::Actor;
use actix_web::body::MessageBody;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::test::TestRequest;
use nexus_actors::mailbox::Mailbox;
use nexus_actors::notifier::Subscription;
use nexus_actors::store::cache::NoCache;
use nexus_actors::store::notifications::NotificationStore;
use nexus_actors::store::{Db, DbSettings, Storage};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::*;

type Pushed = mpsc::Sender<Arc<Notification>>;

const PING: &[u8] = &[0x89, 0];
/// As a client sends it: masked.
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];

/// A connection on which nothing was missed, and what keeps it open.
fn feed() -> (Feed, Pushed) {
    let nowhere = DbSettings {
        url: "sqlite::memory:".to_owned(),
        max_connections: 1,
        idle_timeout: Duration::from_secs(1),
        acquire_timeout: Duration::from_secs(1),
    };
    let storage = Storage::new(Db::open(&nowhere).unwrap(), Arc::new(NoCache));
    let notifications = Mailbox::new(NotificationStore::new(storage).start(), "NotificationStore", 1);
    let (to, pushed) = mpsc::channel(1);
    let subscription = Subscription { pushed, from: 0, ending: Arc::new(OnceLock::new()) };
    (Feed::new(Uuid::nil(), notifications, subscription, None), to)
}

/// A socket with nothing to tell: what is sent to the client, and the way to what the client sends.
async fn socket() -> (impl AsyncFnMut() -> Option<web::Bytes>, mpsc::UnboundedSender<web::Bytes>, Pushed) {
    let (client, mut sent) = mpsc::unbounded_channel();
    let sent = stream::poll_fn(move |cx| sent.poll_recv(cx).map(|bytes| bytes.map(Ok::<_, PayloadError>)));
    let request = TestRequest::default()
        .insert_header(("connection", "upgrade"))
        .insert_header(("upgrade", "websocket"))
        .insert_header(("sec-websocket-version", "13"))
        .insert_header(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="))
        .to_http_request();
    let payload = frames::bounded(Payload::Stream { payload: Box::pin(sent) });
    let payload = web::Payload::from_request(&request, &mut { payload }).await.unwrap();
    let (response, session, messages) = actix_ws::handle(&request, payload).unwrap();
    let (feed, pushed) = feed();
    actix_web::rt::spawn(socket::converse(session, messages, feed));
    let mut body = response.into_body();
    let next = async move || poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await.map(Result::unwrap);
    (next, client, pushed)
}

/// Fails where nothing ever comes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), what).await.expect("nothing is sent")
}

#[actix_web::test]
async fn a_stream_has_a_comment_every_15_seconds() {
    tokio::time::pause();
    let (feed, _pushed) = feed();
    let mut written = pin!(written(feed));
    let begun = Instant::now();
    assert_eq!(soon(written.next()).await.unwrap().unwrap(), RETRY);
    for beat in 1..=8 {
        assert_eq!(soon(written.next()).await.unwrap().unwrap(), ": heartbeat\n\n");
        assert_eq!(begun.elapsed().as_secs(), beat * 15);
    }
}

#[actix_web::test]
async fn a_socket_has_a_ping_every_15_seconds() {
    tokio::time::pause();
    let (mut next, client, _pushed) = socket().await;
    let begun = Instant::now();
    for beat in 1..=8 {
        assert_eq!(soon(next()).await.unwrap(), PING);
        assert_eq!(begun.elapsed().as_secs(), beat * 15);
        client.send(web::Bytes::from_static(PONG)).unwrap();
    }
}

#[actix_web::test]
async fn a_socket_that_answers_no_ping_is_dropped() {
    tokio::time::pause();
    let (mut next, _client, _pushed) = socket().await;
    let begun = Instant::now();
    for _ in 0..2 {
        assert_eq!(soon(next()).await.unwrap(), PING);
    }
    assert_eq!(soon(next()).await, None);
    assert_eq!(begun.elapsed().as_secs(), 45);
}
