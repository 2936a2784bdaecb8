use std::collections::HashMap;

use actix::{Handler, Message, ResponseFuture};
use sqlx::query;
use sqlx::types::Json;
use uuid::Uuid;

use super::bind::from_row;
use super::bulk::read_by_ids;
use super::cache::Storage;
use super::commit::Work;
use super::db::{Db, change_one, unique, write_tx};
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use super::outbox;
use crate::clock::new_id;
use crate::digest::sha256_of_parts;
use crate::domain::dead_letter::{BuriedMessage, DeadLetter, DeadLetterStatus};
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::error::HubResult;

store_actor!(
    /// Reads dead letters.
    DeadLetterStore
);

pub const SORTS: &[Sort] = &[Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time }];

columns!(
    dead_letter_columns = "t.id, t.version, t.created_at, t.updated_at, t.status, t.reason, t.error, t.routing_key, t.message_id, \
        t.content_type, t.headers, t.size"
);

const LIST: ListSql = ListSql { select: dead_letter_columns!(), from: "dead_letters t", sorts: SORTS };

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<BuriedMessage>>")]
pub struct GetDeadLetter(pub Uuid);

/// Without their bodies.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<DeadLetter>>")]
pub struct ListDeadLetters {
    pub status: Option<DeadLetterStatus>,
    pub page: PageRequest,
}

impl Handler<GetDeadLetter> for DeadLetterStore {
    type Result = ResponseFuture<HubResult<Option<BuriedMessage>>>;

    fn handle(&mut self, GetDeadLetter(id): GetDeadLetter, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move { Ok(find_all(&db, &[id]).await?.remove(&id)) })
    }
}

impl Handler<ListDeadLetters> for DeadLetterStore {
    type Result = ResponseFuture<HubResult<Page<DeadLetter>>>;

    fn handle(
        &mut self,
        ListDeadLetters { status, page }: ListDeadLetters,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let status = status.map(|status| Condition::with("t.status = ", Value::Text(status.to_string())));
            list::page(&db, &LIST, status.into_iter().collect(), &page, |letter: &DeadLetter, _| {
                (SortValue::Time(letter.created_at), letter.id)
            })
            .await
        })
    }
}

macro_rules! letters_from_row {
    ($($row:ty),+) => {
        $(impl sqlx::FromRow<'_, $row> for BuriedMessage {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                use sqlx::Row as _;
                Ok(Self { letter: DeadLetter::from_row(row)?, body: row.try_get("body")? })
            }
        })+
    };
}

letters_from_row!(sqlx::postgres::PgRow, sqlx::sqlite::SqliteRow);

from_row!(DeadLetter {
    id, version, created_at, updated_at, status, reason, error, routing_key, message_id, content_type, size;
    json headers; left_out body
});

pub(super) async fn find_all(db: &Db, ids: &[Uuid]) -> HubResult<HashMap<Uuid, BuriedMessage>> {
    const SQL: &str =
        concat!("select ", dead_letter_columns!(), ", t.body from dead_letters t where id in (");
    let found: Vec<BuriedMessage> = read_by_ids!(db, SQL, ids)?;
    Ok(found.into_iter().map(|letter| (letter.letter.id, letter)).collect())
}

/// `Taken` when the same message was buried before.
pub(super) async fn insert(work: &mut Work, buried: &BuriedMessage) -> HubResult<()> {
    const SQL: &str = "insert into dead_letters (id, version, created_at, updated_at, status, reason, error, \
        routing_key, message_id, content_type, headers, size, body, identity) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let BuriedMessage { letter, body } = buried;
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(letter.id)
        .bind(letter.version)
        .bind(letter.created_at)
        .bind(letter.updated_at)
        .bind(letter.status)
        .bind(letter.reason)
        .bind(&letter.error)
        .bind(&letter.routing_key)
        .bind(letter.message_id.as_deref())
        .bind(letter.content_type.as_deref())
        .bind(Json(&letter.headers))
        .bind(letter.size)
        .bind(body)
        .bind(identity(buried))
        .execute(connection)
        .await
        .map(drop))
    .map_err(|error| unique(error, "The message", ""))?;
    outbox::insert_dead_letter(&mut work.tx, new_id(), letter.id, letter.created_at).await
}

pub(super) async fn update(work: &mut Work, letter: &DeadLetter) -> HubResult<()> {
    const SQL: &str = "update dead_letters set version = $2, updated_at = $4, status = $5, reason = $6, error = $7 \
        where id = $1 and version = $3";
    change_one!(
        &mut work.tx,
        query(SQL)
            .bind(letter.id)
            .bind(letter.version)
            .bind(letter.version - 1)
            .bind(letter.updated_at)
            .bind(letter.status)
            .bind(letter.reason)
            .bind(&letter.error)
    )
}

/// A message without an id is no other's repetition, even where the two are alike. One with an id may share it with
/// others, where a gateway is careless, so the body counts as well.
fn identity(buried: &BuriedMessage) -> Option<String> {
    let message_id = buried.letter.message_id.as_deref()?;
    let routing_key = buried.letter.routing_key.as_bytes();
    Some(sha256_of_parts(&[routing_key, message_id.as_bytes(), &buried.body]))
}
