//! Where in their traces inquiries came in and deliveries were released, so that what happens later can go on there.

use std::collections::HashMap;

use actix::{Handler, Message, ResponseFuture};
use uuid::Uuid;

use super::DeliveryStore;
use crate::domain::trace_parent::TraceParent;
use crate::error::HubResult;
use crate::store::bulk::{insert_rows, read_by_ids};
use crate::store::commit::Work;
use crate::store::db::failed;

/// The places that were kept for these inquiries and deliveries.
#[derive(Debug, Message)]
#[rtype(result = "HubResult<HashMap<Uuid, TraceParent>>")]
pub struct FindTraces(pub Vec<Uuid>);

impl Handler<FindTraces> for DeliveryStore {
    type Result = ResponseFuture<HubResult<HashMap<Uuid, TraceParent>>>;

    fn handle(&mut self, FindTraces(ids): FindTraces, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            const SQL: &str = "select entity_id, place from traces where entity_id in (";
            let found: Vec<(Uuid, TraceParent)> = read_by_ids!(&db, SQL, &ids)?;
            Ok(found.into_iter().collect())
        })
    }
}

pub(in crate::store) async fn insert_traces(
    work: &mut Work,
    places: &[(Uuid, TraceParent)],
) -> HubResult<()> {
    insert_rows!(&mut work.tx, "traces (entity_id, place)", places, |one, values| {
        values.push_bind(one.0).push_bind(one.1)
    })
    .map_err(failed)
}
