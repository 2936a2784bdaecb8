//! Events by HTTP to whoever an admin has named, signed as [Standard Webhooks](https://www.standardwebhooks.com)
//! has it.
//!
//! A [`Webhook`] is an endpoint and what it wants to hear of. Each event it hears of becomes a [`WebhookMessage`] in
//! the transaction of the event itself, and each call a [`WebhookAttempt`]. A message is called at least once and in
//! no particular order: its id stays the same, by which the receiver knows it again.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::delivery::RetryRule;
use super::event::EventType;
use super::text_enum::text_enum;
use super::validation::{MAX_NAME, present};
use super::{Checks, FieldError, Timestamp};

mod address;
mod url_rule;

pub use address::{is_private, is_public};
pub use url_rule::UrlRule;

/// Stands for every event there is, and those to come.
pub const EVERYTHING: &str = "*";
/// Old secrets that still sign at a time, so that the header stays short.
const MAX_OLD_SECRETS: usize = 3;
/// How long a secret still signs beside the one it was rotated for: time for receivers to learn the new one.
pub const ROTATION: Duration = Duration::from_secs(24 * 60 * 60);
/// Of what a receiver answers, this much is kept, in characters.
pub const MAX_ANSWER: usize = 1_000;

/// An endpoint. Its secrets are not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    pub id: Uuid,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[schema(format = "uri")]
    pub url: String,
    /// Types of events, or `*` for all.
    #[schema(example = json!(["response.approved", "response.sent"]))]
    pub events: Vec<String>,
    #[schema(required)]
    pub description: Option<String>,
    /// One that is not is told nothing, and what happens meanwhile it does not hear of later.
    pub is_enabled: bool,
    /// Why the hub disabled it by itself.
    #[schema(required)]
    pub disabled_reason: Option<String>,
    /// Since when every call has failed; null while calls succeed.
    #[schema(required)]
    pub failing_since: Option<Timestamp>,
    pub created_by: Uuid,
}

/// Signs messages; a receiver may check with any secret that has not ended.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSecret {
    /// `whsec_` and the key in base64.
    pub secret: String,
    /// Until when it signs beside a newer one; `None` for the newest.
    pub until: Option<Timestamp>,
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSecret").field("until", &self.until).finish_non_exhaustive()
    }
}

/// `POST /webhooks`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewWebhook {
    #[schema(format = "uri", max_length = 2000)]
    pub url: String,
    #[schema(min_items = 1, example = json!(["response.approved"]))]
    pub events: Vec<String>,
    #[serde(default)]
    #[schema(max_length = 100)]
    pub description: Option<String>,
}

/// `PATCH /webhooks/:id`: what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookPatch {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, format = "uri", max_length = 2000)]
    pub url: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_items = 1)]
    pub events: Option<Vec<String>>,
    /// Empty for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 100)]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub is_enabled: Option<bool>,
}

impl NewWebhook {
    pub fn validate(mut self, rule: UrlRule) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        self.url = rule.check(&mut checks, &self.url);
        self.events = event_filter(&mut checks, &self.events);
        self.description = checks.optional_line("/description", self.description.as_deref(), MAX_NAME);
        checks.finish(self)
    }

    pub fn into_webhook(self, id: Uuid, created_by: Uuid, now: Timestamp) -> Webhook {
        Webhook {
            id,
            version: 1,
            created_at: now,
            updated_at: now,
            url: self.url,
            events: self.events,
            description: self.description,
            is_enabled: true,
            disabled_reason: None,
            failing_since: None,
            created_by,
        }
    }
}

impl WebhookPatch {
    pub fn validate(mut self, rule: UrlRule) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        self.url = self.url.map(|url| rule.check(&mut checks, &url));
        self.events = self.events.map(|events| event_filter(&mut checks, &events));
        if let Some(description) = &mut self.description {
            let line = checks.optional_line("/description", Some(description), MAX_NAME);
            *description = line.unwrap_or_default();
        }
        checks.finish(self)
    }

    /// Enabled anew, or at another URL, it starts with a clean slate.
    pub fn apply(&self, webhook: &Webhook, now: Timestamp) -> Webhook {
        let mut after = webhook.touched(now);
        if let Some(url) = &self.url {
            after.url.clone_from(url);
        }
        if let Some(events) = &self.events {
            after.events.clone_from(events);
        }
        if let Some(description) = &self.description {
            after.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        if let Some(is_enabled) = self.is_enabled {
            after.is_enabled = is_enabled;
        }
        if after.url != webhook.url || (after.is_enabled && !webhook.is_enabled) {
            after.failing_since = None;
        }
        if after.is_enabled {
            after.disabled_reason = None;
        }
        after
    }
}

impl Webhook {
    /// Whether it wants to hear of such an event.
    pub fn wants(&self, event_type: EventType) -> bool {
        self.events.iter().any(|wanted| wanted == EVERYTHING || wanted == event_type.as_str())
    }

    #[must_use]
    pub fn disabled(&self, reason: String, now: Timestamp) -> Self {
        Self { is_enabled: false, disabled_reason: Some(reason), ..self.touched(now) }
    }

    #[must_use]
    pub fn touched(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

/// The secrets as they are once `secret` is the newest.
pub fn rotated(secrets: &[WebhookSecret], secret: String, now: Timestamp) -> Vec<WebhookSecret> {
    let newest = WebhookSecret { secret, until: None };
    let old = signing(secrets, now).map(|old| WebhookSecret {
        secret: old.secret.clone(),
        until: Some(old.until.unwrap_or_else(|| now.plus(ROTATION))),
    });
    std::iter::once(newest).chain(old.take(MAX_OLD_SECRETS)).collect()
}

/// Those that sign at `now`, the newest first.
pub fn signing(secrets: &[WebhookSecret], now: Timestamp) -> impl Iterator<Item = &WebhookSecret> {
    secrets.iter().filter(move |secret| secret.until.is_none_or(|until| now < until))
}

fn event_filter(checks: &mut Checks, events: &[String]) -> Vec<String> {
    if events.is_empty() {
        checks.fail("/events", "required", "must name at least one type of event, or *");
    }
    for (index, name) in events.iter().enumerate() {
        let known = EventType::from_str(name).is_ok_and(|event| event.entity_type().is_published());
        if !known && name != EVERYTHING {
            let message = "must be a type of event that is published, or *";
            checks.fail(&format!("/events/{index}"), "unknown_value", message);
        }
    }
    let mut events = events.to_vec();
    events.sort();
    events.dedup();
    events
}

text_enum!(
    /// How far a message got.
    WebhookMessageStatus { Pending = "pending", Delivered = "delivered", Failed = "failed" }
);

/// One event on its way to one endpoint. What is sent is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookMessage {
    /// The `webhook-id` of every call.
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub created_at: Timestamp,
    pub event_id: Uuid,
    #[schema(example = "response.approved")]
    pub event_type: String,
    pub status: WebhookMessageStatus,
    /// Calls so far.
    pub attempts: i64,
    /// Failed calls since it was made or last replayed.
    pub failures: i64,
    /// Null unless pending.
    #[schema(required)]
    pub next_attempt_at: Option<Timestamp>,
}

/// One call and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookAttempt {
    pub id: Uuid,
    pub created_at: Timestamp,
    pub message_id: Uuid,
    pub event_id: Uuid,
    #[schema(example = "response.approved")]
    pub event_type: String,
    /// The how-manieth call of its message, from 1.
    pub attempt: i64,
    /// Where it went.
    pub url: String,
    pub succeeded: bool,
    /// Null when there was no answer.
    #[schema(required)]
    pub response_status: Option<i64>,
    /// How the answer began: 1,000 characters at most.
    #[schema(required)]
    pub response_body: Option<String>,
    /// Why there was no answer.
    #[schema(required)]
    pub error: Option<String>,
    pub duration_ms: i64,
    /// What this made of the message.
    pub message_status: WebhookMessageStatus,
    /// When the message is tried again, if it is.
    #[schema(required)]
    pub next_attempt_at: Option<Timestamp>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Answered {
        status: u16,
        /// How it begins.
        body: String,
        /// From `Retry-After` (RFC 9110, section 10.2.3).
        retry_after: Option<Duration>,
    },
    /// No answer: refused before it was called, not reached, or not answered in time.
    None { error: String },
}

/// How calls that failed are made again.
#[derive(Clone, Copy, Debug)]
pub struct WebhookRule {
    pub retry: RetryRule,
    /// An endpoint all of whose calls have failed for as long is disabled; zero for never.
    pub disable_after: Duration,
}

impl Answer {
    /// A receiver says that it has it by any 2xx. A redirect says nothing: they are not followed.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// 410: it never wants to hear from us again.
    fn is_gone(&self) -> bool {
        matches!(self, Self::Answered { status: 410, .. })
    }
}

impl WebhookMessage {
    /// As it is after a call.
    #[must_use]
    pub fn answered(&self, answer: &Answer, rule: &WebhookRule, now: Timestamp) -> Self {
        let attempts = self.attempts + 1;
        if answer.is_success() {
            let status = WebhookMessageStatus::Delivered;
            return Self { status, attempts, next_attempt_at: None, ..self.clone() };
        }
        let failures = self.failures + 1;
        let tried = Self { attempts, failures, ..self.clone() };
        if answer.is_gone() || failures >= rule.retry.max_attempts {
            Self { status: WebhookMessageStatus::Failed, next_attempt_at: None, ..tried }
        } else {
            Self { next_attempt_at: Some(now.plus(self.pause(failures, answer, rule))), ..tried }
        }
    }

    /// To be called again, at once and as often as a new one, whatever has become of it.
    #[must_use]
    pub fn replayed(&self, now: Timestamp) -> Self {
        Self {
            status: WebhookMessageStatus::Pending,
            failures: 0,
            next_attempt_at: Some(now),
            ..self.clone()
        }
    }

    /// Up to a fifth longer than the rule says, by chance, so that what failed together does not come back together.
    /// A receiver may ask for more, up to the cap.
    fn pause(&self, failures: i64, answer: &Answer, rule: &WebhookRule) -> Duration {
        let jitter = u32::from(self.id.as_bytes()[15]);
        let pause = rule.retry.pause(failures);
        let pause = pause + pause / 5 * jitter / 255;
        match answer {
            Answer::Answered { retry_after: Some(asked), .. } => {
                pause.max((*asked).min(rule.retry.backoff_cap))
            }
            Answer::Answered { retry_after: None, .. } | Answer::None { .. } => pause,
        }
    }
}

/// Why the endpoint is to be disabled after such an answer, if it is. `failing_since`: as of this answer.
pub fn must_disable(
    answer: &Answer,
    failing_since: Option<Timestamp>,
    rule: &WebhookRule,
    now: Timestamp,
) -> Option<String> {
    if answer.is_gone() {
        return Some("it answered 410 Gone".to_owned());
    }
    let since = failing_since?;
    (!rule.disable_after.is_zero() && since.plus(rule.disable_after) <= now)
        .then(|| format!("every call has failed since {since}"))
}

#[cfg(test)]
#[path = "webhook/tests.rs"]
mod tests;
