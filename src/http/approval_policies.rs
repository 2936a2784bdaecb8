use actix_web::{HttpResponse, web};
use nexus_actors::approval_coordinator::ExplainPolicies;
use nexus_actors::domain::approval_policy::Explanation;
use nexus_actors::domain::policy::Action;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::State;
use super::access::{Target, after_permission};
use super::body::Body;
use super::openapi::WriteProblems;
use super::problem::HttpError;
use super::signed::Signed;

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/approval-policies/explain").post(explain));
}

/// `POST /approval-policies/explain`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExplainInput {
    pub response_id: Uuid,
}

/// Tells which approval policy applies to a response as things are now, and why.
#[utoipa::path(post, path = "/api/v1/approval-policies/explain", tag = "approval-policies",
    security(("bearer" = [])), request_body = ExplainInput,
    responses((status = 200, body = Explanation), WriteProblems))]
pub async fn explain(state: State, signed: Signed, body: Body) -> Result<HttpResponse, HttpError> {
    let input = after_permission(
        &state.hub,
        signed.principal(),
        Action::ExplainPolicies,
        Target::None,
        body.parse::<ExplainInput>(),
    )
    .await?;
    let wanted = ExplainPolicies { caller: signed.caller, response_id: input.response_id };
    Ok(HttpResponse::Ok().json(state.hub.approval_coordinator.ask(wanted).await?))
}
