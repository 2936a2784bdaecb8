//! Each message of a broker in a trace of its own: the one its publisher began, or a new one.

use super::IntakeDesk;
use crate::domain::envelope::{Arrival, Envelope, Refusal};
use crate::domain::trace_parent::TraceParent;
use crate::trace::{KeyValue, Span, SpanKind};

/// The header of AMQP, and the one of HTTP.
const TRACEPARENT: &str = "traceparent";

impl IntakeDesk {
    /// The span of taking in `envelope`, which turned out to be `arrival`; `None` where nothing is traced.
    pub(super) fn begin(&self, envelope: &Envelope, arrival: &Result<Arrival, Refusal>) -> Option<Span> {
        let tracer = self.tracer.as_ref()?;
        let (name, destination) = match arrival {
            Ok(Arrival::Inquiry { .. }) => ("process inquiry", Some(envelope.routing_key.clone())),
            Ok(Arrival::Report { .. }) => ("process delivery report", Some(envelope.routing_key.clone())),
            // Whatever its routing key is, the hub does not know it.
            Err(_) => ("process dead letter", None),
        };
        let mut attributes = vec![
            KeyValue::new("messaging.system", tracer.messaging_system),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
        ];
        attributes.extend(destination.map(|key| KeyValue::new("messaging.destination.name", key)));
        Some(tracer.begin(SpanKind::Consumer, name, place_of(envelope), attributes))
    }
}

/// Where the publisher's trace has come to, as far as its header can be understood.
pub(super) fn place_of(envelope: &Envelope) -> Option<TraceParent> {
    envelope.headers.get(TRACEPARENT)?.as_str()?.parse().ok()
}

/// Of messages taken in together, the one whose trace has what is done for all of them: the first that is recorded. The
/// others name it.
pub(super) fn leading<'a>(spans: impl Iterator<Item = &'a Span> + Clone) -> Option<&'a Span> {
    let leader = spans.clone().find(|span| span.is_recorded()).or_else(|| spans.clone().next())?;
    for span in spans {
        span.link(leader.place());
    }
    Some(leader)
}
