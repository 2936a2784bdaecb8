//! Wakes this hub's notifier when another hub has something to tell. Loss is harmless: the notifier looks by itself,
//! only later.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Supervised, WrapFuture};
use futures_util::StreamExt;
use lapin::Error;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::headers::short;
use super::link::{Link, Live};

/// What someone may be told of and is published. What is not is found when the notifier looks by itself.
const PATTERNS: [&str; 4] = ["inquiry.assigned", "inquiry.reopened", "response.*", "approval.*"];
/// After RabbitMQ has refused.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Nudges {
    pub link: Link,
    /// The exchange of events.
    pub exchange: String,
    pub due: Arc<Notify>,
    pub patience: Duration,
}

impl Actor for Nudges {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let nudges = self.clone();
        ctx.spawn(async move { nudges.run().await }.into_actor(self));
    }
}

impl Supervised for Nudges {}

impl Nudges {
    async fn run(&self) {
        while let Some(live) = self.link.up().await {
            match timeout(self.patience, self.listen(&live)).await {
                Ok(Ok(mut consumer)) => {
                    // What came before.
                    self.due.notify_one();
                    while let Some(Ok(_)) = consumer.next().await {
                        self.due.notify_one();
                    }
                }
                Ok(Err(error)) => tracing::debug!(%error, "other hubs' events cannot be heard"),
                Err(_) => tracing::debug!("RabbitMQ does not answer; other hubs' events cannot be heard"),
            }
            sleep(PAUSE).await;
        }
    }

    /// A queue of this connection's own that keeps one message: one is as good as many.
    async fn listen(&self, live: &Live) -> Result<lapin::Consumer, Error> {
        let channel = live.connection.channel().await?;
        let mut arguments = FieldTable::default();
        arguments.insert(short("x-max-length"), AMQPValue::LongInt(1));
        let options =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(ShortString::default(), options, arguments).await?;
        for pattern in PATTERNS {
            let (name, exchange) = (queue.name().clone(), short(&self.exchange));
            let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
            channel.queue_bind(name, exchange, short(pattern), options, arguments).await?;
        }
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
        channel
            .basic_consume(queue.name().clone(), ShortString::default(), options, FieldTable::default())
            .await
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use nexus_actors::domain::event::EventType;
    use nexus_actors::domain::notification::audience;
    use nexus_actors::domain::{Event, Timestamp};
    use serde_json::json;
    use uuid::Uuid;

    use super::super::topology::matches;
    use super::PATTERNS;

    #[test]
    fn whatever_someone_is_told_of_wakes() {
        let entity = json!({"assignedTo": Uuid::nil(), "respondedBy": Uuid::nil()});
        for &event_type in EventType::ALL {
            let about = (event_type.entity_type(), Uuid::nil());
            let now = Timestamp::from_utc(DateTime::UNIX_EPOCH);
            let told = audience(&Event::of(Uuid::nil(), event_type, about, None, &entity, now)).is_some();
            let wakes = PATTERNS.iter().any(|pattern| matches(pattern, event_type.as_str()));
            assert!(wakes || !told || !event_type.entity_type().is_published(), "{event_type}");
        }
    }
}
