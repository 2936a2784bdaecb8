use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Timestamp;

/// One line of the audit trail, as `GET /audit` shows it. Written once, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    pub id: Uuid,
    pub created_at: Timestamp,
    /// What happened, as in `response.approved`.
    pub action: String,
    pub entity_type: String,
    pub entity_id: Uuid,
    /// Who did it; null when the hub acted by itself.
    #[schema(required)]
    pub actor_id: Option<Uuid>,
    #[schema(required)]
    pub request_id: Option<String>,
    /// Field by field, `{"from": …, "to": …}`.
    pub changes: Map<String, Value>,
}

/// One link of the chain over the audit trail. Written `NUMBER:HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// From 1, without gaps.
    pub number: i64,
    /// SHA-256 in hex.
    pub hash: String,
}

impl Link {
    /// What the first link goes behind.
    pub fn origin() -> Self {
        Self { number: 0, hash: "0".repeat(64) }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl FromStr for Link {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let link = text.split_once(':').and_then(|(number, hash)| {
            let number = number.parse().ok().filter(|number| *number > 0)?;
            let is_hash =
                hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            is_hash.then(|| Self { number, hash: hash.to_owned() })
        });
        link.ok_or("must be NUMBER:HASH, as `audit verify` prints it")
    }
}

/// An audit trail that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its newest link.
    pub head: Link,
    /// Entries that have no link yet.
    pub waiting: i64,
}

/// The first place where an audit trail does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("link {0} is gone")]
    NoSuchLink(i64),
    #[error("entry {entry} of link {number} is gone")]
    Gone { number: i64, entry: Uuid },
    #[error("entry {entry} is not what link {number} was made of")]
    Altered { number: i64, entry: Uuid },
    #[error("link {0} is another one than was noted")]
    OtherThanNoted(i64),
    #[error("it ends at link {ends}, and link {noted} was noted")]
    EndsBeforeNoted { ends: i64, noted: i64 },
    #[error("entry {0} was put in or taken out past the chain")]
    LeftOut(Uuid),
}
