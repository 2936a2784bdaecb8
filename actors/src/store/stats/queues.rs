use actix::{Handler, Message, ResponseFuture};
use sqlx::{FromRow, query_as};

use super::super::db::{failed, read};
use super::StatsStore;
use crate::domain::Timestamp;
use crate::error::HubResult;

/// How much waits where, and since when: one statement, and it counts no further than to 100,000 in each queue.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Vec<Queue>>")]
pub struct ReadQueues;

#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Queue {
    pub name: String,
    pub length: i64,
    /// Since when the oldest of those counted has been waiting; `None` where nothing is.
    pub oldest: Option<Timestamp>,
}

/// `since` of the rows that wait, by an index.
macro_rules! queue {
    ($name:literal, $rows:literal) => {
        concat!(
            "select '",
            $name,
            "' as name, count(*) as length, min(since) as oldest from (",
            $rows,
            " limit 100000) waiting"
        )
    };
}

const SQL: &str = concat!(
    queue!("outbox", "select created_at as since from outbox order by seq"),
    " union all ",
    queue!(
        "approvals",
        "select submitted_at as since from responses where status = 'pending_approval' order by created_at, id"
    ),
    " union all ",
    queue!(
        "unassigned_inquiries",
        "select created_at as since from inquiries where status = 'pending' and assigned_to is null"
    ),
    " union all ",
    queue!(
        "deliveries",
        "select created_at as since from deliveries where status = 'pending' and next_attempt_at is not null"
    ),
    " union all ",
    // Their gateways have them, and have not said what became of them.
    queue!(
        "unreported_deliveries",
        "select created_at as since from deliveries where status = 'pending' and next_attempt_at is null \
         order by created_at, id"
    ),
    " union all ",
    queue!(
        "webhook_messages",
        "select m.created_at as since from webhooks w join webhook_messages m on m.webhook_id = w.id \
         where w.is_enabled and m.next_attempt_at is not null"
    ),
    " union all ",
    queue!(
        "dead_letters",
        "select created_at as since from dead_letters where status = 'open' order by created_at, id"
    ),
);

impl Handler<ReadQueues> for StatsStore {
    type Result = ResponseFuture<HubResult<Vec<Queue>>>;

    fn handle(&mut self, _: ReadQueues, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move { read!(&db, |pool| query_as(SQL).fetch_all(pool).await).map_err(failed) })
    }
}
