//! What is asked of a response over HTTP.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::validation::{MAX_MESSAGE, MAX_NOTES, present};
use crate::domain::{Checks, FieldError};

/// `POST /responses`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewResponse {
    pub inquiry_id: Uuid,
    #[schema(min_length = 1, max_length = 200000)]
    pub message: String,
}

impl NewResponse {
    pub fn validate(self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        checks.text("/message", &self.message, MAX_MESSAGE);
        checks.finish(self)
    }
}

/// `PUT /responses/:id`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseInput {
    #[schema(min_length = 1, max_length = 200000)]
    pub message: String,
}

impl ResponseInput {
    pub fn validate(self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        checks.text("/message", &self.message, MAX_MESSAGE);
        checks.finish(self)
    }
}

/// `POST /responses/:id/approve`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    #[schema(max_length = 5000)]
    pub notes: Option<String>,
    /// The revision the approver read; refused with 409 when it is no longer the current one.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub revision: Option<i64>,
    /// Must be true for a stale response: the approver has read what the customer wrote since.
    #[serde(default)]
    pub acknowledge_stale: bool,
}

impl Approval {
    pub fn validate(self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        if let Some(notes) = self.notes.as_deref().filter(|notes| !notes.is_empty()) {
            checks.text("/notes", notes, MAX_NOTES);
        }
        checks.finish(Self { notes: self.notes.filter(|notes| !notes.is_empty()), ..self })
    }
}

/// `POST /responses/:id/reject`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rejection {
    #[schema(min_length = 1, max_length = 5000)]
    pub notes: String,
}

impl Rejection {
    pub fn validate(self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        checks.text("/notes", &self.notes, MAX_NOTES);
        checks.finish(self)
    }
}
