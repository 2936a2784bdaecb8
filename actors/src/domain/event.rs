use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Timestamp;
use super::text_enum::text_enum;
use super::trace_parent::TraceParent;

text_enum!(EntityType {
    Customer = "customer",
    Inquiry = "inquiry",
    Response = "response",
    User = "user",
    Session = "session",
    Delivery = "delivery",
    ApiKey = "api_key",
    DeadLetter = "dead_letter",
    Notification = "notification",
    Webhook = "webhook",
    WebhookAttempt = "webhook_attempt",
});

text_enum!(
    /// What can have happened. The text is the routing key, the CloudEvents `type` and the audit action.
    EventType {
        CustomerCreated = "customer.created",
        CustomerUpdated = "customer.updated",
        CustomerAssigned = "customer.assigned",
        CustomerDeleted = "customer.deleted",
        InquiryCreated = "inquiry.created",
        InquiryUpdated = "inquiry.updated",
        InquiryAssigned = "inquiry.assigned",
        InquiryUnassigned = "inquiry.unassigned",
        InquiryReopened = "inquiry.reopened",
        InquiryStatusChanged = "inquiry.status_changed",
        InquiryMessageAdded = "inquiry.message_added",
        ResponseCreated = "response.created",
        ResponseEdited = "response.edited",
        ResponseSubmitted = "response.submitted",
        ResponseWithdrawn = "response.withdrawn",
        ResponseReleased = "response.released",
        ResponseApprovalAdded = "response.approval_added",
        ResponseApproved = "response.approved",
        ResponseRejected = "response.rejected",
        ResponseSent = "response.sent",
        ResponseDeliveryFailed = "response.delivery_failed",
        ResponseStale = "response.stale",
        ApprovalReminder = "approval.reminder",
        ApprovalEscalated = "approval.escalated",
        UserCreated = "user.created",
        UserUpdated = "user.updated",
        UserPasswordChanged = "user.password_changed",
        UserTotpStarted = "user.totp_started",
        UserTotpEnabled = "user.totp_enabled",
        UserTotpDisabled = "user.totp_disabled",
        UserRecoveryCodesReplaced = "user.recovery_codes_replaced",
        SessionStarted = "session.started",
        SessionEnded = "session.ended",
        SessionReuseDetected = "session.reuse_detected",
        ApiKeyCreated = "api_key.created",
        ApiKeyRevoked = "api_key.revoked",
        DeliveryWithheld = "delivery.withheld",
        DeadLetterAdded = "dead_letter.added",
        DeadLetterReplayed = "dead_letter.replayed",
        DeadLetterDiscarded = "dead_letter.discarded",
        WebhookCreated = "webhook.created",
        WebhookUpdated = "webhook.updated",
        WebhookSecretRotated = "webhook.secret_rotated",
        WebhookReplayed = "webhook.replayed",
        WebhookDisabled = "webhook.disabled",
        WebhookDeleted = "webhook.deleted",
    }
);

impl EntityType {
    /// Whether the outside world may know what happens to it. Sign-ins, keys and webhooks are for the audit trail alone.
    pub const fn is_published(self) -> bool {
        match self {
            Self::Customer | Self::Inquiry | Self::Response | Self::User | Self::DeadLetter => true,
            Self::Session
            | Self::Delivery
            | Self::ApiKey
            | Self::Notification
            | Self::Webhook
            | Self::WebhookAttempt => false,
        }
    }
}

impl EventType {
    /// What it happens to; an event's data is one of these.
    pub const fn entity_type(self) -> EntityType {
        match self {
            Self::CustomerCreated
            | Self::CustomerUpdated
            | Self::CustomerAssigned
            | Self::CustomerDeleted => EntityType::Customer,
            Self::InquiryCreated
            | Self::InquiryUpdated
            | Self::InquiryAssigned
            | Self::InquiryUnassigned
            | Self::InquiryReopened
            | Self::InquiryStatusChanged
            | Self::InquiryMessageAdded => EntityType::Inquiry,
            Self::ResponseCreated
            | Self::ResponseEdited
            | Self::ResponseSubmitted
            | Self::ResponseWithdrawn
            | Self::ResponseReleased
            | Self::ResponseApprovalAdded
            | Self::ResponseApproved
            | Self::ResponseRejected
            | Self::ResponseSent
            | Self::ResponseDeliveryFailed
            | Self::ResponseStale
            | Self::ApprovalReminder
            | Self::ApprovalEscalated => EntityType::Response,
            Self::UserCreated
            | Self::UserUpdated
            | Self::UserPasswordChanged
            | Self::UserTotpStarted
            | Self::UserTotpEnabled
            | Self::UserTotpDisabled
            | Self::UserRecoveryCodesReplaced => EntityType::User,
            Self::SessionStarted | Self::SessionEnded | Self::SessionReuseDetected => EntityType::Session,
            Self::ApiKeyCreated | Self::ApiKeyRevoked => EntityType::ApiKey,
            Self::DeliveryWithheld => EntityType::Delivery,
            Self::DeadLetterAdded | Self::DeadLetterReplayed | Self::DeadLetterDiscarded => {
                EntityType::DeadLetter
            }
            Self::WebhookCreated
            | Self::WebhookUpdated
            | Self::WebhookSecretRotated
            | Self::WebhookReplayed
            | Self::WebhookDisabled
            | Self::WebhookDeleted => EntityType::Webhook,
        }
    }
}

/// One thing that happened to one entity: written to the audit trail, and for everything the outside world
/// may know to the outbox, in the transaction of the change itself.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: Uuid,
    pub event_type: EventType,
    pub entity_type: EntityType,
    pub entity_id: Uuid,
    /// `None` when the hub acted by itself.
    pub actor_id: Option<Uuid>,
    pub request_id: Option<String>,
    pub time: Timestamp,
    /// The entity as the API shows it after the change.
    pub data: Map<String, Value>,
    /// Field by field, what it was and what it is.
    pub changes: Map<String, Value>,
    /// Where it is in a trace; without it, where the commit is.
    pub trace: Option<TraceParent>,
}

impl Event {
    /// `before` is the entity as it was, absent for a new one. Both must serialise to JSON objects.
    pub fn of<T: Serialize>(
        id: Uuid,
        event_type: EventType,
        entity: (EntityType, Uuid),
        before: Option<&T>,
        after: &T,
        time: Timestamp,
    ) -> Self {
        let before = before.map(to_object).unwrap_or_default();
        let after = to_object(after);
        let changes = difference(&before, &after);
        Self {
            id,
            event_type,
            entity_type: entity.0,
            entity_id: entity.1,
            actor_id: None,
            request_id: None,
            time,
            data: after,
            changes,
            trace: None,
        }
    }

    #[must_use]
    pub fn by(mut self, actor_id: Uuid, request_id: &str) -> Self {
        self.actor_id = Some(actor_id);
        self.request_id = Some(request_id.to_owned());
        self
    }

    pub fn is_published(&self) -> bool {
        self.entity_type.is_published()
    }

    /// What subscribers get: the entity plus who did it.
    pub fn published_data(&self) -> Box<RawValue> {
        let published = Published { entity: &self.data, actor_id: self.actor_id };
        // Maps of JSON values are always JSON.
        serde_json::value::to_raw_value(&published).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

#[derive(Serialize)]
struct Published<'a> {
    #[serde(flatten)]
    entity: &'a Map<String, Value>,
    #[serde(rename = "actorId")]
    actor_id: Option<Uuid>,
}

fn to_object<T: Serialize>(entity: &T) -> Map<String, Value> {
    match serde_json::to_value(entity) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    }
}

fn difference(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    after
        .iter()
        .filter(|(field, _)| !matches!(field.as_str(), "id" | "version" | "createdAt" | "updatedAt"))
        .filter(|(field, value)| before.get(*field).unwrap_or(&Value::Null) != *value)
        .map(|(field, value)| {
            let was = before.get(field).cloned().unwrap_or(Value::Null);
            (field.clone(), serde_json::json!({"from": was, "to": value}))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_only_the_fields_that_differ() {
        let before = serde_json::json!({"id": 1, "version": 1, "status": "draft", "message": "a"});
        let after = serde_json::json!({"id": 1, "version": 2, "status": "pending_approval", "message": "a"});
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let event = Event::of(
            Uuid::nil(),
            EventType::ResponseSubmitted,
            (EntityType::Response, Uuid::nil()),
            Some(&before),
            &after,
            now,
        );
        assert_eq!(
            Value::Object(event.changes),
            serde_json::json!({"status": {"from": "draft", "to": "pending_approval"}})
        );
    }
}
