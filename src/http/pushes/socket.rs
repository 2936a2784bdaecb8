use std::time::Duration;

use actix_web::error::PayloadError;
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, ProtocolError, Session};
use futures_util::StreamExt;
use nexus_actors::notifier::Ending;
use tokio::time::Instant;

use super::feed::{Feed, Item};

/// Messages a client may send in a minute.
const MESSAGES: usize = 100;
const MINUTE: Duration = Duration::from_secs(60);
/// Heartbeats that may go unanswered.
const UNANSWERED: u32 = 2;

/// Until one side ends it.
pub async fn converse(mut session: Session, mut messages: MessageStream, mut feed: Feed) {
    let mut pace = Pace { since: Instant::now(), messages: 0 };
    let mut unanswered = 0;
    let reason = loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(Ok(_)) if !pace.allows() => break Some(close(CloseCode::Policy, "too many messages")),
                Some(Ok(Message::Ping(bytes))) => {
                    if session.pong(&bytes).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Pong(_))) => unanswered = 0,
                Some(Ok(Message::Close(reason))) => break reason,
                Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Continuation(_) | Message::Nop)) => {}
                Some(Err(error)) if too_large(&error) => {
                    break Some(close(CloseCode::Size, "the frame is too large"));
                }
                Some(Err(_)) => break Some(close(CloseCode::Protocol, "not a WebSocket frame")),
                None => return,
            },
            item = feed.next() => match item {
                Item::Notification(one) => {
                    let Ok(text) = serde_json::to_string(&*one) else {
                        break Some(close(CloseCode::Error, "a notification cannot be written"));
                    };
                    if session.text(text).await.is_err() {
                        return;
                    }
                }
                Item::Heartbeat => {
                    unanswered += 1;
                    if unanswered > UNANSWERED || session.ping(b"").await.is_err() {
                        return;
                    }
                }
                Item::End(ending) => break Some(ended(ending)),
            },
        }
    };
    // It may have gone meanwhile.
    let _ = session.close(reason).await;
}

/// What [`super::frames`] refused.
fn too_large(error: &ProtocolError) -> bool {
    let ProtocolError::Io(error) = error else { return false };
    let refused = error.get_ref().and_then(|cause| cause.downcast_ref::<PayloadError>());
    matches!(refused, Some(PayloadError::Overflow))
}

fn ended(ending: Option<Ending>) -> CloseReason {
    match ending {
        Some(Ending::SignedOut) => close(CloseCode::Policy, "signed out"),
        Some(Ending::Lagged) => close(CloseCode::Again, "read too slowly; come back with ?after="),
        Some(Ending::Stopping) => close(CloseCode::Away, "the hub stops; come back with ?after="),
        None => close(CloseCode::Again, "not now; come back with ?after="),
    }
}

fn close(code: CloseCode, description: &str) -> CloseReason {
    CloseReason { code, description: Some(description.to_owned()) }
}

struct Pace {
    since: Instant,
    messages: usize,
}

impl Pace {
    fn allows(&mut self) -> bool {
        if self.since.elapsed() > MINUTE {
            *self = Self { since: Instant::now(), messages: 0 };
        }
        self.messages += 1;
        self.messages <= MESSAGES
    }
}
