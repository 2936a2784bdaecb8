//! The OpenAPI 3.1 document, generated from the handlers, and Swagger UI. Beside it, the AsyncAPI document.

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::SortOrder;
use nexus_actors::store;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};
use uuid::Uuid;

use super::problem::Problem;
use super::{
    api_keys, approval_policies, audit, auth, customers, dead_letters, deliveries, health, inbound,
    inquiries, metrics, notifications, pushes, responses, stats, users, webhooks,
};
use crate::asyncapi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Customer Nexus Hub",
        description = "A customer-support hub where no reply reaches a customer until a manager has approved \
            exactly that text."
    ),
    external_docs(
        url = "/api-docs/asyncapi.json",
        description = "AsyncAPI: the messages and events that cross the broker"
    ),
    paths(
        auth::register, auth::login, auth::refresh, auth::logout, auth::profile, auth::change_profile,
        auth::ticket, auth::totp::totp, auth::totp::begin_totp, auth::totp::confirm_totp,
        auth::totp::replace_recovery_codes, auth::totp::disable_totp,
        users::list, users::read, users::change, users::reset_totp,
        customers::list, customers::create, customers::read, customers::replace, customers::delete,
        customers::assign,
        inquiries::list, inquiries::create, inquiries::read, inquiries::replace, inquiries::set_status,
        inquiries::assign, inquiries::messages, inquiries::assignments,
        responses::list, responses::create, responses::read, responses::edit, responses::submit,
        responses::withdraw, responses::approve, responses::reject, responses::history,
        approval_policies::explain,
        api_keys::list, api_keys::create, api_keys::revoke,
        webhooks::list, webhooks::create, webhooks::read, webhooks::change, webhooks::delete, webhooks::rotate,
        webhooks::attempts, webhooks::replay,
        inbound::take_in, deliveries::list, deliveries::confirm, deliveries::fail,
        dead_letters::list, dead_letters::read, dead_letters::replay, dead_letters::discard,
        notifications::list, notifications::read, notifications::read_all, pushes::events, pushes::socket,
        audit::list, stats::read, stats::daily,
        health::health, health::live, health::ready, metrics::metrics,
    ),
    // Those that only parameters refer to; the rest is found by itself.
    components(schemas(EntityType, SortOrder)),
    modifiers(&Bearer, &Sorts),
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer =
            SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build());
        let api_key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", bearer);
        components.add_security_scheme("apiKey", api_key);
        let ticket = SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("ticket")));
        components.add_security_scheme("ticket", ticket);
    }
}

/// What each list can be sorted by.
struct Sorts;

impl Modify for Sorts {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let lists = [
            ("api-keys", store::api_keys::SORTS),
            ("audit", store::audit::SORTS),
            ("customers", store::customers::SORTS),
            ("dead-letters", store::dead_letters::SORTS),
            ("deliveries", store::deliveries::SORTS),
            ("inquiries", store::inquiries::SORTS),
            ("inquiries/{id}/assignments", store::inquiries::TOLD),
            ("inquiries/{id}/messages", store::inquiries::TOLD),
            ("notifications", store::notifications::SORTS),
            ("responses", store::responses::SORTS),
            ("responses/{id}/history", store::responses::HISTORY_SORTS),
            ("users", store::users::SORTS),
            ("webhooks", store::webhooks::SORTS),
            ("webhooks/{id}/attempts", store::webhooks::SORTS),
        ];
        for (path, sorts) in lists {
            let operation = document.paths.paths.get_mut(&format!("/api/v1/{path}"));
            let parameters = operation.and_then(|item| item.get.as_mut()?.parameters.as_mut());
            for parameter in parameters.into_iter().flatten() {
                if let RefOr::T(parameter) = parameter
                    && parameter.name == "sortBy"
                {
                    let names = sorts.iter().map(|sort| sort.name);
                    let names = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
                    parameter.schema = Some(names.into());
                }
            }
        }
    }
}

pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Made when they are first asked for: it takes 8 MB, which the allocator keeps.
static OPENAPI: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(document);
static ASYNCAPI: LazyLock<Value> = LazyLock::new(asyncapi::document);

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::redirect("/api-docs", "/api-docs/"))
        .service(web::resource(LINK).get(async || HttpResponse::Ok().json(&*OPENAPI)))
        .service(web::resource("/api-docs/asyncapi.json").get(async || HttpResponse::Ok().json(&*ASYNCAPI)))
        .service(SwaggerUi::new("/api-docs/{_:.*}").config(Config::from(LINK)));
}

const LINK: &str = "/api-docs/openapi.json";

/// Which part of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the derive alone: it describes parameters that `query` parses")]
pub struct Paging {
    /// Counts from 1; not with a cursor.
    #[param(minimum = 1, maximum = 1000000)]
    page: Option<u32>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `nextCursor` of the page before. It brings its filters and order along.
    cursor: Option<String>,
    #[param(rename = "sortBy")]
    sort_by: Option<String>,
    #[param(rename = "sortOrder")]
    sort_order: Option<SortOrder>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the derive alone")]
pub struct AssignedTo {
    /// A user's id, `me` or `none`.
    #[param(
        rename = "assignedTo",
        pattern = "^(me|none|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"
    )]
    assigned_to: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub struct Id {
    id: Uuid,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive alone")]
pub struct IfMatch {
    /// The ETag of the version the change is meant for.
    #[param(rename = "If-Match", nullable = false, pattern = r#"^(\*|(W/)?"[^"]*")$"#, example = "\"3\"")]
    if_match: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive alone")]
pub struct IfNoneMatch {
    /// The ETag of the version the client has.
    #[param(rename = "If-None-Match", nullable = false, example = "\"3\"")]
    if_none_match: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive alone")]
pub struct IdempotencyKey {
    /// Sent again with the same key, the request is answered as the first time.
    #[param(rename = "Idempotency-Key", nullable = false, min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

macro_rules! problems {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = ($status:literal, $description:literal)),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(IntoResponses)]
        pub enum $name {
            $(
                #[response(status = $status, description = $description, content_type = "application/problem+json")]
                $variant(Problem),
            )+
        }
    };
}

problems!(CommonProblems {
    Malformed = (400, "Cannot be parsed"),
    Unauthenticated = (401, "Not signed in"),
    Forbidden = (403, "Not allowed"),
    RateLimited = (429, "Too many requests"),
    Internal = (500, "A defect"),
    Unavailable = (503, "Overloaded, or a dependency is down"),
});

problems!(ListProblems {
    Malformed = (400, "A parameter cannot be parsed"),
    Unauthenticated = (401, "Not signed in"),
    Forbidden = (403, "Not allowed"),
    Invalid = (422, "A parameter is out of range or unknown"),
    RateLimited = (429, "Too many requests"),
    Internal = (500, "A defect"),
    Unavailable = (503, "Overloaded, or a dependency is down"),
});

problems!(ReadProblems {
    Malformed = (400, "The id is no UUID"),
    Unauthenticated = (401, "Not signed in"),
    Forbidden = (403, "Not allowed"),
    NotFound = (404, "Absent, or not visible to the caller"),
    RateLimited = (429, "Too many requests"),
    Internal = (500, "A defect"),
    Unavailable = (503, "Overloaded, or a dependency is down"),
});

problems!(WriteProblems {
    Malformed = (400, "Cannot be parsed"),
    Unauthenticated = (401, "Not signed in"),
    Forbidden = (403, "Not allowed"),
    TooSlow = (408, "The body took too long"),
    TooLarge = (413, "The body exceeds 1 MiB"),
    WrongContentType = (415, "Not application/json"),
    Invalid = (422, "Failed validation"),
    RateLimited = (429, "Too many requests"),
    Internal = (500, "A defect"),
    Unavailable = (503, "Overloaded, or a dependency is down"),
});

problems!(EntityWriteProblems {
    Malformed = (400, "Cannot be parsed"),
    Unauthenticated = (401, "Not signed in"),
    Forbidden = (403, "Not allowed"),
    NotFound = (404, "Absent, or not visible to the caller"),
    TooSlow = (408, "The body took too long"),
    Stale = (412, "Not the version named in If-Match"),
    TooLarge = (413, "The body exceeds 1 MiB"),
    WrongContentType = (415, "Not application/json"),
    Invalid = (422, "Failed validation"),
    RateLimited = (429, "Too many requests"),
    Internal = (500, "A defect"),
    Unavailable = (503, "Overloaded, or a dependency is down"),
});

problems!(
    /// Of actions without a body, and of lists below an entity.
    ActionProblems {
        Malformed = (400, "The id is no UUID, or a parameter cannot be parsed"),
        Unauthenticated = (401, "Not signed in"),
        Forbidden = (403, "Not allowed"),
        NotFound = (404, "Absent, or not visible to the caller"),
        TooSlow = (408, "The body took too long"),
        Stale = (412, "Not the version named in If-Match"),
        TooLarge = (413, "The body exceeds 1 MiB"),
        Invalid = (422, "A parameter is out of range or unknown, or the Idempotency-Key was used otherwise"),
        RateLimited = (429, "Too many requests"),
        Internal = (500, "A defect"),
        Unavailable = (503, "Overloaded, or a dependency is down"),
    }
);

problems!(BodyProblems {
    TooSlow = (408, "The body took too long"),
    TooLarge = (413, "The body exceeds 1 MiB"),
    WrongContentType = (415, "Not application/json"),
    Invalid = (422, "Failed validation"),
});

problems!(SignInProblems {
    Malformed = (400, "Cannot be parsed"),
    Refused = (401, "Refused"),
    RateLimited = (429, "Too many requests"),
    Internal = (500, "A defect"),
    Unavailable = (503, "Overloaded, or a dependency is down"),
});

#[derive(IntoResponses)]
pub enum HealthProblem {
    #[response(status = 503, description = "Not ready")]
    NotReady(health::Alive),
}
