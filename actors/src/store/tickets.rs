//! Tickets: each opens one stream, once, for the session it was given to.

use actix::{Handler, Message, ResponseFuture};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use super::cache::Storage;
use super::db::write_one;
use crate::domain::Timestamp;
use crate::error::HubResult;

store_actor!(
    /// Keeps tickets until they are used.
    TicketStore
);

/// `hash`: SHA-256 of the ticket, in hex.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct KeepTicket {
    pub hash: String,
    pub session_id: Uuid,
    pub expires_at: Timestamp,
}

/// The session it was given to. It is spent: of any number at once, one gets it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Option<Uuid>>")]
pub struct SpendTicket {
    pub hash: String,
    pub now: Timestamp,
}

/// Forgets tickets that nobody used in time.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ForgetTickets {
    pub now: Timestamp,
}

impl Handler<KeepTicket> for TicketStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, ticket: KeepTicket, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "insert into tickets (hash, session_id, expires_at) values ($1, $2, $3)";
            write_one!(db, |connection| query(SQL)
                .bind(&ticket.hash)
                .bind(ticket.session_id)
                .bind(ticket.expires_at)
                .execute(connection)
                .await
                .map(drop))
        })
    }
}

impl Handler<SpendTicket> for TicketStore {
    type Result = ResponseFuture<HubResult<Option<Uuid>>>;

    fn handle(&mut self, SpendTicket { hash, now }: SpendTicket, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "delete from tickets where hash = $1 and expires_at > $2 returning session_id";
            write_one!(db, |connection| query_scalar(SQL)
                .bind(&hash)
                .bind(now)
                .fetch_optional(connection)
                .await)
        })
    }
}

impl Handler<ForgetTickets> for TicketStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, ForgetTickets { now }: ForgetTickets, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "delete from tickets where expires_at <= $1";
            write_one!(db, |connection| query(SQL).bind(now).execute(connection).await.map(drop))
        })
    }
}
