//! Traces (OpenTelemetry): what happens for one request or message, through actors, store and broker.
//!
//! The span that is current belongs to the future being polled, and goes with a message into its actor (see `mailbox`).
//! Nothing in here begins a trace by itself: requests and messages from outside do, with a [`Tracer`]. Where there is
//! none, no span is ever current, and what is in here comes to a look at a variable of the thread.
//!
//! Attributes say what kind of thing happened and to which id; never what somebody wrote, who they are or what they
//! may do.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use opentelemetry::global::{BoxedTracer, ObjectSafeTracer};
use opentelemetry::trace::{
    FutureExt, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, ContextGuard};

pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::SpanKind;

use crate::domain::trace_parent::TraceParent;
use crate::error::HubError;

/// Begins traces, and continues those of others. All clones are one.
#[derive(Clone, Debug)]
pub struct Tracer {
    tracer: Arc<BoxedTracer>,
    /// `messaging.system` of the broker.
    pub messaging_system: &'static str,
}

/// A span, in its trace. It ends with [`Self::end`], or else with the last clone.
#[derive(Clone, Debug)]
pub struct Span(Context);

impl Tracer {
    pub fn new(
        tracer: impl ObjectSafeTracer + Send + Sync + 'static,
        messaging_system: &'static str,
    ) -> Self {
        Self { tracer: Arc::new(BoxedTracer::new(Box::new(tracer))), messaging_system }
    }

    /// A span that continues the trace of `parent`, or begins one; whatever is current has no part in it.
    pub fn begin(
        &self,
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        parent: Option<TraceParent>,
        attributes: Vec<KeyValue>,
    ) -> Span {
        let around = Context::new().with_value(self.clone());
        let around = match parent {
            Some(parent) => around.with_remote_span_context(context_of(parent)),
            None => around,
        };
        self.within(&around, kind, name.into(), attributes)
    }

    fn within(
        &self,
        around: &Context,
        kind: SpanKind,
        name: Cow<'static, str>,
        attributes: Vec<KeyValue>,
    ) -> Span {
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
        Span(around.with_span(self.tracer.build_with_context(builder, around)))
    }
}

impl Span {
    /// The one this is running in, if any.
    pub fn current() -> Option<Self> {
        Context::map_current(|context| context.has_active_span().then(|| Self(context.clone())))
    }

    /// A part of this one. Of a trace that is not recorded no parts are made: it stands for all of it.
    #[must_use]
    pub fn child(
        &self,
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        attributes: Vec<KeyValue>,
    ) -> Self {
        match self.0.get::<Tracer>() {
            Some(tracer) if self.is_recorded() => tracer.within(&self.0, kind, name.into(), attributes),
            _ => self.clone(),
        }
    }

    pub fn is_recorded(&self) -> bool {
        self.0.span().span_context().is_sampled()
    }

    /// For whoever goes on elsewhere or later.
    pub fn place(&self) -> TraceParent {
        let span = self.0.span();
        let context = span.span_context();
        TraceParent {
            trace: u128::from_be_bytes(context.trace_id().to_bytes()),
            span: u64::from_be_bytes(context.span_id().to_bytes()),
            sampled: context.is_sampled(),
        }
    }

    pub fn rename(&self, name: String) {
        self.0.span().update_name(name);
    }

    pub fn set(&self, attribute: KeyValue) {
        self.0.span().set_attribute(attribute);
    }

    /// Names what this has come from, unless that is in the same trace.
    pub fn link(&self, to: TraceParent) {
        if to.trace != self.place().trace {
            self.0.span().add_link(context_of(to), Vec::new());
        }
    }

    /// `kind`: one of a few words.
    pub fn fail(&self, kind: impl Into<Cow<'static, str>>) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("error.type", kind.into()));
        span.set_status(Status::error(""));
    }

    /// Notes an error that is the hub's own; that a rule does not allow something is none.
    pub fn fail_if_fault(&self, error: &HubError) {
        match error {
            HubError::Overloaded { .. } => self.fail("overloaded"),
            HubError::ActorFailed { .. } => self.fail("actor_failed"),
            HubError::Unavailable { .. } => self.fail("unavailable"),
            HubError::Internal(_) => self.fail("internal"),
            _ => {}
        }
    }

    /// Whatever is noted later is lost.
    pub fn end(&self) {
        self.0.span().end();
    }

    /// Makes it current until the guard is gone.
    pub(crate) fn enter(&self) -> ContextGuard {
        self.0.clone().attach()
    }

    /// Makes it current whenever `future` is polled.
    pub(crate) fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        future.with_context(self.0)
    }
}

/// Where what happens now is in its trace.
pub fn current_place() -> Option<TraceParent> {
    Span::current().map(|span| span.place())
}

/// Runs `future` in `span`, if there is one.
pub async fn within<F: Future>(span: Option<&Span>, future: F) -> F::Output {
    match span {
        Some(span) => span.clone().around(future).await,
        None => future.await,
    }
}

/// Runs `future` in a part of what is current, if anything is.
pub(crate) async fn in_part<F: Future>(
    kind: SpanKind,
    name: &'static str,
    attributes: impl FnOnce() -> Vec<KeyValue>,
    future: F,
) -> F::Output {
    let Some(current) = Span::current().filter(Span::is_recorded) else { return future.await };
    let part = current.child(kind, name, attributes());
    let outcome = part.clone().around(future).await;
    part.end();
    outcome
}

fn context_of(place: TraceParent) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(place.trace.to_be_bytes()),
        SpanId::from_bytes(place.span.to_be_bytes()),
        TraceFlags::default().with_sampled(place.sampled),
        true,
        TraceState::NONE,
    )
}
