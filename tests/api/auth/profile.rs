use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{USER_FIELDS, fields, pointers, refused, sign_in, try_sign_in};
use crate::harness::{Client, PASSWORD, TestHub, on_both_engines};

const EMAIL: &str = "ada@example.com";
const NEW_PASSWORD: &str = "eleven quiet herons wade home";

on_both_engines!(
    the_profile_is_the_signed_in_user,
    people_change_what_they_name_of_themselves_and_nothing_else,
    what_is_not_theirs_to_change_is_refused_and_nothing_is_changed,
    a_new_password_needs_the_current_one,
    a_new_password_has_to_be_a_fit_one,
    a_profile_changes_only_from_the_version_named,
);

async fn the_profile_is_the_signed_in_user(hub: &TestHub) {
    let ada = ada(hub).await;
    let reply = ada.get("/auth/profile").await;
    assert_eq!(reply.header("etag"), "\"1\"");
    let profile = reply.expect(200);
    assert_eq!(fields(&profile), USER_FIELDS);
    assert_eq!((&profile["email"], &profile["role"]), (&json!(EMAIL), &json!("cso")));

    let known = ada.send(Method::GET, "/auth/profile", None, &[("if-none-match", "\"1\"")]).await;
    assert_eq!((known.header("etag"), known.text.as_str()), ("\"1\"", ""));
    known.expect(304);
    ada.send(Method::GET, "/auth/profile", None, &[("if-none-match", "\"2\"")]).await.expect(200);
    refused(hub.anonymous().get("/auth/profile").await);
    refused(hub.anonymous().put("/auth/profile", json!({"firstName": "Eve"})).await);
}

async fn people_change_what_they_name_of_themselves_and_nothing_else(hub: &TestHub) {
    let ada = ada(hub).await;
    let mut expected = ada.get("/auth/profile").await.expect(200);
    for (version, (field, value)) in [
        ("firstName", "Augusta"),
        ("lastName", "King-Noël"),
        ("availability", "away"),
        ("availability", "online"),
    ]
    .into_iter()
    .enumerate()
    {
        hub.clock.advance(std::time::Duration::from_secs(1));
        let reply = ada.put("/auth/profile", json!({field: value})).await;
        assert_eq!(reply.header("etag"), format!("\"{}\"", version + 2));
        let changed = reply.expect(200);
        assert_ne!(changed["updatedAt"], expected["updatedAt"]);
        expected[field] = json!(value);
        expected["version"] = json!(version + 2);
        expected["updatedAt"] = changed["updatedAt"].clone();
        assert_eq!(changed, expected);
        assert_eq!(ada.get("/auth/profile").await.expect(200), expected);
    }
    let trimmed = ada.put("/auth/profile", json!({"firstName": "  Ada  "})).await.expect(200);
    assert_eq!(trimmed["firstName"], "Ada");
}

async fn what_is_not_theirs_to_change_is_refused_and_nothing_is_changed(hub: &TestHub) {
    let ada = ada(hub).await;
    let before = ada.get("/auth/profile").await.expect(200);
    for (change, pointer) in [
        (json!({"role": "admin"}), "/role"),
        (json!({"email": "eve@example.com"}), "/email"),
        (json!({"isActive": false}), "/isActive"),
        (json!({"maxOpenInquiries": 0}), "/maxOpenInquiries"),
        (json!({"skills": ["billing"]}), "/skills"),
        (json!({"password": NEW_PASSWORD}), "/password"),
        (json!({"firstName": ""}), "/firstName"),
        (json!({"firstName": null}), "/firstName"),
        (json!({"firstName": 1}), "/firstName"),
        (json!({"lastName": "x".repeat(101)}), "/lastName"),
        (json!({"lastName": "a\nb"}), "/lastName"),
        (json!({"availability": "asleep"}), "/availability"),
        (json!({"availability": true}), "/availability"),
    ] {
        let mut body = json!({"lastName": "Changed"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(pointers(ada.put("/auth/profile", body).await), [pointer], "{change}");
    }
    assert_eq!(ada.get("/auth/profile").await.expect(200), before);
}

async fn a_new_password_needs_the_current_one(hub: &TestHub) {
    let ada = ada(hub).await;
    let before = ada.get("/auth/profile").await.expect(200);
    for (change, code) in [
        (json!({"newPassword": NEW_PASSWORD}), "required"),
        (json!({"newPassword": NEW_PASSWORD, "currentPassword": "not the current one"}), "wrong_password"),
        (json!({"newPassword": NEW_PASSWORD, "currentPassword": ""}), "wrong_password"),
        (json!({"newPassword": NEW_PASSWORD, "currentPassword": NEW_PASSWORD}), "wrong_password"),
        (json!({"newPassword": NEW_PASSWORD, "currentPassword": null}), "wrong_type"),
    ] {
        let mut body = json!({"firstName": "Changed"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let problem = ada.put("/auth/profile", body).await.expect(422);
        assert_eq!(errors(&problem), [("/currentPassword", code)], "{change}");
    }
    assert_eq!(ada.get("/auth/profile").await.expect(200), before);
    refused(try_sign_in(hub, EMAIL, NEW_PASSWORD).await);

    let change = json!({"newPassword": NEW_PASSWORD, "currentPassword": PASSWORD, "firstName": "Augusta"});
    let reply = ada.put("/auth/profile", change).await;
    assert!(!reply.text.to_lowercase().contains("password"), "{}", reply.text);
    let changed = reply.expect(200);
    assert_eq!((&changed["firstName"], &changed["version"]), (&json!("Augusta"), &json!(2)));
    refused(try_sign_in(hub, EMAIL, PASSWORD).await);
    try_sign_in(hub, EMAIL, NEW_PASSWORD).await.expect(200);

    let audit = hub.manager().await.get(&format!("/audit?entityId={}", id(&changed))).await.expect(200);
    let actions: Vec<_> =
        audit["data"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert!(actions.contains(&json!("user.password_changed")), "{actions:?}");
    assert!(!audit.to_string().contains("argon2"));
}

async fn a_new_password_has_to_be_a_fit_one(hub: &TestHub) {
    let ada = ada(hub).await;
    for (password, code) in [
        ("too short".to_owned(), "too_short"),
        ("x y ".repeat(40), "too_long"),
        ("password1234".to_owned(), "common_password"),
        (EMAIL.to_owned(), "common_password"),
    ] {
        let change = json!({"newPassword": password, "currentPassword": PASSWORD});
        let problem = ada.put("/auth/profile", change).await.expect(422);
        assert_eq!(errors(&problem), [("/newPassword", code)], "{password}");
    }
    let both = ada.put("/auth/profile", json!({"newPassword": "short"})).await.expect(422);
    assert_eq!(errors(&both), [("/currentPassword", "required"), ("/newPassword", "too_short")]);
    try_sign_in(hub, EMAIL, PASSWORD).await.expect(200);
}

async fn a_profile_changes_only_from_the_version_named(hub: &TestHub) {
    let ada = ada(hub).await;
    let put = |version: &'static str, name: &'static str| {
        let (ada, body) = (ada.clone(), json!({"firstName": name}));
        async move { ada.send(Method::PUT, "/auth/profile", Some(body), &[("if-match", version)]).await }
    };
    put("\"2\"", "Stale").await.expect(412);
    put("\"1\"", "Augusta").await.expect(200);
    put("\"1\"", "Stale").await.expect(412);
    put("one", "Stale").await.expect(400);
    assert_eq!(put("*", "Ada").await.expect(200)["version"], 3);
}

async fn ada(hub: &TestHub) -> Client {
    hub.make_user(Role::Cso, EMAIL).await;
    sign_in(hub, EMAIL).await.client
}

/// Pointers and codes, sorted.
fn errors(problem: &Value) -> Vec<(&str, &str)> {
    let errors = problem["errors"].as_array().unwrap().iter();
    let mut errors: Vec<_> =
        errors.map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap())).collect();
    errors.sort_unstable();
    errors
}

fn id(user: &Value) -> &str {
    user["id"].as_str().unwrap()
}
