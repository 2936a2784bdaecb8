//! Values as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::http::listed;

/// A humantime text, or a bare number of seconds.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Seconds(u64),
        Text(String),
    }
    match Given::deserialize(deserializer)? {
        Given::Seconds(seconds) => Ok(Duration::from_secs(seconds)),
        Given::Text(text) => match text.trim().parse() {
            Ok(seconds) => Ok(Duration::from_secs(seconds)),
            Err(_) => humantime::parse_duration(&text).map_err(|error| {
                serde::de::Error::custom(format!("{text:?} is no duration such as 15m: {error}"))
            }),
        },
    }
}

/// Values separated by commas.
pub(super) fn parts<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    listed(&text)
        .map(|part| part.parse().map_err(|error| serde::de::Error::custom(format!("{part:?} {error}"))))
        .collect()
}

/// A list; in a variable, as JSON.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let given = serde_json::Value::deserialize(deserializer)?;
    let entries = match given {
        serde_json::Value::String(text) => serde_json::from_str(&text).map_err(serde::de::Error::custom)?,
        entries => entries,
    };
    serde_json::from_value(entries).map_err(serde::de::Error::custom)
}
