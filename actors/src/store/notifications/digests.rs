//! Which notifications are still to be mailed, and whose turn it is. A digest is claimed before it is sent, so that of
//! several instances one does; should that one die over it, it is due again when the claim ends, under the same id.

use actix::{Handler, Message, ResponseFuture};
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::NotificationStore;
use crate::clock::new_id;
use crate::domain::Timestamp;
use crate::domain::event::EventType;
use crate::domain::notice::{Cause, Digest, LISTED, Waiting};
use crate::domain::user::Role;
use crate::error::HubResult;
use crate::store::db::{Tx, failed, read, write_tx};

/// Users who may be sent a digest now, and have had something to be mailed since `waiting_since` at least. The longest
/// waiting first.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Vec<Uuid>>")]
pub struct ListDigestsDue {
    pub now: Timestamp,
    pub waiting_since: Timestamp,
    pub limit: i64,
}

/// Takes a user's digest in hand until `until`. `None` when another instance has it, when it is not due, or when
/// nothing is left to tell: what the user has read meanwhile and what no longer waits is not mailed any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Option<Digest>>")]
pub struct ClaimDigest {
    pub user_id: Uuid,
    pub now: Timestamp,
    pub until: Timestamp,
    /// When the next may go if this one may have arrived before, and need not go again.
    pub next: Timestamp,
}

/// Keeps what became of a digest. Does nothing when that has been kept already.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct SettleDigest {
    pub user_id: Uuid,
    pub id: Uuid,
    pub end: DigestEnd,
    /// When the user may be sent one again.
    pub due_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestEnd {
    /// Sent, or given up.
    Over,
    /// Not sent. The next one has what this one had, as far as it still waits, and what is new.
    Released { attempts: i64 },
    /// It may have arrived, so it goes again as the same one.
    InDoubt { attempts: i64 },
}

#[derive(FromRow)]
struct Claimed {
    id: Uuid,
    attempts: i64,
}

#[derive(FromRow)]
struct Reader {
    email: String,
    first_name: String,
    last_name: String,
    role: Role,
    is_active: bool,
}

#[derive(FromRow)]
struct Entry {
    response_id: Uuid,
    subject: String,
    first_name: String,
    last_name: String,
    submitted_at: Timestamp,
    total: i64,
}

impl Handler<ListDigestsDue> for NotificationStore {
    type Result = ResponseFuture<HubResult<Vec<Uuid>>>;

    fn handle(&mut self, list: ListDigestsDue, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "select t.user_id from notifications t join news n on n.id = t.news_id \
                left join digests d on d.user_id = t.user_id \
                where t.to_mail and (d.due_at is null or d.due_at <= $1) \
                group by t.user_id having min(n.created_at) <= $2 order by min(n.created_at), t.user_id limit $3";
            read!(&db, |pool| query_scalar(SQL)
                .bind(list.now)
                .bind(list.waiting_since)
                .bind(list.limit)
                .fetch_all(pool)
                .await)
            .map_err(failed)
        })
    }
}

impl Handler<ClaimDigest> for NotificationStore {
    type Result = ResponseFuture<HubResult<Option<Digest>>>;

    fn handle(&mut self, claim: ClaimDigest, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let mut tx = db.begin().await?;
            let fresh = new_id();
            let Some(claimed) = take_in_hand(&mut tx, &claim, fresh).await? else { return Ok(None) };
            if claimed.id == fresh {
                gather(&mut tx, claim.user_id, fresh).await?;
            }
            let reader = find_reader(&mut tx, claim.user_id).await?;
            let cause = if reader.is_active { Cause::for_role(reader.role) } else { None };
            leave_out(&mut tx, &claim, claimed.id, cause).await?;
            let entries = waiting(&mut tx, claim.user_id, claimed.id).await?;
            let digest = match (cause, entries.first()) {
                (Some(cause), Some(first)) => Some(Digest {
                    id: claimed.id,
                    user_id: claim.user_id,
                    email: reader.email,
                    name: format!("{} {}", reader.first_name, reader.last_name),
                    cause,
                    in_doubt: claimed.id != fresh,
                    attempts: claimed.attempts,
                    total: first.total,
                    waiting: entries.into_iter().map(Waiting::from).collect(),
                }),
                _ => {
                    let due_at = if claimed.id == fresh { claim.now } else { claim.next };
                    finish(&mut tx, claim.user_id, claimed.id, None, 0, due_at).await?;
                    None
                }
            };
            tx.commit().await?;
            Ok(digest)
        })
    }
}

impl Handler<SettleDigest> for NotificationStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, settle: SettleDigest, _: &mut Self::Context) -> Self::Result {
        let SettleDigest { user_id, id, end, due_at } = settle;
        let db = self.storage.db.clone();
        Box::pin(async move {
            const GONE: &str = "update notifications set to_mail = false \
                where user_id = $1 and to_mail and digest_id = $2";
            const FREE: &str = "update notifications set digest_id = null \
                where user_id = $1 and to_mail and digest_id = $2";
            let (kept, attempts, sql) = match end {
                DigestEnd::Over => (None, 0, Some(GONE)),
                DigestEnd::Released { attempts } => (None, attempts, Some(FREE)),
                DigestEnd::InDoubt { attempts } => (Some(id), attempts, None),
            };
            let mut tx = db.begin().await?;
            if finish(&mut tx, user_id, id, kept, attempts, due_at).await?
                && let Some(sql) = sql
            {
                write_tx!(&mut tx, |connection| query(sql)
                    .bind(user_id)
                    .bind(id)
                    .execute(connection)
                    .await
                    .map(drop))
                .map_err(failed)?;
            }
            tx.commit().await
        })
    }
}

impl From<Entry> for Waiting {
    fn from(entry: Entry) -> Self {
        Self {
            response_id: entry.response_id,
            subject: entry.subject,
            author: format!("{} {}", entry.first_name, entry.last_name),
            submitted_at: entry.submitted_at,
        }
    }
}

/// The digest in doubt, or else a fresh one.
async fn take_in_hand(tx: &mut Tx, claim: &ClaimDigest, fresh: Uuid) -> HubResult<Option<Claimed>> {
    const SQL: &str = "insert into digests (user_id, id, due_at) values ($1, $2, $3) \
        on conflict (user_id) do update set id = coalesce(digests.id, excluded.id), due_at = excluded.due_at \
        where digests.due_at <= $4 returning id, attempts";
    write_tx!(tx, |connection| query_as(SQL)
        .bind(claim.user_id)
        .bind(fresh)
        .bind(claim.until)
        .bind(claim.now)
        .fetch_optional(connection)
        .await)
    .map_err(failed)
}

async fn gather(tx: &mut Tx, user_id: Uuid, id: Uuid) -> HubResult<()> {
    const SQL: &str = "update notifications set digest_id = $2 where user_id = $1 and to_mail";
    write_tx!(tx, |connection| query(SQL).bind(user_id).bind(id).execute(connection).await.map(drop))
        .map_err(failed)
}

async fn find_reader(tx: &mut Tx, user_id: Uuid) -> HubResult<Reader> {
    const SQL: &str = "select email, first_name, last_name, role, is_active from users where id = $1";
    write_tx!(tx, |connection| query_as(SQL).bind(user_id).fetch_one(connection).await).map_err(failed)
}

/// Without a cause, all of it. A response that has been submitted anew has a reminder of its own to come.
async fn leave_out(tx: &mut Tx, claim: &ClaimDigest, id: Uuid, cause: Option<Cause>) -> HubResult<()> {
    const SQL: &str = "update notifications set to_mail = false, digest_id = null \
        where user_id = $1 and to_mail and digest_id = $2 and (read_at is not null or not exists ( \
            select 1 from news n join responses r on r.id = n.entity_id \
            where n.id = notifications.news_id and n.event_type = $3 \
                and r.status = 'pending_approval' and r.submitted_at <= n.created_at))";
    let event_type = cause.map(Cause::event_type).map(EventType::as_str);
    write_tx!(tx, |connection| query(SQL)
        .bind(claim.user_id)
        .bind(id)
        .bind(event_type)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}

async fn waiting(tx: &mut Tx, user_id: Uuid, id: Uuid) -> HubResult<Vec<Entry>> {
    const SQL: &str = "select r.id as response_id, i.subject, u.first_name, u.last_name, r.submitted_at, \
            count(*) over () as total \
        from notifications t join news n on n.id = t.news_id join responses r on r.id = n.entity_id \
            join inquiries i on i.id = r.inquiry_id join users u on u.id = r.responded_by \
        where t.user_id = $1 and t.to_mail and t.digest_id = $2 order by r.submitted_at, r.id limit $3";
    write_tx!(tx, |connection| query_as(SQL).bind(user_id).bind(id).bind(LISTED).fetch_all(connection).await)
        .map_err(failed)
}

/// Answers whether this digest was still in hand.
async fn finish(
    tx: &mut Tx,
    user_id: Uuid,
    id: Uuid,
    kept: Option<Uuid>,
    attempts: i64,
    due_at: Timestamp,
) -> HubResult<bool> {
    const SQL: &str = "update digests set id = $3, attempts = $4, due_at = $5 where user_id = $1 and id = $2";
    let affected = write_tx!(tx, |connection| query(SQL)
        .bind(user_id)
        .bind(id)
        .bind(kept)
        .bind(attempts)
        .bind(due_at)
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))
    .map_err(failed)?;
    Ok(affected > 0)
}
