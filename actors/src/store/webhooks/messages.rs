//! What endpoints are told. A message is written in the transaction of its event, for each endpoint that is then enabled
//! and wants it.

use actix::{Handler, Message, ResponseFuture};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::{SORTS, WebhookStore, webhook_columns};
use crate::clock::new_id;
use crate::domain::cloud_event::CloudEvent;
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::webhook::{Webhook, WebhookAttempt, WebhookMessage, WebhookMessageStatus, WebhookSecret};
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};
use crate::store::bind::from_row;
use crate::store::bulk::insert_rows;
use crate::store::commit::Work;
use crate::store::db::{Tx, change_one, failed, read, write_one, write_tx};
use crate::store::dialect;
use crate::store::list::{self, Condition, ListSql, Value};

const ATTEMPTS: ListSql = ListSql {
    select: "t.id, t.created_at, t.message_id, t.event_id, t.event_type, t.attempt, t.url, t.succeeded, \
        t.response_status, t.response_body, t.error, t.duration_ms, t.message_status, t.next_attempt_at",
    from: "webhook_attempts t",
    sorts: SORTS,
};

/// How long messages and attempts are kept.
const KEPT_FOR: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

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

/// Forgets what is older than 30 days.
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
            const SQL: &str = "select m.id, m.webhook_id, m.created_at, m.event_id, m.event_type, m.status, \
                m.attempts, m.failures, m.next_attempt_at from webhook_attempts a \
                join webhook_messages m on m.id = a.message_id where a.id = $1 and a.webhook_id = $2";
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
        const FIND: &str = concat!(
            "select ",
            webhook_columns!(),
            ", t.secrets from webhooks t where id = $1 and is_enabled"
        );
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

/// What a call has come to. `Contended` when somebody else has called the message since it was claimed.
pub(in crate::store) async fn keep_attempt(
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
pub(in crate::store) async fn update_message(
    work: &mut Work,
    message: &WebhookMessage,
    attempts: i64,
) -> HubResult<()> {
    const SQL: &str = "update webhook_messages set status = $3, attempts = $4, failures = $5, next_attempt_at = $6 \
        where id = $1 and attempts = $2";
    change_one!(
        &mut work.tx,
        query(SQL)
            .bind(message.id)
            .bind(attempts)
            .bind(message.status)
            .bind(message.attempts)
            .bind(message.failures)
            .bind(message.next_attempt_at)
    )
}

/// A message for each of these events and each endpoint that wants it. Answers whether there is any.
pub(in crate::store) async fn insert_messages(tx: &mut Tx, events: &[(&Event, String)]) -> HubResult<bool> {
    const ENABLED: &str = concat!("select ", webhook_columns!(), " from webhooks t where is_enabled");
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
