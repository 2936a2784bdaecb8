use actix_web::{HttpResponse, web};
use nexus_actors::desk::permit_any;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::stats::Stats;
use nexus_actors::domain::user::Role;
use nexus_actors::store::stats::ReadStats;

use super::State;
use super::openapi::CommonProblems;
use super::problem::HttpError;
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/stats").get(read));
}

/// Counts, the approval queue, and each CSO's load. A CSO sees their own figures.
#[utoipa::path(get, path = "/api/v1/stats", tag = "stats", security(("bearer" = [])),
    responses((status = 200, body = Stats), CommonProblems))]
pub async fn read(state: State, signed: Signed) -> Result<HttpResponse, HttpError> {
    permit_any(signed.principal(), Action::ReadStats)?;
    let of = match signed.principal().role {
        Role::Cso => Some(signed.principal().user_id),
        Role::Manager | Role::Admin => None,
    };
    Ok(HttpResponse::Ok().json(state.hub.stats.ask(ReadStats { of, now: state.hub.clock.now() }).await?))
}
