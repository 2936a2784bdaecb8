//! Many rows in few statements.

use uuid::Uuid;

/// Rows a statement has. Few sizes, so that each connection prepares few statements and uses them again.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// The rows in portions of these sizes, in order.
pub(super) fn portions<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|&size| size <= rest.len())?;
        let (portion, after) = rest.split_at(size);
        rest = after;
        Some(portion)
    })
}

/// The ids, the last of them again until there are as many as a statement has, or a multiple of the most: for one that has
/// to look for all at once. Of none, one that nothing has.
pub(super) fn filled(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    let size = SIZES.into_iter().rev().find(|&size| ids.len() <= size);
    let filled = size.unwrap_or_else(|| ids.len().next_multiple_of(SIZES[0]));
    let last = ids.last().copied().unwrap_or_default();
    ids.resize(filled, last);
    ids
}

/// `insert_rows!(tx, "table (columns)", rows, |row, values| values.push_bind(row.id)...)`, rows being a slice.
macro_rules! insert_rows {
    ($tx:expr, $into:literal, $rows:expr, |$row:ident, $values:ident| $push:expr) => {
        async {
            for portion in $crate::store::bulk::portions($rows) {
                $crate::store::db::write_tx!($tx, |connection| {
                    let mut query = sqlx::QueryBuilder::new(concat!("insert into ", $into, " "));
                    query.push_values(portion, |mut $values, $row| {
                        $push;
                    });
                    query.build().execute(connection).await.map(drop)
                })?;
            }
            Ok::<(), sqlx::Error>(())
        }
        .await
    };
}

/// The rest of `column in (`: the values, and the parenthesis.
macro_rules! push_ids {
    ($query:expr, $ids:expr) => {{
        let mut list = $query.separated(", ");
        for id in $ids {
            list.push_bind(*id);
        }
        $query.push(")");
    }};
}

/// What a `select … in (` finds for all of these ids: `read_by_ids!(db, "select … in (", ids)`, ids being a slice.
macro_rules! read_by_ids {
    ($db:expr, $select:expr, $ids:expr) => {
        async {
            let mut found = Vec::new();
            for portion in $crate::store::bulk::portions($ids) {
                let mut some: Vec<_> = $crate::store::db::read!($db, |pool| {
                    let mut query = sqlx::QueryBuilder::new($select);
                    $crate::store::bulk::push_ids!(query, portion);
                    query.build_query_as().fetch_all(pool).await
                })
                .map_err($crate::store::db::failed)?;
                found.append(&mut some);
            }
            $crate::error::HubResult::Ok(found)
        }
        .await
    };
}

pub(super) use {insert_rows, push_ids, read_by_ids};

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{filled, portions};

    #[test]
    fn portions_hold_every_row_once_in_order() {
        for count in [0, 1, 3, 4, 5, 63, 64, 100, 300, 1000] {
            let rows: Vec<_> = (0..count).collect();
            let again: Vec<_> = portions(&rows).flatten().copied().collect();
            assert_eq!(again, rows);
        }
        let sizes: Vec<_> = portions(&[(); 87]).map(<[()]>::len).collect();
        assert_eq!(sizes, [64, 16, 4, 1, 1, 1]);
    }

    #[test]
    fn filled_up_ids_are_the_same_ids() {
        for (count, size) in [(0, 1), (1, 1), (2, 4), (64, 64), (65, 256), (257, 512)] {
            let ids: Vec<_> = (1..=count).map(Uuid::from_u128).collect();
            let mut again = filled(ids.clone());
            assert_eq!(again.len(), size);
            again.dedup();
            again.retain(|id| !id.is_nil());
            assert_eq!(again, ids);
        }
    }
}
