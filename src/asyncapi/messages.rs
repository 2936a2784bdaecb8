//! What is sent: gateways' messages, the hub's replies to them, events and dead letters.

use nexus_actors::domain::channel::InboundMessage;
use nexus_actors::domain::cloud_event::{self, CloudEvent};
use nexus_actors::domain::dead_letter::DeadLetterReason;
use nexus_actors::domain::delivery::{DeliveryConfirmed, DeliveryFailed, OutboundMessage};
use nexus_actors::domain::event::EventType;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::examples::Story;
use super::schemas::{data_schema, schema_of};

pub(super) const INQUIRY: &str = "InboundInquiry";
pub(super) const DELIVERY_CONFIRMED: &str = "DeliveryConfirmed";
pub(super) const DELIVERY_FAILED: &str = "DeliveryFailed";
pub(super) const OUTBOUND: &str = "OutboundDelivery";
pub(super) const DEAD_LETTER: &str = "DeadLetter";

pub(super) const BINDING_VERSION: &str = "0.3.0";

const JSON: &str = "application/json";

/// Those the outside world hears of.
pub(super) fn event_types() -> impl Iterator<Item = EventType> {
    EventType::ALL.iter().copied().filter(|one| one.entity_type().is_published())
}

pub(super) fn messages() -> Value {
    let story = Story::tell();
    let mut messages = Map::from_iter([
        (INQUIRY.to_owned(), inquiry(&story)),
        (DELIVERY_CONFIRMED.to_owned(), confirmed(&story)),
        (DELIVERY_FAILED.to_owned(), failed(&story)),
        (OUTBOUND.to_owned(), outbound(&story)),
        (DEAD_LETTER.to_owned(), dead_letter(&story)),
    ]);
    messages.extend(event_types().map(|one| (one.to_string(), event(one, &story))));
    Value::Object(messages)
}

fn inquiry(story: &Story) -> Value {
    let mut message = of_type::<InboundMessage>(
        INQUIRY,
        "What a customer wrote",
        "`externalId`, or else the AMQP `message_id`, identifies it within its channel. A `threadId` known for that \
            channel and customer continues that inquiry, and reopens it.",
    );
    message["examples"] = json!([{"name": "mail", "payload": story.inbound}]);
    message
}

fn confirmed(story: &Story) -> Value {
    let mut message = of_type::<DeliveryConfirmed>(
        DELIVERY_CONFIRMED,
        "The reply was sent",
        "Without `deliveredAt`, it was sent when the report came. Repeated, it changes nothing.",
    );
    message["correlationId"] = correlation();
    message["examples"] = json!([{"name": "sent", "payload": story.confirmed}]);
    message
}

fn failed(story: &Story) -> Value {
    let mut message = of_type::<DeliveryFailed>(
        DELIVERY_FAILED,
        "The reply was not sent",
        "Unless `permanent`, it is sent again later, for a limited number of times, with the same `deliveryId`.",
    );
    message["correlationId"] = correlation();
    message["examples"] = json!([{"name": "bounced", "payload": story.failed}]);
    message
}

fn outbound(story: &Story) -> Value {
    let mut message = of_type::<OutboundMessage>(
        OUTBOUND,
        "A reply to send",
        "Byte for byte what was approved. The AMQP `message_id` is the `deliveryId`; sent again, it is the same.",
    );
    message["correlationId"] = correlation();
    message["examples"] = json!([{"name": "mail", "payload": story.outbound}]);
    message
}

/// The body is as it came, so nothing can be said about it.
fn dead_letter(story: &Story) -> Value {
    let headers = json!({
        "type": "object",
        "description": "The original headers, and these.",
        "properties": {
            "x-nexus-reason": schema_of::<DeadLetterReason>(),
            "x-nexus-error": {"type": "string", "description": "The reason in detail."},
            "x-nexus-dead-letter-id": {"type": "string", "format": "uuid", "description": "As the hub keeps it."},
            "traceparent": traceparent(),
        },
        "required": ["x-nexus-reason", "x-nexus-error"],
    });
    let example = json!({
        "name": "badJson",
        "headers": {
            "x-nexus-reason": story.dead_letter.reason,
            "x-nexus-error": story.dead_letter.error,
            "x-nexus-dead-letter-id": story.dead_letter.id,
        },
    });
    json!({
        "name": DEAD_LETTER,
        "title": "A message the hub cannot take",
        "summary": "Body, content type and headers are as they came.",
        // Whatever the gateway called it.
        "contentType": "application/octet-stream",
        "headers": headers,
        "bindings": bindings(),
        "examples": [example],
    })
}

fn event(event_type: EventType, story: &Story) -> Value {
    let payload = json!({
        "allOf": [
            schema_of::<CloudEvent>(),
            {
                "type": "object",
                "properties": {"type": {"const": event_type}, "data": data_schema(event_type.entity_type())},
            },
        ],
    });
    let mut message = message(event_type.as_str(), event_type.as_str(), summary(event_type), payload);
    message["contentType"] = json!(cloud_event::CONTENT_TYPE);
    if let Some(example) = story.event(event_type) {
        message["examples"] = json!([{"name": event_type, "payload": example}]);
    }
    message
}

/// Nothing for what is for the audit trail alone.
const fn summary(event_type: EventType) -> &'static str {
    match event_type {
        EventType::CustomerCreated => "A customer is new, by hand or from a channel.",
        EventType::CustomerUpdated => "What is known of a customer was changed.",
        EventType::CustomerAssigned => "A customer has another CSO of their own, or none.",
        EventType::CustomerDeleted => "A customer was deleted; the inquiries stay.",
        EventType::InquiryCreated => "An inquiry is new.",
        EventType::InquiryUpdated => "Subject, message, priority or category of an inquiry were changed.",
        EventType::InquiryAssigned => "An inquiry was given to a CSO.",
        EventType::InquiryUnassigned => "An inquiry's CSO went away; it waits for another.",
        EventType::InquiryReopened => "An inquiry that was over is not.",
        EventType::InquiryStatusChanged => "An inquiry moved on.",
        EventType::InquiryMessageAdded => "The customer wrote again.",
        EventType::ResponseCreated => "A response was drafted.",
        EventType::ResponseEdited => "A response has a new revision.",
        EventType::ResponseSubmitted => "A response waits for approval.",
        EventType::ResponseWithdrawn => "A response was taken back before it was decided on.",
        EventType::ResponseReleased => "An approval policy let this revision go without anyone's approval.",
        EventType::ResponseApprovalAdded => "A manager approved exactly this revision; another one has to.",
        EventType::ResponseApproved => "A manager approved exactly this revision; it is on its way.",
        EventType::ResponseRejected => "A manager rejected a response, and said why.",
        EventType::ResponseSent => "The channel has sent a response.",
        EventType::ResponseDeliveryFailed => "The channel cannot send a response; it may be submitted again.",
        EventType::ResponseStale => "The customer has written again since a response was submitted.",
        EventType::ApprovalReminder => "A response has waited long for its approval.",
        EventType::ApprovalEscalated => "A response waits for its approval, and too long or for nobody.",
        EventType::UserCreated => "A user is new.",
        EventType::UserUpdated => "A user's role, state, skills or name were changed.",
        EventType::UserPasswordChanged => "A user changed their password.",
        EventType::UserTotpStarted => "A user was shown the secret of an authenticator, yet to be confirmed.",
        EventType::UserTotpEnabled => {
            "A user confirmed an authenticator: signing in takes its codes from now on."
        }
        EventType::UserTotpDisabled => "A user's authenticator was taken off, by themselves or by an admin.",
        EventType::UserRecoveryCodesReplaced => "A user has new recovery codes.",
        EventType::DeadLetterAdded => "A message came that the hub cannot take.",
        EventType::DeadLetterReplayed => "A dead letter was taken after all.",
        EventType::DeadLetterDiscarded => "A dead letter was given up.",
        EventType::SessionStarted
        | EventType::SessionEnded
        | EventType::SessionReuseDetected
        | EventType::ApiKeyCreated
        | EventType::ApiKeyRevoked
        | EventType::DeliveryWithheld
        | EventType::WebhookCreated
        | EventType::WebhookUpdated
        | EventType::WebhookSecretRotated
        | EventType::WebhookReplayed
        | EventType::WebhookDisabled
        | EventType::WebhookDeleted => "",
    }
}

fn of_type<T: ToSchema>(name: &str, title: &str, summary: &str) -> Value {
    message(name, title, summary, schema_of::<T>())
}

fn message(name: &str, title: &str, summary: &str, payload: Value) -> Value {
    json!({
        "name": name,
        "title": title,
        "summary": summary,
        "contentType": JSON,
        "headers": {"type": "object", "properties": {"traceparent": traceparent()}},
        "payload": payload,
        "bindings": bindings(),
    })
}

/// No pattern: what is malformed is as good as absent.
fn traceparent() -> Value {
    json!({"type": "string", "description": "The trace it belongs to, if any, as W3C Trace Context has it."})
}

/// What a gateway reports refers to what it was given.
fn correlation() -> Value {
    json!({"location": "$message.payload#/deliveryId"})
}

fn bindings() -> Value {
    json!({"amqp": {"bindingVersion": BINDING_VERSION}})
}
