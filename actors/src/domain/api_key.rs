use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::text_enum::text_enum;
use super::validation::MAX_NAME;
use super::{Checks, FieldError, Timestamp};

text_enum!(
    /// What a key opens.
    Scope { Inbound = "inbound", Deliveries = "deliveries" }
);

/// A program's way in. The key itself is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    pub id: Uuid,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// How the key begins, to tell it from others.
    pub hint: String,
    pub created_by: Uuid,
    /// To the minute.
    #[schema(required)]
    pub last_used_at: Option<Timestamp>,
    #[schema(required)]
    pub revoked_at: Option<Timestamp>,
}

/// `POST /api-keys`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewApiKey {
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
}

impl NewApiKey {
    pub fn validate(mut self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        self.name = checks.line("/name", &self.name, MAX_NAME);
        self.scopes.sort();
        self.scopes.dedup();
        if self.scopes.is_empty() {
            checks.fail("/scopes", "required", "must name at least one scope");
        }
        checks.finish(self)
    }
}
