use actix::{Handler, Message, ResponseFuture};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use super::bind::from_row;
use super::bulk::{portions, push_ids};
use super::cache::{CacheKey, Lookup, Storage, decode};
use super::commit::Work;
use super::db::{failed, read, write_one, write_tx};
use super::users::user_columns;
use crate::domain::Timestamp;
use crate::domain::user::User;
use crate::error::HubResult;
use crate::mailbox::Mailbox;

store_actor!(
    /// Reads sessions, and keeps refresh tokens where no Redis does.
    SessionStore
);

/// A sign-in. It ends at `expires_at` at the latest, however often its tokens are refreshed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: Uuid,
    pub user_id: Uuid,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: Uuid,
    pub user_id: Uuid,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// SHA-256 of the refresh token in hex; absent where Redis keeps it.
    pub refresh_hash: Option<String>,
}

/// The session with its user, both as they are now. `user_id`: whose it is, where that is known; a session of anybody
/// else is not found, and the cache is asked for both at once.
///
/// Asked on every request, so what the cache has is answered from here, on the caller's thread.
///
/// # Errors
/// What the store answers.
pub async fn find_session(
    storage: &Storage,
    sessions: &Mailbox<SessionStore>,
    id: Uuid,
    user_id: Option<Uuid>,
) -> HubResult<Option<(Session, User)>> {
    let keys: Vec<CacheKey> =
        [CacheKey::Session(id)].into_iter().chain(user_id.map(CacheKey::User)).collect();
    let lookups = storage.cache.get(&keys).await;
    if let ([session, user], Some(user_id)) = (lookups.as_slice(), user_id)
        && let (Some(session), Some(user)) = (decode::<Session>(session), decode(user))
    {
        return Ok((session.user_id == user_id).then_some((session, user)));
    }
    sessions.ask(LoadSession { id, user_id, lookups }).await
}

/// What the cache does not have, or not all of it.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<(Session, User)>>")]
struct LoadSession {
    id: Uuid,
    user_id: Option<Uuid>,
    /// What the cache said of the session, and of the user if known.
    lookups: Vec<Lookup>,
}

/// Spends a refresh token, whatever becomes of the answer: of any number at once, exactly one rotates.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Rotation>")]
pub struct RotateRefresh {
    pub session_id: Uuid,
    /// SHA-256 of the token presented, in hex.
    pub presented: String,
    /// SHA-256 of the token that follows it.
    pub successor: String,
    /// Marks an honest retry of the same request.
    pub retry_key: Option<String>,
    /// When the request arrived: one that did so before the rotation raced it and is no re-use.
    pub arrived_at: Timestamp,
    pub now: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The successor now stands, or stood already because this is the same request once more.
    Rotated,
    /// The token was spent before: someone else may have it.
    Reused,
    /// No such session, or it has no refresh token.
    Unknown,
}

/// How long after a rotation the same request may ask again.
pub const RETRY_GRACE: std::time::Duration = std::time::Duration::from_secs(10);

/// Forgets sessions that ended by themselves [`KEPT_FOR`] ago. What they did stays in the audit trail.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ForgetSessions {
    pub now: Timestamp,
}

pub const KEPT_FOR: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

/// Of these sessions, those that have ended or whose user is inactive, with the user.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Vec<(Uuid, Uuid)>>")]
pub struct FindEnded {
    pub sessions: Vec<Uuid>,
    pub now: Timestamp,
}

#[derive(FromRow)]
struct RefreshState {
    refresh_hash: Option<String>,
    previous_hash: Option<String>,
    rotated_at: Option<Timestamp>,
    retry_key: Option<String>,
}

impl Handler<LoadSession> for SessionStore {
    type Result = ResponseFuture<HubResult<Option<(Session, User)>>>;

    fn handle(&mut self, wanted: LoadSession, _: &mut Self::Context) -> Self::Result {
        let storage = self.storage.clone();
        Box::pin(async move { load(&storage, wanted).await })
    }
}

impl Handler<RotateRefresh> for SessionStore {
    type Result = ResponseFuture<HubResult<Rotation>>;

    fn handle(&mut self, rotate: RotateRefresh, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const ROTATE: &str = "update sessions set previous_hash = refresh_hash, refresh_hash = $3, \
                rotated_at = $4, retry_key = $5 where id = $1 and refresh_hash = $2 and revoked_at is null";
            const STATE: &str =
                "select refresh_hash, previous_hash, rotated_at, retry_key from sessions where id = $1";
            let rotated = write_one!(db, |connection| query(ROTATE)
                .bind(rotate.session_id)
                .bind(&rotate.presented)
                .bind(&rotate.successor)
                .bind(rotate.now)
                .bind(rotate.retry_key.as_deref())
                .execute(connection)
                .await
                .map(|done| done.rows_affected()))?;
            if rotated == 1 {
                return Ok(Rotation::Rotated);
            }
            let state: Option<RefreshState> =
                read!(&db, |pool| query_as(STATE).bind(rotate.session_id).fetch_optional(pool).await)
                    .map_err(failed)?;
            Ok(match state {
                Some(RefreshState { refresh_hash: None, .. }) | None => Rotation::Unknown,
                Some(state) => {
                    let same = state.previous_hash.as_deref() == Some(&rotate.presented)
                        && state.refresh_hash.as_deref() == Some(&rotate.successor);
                    judge_retry(&rotate, same, state.rotated_at, state.retry_key.as_deref())
                }
            })
        })
    }
}

impl Handler<FindEnded> for SessionStore {
    type Result = ResponseFuture<HubResult<Vec<(Uuid, Uuid)>>>;

    fn handle(&mut self, FindEnded { sessions, now }: FindEnded, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let mut ended = Vec::new();
            for portion in portions(&sessions) {
                let some: Vec<(Uuid, Uuid)> = read!(&db, |pool| {
                    let mut query = QueryBuilder::new(
                        "select s.user_id, s.id from sessions s join users u on u.id = s.user_id \
                         where (s.revoked_at is not null or not u.is_active or s.expires_at <= ",
                    );
                    query.push_bind(now).push(") and s.id in (");
                    push_ids!(query, portion);
                    query.build_query_as().fetch_all(pool).await
                })
                .map_err(failed)?;
                ended.extend(some);
            }
            Ok(ended)
        })
    }
}

impl Handler<ForgetSessions> for SessionStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, ForgetSessions { now }: ForgetSessions, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "delete from sessions where expires_at <= $1";
            write_one!(db, |connection| query(SQL)
                .bind(now.minus(KEPT_FOR))
                .execute(connection)
                .await
                .map(drop))
        })
    }
}

/// Whether a spent token comes from an honest retry: `just_spent` says it is the latest one spent and its
/// successor is still unused.
pub fn judge_retry(
    rotate: &RotateRefresh,
    just_spent: bool,
    rotated_at: Option<Timestamp>,
    retry_key: Option<&str>,
) -> Rotation {
    let raced = rotated_at.is_some_and(|rotated_at| rotate.arrived_at <= rotated_at);
    let repeated = rotate.retry_key.is_some()
        && rotate.retry_key.as_deref() == retry_key
        && rotated_at.is_some_and(|rotated_at| rotate.now <= rotated_at.plus(RETRY_GRACE));
    if just_spent && (raced || repeated) { Rotation::Rotated } else { Rotation::Reused }
}

async fn load(
    storage: &Storage,
    LoadSession { id, user_id, lookups }: LoadSession,
) -> HubResult<Option<(Session, User)>> {
    const SESSION: &str = "select id, user_id, expires_at, revoked_at from sessions where id = $1";
    const USER: &str = concat!("select ", user_columns!(), " from users t where id = $1");
    let mut lookups = lookups.into_iter();
    let lookup = lookups.next().unwrap_or(Lookup::Bypass);
    let session: Option<Session> = storage
        .found_or(CacheKey::Session(id), &lookup, async {
            read!(&storage.db, |pool| query_as(SESSION).bind(id).fetch_optional(pool).await).map_err(failed)
        })
        .await?;
    let known = |session: &Session| user_id.is_none_or(|user_id| user_id == session.user_id);
    let Some(session) = session.filter(known) else { return Ok(None) };
    let key = CacheKey::User(session.user_id);
    let load = async {
        read!(&storage.db, |pool| query_as(USER).bind(session.user_id).fetch_optional(pool).await)
            .map_err(failed)
    };
    let user: Option<User> = match lookups.next() {
        Some(lookup) => storage.found_or(key, &lookup, load).await?,
        None => storage.cached(key, load).await?,
    };
    Ok(user.map(|user| (session, user)))
}

from_row!(Session { id, user_id, expires_at, revoked_at });

pub(super) async fn insert(work: &mut Work, session: &NewSession) -> HubResult<()> {
    const SQL: &str = "insert into sessions (id, user_id, created_at, expires_at, refresh_hash) values ($1, $2, $3, $4, $5)";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(session.id)
        .bind(session.user_id)
        .bind(session.created_at)
        .bind(session.expires_at)
        .bind(session.refresh_hash.as_deref())
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}

pub(super) async fn end(work: &mut Work, session_id: Uuid, at: Timestamp) -> HubResult<()> {
    const SQL: &str = "update sessions set revoked_at = $2 where id = $1 and revoked_at is null";
    write_tx!(&mut work.tx, |connection| query(SQL)
        .bind(session_id)
        .bind(at)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)?;
    work.touched.push(CacheKey::Session(session_id));
    Ok(())
}

pub(super) async fn end_all(
    work: &mut Work,
    user_id: Uuid,
    except: Option<Uuid>,
    at: Timestamp,
) -> HubResult<()> {
    const SQL: &str = "update sessions set revoked_at = $3 \
        where user_id = $1 and id <> $2 and revoked_at is null returning id";
    let ended: Vec<Uuid> = write_tx!(&mut work.tx, |connection| query_scalar(SQL)
        .bind(user_id)
        .bind(except.unwrap_or_default())
        .bind(at)
        .fetch_all(connection)
        .await)
    .map_err(failed)?;
    work.touched.extend(ended.into_iter().map(CacheKey::Session));
    Ok(())
}
