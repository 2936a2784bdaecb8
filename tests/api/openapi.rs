//! The OpenAPI document and what serves it, and the health checks.

use serde_json::{Value, json};

use crate::document::{document, operations, resolve};
use crate::harness::{TestHub, on_both_engines};

on_both_engines!(
    the_document_is_served_as_it_is_printed,
    swagger_ui_comes_whole_out_of_the_binary,
    health_tells_of_every_part,
);
on_both_engines!(with SWITCHED_OFF; switched_off_there_are_no_api_docs);

const SWITCHED_OFF: &[(&str, &str)] = &[("SWAGGER_ENABLED", "false")];

/// Contract section 4, as far as it is built.
const ROUTES: &[&str] = &[
    "POST /auth/register",
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/logout",
    "GET /auth/profile",
    "PUT /auth/profile",
    "GET /users",
    "GET /users/{id}",
    "PATCH /users/{id}",
    "DELETE /users/{id}/totp",
    "GET /customers",
    "GET /customers/{id}",
    "POST /customers",
    "PUT /customers/{id}",
    "DELETE /customers/{id}",
    "POST /customers/{id}/assign",
    "GET /inquiries",
    "GET /inquiries/{id}",
    "POST /inquiries",
    "PUT /inquiries/{id}",
    "PATCH /inquiries/{id}/status",
    "POST /inquiries/{id}/assign",
    "GET /inquiries/{id}/messages",
    "GET /inquiries/{id}/assignments",
    "GET /responses",
    "GET /responses/{id}",
    "POST /responses",
    "PUT /responses/{id}",
    "POST /responses/{id}/submit",
    "POST /responses/{id}/withdraw",
    "POST /responses/{id}/approve",
    "POST /responses/{id}/reject",
    "GET /responses/{id}/history",
    "POST /approval-policies/explain",
    "GET /webhooks",
    "POST /webhooks",
    "GET /webhooks/{id}",
    "PATCH /webhooks/{id}",
    "DELETE /webhooks/{id}",
    "POST /webhooks/{id}/rotate",
    "GET /webhooks/{id}/attempts",
    "POST /webhooks/{id}/attempts/{attemptId}/replay",
    "POST /auth/ticket",
    "GET /auth/totp",
    "POST /auth/totp",
    "POST /auth/totp/confirm",
    "POST /auth/totp/recovery-codes",
    "POST /auth/totp/disable",
    "GET /ws",
    "GET /notifications",
    "POST /notifications/{id}/read",
    "POST /notifications/read-all",
    "GET /audit",
    "GET /stats",
    "GET /stats/daily",
];

/// Every value below `value`, itself included.
fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_has_every_route_of_the_contract() {
    let documented: Vec<_> = operations().iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    for route in ROUTES {
        let route = route.replace(" /", " /api/v1/");
        assert!(documented.contains(&route), "{route} is missing");
    }
    for outside in ["GET /health", "GET /health/live", "GET /health/ready", "GET /metrics"] {
        assert!(documented.iter().any(|one| one == outside), "{outside} is missing");
    }
}

#[test]
fn every_reference_resolves_and_no_operation_is_named_twice() {
    let document = document();
    let (mut references, mut lost) = (0, Vec::new());
    walk(&document, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            references += 1;
            let found = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            lost.extend(found.is_none().then_some(reference));
        }
    });
    assert_eq!(lost, [""; 0], "of {references} references");
    assert!(references > 100, "{references}");
    let mut names = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            names.extend(
                operation["operationId"].as_str().map(|id| (id, operation["tags"][0].as_str().unwrap())),
            );
            assert!(operation["summary"].is_string(), "{operation}");
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "an operationId is not unique");
}

#[test]
fn every_operation_under_the_base_path_but_signing_in_needs_the_bearer() {
    let document = document();
    for operation in operations() {
        let method = operation.method.as_str().to_lowercase();
        let security = &document["paths"][&operation.path][method]["security"];
        assert_eq!(security.is_array(), !operation.is_open(), "{} {}", operation.method, operation.path);
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[test]
fn values_of_enumerations_are_as_they_are_sent() {
    let document = document();
    for (name, values) in [
        ("Role", json!(["cso", "manager", "admin"])),
        ("CustomerStatus", json!(["active", "inactive", "suspended"])),
        ("InquiryStatus", json!(["pending", "in_progress", "responded", "closed"])),
        ("Priority", json!(["low", "medium", "high", "urgent"])),
        ("Availability", json!(["online", "away"])),
        (
            "ResponseStatus",
            json!(["draft", "pending_approval", "approved", "rejected", "sent", "delivery_failed"]),
        ),
    ] {
        assert_eq!(document["components"]["schemas"][name]["enum"], values, "{name}");
    }
    let parameters = document["paths"]["/api/v1/customers"]["get"]["parameters"].as_array().unwrap();
    let order = parameters.iter().find(|one| one["name"] == "sortOrder").unwrap();
    let schema = order["schema"].get("oneOf").map_or(&order["schema"], |variants| {
        variants.as_array().unwrap().iter().find(|one| one["type"] != "null").unwrap()
    });
    assert_eq!(resolve(&document, schema)["enum"], json!(["asc", "desc"]), "{schema}");
}

#[test]
fn a_list_says_what_it_can_be_sorted_by() {
    let document = document();
    let reads = document["paths"].as_object().unwrap().values().filter_map(|item| item.get("get"));
    let parameters = reads.filter_map(|operation| operation["parameters"].as_array()).flatten();
    let sorts: Vec<_> = parameters.filter(|one| one["name"] == "sortBy").collect();
    assert_eq!(sorts.len(), operations().iter().filter(|one| one.is_list()).count());
    for sort in sorts {
        assert!(sort["schema"]["enum"].as_array().is_some_and(|names| !names.is_empty()), "{sort}");
    }
}

/// The document knows one schema for each name: of two types of one name, one would be described as the other.
#[test]
fn types_of_one_name_in_the_code_have_a_name_each_in_the_document() {
    let document = document();
    for (name, field) in
        [("ConsideredCso", "finding"), ("ConsideredPolicy", "conditions"), ("CheckedCondition", "holds")]
    {
        let schema = &document["components"]["schemas"][name];
        assert!(schema["properties"][field].is_object(), "{name}: {schema}");
    }
    assert_eq!(document["components"]["schemas"]["Check"]["enum"], json!(["up", "degraded", "down"]));
}

async fn the_document_is_served_as_it_is_printed(hub: &TestHub) {
    let served = hub.anonymous().get("//api-docs/openapi.json").await;
    assert!(served.header("content-type").starts_with("application/json"));
    let served = served.expect(200);
    assert_eq!(served["openapi"], "3.1.0");
    assert_eq!(served, document());
}

async fn swagger_ui_comes_whole_out_of_the_binary(hub: &TestHub) {
    for page in ["//api-docs", "//api-docs/"] {
        let page = hub.anonymous().get(page).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
        let policy = page.header("content-security-policy").to_owned();
        assert!(policy.contains("default-src 'self'") && !policy.contains("http"), "{policy}");
        let quoted = page.text.split('"').filter(|text| text.ends_with(".js") || text.ends_with(".css"));
        let assets: Vec<_> = quoted.map(|text| text.trim_start_matches("./").to_owned()).collect();
        assert!(assets.len() >= 4, "{assets:?}");
        for asset in assets {
            let file = hub.anonymous().get(&format!("//api-docs/{asset}")).await;
            assert_eq!(file.status, 200, "{asset}");
            let kind = file.header("content-type");
            assert!(kind.contains("javascript") || kind.contains("css"), "{asset}: {kind}");
            assert!(file.text.len() > 50, "{asset}");
        }
    }
    let initializer = hub.anonymous().get("//api-docs/swagger-initializer.js").await;
    assert!(initializer.text.contains("/api-docs/openapi.json"));
}

async fn switched_off_there_are_no_api_docs(hub: &TestHub) {
    for path in ["//api-docs", "//api-docs/", "//api-docs/openapi.json", "//api-docs/swagger-ui.css"] {
        hub.anonymous().get(path).await.problem(404);
    }
}

async fn health_tells_of_every_part(hub: &TestHub) {
    let health = hub.anonymous().get("//health").await;
    assert_eq!(health.header("cache-control"), "no-store");
    let health = health.expect(200);
    assert_eq!(health["status"], "up");
    let checks = health["checks"].as_object().unwrap();
    for part in ["database", "redis", "broker", "actors"] {
        assert_eq!(checks[part], "up", "{part} on {:?}", hub.engine);
    }
    for path in ["//health/live", "//health/ready"] {
        assert_eq!(hub.anonymous().get(path).await.expect(200), json!({"status": "up"}), "{path}");
    }
    // Never limited, never in need of a token, and a bad one is no obstacle.
    let request = hub.anonymous().with_token("garbage");
    assert_eq!(request.get("//health").await.status, 200);
    assert!(!request.get("//health").await.headers.contains_key("ratelimit-limit"));
}
