use actix_web::{HttpResponse, web};
use nexus_actors::HubError;
use nexus_actors::desk::permit_any;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::stats::{Stats, StatsRange};
use nexus_actors::domain::user::Role;
use nexus_actors::store::stats::ReadStats;

use super::State;
use super::openapi::ListProblems;
use super::problem::HttpError;
use super::query::Query;
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/stats").get(read));
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
    let of = match signed.principal().role {
        Role::Cso => Some(signed.principal().user_id),
        Role::Manager | Role::Admin => None,
    };
    Ok(HttpResponse::Ok().json(state.hub.stats.ask(ReadStats { of, range, now }).await?))
}
