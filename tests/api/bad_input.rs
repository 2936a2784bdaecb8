//! Contract section 2: every kind of bad input has its status, at every endpoint, with a complete problem document.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::document::{Body, Operation, Targets, operations, type_of};
use crate::harness::{Client, Reply, TestHub, on_both_engines, reply};

on_both_engines!(
    what_is_no_json_is_400,
    an_id_that_is_no_uuid_is_400,
    a_query_value_that_cannot_be_parsed_is_400_and_one_out_of_range_422,
    a_filter_with_a_bad_value_is_refused_by_name,
    json_of_the_wrong_shape_is_422_at_the_field,
    every_failing_field_is_reported_at_once,
    a_body_over_one_mebibyte_is_413,
    a_body_that_is_not_declared_as_json_is_415,
    an_unknown_path_is_404_and_a_wrong_method_405_with_allow,
    texts_that_cannot_be_stored_are_refused_at_the_field,
);

const MEBIBYTE: usize = 1024 * 1024;

async fn send(
    client: &Client,
    method: &Method,
    path: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> Reply {
    reply(client.raw(method.clone(), path).header(CONTENT_TYPE, content_type).body(body)).await
}

/// Every operation that takes a body.
fn writes() -> impl Iterator<Item = (Operation, Body)> {
    operations().into_iter().filter_map(|mut operation| {
        let body = operation.body.take()?;
        Some((operation, body))
    })
}

/// The parser goes down 128 levels.
fn nested(levels: usize) -> String {
    format!("{{\"deep\":{}{}}}", "[".repeat(levels), "]".repeat(levels))
}

async fn what_is_no_json_is_400(hub: &TestHub) {
    const NO_JSON: &[&[u8]] = &[
        b"{",
        b"{\"a\":",
        b"not json",
        b"{} {}",
        b"{\"a\":1,}",
        b"{'a':1}",
        b"\xff\xfe{}",
        b"{\"a\":\"\xc3\x28\"}",
        b"\0",
    ];
    let targets = Targets::prepare(hub).await;
    for (operation, body) in writes() {
        let path = targets.path(&operation);
        for bytes in NO_JSON {
            send(&targets.admin, &operation.method, &path, "application/json", *bytes).await.problem(400);
        }
        if body.optional {
            // Someone else's session, because one of these is the sign-out.
            for left_out in ["", "null"] {
                let answer =
                    send(&hub.admin().await, &operation.method, &path, "application/json", left_out).await;
                assert!(![400, 422].contains(&answer.status), "{path}: {}", answer.text);
            }
        } else {
            send(&targets.admin, &operation.method, &path, "application/json", "").await.problem(400);
        }
    }
}

async fn an_id_that_is_no_uuid_is_400(hub: &TestHub) {
    let targets = Targets::prepare(hub).await;
    // Notifications are numbered.
    let by_uuid = |one: &Operation| one.has_id() && !one.path.contains("/notifications/");
    for operation in operations().into_iter().filter(by_uuid) {
        let body = operation.body.as_ref().map(|body| Value::Object(targets.body(body)));
        for id in ["abc", "1", "00000000-0000-0000-0000-00000000000g", "%00", "%ff", "%F0%9F%93%A6", "*"] {
            let path = operation.path_with(id);
            targets.admin.send(operation.method.clone(), &path, body.clone(), &[]).await.problem(400);
        }
    }
}

async fn a_query_value_that_cannot_be_parsed_is_400_and_one_out_of_range_422(hub: &TestHub) {
    let targets = Targets::prepare(hub).await;
    for operation in operations().into_iter().filter(Operation::is_list) {
        let path = targets.path(&operation);
        for query in [
            "page=abc",
            "page=",
            "page=1.5",
            "limit=x",
            "limit=1e1",
            "cursor=garbage",
            "cursor=",
            "cursor=e30",
        ] {
            targets.admin.get(&format!("{path}?{query}")).await.problem(400);
        }
        for (query, pointer) in [
            ("page=0", "page"),
            ("page=-1", "page"),
            ("page=1000001", "page"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-5", "limit"),
            ("sortBy=nonsense", "sortBy"),
            ("sortBy=", "sortBy"),
            ("sortBy=id;drop", "sortBy"),
            ("sortOrder=sideways", "sortOrder"),
            ("sortOrder=ASC", "sortOrder"),
            ("nonsense=1", "nonsense"),
            ("page=1&page=2", "page"),
        ] {
            assert_eq!(
                targets.admin.get(&format!("{path}?{query}")).await.invalid(),
                [pointer],
                "{path}?{query}"
            );
        }
        let several = targets.admin.get(&format!("{path}?page=0&limit=101&sortOrder=up&x=1")).await.invalid();
        assert_eq!(several.len(), 4, "{path}: {several:?}");
    }
}

async fn a_filter_with_a_bad_value_is_refused_by_name(hub: &TestHub) {
    let admin = hub.admin().await;
    const UNPARSABLE: &[(&str, &[&str])] = &[
        (
            "/customers",
            &[
                "assignedTo=you",
                "createdFrom=yesterday",
                "createdTo=2026-01-01",
                "createdTo=2026-02-30T00:00:00Z",
            ],
        ),
        ("/inquiries", &["customerId=abc", "assignedTo=", "createdFrom=1", "createdTo=2026-01-01T00:00:00"]),
        ("/responses", &["inquiryId=abc", "respondedBy=me", "approvedBy=none"]),
        ("/users", &["isActive=maybe", "isActive=1"]),
        ("/audit", &["entityId=x", "actorId=x", "from=x", "to=x"]),
    ];
    const UNKNOWN: &[(&str, &[&str])] = &[
        ("/customers", &["status=gone", "status=ACTIVE", "status=active,inactive"]),
        (
            "/inquiries",
            &["status=gone", "status=pending,gone", "priority=5", "priority=low,", "q=%00", "category=a%00"],
        ),
        ("/responses", &["status=gone"]),
        ("/users", &["role=owner"]),
        ("/audit", &["entityType=invoice"]),
    ];
    for (list, queries) in UNPARSABLE {
        for query in *queries {
            admin.get(&format!("{list}?{query}")).await.problem(400);
        }
    }
    for (list, queries) in UNKNOWN {
        for query in *queries {
            let name = query.split('=').next().unwrap();
            assert_eq!(admin.get(&format!("{list}?{query}")).await.invalid(), [name], "{list}?{query}");
        }
    }
}

async fn json_of_the_wrong_shape_is_422_at_the_field(hub: &TestHub) {
    let targets = Targets::prepare(hub).await;
    for (operation, body) in writes() {
        let path = targets.path(&operation);
        let good = targets.body(&body);
        let pointers = async |changed: Value| {
            targets.admin.send(operation.method.clone(), &path, Some(changed), &[]).await.invalid()
        };
        let with = |name: &str, value: Value| {
            let mut changed = good.clone();
            changed.insert(name.to_owned(), value);
            Value::Object(changed)
        };
        assert_eq!(pointers(with("nonsense", json!(1))).await, ["/nonsense"], "{path}");
        assert_eq!(pointers(with("__proto__", json!({}))).await, ["/__proto__"], "{path}");
        for whole in [json!([]), json!(["a", "b"]), json!("text"), json!(5), json!(true)] {
            assert_eq!(pointers(whole.clone()).await, [""], "{path} with {whole}");
        }
        for name in &body.required {
            let mut changed = good.clone();
            changed.remove(name);
            assert_eq!(pointers(Value::Object(changed)).await, [format!("/{name}")], "{path} without {name}");
        }
        for (name, schema) in &body.properties {
            for value in wrong_types(schema) {
                let found = pointers(with(name, value.clone())).await;
                assert_eq!(found, [format!("/{name}")], "{path} with {name} = {value}");
            }
        }
    }
}

/// A value of every JSON type that the schema does not allow.
fn wrong_types(schema: &Value) -> impl Iterator<Item = Value> {
    let allowed = type_of(schema).to_owned();
    let nullable = schema["type"].is_array();
    let all =
        [json!("x"), json!(5), json!(1.5), json!(true), json!({"active": null}), json!([1]), json!(null)];
    all.into_iter().filter(move |value| match value {
        Value::String(_) => allowed != "string",
        Value::Number(number) => allowed != "integer" || number.is_f64(),
        Value::Bool(_) => allowed != "boolean",
        Value::Object(_) => allowed != "object",
        Value::Array(_) => allowed != "array",
        Value::Null => !nullable,
    })
}

async fn every_failing_field_is_reported_at_once(hub: &TestHub) {
    let targets = Targets::prepare(hub).await;
    let (long, line) = ("x".repeat(400), "two\nlines");
    let name = [("firstName", json!("  ")), ("lastName", json!(line))];
    let customer = [
        ("email", json!("ada")),
        ("phone", json!(long)),
        ("company", json!(line)),
        ("metadata", json!({"a": "b".repeat(70_000)})),
    ];
    let question = [("subject", json!(long)), ("message", json!(" ")), ("category", json!(line))];
    let customer: Vec<_> = name.iter().chain(&customer).cloned().collect();
    let new_inquiry = [("customerId", json!(targets.customer)), ("channel", json!("No Channel"))];
    let new_inquiry: Vec<_> = question.iter().chain(&new_inquiry).cloned().collect();
    let user: Vec<_> = name
        .iter()
        .chain(&[("email", json!("@")), ("password", json!("short")), ("role", json!("cso"))])
        .cloned()
        .collect();
    let patch: Vec<_> = name
        .iter()
        .chain(&[("maxOpenInquiries", json!(-1)), ("skills", json!(["", "fine", line]))])
        .cloned()
        .collect();
    let profile: Vec<_> = name.iter().chain(&[("newPassword", json!("short"))]).cloned().collect();
    let user_path = format!("/users/{}", targets.user);
    let customer_path = format!("/customers/{}", targets.customer);
    let inquiry_path = format!("/inquiries/{}", targets.inquiry);
    for (method, path, fields, expected) in [
        (Method::POST, "/customers", &customer, "/company /email /firstName /lastName /metadata /phone"),
        (Method::PUT, &customer_path, &customer, "/company /email /firstName /lastName /metadata /phone"),
        (Method::POST, "/inquiries", &new_inquiry, "/category /channel /message /subject"),
        (Method::PUT, &inquiry_path, &question.to_vec(), "/category /message /subject"),
        (Method::POST, "/auth/register", &user, "/email /firstName /lastName /password"),
        (Method::PATCH, &user_path, &patch, "/firstName /lastName /maxOpenInquiries /skills/0 /skills/2"),
        (Method::PUT, "/auth/profile", &profile, "/currentPassword /firstName /lastName /newPassword"),
    ] {
        let body: Map<String, Value> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut found = targets.admin.send(method, path, Some(body.into()), &[]).await.invalid();
        found.sort();
        assert_eq!(found.join(" "), expected, "{path}");
    }
}

async fn a_body_over_one_mebibyte_is_413(hub: &TestHub) {
    let targets = Targets::prepare(hub).await;
    let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
    for (operation, _) in writes() {
        let path = targets.path(&operation);
        let announced = padded(MEBIBYTE + 1);
        send(&targets.admin, &operation.method, &path, "application/json", announced).await.problem(413);
        let chunks = vec![Ok::<_, std::io::Error>(vec![b' '; MEBIBYTE]), Ok(b" {}".to_vec())];
        let unannounced = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        send(&targets.admin, &operation.method, &path, "application/json", unannounced).await.problem(413);
    }
    let fits = send(&targets.admin, &Method::POST, "/customers", "application/json", padded(MEBIBYTE)).await;
    assert_eq!(fits.invalid(), ["/firstName"]);
}

async fn a_body_that_is_not_declared_as_json_is_415(hub: &TestHub) {
    let targets = Targets::prepare(hub).await;
    for (operation, body) in writes() {
        let (path, body) = (targets.path(&operation), json!(targets.body(&body)).to_string());
        for content_type in
            ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonx", "x"]
        {
            send(&targets.admin, &operation.method, &path, content_type, body.clone()).await.problem(415);
        }
        reply(targets.admin.raw(operation.method, &path).body(body)).await.problem(415);
    }
    let body = json!({}).to_string();
    let declared =
        send(&targets.admin, &Method::POST, "/customers", "Application/JSON; charset=utf-8", body).await;
    assert_eq!(declared.invalid(), ["/firstName"]);
}

async fn an_unknown_path_is_404_and_a_wrong_method_405_with_allow(hub: &TestHub) {
    let targets = Targets::prepare(hub).await;
    for path in [
        "/nonsense",
        "/customers/",
        "/customers/1/2/3",
        "//nonsense",
        "//api",
        "//api/v2/customers",
        "/%2e%2e",
    ] {
        for client in [&targets.admin, &hub.anonymous()] {
            client.get(path).await.problem(404);
            client.post(path, json!({})).await.problem(404);
        }
    }
    let operations = operations();
    for operation in &operations {
        let of_path = operations.iter().filter(|other| other.path == operation.path);
        let mut known: Vec<_> = of_path.map(|other| other.method.to_string()).collect();
        known.sort();
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if known.contains(&method.to_string()) {
                continue;
            }
            let refused = targets.admin.send(method, &targets.path(operation), None, &[]).await;
            refused.problem(405);
            let mut allowed: Vec<_> = refused.header("allow").split(", ").map(str::to_owned).collect();
            allowed.sort();
            assert_eq!(allowed, known, "{}", operation.path);
        }
    }
}

async fn texts_that_cannot_be_stored_are_refused_at_the_field(hub: &TestHub) {
    let targets = Targets::prepare(hub).await;
    for (operation, body) in writes() {
        let (path, good) = (targets.path(&operation), targets.body(&body));
        // Not of use in secrets and tokens: they are compared, never stored.
        let secret = |name: &str| name.to_lowercase().contains("password") || name.contains("Token");
        for (name, _) in good.iter().filter(|(name, value)| value.is_string() && !secret(name)) {
            let mut changed = good.clone();
            changed.insert(name.clone(), json!("nul \0 inside"));
            let answer = targets.admin.send(operation.method.clone(), &path, Some(changed.into()), &[]).await;
            if operation.is_open() {
                answer.problem(401);
            } else {
                assert_eq!(answer.invalid(), [format!("/{name}")], "{path}");
            }
        }
    }
    let lone = r#"{"firstName":"\ud800","lastName":"b","email":"c@example.com"}"#;
    send(&targets.admin, &Method::POST, "/customers", "application/json", lone).await.problem(400);
    for deep in [nested(200), nested(10_000)] {
        send(&targets.admin, &Method::POST, "/customers", "application/json", deep).await.invalid();
    }
    let customer = |metadata: &str| {
        format!(r#"{{"firstName":"a","lastName":"b","email":"c@example.com","metadata":{metadata}}}"#)
    };
    for (metadata, status) in [
        ("{\"a\":1e999}".to_owned(), 400),
        ("{\"a\":\"\\udfff\"}".to_owned(), 400),
        (nested(10_000), 400),
        (nested(20), 422),
        ("{\"a\\u0000\":1}".to_owned(), 422),
        ("{\"a\":{\"b\":[\"\\u0000\"]}}".to_owned(), 422),
    ] {
        send(&targets.admin, &Method::POST, "/customers", "application/json", customer(&metadata))
            .await
            .problem(status);
    }
}
