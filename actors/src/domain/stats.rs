mod days;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::user::Availability;
use super::{FieldError, Timestamp};

pub use days::{DailyStats, Day, DayStats};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// When nothing else is asked.
const USUAL: Duration = Duration::from_secs(30 * DAY.as_secs());
const LONGEST: Duration = Duration::from_secs(366 * DAY.as_secs());

/// What the figures that are no snapshot tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsRange {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
}

impl StatsRange {
    /// The 30 days up to now, this very millisecond included.
    pub fn usual(now: Timestamp) -> Self {
        Self::ending(now.plus(Duration::from_millis(1)))
    }

    fn ending(to: Timestamp) -> Self {
        Self { from: to.minus(USUAL), to }
    }

    /// What is left out is as in [`Self::usual`].
    ///
    /// # Errors
    /// A range that ends before it begins, or is longer than 366 days.
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> Result<Self, FieldError> {
        let usual = to.map_or_else(|| Self::usual(now), Self::ending);
        let (from, to) = (from.unwrap_or(usual.from), usual.to);
        if from > to {
            return Err(FieldError::new("from", "out_of_range", "must not be after the end of the range"));
        }
        if from.plus(LONGEST) < to {
            return Err(FieldError::new("from", "out_of_range", "must be at most 366 days before the end"));
        }
        Ok(Self { from, to })
    }
}

/// `GET /stats`. A CSO sees figures of their own work only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    pub range: StatsRange,
    /// Customers by status, now.
    pub customers: BTreeMap<String, i64>,
    /// Inquiries by status, now.
    pub inquiries: BTreeMap<String, i64>,
    /// Responses by status, now.
    pub responses: BTreeMap<String, i64>,
    pub approval_queue: ApprovalQueue,
    pub inflow: Inflow,
    /// From an inquiry to the first reply that was released to its customer, of those released in the range.
    pub time_to_first_response: Times,
    /// From submission to decision, of decisions in the range.
    pub time_to_decision: Times,
    pub csos: Vec<CsoLoad>,
    /// How unevenly work is spread over those who take it: the highest load of an active CSO who is online, divided by
    /// their mean load. 1 is even. Null when nobody has any, and for a CSO, who does not see the others.
    #[schema(required)]
    pub fairness: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalQueue {
    pub length: i64,
    /// Age of the oldest response waiting for a decision, in seconds; null when none waits.
    #[schema(required)]
    pub oldest_age_seconds: Option<i64>,
}

/// What came in within the range, and what went out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inflow {
    /// Inquiries.
    pub created: i64,
    /// Replies released by an approval.
    pub responded: i64,
}

/// Percentiles are by nearest rank: the shortest of the times that at least that share of them does not exceed, so
/// always one that occurred. Null when there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    pub count: i64,
    #[schema(required)]
    pub average_seconds: Option<f64>,
    #[schema(required)]
    pub p50_seconds: Option<f64>,
    #[schema(required)]
    pub p90_seconds: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CsoLoad {
    pub user_id: Uuid,
    pub first_name: String,
    pub last_name: String,
    pub availability: Availability,
    /// Pending and in-progress inquiries.
    pub open_inquiries: i64,
    pub max_open_inquiries: i64,
    /// Open inquiries as a fraction of those they take on; null when they take on none.
    #[schema(required)]
    pub load: Option<f64>,
    /// Replies they wrote that were released in the range.
    pub throughput: i64,
    /// Inquiries that were first answered in the range, by them.
    pub answered: i64,
}

impl CsoLoad {
    #[must_use]
    pub fn with_load(self) -> Self {
        let load = (self.max_open_inquiries > 0).then(|| {
            #[expect(clippy::cast_precision_loss, reason = "counts of inquiries are far below 2^52")]
            let load = self.open_inquiries as f64 / self.max_open_inquiries as f64;
            load
        });
        Self { load, ..self }
    }
}

/// The highest load divided by the mean, of those who are online.
pub fn fairness(csos: &[CsoLoad]) -> Option<f64> {
    let online = csos.iter().filter(|cso| cso.availability == Availability::Online);
    let loads: Vec<f64> = online.filter_map(|cso| cso.load).collect();
    let total: f64 = loads.iter().sum();
    let highest = loads.iter().copied().fold(0.0, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "there are fewer people than 2^52")]
    let count = loads.len() as f64;
    (total > 0.0).then(|| highest * count / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_thirty_days_up_to_now_unless_told_otherwise() {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        let now = time("2026-07-01T00:00:00Z");
        let usual = StatsRange::new(None, None, now).unwrap();
        assert_eq!(
            (usual.from, usual.to),
            (time("2026-06-01T00:00:00.001Z"), time("2026-07-01T00:00:00.001Z"))
        );
        let (first, last) = (time("2026-01-01T00:00:00Z"), time("2027-01-02T00:00:00Z"));
        assert_eq!(StatsRange::new(Some(first), None, now).unwrap().to, usual.to);
        assert_eq!(StatsRange::new(None, Some(last), now).unwrap().from, last.minus(USUAL));
        assert!(StatsRange::new(Some(first), Some(first), now).is_ok());
        assert!(StatsRange::new(Some(first), Some(last), now).is_ok());
        assert!(StatsRange::new(Some(first), Some(last.plus(Duration::from_millis(1))), now).is_err());
        assert!(StatsRange::new(Some(last), Some(first), now).is_err());
        assert!(StatsRange::new(Some(last), None, now).is_err());
    }

    #[test]
    fn fairness_is_the_highest_load_of_those_online_over_their_mean() {
        let cso = |open_inquiries, max_open_inquiries, availability| {
            CsoLoad {
                user_id: Uuid::nil(),
                first_name: String::new(),
                last_name: String::new(),
                availability,
                open_inquiries,
                max_open_inquiries,
                load: None,
                throughput: 0,
                answered: 0,
            }
            .with_load()
        };
        let online = |open, max| cso(open, max, Availability::Online);
        assert_eq!(fairness(&[]), None);
        assert_eq!(fairness(&[online(0, 10), online(0, 10)]), None);
        assert_eq!(fairness(&[online(3, 0)]), None, "there is no capacity to measure it by");
        assert_eq!(fairness(&[online(5, 10), online(10, 20)]), Some(1.0));
        assert_eq!(fairness(&[online(3, 4), online(1, 4), online(0, 4), online(0, 0)]), Some(2.25));
        assert_eq!(fairness(&[online(2, 4), cso(4, 4, Availability::Away)]), Some(1.0));
    }
}
