//! The database, as far as the workflow sees it: whatever is committed together names the versions it started from.

use std::sync::Arc;

use nexus_actors::domain::delivery::{Delivery, DeliveryStatus};
use nexus_actors::domain::inquiry::Inquiry;
use nexus_actors::domain::response::{Response, ResponseStatus};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    pub inquiry: Arc<Inquiry>,
    pub responses: Vec<Arc<Response>>,
    pub deliveries: Vec<Arc<Delivery>>,
}

/// Updates carry the row as it becomes, one version above the one they replace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    Inquiry(Arc<Inquiry>),
    Response(Arc<Response>),
    Delivery(Arc<Delivery>),
    NewDelivery(Arc<Delivery>),
    /// Exactly these responses wait for approval, in these versions.
    ExpectPending(Vec<(Uuid, i64)>),
}

/// Somebody else was faster; nothing has happened.
#[derive(Clone, Copy, Debug)]
pub struct Contended;

impl Database {
    pub fn committed(&self, changes: &[Change]) -> Result<Self, Contended> {
        let mut database = self.clone();
        for change in changes {
            match change {
                Change::Inquiry(after) => {
                    put(&mut database.inquiry, after, |inquiry| (inquiry.id, inquiry.version))?;
                }
                Change::Response(after) => {
                    let row = database.responses.iter_mut().find(|row| row.id == after.id);
                    put(row.ok_or(Contended)?, after, |response| (response.id, response.version))?;
                }
                Change::Delivery(after) => {
                    let row = database.deliveries.iter_mut().find(|row| row.id == after.id);
                    put(row.ok_or(Contended)?, after, |delivery| (delivery.id, delivery.version))?;
                }
                Change::NewDelivery(delivery) => database.deliveries.push(delivery.clone()),
                Change::ExpectPending(expected) => {
                    if !database.pending_versions().eq(expected.iter().copied()) {
                        return Err(Contended);
                    }
                }
            }
        }
        Ok(database)
    }

    pub fn response(&self, id: Uuid) -> Option<&Arc<Response>> {
        self.responses.iter().find(|response| response.id == id)
    }

    pub fn delivery(&self, id: Uuid) -> Option<&Arc<Delivery>> {
        self.deliveries.iter().find(|delivery| delivery.id == id)
    }

    pub fn waiting(&self) -> impl Iterator<Item = &Arc<Response>> {
        self.responses.iter().filter(|response| response.status == ResponseStatus::PendingApproval)
    }

    fn pending_versions(&self) -> impl Iterator<Item = (Uuid, i64)> {
        self.waiting().map(|response| (response.id, response.version))
    }

    pub fn deliveries_of(&self, response: Uuid) -> impl Iterator<Item = &Arc<Delivery>> {
        self.deliveries.iter().filter(move |delivery| delivery.message.response_id == response)
    }

    /// Those that are neither sent nor failed.
    pub fn pending(&self) -> impl Iterator<Item = &Arc<Delivery>> {
        self.deliveries.iter().filter(|delivery| delivery.status == DeliveryStatus::Pending)
    }
}

fn put<T>(row: &mut Arc<T>, after: &Arc<T>, key: fn(&T) -> (Uuid, i64)) -> Result<(), Contended> {
    let ((id, version), (found, current)) = (key(after), key(row));
    if id != found || version != current + 1 {
        return Err(Contended);
    }
    *row = after.clone();
    Ok(())
}
