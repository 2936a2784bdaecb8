//! How domain types travel to and from both engines: enums and timestamps as what they wrap, lists as JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo};
use sqlx::{Database, Decode, Encode, Postgres, Sqlite, Type};

use crate::domain::Timestamp;
use crate::domain::assignment::Reason;
use crate::domain::customer::CustomerStatus;
use crate::domain::dead_letter::{DeadLetterReason, DeadLetterStatus};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::inquiry::{Direction, InquiryStatus, Priority};
use crate::domain::response::{HistoryAction, ResponseStatus};
use crate::domain::trace_parent::TraceParent;
use crate::domain::user::{Availability, Role};
use crate::domain::webhook::WebhookMessageStatus;

macro_rules! through {
    ($type:ty, $repr:ty, |$value:ident| $encode:expr, |$raw:ident| $decode:expr) => {
        impl<DB: Database> Type<DB> for $type
        where
            $repr: Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <$repr as Type<DB>>::type_info()
            }

            fn compatible(info: &DB::TypeInfo) -> bool {
                <$repr as Type<DB>>::compatible(info)
            }
        }

        impl<'q, DB: Database> Encode<'q, DB> for $type
        where
            $repr: Encode<'q, DB>,
        {
            fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
                let $value = *self;
                let repr: $repr = $encode;
                repr.encode(buffer)
            }
        }

        impl<'r, DB: Database> Decode<'r, DB> for $type
        where
            $repr: Decode<'r, DB>,
        {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                let $raw = <$repr as Decode<'r, DB>>::decode(value)?;
                $decode
            }
        }
    };
}

macro_rules! as_text {
    ($($type:ty),+ $(,)?) => {
        $(through!($type, String, |value| value.as_str().to_owned(), |text| Ok(text.parse()?));)+
    };
}

as_text!(
    Availability,
    CustomerStatus,
    DeadLetterReason,
    DeadLetterStatus,
    DeliveryStatus,
    Direction,
    HistoryAction,
    InquiryStatus,
    Reason,
    ResponseStatus,
    Role,
    WebhookMessageStatus,
);

through!(Timestamp, chrono::DateTime<chrono::Utc>, |time| time.utc(), |time| Ok(Self::from_utc(time)));

through!(TraceParent, String, |place| place.to_string(), |text| Ok(text.parse()?));

through!(Priority, i16, |priority| priority.rank(), |rank| {
    Self::from_rank(rank).ok_or_else(|| format!("no priority has rank {rank}").into())
});

/// Moments in their order, as one parameter: an array on PostgreSQL, and on SQLite JSON of texts as its columns have them.
#[derive(Clone, Debug)]
pub(super) struct Moments(pub Vec<Timestamp>);

impl Type<Postgres> for Moments {
    fn type_info() -> PgTypeInfo {
        <Vec<DateTime<Utc>> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Moments {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let times: Vec<_> = self.0.iter().map(|time| time.utc()).collect();
        Encode::<Postgres>::encode(times, buffer)
    }
}

impl Type<Sqlite> for Moments {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Moments {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        let times = self.0.iter().map(|time| time.utc().to_rfc3339_opts(SecondsFormat::AutoSi, false));
        Encode::<Sqlite>::encode(serde_json::to_string(&times.collect::<Vec<_>>())?, buffer)
    }
}

/// Reads a domain type from rows whose columns are named like its fields. Fields after `json` are kept as JSON,
/// those after `optional_json` too and may be null; those after `left_out` are not read and get their default.
macro_rules! from_row {
    ($type:ident { $($field:ident),* $(; json $($json:ident),+)? $(; optional_json $($maybe:ident),+)?
        $(; left_out $($left_out:ident),+)? $(,)? }) => {
        crate::store::bind::from_row!(@on sqlx::postgres::PgRow,
            $type { $($field),* ; $($($json),+)? ; $($($maybe),+)? ; $($($left_out),+)? });
        crate::store::bind::from_row!(@on sqlx::sqlite::SqliteRow,
            $type { $($field),* ; $($($json),+)? ; $($($maybe),+)? ; $($($left_out),+)? });
    };
    (@on $row:ty, $type:ident { $($field:ident),* ; $($json:ident),* ; $($maybe:ident),* ; $($left_out:ident),* }) => {
        impl sqlx::FromRow<'_, $row> for $type {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                use sqlx::Row as _;
                Ok(Self {
                    $($field: row.try_get(stringify!($field))?,)*
                    $($json: row.try_get::<sqlx::types::Json<_>, _>(stringify!($json))?.0,)*
                    $($maybe: row.try_get::<Option<sqlx::types::Json<_>>, _>(stringify!($maybe))?.map(|json| json.0),)*
                    $($left_out: Default::default(),)*
                })
            }
        }
    };
}

pub(super) use from_row;
