//! `GET /metrics`: figures for Prometheus.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use nexus_actors::Hub;
use nexus_actors::supervision::State as ActorState;

use super::State;

/// In seconds: from a cache hit to the longest a request may take.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Counted by every worker alike.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: String,
    /// The route's pattern; a path as sent would make a series of every id.
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActorLabels {
    actor: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    state: PoolState,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum PoolState {
    Idle,
    Used,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self { requests: Family::default(), seconds: Family::new_with_constructor(histogram) }
    }
}

impl Metrics {
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.seconds
            .get_or_create(&RouteLabels { method: method.clone(), route: route.clone() })
            .observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// Counters as they grew, and gauges as they are.
    fn text(&self, hub: &Hub) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("nexus");
        registry.register("http_requests", "Requests answered", self.requests.clone());
        let help = "From the arrival of a request to its answer";
        registry.register_with_unit("http_request", help, Unit::Seconds, self.seconds.clone());

        let (messages, restarts, up) = (
            Family::<ActorLabels, Gauge>::default(),
            Family::<ActorLabels, Counter>::default(),
            Family::<ActorLabels, Gauge>::default(),
        );
        for (actor, in_flight) in hub.mailboxes() {
            messages.get_or_create(&ActorLabels { actor }).set(i64::try_from(in_flight).unwrap_or(i64::MAX));
        }
        for health in hub.health() {
            let labels = ActorLabels { actor: health.name };
            restarts.get_or_create(&labels).inc_by(health.restarts);
            up.get_or_create(&labels).set(i64::from(health.state == ActorState::Running));
        }
        registry.register("actor_messages", "Messages an actor was sent and has not finished", messages);
        registry.register("actor_restarts", "Restarts of an actor after it died", restarts);
        registry.register("actor_up", "1 while an actor runs", up);

        let pool = Family::<PoolLabels, Gauge>::default();
        let connections = hub.storage.db.connections();
        pool.get_or_create(&PoolLabels { state: PoolState::Idle }).set(i64::from(connections.idle));
        pool.get_or_create(&PoolLabels { state: PoolState::Used }).set(i64::from(connections.used));
        registry.register("database_connections", "Open connections to the database", pool);

        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/metrics").get(metrics));
}

/// Figures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(state: State) -> HttpResponse {
    match state.metrics.text(&state.hub) {
        Ok(text) => HttpResponse::Ok()
            .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
            .body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
