//! `GET /metrics`: figures for Prometheus.

mod families;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use nexus_actors::store::stats::{Queue, ReadQueues};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{HttpState, State};

/// In seconds: from a cache hit to the longest a request may take.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// A database that takes longer counts as down. Prometheus waits for 10 s.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long what was read in the database is told again: anybody may ask, as often as they like.
const KEPT: Duration = Duration::from_secs(1);
/// Whatever else a client may call its method.
const OTHER: &str = "other";

type RouteLabels = [(&'static str, String); 2];
type RequestLabels = [(&'static str, String); 3];

/// Counted by every worker alike.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    queues: Arc<Mutex<Option<Look>>>,
}

/// What waits in the database; `None` if that could not be read.
#[derive(Debug)]
struct Look {
    at: Instant,
    queues: Option<Vec<Queue>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            queues: Arc::default(),
        }
    }
}

impl Metrics {
    /// `route`: its pattern, as a path as sent would make a series of every id.
    pub fn answered(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let method = if is_known(method) { method.as_str() } else { OTHER };
        let [method, route] = [("method", method.to_owned()), ("route", route.to_owned())];
        self.seconds.get_or_create(&[method.clone(), route.clone()]).observe(took.as_secs_f64());
        self.requests.get_or_create(&[method, route, ("status", status.to_string())]).inc();
    }

    /// Counters as they grew, and gauges as they are.
    async fn text(&self, state: &HttpState) -> Result<String, std::fmt::Error> {
        let queues = self.queues(state).await;
        let mut registry = Registry::with_prefix("nexus");
        registry.register("http_requests", "Requests answered", self.requests.clone());
        let help = "From the arrival of a request to its answer";
        registry.register_with_unit("http_request", help, Unit::Seconds, self.seconds.clone());
        state.hub.storage.measures.register(&mut registry);
        if let Some(telemetry) = &state.telemetry {
            telemetry.counts.register(&mut registry);
        }
        families::of_actors(&mut registry, &state.hub);
        families::of_pushes(&mut registry, state.hub.lines.counts());
        families::of_this_process(&mut registry, state);
        families::of_dependencies(&mut registry, state, queues.is_some());
        if let Some(queues) = queues {
            families::of_queues(&mut registry, &queues, state.hub.clock.now());
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    /// One look at a time, and not at tables that are not there yet.
    pub async fn queues(&self, state: &HttpState) -> Option<Vec<Queue>> {
        let mut last = self.queues.lock().await;
        if let Some(look) = last.as_ref().filter(|look| look.at.elapsed() < KEPT) {
            return look.queues.clone();
        }
        let queues = match state.hub.storage.prepared.initialized() {
            true => timeout(PATIENCE, state.hub.stats.ask(ReadQueues)).await.ok().and_then(Result::ok),
            false => None,
        };
        *last = Some(Look { at: Instant::now(), queues: queues.clone() });
        queues
    }
}

/// Whether it is one of a few, and not whatever a client may have made up.
pub fn is_known(method: &Method) -> bool {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    known.contains(method)
}

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/metrics").get(metrics));
}

/// Figures for Prometheus. While the database is away, those that are read in it are left out.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(state: State) -> HttpResponse {
    match state.metrics.text(&state).await {
        Ok(text) => HttpResponse::Ok()
            .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
            .body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
