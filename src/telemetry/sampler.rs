//! Which traces are recorded.

use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

/// By lot: whatever begins a trace, and every request, whoever says that it is part of a recorded trace; a stranger can
/// neither have the hub record nor keep it from that. By a number of the hub's own, too, because a stranger may choose
/// the id of a trace. What follows within the hub goes with what it follows, and a broker's message with what its
/// publisher, who has an account there, has decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lot {
    /// Of 1.
    pub ratio: f64,
}

impl ShouldSample for Lot {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        kind: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let parent = parent.map(|context| context.span().span_context().clone());
        let recorded = match parent.filter(|parent| parent.is_valid()) {
            Some(parent) if *kind != SpanKind::Server => parent.is_sampled(),
            Some(_) | None => rand::random::<f64>() < self.ratio,
        };
        let decision = if recorded { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::NONE }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    fn records(ratio: f64, kind: SpanKind, parent: Option<bool>) -> bool {
        let context = match parent {
            None => Context::new(),
            Some(sampled) => {
                let flags = TraceFlags::default().with_sampled(sampled);
                let (trace, span) = (TraceId::from(1), SpanId::from(1));
                let parent = SpanContext::new(trace, span, flags, true, TraceState::NONE);
                Context::new().with_remote_span_context(parent)
            }
        };
        let result = Lot { ratio }.should_sample(Some(&context), TraceId::from(1), "", &kind, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn a_request_is_recorded_by_lot_whatever_its_client_says() {
        for parent in [None, Some(false), Some(true)] {
            assert!(records(1.0, SpanKind::Server, parent), "{parent:?}");
            assert!(!records(0.0, SpanKind::Server, parent), "{parent:?}");
        }
    }

    #[test]
    fn what_follows_goes_with_what_it_follows() {
        for kind in [SpanKind::Internal, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer] {
            assert!(records(0.0, kind.clone(), Some(true)), "{kind:?}");
            assert!(!records(1.0, kind.clone(), Some(false)), "{kind:?}");
        }
        assert!(records(1.0, SpanKind::Consumer, None));
        assert!(!records(0.0, SpanKind::Consumer, None));
    }
}
