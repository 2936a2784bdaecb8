//! Hands spans over to the collector, counts them, and says once when that does not work.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nexus_actors::outage::Outage;
use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

type Label = [(&'static str, &'static str); 1];

const EXPORTED: Label = [("outcome", "exported")];
const LOST: Label = [("outcome", "lost")];

/// Spans by what became of them, since the process started. All clones count together.
#[derive(Clone, Debug)]
pub struct SpanCounts(Family<Label, Counter>);

impl Default for SpanCounts {
    fn default() -> Self {
        let counts = Self(Family::default());
        // From zero on: where a series begins with 1, nobody sees the 1 as an increase.
        for outcome in [EXPORTED, LOST] {
            drop(counts.0.get_or_create(&outcome));
        }
        counts
    }
}

impl SpanCounts {
    pub fn register(&self, registry: &mut Registry) {
        let help = "Spans the collector has taken, and those it was offered in vain";
        registry.register("trace_spans", help, self.0.clone());
    }
}

#[derive(Debug)]
pub(super) struct Exporter {
    otlp: Otlp,
    counts: SpanCounts,
    outage: Mutex<Outage>,
}

impl Exporter {
    pub(super) fn new(otlp: Otlp, counts: SpanCounts) -> Self {
        Self { otlp, counts, outage: Mutex::new(Outage::of("traces are lost: the collector takes none")) }
    }

    fn note(&self, spans: usize, outcome: &OTelSdkResult) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let became = match outcome {
            Ok(()) => {
                outage.over();
                EXPORTED
            }
            Err(error) => {
                outage.begun_or_going_on(error);
                LOST
            }
        };
        self.counts.0.get_or_create(&became).inc_by(spans as u64);
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.otlp.export(batch).await;
        self.note(spans, &outcome);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
