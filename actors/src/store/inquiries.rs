mod conversation;
mod waiting;

use std::collections::BTreeMap;

use actix::{Handler, Message, ResponseFuture};
use sqlx::types::Json;
use sqlx::{query, query_as};
use uuid::Uuid;

use super::bind::from_row;
use super::bulk::insert_rows;
use super::cache::{CacheKey, Storage};
use super::commit::{LoadRule, Work};
use super::customers::AssigneeFilter;
use super::db::{change_one, failed, read, write_tx};
use super::dialect::{self, Searchable, search};
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use super::users;
use crate::clock::new_id;
use crate::domain::assignment::{Assignment, Considered, Decision, Reason};
use crate::domain::event::{EntityType, EventType};
use crate::domain::inquiry::{Inquiry, InquiryStatus, Priority};
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::search::query_words;
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};

pub use conversation::ListMessages;
pub(super) use conversation::insert_messages;
pub use waiting::{ListNotTakenUp, ListWaiting, Waiting};

store_actor!(
    /// Reads inquiries, their conversations and how they were assigned.
    InquiryStore
);

pub const SORTS: &[Sort] = &[
    Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time },
    Sort { name: "updatedAt", column: "t.updated_at", kind: SortKind::Time },
    Sort { name: "priority", column: "t.priority", kind: SortKind::Int },
    Sort { name: "status", column: "t.status", kind: SortKind::Text },
    Sort { name: "subject", column: "t.subject", kind: SortKind::Text },
];

/// Conversations and assignments are told in the order they happened.
pub const TOLD: &[Sort] = &[Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time }];

columns!(
    inquiry_columns = "t.id, t.version, t.created_at, t.updated_at, t.customer_id, t.subject, t.message, t.status, \
        t.priority, t.category, t.channel, t.external_id, t.thread_id, t.assigned_to, t.assigned_at"
);

pub(super) use inquiry_columns;

const LIST: ListSql = ListSql { select: inquiry_columns!(), from: "inquiries t", sorts: SORTS };

const ASSIGNMENTS: ListSql = ListSql {
    select: "t.id, t.created_at, t.inquiry_id, t.assignee_id, t.reason, t.actor_id, \
        coalesce(r.candidates, '[]') candidates",
    from: "assignments t left join rosters r on r.id = t.roster_id",
    sorts: TOLD,
};

#[derive(Clone, Debug, Default)]
pub struct InquiryFilter {
    /// Words that each begin some word of subject or message.
    pub q: Option<String>,
    pub statuses: Vec<InquiryStatus>,
    pub priorities: Vec<Priority>,
    pub category: Option<String>,
    pub channel: Option<String>,
    pub customer_id: Option<Uuid>,
    pub assigned_to: Option<AssigneeFilter>,
    pub created_from: Option<Timestamp>,
    /// Exclusive.
    pub created_to: Option<Timestamp>,
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Inquiry>>")]
pub struct GetInquiry(pub Uuid);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<Inquiry>>")]
pub struct ListInquiries {
    pub filter: InquiryFilter,
    pub page: PageRequest,
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<Assignment>>")]
pub struct ListAssignments {
    pub inquiry_id: Uuid,
    pub page: PageRequest,
}

impl Handler<GetInquiry> for InquiryStore {
    type Result = ResponseFuture<HubResult<Option<Inquiry>>>;

    fn handle(&mut self, GetInquiry(id): GetInquiry, _: &mut Self::Context) -> Self::Result {
        let storage = self.storage.clone();
        Box::pin(async move {
            const SQL: &str = concat!("select ", inquiry_columns!(), " from inquiries t where id = $1");
            storage
                .cached(CacheKey::Inquiry(id), async {
                    read!(&storage.db, |pool| query_as(SQL).bind(id).fetch_optional(pool).await)
                        .map_err(failed)
                })
                .await
        })
    }
}

impl Handler<ListInquiries> for InquiryStore {
    type Result = ResponseFuture<HubResult<Page<Inquiry>>>;

    fn handle(
        &mut self,
        ListInquiries { filter, page }: ListInquiries,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let mut conditions = Vec::new();
            let found = match filter.q.as_deref().map(query_words).as_deref() {
                None => None,
                Some([]) => {
                    conditions.push(Condition::Plain("false"));
                    None
                }
                Some(words) => Some(search(&db, Searchable::Inquiries, words)),
            };
            let statuses = filter.statuses.iter().map(|status| Value::Text(status.to_string()));
            let priorities = filter.priorities.iter().map(|one| Value::Int(i64::from(one.rank())));
            let rest = [
                Condition::any_of("t.status", statuses),
                Condition::any_of("t.priority", priorities),
                filter.category.map(|value| Condition::with("t.category = ", Value::Text(value))),
                filter.channel.map(|value| Condition::with("t.channel = ", Value::Text(value))),
                filter.customer_id.map(|id| Condition::with("t.customer_id = ", Value::Id(id))),
                filter.assigned_to.map(AssigneeFilter::condition),
                filter.created_from.map(|time| Condition::with("t.created_at >= ", Value::Time(time))),
                filter.created_to.map(|time| Condition::with("t.created_at < ", Value::Time(time))),
            ];
            conditions.extend(rest.into_iter().flatten());
            list::page_of(&db, &LIST, found.as_ref(), conditions, &page, |inquiry: &Inquiry, sort| {
                let value = match sort {
                    "updatedAt" => SortValue::Time(inquiry.updated_at),
                    "priority" => SortValue::Int(i64::from(inquiry.priority.rank())),
                    "status" => SortValue::Text(inquiry.status.to_string()),
                    "subject" => SortValue::Text(inquiry.subject.clone()),
                    _ => SortValue::Time(inquiry.created_at),
                };
                (value, inquiry.id)
            })
            .await
        })
    }
}

impl Handler<ListAssignments> for InquiryStore {
    type Result = ResponseFuture<HubResult<Page<Assignment>>>;

    fn handle(&mut self, list: ListAssignments, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let conditions = vec![Condition::with("t.inquiry_id = ", Value::Id(list.inquiry_id))];
            list::page(&db, &ASSIGNMENTS, conditions, &list.page, |assignment: &Assignment, _| {
                (SortValue::Time(assignment.created_at), assignment.id)
            })
            .await
        })
    }
}

from_row!(Inquiry {
    id,
    version,
    created_at,
    updated_at,
    customer_id,
    subject,
    message,
    status,
    priority,
    category,
    channel,
    external_id,
    thread_id,
    assigned_to,
    assigned_at
});

from_row!(Assignment { id, created_at, inquiry_id, assignee_id, reason, actor_id; json candidates });

pub(super) async fn insert(work: &mut Work, inquiries: &[(&Inquiry, LoadRule)]) -> HubResult<()> {
    insert_rows!(
        &mut work.tx,
        "inquiries (id, version, created_at, updated_at, customer_id, subject, message, status, priority, category, \
         channel, external_id, thread_id, assigned_to, assigned_at, search)",
        inquiries,
        |one, values| {
            let (inquiry, _) = one;
            values
                .push_bind(inquiry.id)
                .push_bind(inquiry.version)
                .push_bind(inquiry.created_at)
                .push_bind(inquiry.updated_at)
                .push_bind(inquiry.customer_id)
                .push_bind(inquiry.subject.as_str())
                .push_bind(inquiry.message.as_str())
                .push_bind(inquiry.status)
                .push_bind(inquiry.priority)
                .push_bind(inquiry.category.as_str())
                .push_bind(inquiry.channel.as_str())
                .push_bind(inquiry.external_id.as_deref())
                .push_bind(inquiry.thread_id.as_deref())
                .push_bind(inquiry.assigned_to)
                .push_bind(inquiry.assigned_at)
                .push_bind(inquiry.search_document())
        }
    )
    .map_err(failed)?;
    // In the order of the CSOs' ids, as everywhere.
    let mut loads: BTreeMap<(Uuid, bool), (i64, Timestamp)> = BTreeMap::new();
    for (inquiry, rule) in inquiries {
        let Some(cso) = inquiry.load_on() else { continue };
        let load = loads.entry((cso, *rule == LoadRule::WithinCapacity)).or_insert((0, inquiry.updated_at));
        load.0 += 1;
    }
    for ((cso, within_capacity), (count, at)) in loads {
        if !users::take_load(work, cso, count, at, within_capacity).await? {
            return Err(HubError::NoRoom);
        }
    }
    Ok(())
}

pub(super) async fn update(
    work: &mut Work,
    before: &Inquiry,
    after: &Inquiry,
    load: LoadRule,
) -> HubResult<()> {
    const SQL: &str = "update inquiries set version = $2, updated_at = $4, subject = $5, message = $6, status = $7, \
        priority = $8, category = $9, assigned_to = $10, assigned_at = $11, search = $12 \
        where id = $1 and version = $3";
    change_one!(
        &mut work.tx,
        query(SQL)
            .bind(after.id)
            .bind(after.version)
            .bind(before.version)
            .bind(after.updated_at)
            .bind(&after.subject)
            .bind(&after.message)
            .bind(after.status)
            .bind(after.priority)
            .bind(&after.category)
            .bind(after.assigned_to)
            .bind(after.assigned_at)
            .bind(after.search_document())
    )?;
    work.touched.push(CacheKey::Inquiry(after.id));
    move_load(work, before.load_on(), after.load_on(), load, after.updated_at).await
}

pub(super) async fn hold(work: &mut Work, id: Uuid) -> HubResult<()> {
    let Some(sql) = dialect::hold_inquiry(&work.tx) else { return Ok(()) };
    write_tx!(&mut work.tx, |connection| query(sql).bind(id).execute(connection).await.map(drop))
        .map_err(failed)
}

pub(super) async fn set_lapsed(work: &mut Work, id: Uuid, by: Option<Uuid>) -> HubResult<()> {
    const SQL: &str = "update inquiries set lapsed_by = $2 where id = $1";
    write_tx!(&mut work.tx, |connection| query(SQL).bind(id).bind(by).execute(connection).await.map(drop))
        .map_err(failed)
}

/// Decisions in a row that considered the same people with the same loads share a roster.
pub(super) async fn insert_assignments(work: &mut Work, assignments: &[&Assignment]) -> HubResult<()> {
    let mut rosters: Vec<(Uuid, &[Considered])> = Vec::new();
    let mut rows: Vec<(&Assignment, Option<Uuid>)> = Vec::with_capacity(assignments.len());
    for assignment in assignments {
        let candidates = assignment.candidates.as_slice();
        let known = rosters.last().filter(|(_, last)| *last == candidates).map(|(id, _)| *id);
        let roster_id = (!candidates.is_empty()).then(|| known.unwrap_or_else(new_id));
        if let (Some(id), None) = (roster_id, known) {
            rosters.push((id, candidates));
        }
        rows.push((assignment, roster_id));
    }
    insert_rows!(&mut work.tx, "rosters (id, candidates)", &rosters, |roster, values| {
        values.push_bind(roster.0).push_bind(Json(roster.1))
    })
    .map_err(failed)?;
    insert_rows!(
        &mut work.tx,
        "assignments (id, created_at, inquiry_id, assignee_id, reason, actor_id, roster_id)",
        &rows,
        |row, values| {
            let (assignment, roster_id) = row;
            values
                .push_bind(assignment.id)
                .push_bind(assignment.created_at)
                .push_bind(assignment.inquiry_id)
                .push_bind(assignment.assignee_id)
                .push_bind(assignment.reason)
                .push_bind(assignment.actor_id)
                .push_bind(*roster_id)
        }
    )
    .map_err(failed)
}

/// Runs after the user's load row was locked and closed to new work, so nothing can be assigned in between.
pub(super) async fn hand_on(
    work: &mut Work,
    user_id: Uuid,
    all: bool,
    by: Option<&(Uuid, String)>,
    at: Timestamp,
) -> HubResult<()> {
    const SQL: &str = concat!(
        "select ",
        inquiry_columns!(),
        " from inquiries t where assigned_to = $1 and status in ('pending', $2) order by id"
    );
    let also = if all { InquiryStatus::InProgress } else { InquiryStatus::Pending };
    let held: Vec<Inquiry> = write_tx!(&mut work.tx, |connection| query_as(SQL)
        .bind(user_id)
        .bind(also)
        .fetch_all(connection)
        .await)
    .map_err(failed)?;
    for inquiry in held {
        let mut handed_on = inquiry.assign(None, at);
        // Waiting work is pending work: whoever takes it up starts it anew.
        handed_on.status = InquiryStatus::Pending;
        update(work, &inquiry, &handed_on, LoadRule::Any).await?;
        let decision = Decision::without_choice(None, Reason::HandedOn);
        let handed_back = Assignment::of(new_id(), inquiry.id, decision, by.map(|(id, _)| *id), at);
        insert_assignments(work, &[&handed_back]).await?;
        let entity = (EntityType::Inquiry, inquiry.id);
        let mut event =
            Event::of(new_id(), EventType::InquiryUnassigned, entity, Some(&inquiry), &handed_on, at);
        if let Some((actor, request_id)) = by {
            event = event.by(*actor, request_id);
        }
        work.events.push(event);
    }
    Ok(())
}

/// Load rows are locked in the order of their ids, so that two moves in opposite directions cannot deadlock.
async fn move_load(
    work: &mut Work,
    from: Option<Uuid>,
    to: Option<Uuid>,
    rule: LoadRule,
    at: Timestamp,
) -> HubResult<()> {
    if from == to {
        return Ok(());
    }
    if let Some(from) = from.filter(|from| to.is_none_or(|to| *from < to)) {
        users::drop_load(work, from).await?;
    }
    if let Some(to) = to
        && !users::take_load(work, to, 1, at, rule == LoadRule::WithinCapacity).await?
    {
        return Err(HubError::NoRoom);
    }
    if let Some(from) = from.filter(|from| to.is_some_and(|to| *from > to)) {
        users::drop_load(work, from).await?;
    }
    Ok(())
}
