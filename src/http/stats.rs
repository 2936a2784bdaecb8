use actix_web::{HttpResponse, web};
use chrono_tz::Tz;
use nexus_actors::HubError;
use nexus_actors::desk::permit_any;
use nexus_actors::domain::Principal;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::stats::{DailyStats, Stats, StatsRange};
use nexus_actors::domain::user::Role;
use nexus_actors::store::stats::{ReadDaily, ReadStats};
use uuid::Uuid;

use super::State;
use super::openapi::ListProblems;
use super::problem::HttpError;
use super::query::Query;
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/stats").get(read)).service(web::resource("/stats/daily").get(daily));
}

/// Counts, the approval queue, how fast inquiries are answered, and each CSO's load. A CSO sees their own figures.
#[utoipa::path(get, path = "/api/v1/stats", tag = "stats", security(("bearer" = [])),
    params(
        ("from" = Option<String>, Query, format = DateTime,
            description = "Inclusive; 30 days before `to` when left out, and at most 366"),
        ("to" = Option<String>, Query, format = DateTime, description = "Exclusive; up to now when left out"),
    ),
    responses((status = 200, body = Stats), ListProblems))]
pub async fn read(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    permit_any(signed.principal(), Action::ReadStats)?;
    let params = query.only(&["from", "to"])?;
    let (from, to) = (params.time("from")?, params.time("to")?);
    params.finish()?;
    let now = state.hub.clock.now();
    let range = StatsRange::new(from, to, now).map_err(|error| HubError::Invalid(vec![error]))?;
    let of = whose(signed.principal());
    Ok(HttpResponse::Ok().json(state.hub.stats.ask(ReadStats { of, range, now }).await?))
}

/// What came in and went out on each day, and how fast it was answered and decided on. A CSO sees their own figures.
#[utoipa::path(get, path = "/api/v1/stats/daily", tag = "stats", security(("bearer" = [])),
    params(
        ("from" = Option<String>, Query, format = DateTime,
            description = "Inclusive; 30 days before `to` when left out, and at most 366"),
        ("to" = Option<String>, Query, format = DateTime, description = "Exclusive; up to now when left out"),
        ("zone" = Option<String>, Query, example = "Europe/Berlin",
            description = "Whose calendar the days are of, by its IANA name; UTC when left out"),
    ),
    responses((status = 200, body = DailyStats), ListProblems))]
pub async fn daily(state: State, signed: Signed, query: Query) -> Result<HttpResponse, HttpError> {
    permit_any(signed.principal(), Action::ReadStats)?;
    let mut params = query.only(&["from", "to", "zone"])?;
    let (from, to, zone) = (params.time("from")?, params.time("to")?, params.zone("zone"));
    params.finish()?;
    let range = StatsRange::new(from, to, state.hub.clock.now());
    let range = range.map_err(|error| HubError::Invalid(vec![error]))?;
    let (of, zone) = (whose(signed.principal()), zone.unwrap_or(Tz::UTC));
    Ok(HttpResponse::Ok().json(state.hub.stats.ask(ReadDaily { of, range, zone }).await?))
}

/// The one whose figures someone sees, where it is not everyone's.
pub(super) fn whose(reader: &Principal) -> Option<Uuid> {
    match reader.role {
        Role::Cso => Some(reader.user_id),
        Role::Manager | Role::Admin => None,
    }
}
