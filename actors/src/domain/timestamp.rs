use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in UTC, whole milliseconds, written as RFC 3339 with exactly three decimals.
///
/// Milliseconds because the two database engines keep different precisions below that, and an entity must
/// read back as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Drops what is finer than a millisecond.
    pub fn from_utc(time: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time))
    }

    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        let duration = chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::MAX);
        Self(self.0.checked_add_signed(duration).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    #[must_use]
    pub fn minus(self, duration: std::time::Duration) -> Self {
        let duration = chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::MAX);
        Self(self.0.checked_sub_signed(duration).unwrap_or(DateTime::<Utc>::MIN_UTC))
    }

    /// Parses RFC 3339, with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().and_then(|time| Self::within_range(time.to_utc()))
    }

    /// The years 0 to 9999: what RFC 3339 can write. PostgreSQL refuses years far beyond, and SQLite, which keeps
    /// texts, puts them in the wrong order.
    fn within_range(time: DateTime<Utc>) -> Option<Self> {
        (0..=9999).contains(&time.year()).then(|| Self::from_utc(time))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let time = DateTime::<Utc>::deserialize(deserializer)?;
        Self::within_range(time)
            .ok_or_else(|| serde::de::Error::custom("the year must be between 0 and 9999"))
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_exactly_three_decimals() {
        let time = Timestamp::parse("2026-01-02T03:04:05+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-01-02T02:04:05.000Z");
        let time = Timestamp::parse("2026-01-02T03:04:05.123999Z").unwrap();
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-01-02T03:04:05.123Z\"");
    }
}
