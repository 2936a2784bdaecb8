use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// `GET /stats`. A CSO sees figures of their own work only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Customers by status.
    pub customers: BTreeMap<String, i64>,
    /// Inquiries by status.
    pub inquiries: BTreeMap<String, i64>,
    /// Responses by status.
    pub responses: BTreeMap<String, i64>,
    pub approval_queue: ApprovalQueue,
    /// From submission to decision.
    pub time_to_decision: DecisionTime,
    pub csos: Vec<CsoLoad>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalQueue {
    pub length: i64,
    /// Age of the oldest response waiting for a decision, in seconds; null when none waits.
    #[schema(required)]
    pub oldest_age_seconds: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionTime {
    /// Decisions of the last 30 days.
    pub count: i64,
    #[schema(required)]
    pub average_seconds: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CsoLoad {
    pub user_id: Uuid,
    pub first_name: String,
    pub last_name: String,
    pub availability: String,
    /// Pending and in-progress inquiries.
    pub open_inquiries: i64,
    pub max_open_inquiries: i64,
}
