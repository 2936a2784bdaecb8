use sqlx::query;
use sqlx::types::Json;

use super::db::{Tx, failed, write_tx};
use crate::domain::Event;
use crate::error::HubResult;

pub(super) async fn insert(tx: &mut Tx, event: &Event) -> HubResult<()> {
    const SQL: &str =
        "insert into outbox (id, created_at, event_type, entity_id, data) values ($1, $2, $3, $4, $5)";
    write_tx!(tx, |connection| query(SQL)
        .bind(event.id)
        .bind(event.time)
        .bind(event.event_type.as_str())
        .bind(event.entity_id)
        .bind(Json(event.published_data()))
        .execute(connection)
        .await
        .map(drop))
    .map_err(failed)
}
