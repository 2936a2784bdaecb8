use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{USER_FIELDS, fields, pointers, refused, try_sign_in};
use crate::harness::{PASSWORD, TestHub, on_both_engines, path};

on_both_engines!(
    an_admin_registers_a_user_who_can_then_sign_in,
    only_an_admin_registers_users,
    an_email_is_taken_whatever_its_case,
    of_many_registrations_of_one_email_at_once_exactly_one_succeeds,
    an_unfit_password_is_refused_and_makes_nobody,
    a_registration_is_judged_field_by_field,
);

async fn an_admin_registers_a_user_who_can_then_sign_in(hub: &TestHub) {
    let admin = hub.admin().await;
    let reply = admin.post("/auth/register", ada()).await;
    assert!(
        !reply.text.to_lowercase().contains("password") && !reply.text.contains("argon2"),
        "{}",
        reply.text
    );
    assert_eq!(reply.header("etag"), "\"1\"");
    let location = reply.header("location").to_owned();
    let user = reply.expect(201);
    assert_eq!(location, format!("/api/v1{}", path("users", &user)));
    assert_eq!(fields(&user), USER_FIELDS);
    for (field, value) in [
        ("email", json!("ada@example.com")),
        ("role", json!("manager")),
        ("firstName", json!("Ada")),
        ("lastName", json!("Lovelace")),
        ("isActive", json!(true)),
        ("availability", json!("online")),
        ("maxOpenInquiries", json!(20)),
        ("skills", json!([])),
        ("version", json!(1)),
    ] {
        assert_eq!(user[field], value, "{field}");
    }
    assert_eq!(admin.get(&path("users", &user)).await.expect(200), user);
    let answer = try_sign_in(hub, "ada@example.com", PASSWORD).await.expect(200);
    assert_eq!(answer["user"], user);
}

async fn only_an_admin_registers_users(hub: &TestHub) {
    refused(hub.anonymous().post("/auth/register", ada()).await);
    for (name, client) in [("cso", hub.cso().await), ("manager", hub.manager().await)] {
        client.post("/auth/register", ada()).await.expect(403);
        // What is wrong with the body is nobody's business who may not send one.
        let told = client.post("/auth/register", json!({"email": 7})).await;
        assert_eq!(told.status, 403, "{name}: {}", told.text);
    }
    refused(try_sign_in(hub, "ada@example.com", PASSWORD).await);
}

async fn an_email_is_taken_whatever_its_case(hub: &TestHub) {
    let admin = hub.admin().await;
    admin.post("/auth/register", ada()).await.expect(201);
    for email in ["ada@example.com", "Ada@Example.COM", " ada@example.com "] {
        let problem = admin.post("/auth/register", with(json!({"email": email}))).await.expect(409);
        assert_eq!(problem["errors"][0]["pointer"], "/email", "{email}");
    }
    let users = admin.get("/users").await.expect(200);
    assert_eq!(users["meta"]["total"], 2);
}

async fn of_many_registrations_of_one_email_at_once_exactly_one_succeeds(hub: &TestHub) {
    let admin = hub.admin().await;
    let tries = (0..12).map(|turn| {
        let email = if turn % 2 == 0 { "ada@example.com" } else { "ADA@example.com" };
        admin.post("/auth/register", with(json!({"email": email})))
    });
    let mut statuses: Vec<_> = join_all(tries).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[201][..], &[409; 11][..]].concat());
}

async fn an_unfit_password_is_refused_and_makes_nobody(hub: &TestHub) {
    let admin = hub.admin().await;
    let longest = "Tidy foxes juggle 9 plums. ".repeat(5)[..128].to_owned();
    for (password, code) in [
        ("elevenchars".to_owned(), "too_short"),
        (format!("{longest}!"), "too_long"),
        ("password1234".to_owned(), "common_password"),
        ("PASSWORD1234".to_owned(), "common_password"),
        ("aaaaaaaaaaaaaaaa".to_owned(), "common_password"),
        ("ada@example.com".to_owned(), "common_password"),
        ("ada-lovelace-1".to_owned(), "common_password"),
    ] {
        let problem = admin.post("/auth/register", with(json!({"password": password}))).await.expect(422);
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{password}: {problem}");
        assert_eq!(
            (&errors[0]["pointer"], &errors[0]["code"]),
            (&json!("/password"), &json!(code)),
            "{password}"
        );
        assert!(!problem.to_string().contains(&password), "told in the answer: {problem}");
    }
    assert_eq!(admin.get("/users").await.expect(200)["meta"]["total"], 1);

    admin.post("/auth/register", with(json!({"password": longest}))).await.expect(201);
    try_sign_in(hub, "ada@example.com", &longest).await.expect(200);
}

async fn a_registration_is_judged_field_by_field(hub: &TestHub) {
    let admin = hub.admin().await;
    for (change, pointer) in [
        (json!({"nickname": "Countess"}), "/nickname"),
        (json!({"isActive": true}), "/isActive"),
        (json!({"id": admin.id}), "/id"),
        (json!({"role": "boss"}), "/role"),
        (json!({"role": 3}), "/role"),
        (json!({"role": null}), "/role"),
        (json!({"email": "no address"}), "/email"),
        (json!({"email": ["ada@example.com"]}), "/email"),
        (json!({"email": "ada\0@example.com"}), "/email"),
        (json!({"password": 123_456_789_012_u64}), "/password"),
        (json!({"firstName": "  "}), "/firstName"),
        (json!({"firstName": "x".repeat(101)}), "/firstName"),
        (json!({"lastName": "Love\r\nBcc: all@example.com"}), "/lastName"),
        (json!({"lastName": {}}), "/lastName"),
    ] {
        assert_eq!(pointers(admin.post("/auth/register", with(change.clone())).await), [pointer], "{change}");
    }
    for field in ["email", "password", "role", "firstName", "lastName"] {
        let mut lacking = ada();
        lacking.as_object_mut().unwrap().remove(field);
        assert_eq!(pointers(admin.post("/auth/register", lacking).await), [format!("/{field}")]);
    }
    let all_wrong = json!({"email": "x", "password": "x", "role": "cso", "firstName": "", "lastName": ""});
    let mut found = pointers(admin.post("/auth/register", all_wrong).await);
    found.sort();
    assert_eq!(found, ["/email", "/firstName", "/lastName", "/password"]);
    assert_eq!(admin.get("/users").await.expect(200)["meta"]["total"], 1, "nobody was made");
}

fn ada() -> Value {
    json!({
        "email": "ada@example.com", "password": PASSWORD, "role": "manager",
        "firstName": "Ada", "lastName": "Lovelace",
    })
}

/// [`ada`] but for these fields.
fn with(change: Value) -> Value {
    let mut body = ada();
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}
