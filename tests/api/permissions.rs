//! Who may do what: every role, action and relation to the object, and in which order a refusal has its reasons.

mod matrix;
mod scene;

use std::collections::BTreeSet;

use nexus_actors::domain::policy::Action;
use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use self::matrix::{MATRIX, PUBLIC, SELF_SERVICE, Tie};
use self::scene::Scene;
use crate::harness::{Client, Reply, TestHub, on_both_engines};

/// So that a webhook can be called.
const LOCAL: &[(&str, &str)] = &[("NEXUS__WEBHOOKS__ALLOW_PRIVATE", "true")];

on_both_engines!(
    with LOCAL;
    every_role_may_do_what_the_contract_says_and_nothing_else,
    every_endpoint_that_needs_a_permission_is_in_the_matrix,
    what_cannot_be_seen_is_404_before_403_and_what_is_not_allowed_403_before_422,
    a_foreign_object_looks_exactly_like_a_missing_one,
    lists_hold_what_their_reader_may_read,
    nobody_gets_in_without_a_valid_token,
    an_api_key_opens_nothing_that_is_for_people,
);

async fn every_role_may_do_what_the_contract_says_and_nothing_else(hub: &TestHub) {
    let mut wrong = Vec::new();
    for &role in Role::ALL {
        let scene = Scene::set(hub, role).await;
        for row in MATRIX {
            for (tie, expected) in row.cells(role) {
                let by_policy = row.by_policy(role, tie);
                let id = tie.map(|tie| scene.object(row, tie));
                let status = scene.send(row, id, scene.body(row)).await.status;
                if (status, by_policy) != (expected, expected) {
                    wrong.push(format!(
                        "{role}, {}, {tie:?}: {status}; contract {expected}, policy {by_policy}",
                        row.endpoint
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn every_endpoint_that_needs_a_permission_is_in_the_matrix(hub: &TestHub) {
    let known: BTreeSet<_> = MATRIX
        .iter()
        .map(|row| row.endpoint)
        .chain(SELF_SERVICE.iter().copied())
        .map(str::to_owned)
        .collect();
    let secured: BTreeSet<_> =
        documented(hub).await.into_iter().filter(|one| one.secured).map(|one| one.name).collect();
    assert_eq!(secured, known);
    for &action in Action::ALL {
        assert!(MATRIX.iter().any(|row| row.action == action), "no endpoint for {action}");
    }
}

async fn what_cannot_be_seen_is_404_before_403_and_what_is_not_allowed_403_before_422(hub: &TestHub) {
    let invalid = json!({"nonsense": true});
    let mut wrong = Vec::new();
    for &role in Role::ALL {
        let scene = Scene::set(hub, role).await;
        for row in MATRIX {
            let bad_body = scene.body(row).map(|_| invalid.clone());
            let mut check = |what: &str, reply: Reply, expected: u16| {
                if reply.status != expected {
                    wrong.push(format!("{role}, {}, {what}: {} for {expected}", row.endpoint, reply.status));
                }
            };
            for (tie, valid) in row.cells(role).into_iter().filter(|_| bad_body.is_some()) {
                let id = tie.map(|tie| scene.object(row, tie));
                let expected = if valid < 300 { 422 } else { valid };
                check(&format!("{tie:?}"), scene.send(row, id, bad_body.clone()).await, expected);
            }
            if !row.ties().is_empty() {
                let missing = Some(Uuid::new_v4());
                check("missing", scene.send(row, missing, scene.body(row)).await, row.of_missing(role));
                check("missing, bad body", scene.send(row, missing, bad_body).await, row.of_missing(role));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn a_foreign_object_looks_exactly_like_a_missing_one(hub: &TestHub) {
    let scene = Scene::set(hub, Role::Cso).await;
    let hidden = |tie| MATRIX.iter().filter(move |row| row.cells(Role::Cso).contains(&(Some(tie), 404)));
    let mut compared = 0;
    for (row, tie) in
        [Tie::Foreign, Tie::Edited].into_iter().flat_map(|tie| hidden(tie).map(move |row| (row, tie)))
    {
        let (foreign, missing) = (scene.object(row, tie), Uuid::new_v4());
        let body = scene.body(row);
        let foreign = anonymised(scene.send(row, Some(foreign), body.clone()).await, foreign);
        let missing = anonymised(scene.send(row, Some(missing), body).await, missing);
        assert_eq!(foreign, missing, "{}", row.endpoint);
        compared += 1;
    }
    assert_eq!(compared, 18, "4 endpoints on customers, 7 on responses with 2 ties each");
}

async fn lists_hold_what_their_reader_may_read(hub: &TestHub) {
    for &role in Role::ALL {
        let scene = Scene::set(hub, role).await;
        let everything = role != Role::Cso;
        for (collection, owner) in [("customers", "assignedTo"), ("responses", "respondedBy")] {
            let (mine, theirs) = (json!(scene.caller.id), json!(scene.author.id));
            let owners = listed(&scene.caller, &format!("/{collection}?limit=100")).await;
            let owners: Vec<_> = owners.iter().map(|one| &one[owner]).collect();
            assert!(owners.contains(&&mine), "{role}, {collection}");
            assert_eq!(owners.contains(&&theirs), everything, "{role}, {collection}");
            assert_eq!(owners.iter().any(|one| **one != mine), everything, "{role}, {collection}");
            // Asking for another's by name does not get them either.
            let asked = format!("/{collection}?{owner}={}", scene.author.id);
            assert_eq!(!listed(&scene.caller, &asked).await.is_empty(), everything, "{role}, {asked}");
        }
    }
}

async fn nobody_gets_in_without_a_valid_token(hub: &TestHub) {
    let anonymous = hub.anonymous();
    let forged = anonymous.with_token("eyJhbGciOiJub25lIn0.e30.");
    let endpoints = documented(hub).await;
    let open: Vec<_> = endpoints.iter().filter(|one| !one.secured).map(|one| one.name.as_str()).collect();
    assert_eq!(open, PUBLIC);
    for endpoint in endpoints.iter().filter(|one| one.secured) {
        for client in [&anonymous, &forged] {
            for body in [None, Some(json!({"nonsense": true}))] {
                let path =
                    endpoint.path.replace("{id}", &Uuid::new_v4().to_string()).replace("{channel}", "email");
                let reply = client.send(endpoint.method.clone(), &path, body, &[]).await;
                assert_eq!(reply.status, 401, "{}: {}", endpoint.name, reply.text);
                assert!(reply.header("www-authenticate").starts_with("Bearer"), "{}", endpoint.name);
                assert_eq!(reply.header("content-type"), "application/problem+json", "{}", endpoint.name);
                assert_eq!(reply.json()["status"], 401, "{}", endpoint.name);
            }
        }
    }
}

async fn an_api_key_opens_nothing_that_is_for_people(hub: &TestHub) {
    let scene = Scene::set(hub, Role::Admin).await;
    let key = json!({"name": "all", "scopes": ["inbound", "deliveries"]});
    let key = scene.maker.post("/api-keys", key).await.expect(201)["key"].as_str().unwrap().to_owned();
    let program = hub.anonymous().with_token(&key);
    let for_people = MATRIX.iter().filter(|row| row.action != Action::UseGateway);
    let mut asked = 0;
    for row in for_people {
        for (tie, _) in row.cells(Role::Admin) {
            let id = tie.map(|tie| scene.object(row, tie));
            let reply = scene.send_as(&program, row, id, scene.body(row)).await;
            assert_eq!(reply.problem(403)["type"], "urn:nexus-hub:problem:forbidden", "{}", row.endpoint);
            asked += 1;
        }
    }
    for endpoint in SELF_SERVICE {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        program.send(method, path, None, &[]).await.problem(403);
        asked += 1;
    }
    assert!(asked > 50, "{asked}");
}

/// An operation of the OpenAPI document.
struct Endpoint {
    /// As the matrix names it.
    name: String,
    method: Method,
    path: String,
    secured: bool,
}

/// Every operation, in the order of their names.
async fn documented(hub: &TestHub) -> Vec<Endpoint> {
    let document = hub.anonymous().get("//api-docs/openapi.json").await.expect(200);
    let mut endpoints = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").map_or_else(|| format!("/{path}"), str::to_owned);
        for (method, operation) in operations.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let secured = operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
            endpoints.push(Endpoint {
                name: format!("{method} {path}"),
                method,
                path: path.clone(),
                secured,
            });
        }
    }
    endpoints.sort_by(|a, b| a.name.cmp(&b.name));
    endpoints
}

async fn listed(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.expect(200)["data"].as_array().unwrap().clone()
}

/// An answer without what names the one request and the one object.
fn anonymised(reply: Reply, id: Uuid) -> (u16, String, Vec<(String, String)>) {
    const OF_THE_REQUEST: &[&str] = &["x-request-id", "date", "ratelimit-remaining", "ratelimit-reset"];
    let text = reply.text.replace(&id.to_string(), "ID").replace(reply.header("x-request-id"), "REQUEST");
    let headers = reply.headers.iter().filter(|(name, _)| !OF_THE_REQUEST.contains(&name.as_str()));
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.sort();
    (reply.status, text, headers)
}
