mod chain;

use actix::{Handler, Message, ResponseFuture};
use sqlx::types::Json;
use uuid::Uuid;

use super::bind::from_row;
use super::bulk::insert_rows;
use super::cache::Storage;
use super::db::{Tx, failed};
use super::list::{self, Condition, ListSql, Sort, SortKind, Value};
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Page, PageRequest, SortValue};
use crate::domain::{Event, Timestamp};
use crate::error::HubResult;

pub use chain::{SealEntries, verify};

store_actor!(
    /// Reads the audit trail and chains it. It is written by [`super::Writer`] alone, with the change it tells of.
    AuditStore
);

pub const SORTS: &[Sort] = &[Sort { name: "createdAt", column: "t.created_at", kind: SortKind::Time }];

const LIST: ListSql = ListSql {
    select: "t.id, t.created_at, t.action, t.entity_type, t.entity_id, t.actor_id, t.request_id, t.changes",
    from: "audit_log t",
    sorts: SORTS,
};

#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub entity_type: Option<String>,
    pub entity_id: Option<Uuid>,
    pub actor_id: Option<Uuid>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

#[derive(Debug, Message)]
#[rtype(result = "HubResult<Page<AuditEntry>>")]
pub struct ListAudit {
    pub filter: AuditFilter,
    pub page: PageRequest,
}

impl Handler<ListAudit> for AuditStore {
    type Result = ResponseFuture<HubResult<Page<AuditEntry>>>;

    fn handle(&mut self, ListAudit { filter, page }: ListAudit, _: &mut Self::Context) -> Self::Result {
        let db = self.storage.db.clone();
        Box::pin(async move {
            let conditions = [
                filter.entity_type.map(|value| Condition::with("t.entity_type = ", Value::Text(value))),
                filter.entity_id.map(|id| Condition::with("t.entity_id = ", Value::Id(id))),
                filter.actor_id.map(|id| Condition::with("t.actor_id = ", Value::Id(id))),
                filter.from.map(|time| Condition::with("t.created_at >= ", Value::Time(time))),
                filter.to.map(|time| Condition::with("t.created_at < ", Value::Time(time))),
            ];
            let conditions = conditions.into_iter().flatten().collect();
            list::page(&db, &LIST, conditions, &page, |entry: &AuditEntry, _| {
                (SortValue::Time(entry.created_at), entry.id)
            })
            .await
        })
    }
}

from_row!(AuditEntry { id, created_at, action, entity_type, entity_id, actor_id, request_id; json changes });

pub(super) async fn insert(tx: &mut Tx, events: &[Event]) -> HubResult<()> {
    insert_rows!(
        &mut *tx,
        "audit_log (id, created_at, action, entity_type, entity_id, actor_id, request_id, changes)",
        events,
        |event, values| values
            .push_bind(event.id)
            .push_bind(event.time)
            .push_bind(event.event_type.as_str())
            .push_bind(event.entity_type.as_str())
            .push_bind(event.entity_id)
            .push_bind(event.actor_id)
            .push_bind(event.request_id.as_deref())
            .push_bind(Json(&event.changes))
    )
    .map_err(failed)
}
