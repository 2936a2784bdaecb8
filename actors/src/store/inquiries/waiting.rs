//! The queue of work that nobody has.

use actix::{Handler, Message, ResponseFuture};
use sqlx::query_as;
use uuid::Uuid;

use super::InquiryStore;
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

/// A waiting inquiry, with its customer's own CSO.
#[derive(Debug)]
pub struct Waiting {
    pub inquiry: Inquiry,
    pub own_cso: Option<Uuid>,
}

impl Handler<ListWaiting> for InquiryStore {
    type Result = ResponseFuture<HubResult<Vec<Waiting>>>;

    fn handle(&mut self, ListWaiting { after, limit }: ListWaiting, _: &mut Self::Context) -> Self::Result {
        // `priority <= $1` follows from the rest, but it is where an index can begin.
        const SQL: &str = "select t.*, c.assigned_to as own_cso from inquiries t \
            left join customers c on c.id = t.customer_id and c.deleted_at is null \
            where t.status = 'pending' and t.assigned_to is null and t.priority <= $1 \
                and (t.priority < $1 or (t.created_at, t.id) > ($2, $3)) \
            order by t.priority desc, t.created_at, t.id limit $4";
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
                Ok(Self { inquiry: Inquiry::from_row(row)?, own_cso: row.try_get("own_cso")? })
            }
        })+
    };
}

waiting_from_row!(sqlx::postgres::PgRow, sqlx::sqlite::SqliteRow);
