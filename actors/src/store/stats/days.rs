use actix::{Handler, Message, ResponseFuture};
use chrono_tz::Tz;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::super::bind::Moments;
use super::super::db::{failed, read};
use super::super::dialect;
use super::{DECISIONS, FIRST_RESPONSES, Figures, Milliseconds, RANKED, StatsStore, Timed, own};
use crate::domain::stats::{DailyStats, DayStats, Inflow, StatsRange, Times};
use crate::error::HubResult;

/// In three statements, however many days there are. Each day is a piece of an index of its own, so what is read is what
/// has happened in the range and nothing else; and times are ranked a day at a time, which takes no large sort.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<DailyStats>")]
pub struct ReadDaily {
    /// Only this CSO's own figures.
    pub of: Option<Uuid>,
    pub range: StatsRange,
    /// Whose calendar the days are of.
    pub zone: Tz,
}

impl Handler<ReadDaily> for StatsStore {
    type Result = ResponseFuture<HubResult<DailyStats>>;

    fn handle(&mut self, ReadDaily { of, range, zone }: ReadDaily, _: &mut Self::Context) -> Self::Result {
        let figures = Figures { db: self.storage.db.clone(), of, range };
        Box::pin(async move { figures.daily(zone).await })
    }
}

/// The times of a day on which there are any.
#[derive(FromRow)]
struct OfDay {
    day: i64,
    #[sqlx(flatten)]
    times: Milliseconds,
}

/// Adds a condition on the day, and on whose it is.
macro_rules! on_day {
    ($query:expr, $figures:expr, $time:expr, $owner:expr) => {
        $query.push(format!(" and {0} >= days.since and {0} < days.until", $time));
        own!($query, $figures, $owner);
    };
}

impl Figures {
    async fn daily(&self, zone: Tz) -> HubResult<DailyStats> {
        let days = self.range.days(zone);
        let moments = Moments(days.iter().map(|day| day.from).chain(days.last().map(|day| day.to)).collect());
        let inflows = self.inflows(&moments).await?;
        let first_responses = self.times_by_day(&FIRST_RESPONSES, &moments, days.len()).await?;
        let decisions = self.times_by_day(&DECISIONS, &moments, days.len()).await?;
        let times = first_responses.into_iter().zip(decisions);
        let days = days.into_iter().zip(inflows).zip(times);
        Ok(DailyStats {
            range: self.range,
            zone: zone.name().to_owned(),
            days: days
                .map(|((day, inflow), (time_to_first_response, time_to_decision))| DayStats {
                    day,
                    inflow,
                    time_to_first_response,
                    time_to_decision,
                })
                .collect(),
        })
    }

    /// Of every day in its order; and nothing behind the last.
    async fn inflows(&self, moments: &Moments) -> HubResult<Vec<Inflow>> {
        let (days, of) = dialect::days(&self.db);
        let counts: Vec<(i64, i64)> = read!(&self.db, |pool| {
            let mut query = QueryBuilder::new("select (select count(*) from inquiries where true");
            on_day!(query, self, "created_at", "assigned_to");
            query.push("), (select count(*) from messages where direction = 'outbound'");
            on_day!(query, self, "created_at", "author_id");
            query.push(") from ").push(days).push_bind(moments.clone()).push(of);
            query.push(" order by days.day").build_query_as().fetch_all(pool).await
        })
        .map_err(failed)?;
        Ok(counts.into_iter().map(|(created, responded)| Inflow { created, responded }).collect())
    }

    async fn times_by_day(&self, timed: &Timed, moments: &Moments, count: usize) -> HubResult<Vec<Times>> {
        let Timed { rows, from, to, owner } = timed;
        let millis = dialect::millis_between(&self.db, from, to);
        let (days, of) = dialect::days(&self.db);
        // Or all that someone has ever written would be read once for each day.
        let owner = dialect::not_by_index(&self.db, owner);
        let found: Vec<OfDay> = read!(&self.db, |pool| {
            let mut query = QueryBuilder::new(format!(
                "select day, {RANKED} from (select day, millis, \
                 row_number() over (partition by day order by millis) as nth, \
                 count(*) over (partition by day) as total from (select days.day, {millis} as millis from {days}"
            ));
            query.push_bind(moments.clone()).push(format!("{of} cross join {rows}"));
            on_day!(query, self, to, owner);
            query.push(") times) ranked group by day").build_query_as().fetch_all(pool).await
        })
        .map_err(failed)?;
        let mut times = vec![Times::default(); count];
        for OfDay { day, times: of_day } in found {
            if let Some(times) = usize::try_from(day).ok().and_then(|day| times.get_mut(day)) {
                *times = of_day.into();
            }
        }
        Ok(times)
    }
}
