use std::collections::HashMap;

use actix::{Handler, Message, ResponseFuture};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use super::bind::from_row;
use super::bulk::{portions, push_ids, read_by_ids};
use super::cache::{CacheKey, Storage};
use super::commit::Work;
use super::db::{change_one, failed, read, write_tx};
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use crate::domain::Timestamp;
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::response::{HistoryEntry, Response, ResponseStatus, Timer};
use crate::error::{HubError, HubResult};

store_actor!(
    /// Reads responses and their history.
    ResponseStore
);

pub const SORTS: &[Sort] = &[
    Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time },
    Sort { name: "updatedAt", column: "t.updated_at", kind: SortKind::Time },
    Sort { name: "status", column: "t.status", kind: SortKind::Text },
];

pub const HISTORY_SORTS: &[Sort] =
    &[Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time }];

columns!(
    response_columns = "t.id, t.version, t.created_at, t.updated_at, t.inquiry_id, t.message, t.revision, t.status, \
        t.responded_by, t.editors, t.approved_by, t.approval_notes, t.submitted_at, t.decided_at, t.sent_at, \
        t.delivery_error, t.stale, t.policy, t.approvals_required, t.approvals, t.sampled"
);

const LIST: ListSql = ListSql { select: response_columns!(), from: "responses t", sorts: SORTS };

const HISTORY: ListSql = ListSql {
    select: "t.id, t.created_at, t.response_id, t.action, t.revision, t.message, t.notes, t.actor_id",
    from: "response_history t",
    sorts: HISTORY_SORTS,
};

#[derive(Clone, Debug, Default)]
pub struct ResponseFilter {
    pub status: Option<ResponseStatus>,
    pub inquiry_id: Option<Uuid>,
    pub responded_by: Option<Uuid>,
    pub approved_by: Option<Uuid>,
    /// Only responses of this author, whatever else is asked.
    pub visible_to: Option<Uuid>,
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Response>>")]
pub struct GetResponse(pub Uuid);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<Response>>")]
pub struct ListResponses {
    pub filter: ResponseFilter,
    pub page: PageRequest,
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<HistoryEntry>>")]
pub struct ListHistory {
    pub response_id: Uuid,
    pub page: PageRequest,
}

impl Handler<GetResponse> for ResponseStore {
    type Result = ResponseFuture<HubResult<Option<Response>>>;

    fn handle(&mut self, GetResponse(id): GetResponse, _: &mut Self::Context) -> Self::Result {
        let storage = self.storage.clone();
        Box::pin(async move {
            const SQL: &str = concat!("select ", response_columns!(), " from responses t where id = $1");
            storage
                .cached(CacheKey::Response(id), async {
                    read!(&storage.db, |pool| query_as(SQL).bind(id).fetch_optional(pool).await)
                        .map_err(failed)
                })
                .await
        })
    }
}

/// Past the cache.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<HashMap<Uuid, Response>>")]
pub struct FindResponses(pub Vec<Uuid>);

impl Handler<FindResponses> for ResponseStore {
    type Result = ResponseFuture<HubResult<HashMap<Uuid, Response>>>;

    fn handle(&mut self, FindResponses(ids): FindResponses, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = concat!("select ", response_columns!(), " from responses t where id in (");
            let found: Vec<Response> = read_by_ids!(&db, SQL, &ids)?;
            Ok(found.into_iter().map(|response| (response.id, response)).collect())
        })
    }
}

/// What waits for a decision, at a glance. Whatever joins or leaves the queue, or changes in it, makes another of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApprovalQueue {
    pub length: i64,
    pub last_change: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<ApprovalQueue>")]
pub struct ReadApprovalQueue;

impl Handler<ReadApprovalQueue> for ResponseStore {
    type Result = ResponseFuture<HubResult<ApprovalQueue>>;

    fn handle(&mut self, _: ReadApprovalQueue, _: &mut Self::Context) -> Self::Result {
        const SQL: &str = "select count(*) as length, max(updated_at) as last_change from responses where status = 'pending_approval'";
        let db = self.storage.db.clone();
        Box::pin(async move {
            let (length, last_change) =
                read!(&db, |pool| query_as(SQL).fetch_one(pool).await).map_err(failed)?;
            Ok(ApprovalQueue { length, last_change })
        })
    }
}

/// Which responses wait for a decision, and for a timer.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// That has not fired for their submission.
    pub without: Timer,
    pub submitted_until: Timestamp,
}

/// The longest waiting first, `after` the one that is given.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Vec<Response>>")]
pub struct ListPending {
    pub pending: Pending,
    pub after: Option<(Timestamp, Uuid)>,
    pub limit: i64,
}

impl Handler<ListPending> for ResponseStore {
    type Result = ResponseFuture<HubResult<Vec<Response>>>;

    fn handle(&mut self, list: ListPending, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            read!(&db, |pool| {
                let mut query = QueryBuilder::new(concat!(
                    "select ",
                    response_columns!(),
                    " from responses t where status = 'pending_approval' and "
                ));
                query.push(fired_at(list.pending.without)).push(" is null and submitted_at <= ");
                query.push_bind(list.pending.submitted_until);
                if let Some((submitted_at, id)) = list.after {
                    query.push(" and (submitted_at, id) > (").push_bind(submitted_at).push(", ");
                    query.push_bind(id).push(")");
                }
                query.push(" order by submitted_at, id limit ").push_bind(list.limit);
                query.build_query_as().fetch_all(pool).await
            })
            .map_err(failed)
        })
    }
}

/// Whether a policy has picked a reply to this inquiry for approval, and nobody has approved one that was picked.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<bool>")]
pub struct IsPicked {
    pub inquiry_id: Uuid,
}

impl Handler<IsPicked> for ResponseStore {
    type Result = ResponseFuture<HubResult<bool>>;

    fn handle(&mut self, IsPicked { inquiry_id }: IsPicked, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "select exists (select 1 from responses where inquiry_id = $1 and sampled \
                and status not in ('approved', 'sent'))";
            read!(&db, |pool| query_scalar(SQL).bind(inquiry_id).fetch_one(pool).await).map_err(failed)
        })
    }
}

/// Of these inquiries. Past the cache.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Vec<Response>>")]
pub struct FindPending(pub Vec<Uuid>);

impl Handler<FindPending> for ResponseStore {
    type Result = ResponseFuture<HubResult<Vec<Response>>>;

    fn handle(&mut self, FindPending(inquiries): FindPending, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = concat!(
                "select ",
                response_columns!(),
                " from responses t where status = 'pending_approval' and inquiry_id in ("
            );
            read_by_ids!(&db, SQL, &inquiries)
        })
    }
}

fn fired_at(timer: Timer) -> &'static str {
    match timer {
        Timer::Reminder => "reminded_at",
        Timer::Escalation => "escalated_at",
    }
}

impl Handler<ListResponses> for ResponseStore {
    type Result = ResponseFuture<HubResult<Page<Response>>>;

    fn handle(
        &mut self,
        ListResponses { filter, page }: ListResponses,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let conditions = [
                filter.status.map(|status| Condition::with("t.status = ", Value::Text(status.to_string()))),
                filter.inquiry_id.map(|id| Condition::with("t.inquiry_id = ", Value::Id(id))),
                filter.responded_by.map(|id| Condition::with("t.responded_by = ", Value::Id(id))),
                filter.approved_by.map(|id| Condition::with("t.approved_by = ", Value::Id(id))),
                filter.visible_to.map(|id| Condition::with("t.responded_by = ", Value::Id(id))),
            ];
            let conditions = conditions.into_iter().flatten().collect();
            list::page(&db, &LIST, conditions, &page, |response: &Response, sort| {
                let value = match sort {
                    "updatedAt" => SortValue::Time(response.updated_at),
                    "status" => SortValue::Text(response.status.to_string()),
                    _ => SortValue::Time(response.created_at),
                };
                (value, response.id)
            })
            .await
        })
    }
}

impl Handler<ListHistory> for ResponseStore {
    type Result = ResponseFuture<HubResult<Page<HistoryEntry>>>;

    fn handle(
        &mut self,
        ListHistory { response_id, page }: ListHistory,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let conditions = vec![Condition::with("t.response_id = ", Value::Id(response_id))];
            list::page(&db, &HISTORY, conditions, &page, |entry: &HistoryEntry, _| {
                (SortValue::Time(entry.created_at), entry.id)
            })
            .await
        })
    }
}

from_row!(Response {
    id, version, created_at, updated_at, inquiry_id, message, revision, status, responded_by, approved_by,
    approval_notes, submitted_at, decided_at, sent_at, delivery_error, stale, policy,
    approvals_required, sampled; json editors, approvals
});

from_row!(HistoryEntry { id, created_at, response_id, action, revision, message, notes, actor_id });

pub(super) async fn insert(work: &mut Work, response: &Response) -> HubResult<()> {
    const SQL: &str = "insert into responses (id, version, created_at, updated_at, inquiry_id, message, revision, \
        status, responded_by, editors) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(response.id)
        .bind(response.version)
        .bind(response.created_at)
        .bind(response.updated_at)
        .bind(response.inquiry_id)
        .bind(&response.message)
        .bind(response.revision)
        .bind(response.status)
        .bind(response.responded_by)
        .bind(Json(&response.editors))
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}

pub(super) async fn update(work: &mut Work, response: &Response) -> HubResult<()> {
    const SQL: &str = "update responses set version = $2, updated_at = $4, message = $5, revision = $6, \
        status = $7, editors = $8, approved_by = $9, approval_notes = $10, submitted_at = $11, decided_at = $12, \
        sent_at = $13, delivery_error = $14, stale = $15, policy = $16, approvals_required = $17, \
        approvals = $18, sampled = $19, \
        reminded_at = case when submitted_at is not distinct from $11 then reminded_at end, \
        escalated_at = case when submitted_at is not distinct from $11 then escalated_at end \
        where id = $1 and version = $3";
    work.touched.push(CacheKey::Response(response.id));
    change_one!(
        &mut work.tx,
        query(SQL)
            .bind(response.id)
            .bind(response.version)
            .bind(response.version - 1)
            .bind(response.updated_at)
            .bind(&response.message)
            .bind(response.revision)
            .bind(response.status)
            .bind(Json(&response.editors))
            .bind(response.approved_by)
            .bind(response.approval_notes.as_deref())
            .bind(response.submitted_at)
            .bind(response.decided_at)
            .bind(response.sent_at)
            .bind(response.delivery_error.as_deref())
            .bind(response.stale)
            .bind(response.policy.as_deref())
            .bind(response.approvals_required)
            .bind(Json(&response.approvals))
            .bind(response.sampled)
    )
}

pub(super) async fn expect_pending(
    work: &mut Work,
    inquiries: &[Uuid],
    pending: &[(Uuid, i64)],
) -> HubResult<()> {
    let mut found = Vec::with_capacity(pending.len());
    for portion in portions(inquiries) {
        let some: Vec<(Uuid, i64)> = write_tx!(&mut work.tx, |connection| {
            let mut query = QueryBuilder::new(
                "select id, version from responses where status = 'pending_approval' and inquiry_id in (",
            );
            push_ids!(query, portion);
            query.build_query_as().fetch_all(connection).await
        })
        .map_err(failed)?;
        found.extend(some);
    }
    let mut pending = pending.to_vec();
    pending.sort_unstable();
    found.sort_unstable();
    if found == pending { Ok(()) } else { Err(HubError::Contended) }
}

pub(super) async fn fire_timer(
    work: &mut Work,
    id: Uuid,
    submitted_at: Timestamp,
    timer: Timer,
    at: Timestamp,
) -> HubResult<()> {
    let column = fired_at(timer);
    let sql = format!(
        "update responses set {column} = $3 \
         where id = $1 and status = 'pending_approval' and submitted_at = $2 and {column} is null"
    );
    change_one!(&mut work.tx, query(AssertSqlSafe(sql)).bind(id).bind(submitted_at).bind(at))
}

pub(super) async fn insert_history(work: &mut Work, entry: &HistoryEntry) -> HubResult<()> {
    const SQL: &str = "insert into response_history \
        (id, created_at, response_id, action, revision, message, notes, actor_id) \
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(entry.id)
        .bind(entry.created_at)
        .bind(entry.response_id)
        .bind(entry.action)
        .bind(entry.revision)
        .bind(entry.message.as_deref())
        .bind(entry.notes.as_deref())
        .bind(entry.actor_id)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}
