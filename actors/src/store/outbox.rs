//! What is still to be published. A row is in here if and only if its change committed, and leaves once the broker
//! has confirmed it.

use std::collections::{HashMap, HashSet};

use actix::{Handler, Message, Recipient, ResponseFuture};
use serde_json::value::RawValue;
use sqlx::{FromRow, QueryBuilder, query, query_as};
use uuid::Uuid;

use super::bulk::{insert_rows, portions, push_ids};
use super::cache::Storage;
use super::db::{Db, Tx, failed, read, write_tx};
use super::{dead_letters, dialect};
use crate::domain::cloud_event::CloudEvent;
use crate::domain::trace_parent::TraceParent;
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};
use crate::port::{Outcome, Outgoing, Publish};
use crate::trace;

store_actor!(
    /// Passes what waits in the outbox to the broker.
    OutboxStore
);

/// Publishes what has waited longest and takes it out. Any number of instances may do so at once: none publishes what
/// another is publishing, and what happened to one entity goes out in the order it happened.
///
/// # Errors
/// `Unavailable` when the broker or the database is; what was published nevertheless is published again later.
#[derive(Message)]
#[rtype(result = "HubResult<Relayed>")]
pub struct Relay {
    pub broker: Recipient<Publish>,
    pub limit: i64,
}

/// How far a [`Relay`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Rows found waiting, up to the limit.
    pub found: usize,
    pub published: usize,
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    id: Uuid,
    created_at: Timestamp,
    event_type: String,
    entity_id: Uuid,
    kind: String,
    data: String,
    trace: Option<TraceParent>,
}

const DEAD_LETTER: &str = "dead_letter";

impl Handler<Relay> for OutboxStore {
    type Result = ResponseFuture<HubResult<Relayed>>;

    fn handle(&mut self, Relay { broker, limit }: Relay, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move { relay(&db, &broker, limit).await })
    }
}

/// On PostgreSQL the rows stay locked until they are published and gone, so that an instance that dies gives them free
/// at once. On SQLite this process is the only one; it must not keep the one writer waiting for a broker.
async fn relay(db: &Db, broker: &Recipient<Publish>, limit: i64) -> HubResult<Relayed> {
    let mut claim = match db {
        Db::Postgres(_) => Some(db.begin().await?),
        Db::Sqlite { .. } => None,
    };
    let sql = dialect::claim_outbox(db);
    let rows: Vec<Row> = match &mut claim {
        Some(tx) => write_tx!(tx, |connection| query_as(sql).bind(limit).fetch_all(connection).await),
        None => read!(db, |pool| query_as(sql).bind(limit).fetch_all(pool).await),
    }
    .map_err(failed)?;
    let found = rows.len();
    let rows = match &mut claim {
        Some(tx) => in_turn(tx, rows).await?,
        None => rows,
    };
    if rows.is_empty() {
        return Ok(Relayed { found, published: 0 });
    }
    let messages = outgoing(db, &rows).await?;
    let answer = broker.send(Publish(messages)).await;
    let outcomes = answer.map_err(|_| HubError::Unavailable { what: "broker" })??;
    let published = settled(&rows, &outcomes);
    let mut tx = match claim {
        Some(tx) => tx,
        None => db.begin().await?,
    };
    remove(&mut tx, &published).await?;
    tx.commit().await?;
    Ok(Relayed { found, published: published.len() })
}

/// Of the rows claimed, those that nothing older of the same entity is waiting before. Another instance may hold the
/// older ones, or a transaction that has just committed may have added them.
async fn in_turn(tx: &mut Tx, rows: Vec<Row>) -> HubResult<Vec<Row>> {
    let claimed: HashSet<i64> = rows.iter().map(|row| row.seq).collect();
    let entities: HashSet<Uuid> = rows.iter().map(|row| row.entity_id).collect();
    let entities: Vec<Uuid> = entities.into_iter().collect();
    let mut first_elsewhere: HashMap<Uuid, i64> = HashMap::new();
    for portion in portions(&entities) {
        let waiting: Vec<(Uuid, i64)> = write_tx!(&mut *tx, |connection| {
            let mut query = QueryBuilder::new("select entity_id, seq from outbox where entity_id in (");
            push_ids!(query, portion);
            query.build_query_as().fetch_all(connection).await
        })
        .map_err(failed)?;
        for (entity, seq) in waiting.into_iter().filter(|(_, seq)| !claimed.contains(seq)) {
            first_elsewhere.entry(entity).and_modify(|first| *first = seq.min(*first)).or_insert(seq);
        }
    }
    let is_next = |row: &Row| first_elsewhere.get(&row.entity_id).is_none_or(|&first| row.seq < first);
    Ok(rows.into_iter().filter(is_next).collect())
}

async fn outgoing(db: &Db, rows: &[Row]) -> HubResult<Vec<(Outgoing, Option<TraceParent>)>> {
    let buried: Vec<Uuid> =
        rows.iter().filter(|row| row.kind == DEAD_LETTER).map(|row| row.entity_id).collect();
    let mut letters = dead_letters::find_all(db, &buried).await?;
    let messages = rows.iter().map(|row| {
        if row.kind == DEAD_LETTER {
            let gone = || HubError::Internal("a dead letter is gone".to_owned());
            let letter = letters.remove(&row.entity_id).ok_or_else(gone)?;
            return Ok((Outgoing::DeadLetter(letter), row.trace));
        }
        let data = RawValue::from_string(row.data.clone())
            .map_err(|error| HubError::Internal(format!("an event's data is not JSON: {error}")))?;
        let event_type = row.event_type.clone();
        let event = CloudEvent::new(row.id, event_type, row.entity_id, row.created_at, data);
        Ok((Outgoing::Event(event), row.trace))
    });
    messages.collect()
}

/// The rows that went out. After one that did not, those of the same entity count as not published either: they go
/// out again, behind it.
fn settled(rows: &[Row], outcomes: &[Outcome]) -> Vec<i64> {
    let mut held_back = HashSet::new();
    let mut published = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let gone = match outcomes.get(index) {
            // Nobody subscribes to it.
            Some(Outcome::Confirmed | Outcome::Unroutable) => true,
            Some(Outcome::Unconfirmed) | None => false,
        };
        if !gone {
            held_back.insert(row.entity_id);
        } else if !held_back.contains(&row.entity_id) {
            published.push(row.seq);
        }
    }
    published
}

async fn remove(tx: &mut Tx, published: &[i64]) -> HubResult<()> {
    for portion in portions(published) {
        write_tx!(&mut *tx, |connection| {
            let mut query = QueryBuilder::new("delete from outbox where seq in (");
            push_ids!(query, portion);
            query.build().execute(connection).await.map(drop)
        })
        .map_err(failed)?;
    }
    Ok(())
}

/// Events, each with what subscribers get.
pub(super) async fn insert(tx: &mut Tx, events: &[(&Event, String)]) -> HubResult<()> {
    let here = trace::current_place();
    insert_rows!(
        &mut *tx,
        "outbox (id, created_at, event_type, entity_id, data, trace)",
        events,
        |one, values| {
            let (event, data) = one;
            values
                .push_bind(event.id)
                .push_bind(event.time)
                .push_bind(event.event_type.as_str())
                .push_bind(event.entity_id)
                .push_bind(data.as_str())
                .push_bind(event.trace.or(here))
        }
    )
    .map_err(failed)
}

pub(super) async fn insert_dead_letter(
    tx: &mut Tx,
    id: Uuid,
    dead_letter_id: Uuid,
    at: Timestamp,
) -> HubResult<()> {
    const SQL: &str = "insert into outbox (id, created_at, event_type, entity_id, data, kind, trace) \
        values ($1, $2, $3, $4, $5, $6, $7)";
    write_tx!(tx, |connection| query(SQL)
        .bind(id)
        .bind(at)
        .bind(DEAD_LETTER)
        .bind(dead_letter_id)
        .bind("null")
        .bind(DEAD_LETTER)
        .bind(trace::current_place())
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}
