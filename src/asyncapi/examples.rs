//! One inquiry on its way through the hub, told by the code's own types, so that no example can go out of date.

use std::time::Duration;

use chrono::DateTime;
use nexus_actors::domain::channel::{InboundCustomer, InboundMessage};
use nexus_actors::domain::cloud_event::CloudEvent;
use nexus_actors::domain::customer::Customer;
use nexus_actors::domain::dead_letter::{BuriedMessage, DeadLetter, DeadLetterReason};
use nexus_actors::domain::delivery::{Delivery, DeliveryConfirmed, DeliveryFailed, OutboundMessage};
use nexus_actors::domain::envelope::{Envelope, Refusal};
use nexus_actors::domain::event::EventType;
use nexus_actors::domain::inquiry::{Inquiry, NewInquiry, Priority};
use nexus_actors::domain::response::{GivenApproval, Response, ResponseStatus};
use nexus_actors::domain::user::{Availability, Role, User};
use nexus_actors::domain::{Event, Timestamp};
use serde::Serialize;
use serde_json::Map;
use uuid::{Uuid, uuid};

const CSO: Uuid = uuid!("019a0000-0000-7000-8000-000000000001");
const MANAGER: Uuid = uuid!("019a0000-0000-7000-8000-000000000002");
const CUSTOMER: Uuid = uuid!("019a0000-0000-7000-8000-000000000003");
const INQUIRY: Uuid = uuid!("019a0000-0000-7000-8000-000000000004");
const RESPONSE: Uuid = uuid!("019a0000-0000-7000-8000-000000000005");
const DELIVERY: Uuid = uuid!("019a0000-0000-7000-8000-000000000006");
const LETTER: Uuid = uuid!("019a0000-0000-7000-8000-000000000007");
const EVENT: Uuid = uuid!("019a0000-0000-7000-8000-000000000008");

/// 2026-06-01, 8:00.
const BEGIN: u64 = 1_780_300_800;

pub(super) struct Story {
    pub inbound: InboundMessage,
    pub outbound: OutboundMessage,
    pub confirmed: DeliveryConfirmed,
    pub failed: DeliveryFailed,
    pub dead_letter: DeadLetter,
    customer: Customer,
    inquiry: Inquiry,
    response: Response,
    cso: User,
}

impl Story {
    pub fn tell() -> Self {
        let inbound = inbound();
        let customer = Customer::new(CUSTOMER, inbound.customer.clone().into_input(), None, after(0));
        let inquiry = inquiry(&inbound);
        let response = approved();
        let delivery = Delivery::of_approved(DELIVERY, &response, &inquiry, &customer, response.updated_at);
        Self {
            outbound: delivery.message,
            confirmed: DeliveryConfirmed { delivery_id: DELIVERY, delivered_at: Some(after(31)) },
            failed: DeliveryFailed {
                delivery_id: DELIVERY,
                reason: "550 5.1.1 no such mailbox".to_owned(),
                permanent: Some(true),
            },
            dead_letter: dead_letter(),
            inbound,
            customer,
            inquiry,
            response,
            cso: cso(),
        }
    }

    /// Of each kind of entity, one event.
    pub fn event(&self, event_type: EventType) -> Option<CloudEvent> {
        match event_type {
            EventType::CustomerCreated => Some(event(event_type, None, CUSTOMER, &self.customer, 0)),
            EventType::InquiryAssigned => Some(event(event_type, None, INQUIRY, &self.inquiry, 0)),
            EventType::ResponseApproved => {
                Some(event(event_type, Some(MANAGER), RESPONSE, &self.response, 30))
            }
            EventType::UserUpdated => Some(event(event_type, Some(CSO), CSO, &self.cso, 5)),
            EventType::DeadLetterAdded => Some(event(event_type, None, LETTER, &self.dead_letter, 10)),
            _ => None,
        }
    }
}

fn after(minutes: u64) -> Timestamp {
    Timestamp::from_utc(DateTime::UNIX_EPOCH).plus(Duration::from_secs(BEGIN + 60 * minutes))
}

fn event<T: Serialize>(
    event_type: EventType,
    actor: Option<Uuid>,
    entity_id: Uuid,
    entity: &T,
    minutes: u64,
) -> CloudEvent {
    let entity_type = event_type.entity_type();
    let event = Event::of(EVENT, event_type, (entity_type, entity_id), None, entity, after(minutes));
    CloudEvent::from(&Event { actor_id: actor, ..event })
}

fn inbound() -> InboundMessage {
    InboundMessage {
        external_id: Some("<CAF=abc@mail.example>".to_owned()),
        thread_id: Some("<CAF=abc@mail.example>".to_owned()),
        customer: InboundCustomer {
            email: "ada@example.com".to_owned(),
            first_name: Some("Ada".to_owned()),
            last_name: Some("Lovelace".to_owned()),
            phone: None,
            company: None,
        },
        subject: Some("Where is my order?".to_owned()),
        message: "It was due on Monday.".to_owned(),
        priority: Some(Priority::Medium),
        category: Some("shipping".to_owned()),
        metadata: Some(Map::new()),
    }
}

fn inquiry(inbound: &InboundMessage) -> Inquiry {
    let input = NewInquiry {
        customer_id: CUSTOMER,
        subject: inbound.subject(),
        message: inbound.message.clone(),
        priority: inbound.priority,
        category: inbound.category.clone(),
        channel: Some("email".to_owned()),
    };
    Inquiry {
        external_id: inbound.external_id.clone(),
        thread_id: inbound.thread_id.clone(),
        assigned_to: Some(CSO),
        assigned_at: Some(after(0)),
        ..Inquiry::new(INQUIRY, input, after(0))
    }
}

fn approved() -> Response {
    let text = "Dear Ada, it ships tomorrow.".to_owned();
    Response {
        version: 3,
        updated_at: after(30),
        status: ResponseStatus::Approved,
        approved_by: Some(MANAGER),
        approvals: vec![GivenApproval { approved_by: MANAGER, approved_at: after(30), notes: None }],
        submitted_at: Some(after(20)),
        decided_at: Some(after(30)),
        ..Response::draft(RESPONSE, INQUIRY, text, CSO, after(15))
    }
}

fn cso() -> User {
    User {
        id: CSO,
        version: 2,
        created_at: after(0),
        updated_at: after(5),
        email: "carla@example.com".to_owned(),
        role: Role::Cso,
        first_name: "Carla".to_owned(),
        last_name: "Ortiz".to_owned(),
        is_active: true,
        availability: Availability::Online,
        max_open_inquiries: 20,
        skills: vec!["shipping".to_owned()],
        totp_enabled: false,
    }
}

fn dead_letter() -> DeadLetter {
    let envelope = Envelope {
        receipt: LETTER,
        routing_key: "inquiry.email".to_owned(),
        message_id: Some("<CAF=def@mail.example>".to_owned()),
        content_type: Some("application/json".to_owned()),
        headers: Map::new(),
        body: b"{\"customer\":".to_vec(),
    };
    let refusal = Refusal::new(DeadLetterReason::BadJson, "EOF while parsing a value at line 1 column 12");
    BuriedMessage::new(LETTER, &envelope, &refusal, after(10)).letter
}
