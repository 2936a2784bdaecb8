//! The texts of SQL that must differ between the engines.

use super::db::{Db, Tx};

/// The rows of one table that hold all the words, aliased `t`: what to select from, in two parts around the bound query.
pub(super) struct Search {
    pub before: &'static str,
    pub after: &'static str,
    /// The query in the engine's own syntax, to be bound.
    pub query: String,
}

/// Every word must begin some word of the document. `words` are alphanumeric only (see `domain::search`), so
/// quoting them is enough to keep them from being taken for syntax.
pub(super) fn search(db: &Db, table: Searchable, words: &[String]) -> Search {
    // On PostgreSQL, `offset 0` keeps the planner from reading the table in the list's order instead, until enough rows
    // happen to match; and the parser of to_tsvector would cut the words once more, by its server's notion of a letter.
    match db {
        Db::Postgres(_) => Search {
            before: match table {
                Searchable::Customers => {
                    "(select * from customers where array_to_tsvector(string_to_array(search, ' ')) @@ cast("
                }
                Searchable::Inquiries => {
                    "(select * from inquiries where array_to_tsvector(string_to_array(search, ' ')) @@ cast("
                }
            },
            after: " as tsquery) offset 0) t",
            query: words.iter().map(|word| format!("'{word}':*")).collect::<Vec<_>>().join(" & "),
        },
        Db::Sqlite { .. } => Search {
            before: match table {
                Searchable::Customers => {
                    "(select * from customers where seq in \
                     (select rowid from customers_search where customers_search match "
                }
                Searchable::Inquiries => {
                    "(select * from inquiries where seq in \
                     (select rowid from inquiries_search where inquiries_search match "
                }
            },
            after: ")) t",
            query: words.iter().map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" "),
        },
    }
}

/// What has waited longest in the outbox. PostgreSQL locks the rows and passes over those another instance has locked.
pub(super) fn claim_outbox(db: &Db) -> &'static str {
    match db {
        Db::Postgres(_) => {
            "select seq, id, created_at, event_type, entity_id, kind, data, trace from outbox order by seq limit $1 \
             for update skip locked"
        }
        Db::Sqlite { .. } => {
            "select seq, id, created_at, event_type, entity_id, kind, data, trace from outbox order by seq limit $1"
        }
    }
}

/// Of one endpoint's messages, those that have been due longest, due again later. PostgreSQL passes over those another
/// instance is claiming.
pub(super) fn claim_webhook_messages(db: &Db) -> &'static str {
    match db {
        Db::Postgres(_) => {
            "update webhook_messages set next_attempt_at = $4 where id in (select id from webhook_messages \
             where webhook_id = $1 and next_attempt_at <= $2 order by next_attempt_at, id limit $3 \
             for update skip locked) returning id, webhook_id, created_at, event_id, event_type, body, status, \
             attempts, failures, next_attempt_at"
        }
        Db::Sqlite { .. } => {
            "update webhook_messages set next_attempt_at = $4 where id in (select id from webhook_messages \
             where webhook_id = $1 and next_attempt_at <= $2 order by next_attempt_at, id limit $3) returning id, \
             webhook_id, created_at, event_id, event_type, body, status, attempts, failures, next_attempt_at"
        }
    }
}

/// Lets one transaction at a time number notifications, until it ends. On SQLite there is only one that writes anyway.
pub(super) fn numbering_lock(db: &Db) -> Option<&'static str> {
    match db {
        // "nexus_nn" as a number, a key that nothing else here locks.
        Db::Postgres(_) => Some("select pg_advisory_xact_lock(7954896762661989998)"),
        Db::Sqlite { .. } => None,
    }
}

/// Whether this transaction is the one that seals audit entries, until it ends. On SQLite there is only one that writes
/// anyway.
pub(super) fn sealing_lock(db: &Db) -> Option<&'static str> {
    match db {
        // "nexus_as" as a number, a key that nothing else here locks.
        Db::Postgres(_) => Some("select pg_try_advisory_xact_lock(7954896762661986675)"),
        Db::Sqlite { .. } => None,
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Searchable {
    Customers,
    Inquiries,
}

/// Reads a load and holds on to it until the transaction ends. On SQLite only one transaction writes anyway.
pub(super) fn lock_load(db: &Db) -> &'static str {
    match db {
        Db::Postgres(_) => "select open from cso_loads where user_id = $1 for update",
        Db::Sqlite { .. } => "select open from cso_loads where user_id = $1",
    }
}

/// Keeps others from changing an inquiry until the transaction ends; several can hold it. On SQLite only one
/// transaction writes anyway.
pub(super) fn hold_inquiry(tx: &Tx) -> Option<&'static str> {
    match tx {
        Tx::Postgres(_) => Some("select 1 from inquiries where id = $1 for share"),
        Tx::Sqlite(_) => None,
    }
}

/// From one column to another, in whole milliseconds.
pub(super) fn millis_between(db: &Db, from: &str, to: &str) -> String {
    match db {
        Db::Postgres(_) => format!("cast(extract(epoch from {to} - {from}) * 1000 as bigint)"),
        // Days as a double are exact to some 40 microseconds.
        Db::Sqlite { .. } => {
            format!("cast(round((julianday({to}) - julianday({from})) * 86400000.0) as integer)")
        }
    }
}

/// Days of which the beginnings are bound, the end of the last one behind them: what to select from, in two parts around
/// that parameter. They are numbered from 0, and have a `since` and an `until`, which is null behind the last one.
pub(super) fn days(db: &Db) -> (&'static str, &'static str) {
    match db {
        Db::Postgres(_) => (
            "(select nth - 1 as day, since, lead(since) over (order by nth) as until from unnest(cast(",
            " as timestamptz[])) with ordinality as moments (since, nth)) days",
        ),
        Db::Sqlite { .. } => (
            "(select key as day, value as since, lead(value) over (order by key) as until from json_each(",
            ")) days",
        ),
    }
}

/// A column that rows are held against, and not found by: SQLite takes an index for it, however good another one is.
pub(super) fn not_by_index(db: &Db, column: &str) -> String {
    match db {
        Db::Postgres(_) => column.to_owned(),
        Db::Sqlite { .. } => format!("+{column}"),
    }
}
