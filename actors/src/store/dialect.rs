//! The texts of SQL that must differ between the engines.

use super::db::Db;

/// Full-text search of `table` (aliased `t`), as an SQL condition in two parts around the bound query.
pub(super) struct Search {
    pub before: &'static str,
    pub after: &'static str,
    /// The query in the engine's own syntax, to be bound.
    pub query: String,
}

/// Every word must begin some word of the document. `words` are alphanumeric only (see `domain::search`), so
/// quoting them is enough to keep them from being taken for syntax.
pub(super) fn search(db: &Db, table: Searchable, words: &[String]) -> Search {
    match db {
        Db::Postgres(_) => Search {
            // The parser of to_tsvector would cut the words once more, by its server's notion of a letter.
            before: "array_to_tsvector(string_to_array(t.search, ' ')) @@ cast(",
            after: " as tsquery)",
            query: words.iter().map(|word| format!("'{word}':*")).collect::<Vec<_>>().join(" & "),
        },
        Db::Sqlite { .. } => Search {
            before: match table {
                Searchable::Customers => {
                    "t.seq in (select rowid from customers_search where customers_search match "
                }
                Searchable::Inquiries => {
                    "t.seq in (select rowid from inquiries_search where inquiries_search match "
                }
            },
            after: ")",
            query: words.iter().map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" "),
        },
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Searchable {
    Customers,
    Inquiries,
}

/// Seconds from `earlier` to `later`, two columns, as a double.
pub(super) fn seconds_between(db: &Db) -> &'static str {
    match db {
        Db::Postgres(_) => "extract(epoch from decided_at - submitted_at)::double precision",
        Db::Sqlite { .. } => "(julianday(decided_at) - julianday(submitted_at)) * 86400.0",
    }
}
