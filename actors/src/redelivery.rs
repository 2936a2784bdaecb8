//! Deliveries whose gateway may have lost them are handed over once more.

use std::fmt;
use std::sync::Arc;

use actix::{Handler, Message, ResponseFuture};

use crate::approval_coordinator::ApprovalCoordinator;
use crate::desk::settle;
use crate::error::HubResult;
use crate::store::deliveries::ListHandedOver;
use crate::store::{Commit, Write};

/// Deliveries in one transaction.
const BATCH: i64 = 100;

/// Makes deliveries due again that were handed to a channel and not reported since, under the same ids. Answers how
/// many.
#[derive(Clone, Message)]
#[rtype(result = "HubResult<usize>")]
pub struct Redeliver {
    /// Whether those of this channel are meant.
    pub wanted: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Handler<Redeliver> for ApprovalCoordinator {
    type Result = ResponseFuture<HubResult<usize>>;

    fn handle(&mut self, redeliver: Redeliver, _: &mut Self::Context) -> Self::Result {
        let coordinator = self.clone();
        Box::pin(async move { coordinator.redeliver(&redeliver).await })
    }
}

impl ApprovalCoordinator {
    async fn redeliver(&self, Redeliver { wanted }: &Redeliver) -> HubResult<usize> {
        let (mut after, mut made_due) = (None, 0);
        loop {
            // Somebody may report one of them at the same moment: then they are looked at again.
            let (last, due) = settle(|| async {
                let found = self.deliveries.ask(ListHandedOver { after, limit: BATCH }).await?;
                let now = self.clock.now();
                let due = found.iter().filter(|delivery| wanted(&delivery.message.channel));
                let writes: Vec<_> =
                    due.map(|delivery| Write::UpdateDelivery(delivery.due_at(now, now))).collect();
                let count = writes.len();
                if count > 0 {
                    self.writer.ask(Commit::quiet(writes)).await?;
                }
                Ok((found.last().map(|delivery| delivery.id), count))
            })
            .await?;
            made_due += due;
            match last {
                Some(last) => after = Some(last),
                None => return Ok(made_due),
            }
        }
    }
}

impl fmt::Debug for Redeliver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redeliver").finish_non_exhaustive()
    }
}
