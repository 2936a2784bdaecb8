//! Authenticators and recovery codes.

use actix::{Handler, Message, ResponseFuture};
use sqlx::{FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::UserStore;
use crate::domain::totp::{SecondFactor, Totp};
use crate::error::HubResult;
use crate::store::bulk::insert_rows;
use crate::store::commit::Work;
use crate::store::db::{change_one, failed, read, write_tx};

/// What is kept of a user's authenticator, confirmed or not.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<Option<Totp>>")]
pub struct GetTotp(pub Uuid);

/// One change of what is kept.
#[derive(Debug)]
pub enum TotpChange {
    /// An authenticator waits to be confirmed, instead of any that does so already. Where one has been confirmed,
    /// `Contended` unless `replacing` it.
    Begin { pending: String, replacing: bool },
    /// The pending authenticator is confirmed by a code of `step`. `Contended` when another one is pending.
    Confirm { pending: String, step: i64 },
    /// `Contended` when it was spent already, or is not of today's authenticator.
    Spend(SecondFactor),
    /// Those there were are worth nothing any more.
    ReplaceCodes(Vec<String>),
    /// With its recovery codes.
    Remove,
}

#[derive(FromRow)]
struct Row {
    secret: Option<String>,
    pending: Option<String>,
    last_step: i64,
}

impl Handler<GetTotp> for UserStore {
    type Result = ResponseFuture<HubResult<Option<Totp>>>;

    fn handle(&mut self, GetTotp(user_id): GetTotp, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const TOTP: &str = "select secret, pending, last_step from user_totp where user_id = $1";
            const CODES: &str = "select code_hash from recovery_codes where user_id = $1";
            let row: Option<Row> =
                read!(&db, |pool| query_as(TOTP).bind(user_id).fetch_optional(pool).await).map_err(failed)?;
            let Some(Row { secret, pending, last_step }) = row else { return Ok(None) };
            let recovery_codes =
                read!(&db, |pool| query_scalar(CODES).bind(user_id).fetch_all(pool).await).map_err(failed)?;
            Ok(Some(Totp { user_id, secret, pending, last_step, recovery_codes }))
        })
    }
}

pub(in crate::store) async fn change(work: &mut Work, user_id: Uuid, change: &TotpChange) -> HubResult<()> {
    match change {
        TotpChange::Begin { pending, replacing } => begin(work, user_id, pending, *replacing).await,
        TotpChange::Confirm { pending, step } => confirm(work, user_id, pending, *step).await,
        TotpChange::Spend(SecondFactor::Code { verified, kept, step }) => {
            spend_code(work, user_id, verified, kept, *step).await
        }
        TotpChange::Spend(SecondFactor::RecoveryCode { hash }) => {
            spend_recovery_code(work, user_id, hash).await
        }
        TotpChange::ReplaceCodes(hashes) => replace_codes(work, user_id, hashes).await,
        TotpChange::Remove => remove(work, user_id).await,
    }
}

async fn begin(work: &mut Work, user_id: Uuid, pending: &str, replacing: bool) -> HubResult<()> {
    const SQL: &str = "insert into user_totp (user_id, pending) values ($1, $2) \
        on conflict (user_id) do update set pending = excluded.pending where user_totp.secret is null or $3";
    change_one!(&mut work.tx, query(SQL).bind(user_id).bind(pending).bind(replacing))
}

async fn confirm(work: &mut Work, user_id: Uuid, pending: &str, step: i64) -> HubResult<()> {
    const SQL: &str = "update user_totp set secret = pending, pending = null, last_step = $3 \
        where user_id = $1 and pending = $2";
    change_one!(&mut work.tx, query(SQL).bind(user_id).bind(pending).bind(step))
}

/// Of any number at once, on any instance, one finds an older step in the row.
async fn spend_code(work: &mut Work, user_id: Uuid, verified: &str, kept: &str, step: i64) -> HubResult<()> {
    const SQL: &str = "update user_totp set last_step = $4, secret = $3 \
        where user_id = $1 and secret = $2 and last_step < $4";
    change_one!(&mut work.tx, query(SQL).bind(user_id).bind(verified).bind(kept).bind(step))
}

async fn spend_recovery_code(work: &mut Work, user_id: Uuid, hash: &str) -> HubResult<()> {
    const SQL: &str = "delete from recovery_codes where user_id = $1 and code_hash = $2";
    change_one!(&mut work.tx, query(SQL).bind(user_id).bind(hash))
}

async fn replace_codes(work: &mut Work, user_id: Uuid, hashes: &[String]) -> HubResult<()> {
    const DELETE: &str = "delete from recovery_codes where user_id = $1";
    write_tx!(&mut work.tx, |connection| query(DELETE).bind(user_id).execute(connection).await.map(drop))
        .map_err(failed)?;
    insert_rows!(&mut work.tx, "recovery_codes (user_id, code_hash)", hashes, |hash, values| {
        values.push_bind(user_id).push_bind(hash)
    })
    .map_err(failed)
}

async fn remove(work: &mut Work, user_id: Uuid) -> HubResult<()> {
    const SQL: &str = "delete from user_totp where user_id = $1";
    change_one!(&mut work.tx, query(SQL).bind(user_id))
}
