//! What must be known to take a channel's messages in.

use std::collections::HashMap;

use actix::{Handler, Message, ResponseFuture};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{insert_rows, portions};
use super::cache::Storage;
use super::commit::Work;
use super::customers::customer_columns;
use super::db::{Db, failed, read};
use super::inquiries::inquiry_columns;
use crate::domain::Timestamp;
use crate::domain::customer::{Customer, email_key};
use crate::domain::inquiry::Inquiry;
use crate::error::{HubError, HubResult};

store_actor!(
    /// Looks up what inbound messages belong to.
    IntakeStore
);

/// What a channel has brought before, and who and what its messages belong to. In a fixed number of statements for
/// every 64 messages.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Belongings>")]
pub struct FindBelongings(pub Vec<Sought>);

/// What one message says of itself.
#[derive(Clone, Debug)]
pub struct Sought {
    pub channel: String,
    pub identity: Option<String>,
    pub thread_id: Option<String>,
    pub email: String,
}

#[derive(Debug, Default)]
pub struct Belongings {
    /// By channel and identity: the inquiry a message was taken into before.
    pub taken: HashMap<(String, String), Uuid>,
    /// By [`email_key`].
    pub customers: HashMap<String, Customer>,
    /// By channel, thread and customer: the inquiry whose conversation it is.
    pub threads: HashMap<(String, String, Uuid), Inquiry>,
}

impl Handler<FindBelongings> for IntakeStore {
    type Result = ResponseFuture<HubResult<Belongings>>;

    fn handle(&mut self, FindBelongings(sought): FindBelongings, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let mut found = Belongings::default();
            for portion in portions(&sought) {
                find_taken(&db, portion, &mut found).await?;
                find_customers(&db, portion, &mut found).await?;
                find_threads(&db, portion, &mut found).await?;
            }
            Ok(found)
        })
    }
}

async fn find_taken(db: &Db, sought: &[Sought], found: &mut Belongings) -> HubResult<()> {
    let identities: Vec<_> = sought
        .iter()
        .filter_map(|one| one.identity.as_ref().map(|identity| (&one.channel, identity)))
        .collect();
    for portion in portions(&identities) {
        let taken: Vec<(String, String, Uuid)> = read!(db, |pool| {
            let mut query = QueryBuilder::new("with wanted (channel, external_id) as (");
            query.push_values(portion, |mut values, (channel, identity)| {
                values.push_bind(channel.as_str()).push_bind(identity.as_str());
            });
            query.push(
                ") select i.channel, i.external_id, i.inquiry_id from wanted w \
                 join inbox i on i.channel = w.channel and i.external_id = w.external_id",
            );
            query.build_query_as().fetch_all(pool).await
        })
        .map_err(failed)?;
        found.taken.extend(taken.into_iter().map(|(channel, identity, id)| ((channel, identity), id)));
    }
    Ok(())
}

async fn find_customers(db: &Db, sought: &[Sought], found: &mut Belongings) -> HubResult<()> {
    let keys: Vec<String> = sought.iter().map(|one| email_key(&one.email)).collect();
    let customers: Vec<Customer> = read!(db, |pool| {
        let mut query = QueryBuilder::new("with wanted (email_key) as (");
        query.push_values(&keys, |mut values, key| {
            values.push_bind(key.as_str());
        });
        query.push(concat!(
            ") select ",
            customer_columns!(),
            " from wanted w join customers t on t.email_key = w.email_key and t.deleted_at is null"
        ));
        query.build_query_as().fetch_all(pool).await
    })
    .map_err(failed)?;
    found.customers.extend(customers.into_iter().map(|customer| (email_key(&customer.email), customer)));
    Ok(())
}

async fn find_threads(db: &Db, sought: &[Sought], found: &mut Belongings) -> HubResult<()> {
    let threads: Vec<_> = sought
        .iter()
        .filter_map(|one| {
            let customer = found.customers.get(&email_key(&one.email))?;
            Some((one.channel.clone(), one.thread_id.clone()?, customer.id))
        })
        .collect();
    for portion in portions(&threads) {
        // Of several inquiries the youngest is kept: it comes last.
        let inquiries: Vec<Inquiry> = read!(db, |pool| {
            let mut query = QueryBuilder::new("with wanted (channel, thread_id, customer_id) as (");
            query.push_values(portion, |mut values, (channel, thread_id, customer_id)| {
                values.push_bind(channel.as_str()).push_bind(thread_id.as_str()).push_bind(*customer_id);
            });
            query.push(concat!(
                ") select ",
                inquiry_columns!(),
                " from wanted w join inquiries t on t.channel = w.channel and t.thread_id = w.thread_id \
                 and t.customer_id = w.customer_id order by t.created_at, t.id"
            ));
            query.build_query_as().fetch_all(pool).await
        })
        .map_err(failed)?;
        for inquiry in inquiries {
            let Some(thread_id) = inquiry.thread_id.clone() else { continue };
            found.threads.insert((inquiry.channel.clone(), thread_id, inquiry.customer_id), inquiry);
        }
    }
    Ok(())
}

/// A message of a channel that was taken in.
#[derive(Clone, Debug)]
pub struct InboxEntry {
    pub channel: String,
    pub identity: String,
    pub inquiry_id: Uuid,
    pub at: Timestamp,
}

/// `Contended` when one was taken in meanwhile: looking again will show it.
pub(super) async fn insert(work: &mut Work, entries: &[&InboxEntry]) -> HubResult<()> {
    insert_rows!(
        &mut work.tx,
        "inbox (channel, external_id, inquiry_id, created_at)",
        entries,
        |entry, values| values
            .push_bind(entry.channel.as_str())
            .push_bind(entry.identity.as_str())
            .push_bind(entry.inquiry_id)
            .push_bind(entry.at)
    )
    .map_err(|error| match error.as_database_error() {
        Some(database) if database.is_unique_violation() => HubError::Contended,
        Some(_) | None => failed(error),
    })
}
