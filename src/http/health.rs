//! Outside the base path: for load balancers and operators. Anonymous and never rate limited.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use nexus_actors::supervision::State as ActorState;
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::HealthProblem;
use super::{HttpState, State};

/// A check that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/health").get(health))
        .service(web::resource("/health/live").get(live))
        .service(web::resource("/health/ready").get(ready));
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    pub status: Check,
    pub checks: Checks,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Checks {
    pub database: Check,
    pub redis: Check,
    pub broker: Check,
    pub actors: Check,
}

/// What runs embedded is up when the hub is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    Up,
    Degraded,
    Down,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Alive {
    pub status: Check,
}

/// How the hub and what it depends on are doing.
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health, description = "The database is down")))]
pub async fn health(state: State) -> HttpResponse {
    let health = checked(&state).await;
    let mut answer = match health.status {
        Check::Down => HttpResponse::ServiceUnavailable(),
        Check::Up | Check::Degraded => HttpResponse::Ok(),
    };
    answer.insert_header((header::CACHE_CONTROL, "no-store")).json(health)
}

/// What `GET /health` and the console tell.
pub(super) async fn checked(state: &HttpState) -> Health {
    let database = match tokio::time::timeout(PATIENCE, state.hub.storage.db.ping()).await {
        Ok(Ok(())) => Check::Up,
        Ok(Err(_)) | Err(_) => Check::Down,
    };
    let redis = match &state.redis {
        None => Check::Up,
        Some(redis) if redis.ping().await.is_ok() => Check::Up,
        Some(_) => Check::Down,
    };
    let broker = if state.broker.is_up() { Check::Up } else { Check::Down };
    let checks = Checks { database, redis, broker, actors: actors(state) };
    let all = [checks.database, checks.redis, checks.broker, checks.actors];
    let status = if database == Check::Down || checks.actors == Check::Down {
        Check::Down
    } else if all.iter().any(|check| matches!(check, Check::Down | Check::Degraded)) {
        Check::Degraded
    } else {
        Check::Up
    };
    Health { status, checks }
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, body = Alive)))]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Alive { status: Check::Up })
}

/// Migrations, actors and what the hub needs on its broker are in place, and the hub is not shutting down: send requests here.
#[utoipa::path(get, path = "/health/ready", tag = "health",
    responses((status = 200, body = Alive), HealthProblem))]
pub async fn ready(state: State) -> HttpResponse {
    let ready = state.readiness.is_ready() && actors(&state) != Check::Down;
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    let status = if ready { Check::Up } else { Check::Down };
    answer.insert_header((header::CACHE_CONTROL, "no-store")).json(Alive { status })
}

fn actors(state: &HttpState) -> Check {
    state.hub.health().iter().fold(Check::Up, |worst, actor| match actor.state {
        ActorState::Running => worst,
        ActorState::Starting | ActorState::Restarting if worst == Check::Up => Check::Degraded,
        ActorState::Starting | ActorState::Restarting => worst,
        ActorState::Failed | ActorState::Stopped => Check::Down,
    })
}
