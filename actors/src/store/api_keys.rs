use std::time::Duration;

use actix::{Handler, Message, ResponseFuture};
use sqlx::types::Json;
use sqlx::{query, query_as};
use uuid::Uuid;

use super::bind::from_row;
use super::cache::Storage;
use super::commit::Work;
use super::db::{change_one, failed, read, write_one, write_tx};
use super::list::{self, Condition, ListSql, Sort, SortKind};
use crate::domain::Timestamp;
use crate::domain::api_key::ApiKey;
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::error::HubResult;

/// A use is noted when the last one noted is older, so that a busy key does not write a row a request.
const NOTED_EVERY: Duration = Duration::from_secs(60);

store_actor!(
    /// Reads API keys, and notes their use.
    ApiKeyStore
);

pub const SORTS: &[Sort] = &[Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time }];

columns!(
    api_key_columns = "t.id, t.version, t.created_at, t.updated_at, t.name, t.scopes, t.hint, t.created_by, \
        t.last_used_at, t.revoked_at"
);

const LIST: ListSql = ListSql { select: api_key_columns!(), from: "api_keys t", sorts: SORTS };

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<ApiKey>>")]
pub struct GetApiKey(pub Uuid);

/// Keys that are not revoked.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<ApiKey>>")]
pub struct ListApiKeys {
    pub page: PageRequest,
}

/// The key behind a hash (SHA-256 in hex), if it still opens anything. Never cached: a revoked key is refused at
/// once, on every instance.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<ApiKey>>")]
pub struct UseApiKey {
    pub key_hash: String,
    pub now: Timestamp,
}

impl Handler<GetApiKey> for ApiKeyStore {
    type Result = ResponseFuture<HubResult<Option<ApiKey>>>;

    fn handle(&mut self, GetApiKey(id): GetApiKey, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = concat!(
                "select ",
                api_key_columns!(),
                " from api_keys t where id = $1 and revoked_at is null"
            );
            read!(&db, |pool| query_as(SQL).bind(id).fetch_optional(pool).await).map_err(failed)
        })
    }
}

impl Handler<ListApiKeys> for ApiKeyStore {
    type Result = ResponseFuture<HubResult<Page<ApiKey>>>;

    fn handle(&mut self, ListApiKeys { page }: ListApiKeys, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let conditions = vec![Condition::Plain("t.revoked_at is null")];
            list::page(&db, &LIST, conditions, &page, |key: &ApiKey, _| {
                (SortValue::Time(key.created_at), key.id)
            })
            .await
        })
    }
}

impl Handler<UseApiKey> for ApiKeyStore {
    type Result = ResponseFuture<HubResult<Option<ApiKey>>>;

    fn handle(&mut self, UseApiKey { key_hash, now }: UseApiKey, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const FIND: &str = concat!(
                "select ",
                api_key_columns!(),
                " from api_keys t where key_hash = $1 and revoked_at is null"
            );
            const NOTE: &str = "update api_keys set last_used_at = $2 where id = $1";
            let found: Option<ApiKey> =
                read!(&db, |pool| query_as(FIND).bind(&key_hash).fetch_optional(pool).await)
                    .map_err(failed)?;
            let Some(key) = found else { return Ok(None) };
            if key.last_used_at.is_none_or(|noted| noted.plus(NOTED_EVERY) <= now) {
                write_one!(db, |connection| query(NOTE)
                    .bind(key.id)
                    .bind(now)
                    .execute(connection)
                    .await
                    .map(drop))?;
            }
            Ok(Some(key))
        })
    }
}

from_row!(ApiKey { id, version, created_at, updated_at, name, hint, created_by, last_used_at, revoked_at; json scopes });

pub(super) async fn insert(work: &mut Work, key: &ApiKey, key_hash: &str) -> HubResult<()> {
    const SQL: &str = "insert into api_keys \
        (id, version, created_at, updated_at, name, scopes, hint, key_hash, created_by) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(key.id)
        .bind(key.version)
        .bind(key.created_at)
        .bind(key.updated_at)
        .bind(&key.name)
        .bind(Json(&key.scopes))
        .bind(&key.hint)
        .bind(key_hash)
        .bind(key.created_by)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}

pub(super) async fn revoke(work: &mut Work, id: Uuid, at: Timestamp) -> HubResult<()> {
    const SQL: &str = "update api_keys set version = version + 1, updated_at = $2, revoked_at = $2 \
        where id = $1 and revoked_at is null";
    change_one!(&mut work.tx, query(SQL).bind(id).bind(at))
}
