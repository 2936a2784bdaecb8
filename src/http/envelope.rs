//! Around every request: its id, a log line, security headers, and problem documents for whatever fails,
//! panics included.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use futures_util::FutureExt;
use nexus_actors::new_id;
use nexus_actors::trace::within;
use tracing::Instrument;

use super::problem::Problem;
use super::{State, traces};

const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, in its extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    pub fn of(request: &HttpRequest) -> Arc<str> {
        request.extensions().get::<Self>().map_or_else(|| Arc::from(""), |id| Arc::clone(&id.0))
    }
}

/// The pattern of the route asked for, in the request's extensions; none where there is no such route. Not the path as
/// sent: a log line can neither be forged nor hold what was in a query.
#[derive(Clone, Debug)]
pub struct Route(pub Option<Rc<str>>);

pub async fn seal<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let id = RequestId(accepted_id(request.headers()).unwrap_or_else(|| new_id().to_string().into()));
    request.extensions_mut().insert(id.clone());
    let route = request.match_pattern().map(Rc::<str>::from);
    request.extensions_mut().insert(Route(route.clone()));
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let metrics = request.app_data::<State>().map(|state| state.metrics.clone());
    let traced = traces::begin(&request, &id.0);
    let span = tracing::info_span!("request", id = %id.0);
    let started = tokio::time::Instant::now();
    let answering = AssertUnwindSafe(next.call(request)).catch_unwind().instrument(span.clone());
    let outcome = within(traced.as_ref(), answering).await;
    let _entered = span.enter();
    // A request that panicked, or that a middleware failed, is gone; its answer is made from what is known of it.
    let lost = |problem: Problem| Lost { problem: problem.of_request(&path, &id), id: id.clone() };
    let outcome = match outcome {
        Ok(Ok(response)) => Ok(finish(response.map_into_left_body(), &id)),
        Ok(Err(error)) => {
            let response = error.error_response();
            let carried = response.extensions().get::<Problem>().cloned();
            Err(lost(carried.unwrap_or_else(|| Problem::of_status(response.status()))))
        }
        Err(_) => {
            tracing::error!("a handler panicked");
            Err(lost(Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)))
        }
    };
    let status =
        outcome.as_ref().map_or_else(|lost| lost.problem.status, |response| response.status().as_u16());
    if let Some(traced) = traced {
        traces::end(&traced, &method, route.as_deref(), status);
    }
    let route = route.as_deref().unwrap_or("(no route)");
    let took = started.elapsed();
    if let Some(metrics) = metrics {
        metrics.answered(&method, route, status, took);
    }
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%method, route, status, millis, "answered");
    outcome.map_err(Error::from)
}

/// The complete answer to a request that is no longer there.
#[derive(Debug, thiserror::Error)]
#[error("{}", problem.title)]
struct Lost {
    problem: Problem,
    id: RequestId,
}

impl ResponseError for Lost {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code())
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .insert_header((REQUEST_ID, self.id.0.as_ref()))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CONTENT_SECURITY_POLICY, API_POLICY))
            .body(serde_json::to_string(&self.problem).unwrap_or_default())
    }
}

fn finish<B: MessageBody + 'static>(
    response: ServiceResponse<EitherBody<B, BoxBody>>,
    id: &RequestId,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let problem = if status.is_client_error() || status.is_server_error() {
        let carried = response.response().extensions().get::<Problem>().cloned();
        // A body that a handler wrote itself, a failing health check for one, is left as it is.
        let bodiless = matches!(response.response().body().size(), actix_web::body::BodySize::None)
            || matches!(response.response().body().size(), actix_web::body::BodySize::Sized(0));
        let plain = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
        carried.or_else(|| (bodiless || plain).then(|| Problem::of_status(status)))
    } else {
        None
    };
    let mut response = match problem {
        Some(problem) => {
            let problem = problem.of_request(response.request().path(), id);
            let body = serde_json::to_string(&problem).unwrap_or_default();
            let (request, answer) = response.into_parts();
            let mut answer = answer.set_body(EitherBody::right(BoxBody::new(body)));
            let headers = answer.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
            ServiceResponse::new(request, answer)
        }
        None => response,
    };
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    secure(&mut response);
    response
}

/// What Helmet sets. The API serves no pages, so its policy allows nothing; Swagger UI has one of its own.
fn secure<B>(response: &mut ServiceResponse<B>) {
    const SET: &[(&str, &str)] = &[
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-permitted-cross-domain-policies", "none"),
        ("x-dns-prefetch-control", "off"),
    ];
    const DOCS_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
        frame-ancestors 'none'";
    let docs = response.request().path().starts_with("/api-docs");
    let production =
        response.request().app_data::<State>().is_some_and(|state| state.settings.is_production());
    let headers = response.headers_mut();
    let policy = if docs { DOCS_POLICY } else { API_POLICY };
    for (name, value) in SET.iter().copied().chain([("content-security-policy", policy)]) {
        let name = HeaderName::from_static(name);
        // The console's pages bring their own.
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if production {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        );
    }
}

/// A client's own id, if it is fit for logs: 1–128 visible ASCII characters without quotes.
fn accepted_id(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fit = (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte));
    fit.then(|| text.into())
}
