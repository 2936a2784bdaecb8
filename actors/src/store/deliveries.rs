mod traces;

use actix::{Handler, Message, ResponseFuture};
use sqlx::types::Json;
use sqlx::{QueryBuilder, query, query_as};
use uuid::Uuid;

use super::bind::from_row;
use super::cache::Storage;
use super::commit::Work;
use super::db::{change_one, failed, read, write_tx};
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use crate::domain::Timestamp;
use crate::domain::delivery::{Delivery, DeliveryStatus};
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::error::HubResult;

pub use traces::FindTraces;
pub(super) use traces::insert_traces;

store_actor!(
    /// Reads deliveries.
    DeliveryStore
);

pub const SORTS: &[Sort] = &[Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time }];

columns!(
    delivery_columns = "t.id, t.version, t.created_at, t.updated_at, t.status, t.attempts, t.next_attempt_at, t.last_error, \
        t.ambiguous, t.claimed, t.message"
);

const LIST: ListSql = ListSql { select: delivery_columns!(), from: "deliveries t", sorts: SORTS };

/// Some of the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    All,
    Only(&'static str),
    Except(&'static str),
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Delivery>>")]
pub struct GetDelivery(pub Uuid);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<Delivery>>")]
pub struct ListDeliveries {
    pub status: Option<DeliveryStatus>,
    pub page: PageRequest,
}

/// Deliveries to be handed to their channels now, the longest due first.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Vec<Delivery>>")]
pub struct ListDue {
    pub channels: Channels,
    pub now: Timestamp,
    pub limit: i64,
}

/// Deliveries that their channels have and have not reported, in the order of their ids, from behind `after`.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Vec<Delivery>>")]
pub struct ListHandedOver {
    pub after: Option<Uuid>,
    pub limit: i64,
}

impl Handler<GetDelivery> for DeliveryStore {
    type Result = ResponseFuture<HubResult<Option<Delivery>>>;

    fn handle(&mut self, GetDelivery(id): GetDelivery, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = concat!("select ", delivery_columns!(), " from deliveries t where id = $1");
            read!(&db, |pool| query_as(SQL).bind(id).fetch_optional(pool).await).map_err(failed)
        })
    }
}

impl Handler<ListDeliveries> for DeliveryStore {
    type Result = ResponseFuture<HubResult<Page<Delivery>>>;

    fn handle(
        &mut self,
        ListDeliveries { status, page }: ListDeliveries,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let status = status.map(|status| Condition::with("t.status = ", Value::Text(status.to_string())));
            list::page(&db, &LIST, status.into_iter().collect(), &page, |delivery: &Delivery, _| {
                (SortValue::Time(delivery.created_at), delivery.id)
            })
            .await
        })
    }
}

impl Handler<ListDue> for DeliveryStore {
    type Result = ResponseFuture<HubResult<Vec<Delivery>>>;

    fn handle(&mut self, ListDue { channels, now, limit }: ListDue, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            read!(&db, |pool| {
                let mut query = QueryBuilder::new(concat!(
                    "select ",
                    delivery_columns!(),
                    " from deliveries t where status = 'pending' and next_attempt_at <= "
                ));
                query.push_bind(now);
                match channels {
                    Channels::All => {}
                    Channels::Only(channel) => {
                        query.push(" and channel = ").push_bind(channel);
                    }
                    Channels::Except(channel) => {
                        query.push(" and channel <> ").push_bind(channel);
                    }
                }
                query.push(" order by next_attempt_at, id limit ").push_bind(limit);
                query.build_query_as().fetch_all(pool).await
            })
            .map_err(failed)
        })
    }
}

impl Handler<ListHandedOver> for DeliveryStore {
    type Result = ResponseFuture<HubResult<Vec<Delivery>>>;

    fn handle(
        &mut self,
        ListHandedOver { after, limit }: ListHandedOver,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = concat!(
                "select ",
                delivery_columns!(),
                " from deliveries t where status = 'pending' and next_attempt_at is null \
                and id > $1 order by id limit $2"
            );
            let after = after.unwrap_or_default();
            read!(&db, |pool| query_as(SQL).bind(after).bind(limit).fetch_all(pool).await).map_err(failed)
        })
    }
}

from_row!(Delivery {
    id, version, created_at, updated_at, status, attempts, next_attempt_at, last_error, ambiguous, claimed; json message
});

pub(super) async fn insert(work: &mut Work, delivery: &Delivery) -> HubResult<()> {
    const SQL: &str = "insert into deliveries (id, version, created_at, updated_at, response_id, inquiry_id, channel, \
        message, status, attempts, next_attempt_at, last_error) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(delivery.id)
        .bind(delivery.version)
        .bind(delivery.created_at)
        .bind(delivery.updated_at)
        .bind(delivery.message.response_id)
        .bind(delivery.message.inquiry_id)
        .bind(&delivery.message.channel)
        .bind(Json(&delivery.message))
        .bind(delivery.status)
        .bind(delivery.attempts)
        .bind(delivery.next_attempt_at)
        .bind(delivery.last_error.as_deref())
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}

pub(super) async fn update(work: &mut Work, delivery: &Delivery) -> HubResult<()> {
    const SQL: &str = "update deliveries set version = $2, updated_at = $4, status = $5, attempts = $6, \
        next_attempt_at = $7, last_error = $8, ambiguous = $9, claimed = $10 where id = $1 and version = $3";
    change_one!(
        &mut work.tx,
        query(SQL)
            .bind(delivery.id)
            .bind(delivery.version)
            .bind(delivery.version - 1)
            .bind(delivery.updated_at)
            .bind(delivery.status)
            .bind(delivery.attempts)
            .bind(delivery.next_attempt_at)
            .bind(delivery.last_error.as_deref())
            .bind(delivery.ambiguous)
            .bind(delivery.claimed)
    )
}
