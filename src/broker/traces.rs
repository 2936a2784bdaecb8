//! Each message the hub publishes in the trace it has come from, which goes with it in a header (W3C Trace Context).

use nexus_actors::domain::trace_parent::TraceParent;
use nexus_actors::port::{Outcome, Outgoing};
use nexus_actors::trace::{KeyValue, Span, SpanKind, Tracer};

use super::parcel::Parcel;

/// The span of publishing `parcel`, which is `message`; `None` for what belongs to no trace.
pub fn begin(
    tracer: Option<&Tracer>,
    parcel: &mut Parcel,
    message: &Outgoing,
    place: Option<TraceParent>,
) -> Option<Span> {
    let (tracer, place) = (tracer?, place?);
    let mut attributes = vec![
        KeyValue::new("messaging.system", tracer.messaging_system),
        KeyValue::new("messaging.operation.name", "publish"),
        KeyValue::new("messaging.operation.type", "send"),
    ];
    let id = |id: &Option<String>| KeyValue::new("messaging.message.id", id.clone().unwrap_or_default());
    let destination = match message {
        Outgoing::Event(event) => {
            attributes.push(id(&parcel.message_id));
            attributes.push(KeyValue::new("cloudevents.event_type", event.event_type.clone()));
            attributes.push(KeyValue::new("cloudevents.event_subject", event.subject.to_string()));
            format!("{}:{}", parcel.exchange, parcel.routing_key)
        }
        Outgoing::Delivery(_) => {
            attributes.push(id(&parcel.message_id));
            format!("{}:{}", parcel.exchange, parcel.routing_key)
        }
        // Its id and its routing key are what somebody sent.
        Outgoing::DeadLetter(_) => parcel.exchange.clone(),
    };
    attributes.push(KeyValue::new("messaging.destination.name", destination));
    let name = format!("publish {}", parcel.exchange);
    let span = tracer.begin(SpanKind::Producer, name, Some(place), attributes);
    parcel.hub_headers.push(("traceparent", span.place().to_string()));
    Some(span)
}

/// That nobody takes a message is no failure of publishing it.
pub fn end(span: &Span, outcome: Outcome) {
    if outcome == Outcome::Unconfirmed {
        span.fail("unconfirmed");
    }
    span.end();
}
