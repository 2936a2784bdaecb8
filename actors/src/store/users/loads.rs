//! Whether what is counted as a CSO's load is what they have.

use actix::{Handler, Message, ResponseFuture};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use super::UserStore;
use crate::error::HubResult;
use crate::store::db::{Db, failed, read, write_tx};
use crate::store::dialect;

/// Holds every load against the open inquiries it counts, and repairs those that are off. Answers with those.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<Vec<RepairedLoad>>")]
pub struct ReconcileLoads;

#[derive(Clone, Copy, Debug)]
pub struct RepairedLoad {
    pub user_id: Uuid,
    pub counted: i64,
    /// What is counted from now on.
    pub held: i64,
}

impl Handler<ReconcileLoads> for UserStore {
    type Result = ResponseFuture<HubResult<Vec<RepairedLoad>>>;

    fn handle(&mut self, _: ReconcileLoads, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const OFF: &str = "select l.user_id from cso_loads l left join (select assigned_to, count(*) as held \
                from inquiries where status in ('pending', 'in_progress') and assigned_to is not null \
                group by assigned_to) h on h.assigned_to = l.user_id \
                where l.open <> coalesce(h.held, 0) order by l.user_id";
            // One statement sees each transaction whole or not at all, so nothing looks off that is under way.
            let off: Vec<Uuid> =
                read!(&db, |pool| query_scalar(OFF).fetch_all(pool).await).map_err(failed)?;
            let mut repaired = Vec::new();
            for user_id in off {
                repaired.extend(repair(&db, user_id).await?);
            }
            Ok(repaired)
        })
    }
}

/// Whoever changes a load adds to it or takes from it, under the row's lock. Those who had the lock before have
/// committed by the time of the count, which therefore sees their inquiries; those who wait for it add to what is
/// written here.
async fn repair(db: &Db, user_id: Uuid) -> HubResult<Option<RepairedLoad>> {
    const HELD: &str =
        "select count(*) from inquiries where assigned_to = $1 and status in ('pending', 'in_progress')";
    const REPAIR: &str = "update cso_loads set open = $2 where user_id = $1";
    let mut tx = db.begin().await?;
    let lock = dialect::lock_load(db);
    let counted: i64 =
        write_tx!(&mut tx, |connection| query_scalar(lock).bind(user_id).fetch_one(connection).await)
            .map_err(failed)?;
    let held: i64 =
        write_tx!(&mut tx, |connection| query_scalar(HELD).bind(user_id).fetch_one(connection).await)
            .map_err(failed)?;
    if counted == held {
        return Ok(None);
    }
    write_tx!(&mut tx, |connection| query(REPAIR)
        .bind(user_id)
        .bind(held)
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)?;
    tx.commit().await?;
    Ok(Some(RepairedLoad { user_id, counted, held }))
}
