//! What a user is told of, and who is told of what (contract section 6).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::event::EventType;
use super::user::Role;
use super::{Event, Timestamp};

/// As it is pushed, and as the list shows it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Grows with each notification of the user.
    pub id: i64,
    #[serde(rename = "type")]
    #[schema(example = "response.submitted")]
    pub event_type: String,
    pub time: Timestamp,
    /// The id of what it happened to.
    pub subject: Uuid,
    /// What it happened to, as the API showed it then, with `actorId`.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    /// Null while unread.
    #[schema(required)]
    pub read_at: Option<Timestamp>,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All active users of these roles.
    Roles(&'static [Role]),
    User(Uuid),
}

/// `None`: nobody.
pub fn audience(event: &Event) -> Option<Audience> {
    match event.event_type {
        EventType::ResponseSubmitted
        | EventType::ResponseApprovalAdded
        | EventType::ResponseStale
        | EventType::ResponseDeliveryFailed => Some(Audience::Roles(&[Role::Manager, Role::Admin])),
        EventType::ApprovalReminder => Some(Audience::Roles(&[Role::Manager])),
        EventType::ApprovalEscalated | EventType::WebhookDisabled => Some(Audience::Roles(&[Role::Admin])),
        EventType::InquiryAssigned | EventType::InquiryReopened => user(event, "assignedTo"),
        EventType::ResponseApproved | EventType::ResponseRejected | EventType::ResponseSent => {
            user(event, "respondedBy")
        }
        EventType::CustomerCreated
        | EventType::CustomerUpdated
        | EventType::CustomerAssigned
        | EventType::CustomerDeleted
        | EventType::InquiryCreated
        | EventType::InquiryUpdated
        | EventType::InquiryUnassigned
        | EventType::InquiryStatusChanged
        | EventType::InquiryMessageAdded
        | EventType::ResponseCreated
        | EventType::ResponseEdited
        | EventType::ResponseWithdrawn
        | EventType::ResponseReleased
        | EventType::UserCreated
        | EventType::UserUpdated
        | EventType::UserPasswordChanged
        | EventType::UserTotpStarted
        | EventType::UserTotpEnabled
        | EventType::UserTotpDisabled
        | EventType::UserRecoveryCodesReplaced
        | EventType::SessionStarted
        | EventType::SessionEnded
        | EventType::SessionReuseDetected
        | EventType::ApiKeyCreated
        | EventType::ApiKeyRevoked
        | EventType::DeliveryWithheld
        | EventType::DeadLetterAdded
        | EventType::DeadLetterReplayed
        | EventType::DeadLetterDiscarded
        | EventType::WebhookCreated
        | EventType::WebhookUpdated
        | EventType::WebhookSecretRotated
        | EventType::WebhookReplayed
        | EventType::WebhookDeleted => None,
    }
}

fn user(event: &Event, field: &str) -> Option<Audience> {
    let id = event.data.get(field).and_then(Value::as_str)?;
    Uuid::parse_str(id).ok().map(Audience::User)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::event::EntityType;

    fn told(event_type: EventType, data: Value) -> Option<Audience> {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        audience(&Event::of(Uuid::nil(), event_type, (EntityType::Inquiry, Uuid::nil()), None, &data, now))
    }

    #[test]
    fn a_cso_is_told_of_their_own() {
        let (cso, author) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let inquiry = json!({"assignedTo": cso});
        let response = json!({"respondedBy": author});
        assert_eq!(told(EventType::InquiryAssigned, inquiry.clone()), Some(Audience::User(cso)));
        assert_eq!(told(EventType::InquiryReopened, inquiry), Some(Audience::User(cso)));
        for event_type in [EventType::ResponseApproved, EventType::ResponseRejected, EventType::ResponseSent]
        {
            assert_eq!(told(event_type, response.clone()), Some(Audience::User(author)));
        }
        assert_eq!(told(EventType::InquiryReopened, json!({"assignedTo": null})), None);
    }

    #[test]
    fn those_who_decide_are_told_what_waits_for_them() {
        let both = Some(Audience::Roles(&[Role::Manager, Role::Admin]));
        assert_eq!(told(EventType::ResponseSubmitted, json!({})), both);
        assert_eq!(told(EventType::ResponseDeliveryFailed, json!({})), both);
        assert_eq!(told(EventType::ApprovalReminder, json!({})), Some(Audience::Roles(&[Role::Manager])));
        assert_eq!(told(EventType::ApprovalEscalated, json!({})), Some(Audience::Roles(&[Role::Admin])));
    }
}
