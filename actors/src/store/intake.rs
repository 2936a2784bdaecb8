//! What must be known to take a channel's message in.

use actix::{Handler, Message, ResponseFuture};
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;

use super::cache::Storage;
use super::commit::Work;
use super::db::{failed, read, write_tx};
use crate::domain::Timestamp;
use crate::domain::customer::{Customer, email_key};
use crate::domain::inquiry::Inquiry;
use crate::error::{HubError, HubResult};

store_actor!(
    /// Looks up what an inbound message belongs to.
    IntakeStore
);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Belonging>")]
pub struct FindBelonging {
    pub channel: String,
    pub external_id: Option<String>,
    pub thread_id: Option<String>,
    pub email: String,
}

#[derive(Debug, Default)]
pub struct Belonging {
    /// The inquiry this very message was taken into before.
    pub taken_into: Option<Uuid>,
    pub customer: Option<Customer>,
    /// The inquiry whose conversation it continues.
    pub thread: Option<Inquiry>,
}

impl Handler<FindBelonging> for IntakeStore {
    type Result = ResponseFuture<HubResult<Belonging>>;

    fn handle(&mut self, find: FindBelonging, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const INBOX: &str = "select inquiry_id from inbox where channel = $1 and external_id = $2";
            const CUSTOMER: &str = "select * from customers where email_key = $1 and deleted_at is null";
            const THREAD: &str = "select * from inquiries where channel = $1 and thread_id = $2 and customer_id = $3 \
                order by created_at desc, id desc limit 1";
            let mut belonging = Belonging::default();
            if let Some(external_id) = &find.external_id {
                belonging.taken_into = read!(&db, |pool| query_scalar(INBOX)
                    .bind(&find.channel)
                    .bind(external_id)
                    .fetch_optional(pool)
                    .await)
                .map_err(failed)?;
                if belonging.taken_into.is_some() {
                    return Ok(belonging);
                }
            }
            let key = email_key(&find.email);
            belonging.customer = read!(&db, |pool| query_as(CUSTOMER).bind(&key).fetch_optional(pool).await)
                .map_err(failed)?;
            if let (Some(customer), Some(thread_id)) = (&belonging.customer, &find.thread_id) {
                belonging.thread = read!(&db, |pool| query_as(THREAD)
                    .bind(&find.channel)
                    .bind(thread_id)
                    .bind(customer.id)
                    .fetch_optional(pool)
                    .await)
                .map_err(failed)?;
            }
            Ok(belonging)
        })
    }
}

/// `Contended` when the message was taken in meanwhile: looking again will show it.
pub(super) async fn insert(
    work: &mut Work,
    channel: &str,
    external_id: &str,
    inquiry_id: Uuid,
    at: Timestamp,
) -> HubResult<()> {
    const SQL: &str =
        "insert into inbox (channel, external_id, inquiry_id, created_at) values ($1, $2, $3, $4)";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(channel)
        .bind(external_id)
        .bind(inquiry_id)
        .bind(at)
        .execute(connection)
        .await
        .map(drop))
    .map_err(|error| match error.as_database_error() {
        Some(database) if database.is_unique_violation() => HubError::Contended,
        Some(_) | None => failed(error),
    })
}
