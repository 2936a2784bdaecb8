//! When the demo's desk works, on weekdays from 8 to 18 UTC, and when customers write.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveTime, TimeDelta, Timelike, Utc};
use nexus_actors::domain::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;

const OPENS: u8 = 8;
const CLOSES: u8 = 18;

/// The time itself while the desk is open, else some time in the first hour of its next day.
pub fn working(time: Timestamp, rng: &mut StdRng) -> Timestamp {
    let utc = time.utc();
    if is_weekday(utc) && (u32::from(OPENS)..u32::from(CLOSES)).contains(&utc.hour()) {
        return time;
    }
    let midnight = utc.date_naive().and_time(NaiveTime::MIN).and_utc();
    let mut opening = midnight + TimeDelta::hours(OPENS.into());
    while opening < utc || !is_weekday(opening) {
        opening = opening + Days::new(1);
    }
    Timestamp::from_utc(opening).plus(minutes(1..=60, rng))
}

/// About this time, but when people write: now and then in the evening or at the weekend, mostly when the desk is
/// open.
pub fn writing(time: Timestamp, rng: &mut StdRng) -> Timestamp {
    let utc = time.utc();
    let mut day = utc;
    while !is_weekday(day) && rng.random_bool(0.8) {
        day = utc - TimeDelta::days(3) + TimeDelta::days(rng.random_range(0..=6));
    }
    let from_7_to_23 = 7 * 60..=23 * 60;
    let while_open = u64::from(OPENS) * 60..=u64::from(CLOSES) * 60;
    let time_of_day = minutes(if rng.random_bool(0.2) { from_7_to_23 } else { while_open }, rng);
    Timestamp::from_utc(day.date_naive().and_time(NaiveTime::MIN).and_utc()).plus(time_of_day)
}

/// A length of time between so many minutes, to the millisecond: people do not act on the full minute.
pub fn minutes(range: RangeInclusive<u64>, rng: &mut StdRng) -> Duration {
    Duration::from_millis(rng.random_range(range.start() * 60_000..=range.end() * 60_000))
}

fn is_weekday(time: DateTime<Utc>) -> bool {
    time.weekday().number_from_monday() <= 5
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn worked(time: &str) -> String {
        working(Timestamp::parse(time).unwrap(), &mut StdRng::seed_from_u64(1)).to_string()[..13].to_owned()
    }

    #[test]
    fn nights_and_weekends_are_skipped() {
        assert_eq!(worked("2026-11-18T11:30:00Z"), "2026-11-18T11");
        assert_eq!(worked("2026-11-18T03:30:00Z"), "2026-11-18T08");
        assert_eq!(worked("2026-11-18T18:00:00Z"), "2026-11-19T08");
        assert_eq!(worked("2026-11-20T19:00:00Z"), "2026-11-23T08");
        assert_eq!(worked("2026-11-22T12:00:00Z"), "2026-11-23T08");
    }
}
