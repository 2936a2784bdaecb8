//! Each request in a trace: the one its client began, or a new one.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use nexus_actors::domain::trace_parent::TraceParent;
use nexus_actors::trace::{KeyValue, Span, SpanKind};

use super::State;
use super::metrics::is_known;

/// As the conventions of OpenTelemetry have it for a method that is none of the known ones.
const OTHER: &str = "_OTHER";

/// The span of a request; `None` where nothing is traced. Probes and scrapes, which come every few seconds, never are.
pub fn begin(request: &ServiceRequest, id: &str) -> Option<Span> {
    let telemetry = request.app_data::<State>()?.telemetry.as_ref()?;
    if request.path().starts_with("/health") || request.path() == "/metrics" {
        return None;
    }
    let method = named(request.method());
    let attributes = vec![
        KeyValue::new("http.request.method", method.clone()),
        KeyValue::new("nexus.request.id", id.to_owned()),
    ];
    let parent = place_of(request.headers());
    Some(telemetry.tracer.begin(SpanKind::Server, method, parent, attributes))
}

/// `route`: its pattern, absent where none matched. What was sent as path or query is nowhere.
pub fn end(span: &Span, method: &Method, route: Option<&str>, status: u16) {
    if let Some(route) = route {
        span.rename(format!("{} {route}", named(method)));
        span.set(KeyValue::new("http.route", route.to_owned()));
    }
    span.set(KeyValue::new("http.response.status_code", i64::from(status)));
    if status >= 500 {
        span.fail(status.to_string());
    }
    span.end();
}

fn named(method: &Method) -> String {
    if is_known(method) { method.to_string() } else { OTHER.to_owned() }
}

/// Where the client's trace has come to. More than one header is none.
fn place_of(headers: &HeaderMap) -> Option<TraceParent> {
    let mut told = headers.get_all("traceparent");
    let only = told.next().filter(|_| told.next().is_none())?;
    only.to_str().ok()?.parse().ok()
}
