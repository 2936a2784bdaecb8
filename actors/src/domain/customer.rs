use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::text_enum::text_enum;
use super::validation::{MAX_NAME, present};
use super::{Checks, FieldError, Timestamp, search};

text_enum!(CustomerStatus { Active = "active", Inactive = "inactive", Suspended = "suspended" });

/// Someone who asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    pub id: Uuid,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub first_name: String,
    pub last_name: String,
    #[schema(format = "email")]
    pub email: String,
    #[schema(required)]
    pub phone: Option<String>,
    #[schema(required)]
    pub company: Option<String>,
    pub status: CustomerStatus,
    pub metadata: Map<String, Value>,
    /// The user who made it; null when it came in over a channel.
    #[schema(required)]
    pub created_by: Option<Uuid>,
    /// The customer's own CSO, first choice for their inquiries.
    #[schema(required)]
    pub assigned_to: Option<Uuid>,
}

/// The editable whole of a customer: `POST /customers` and `PUT /customers/:id`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerInput {
    #[schema(min_length = 1, max_length = 100)]
    pub first_name: String,
    #[schema(min_length = 1, max_length = 100)]
    pub last_name: String,
    #[schema(format = "email", max_length = 254)]
    pub email: String,
    #[schema(max_length = 50)]
    pub phone: Option<String>,
    #[schema(max_length = 200)]
    pub company: Option<String>,
    /// `active` when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub status: Option<CustomerStatus>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub metadata: Option<Map<String, Value>>,
}

impl CustomerInput {
    pub fn validate(mut self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        self.first_name = checks.line("/firstName", &self.first_name, MAX_NAME);
        self.last_name = checks.line("/lastName", &self.last_name, MAX_NAME);
        self.email = checks.email("/email", &self.email);
        self.phone = checks.optional_line("/phone", self.phone.as_deref(), 50);
        self.company = checks.optional_line("/company", self.company.as_deref(), 200);
        if let Some(metadata) = &self.metadata {
            checks.metadata("/metadata", metadata);
        }
        checks.finish(self)
    }
}

impl Customer {
    pub fn new(id: Uuid, input: CustomerInput, created_by: Option<Uuid>, now: Timestamp) -> Self {
        Self {
            id,
            version: 1,
            created_at: now,
            updated_at: now,
            first_name: input.first_name,
            last_name: input.last_name,
            email: input.email,
            phone: input.phone,
            company: input.company,
            status: input.status.unwrap_or(CustomerStatus::Active),
            metadata: input.metadata.unwrap_or_default(),
            created_by,
            assigned_to: None,
        }
    }

    /// Replaces everything a `PUT` may change; an optional field left out is cleared.
    #[must_use]
    pub fn replace(&self, input: CustomerInput, now: Timestamp) -> Self {
        let replaced = Self::new(self.id, input, self.created_by, now);
        Self {
            version: self.version + 1,
            created_at: self.created_at,
            assigned_to: self.assigned_to,
            ..replaced
        }
    }

    #[must_use]
    pub fn assign(&self, assignee: Option<Uuid>, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, assigned_to: assignee, ..self.clone() }
    }

    pub fn search_document(&self) -> String {
        search::document([
            self.first_name.as_str(),
            &self.last_name,
            &self.email,
            self.company.as_deref().unwrap_or_default(),
        ])
    }
}

/// The form of an email address under which it is unique.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}
