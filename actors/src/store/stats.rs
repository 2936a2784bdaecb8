mod days;
mod queues;

use std::collections::BTreeMap;

use actix::{Handler, Message, ResponseFuture};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::bind::from_row;
use super::cache::Storage;
use super::db::{Db, failed, read};
use super::dialect;
use crate::domain::Timestamp;
use crate::domain::customer::CustomerStatus;
use crate::domain::inquiry::InquiryStatus;
use crate::domain::response::ResponseStatus;
use crate::domain::stats::{ApprovalQueue, CsoLoad, Inflow, Stats, StatsRange, Times, fairness};
use crate::error::HubResult;

pub use days::ReadDaily;
pub use queues::{Queue, ReadQueues};

store_actor!(
    /// Counts, and figures of a range.
    StatsStore
);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Stats>")]
pub struct ReadStats {
    /// Only this CSO's own figures.
    pub of: Option<Uuid>,
    pub range: StatsRange,
    pub now: Timestamp,
}

impl Handler<ReadStats> for StatsStore {
    type Result = ResponseFuture<HubResult<Stats>>;

    fn handle(&mut self, ReadStats { of, range, now }: ReadStats, _: &mut Self::Context) -> Self::Result {
        let figures = Figures { db: self.storage.db.clone(), of, range };
        Box::pin(async move { figures.read(now).await })
    }
}

/// The eight statements of [`ReadStats`], whatever there is to count. Whose figures are asked for is in their text: with
/// "this one or any" in it, the planner could use no index.
struct Figures {
    db: Db,
    of: Option<Uuid>,
    range: StatsRange,
}

/// The rows of a table that have a status, and whose they are.
struct Counted {
    rows: &'static str,
    owner: &'static str,
}

/// What took from one moment to another, by when it was over.
struct Timed {
    rows: &'static str,
    from: &'static str,
    to: &'static str,
    owner: &'static str,
}

const CUSTOMERS: Counted = Counted { rows: "customers where deleted_at is null", owner: "assigned_to" };
const INQUIRIES: Counted = Counted { rows: "inquiries where true", owner: "assigned_to" };
const RESPONSES: Counted = Counted { rows: "responses where true", owner: "responded_by" };

const FIRST_RESPONSES: Timed =
    Timed { rows: "first_responses where true", from: "asked_at", to: "responded_at", owner: "author_id" };
const DECISIONS: Timed = Timed {
    rows: "responses where submitted_at is not null",
    from: "submitted_at",
    to: "decided_at",
    owner: "responded_by",
};

/// Times are in whole milliseconds, which both engines count exactly.
#[derive(FromRow)]
struct Milliseconds {
    count: i64,
    average: Option<f64>,
    p50: Option<i64>,
    p90: Option<i64>,
}

/// Figures of times that are ranked: `nth` of `total`. The nearest rank of a share is the smallest one that is at least
/// that share of the count; in whole numbers, so that no rounding decides.
const RANKED: &str = "count(*) as count, cast(avg(millis) as double precision) as average, \
    min(case when nth * 2 >= total then millis end) as p50, \
    min(case when nth * 10 >= total * 9 then millis end) as p90";

impl From<Milliseconds> for Times {
    fn from(found: Milliseconds) -> Self {
        let seconds = |millis: i64| {
            #[expect(clippy::cast_precision_loss, reason = "2^52 ms are 140 000 years")]
            let seconds = millis as f64 / 1000.0;
            seconds
        };
        Self {
            count: found.count,
            average_seconds: found.average.map(|millis| millis / 1000.0),
            p50_seconds: found.p50.map(seconds),
            p90_seconds: found.p90.map(seconds),
        }
    }
}

/// Adds a condition on the range, and on whose it is.
macro_rules! within {
    ($query:expr, $figures:expr, $time:expr, $owner:expr) => {
        $query.push(format!(" and {} >= ", $time)).push_bind($figures.range.from);
        $query.push(format!(" and {} < ", $time)).push_bind($figures.range.to);
        own!($query, $figures, $owner);
    };
}

macro_rules! own {
    ($query:expr, $figures:expr, $owner:expr) => {
        if let Some(of) = $figures.of {
            $query.push(format!(" and {} = ", $owner)).push_bind(of);
        }
    };
}
use own;

impl Figures {
    async fn read(&self, now: Timestamp) -> HubResult<Stats> {
        let customers = CustomerStatus::ALL.iter().map(|status| status.as_str());
        let inquiries = InquiryStatus::ALL.iter().map(|status| status.as_str());
        let responses = ResponseStatus::ALL.iter().map(|status| status.as_str());
        let customers = self.counts(&CUSTOMERS, customers).await?;
        let inquiries = self.counts(&INQUIRIES, inquiries).await?;
        let responses = self.counts(&RESPONSES, responses).await?;
        let waiting = responses.get(ResponseStatus::PendingApproval.as_str()).copied();
        let oldest = self.longest_waiting().await?;
        let csos = self.loads().await?;
        Ok(Stats {
            range: self.range,
            approval_queue: ApprovalQueue {
                length: waiting.unwrap_or_default(),
                oldest_age_seconds: oldest.map(|oldest| ((now.millis() - oldest.millis()) / 1000).max(0)),
            },
            inflow: self.inflow().await?,
            time_to_first_response: self.times(&FIRST_RESPONSES).await?,
            time_to_decision: self.times(&DECISIONS).await?,
            fairness: if self.of.is_none() { fairness(&csos) } else { None },
            customers,
            inquiries,
            responses,
            csos,
        })
    }

    /// Every status with its count, also those that nothing is in.
    async fn counts(
        &self,
        counted: &Counted,
        statuses: impl Iterator<Item = &'static str>,
    ) -> HubResult<BTreeMap<String, i64>> {
        let counts: Vec<(String, i64)> = read!(&self.db, |pool| {
            let mut query =
                QueryBuilder::new(format!("select status, count(*) as count from {}", counted.rows));
            own!(query, self, counted.owner);
            query.push(" group by status").build_query_as().fetch_all(pool).await
        })
        .map_err(failed)?;
        let mut all: BTreeMap<String, i64> = statuses.map(|status| (status.to_owned(), 0)).collect();
        all.extend(counts);
        Ok(all)
    }

    async fn longest_waiting(&self) -> HubResult<Option<Timestamp>> {
        let (oldest,): (Option<Timestamp>,) = read!(&self.db, |pool| {
            let mut query = QueryBuilder::new(
                "select min(submitted_at) as oldest from responses where status = 'pending_approval'",
            );
            own!(query, self, "responded_by");
            query.build_query_as().fetch_one(pool).await
        })
        .map_err(failed)?;
        Ok(oldest)
    }

    async fn inflow(&self) -> HubResult<Inflow> {
        let (created, responded): (i64, i64) = read!(&self.db, |pool| {
            let mut query = QueryBuilder::new("select (select count(*) from inquiries where true");
            within!(query, self, "created_at", "assigned_to");
            query.push("), (select count(*) from messages where direction = 'outbound'");
            within!(query, self, "created_at", "author_id");
            query.push(")").build_query_as().fetch_one(pool).await
        })
        .map_err(failed)?;
        Ok(Inflow { created, responded })
    }

    async fn times(&self, timed: &Timed) -> HubResult<Times> {
        let Timed { rows, from, to, owner } = timed;
        let millis = dialect::millis_between(&self.db, from, to);
        let found: Milliseconds = read!(&self.db, |pool| {
            let mut query = QueryBuilder::new(format!(
                "select {RANKED} from (select millis, row_number() over (order by millis) as nth, \
                 count(*) over () as total from (select {millis} as millis from {rows}"
            ));
            within!(query, self, to, owner);
            query.push(") times) ranked").build_query_as().fetch_one(pool).await
        })
        .map_err(failed)?;
        Ok(found.into())
    }

    async fn loads(&self) -> HubResult<Vec<CsoLoad>> {
        let csos: Vec<CsoLoad> = read!(&self.db, |pool| {
            let mut query = QueryBuilder::new(
                "select u.id as user_id, u.first_name, u.last_name, u.availability, l.open as open_inquiries, \
                 u.max_open_inquiries, coalesce(r.released, 0) as throughput, coalesce(f.answered, 0) as answered \
                 from users u join cso_loads l on l.user_id = u.id \
                 left join (select author_id, count(*) as released from messages where direction = 'outbound'",
            );
            within!(query, self, "created_at", "author_id");
            query.push(
                " group by author_id) r on r.author_id = u.id \
                 left join (select author_id, count(*) as answered from first_responses where true",
            );
            within!(query, self, "responded_at", "author_id");
            query.push(" group by author_id) f on f.author_id = u.id where u.role = 'cso' and u.is_active");
            own!(query, self, "u.id");
            query.push(" order by u.last_name, u.id").build_query_as().fetch_all(pool).await
        })
        .map_err(failed)?;
        Ok(csos.into_iter().map(CsoLoad::with_load).collect())
    }
}

from_row!(CsoLoad {
    user_id, first_name, last_name, availability, open_inquiries, max_open_inquiries, throughput, answered;
    left_out load
});
