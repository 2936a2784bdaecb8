//! Contract section 2, what holds for every answer: entity tags, versions, request ids, security headers,
//! compression.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, Reply, TestHub, id_of, on_both_engines, path, reply};

on_both_engines!(
    an_unchanged_entity_is_304_by_its_tag,
    a_write_with_a_stale_if_match_is_412_and_changes_nothing,
    a_write_with_the_current_if_match_or_any_goes_through,
    every_write_counts_the_version_up_and_moves_updated_at,
    a_request_id_is_echoed_or_made_and_an_unfit_one_replaced,
    every_answer_has_the_security_headers,
    answers_are_compressed_for_whoever_asks,
);
on_both_engines!(with PRODUCTION; production_demands_https_from_then_on);

const PRODUCTION: &[(&str, &str)] = &[
    ("APP_ENV", "production"),
    ("HOST", "127.0.0.1"),
    ("JWT_SECRET", "for tests alone: seven copper lanterns"),
    ("JWT_REFRESH_SECRET", "for tests alone: eight copper lanterns"),
];

/// One entity of each kind, where it is.
async fn entities(hub: &TestHub, admin: &Client, cso: &Client) -> [String; 5] {
    let draft = hub.draft(cso, admin).await;
    [
        path("customers", &hub.customer(admin).await),
        format!("/inquiries/{}", draft["inquiryId"].as_str().unwrap()),
        path("responses", &draft),
        format!("/users/{}", cso.id),
        "/auth/profile".to_owned(),
    ]
}

async fn an_unchanged_entity_is_304_by_its_tag(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    for path in entities(hub, &admin, &cso).await {
        let read = admin.get(&path).await;
        let tag = read.header("etag").to_owned();
        assert_eq!(tag, format!("\"{}\"", read.json()["version"]), "{path}");
        let known = [
            tag.clone(),
            format!("W/{tag}"),
            "*".to_owned(),
            format!("\"99\", {tag}"),
            format!("\"x\",W/{tag}"),
        ];
        for known in known {
            let unchanged = admin.send(Method::GET, &path, None, &[("If-None-Match", &known)]).await;
            assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""), "{path} {known}");
            assert_eq!(unchanged.header("etag"), tag);
        }
        for other in ["\"0\"", "\"99\"", "garbage", "", &tag.replace('"', "")] {
            let sent = admin.send(Method::GET, &path, None, &[("If-None-Match", other)]).await;
            assert_eq!(sent.status, 200, "{path} {other}");
        }
    }
}

/// Every write of an entity that exists, each on an entity fit for it.
async fn writes(
    hub: &TestHub,
    admin: &Client,
    cso: &Client,
    manager: &Client,
) -> Vec<(Client, Method, String, Value)> {
    let customer =
        json!({"firstName": "Ada", "lastName": "King", "email": format!("{}@example.com", Uuid::new_v4())});
    let question = json!({"subject": "A", "message": "B"});
    let assignee = json!({"assigneeId": cso.id});
    let a_customer = async || path("customers", &hub.customer(admin).await);
    let an_inquiry = async || path("inquiries", &hub.inquiry(admin).await);
    let a_draft = async || path("responses", &hub.draft(cso, admin).await);
    let a_submitted = async || {
        let path = a_draft().await;
        cso.act(&format!("{path}/submit")).await.expect(200);
        path
    };
    let rows = [
        (admin, Method::PUT, a_customer().await, "", customer),
        (admin, Method::POST, a_customer().await, "/assign", assignee.clone()),
        (admin, Method::DELETE, a_customer().await, "", Value::Null),
        (cso, Method::PUT, an_inquiry().await, "", question),
        (cso, Method::PATCH, an_inquiry().await, "/status", json!({"status": "in_progress"})),
        (manager, Method::POST, an_inquiry().await, "/assign", assignee),
        (cso, Method::PUT, a_draft().await, "", json!({"message": "Better."})),
        (cso, Method::POST, a_draft().await, "/submit", Value::Null),
        (cso, Method::POST, a_submitted().await, "/withdraw", Value::Null),
        (manager, Method::POST, a_submitted().await, "/approve", json!({})),
        (manager, Method::POST, a_submitted().await, "/reject", json!({"notes": "No."})),
        (admin, Method::PATCH, format!("/users/{}", cso.id), "", json!({"firstName": "Grace"})),
        (cso, Method::PUT, "/auth/profile".to_owned(), "", json!({"lastName": "Hopper"})),
    ];
    rows.map(|(by, method, path, action, body)| (by.clone(), method, path + action, body)).into()
}

fn entity_of(path: &str) -> String {
    if path.starts_with("/auth") {
        path.to_owned()
    } else {
        path.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
    }
}

async fn write(by: &Client, method: &Method, path: &str, body: &Value, headers: &[(&str, &str)]) -> Reply {
    let body = (!body.is_null()).then(|| body.clone());
    by.send(method.clone(), path, body, headers).await
}

async fn a_write_with_a_stale_if_match_is_412_and_changes_nothing(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for (by, method, path, body) in writes(hub, &admin, &cso, &manager).await {
        let entity = entity_of(&path);
        let before = by.get(&entity).await;
        let before = if before.status == 403 { admin.get(&entity).await } else { before };
        let version = before.json()["version"].as_i64().unwrap();
        let weak = format!("W/\"{version}\"");
        for stale in
            [&format!("\"{}\"", version - 1), &format!("\"{}\"", version + 1), "\"0\"", "\"another\"", &weak]
        {
            write(&by, &method, &path, &body, &[("If-Match", stale)]).await.problem(412);
        }
        for unfit in ["garbage", "\"", "", "\"1\", \"2\""] {
            write(&by, &method, &path, &body, &[("If-Match", unfit)]).await.problem(400);
        }
        let reader = if entity.starts_with("/auth") { &by } else { &admin };
        assert_eq!(reader.get(&entity).await.text, before.text, "{method} {path}");
    }
}

async fn a_write_with_the_current_if_match_or_any_goes_through(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for any in [false, true] {
        for (by, method, path, body) in writes(hub, &admin, &cso, &manager).await {
            let reader = if path.starts_with("/auth") { &by } else { &admin };
            let tag = reader.get(&entity_of(&path)).await.header("etag").to_owned();
            let done = write(&by, &method, &path, &body, &[("If-Match", if any { "*" } else { &tag })]).await;
            if method == Method::DELETE {
                done.expect(204);
                continue;
            }
            let now = done.header("etag").to_owned();
            let version = done.expect(200)["version"].to_string();
            assert_eq!(now, format!("\"{version}\""), "{method} {path}");
            assert_eq!(reader.get(&entity_of(&path)).await.header("etag"), now, "{method} {path}");
        }
    }
}

async fn every_write_counts_the_version_up_and_moves_updated_at(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for (by, method, path, body) in writes(hub, &admin, &cso, &manager).await {
        let reader = if path.starts_with("/auth") { &by } else { &admin };
        let before = reader.get(&entity_of(&path)).await.expect(200);
        hub.clock.advance(Duration::from_millis(1_007));
        let done = write(&by, &method, &path, &body, &[]).await;
        if method == Method::DELETE {
            continue;
        }
        let after = done.expect(200);
        assert_eq!(id_of(&after).get_version_num(), 7, "{path}");
        assert_eq!(
            after["version"].as_i64().unwrap(),
            before["version"].as_i64().unwrap() + 1,
            "{method} {path}"
        );
        assert_eq!(after["id"], before["id"]);
        assert_eq!(after["createdAt"], before["createdAt"]);
        assert_eq!(after["updatedAt"], json!(hub.clock.now()), "{method} {path}");
        for time in ["createdAt", "updatedAt"] {
            let text = after[time].as_str().unwrap();
            assert!(text.len() == 24 && text.ends_with('Z') && text.as_bytes()[19] == b'.', "{text}");
        }
        assert_eq!(reader.get(&entity_of(&path)).await.expect(200), after, "{method} {path} reads back");
    }
}

async fn a_request_id_is_echoed_or_made_and_an_unfit_one_replaced(hub: &TestHub) {
    let admin = hub.admin().await;
    let long = "a".repeat(128);
    for fit in ["a", "7f-3_x.y:z/1+2=3@4", "550e8400-e29b-41d4-a716-446655440000", &long] {
        for (path, status) in
            [("/customers", 200), ("/nonsense", 404), ("//health", 200), ("/customers?page=0", 422)]
        {
            let answer = admin.send(Method::GET, path, None, &[("X-Request-Id", fit)]).await;
            assert_eq!((answer.status, answer.header("x-request-id")), (status, fit));
        }
    }
    let anonymous = hub.anonymous().send(Method::GET, "/customers", None, &[("X-Request-Id", "mine")]).await;
    assert_eq!(anonymous.problem(401)["requestId"], "mine");
    let mut made = std::collections::HashSet::new();
    let too_long = "a".repeat(129);
    for unfit in ["", "two words", "a\"b", "<b>", "a;b", "a,b", "ü", &too_long] {
        let answer = admin.send(Method::GET, "/nonsense", None, &[("X-Request-Id", unfit)]).await;
        let id = answer.problem(404)["requestId"].as_str().unwrap().to_owned();
        assert!(id.parse::<Uuid>().is_ok(), "{unfit} became {id}");
        assert!(made.insert(id), "an id made twice");
    }
    let customer = hub.customer(&admin).await;
    let traced = [("X-Request-Id", "trace-me")];
    admin.send(Method::DELETE, &path("customers", &customer), None, &traced).await.expect(204);
    let audit = admin.get(&format!("/audit?entityId={}&limit=1", id_of(&customer))).await.expect(200);
    assert_eq!(audit["data"][0]["requestId"], "trace-me");
}

async fn every_answer_has_the_security_headers(hub: &TestHub) {
    let (admin, anonymous) = (hub.admin().await, hub.anonymous());
    let customer = path("customers", &hub.customer(&admin).await);
    let tag = [("If-None-Match", "*")];
    for answer in [
        admin.get("/customers").await,
        admin.send(Method::GET, &customer, None, &tag).await,
        admin.get("/nonsense").await,
        admin.post("/customers", json!({})).await,
        admin.delete("/stats").await,
        admin.delete(&customer).await,
        anonymous.get("/customers").await,
        anonymous.get("//health").await,
        anonymous.get("//nonsense").await,
        anonymous.get("//api-docs/openapi.json").await,
    ] {
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("strict-transport-security"), "", "only in production");
        for telling in ["server", "x-powered-by"] {
            assert!(!answer.headers.contains_key(telling), "{telling}");
        }
    }
    let policy = "default-src 'none'; frame-ancestors 'none'";
    assert_eq!(admin.get("/customers").await.header("content-security-policy"), policy);
}

async fn production_demands_https_from_then_on(hub: &TestHub) {
    for path in ["//health", "/customers", "//nonsense"] {
        let answer = hub.anonymous().get(path).await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000; includeSubDomains");
    }
}

async fn answers_are_compressed_for_whoever_asks(hub: &TestHub) {
    let admin = hub.admin().await;
    hub.customer(&admin).await;
    let http = reqwest::Client::builder().no_gzip().build().unwrap();
    let ask = async |accepted: &str| {
        let request =
            admin.raw(Method::GET, "/customers").header("Accept-Encoding", accepted).build().unwrap();
        let answer = http.execute(request).await.unwrap();
        let encoding =
            answer.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
        let varies = answer
            .headers()
            .get_all("vary")
            .iter()
            .any(|value| value.to_str().unwrap().to_lowercase().contains("accept-encoding"));
        (encoding, varies, answer.bytes().await.unwrap())
    };
    let (encoding, varies, packed) = ask("gzip").await;
    assert_eq!((encoding.as_deref(), varies), (Some("gzip"), true));
    assert_eq!(packed[..2], [0x1f, 0x8b]);
    let (encoding, _, plain) = ask("identity").await;
    assert_eq!(encoding, None);
    let plain: Value = serde_json::from_slice(&plain).unwrap();
    let unpacked = reply(admin.raw(Method::GET, "/customers").header("Accept-Encoding", "gzip")).await;
    assert_eq!(unpacked.json(), plain);
}
