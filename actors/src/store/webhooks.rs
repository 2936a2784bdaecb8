//! Endpoints, and the messages on their way to them. A message is written in the transaction of its event, for each
//! endpoint that is then enabled and wants it.

use actix::{Handler, Message, ResponseFuture};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::bind::from_row;
use super::bulk::insert_rows;
use super::cache::Storage;
use super::commit::{Work, one_row};
use super::db::{Tx, failed, read, write_one, write_tx};
use super::dialect;
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use crate::clock::new_id;
use crate::domain::cloud_event::CloudEvent;
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::webhook::{Webhook, WebhookAttempt, WebhookMessage, WebhookMessageStatus, WebhookSecret};
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};

store_actor!(
    /// Keeps endpoints, and what they are told.
    WebhookStore
);

pub const SORTS: &[Sort] = &[Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time }];

const LIST: ListSql = ListSql {
    select: "t.id, t.version, t.created_at, t.updated_at, t.url, t.events, t.description, t.is_enabled, \
        t.disabled_reason, t.failing_since, t.created_by",
    from: "webhooks t",
    sorts: SORTS,
};

const ATTEMPTS: ListSql = ListSql {
    select: "t.id, t.created_at, t.message_id, t.event_id, t.event_type, t.attempt, t.url, t.succeeded, \
        t.response_status, t.response_body, t.error, t.duration_ms, t.message_status, t.next_attempt_at",
    from: "webhook_attempts t",
    sorts: SORTS,
};

/// How long messages and attempts are kept.
pub const KEPT_FOR: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Webhook>>")]
pub struct GetWebhook(pub Uuid);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<Webhook>>")]
pub struct ListWebhooks {
    pub page: PageRequest,
}

/// What an endpoint's messages are signed with, the newest first.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Vec<WebhookSecret>>>")]
pub struct GetWebhookSecrets(pub Uuid);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<WebhookAttempt>>")]
pub struct ListAttempts {
    pub webhook_id: Uuid,
    pub succeeded: Option<bool>,
    pub page: PageRequest,
}

/// The message that an attempt was made for, as it now is.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<WebhookMessage>>")]
pub struct GetAttempted {
    pub webhook_id: Uuid,
    pub attempt_id: Uuid,
}

/// Enabled endpoints that have messages due.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Vec<Uuid>>")]
pub struct ListLanes {
    pub now: Timestamp,
}

/// Takes messages of one endpoint that are due, so that no other instance calls them before `until`. `None` when the
/// endpoint has nothing due, or is not there to be called any more.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Claimed>>")]
pub struct ClaimMessages {
    pub webhook_id: Uuid,
    pub now: Timestamp,
    pub until: Timestamp,
    pub limit: i64,
}

#[derive(Debug)]
pub struct Claimed {
    pub webhook: Webhook,
    pub secrets: Vec<WebhookSecret>,
    /// Each with what is sent.
    pub messages: Vec<(WebhookMessage, String)>,
}

/// Forgets what is older than [`KEPT_FOR`].
#[derive(Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ForgetWebhookMessages {
    pub now: Timestamp,
}

#[derive(FromRow)]
struct Keyed {
    #[sqlx(flatten)]
    webhook: Webhook,
    secrets: Json<Vec<WebhookSecret>>,
}

#[derive(FromRow)]
struct Due {
    #[sqlx(flatten)]
    message: WebhookMessage,
    body: String,
}

const FIND: &str = "select * from webhooks where id = $1 and deleted_at is null";

impl Handler<GetWebhook> for WebhookStore {
    type Result = ResponseFuture<HubResult<Option<Webhook>>>;

    fn handle(&mut self, GetWebhook(id): GetWebhook, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            read!(&db, |pool| query_as(FIND).bind(id).fetch_optional(pool).await).map_err(failed)
        })
    }
}

impl Handler<ListWebhooks> for WebhookStore {
    type Result = ResponseFuture<HubResult<Page<Webhook>>>;

    fn handle(&mut self, ListWebhooks { page }: ListWebhooks, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let conditions = vec![Condition::Plain("t.deleted_at is null")];
            list::page(&db, &LIST, conditions, &page, |webhook: &Webhook, _| {
                (SortValue::Time(webhook.created_at), webhook.id)
            })
            .await
        })
    }
}

impl Handler<GetWebhookSecrets> for WebhookStore {
    type Result = ResponseFuture<HubResult<Option<Vec<WebhookSecret>>>>;

    fn handle(&mut self, GetWebhookSecrets(id): GetWebhookSecrets, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "select secrets from webhooks where id = $1 and deleted_at is null";
            let secrets: Option<Json<_>> =
                read!(&db, |pool| query_scalar(SQL).bind(id).fetch_optional(pool).await).map_err(failed)?;
            Ok(secrets.map(|secrets| secrets.0))
        })
    }
}

impl Handler<ListAttempts> for WebhookStore {
    type Result = ResponseFuture<HubResult<Page<WebhookAttempt>>>;

    fn handle(&mut self, list: ListAttempts, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let mut conditions = vec![Condition::with("t.webhook_id = ", Value::Id(list.webhook_id))];
            conditions.extend(
                list.succeeded
                    .map(|yes| Condition::Plain(if yes { "t.succeeded" } else { "not t.succeeded" })),
            );
            list::page(&db, &ATTEMPTS, conditions, &list.page, |attempt: &WebhookAttempt, _| {
                (SortValue::Time(attempt.created_at), attempt.id)
            })
            .await
        })
    }
}

impl Handler<GetAttempted> for WebhookStore {
    type Result = ResponseFuture<HubResult<Option<WebhookMessage>>>;

    fn handle(&mut self, wanted: GetAttempted, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "select m.* from webhook_attempts a join webhook_messages m on m.id = a.message_id \
                where a.id = $1 and a.webhook_id = $2";
            read!(&db, |pool| query_as(SQL)
                .bind(wanted.attempt_id)
                .bind(wanted.webhook_id)
                .fetch_optional(pool)
                .await)
            .map_err(failed)
        })
    }
}

impl Handler<ListLanes> for WebhookStore {
    type Result = ResponseFuture<HubResult<Vec<Uuid>>>;

    fn handle(&mut self, ListLanes { now }: ListLanes, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "select w.id from webhooks w where w.is_enabled and exists (select 1 \
                from webhook_messages m where m.webhook_id = w.id and m.next_attempt_at <= $1) order by w.id";
            read!(&db, |pool| query_scalar(SQL).bind(now).fetch_all(pool).await).map_err(failed)
        })
    }
}

impl Handler<ClaimMessages> for WebhookStore {
    type Result = ResponseFuture<HubResult<Option<Claimed>>>;

    fn handle(&mut self, claim: ClaimMessages, _: &mut Self::Context) -> Self::Result {
        const FIND: &str = "select * from webhooks where id = $1 and is_enabled";
        let db = self.storage.db.clone();
        Box::pin(async move {
            let keyed: Option<Keyed> =
                read!(&db, |pool| query_as(FIND).bind(claim.webhook_id).fetch_optional(pool).await)
                    .map_err(failed)?;
            let Some(Keyed { webhook, secrets }) = keyed else { return Ok(None) };
            let sql = dialect::claim_webhook_messages(&db);
            let messages: Vec<Due> = write_one!(db, |connection| query_as(sql)
                .bind(claim.webhook_id)
                .bind(claim.now)
                .bind(claim.limit)
                .bind(claim.until)
                .fetch_all(connection)
                .await)?;
            let messages: Vec<_> = messages.into_iter().map(|due| (due.message, due.body)).collect();
            Ok((!messages.is_empty()).then_some(Claimed { webhook, secrets: secrets.0, messages }))
        })
    }
}

impl Handler<ForgetWebhookMessages> for WebhookStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(
        &mut self,
        ForgetWebhookMessages { now }: ForgetWebhookMessages,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const ATTEMPTS: &str = "delete from webhook_attempts where created_at < $1";
            const MESSAGES: &str = "delete from webhook_messages where created_at < $1 \
                and not exists (select 1 from webhook_attempts where message_id = webhook_messages.id)";
            let before = now.minus(KEPT_FOR);
            let mut tx = db.begin().await?;
            for sql in [ATTEMPTS, MESSAGES] {
                write_tx!(&mut tx, |connection| query(sql).bind(before).execute(connection).await.map(drop))
                    .map_err(failed)?;
            }
            tx.commit().await
        })
    }
}

from_row!(Webhook {
    id, version, created_at, updated_at, url, description, is_enabled, disabled_reason, failing_since, created_by; json events
});

from_row!(WebhookMessage {
    id,
    webhook_id,
    created_at,
    event_id,
    event_type,
    status,
    attempts,
    failures,
    next_attempt_at
});

from_row!(WebhookAttempt {
    id,
    created_at,
    message_id,
    event_id,
    event_type,
    attempt,
    url,
    succeeded,
    response_status,
    response_body,
    error,
    duration_ms,
    message_status,
    next_attempt_at
});

pub(super) async fn insert(work: &mut Work, webhook: &Webhook, secrets: &[WebhookSecret]) -> HubResult<()> {
    const SQL: &str = "insert into webhooks \
        (id, version, created_at, updated_at, url, events, description, is_enabled, secrets, created_by) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(webhook.id)
        .bind(webhook.version)
        .bind(webhook.created_at)
        .bind(webhook.updated_at)
        .bind(&webhook.url)
        .bind(Json(&webhook.events))
        .bind(webhook.description.as_deref())
        .bind(webhook.is_enabled)
        .bind(Json(secrets))
        .bind(webhook.created_by)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}

/// `secrets`: unless they stay.
pub(super) async fn update(
    work: &mut Work,
    webhook: &Webhook,
    secrets: Option<&[WebhookSecret]>,
) -> HubResult<()> {
    const SQL: &str = "update webhooks set version = $2, updated_at = $4, url = $5, events = $6, description = $7, \
        is_enabled = $8, disabled_reason = $9, failing_since = $10, secrets = coalesce($11, secrets) \
        where id = $1 and version = $3 and deleted_at is null";
    let affected = write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(webhook.id)
        .bind(webhook.version)
        .bind(webhook.version - 1)
        .bind(webhook.updated_at)
        .bind(&webhook.url)
        .bind(Json(&webhook.events))
        .bind(webhook.description.as_deref())
        .bind(webhook.is_enabled)
        .bind(webhook.disabled_reason.as_deref())
        .bind(webhook.failing_since)
        .bind(secrets.map(Json))
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))
    .map_err(failed)?;
    one_row(affected)
}

/// What it was told stays until it is forgotten; its secrets do not.
pub(super) async fn delete(work: &mut Work, id: Uuid, at: Timestamp) -> HubResult<()> {
    const SQL: &str = "update webhooks set version = version + 1, updated_at = $2, deleted_at = $2, \
        is_enabled = false, secrets = '[]' where id = $1 and deleted_at is null";
    let affected = write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(id)
        .bind(at)
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))
    .map_err(failed)?;
    one_row(affected)
}

/// What a call has come to. `Contended` when somebody else has called the message since it was claimed.
pub(super) async fn keep_attempt(
    work: &mut Work,
    message: &WebhookMessage,
    attempt: &WebhookAttempt,
) -> HubResult<()> {
    const SQL: &str = "insert into webhook_attempts (id, webhook_id, message_id, created_at, event_id, event_type, \
        attempt, url, succeeded, response_status, response_body, error, duration_ms, message_status, next_attempt_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    update_message(work, message, message.attempts - 1).await?;
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(attempt.id)
        .bind(message.webhook_id)
        .bind(attempt.message_id)
        .bind(attempt.created_at)
        .bind(attempt.event_id)
        .bind(&attempt.event_type)
        .bind(attempt.attempt)
        .bind(&attempt.url)
        .bind(attempt.succeeded)
        .bind(attempt.response_status)
        .bind(attempt.response_body.as_deref())
        .bind(attempt.error.as_deref())
        .bind(attempt.duration_ms)
        .bind(attempt.message_status)
        .bind(attempt.next_attempt_at)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}

/// `Contended` unless it has been called `attempts` times.
pub(super) async fn update_message(
    work: &mut Work,
    message: &WebhookMessage,
    attempts: i64,
) -> HubResult<()> {
    const SQL: &str = "update webhook_messages set status = $3, attempts = $4, failures = $5, next_attempt_at = $6 \
        where id = $1 and attempts = $2";
    let affected = write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(message.id)
        .bind(attempts)
        .bind(message.status)
        .bind(message.attempts)
        .bind(message.failures)
        .bind(message.next_attempt_at)
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))
    .map_err(failed)?;
    one_row(affected)
}

/// Not a change of its own that `If-Match` would have to know of.
pub(super) async fn set_failing_since(
    work: &mut Work,
    webhook_id: Uuid,
    since: Option<Timestamp>,
) -> HubResult<()> {
    const SQL: &str = "update webhooks set failing_since = $2 where id = $1 and deleted_at is null";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(webhook_id)
        .bind(since)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}

/// A message for each of these events and each endpoint that wants it. Answers whether there is any.
pub(super) async fn insert_messages(tx: &mut Tx, events: &[(&Event, String)]) -> HubResult<bool> {
    const ENABLED: &str = "select * from webhooks where is_enabled";
    if events.is_empty() {
        return Ok(false);
    }
    let webhooks: Vec<Webhook> =
        write_tx!(&mut *tx, |connection| query_as(ENABLED).fetch_all(connection).await).map_err(failed)?;
    let mut messages: Vec<(Uuid, &Event, String)> = Vec::new();
    for (event, data) in events {
        let wanted = webhooks.iter().filter(|webhook| webhook.wants(event.event_type));
        for webhook in wanted {
            messages.push((webhook.id, event, body(event, data)?));
        }
    }
    insert_rows!(
        &mut *tx,
        "webhook_messages (id, webhook_id, created_at, event_id, event_type, body, status, next_attempt_at)",
        &messages,
        |message, values| {
            let (webhook_id, event, body) = message;
            values
                .push_bind(new_id())
                .push_bind(webhook_id)
                .push_bind(event.time)
                .push_bind(event.id)
                .push_bind(event.event_type.as_str())
                .push_bind(body.as_str())
                .push_bind(WebhookMessageStatus::Pending)
                .push_bind(event.time)
        }
    )
    .map_err(failed)?;
    Ok(!messages.is_empty())
}

/// The event as subscribers of the broker get it, and `timestamp`: Standard Webhooks' name for `time`.
fn body(event: &Event, data: &str) -> HubResult<String> {
    #[derive(Serialize)]
    struct Payload {
        #[serde(flatten)]
        event: CloudEvent,
        timestamp: Timestamp,
    }
    let no_json =
        |error: serde_json::Error| HubError::Internal(format!("an event's data is not JSON: {error}"));
    let data = RawValue::from_string(data.to_owned()).map_err(no_json)?;
    let event_type = event.event_type.to_string();
    let payload = Payload {
        event: CloudEvent::new(event.id, event_type, event.entity_id, event.time, data),
        timestamp: event.time,
    };
    serde_json::to_string(&payload).map_err(no_json)
}
