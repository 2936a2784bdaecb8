//! Lists: pages by number, and cursors for stable deep paging.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::text_enum::text_enum;

pub const DEFAULT_LIMIT: u32 = 20;
pub const MAX_LIMIT: u32 = 100;

text_enum!(SortOrder { Asc = "asc", Desc = "desc" });

/// Which part of a list is wanted, in which order.
#[derive(Clone, Debug, PartialEq)]
pub struct PageRequest {
    pub limit: u32,
    /// Counts from 1. With a cursor, the number of the page it leads to.
    pub page: u32,
    /// A name the list sorts by.
    pub sort_by: &'static str,
    pub order: SortOrder,
    /// Where the page before ended: the sort value and id of its last row.
    pub after: Option<(SortValue, Uuid)>,
    /// The list's filters in canonical form; every cursor carries them.
    pub filters: String,
}

impl PageRequest {
    /// The beginning of a list without filters, or whose cursors nobody asks for.
    pub fn first(limit: u32, sort_by: &'static str, order: SortOrder) -> Self {
        Self { limit, page: 1, sort_by, order, after: None, filters: String::new() }
    }
}

/// A value rows are sorted by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "v", rename_all = "lowercase")]
pub enum SortValue {
    /// RFC 3339.
    Time(super::Timestamp),
    Text(String),
    Int(i64),
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    pub meta: PageMeta,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageMeta {
    pub page: u32,
    pub limit: u32,
    pub total: i64,
    pub total_pages: i64,
    /// Set where `total` and `totalPages` are estimates, which happens with more than 1,000 entries.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub total_estimated: bool,
    /// Leads to the next page; null on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// How many entries a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    Exact(i64),
    Estimated(i64),
}

/// What a cursor says, opaque to clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    pub filters: String,
    pub sort_by: String,
    pub order: SortOrder,
    pub page: u32,
    pub value: SortValue,
    pub id: Uuid,
}

impl Cursor {
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// `None` for a text no hub made.
    pub fn decode(text: &str) -> Option<Self> {
        let cursor: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let clean = match &cursor.value {
            SortValue::Text(text) => !text.contains('\0'),
            SortValue::Time(_) | SortValue::Int(_) => true,
        };
        clean.then_some(cursor)
    }
}

impl<T> Page<T> {
    /// `rows` holds one row more than the limit when there is a next page; `key` reads what rows are sorted by.
    pub fn build(
        request: &PageRequest,
        mut rows: Vec<T>,
        total: Total,
        key: impl FnOnce(&T) -> (SortValue, Uuid),
    ) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| {
            let (value, id) = key(last);
            Cursor {
                filters: request.filters.clone(),
                sort_by: request.sort_by.to_owned(),
                order: request.order,
                page: request.page.saturating_add(1),
                value,
                id,
            }
            .encode()
        });
        let (total, total_estimated) = match total {
            Total::Exact(total) => (total, false),
            Total::Estimated(total) => (total, true),
        };
        let limit = i64::from(request.limit);
        let meta = PageMeta {
            page: request.page,
            limit: request.limit,
            total,
            total_pages: (total + limit - 1) / limit,
            total_estimated,
            next_cursor,
        };
        Self { data: rows, meta }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_wire_and_garbage_does_not() {
        let cursor = Cursor {
            filters: "status=active".to_owned(),
            sort_by: "email".to_owned(),
            order: SortOrder::Asc,
            page: 2,
            value: SortValue::Text("ada@example.com".to_owned()),
            id: Uuid::nil(),
        };
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        for garbage in ["", "!!", "e30", "bnVsbA"] {
            assert_eq!(Cursor::decode(garbage), None);
        }
    }
}
