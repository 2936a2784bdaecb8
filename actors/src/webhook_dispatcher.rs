//! Tells endpoints of events.
//!
//! Each endpoint has a lane of its own, so that one that is slow or away holds up nobody else's messages. A message is
//! claimed in the database before it is called; should the hub die over it, it is due again when the claim ends.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Recipient, Supervised, WrapFuture};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, RwLock, SetOnce};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::clock::{Clock, new_id};
use crate::desk::settle;
use crate::domain::event::{EntityType, EventType};
use crate::domain::webhook::{
    Answer, MAX_ANSWER, Webhook, WebhookAttempt, WebhookMessage, WebhookRule, must_disable, signing,
};
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::measures::Measures;
use crate::outage::Outage;
use crate::port::CallWebhook;
use crate::store::webhooks::{ClaimMessages, GetWebhook, ListLanes, WebhookStore};
use crate::store::{Commit, Write, Writer};

/// How often due messages are looked for without being told to.
const SWEEP: Duration = Duration::from_secs(1);
/// Messages of one endpoint called at a time.
const BATCH: i64 = 16;
/// Endpoints called at a time.
const LANES: usize = 64;
/// How long a claim holds: longer than a call may take.
const CLAIM: Duration = Duration::from_secs(90);
/// The longest a call is waited for; the edge's own time-out is shorter.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long calls under way are waited for at the end. Those that take longer are made again.
const FINISHING: Duration = Duration::from_secs(5);

pub struct WebhookDispatcher {
    pub(crate) calling: Calling,
}

#[derive(Clone)]
pub(crate) struct Calling {
    pub clock: Clock,
    pub rule: WebhookRule,
    pub webhooks: Mailbox<WebhookStore>,
    pub writer: Mailbox<Writer>,
    pub caller: Recipient<CallWebhook>,
    pub prepared: Arc<SetOnce<()>>,
    pub due: Arc<Notify>,
    pub measures: Measures,
    /// Shared by calls under way, and at the end held for good.
    pub turn: Arc<RwLock<()>>,
}

impl Actor for WebhookDispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let calling = self.calling.clone();
        ctx.spawn(async move { calling.run().await }.into_actor(self));
    }
}

impl Supervised for WebhookDispatcher {}

crate::follows_traces!(WebhookDispatcher);

impl Calling {
    async fn run(&self) {
        self.prepared.wait().await;
        let mut lanes = FuturesUnordered::new();
        let mut busy: HashSet<Uuid> = HashSet::new();
        let mut outage = Outage::of("webhooks wait");
        loop {
            match self.webhooks.ask(ListLanes { now: self.clock.now() }).await {
                Ok(due) => {
                    outage.over();
                    for id in due {
                        if busy.len() < LANES && busy.insert(id) {
                            lanes.push(self.lane(id));
                        }
                    }
                }
                Err(error) => outage.begun_or_going_on(&error),
            }
            // A lane that has ended makes room, and its endpoint may have been told to wait for it.
            tokio::select! {
                Some(ended) = lanes.next() => {
                    busy.remove(&ended);
                }
                _ = timeout(SWEEP, self.due.notified()) => {}
            }
        }
    }

    /// Waits for the calls under way, so that what became of them is kept, and lets no other begin.
    pub async fn finish(self) {
        if let Ok(turn) = timeout(FINISHING, self.turn.write()).await {
            std::mem::forget(turn);
        }
    }

    /// Calls one endpoint until nothing is due for it. Answers with its id.
    async fn lane(&self, id: Uuid) -> Uuid {
        loop {
            match self.portion(id).await {
                Ok(true) => {}
                Ok(false) => return id,
                Err(error) => {
                    tracing::warn!(%error, webhook = %id, "a webhook waits");
                    // What was claimed is due again when the claim ends; the rest must not be claimed in a hurry.
                    tokio::time::sleep(SWEEP).await;
                    return id;
                }
            }
        }
    }

    /// Whether more may be due.
    async fn portion(&self, webhook_id: Uuid) -> HubResult<bool> {
        let _turn = self.turn.read().await;
        let now = self.clock.now();
        let claim = ClaimMessages { webhook_id, now, until: now.plus(CLAIM), limit: BATCH };
        let Some(claimed) = self.webhooks.ask(claim).await? else { return Ok(false) };
        let secrets: Vec<String> =
            signing(&claimed.secrets, now).map(|signing| signing.secret.clone()).collect();
        let calls = claimed.messages.iter().map(|(message, body)| {
            let call = CallWebhook {
                url: claimed.webhook.url.clone(),
                id: message.id,
                at: now,
                body: body.clone(),
                secrets: secrets.clone(),
            };
            self.call(&claimed.webhook, message, call)
        });
        for outcome in join_all(calls).await {
            outcome?;
        }
        Ok(true)
    }

    async fn call(&self, webhook: &Webhook, message: &WebhookMessage, call: CallWebhook) -> HubResult<()> {
        let started = Instant::now();
        let answer = match timeout(PATIENCE, self.caller.send(call)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Answer::None { error: "the hub's own caller died over it".to_owned() },
            Err(_) => Answer::None { error: "no answer in time".to_owned() },
        };
        let took = started.elapsed();
        self.measures.called(&answer, took);
        let duration_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let now = self.clock.now();
        let after = message.answered(&answer, &self.rule, now);
        let failing_since = (!answer.is_success()).then(|| webhook.failing_since.unwrap_or(now));
        let attempt = attempt(webhook, &after, &answer, duration_ms, now);
        let mut writes = vec![Write::KeepAttempt { message: after, attempt }];
        if failing_since != webhook.failing_since {
            writes.push(Write::SetFailingSince { webhook_id: webhook.id, since: failing_since });
        }
        match self.writer.ask(Commit::quiet(writes)).await {
            // Its claim had ended, and another instance has called it since.
            Err(HubError::Contended) => return Ok(()),
            outcome => outcome?,
        }
        match must_disable(&answer, failing_since, &self.rule, now) {
            Some(reason) => self.disable(webhook, &reason).await,
            None => Ok(()),
        }
    }

    /// Unless somebody has changed its URL or enabled it anew since it was called.
    async fn disable(&self, called: &Webhook, reason: &str) -> HubResult<()> {
        settle(|| async {
            let found = self.webhooks.ask(GetWebhook(called.id)).await?;
            let Some(before) = found.filter(|now| now.is_enabled && now.url == called.url) else {
                return Ok(());
            };
            let at = self.clock.now();
            let after = before.disabled(reason.to_owned(), at);
            let entity = (EntityType::Webhook, after.id);
            let event = Event::of(new_id(), EventType::WebhookDisabled, entity, Some(&before), &after, at);
            let update = Write::UpdateWebhook { webhook: after, secrets: None };
            self.writer.ask(Commit::new(update, event)).await?;
            tracing::warn!(webhook = %called.id, reason, "a webhook is disabled");
            Ok(())
        })
        .await
    }
}

fn attempt(
    webhook: &Webhook,
    after: &WebhookMessage,
    answer: &Answer,
    duration_ms: i64,
    now: Timestamp,
) -> WebhookAttempt {
    let (response_status, response_body, error) = match answer {
        Answer::Answered { status, body, .. } => {
            // PostgreSQL cannot keep NUL.
            let kept = body.chars().filter(|&one| one != '\0').take(MAX_ANSWER).collect();
            (Some(i64::from(*status)), Some(kept), None)
        }
        Answer::None { error } => (None, None, Some(error.clone())),
    };
    WebhookAttempt {
        id: new_id(),
        created_at: now,
        message_id: after.id,
        event_id: after.event_id,
        event_type: after.event_type.clone(),
        attempt: after.attempts,
        url: webhook.url.clone(),
        succeeded: answer.is_success(),
        response_status,
        response_body,
        error,
        duration_ms,
        message_status: after.status,
        next_attempt_at: after.next_attempt_at,
    }
}
