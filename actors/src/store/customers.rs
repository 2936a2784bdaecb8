use actix::{Handler, Message, ResponseFuture};
use sqlx::types::Json;
use sqlx::{query, query_as};
use uuid::Uuid;

use super::bind::from_row;
use super::bulk::insert_rows;
use super::cache::{CacheKey, Storage};
use super::commit::Work;
use super::db::{change_one, failed, one_row, read, unique, write_tx};
use super::dialect::{Searchable, search};
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use crate::domain::Timestamp;
use crate::domain::customer::{Customer, CustomerStatus, email_key};
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::search::query_words;
use crate::error::HubResult;

store_actor!(
    /// Reads customers. A deleted one is absent from every read.
    CustomerStore
);

pub const SORTS: &[Sort] = &[
    Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time },
    Sort { name: "updatedAt", column: "t.updated_at", kind: SortKind::Time },
    Sort { name: "firstName", column: "t.first_name", kind: SortKind::Text },
    Sort { name: "lastName", column: "t.last_name", kind: SortKind::Text },
    Sort { name: "email", column: "t.email", kind: SortKind::Text },
    Sort { name: "status", column: "t.status", kind: SortKind::Text },
];

columns!(
    customer_columns = "t.id, t.version, t.created_at, t.updated_at, t.first_name, t.last_name, t.email, t.phone, \
        t.company, t.status, t.metadata, t.created_by, t.assigned_to"
);

pub(super) use customer_columns;

const LIST: ListSql = ListSql { select: customer_columns!(), from: "customers t", sorts: SORTS };

/// Whom something is assigned to, as lists filter by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssigneeFilter {
    User(Uuid),
    Nobody,
}

impl AssigneeFilter {
    pub(super) fn condition(self) -> Condition {
        match self {
            Self::User(id) => Condition::with("t.assigned_to = ", Value::Id(id)),
            Self::Nobody => Condition::Plain("t.assigned_to is null"),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct CustomerFilter {
    /// Words that each begin some word of names, email or company.
    pub q: Option<String>,
    pub status: Option<CustomerStatus>,
    pub assigned_to: Option<AssigneeFilter>,
    pub created_from: Option<Timestamp>,
    /// Exclusive.
    pub created_to: Option<Timestamp>,
    /// Only customers of this CSO, whatever else is asked.
    pub visible_to: Option<Uuid>,
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Customer>>")]
pub struct GetCustomer(pub Uuid);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<Customer>>")]
pub struct ListCustomers {
    pub filter: CustomerFilter,
    pub page: PageRequest,
}

impl Handler<GetCustomer> for CustomerStore {
    type Result = ResponseFuture<HubResult<Option<Customer>>>;

    fn handle(&mut self, GetCustomer(id): GetCustomer, _: &mut Self::Context) -> Self::Result {
        let storage = self.storage.clone();
        Box::pin(async move {
            const SQL: &str = concat!(
                "select ",
                customer_columns!(),
                " from customers t where id = $1 and deleted_at is null"
            );
            storage
                .cached(CacheKey::Customer(id), async {
                    read!(&storage.db, |pool| query_as(SQL).bind(id).fetch_optional(pool).await)
                        .map_err(failed)
                })
                .await
        })
    }
}

impl Handler<ListCustomers> for CustomerStore {
    type Result = ResponseFuture<HubResult<Page<Customer>>>;

    fn handle(
        &mut self,
        ListCustomers { filter, page }: ListCustomers,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let mut conditions = vec![Condition::Plain("t.deleted_at is null")];
            let found = match filter.q.as_deref().map(query_words).as_deref() {
                None => None,
                Some([]) => {
                    conditions.push(Condition::Plain("false"));
                    None
                }
                Some(words) => Some(search(&db, Searchable::Customers, words)),
            };
            conditions.extend(filter.visible_to.map(|id| Condition::with("t.assigned_to = ", Value::Id(id))));
            conditions.extend(
                filter.status.map(|status| Condition::with("t.status = ", Value::Text(status.to_string()))),
            );
            conditions.extend(filter.assigned_to.map(AssigneeFilter::condition));
            conditions.extend(
                filter.created_from.map(|time| Condition::with("t.created_at >= ", Value::Time(time))),
            );
            conditions
                .extend(filter.created_to.map(|time| Condition::with("t.created_at < ", Value::Time(time))));
            list::page_of(&db, &LIST, found.as_ref(), conditions, &page, |customer: &Customer, sort| {
                let value = match sort {
                    "updatedAt" => SortValue::Time(customer.updated_at),
                    "firstName" => SortValue::Text(customer.first_name.clone()),
                    "lastName" => SortValue::Text(customer.last_name.clone()),
                    "email" => SortValue::Text(customer.email.clone()),
                    "status" => SortValue::Text(customer.status.to_string()),
                    _ => SortValue::Time(customer.created_at),
                };
                (value, customer.id)
            })
            .await
        })
    }
}

from_row!(Customer {
    id, version, created_at, updated_at, first_name, last_name, email, phone, company, status, created_by,
    assigned_to; json metadata
});

pub(super) async fn insert(work: &mut Work, customers: &[&Customer]) -> HubResult<()> {
    insert_rows!(
        &mut work.tx,
        "customers (id, version, created_at, updated_at, first_name, last_name, email, email_key, phone, company, \
         status, metadata, created_by, assigned_to, search)",
        customers,
        |customer, values| values
            .push_bind(customer.id)
            .push_bind(customer.version)
            .push_bind(customer.created_at)
            .push_bind(customer.updated_at)
            .push_bind(customer.first_name.as_str())
            .push_bind(customer.last_name.as_str())
            .push_bind(customer.email.as_str())
            .push_bind(email_key(&customer.email))
            .push_bind(customer.phone.as_deref())
            .push_bind(customer.company.as_deref())
            .push_bind(customer.status)
            .push_bind(Json(&customer.metadata))
            .push_bind(customer.created_by)
            .push_bind(customer.assigned_to)
            .push_bind(customer.search_document())
    )
    .map_err(|error| unique(error, "email", "/email"))
}

pub(super) async fn update(work: &mut Work, customer: &Customer) -> HubResult<()> {
    const SQL: &str = "update customers set version = $2, updated_at = $4, first_name = $5, last_name = $6, \
        email = $7, email_key = $8, phone = $9, company = $10, status = $11, metadata = $12, assigned_to = $13, \
        search = $14 where id = $1 and version = $3 and deleted_at is null";
    let affected = write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(customer.id)
        .bind(customer.version)
        .bind(customer.version - 1)
        .bind(customer.updated_at)
        .bind(&customer.first_name)
        .bind(&customer.last_name)
        .bind(&customer.email)
        .bind(email_key(&customer.email))
        .bind(customer.phone.as_deref())
        .bind(customer.company.as_deref())
        .bind(customer.status)
        .bind(Json(&customer.metadata))
        .bind(customer.assigned_to)
        .bind(customer.search_document())
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))
    .map_err(|error| unique(error, "email", "/email"))?;
    work.touched.push(CacheKey::Customer(customer.id));
    one_row(affected)
}

/// `customer` as it was last seen.
pub(super) async fn delete(work: &mut Work, customer: &Customer, at: Timestamp) -> HubResult<()> {
    const SQL: &str = "update customers set version = version + 1, updated_at = $3, deleted_at = $3 \
        where id = $1 and version = $2 and deleted_at is null";
    work.touched.push(CacheKey::Customer(customer.id));
    change_one!(&mut work.tx, query(SQL).bind(customer.id).bind(customer.version).bind(at))
}
