//! Traces by OpenTelemetry, to a collector by OTLP over HTTP, where `telemetry.otlp_endpoint` names one.
//!
//! Spans end in a bounded queue; a thread of the exporter's posts them from there. A collector that is slow or away
//! costs spans, which are lost when the queue is full, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use actix::Context;
use actix_rt::Arbiter;
use nexus_actors::new_id;
use nexus_actors::supervision::{Intake, Supervision};
use nexus_actors::trace::{KeyValue, Tracer};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};

mod collector;
mod exporter;
mod sampler;
mod settings;

pub use exporter::SpanCounts;
pub use settings::TelemetrySettings;

use crate::settings::{BadSetting, Settings};
use crate::transport;
use collector::{PATIENCE, Poster, TraceSender};
use exporter::Exporter;
use sampler::Lot;

/// How long a span may wait for others to be posted with.
const DELAY: Duration = Duration::from_secs(1);
/// Spans that may wait, some 1 KiB each; more are lost.
const QUEUE: usize = 8192;
/// Spans posted at a time.
const BATCH: usize = 512;
/// For posting at the end what waits; and no more than a quarter of what the end may take.
const FLUSH: Duration = Duration::from_secs(2);

/// What traces are made with, while the hub runs.
#[derive(Clone, Debug)]
pub struct Telemetry {
    pub tracer: Tracer,
    pub counts: SpanCounts,
}

impl Telemetry {
    /// `None` where nothing is to be traced. Does not connect yet. To be started before all that is traced, and so
    /// stopped after it: at the end what waits is posted, within a bound.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn start(settings: &Settings, supervision: &Supervision) -> Result<Option<Self>, BadSetting> {
        let telemetry = &settings.telemetry;
        telemetry.check()?;
        if !telemetry.is_on() {
            return Ok(None);
        }
        let counts = SpanCounts::default();
        let (started, provider_is) = tokio::sync::oneshot::channel();
        let flush = FLUSH.min(settings.shutdown.timeout / 4);
        let before = Intake { answered: Arc::default(), drained: Box::pin(flushed(provider_is, flush)) };
        let tls = Arc::new(transport::tls("telemetry")?);
        // The client belongs to the thread it is made on.
        let make = move |_: &mut Context<TraceSender>| TraceSender::new(&tls);
        let sender = supervision.start_behind(before, &Arbiter::new().handle(), "TraceSender", make);
        let otlp = SpanExporter::builder()
            .with_http()
            .with_http_client(Poster(sender.recipient()))
            .with_endpoint(telemetry.traces_url())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| BadSetting {
                setting: "OTEL_EXPORTER_OTLP_ENDPOINT",
                problem: format!("traces cannot be exported: {error}"),
            })?;
        let batches = BatchConfigBuilder::default()
            .with_scheduled_delay(DELAY)
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .build();
        let processor = BatchSpanProcessor::builder(Exporter::new(otlp, counts.clone()))
            .with_batch_config(batches)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Lot { ratio: telemetry.sample_ratio })
            .with_resource(resource(&telemetry.service_name))
            .with_span_processor(processor)
            .build();
        let messaging_system = if settings.uses_rabbitmq() { "rabbitmq" } else { "in_process" };
        let tracer = Tracer::new(provider.tracer(env!("CARGO_PKG_NAME")), messaging_system);
        // Whoever waits for it does so until the end.
        let _ = started.send(provider);
        Ok(Some(Self { tracer, counts }))
    }
}

/// Also what `OTEL_RESOURCE_ATTRIBUTES` has.
fn resource(service_name: &str) -> Resource {
    Resource::builder()
        .with_service_name(service_name.to_owned())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", new_id().to_string()),
        ])
        .build()
}

/// Posts what waits, as far as there is time.
async fn flushed(provider_is: tokio::sync::oneshot::Receiver<SdkTracerProvider>, limit: Duration) {
    let Ok(provider) = provider_is.await else { return };
    // It waits for the exporter's thread.
    let flushing = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(limit));
    match flushing.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the last traces are lost"),
        Err(error) => tracing::error!(%error, "the last traces are lost"),
    }
}
