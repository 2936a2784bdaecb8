//! `Idempotency-Key`: a request claims its key before it runs; the change it makes settles the key in its own
//! transaction, so that a crash between the two can neither lose nor double it.

use std::time::Duration;

use actix::{Handler, Message, ResponseFuture};
use sqlx::{FromRow, query, query_as};
use uuid::Uuid;

use super::cache::Storage;
use super::db::{Tx, failed, read, write_one, write_tx};
use crate::clock::new_id;
use crate::domain::{Claim, Timestamp};
use crate::error::{HubError, HubResult};

/// How long answers are kept.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a claim stands unsettled before it counts as abandoned; no request runs longer.
pub const HELD_FOR: Duration = Duration::from_secs(15);

store_actor!(
    /// Keeps idempotency keys and the answers they stand for.
    IdempotencyStore
);

/// Claims a key for one request.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<ClaimOutcome>")]
pub struct ClaimKey {
    pub scope: String,
    pub fingerprint: String,
    pub now: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Run the request; the token settles the key.
    Claimed(Uuid),
    /// It ran before, with this answer.
    Answered {
        status: u16,
        body: String,
    },
    InFlight,
    /// The key was used with another body.
    Mismatch,
}

/// Settles a key outside a commit: for answers that changed nothing, such as a refusal.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct SettleKey {
    pub claim: Claim,
    pub status: u16,
    pub body: String,
}

/// Gives a key back, for answers that are not kept.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ReleaseKey(pub Claim);

/// Forgets keys older than [`KEPT_FOR`].
#[derive(Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct ForgetKeys {
    pub now: Timestamp,
}

#[derive(FromRow)]
struct Kept {
    fingerprint: String,
    status: Option<i16>,
    body: Option<String>,
}

impl Handler<ClaimKey> for IdempotencyStore {
    type Result = ResponseFuture<HubResult<ClaimOutcome>>;

    fn handle(&mut self, claim: ClaimKey, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            // Taken over when its holder is overdue, or when what it kept is older than the promise.
            const CLAIM: &str = "insert into idempotency_keys (scope, fingerprint, token, created_at, held_until) \
                values ($1, $2, $3, $4, $5) \
                on conflict (scope) do update set fingerprint = excluded.fingerprint, token = excluded.token, \
                    created_at = excluded.created_at, held_until = excluded.held_until, status = null, body = null \
                where (idempotency_keys.status is null and idempotency_keys.held_until <= $4 \
                        and idempotency_keys.fingerprint = excluded.fingerprint) \
                    or idempotency_keys.created_at <= $6";
            const KEPT: &str = "select fingerprint, status, body from idempotency_keys where scope = $1";
            let token = new_id();
            let (held_until, expired) = (claim.now.plus(HELD_FOR), claim.now.minus(KEPT_FOR));
            let claimed = write_one!(db, |connection| query(CLAIM)
                .bind(&claim.scope)
                .bind(&claim.fingerprint)
                .bind(token)
                .bind(claim.now)
                .bind(held_until)
                .bind(expired)
                .execute(connection)
                .await
                .map(|done| done.rows_affected()))?;
            if claimed == 1 {
                return Ok(ClaimOutcome::Claimed(token));
            }
            let kept: Option<Kept> =
                read!(&db, |pool| query_as(KEPT).bind(&claim.scope).fetch_optional(pool).await)
                    .map_err(failed)?;
            Ok(match kept {
                Some(kept) if kept.fingerprint != claim.fingerprint => ClaimOutcome::Mismatch,
                Some(Kept { status: Some(status), body: Some(body), .. }) => {
                    ClaimOutcome::Answered { status: u16::try_from(status).unwrap_or(200), body }
                }
                // Unsettled, or given back this very moment.
                Some(_) | None => ClaimOutcome::InFlight,
            })
        })
    }
}

impl Handler<SettleKey> for IdempotencyStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(
        &mut self,
        SettleKey { claim, status, body }: SettleKey,
        _: &mut Self::Context,
    ) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let mut tx = db.begin().await?;
            settle_with(&mut tx, &claim, status, &body).await?;
            tx.commit().await
        })
    }
}

impl Handler<ReleaseKey> for IdempotencyStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, ReleaseKey(claim): ReleaseKey, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str =
                "delete from idempotency_keys where scope = $1 and token = $2 and status is null";
            write_one!(db, |connection| query(SQL)
                .bind(&claim.scope)
                .bind(claim.token)
                .execute(connection)
                .await
                .map(drop))
        })
    }
}

impl Handler<ForgetKeys> for IdempotencyStore {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, ForgetKeys { now }: ForgetKeys, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "delete from idempotency_keys where created_at <= $1";
            write_one!(db, |connection| query(SQL)
                .bind(now.minus(KEPT_FOR))
                .execute(connection)
                .await
                .map(drop))
        })
    }
}

pub(super) async fn settle(tx: &mut Tx, claim: &Claim, answer: &str) -> HubResult<()> {
    settle_with(tx, claim, claim.success_status, answer).await
}

async fn settle_with(tx: &mut Tx, claim: &Claim, status: u16, body: &str) -> HubResult<()> {
    const SQL: &str = "update idempotency_keys set status = $3, body = $4 where scope = $1 and token = $2 and status is null";
    let settled = write_tx!(tx, |connection| query(SQL)
        .bind(&claim.scope)
        .bind(claim.token)
        .bind(i16::try_from(status).unwrap_or(i16::MAX))
        .bind(body)
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))
    .map_err(failed)?;
    if settled == 1 { Ok(()) } else { Err(HubError::ClaimLost) }
}
