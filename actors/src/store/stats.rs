use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Handler, Message, ResponseFuture};
use sqlx::query_as;
use uuid::Uuid;

use super::bind::from_row;
use super::cache::Storage;
use super::db::{Db, failed, read};
use super::dialect;
use crate::domain::Timestamp;
use crate::domain::customer::CustomerStatus;
use crate::domain::inquiry::InquiryStatus;
use crate::domain::response::ResponseStatus;
use crate::domain::stats::{ApprovalQueue, CsoLoad, DecisionTime, Stats};
use crate::error::HubResult;

/// Decisions older than this no longer say how fast decisions are.
const DECISION_WINDOW: Duration = Duration::from_secs(30 * 24 * 60 * 60);

store_actor!(
    /// Counts.
    StatsStore
);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Stats>")]
pub struct ReadStats {
    /// Only this CSO's own figures.
    pub of: Option<Uuid>,
    pub now: Timestamp,
}

impl Handler<ReadStats> for StatsStore {
    type Result = ResponseFuture<HubResult<Stats>>;

    fn handle(&mut self, ReadStats { of, now }: ReadStats, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move { read_stats(&db, of, now).await })
    }
}

/// Six queries, whatever there is to count.
async fn read_stats(db: &Db, of: Option<Uuid>, now: Timestamp) -> HubResult<Stats> {
    const CUSTOMERS: &str = "select status, count(*) as count from customers \
        where deleted_at is null and ($1 is null or assigned_to = $1) group by status";
    const INQUIRIES: &str = "select status, count(*) as count from inquiries where ($1 is null or assigned_to = $1) group by status";
    const RESPONSES: &str = "select status, count(*) as count from responses where ($1 is null or responded_by = $1) group by status";
    const OLDEST: &str = "select min(submitted_at) as oldest from responses \
        where status = 'pending_approval' and ($1 is null or responded_by = $1)";
    const LOADS: &str = "select u.id as user_id, u.first_name, u.last_name, u.availability, \
        l.open as open_inquiries, u.max_open_inquiries \
        from users u join cso_loads l on l.user_id = u.id \
        where u.role = 'cso' and u.is_active and ($1 is null or u.id = $1) order by u.last_name, u.id";
    let decisions = format!(
        "select count(*) as count, avg({}) as average_seconds from responses \
         where decided_at >= $2 and submitted_at is not null and ($1 is null or responded_by = $1)",
        dialect::seconds_between(db)
    );
    // An untyped null parameter needs a type on PostgreSQL; every use here compares it with a uuid column.
    let rows = |sql: &'static str| async move {
        let counts: Vec<(String, i64)> =
            read!(db, |pool| query_as(sql).bind(of).fetch_all(pool).await).map_err(failed)?;
        HubResult::Ok(counts)
    };
    let customers = counted(CustomerStatus::ALL.iter().map(|s| s.as_str()), rows(CUSTOMERS).await?);
    let inquiries = counted(InquiryStatus::ALL.iter().map(|s| s.as_str()), rows(INQUIRIES).await?);
    let responses = counted(ResponseStatus::ALL.iter().map(|s| s.as_str()), rows(RESPONSES).await?);
    let (oldest,): (Option<Timestamp>,) =
        read!(db, |pool| query_as(OLDEST).bind(of).fetch_one(pool).await).map_err(failed)?;
    let (count, average_seconds): (i64, Option<f64>) =
        read!(db, |pool| query_as(sqlx::AssertSqlSafe(decisions))
            .bind(of)
            .bind(now.minus(DECISION_WINDOW))
            .fetch_one(pool)
            .await)
        .map_err(failed)?;
    let csos = read!(db, |pool| query_as(LOADS).bind(of).fetch_all(pool).await).map_err(failed)?;
    let approval_queue = ApprovalQueue {
        length: responses.get(ResponseStatus::PendingApproval.as_str()).copied().unwrap_or_default(),
        oldest_age_seconds: oldest.map(|oldest| ((now.millis() - oldest.millis()) / 1000).max(0)),
    };
    let time_to_decision = DecisionTime { count, average_seconds };
    Ok(Stats { customers, inquiries, responses, approval_queue, time_to_decision, csos })
}

/// Every status with its count, also those that nothing is in.
fn counted<'a>(statuses: impl Iterator<Item = &'a str>, counts: Vec<(String, i64)>) -> BTreeMap<String, i64> {
    let mut all: BTreeMap<String, i64> = statuses.map(|status| (status.to_owned(), 0)).collect();
    all.extend(counts);
    all
}

from_row!(CsoLoad { user_id, first_name, last_name, availability, open_inquiries, max_open_inquiries });
