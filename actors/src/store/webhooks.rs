//! Endpoints that events are sent to.

mod messages;

use actix::{Handler, Message, ResponseFuture};
use sqlx::types::Json;
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;

use super::bind::from_row;
use super::cache::Storage;
use super::commit::Work;
use super::db::{change_one, failed, read, write_tx};
use super::list::{self, Condition, ListSql, Sort, SortKind};
use crate::domain::Timestamp;
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::webhook::{Webhook, WebhookSecret};
use crate::error::HubResult;

pub use messages::{ClaimMessages, Claimed, ForgetWebhookMessages, GetAttempted, ListAttempts, ListLanes};
pub(super) use messages::{insert_messages, keep_attempt, update_message};

store_actor!(
    /// Keeps endpoints, and what they are told.
    WebhookStore
);

pub const SORTS: &[Sort] = &[Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time }];

columns!(
    webhook_columns = "t.id, t.version, t.created_at, t.updated_at, t.url, t.events, t.description, t.is_enabled, \
        t.disabled_reason, t.failing_since, t.created_by"
);

pub(super) use webhook_columns;

const LIST: ListSql = ListSql { select: webhook_columns!(), from: "webhooks t", sorts: SORTS };

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

impl Handler<GetWebhook> for WebhookStore {
    type Result = ResponseFuture<HubResult<Option<Webhook>>>;

    fn handle(&mut self, GetWebhook(id): GetWebhook, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = concat!(
                "select ",
                webhook_columns!(),
                " from webhooks t where id = $1 and deleted_at is null"
            );
            read!(&db, |pool| query_as(SQL).bind(id).fetch_optional(pool).await).map_err(failed)
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

from_row!(Webhook {
    id, version, created_at, updated_at, url, description, is_enabled, disabled_reason, failing_since, created_by; json events
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
    change_one!(
        &mut work.tx,
        query(SQL)
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
    )
}

/// What it was told stays until it is forgotten; its secrets do not.
pub(super) async fn delete(work: &mut Work, webhook: &Webhook) -> HubResult<()> {
    const SQL: &str = "update webhooks set version = $2, updated_at = $4, deleted_at = $4, is_enabled = $5, \
        secrets = '[]' where id = $1 and version = $3 and deleted_at is null";
    change_one!(
        &mut work.tx,
        query(SQL)
            .bind(webhook.id)
            .bind(webhook.version)
            .bind(webhook.version - 1)
            .bind(webhook.updated_at)
            .bind(webhook.is_enabled)
    )
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
