//! Figures day by day, where a day is what the calendar of a zone calls one: 23 or 25 hours of it now and then.

use chrono::{Datelike, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Inflow, LONGEST, StatsRange, Times};
use crate::domain::Timestamp;

/// `GET /stats/daily`. A CSO sees figures of their own work only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DailyStats {
    pub range: StatsRange,
    /// The zone whose calendar the days are of, by its IANA name.
    pub zone: String,
    /// In their order; those on which nothing happened as well.
    pub days: Vec<DayStats>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayStats {
    #[serde(flatten)]
    pub day: Day,
    pub inflow: Inflow,
    /// Of inquiries first answered on this day.
    pub time_to_first_response: Times,
    /// Of decisions on this day.
    pub time_to_decision: Times,
}

/// A calendar day, as far as it is within the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Day {
    pub date: NaiveDate,
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
}

impl StatsRange {
    /// From the first to the last moment of these days; `None` where they are not in order, or too many.
    pub fn of_days(first: NaiveDate, last: NaiveDate, zone: Tz) -> Option<Self> {
        // A day ends with the beginning of the next one, which has to be a time that can be written.
        let sound = |date: NaiveDate| (1..9999).contains(&date.year());
        let days = u64::try_from((last - first).num_days()).ok()?;
        if !sound(first) || !sound(last) || days >= LONGEST.as_secs() / super::DAY.as_secs() {
            return None;
        }
        Some(Self { from: start_of(first, zone)?, to: start_of(last.succ_opt()?, zone)? })
    }

    /// Every day that some of the range is in, without a gap between them.
    pub fn days(self, zone: Tz) -> Vec<Day> {
        let mut days = Vec::new();
        let mut from = self.from;
        let mut date = from.utc().with_timezone(&zone).date_naive();
        while from < self.to {
            let next = date.succ_opt();
            let start = next.and_then(|next| start_of(next, zone)).unwrap_or(self.to);
            let to = start.min(self.to);
            // Where a zone has changed sides of the date line, a date has no time at all.
            if from < to {
                days.push(Day { date, from, to });
                from = to;
            }
            date = next.unwrap_or(date);
        }
        days
    }
}

/// The first moment of a day: midnight, the first one where clocks are put back over it, and where it is left out, what
/// comes in its place.
fn start_of(date: NaiveDate, zone: Tz) -> Option<Timestamp> {
    let midnight = date.and_time(NaiveTime::MIN);
    let first = zone.from_local_datetime(&midnight).earliest();
    let first = first.or_else(|| GapInfo::new(&midnight, &zone)?.end)?;
    Some(Timestamp::from_utc(first.to_utc()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn days(from: &str, to: &str, zone: Tz) -> Vec<Day> {
        StatsRange { from: time(from), to: time(to) }.days(zone)
    }

    /// Dates with the hours each has.
    fn hours(first: &str, last: &str, zone: Tz) -> Vec<(String, i64)> {
        let range = StatsRange::of_days(date(first), date(last), zone).unwrap();
        let hours = |day: Day| (day.to.millis() - day.from.millis()) / 3_600_000;
        range.days(zone).into_iter().map(|day| (day.date.to_string(), hours(day))).collect()
    }

    #[test]
    fn the_first_and_the_last_day_are_as_long_as_the_range_has_of_them() {
        assert_eq!(days("2026-05-01T12:00:00Z", "2026-05-01T12:00:00Z", Tz::UTC), []);
        let two = days("2026-05-01T22:30:00Z", "2026-05-02T22:00:00.001Z", Tz::Europe__Berlin);
        let day =
            |date_: &str, from: &str, to: &str| Day { date: date(date_), from: time(from), to: time(to) };
        assert_eq!(
            two,
            [
                day("2026-05-02", "2026-05-01T22:30:00Z", "2026-05-02T22:00:00Z"),
                day("2026-05-03", "2026-05-02T22:00:00Z", "2026-05-02T22:00:00.001Z"),
            ]
        );
    }

    #[test]
    fn days_on_which_clocks_are_changed_are_shorter_or_longer() {
        for (first, last, zone, expected) in [
            ("2026-03-28", "2026-03-30", Tz::Europe__Berlin, [24, 23, 24].as_slice()),
            ("2026-10-24", "2026-10-26", Tz::Europe__Berlin, &[24, 25, 24]),
            ("2026-03-07", "2026-03-09", Tz::America__New_York, &[24, 23, 24]),
            // At midnight: 00:00 is left out, or 23:00 comes twice, or 00:00 does.
            ("2017-10-14", "2017-10-16", Tz::America__Sao_Paulo, &[24, 23, 24]),
            ("2017-02-17", "2017-02-19", Tz::America__Sao_Paulo, &[24, 25, 24]),
            ("2026-10-31", "2026-11-02", Tz::America__Havana, &[24, 25, 24]),
            ("2026-05-01", "2026-05-02", Tz::Asia__Kathmandu, &[24, 24]),
        ] {
            let found: Vec<i64> = hours(first, last, zone).into_iter().map(|(_, hours)| hours).collect();
            assert_eq!(found, expected, "{first} in {zone}");
        }
        // Samoa went without this one.
        let samoa = hours("2011-12-29", "2011-12-31", Tz::Pacific__Apia);
        assert_eq!(samoa, [("2011-12-29".to_owned(), 24), ("2011-12-31".to_owned(), 24)]);
    }

    #[test]
    fn a_range_of_days_is_in_order_and_not_too_long() {
        let range = |first, last| StatsRange::of_days(date(first), date(last), Tz::Europe__Berlin);
        assert_eq!(range("2026-05-02", "2026-05-01"), None);
        assert_eq!(range("2026-05-01", "2027-05-02"), None);
        assert_eq!(range("2026-05-01", "2027-05-01").unwrap().days(Tz::Europe__Berlin).len(), 366);
        for beyond in ["0000-05-01", "9999-05-01", "-0001-05-01", "+12345-05-01"] {
            assert_eq!(range(beyond, beyond), None, "{beyond}");
        }
        let one = range("2026-05-01", "2026-05-01").unwrap();
        assert_eq!(one, StatsRange { from: time("2026-04-30T22:00:00Z"), to: time("2026-05-01T22:00:00Z") });
    }

    proptest! {
        /// Held against the calendar itself: what clocks show at any moment is the date it is counted under, but for
        /// the minutes that clocks put back over midnight show once more.
        #[test]
        fn every_moment_is_in_the_day_that_clocks_show(
            zone in 0..chrono_tz::TZ_VARIANTS.len(), from in 0_i64..4_000_000_000_000, length in 1_i64..90 * 86_400_000,
            at in 0.0..1.0,
        ) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let at_millis = |millis| Timestamp::from_utc(chrono::DateTime::from_timestamp_millis(millis).unwrap());
            let range = StatsRange { from: at_millis(from), to: at_millis(from + length) };
            let days = range.days(zone);
            prop_assert_eq!(days.first().unwrap().from, range.from);
            prop_assert_eq!(days.last().unwrap().to, range.to);
            prop_assert!(days.windows(2).all(|two| two[0].to == two[1].from && two[0].date < two[1].date));
            let moment = at_millis(from + (length as f64 * at) as i64);
            let day = days.iter().find(|day| day.from <= moment && moment < day.to).unwrap();
            let shown = moment.utc().with_timezone(&zone).date_naive();
            prop_assert!(day.date == shown || day.date.pred_opt() == Some(shown), "{:?} {}", day, shown);
        }
    }
}
