//! Makes it show when somebody with the database in their hands changes the audit trail.
//!
//! Each entry gets a link: its number, and a SHA-256 over the entry and the link before. Links are made once an entry
//! has committed, by one sealer at a time: made inside the transactions they would have every writer wait for the one
//! before. Entries and links are never updated, so the hub needs no right to.

use std::collections::HashMap;

use actix::{Handler, Message, ResponseFuture};
use sqlx::{FromRow, QueryBuilder, query_as, query_scalar};
use uuid::Uuid;

use super::AuditStore;
use crate::digest::sha256;
use crate::domain::Timestamp;
use crate::domain::audit::{Break, Chain, Link};
use crate::error::{HubError, HubResult};
use crate::store::bind::from_row;
use crate::store::bulk::{insert_rows, portions, push_ids};
use crate::store::db::{Db, Tx, failed, read, write_tx};
use crate::store::dialect;

/// Entries read at a time when the chain is verified.
const PAGE: i64 = 1_000;

/// Seals up to `limit` of the entries that have committed since. Answers with how many that were: none while another
/// instance is at it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<u64>")]
pub struct SealEntries {
    pub limit: i64,
}

/// What is sealed of an entry, as it is in the database.
#[derive(FromRow)]
struct Sealed {
    id: Uuid,
    created_at: Timestamp,
    action: String,
    entity_type: String,
    entity_id: Uuid,
    actor_id: Option<Uuid>,
    request_id: Option<String>,
    changes: String,
}

/// A link as it is in the database.
#[derive(FromRow)]
struct Kept {
    number: i64,
    hash: String,
    entry_id: Uuid,
}

#[derive(FromRow)]
struct Standing {
    id: Uuid,
    /// Sealed, or waits to be.
    known: bool,
}

const ENTRY: &str = "l.id, l.created_at, l.action, l.entity_type, l.entity_id, l.actor_id, l.request_id, \
    cast(l.changes as text) as changes";

from_row!(Link { number, hash });

impl Handler<SealEntries> for AuditStore {
    type Result = ResponseFuture<HubResult<u64>>;

    fn handle(&mut self, SealEntries { limit }: SealEntries, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const WAITS: &str = "select exists (select 1 from audit_unsealed)";
            // Most often another instance was faster, or nothing has happened.
            let waits: bool = read!(&db, |pool| query_scalar(WAITS).fetch_one(pool).await).map_err(failed)?;
            if !waits {
                return Ok(0);
            }
            let mut tx = db.begin().await?;
            if let Some(lock) = dialect::sealing_lock(&db) {
                let locked: bool =
                    write_tx!(&mut tx, |connection| query_scalar(lock).fetch_one(connection).await)
                        .map_err(failed)?;
                if !locked {
                    return Ok(0);
                }
            }
            let sealed = seal(&mut tx, limit).await?;
            tx.commit().await?;
            Ok(sealed)
        })
    }
}

async fn seal(tx: &mut Tx, limit: i64) -> HubResult<u64> {
    const LAST: &str = "select number, hash from audit_seals order by number desc limit 1";
    let last: Option<Link> =
        write_tx!(&mut *tx, |connection| query_as(LAST).fetch_optional(connection).await).map_err(failed)?;
    let waiting = format!(
        "select {ENTRY} from audit_unsealed u join audit_log l on l.id = u.entry_id order by u.entry_id limit $1"
    );
    let entries: Vec<Sealed> = write_tx!(&mut *tx, |connection| query_as(sqlx::AssertSqlSafe(waiting))
        .bind(limit)
        .fetch_all(connection)
        .await)
    .map_err(failed)?;
    let mut link = last.unwrap_or_else(Link::origin);
    let mut links = Vec::with_capacity(entries.len());
    for entry in &entries {
        link = next(&link, entry)?;
        links.push((entry.id, link.clone()));
    }
    insert_rows!(&mut *tx, "audit_seals (number, entry_id, hash)", &links, |one, values| values
        .push_bind(one.1.number)
        .push_bind(one.0)
        .push_bind(&one.1.hash))
    .map_err(failed)?;
    for portion in portions(&links) {
        write_tx!(&mut *tx, |connection| {
            let mut query = QueryBuilder::new("delete from audit_unsealed where entry_id in (");
            push_ids!(query, portion.iter().map(|(id, _)| id));
            query.build().execute(connection).await.map(drop)
        })
        .map_err(failed)?;
    }
    Ok(links.len() as u64)
}

/// The link of `entry` behind `previous`: a SHA-256 over a JSON array, for others to compute as well.
fn next(previous: &Link, entry: &Sealed) -> HubResult<Link> {
    let number = previous.number + 1;
    let sealed = serde_json::to_vec(&(
        number,
        &previous.hash,
        entry.id,
        entry.created_at,
        &entry.action,
        &entry.entity_type,
        entry.entity_id,
        entry.actor_id,
        &entry.request_id,
        &entry.changes,
    ))
    .map_err(|error| HubError::Internal(format!("an audit entry that is not JSON: {error}")))?;
    Ok(Link { number, hash: sha256(&sealed) })
}

/// Reads all of the trail and holds every entry against its link. `noted`: a link noted earlier, which must still be
/// there. Without one, the removal of the newest entries together with their links cannot be told from their never having
/// been made, nor a chain made anew from the first one. Needs no more than the right to read, and may run beside a hub.
pub async fn verify(db: &Db, noted: Option<&Link>) -> HubResult<Result<Chain, Break>> {
    let mut head = Link::origin();
    // A link below the first one is one too many.
    let mut behind = i64::MIN;
    loop {
        let links = links(db, behind).await?;
        let Some(last) = links.last() else { break };
        let entries = entries(db, behind, last.number).await?;
        behind = last.number;
        for link in &links {
            head = match follow(&head, link, entries.get(&link.entry_id))? {
                Ok(link) => link,
                Err(broken) => return Ok(Err(broken)),
            };
            if noted.is_some_and(|noted| noted.number == head.number && noted.hash != head.hash) {
                return Ok(Err(Break::OtherThanNoted(head.number)));
            }
        }
    }
    if let Some(noted) = noted.filter(|noted| noted.number > head.number) {
        return Ok(Err(Break::EndsBeforeNoted { ends: head.number, noted: noted.number }));
    }
    if let Some(entry) = left_out(db).await? {
        return Ok(Err(Break::LeftOut(entry)));
    }
    const WAITING: &str = "select count(*) from audit_unsealed";
    let waiting = read!(db, |pool| query_scalar(WAITING).fetch_one(pool).await).map_err(failed)?;
    Ok(Ok(Chain { head, waiting }))
}

async fn links(db: &Db, behind: i64) -> HubResult<Vec<Kept>> {
    const SQL: &str =
        "select number, hash, entry_id from audit_seals where number > $1 order by number limit $2";
    read!(db, |pool| query_as(SQL).bind(behind).bind(PAGE).fetch_all(pool).await).map_err(failed)
}

/// The entries of the links above `behind` and up to `last`.
async fn entries(db: &Db, behind: i64, last: i64) -> HubResult<HashMap<Uuid, Sealed>> {
    let sql = format!(
        "select {ENTRY} from audit_seals s join audit_log l on l.id = s.entry_id \
         where s.number > $1 and s.number <= $2"
    );
    let entries: Vec<Sealed> =
        read!(db, |pool| query_as(sqlx::AssertSqlSafe(sql)).bind(behind).bind(last).fetch_all(pool).await)
            .map_err(failed)?;
    Ok(entries.into_iter().map(|entry| (entry.id, entry)).collect())
}

/// `kept` as the link behind `head`, if it is.
fn follow(head: &Link, kept: &Kept, entry: Option<&Sealed>) -> HubResult<Result<Link, Break>> {
    if kept.number != head.number + 1 {
        return Ok(Err(Break::NoSuchLink(head.number + 1)));
    }
    let Some(entry) = entry else {
        return Ok(Err(Break::Gone { number: kept.number, entry: kept.entry_id }));
    };
    let link = next(head, entry)?;
    Ok(if link.hash == kept.hash {
        Ok(link)
    } else {
        Err(Break::Altered { number: kept.number, entry: kept.entry_id })
    })
}

/// An entry that has no link and does not wait for one, or waits for one and is gone.
async fn left_out(db: &Db) -> HubResult<Option<Uuid>> {
    const GONE: &str = "select u.entry_id from audit_unsealed u \
        where not exists (select 1 from audit_log l where l.id = u.entry_id) order by u.entry_id limit 1";
    // One statement sees an entry either waiting or sealed.
    const STANDING: &str = "select l.id, \
        exists (select 1 from audit_seals s where s.entry_id = l.id) \
            or exists (select 1 from audit_unsealed u where u.entry_id = l.id) as known \
        from audit_log l where l.id > $1 order by l.id limit $2";
    let gone: Option<Uuid> =
        read!(db, |pool| query_scalar(GONE).fetch_optional(pool).await).map_err(failed)?;
    if gone.is_some() {
        return Ok(gone);
    }
    let mut behind = Uuid::nil();
    loop {
        let page: Vec<Standing> =
            read!(db, |pool| query_as(STANDING).bind(behind).bind(PAGE).fetch_all(pool).await)
                .map_err(failed)?;
        if let Some(entry) = page.iter().find(|entry| !entry.known) {
            return Ok(Some(entry.id));
        }
        let Some(last) = page.last() else { return Ok(None) };
        behind = last.id;
    }
}
