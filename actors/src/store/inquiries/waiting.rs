//! The queue of work that nobody has.

use actix::{Handler, Message, ResponseFuture};
use sqlx::query_as;

use super::{InquiryStore, inquiry_columns};
use crate::domain::Timestamp;
use crate::domain::assignment::Wanted;
use crate::domain::inquiry::{Inquiry, Place};
use crate::error::HubResult;
use crate::store::db::{failed, read};

/// Unassigned pending inquiries in the order of their [`Place`].
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Vec<Waiting>>")]
pub struct ListWaiting {
    /// Only what stands behind this place.
    pub after: Option<Place>,
    pub limit: i64,
}

/// A waiting inquiry, with what else the choice of its assignee needs.
#[derive(Debug)]
pub struct Waiting {
    pub inquiry: Inquiry,
    pub wanted: Wanted,
}

/// Inquiries that were assigned until `assigned_until` and have not been taken up, the oldest assignment first.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Vec<Inquiry>>")]
pub struct ListNotTakenUp {
    pub assigned_until: Timestamp,
    pub limit: i64,
}

impl Handler<ListNotTakenUp> for InquiryStore {
    type Result = ResponseFuture<HubResult<Vec<Inquiry>>>;

    fn handle(&mut self, list: ListNotTakenUp, _: &mut Self::Context) -> Self::Result {
        const SQL: &str = concat!(
            "select ",
            inquiry_columns!(),
            " from inquiries t where status = 'pending' and assigned_to is not null \
            and assigned_at <= $1 order by assigned_at, id limit $2"
        );
        let db = self.storage.db.clone();
        Box::pin(async move {
            read!(&db, |pool| query_as(SQL).bind(list.assigned_until).bind(list.limit).fetch_all(pool).await)
                .map_err(failed)
        })
    }
}

impl Handler<ListWaiting> for InquiryStore {
    type Result = ResponseFuture<HubResult<Vec<Waiting>>>;

    fn handle(&mut self, ListWaiting { after, limit }: ListWaiting, _: &mut Self::Context) -> Self::Result {
        // `priority <= $1` follows from the rest, but it is where an index can begin.
        const SQL: &str = concat!(
            "select ",
            inquiry_columns!(),
            ", t.lapsed_by, c.assigned_to as own_cso from inquiries t \
            left join customers c on c.id = t.customer_id and c.deleted_at is null \
            where t.status = 'pending' and t.assigned_to is null and t.priority <= $1 \
                and (t.priority < $1 or (t.created_at, t.id) > ($2, $3)) \
            order by t.priority desc, t.created_at, t.id limit $4"
        );
        let db = self.storage.db.clone();
        let rank = after.map_or(i16::MAX, |place| place.priority.0.rank());
        let (time, id) = (after.map(|place| place.created_at), after.map(|place| place.id));
        Box::pin(async move {
            read!(&db, |pool| query_as(SQL).bind(rank).bind(time).bind(id).bind(limit).fetch_all(pool).await)
                .map_err(failed)
        })
    }
}

macro_rules! waiting_from_row {
    ($($row:ty),+) => {
        $(impl sqlx::FromRow<'_, $row> for Waiting {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                use sqlx::Row as _;
                let inquiry = Inquiry::from_row(row)?;
                let category = inquiry.category.clone();
                let (own_cso, lapsed_by) = (row.try_get("own_cso")?, row.try_get("lapsed_by")?);
                Ok(Self { inquiry, wanted: Wanted { category, own_cso, lapsed_by } })
            }
        })+
    };
}

waiting_from_row!(sqlx::postgres::PgRow, sqlx::sqlite::SqliteRow);
