use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Timestamp;

/// One line of the audit trail, as `GET /audit` shows it. Written once, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    pub id: Uuid,
    pub created_at: Timestamp,
    /// What happened, as in `response.approved`.
    pub action: String,
    pub entity_type: String,
    pub entity_id: Uuid,
    /// Who did it; null when the hub acted by itself.
    #[schema(required)]
    pub actor_id: Option<Uuid>,
    #[schema(required)]
    pub request_id: Option<String>,
    /// Field by field, `{"from": …, "to": …}`.
    pub changes: Map<String, Value>,
}
