//! HTTP: extract, authorise, send one message, answer. No rule and no SQL lives here.

mod access;
mod api_keys;
mod approval_policies;
mod audit;
mod auth;
mod body;
mod conditional;
pub mod connection;
mod console;
mod customers;
mod dead_letters;
mod deliveries;
mod envelope;
mod gate;
mod gateway;
mod health;
mod idempotency;
mod inbound;
mod inquiries;
mod load;
mod metrics;
mod notifications;
pub mod openapi;
mod problem;
mod pushes;
pub mod query;
mod responses;
mod signed;
mod stats;
mod traces;
mod users;
mod webhooks;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use actix_cors::Cors;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpResponse, web};
use nexus_actors::Hub;

use crate::app::Readiness;
use crate::broker::Broker;
use crate::sessions::{Authenticators, Lockout, Passwords, RateLimiter, RedisLink, RefreshTokens, Tokens};
use crate::settings::Settings;
use crate::telemetry::Telemetry;

pub use load::Loads;
pub use metrics::Metrics;
pub use problem::{HttpError, Problem};

/// What every handler can reach.
#[derive(Clone)]
pub struct HttpState {
    pub hub: Hub,
    pub settings: Arc<Settings>,
    pub tokens: Arc<Tokens>,
    pub authenticators: Arc<Authenticators>,
    pub passwords: Passwords,
    pub refresh_tokens: RefreshTokens,
    pub limiter: RateLimiter,
    pub lockout: Lockout,
    pub redis: Option<RedisLink>,
    pub broker: Broker,
    pub readiness: Readiness,
    pub metrics: Metrics,
    pub loads: Loads,
    /// Absent where nothing is traced.
    pub telemetry: Option<Telemetry>,
    /// Addresses whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<HashSet<IpAddr>>,
}

pub type State = web::Data<HttpState>;

/// One worker's application.
pub fn application(
    state: HttpState,
) -> App<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let cors = cors(&state.settings);
    let swagger = state.settings.http.swagger_enabled;
    App::new()
        .app_data(web::Data::new(state))
        .wrap(from_fn(envelope::seal))
        .wrap(Compress::default())
        .wrap(cors)
        .configure(health::routes)
        .configure(metrics::routes)
        .configure(move |config| {
            if swagger {
                openapi::routes(config);
            }
        })
        .service(
            web::scope("/api/v1")
                .wrap(from_fn(idempotency::replay))
                .wrap(from_fn(gate::admit))
                .wrap(from_fn(load::shed))
                .configure(auth::routes)
                .configure(users::routes)
                .configure(customers::routes)
                .configure(inquiries::routes)
                .configure(responses::routes)
                .configure(approval_policies::routes)
                .configure(api_keys::routes)
                .configure(webhooks::routes)
                .configure(inbound::routes)
                .configure(deliveries::routes)
                .configure(dead_letters::routes)
                .configure(notifications::routes)
                .configure(pushes::routes)
                .configure(audit::routes)
                .configure(stats::routes)
                .default_service(web::to(not_found)),
        )
        .configure(console::routes)
        .default_service(web::to(not_found))
}

async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().finish()
}

fn cors(settings: &Settings) -> Cors {
    let mut cors = Cors::default()
        .allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "last-event-id",
            "x-api-key",
            "x-request-id",
        ])
        .expose_headers([
            "ETag",
            "Idempotency-Replayed",
            "Location",
            "RateLimit-Limit",
            "RateLimit-Remaining",
            "RateLimit-Reset",
            "Retry-After",
            "X-Request-Id",
        ])
        .max_age(600);
    if listed(&settings.http.cors_origin).any(|origin| origin == "*") {
        // Whatever else is listed: credentials and a wildcard together would let every site act for its visitors.
        return cors.allow_any_origin();
    }
    for origin in listed(&settings.http.cors_origin) {
        cors = cors.allowed_origin(origin).supports_credentials();
    }
    cors
}

/// The non-empty parts of a comma-separated list.
pub fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}
