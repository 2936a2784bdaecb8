//! Persistence actors: the only place that knows of SQL. One text of SQL serves both engines; the few that
//! must differ are in `dialect`.

/// A persistence actor: its handlers run side by side, as many as the pool has connections.
macro_rules! store_actor {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        pub struct $name {
            storage: Storage,
        }

        impl $name {
            pub fn new(storage: Storage) -> Self {
                Self { storage }
            }
        }

        impl actix::Actor for $name {
            type Context = actix::Context<Self>;
        }

        impl actix::Supervised for $name {}

        $crate::follows_traces!($name);
    };
}

/// Names the columns of a table with the alias `t`, for `concat!`: `columns!(user_columns = "t.id, …")`. One by one,
/// because PostgreSQL refuses a prepared statement whose `*` a migration has widened meanwhile.
macro_rules! columns {
    ($name:ident = $columns:literal) => {
        macro_rules! $name {
            () => {
                $columns
            };
        }
    };
}

mod bind;
mod bulk;
pub mod cache;
mod commit;
mod db;
mod dialect;
mod list;

pub mod api_keys;
pub mod audit;
pub mod customers;
pub mod dead_letters;
pub mod deliveries;
pub mod idempotency;
pub mod inquiries;
pub mod intake;
pub mod notifications;
pub mod outbox;
pub mod responses;
pub mod sessions;
pub mod stats;
pub mod tickets;
pub mod users;
pub mod webhooks;

pub use cache::Storage;
pub use commit::{Commit, LoadRule, Write, Writer};
pub use db::{Connections, Db, DbSettings, server_of};
pub use list::{Sort, SortKind};
