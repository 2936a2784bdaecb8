//! The one way lists are read: filters, order, a page by number or after a cursor, and the total.

use serde::Deserialize;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::db::{Db, failed, read};
use super::dialect::Search;
use crate::domain::Timestamp;
use crate::domain::page::{Page, PageRequest, SortOrder, SortValue, Total};
use crate::error::HubResult;

/// One condition: SQL around bound values.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// `before` value `after`.
    One {
        before: &'static str,
        value: Value,
        after: &'static str,
    },
    /// `column in (values)`, each of which is there once; see [`Condition::any_of`].
    AnyOf {
        column: &'static str,
        values: Vec<Value>,
    },
    Plain(&'static str),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Id(Uuid),
    Time(Timestamp),
    Int(i64),
}

/// Rows of a list that are counted one by one.
const COUNTED: i64 = 1_000;

/// What PostgreSQL's `explain (format json)` says of a query.
#[derive(Deserialize)]
struct Explained {
    #[serde(rename = "Plan")]
    plan: Plan,
}

#[derive(Deserialize)]
struct Plan {
    #[serde(rename = "Plan Rows")]
    rows: f64,
}

/// A list's fixed part. `t` is the table's alias in every text.
pub(super) struct ListSql {
    pub select: &'static str,
    pub from: &'static str,
    pub sorts: &'static [Sort],
}

/// Something a list can be sorted by.
#[derive(Clone, Copy, Debug)]
pub struct Sort {
    /// As the API calls it.
    pub name: &'static str,
    /// Never null, or rows would be lost between two pages.
    pub(super) column: &'static str,
    pub kind: SortKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKind {
    Time,
    Text,
    Int,
}

impl SortKind {
    /// Whether a cursor's value can be compared with the column at all.
    pub fn fits(self, value: &SortValue) -> bool {
        match value {
            SortValue::Time(_) => self == Self::Time,
            SortValue::Text(_) => self == Self::Text,
            SortValue::Int(_) => self == Self::Int,
        }
    }
}

/// Where a page begins, and the order of its rows.
struct Slice {
    after: Option<(SortValue, Uuid)>,
    /// SQL in front of `after`.
    beyond: String,
    order: String,
}

impl Slice {
    fn of(sql: &ListSql, request: &PageRequest) -> Self {
        let column =
            sql.sorts.iter().find(|sort| sort.name == request.sort_by).map_or("t.id", |sort| sort.column);
        let (direction, beyond) = match request.order {
            SortOrder::Asc => ("asc", ">"),
            SortOrder::Desc => ("desc", "<"),
        };
        Self {
            after: request.after.clone(),
            beyond: format!(" and ({column}, t.id) {beyond} ("),
            order: format!(" order by {column} {direction}, t.id {direction}"),
        }
    }
}

impl Condition {
    pub(super) fn with(before: &'static str, value: Value) -> Self {
        Self::One { before, value, after: "" }
    }

    /// None where nothing is asked for.
    pub(super) fn any_of(column: &'static str, asked: impl Iterator<Item = Value>) -> Option<Self> {
        let mut values = Vec::new();
        for value in asked {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        (!values.is_empty()).then_some(Self::AnyOf { column, values })
    }
}

impl From<SortValue> for Value {
    fn from(value: SortValue) -> Self {
        match value {
            SortValue::Time(time) => Self::Time(time),
            SortValue::Text(text) => Self::Text(text),
            SortValue::Int(int) => Self::Int(int),
        }
    }
}

macro_rules! push_value {
    ($query:expr, $value:expr) => {
        match $value {
            Value::Text(text) => $query.push_bind(text),
            Value::Id(id) => $query.push_bind(id),
            Value::Time(time) => $query.push_bind(time),
            Value::Int(int) => $query.push_bind(int),
        }
    };
}

macro_rules! push_from {
    ($query:expr, $sql:expr, $found:expr) => {
        match $found {
            Some(found) => {
                $query.push(found.before).push_bind(found.query.clone()).push(found.after);
            }
            None => {
                $query.push($sql.from);
            }
        }
    };
}

macro_rules! push_conditions {
    ($query:expr, $conditions:expr) => {{
        $query.push(" where true");
        for condition in $conditions {
            $query.push(" and ");
            match condition {
                Condition::Plain(sql) => {
                    $query.push(sql);
                }
                Condition::One { before, value, after } => {
                    $query.push(before);
                    push_value!($query, value);
                    $query.push(after);
                }
                Condition::AnyOf { column, values } => {
                    $query.push(column).push(" in (");
                    for (index, value) in values.into_iter().enumerate() {
                        if index > 0 {
                            $query.push(", ");
                        }
                        push_value!($query, value);
                    }
                    $query.push(")");
                }
            }
        }
    }};
}

macro_rules! push_rows {
    ($query:expr, $sql:expr, $found:expr, $conditions:expr, $slice:expr, $limit:expr) => {{
        let slice: &Slice = $slice;
        $query.push("select ").push($sql.select).push(" from ");
        push_from!($query, $sql, $found);
        push_conditions!($query, $conditions);
        if let Some((value, id)) = slice.after.clone() {
            $query.push(&slice.beyond);
            push_value!($query, Value::from(value));
            $query.push(", ").push_bind(id).push(")");
        }
        $query.push(&slice.order).push(" limit ").push_bind($limit);
    }};
}

/// The same few queries whatever the page: its rows and the total.
pub(super) async fn page<T>(
    db: &Db,
    sql: &ListSql,
    conditions: Vec<Condition>,
    request: &PageRequest,
    key: impl Fn(&T, &str) -> (SortValue, Uuid),
) -> HubResult<Page<T>>
where
    T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    page_of(db, sql, None, conditions, request, key).await
}

/// Like [`page`], of the rows that a search has found.
pub(super) async fn page_of<T>(
    db: &Db,
    sql: &ListSql,
    found: Option<&Search>,
    conditions: Vec<Condition>,
    request: &PageRequest,
    key: impl Fn(&T, &str) -> (SortValue, Uuid),
) -> HubResult<Page<T>>
where
    T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    let slice = Slice::of(sql, request);
    let limit = i64::from(request.limit);
    let offset = match request.after {
        Some(_) => 0,
        None => i64::from(request.page.saturating_sub(1)) * limit,
    };
    let parts = parts(found, &conditions);
    let rows = read!(db, |pool| {
        let mut query = QueryBuilder::new("");
        if let [all] = parts.as_slice() {
            push_rows!(query, sql, found, all.clone(), &slice, limit + 1);
        } else {
            query.push("select * from (");
            for (index, part) in parts.iter().enumerate() {
                query.push(if index == 0 { "select * from (" } else { " union all select * from (" });
                push_rows!(query, sql, found, part.clone(), &slice, offset + limit + 1);
                query.push(") part");
            }
            query.push(") t").push(&slice.order).push(" limit ").push_bind(limit + 1);
        }
        if offset > 0 {
            query.push(" offset ").push_bind(offset);
        }
        query.build_query_as().fetch_all(pool).await
    });
    let rows: Vec<T> = rows.map_err(failed)?;
    // What is all on the first page needs no counting.
    let is_all = request.after.is_none() && request.page <= 1 && rows.len() <= request.limit as usize;
    let total = if is_all {
        Total::Exact(i64::try_from(rows.len()).unwrap_or(i64::MAX))
    } else {
        total(db, sql, found, conditions).await.map_err(failed)?
    };
    Ok(Page::build(request, rows, total, |last| key(last, request.sort_by)))
}

/// The conditions of lists that are all of a list together. Where a condition allows several values, there is a list for
/// each: of one value an index has the rows in order, of several it has not. A search's rows are all read anyway.
fn parts(found: Option<&Search>, conditions: &[Condition]) -> Vec<Vec<Condition>> {
    let several = conditions.iter().enumerate().find_map(|(index, condition)| match condition {
        Condition::AnyOf { column, values } if values.len() > 1 => Some((index, *column, values)),
        _ => None,
    });
    let Some((index, column, values)) = several.filter(|_| found.is_none()) else {
        return vec![conditions.to_vec()];
    };
    let part = |value: &Value| {
        let mut part = conditions.to_vec();
        part[index] = Condition::AnyOf { column, values: vec![value.clone()] };
        part
    };
    values.iter().map(part).collect()
}

/// All rows of a list that does not fit on its first page. SQLite counts them. PostgreSQL, whose tables grow larger and
/// which has to look at each row, is asked first how many it expects: of far more than [`COUNTED`] that must do, so that a
/// page costs the same however long the list is. A search is counted first: its estimates are poor, and it finds all rows
/// before it counts one.
async fn total(
    db: &Db,
    sql: &ListSql,
    found: Option<&Search>,
    conditions: Vec<Condition>,
) -> Result<Total, sqlx::Error> {
    let pool = match db {
        Db::Postgres(pool) => pool,
        Db::Sqlite { reads, .. } => {
            let mut query = QueryBuilder::new("select count(*) from ");
            push_from!(query, sql, found);
            push_conditions!(query, conditions);
            return query.build_query_scalar().fetch_one(reads).await.map(Total::Exact);
        }
    };
    let ask = || expected(pool, sql, found, conditions.clone());
    let known = if found.is_none() { Some(ask().await?) } else { None };
    if let Some(expected) = known.filter(|expected| *expected > COUNTED * 2) {
        return Ok(Total::Estimated(expected));
    }
    let mut query = QueryBuilder::new("select count(*) from (select 1 from ");
    push_from!(query, sql, found);
    push_conditions!(query, conditions.clone());
    query.push(" limit ").push_bind(COUNTED + 1).push(") counted");
    let counted: i64 = query.build_query_scalar().fetch_one(pool).await?;
    if counted <= COUNTED {
        return Ok(Total::Exact(counted));
    }
    let expected = match known {
        Some(expected) => expected,
        None => ask().await?,
    };
    Ok(Total::Estimated(expected.max(counted)))
}

/// As many rows as the planner expects.
async fn expected(
    pool: &PgPool,
    sql: &ListSql,
    found: Option<&Search>,
    conditions: Vec<Condition>,
) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new("explain (format json) select 1 from ");
    push_from!(query, sql, found);
    push_conditions!(query, conditions);
    let plan: Json<Vec<Explained>> = query.build_query_scalar().fetch_one(pool).await?;
    Ok(plan.0.first().map_or(0, |explained| explained.plan.rows as i64))
}
