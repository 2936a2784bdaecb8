//! What users are told of. A notification is written with the change it tells of and numbered once that has
//! committed, so that a reader who has seen a number has seen every smaller one.

mod digests;

use actix::{Handler, Message, ResponseFuture};
use serde_json::value::RawValue;
use sqlx::{FromRow, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use super::bulk::insert_rows;
use super::cache::Storage;
use super::db::{Tx, failed, read, write_one, write_tx};
use super::dialect;
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use crate::domain::notice::is_mailed;
use crate::domain::notification::{Audience, Notification, audience};
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};

pub use digests::{ClaimDigest, DigestEnd, ListDigestsDue, SettleDigest};

store_actor!(
    /// Keeps what users are told of.
    NotificationStore
);

pub const SORTS: &[Sort] = &[Sort { name: "id", column: "t.seq", kind: SortKind::Int }];

const COLUMNS: &str =
    "t.user_id, t.seq, t.read_at, t.news_id, n.event_type, n.created_at, n.entity_id, n.data";

/// A user's own, so that the news tells two of them apart.
const LIST: ListSql = ListSql {
    select: "t.user_id, t.seq, t.read_at, t.news_id, t.event_type, t.created_at, t.entity_id, t.data",
    from: "(select m.news_id as id, m.*, n.event_type, n.created_at, n.entity_id, n.data \
        from notifications m join news n on n.id = m.news_id where m.seq is not null) t",
    sorts: SORTS,
};

/// Numbers what has been committed since, up to `limit`. Answers with how many that were.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<u64>")]
pub struct NumberNotifications {
    pub limit: i64,
}

/// The largest number so far; 0 when there is none.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<i64>")]
pub struct LastNumber;

/// What is numbered above `after`, of one user or of all, in order.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Vec<Told>>")]
pub struct ReadNotifications {
    pub user_id: Option<Uuid>,
    pub after: i64,
    pub limit: i64,
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<Told>>")]
pub struct ListNotifications {
    pub user_id: Uuid,
    pub unread: Option<bool>,
    pub page: PageRequest,
}

/// `id`: one of the user's; `None`: all of them. Answers with the one, as it now is.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Option<Told>>")]
pub struct MarkRead {
    pub user_id: Uuid,
    pub id: Option<i64>,
    pub now: Timestamp,
}

/// Forgets what is older than [`KEPT_FOR`].
#[derive(Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ForgetNotifications {
    pub now: Timestamp,
}

pub const KEPT_FOR: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 60 * 60);

/// A notification and whose it is.
#[derive(Clone, Debug)]
pub struct Told {
    pub user_id: Uuid,
    pub news_id: Uuid,
    pub notification: Notification,
}

#[derive(FromRow)]
struct Row {
    user_id: Uuid,
    news_id: Uuid,
    seq: i64,
    read_at: Option<Timestamp>,
    event_type: String,
    created_at: Timestamp,
    entity_id: Uuid,
    data: String,
}

impl TryFrom<Row> for Told {
    type Error = HubError;

    fn try_from(row: Row) -> HubResult<Self> {
        let data = RawValue::from_string(row.data)
            .map_err(|error| HubError::Internal(format!("news that is not JSON: {error}")))?;
        let notification = Notification {
            id: row.seq,
            event_type: row.event_type,
            time: row.created_at,
            subject: row.entity_id,
            data,
            read_at: row.read_at,
        };
        Ok(Self { user_id: row.user_id, news_id: row.news_id, notification })
    }
}

impl Handler<NumberNotifications> for NotificationStore {
    type Result = ResponseFuture<HubResult<u64>>;

    fn handle(
        &mut self,
        NumberNotifications { limit }: NumberNotifications,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const WAITS: &str = "select exists (select 1 from notifications where seq is null)";
            const SQL: &str = "with fresh as (select pos, row_number() over (order by pos) as n from \
                (select pos from notifications where seq is null order by pos limit $1) waiting) \
                update notifications set seq = fresh.n + (select coalesce(max(seq), 0) from notifications) \
                from fresh where notifications.pos = fresh.pos";
            // Most often another instance was faster, or nothing that anyone is told of has happened.
            let waits: bool = read!(&db, |pool| query_scalar(WAITS).fetch_one(pool).await).map_err(failed)?;
            if !waits {
                return Ok(0);
            }
            let mut tx = db.begin().await?;
            if let Some(lock) = dialect::numbering_lock(&db) {
                write_tx!(&mut tx, |connection| query(lock).execute(connection).await.map(drop))
                    .map_err(failed)?;
            }
            let numbered = write_tx!(&mut tx, |connection| query(SQL)
                .bind(limit)
                .execute(connection)
                .await
                .map(|done| done.rows_affected()))
            .map_err(failed)?;
            tx.commit().await?;
            Ok(numbered)
        })
    }
}

impl Handler<LastNumber> for NotificationStore {
    type Result = ResponseFuture<HubResult<i64>>;

    fn handle(&mut self, _: LastNumber, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "select coalesce(max(seq), 0) from notifications";
            read!(&db, |pool| query_scalar(SQL).fetch_one(pool).await).map_err(failed)
        })
    }
}

impl Handler<ReadNotifications> for NotificationStore {
    type Result = ResponseFuture<HubResult<Vec<Told>>>;

    fn handle(&mut self, wanted: ReadNotifications, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let rows: Vec<Row> = read!(&db, |pool| {
                let mut query = QueryBuilder::new("select ");
                query
                    .push(COLUMNS)
                    .push(" from notifications t join news n on n.id = t.news_id where t.seq > ");
                query.push_bind(wanted.after);
                if let Some(user_id) = wanted.user_id {
                    query.push(" and t.user_id = ").push_bind(user_id);
                }
                query.push(" order by t.seq limit ").push_bind(wanted.limit);
                query.build_query_as().fetch_all(pool).await
            })
            .map_err(failed)?;
            rows.into_iter().map(Told::try_from).collect()
        })
    }
}

impl Handler<ListNotifications> for NotificationStore {
    type Result = ResponseFuture<HubResult<Page<Told>>>;

    fn handle(&mut self, list: ListNotifications, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let mut conditions = vec![Condition::with("t.user_id = ", Value::Id(list.user_id))];
            conditions.extend(list.unread.map(|unread| {
                Condition::Plain(if unread { "t.read_at is null" } else { "t.read_at is not null" })
            }));
            let page: Page<Row> = list::page(&db, &LIST, conditions, &list.page, |row: &Row, _| {
                (SortValue::Int(row.seq), row.news_id)
            })
            .await?;
            let data = page.data.into_iter().map(Told::try_from).collect::<HubResult<_>>()?;
            Ok(Page { data, meta: page.meta })
        })
    }
}

impl Handler<MarkRead> for NotificationStore {
    type Result = ResponseFuture<HubResult<Option<Told>>>;

    fn handle(&mut self, mark: MarkRead, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "update notifications set read_at = $2 \
                where user_id = $1 and read_at is null and seq is not null and ($3 is null or seq = $3)";
            write_one!(db, |connection| query(SQL)
                .bind(mark.user_id)
                .bind(mark.now)
                .bind(mark.id)
                .execute(connection)
                .await
                .map(drop))?;
            let Some(id) = mark.id else { return Ok(None) };
            let select = format!(
                "select {COLUMNS} from notifications t join news n on n.id = t.news_id \
                 where t.user_id = $1 and t.seq = $2"
            );
            let row: Option<Row> = read!(&db, |pool| query_as(sqlx::AssertSqlSafe(select))
                .bind(mark.user_id)
                .bind(id)
                .fetch_optional(pool)
                .await)
            .map_err(failed)?;
            row.map(Told::try_from).transpose()
        })
    }
}

impl Handler<ForgetNotifications> for NotificationStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(
        &mut self,
        ForgetNotifications { now }: ForgetNotifications,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            // The largest number stays: the next one is counted from it.
            const TOLD: &str = "delete from notifications where seq < (select max(seq) from notifications) \
                and news_id in (select id from news where created_at < $1)";
            const NEWS: &str = "delete from news where created_at < $1 \
                and not exists (select 1 from notifications where news_id = news.id)";
            let before = now.minus(KEPT_FOR);
            let mut tx = db.begin().await?;
            for sql in [TOLD, NEWS] {
                write_tx!(&mut tx, |connection| query(sql).bind(before).execute(connection).await.map(drop))
                    .map_err(failed)?;
            }
            tx.commit().await
        })
    }
}

/// Tells whoever is to be told of these events, each with what subscribers get. Answers whether there is anyone.
pub(super) async fn insert(tx: &mut Tx, events: &[(&Event, String)]) -> HubResult<bool> {
    const TO_ROLE: &str = "insert into notifications (news_id, user_id, to_mail) \
        select $1, id, $3 from users where role = $2 and is_active order by id";
    let told: Vec<(&Event, &str, Audience)> =
        events.iter().filter_map(|(event, data)| Some((*event, data.as_str(), audience(event)?))).collect();
    if told.is_empty() {
        return Ok(false);
    }
    insert_rows!(&mut *tx, "news (id, created_at, event_type, entity_id, data)", &told, |one, values| {
        let (event, data, _) = one;
        values
            .push_bind(event.id)
            .push_bind(event.time)
            .push_bind(event.event_type.as_str())
            .push_bind(event.entity_id)
            .push_bind(*data)
    })
    .map_err(failed)?;
    let mut single: Vec<(Uuid, Uuid)> = Vec::new();
    for (event, _, audience) in &told {
        match audience {
            Audience::User(user_id) => single.push((event.id, *user_id)),
            Audience::Roles(roles) => {
                for role in *roles {
                    write_tx!(&mut *tx, |connection| query(TO_ROLE)
                        .bind(event.id)
                        .bind(role.as_str())
                        .bind(is_mailed(event.event_type))
                        .execute(connection)
                        .await
                        .map(drop))
                    .map_err(failed)?;
                }
            }
        }
    }
    insert_rows!(&mut *tx, "notifications (news_id, user_id)", &single, |one, values| values
        .push_bind(one.0)
        .push_bind(one.1))
    .map_err(failed)?;
    Ok(true)
}
