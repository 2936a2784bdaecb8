mod loads;
pub(super) mod totp;

use actix::{Handler, Message, ResponseFuture};
use sqlx::types::Json;
use sqlx::{QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use super::bind::from_row;
use super::bulk::{filled, push_ids};
use super::cache::{CacheKey, Storage};
use super::commit::Work;
use super::db::{change_one, failed, read, unique, write_tx};
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use crate::domain::Timestamp;
use crate::domain::assignment::Candidate;
use crate::domain::customer::email_key;
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::user::{Credentials, Role, User};
use crate::error::HubResult;

pub use loads::{ReconcileLoads, RepairedLoad};
pub use totp::{GetTotp, TotpChange};

store_actor!(
    /// Reads users.
    UserStore
);

pub const SORTS: &[Sort] = &[
    Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time },
    Sort { name: "email", column: "t.email", kind: SortKind::Text },
    Sort { name: "firstName", column: "t.first_name", kind: SortKind::Text },
    Sort { name: "lastName", column: "t.last_name", kind: SortKind::Text },
];

columns!(
    user_columns = "t.id, t.version, t.created_at, t.updated_at, t.email, t.role, t.first_name, t.last_name, \
        t.is_active, t.availability, t.max_open_inquiries, t.skills, t.totp_enabled"
);

pub(super) use user_columns;

const LIST: ListSql = ListSql { select: user_columns!(), from: "users t", sorts: SORTS };

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<User>>")]
pub struct GetUser(pub Uuid);

/// By email, as typed at sign-in.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Credentials>>")]
pub struct FindCredentials(pub String);

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Credentials>>")]
pub struct GetCredentials(pub Uuid);

#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    pub role: Option<Role>,
    pub is_active: Option<bool>,
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<User>>")]
pub struct ListUsers {
    pub filter: UserFilter,
    pub page: PageRequest,
}

/// Whether nobody can sign in yet.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<bool>")]
pub struct HasNoUsers;

/// Every active CSO with their load.
#[derive(Debug, Default, Message)]
#[rtype(result = "HubResult<Vec<Candidate>>")]
pub struct ListCandidates {
    /// Inquiries that are not to be counted, whoever has them by now.
    pub without: Vec<Uuid>,
}

/// Whoever may decide on responses that they did not write in, in the order of their ids.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Vec<Uuid>>")]
pub struct ListApprovers;

impl Handler<GetUser> for UserStore {
    type Result = ResponseFuture<HubResult<Option<User>>>;

    fn handle(&mut self, GetUser(id): GetUser, _: &mut Self::Context) -> Self::Result {
        let storage = self.storage.clone();
        Box::pin(async move {
            const SQL: &str = concat!("select ", user_columns!(), " from users t where id = $1");
            storage
                .cached(CacheKey::User(id), async {
                    read!(&storage.db, |pool| query_as(SQL).bind(id).fetch_optional(pool).await)
                        .map_err(failed)
                })
                .await
        })
    }
}

impl Handler<FindCredentials> for UserStore {
    type Result = ResponseFuture<HubResult<Option<Credentials>>>;

    fn handle(&mut self, FindCredentials(email): FindCredentials, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str =
                concat!("select ", user_columns!(), ", t.password_hash from users t where email_key = $1");
            read!(&db, |pool| query_as(SQL).bind(email_key(&email)).fetch_optional(pool).await)
                .map_err(failed)
        })
    }
}

impl Handler<GetCredentials> for UserStore {
    type Result = ResponseFuture<HubResult<Option<Credentials>>>;

    fn handle(&mut self, GetCredentials(id): GetCredentials, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str =
                concat!("select ", user_columns!(), ", t.password_hash from users t where id = $1");
            read!(&db, |pool| query_as(SQL).bind(id).fetch_optional(pool).await).map_err(failed)
        })
    }
}

impl Handler<ListUsers> for UserStore {
    type Result = ResponseFuture<HubResult<Page<User>>>;

    fn handle(&mut self, ListUsers { filter, page }: ListUsers, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let conditions = [
                filter.role.map(|role| Condition::with("t.role = ", Value::Text(role.to_string()))),
                filter
                    .is_active
                    .map(|active| Condition::Plain(if active { "t.is_active" } else { "not t.is_active" })),
            ];
            let conditions = conditions.into_iter().flatten().collect();
            list::page(&db, &LIST, conditions, &page, |user: &User, sort| {
                let value = match sort {
                    "email" => SortValue::Text(user.email.clone()),
                    "firstName" => SortValue::Text(user.first_name.clone()),
                    "lastName" => SortValue::Text(user.last_name.clone()),
                    _ => SortValue::Time(user.created_at),
                };
                (value, user.id)
            })
            .await
        })
    }
}

impl Handler<HasNoUsers> for UserStore {
    type Result = ResponseFuture<HubResult<bool>>;

    fn handle(&mut self, _: HasNoUsers, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "select count(*) from (select 1 from users limit 1) any_user";
            let users: i64 = read!(&db, |pool| query_scalar(SQL).fetch_one(pool).await).map_err(failed)?;
            Ok(users == 0)
        })
    }
}

impl Handler<ListCandidates> for UserStore {
    type Result = ResponseFuture<HubResult<Vec<Candidate>>>;

    fn handle(&mut self, ListCandidates { without }: ListCandidates, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            // One statement: between two, what is not to be counted could be committed.
            const LOADS: &str = "select l.user_id, l.accepting as accepts_work, \
                l.open - coalesce(w.open, 0) as open, l.capacity, l.last_assigned_at, u.skills \
                from cso_loads l join users u on u.id = l.user_id \
                left join (select assigned_to, count(*) as open from inquiries \
                where status in ('pending', 'in_progress') and id in (";
            const OF_ALL: &str = " group by assigned_to) w on w.assigned_to = l.user_id \
                where u.role = 'cso' and u.is_active";
            let without = filled(without);
            read!(&db, |pool| {
                let mut query = QueryBuilder::new(LOADS);
                push_ids!(query, &without);
                query.push(OF_ALL);
                query.build_query_as().fetch_all(pool).await
            })
            .map_err(failed)
        })
    }
}

impl Handler<ListApprovers> for UserStore {
    type Result = ResponseFuture<HubResult<Vec<Uuid>>>;

    fn handle(&mut self, _: ListApprovers, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str =
                "select id from users where role in ('manager', 'admin') and is_active order by id";
            read!(&db, |pool| query_scalar(SQL).fetch_all(pool).await).map_err(failed)
        })
    }
}

from_row!(User {
    id, version, created_at, updated_at, email, role, first_name, last_name, is_active, availability,
    max_open_inquiries, totp_enabled; json skills
});

from_row!(Candidate { user_id, accepts_work, open, capacity, last_assigned_at; json skills });

macro_rules! credentials_from_row {
    ($($row:ty),+) => {
        $(impl sqlx::FromRow<'_, $row> for Credentials {
            fn from_row(row: &$row) -> Result<Self, sqlx::Error> {
                use sqlx::Row as _;
                Ok(Self { user: User::from_row(row)?, password_hash: row.try_get("password_hash")? })
            }
        })+
    };
}

credentials_from_row!(sqlx::postgres::PgRow, sqlx::sqlite::SqliteRow);

pub(super) async fn insert(work: &mut Work, user: &User, password_hash: &str) -> HubResult<()> {
    const SQL: &str = "insert into users (id, version, created_at, updated_at, email, email_key, password_hash, \
        role, first_name, last_name, is_active, availability, max_open_inquiries, skills, totp_enabled) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(user.id)
        .bind(user.version)
        .bind(user.created_at)
        .bind(user.updated_at)
        .bind(&user.email)
        .bind(email_key(&user.email))
        .bind(password_hash)
        .bind(user.role)
        .bind(&user.first_name)
        .bind(&user.last_name)
        .bind(user.is_active)
        .bind(user.availability)
        .bind(user.max_open_inquiries)
        .bind(Json(&user.skills))
        .bind(user.totp_enabled)
        .execute(connection)
        .await
        .map(drop))
    .map_err(|error| unique(error, "email", "/email"))?;
    keep_load(work, user).await
}

pub(super) async fn update(work: &mut Work, user: &User) -> HubResult<()> {
    const SQL: &str = "update users set version = $2, updated_at = $4, role = $5, first_name = $6, last_name = $7, \
        is_active = $8, availability = $9, max_open_inquiries = $10, skills = $11, totp_enabled = $12 \
        where id = $1 and version = $3";
    change_one!(
        &mut work.tx,
        query(SQL)
            .bind(user.id)
            .bind(user.version)
            .bind(user.version - 1)
            .bind(user.updated_at)
            .bind(user.role)
            .bind(&user.first_name)
            .bind(&user.last_name)
            .bind(user.is_active)
            .bind(user.availability)
            .bind(user.max_open_inquiries)
            .bind(Json(&user.skills))
            .bind(user.totp_enabled)
    )?;
    work.touched.push(CacheKey::User(user.id));
    keep_load(work, user).await
}

pub(super) async fn set_password(work: &mut Work, user_id: Uuid, password_hash: &str) -> HubResult<()> {
    const SQL: &str = "update users set password_hash = $2 where id = $1";
    change_one!(&mut work.tx, query(SQL).bind(user_id).bind(password_hash))
}

/// Locks the user's row. A change of password, a deactivation or a second factor that comes later waits for it and then
/// ends the session this one begins; after one that came earlier, no row is left to confirm.
pub(super) async fn confirm_password(
    work: &mut Work,
    user_id: Uuid,
    verified: &str,
    kept: &str,
    totp_enabled: bool,
) -> HubResult<()> {
    const SQL: &str = "update users set password_hash = $3 \
        where id = $1 and password_hash = $2 and is_active and totp_enabled = $4";
    change_one!(&mut work.tx, query(SQL).bind(user_id).bind(verified).bind(kept).bind(totp_enabled))
}

/// `count` more inquiries for a CSO. `within_capacity` makes it conditional; `false` is answered when there is no
/// room. The row's lock is what keeps two instances from filling the last place twice.
pub(super) async fn take_load(
    work: &mut Work,
    user_id: Uuid,
    count: i64,
    at: Timestamp,
    within_capacity: bool,
) -> HubResult<bool> {
    const ANY: &str = "update cso_loads set open = open + $3, last_assigned_at = $2 where user_id = $1";
    const WITHIN: &str = "update cso_loads set open = open + $3, last_assigned_at = $2 \
        where user_id = $1 and accepting and open + $3 <= capacity";
    let sql = if within_capacity { WITHIN } else { ANY };
    let affected = write_tx!(&mut work.tx, |connection| query(sql)
        .bind(user_id)
        .bind(at)
        .bind(count)
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))
    .map_err(failed)?;
    Ok(affected == 1)
}

pub(super) async fn drop_load(work: &mut Work, user_id: Uuid) -> HubResult<()> {
    const SQL: &str = "update cso_loads set open = open - 1 where user_id = $1";
    write_tx!(&mut work.tx, |connection| query(SQL).bind(user_id).execute(connection).await.map(drop))
        .map_err(failed)
}

/// What assignment needs to know of a user, in the one row it locks.
async fn keep_load(work: &mut Work, user: &User) -> HubResult<()> {
    const SQL: &str = "insert into cso_loads (user_id, accepting, capacity, open) values ($1, $2, $3, 0) \
        on conflict (user_id) do update set accepting = excluded.accepting, capacity = excluded.capacity";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(user.id)
        .bind(user.accepts_work())
        .bind(user.max_open_inquiries)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}
