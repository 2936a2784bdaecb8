use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use futures_util::future::join_all;
use nexus_actors::domain::user::{NewUser, Role};
use nexus_actors::store::users::GetCredentials;
use nexus_actors::user_desk::CreateUser;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Session, USER_FIELDS, fields, pointers, refused, try_sign_in};
use crate::harness::{PASSWORD, Reply, TestHub, on_both_engines, path, reply};

on_both_engines!(
    a_sign_in_answers_with_a_pair_of_tokens_and_the_user_and_with_no_secret,
    the_case_of_an_email_does_not_matter_and_that_of_a_password_does,
    unknown_email_wrong_password_and_inactive_user_cannot_be_told_apart,
    an_email_with_a_nul_is_nobodys,
    a_hash_of_older_make_is_replaced_by_a_sign_in_however_many_there_are_at_once,
    what_is_no_sign_in_is_refused_for_what_is_wrong_with_it,
);

async fn a_sign_in_answers_with_a_pair_of_tokens_and_the_user_and_with_no_secret(hub: &TestHub) {
    let user = hub.make_user(Role::Cso, "ada@example.com").await;
    let reply = try_sign_in(hub, "ada@example.com", PASSWORD).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    let text = reply.text.to_lowercase();
    for secret in ["password", "hash", "argon2", PASSWORD] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    let answer = reply.expect(200);
    assert_eq!(fields(&answer), ["accessToken", "expiresIn", "refreshToken", "tokenType", "user"]);
    assert_eq!((&answer["tokenType"], &answer["expiresIn"]), (&json!("Bearer"), &json!(15 * 60)));
    assert_eq!(fields(&answer["user"]), USER_FIELDS);
    assert_eq!(answer["user"], serde_json::to_value(&user).unwrap());
    assert!(answer["refreshToken"].as_str().unwrap().starts_with("nxr_"));

    let profile = Session::of(hub, &answer).client.get("/auth/profile").await.expect(200);
    assert_eq!(profile, answer["user"]);
    let again = try_sign_in(hub, "ada@example.com", PASSWORD).await.expect(200);
    assert_ne!(again["refreshToken"], answer["refreshToken"]);
    assert_ne!(again["accessToken"], answer["accessToken"]);
}

async fn the_case_of_an_email_does_not_matter_and_that_of_a_password_does(hub: &TestHub) {
    hub.make_user(Role::Cso, "Ada.Lovelace@Example.com").await;
    for email in ["ada.lovelace@example.com", "ADA.LOVELACE@EXAMPLE.COM", "Ada.Lovelace@Example.com"] {
        let answer = try_sign_in(hub, email, PASSWORD).await.expect(200);
        assert_eq!(answer["user"]["email"], "Ada.Lovelace@Example.com");
    }
    refused(try_sign_in(hub, "ada.lovelace@example.com", &PASSWORD.to_uppercase()).await);
}

async fn unknown_email_wrong_password_and_inactive_user_cannot_be_told_apart(hub: &TestHub) {
    let admin = hub.admin().await;
    hub.make_user(Role::Cso, "active@example.com").await;
    let inactive = hub.make_user(Role::Cso, "inactive@example.com").await;
    let inactive = path("users", &serde_json::to_value(&inactive).unwrap());
    admin.patch(&inactive, json!({"isActive": false})).await.expect(200);

    let wrong = signature(try_sign_in(hub, "active@example.com", "not the password at all").await);
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        ("inactive@example.com", PASSWORD),
        ("inactive@example.com", "not the password at all"),
        ("active@example.com", ""),
        ("active@example.com", &"long ".repeat(2_000)),
        ("active@example.com", "nul \0 inside of it"),
        ("no address", PASSWORD),
        ("", ""),
    ] {
        let other = signature(try_sign_in(hub, email, password).await);
        assert_eq!(other, wrong, "{email:?} {password:?}");
    }
    try_sign_in(hub, "active@example.com", PASSWORD).await.expect(200);
}

async fn an_email_with_a_nul_is_nobodys(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for email in ["ada\0@example.com", "\0ada@example.com", "ada@example.com\0", "\0"] {
        refused(try_sign_in(hub, email, PASSWORD).await);
    }
}

async fn a_hash_of_older_make_is_replaced_by_a_sign_in_however_many_there_are_at_once(hub: &TestHub) {
    let older = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8_192, 1, 1, None).unwrap());
    let older = older.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let user = NewUser {
        email: "ada@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        role: Role::Cso,
        first_name: "Ada".to_owned(),
        last_name: "Lovelace".to_owned(),
    };
    let desk = &hub.app.hub.user_desk;
    let user = desk.ask(CreateUser { caller: None, user, password_hash: older.clone() }).await.unwrap();
    let stored = async || {
        let found = hub.app.hub.users.ask(GetCredentials(user.id)).await.unwrap();
        found.unwrap().password_hash
    };

    refused(try_sign_in(hub, "ada@example.com", "not the password at all").await);
    assert_eq!(stored().await, older, "only the right password can be hashed anew");
    let at_once = (0..8).map(|_| try_sign_in(hub, "ada@example.com", PASSWORD));
    for reply in join_all(at_once).await {
        assert!(Session::of(hub, &reply.expect(200)).lives().await);
    }
    let replaced = stored().await;
    assert!(replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{replaced}");
    try_sign_in(hub, "ada@example.com", PASSWORD).await.expect(200);
    assert_eq!(stored().await, replaced, "today's hash stays");
}

async fn what_is_no_sign_in_is_refused_for_what_is_wrong_with_it(hub: &TestHub) {
    let anyone = hub.anonymous();
    for (body, pointer) in [
        (json!({"email": "ada@example.com"}), "/password"),
        (json!({"password": PASSWORD}), "/email"),
        (json!({"email": 7, "password": PASSWORD}), "/email"),
        (json!({"email": "ada@example.com", "password": null}), "/password"),
        (json!({"email": "ada@example.com", "password": PASSWORD, "role": "admin"}), "/role"),
        (json!([]), ""),
    ] {
        let found = pointers(anyone.post("/auth/login", body.clone()).await);
        assert!(found.iter().any(|found| found == pointer), "{body}: {found:?}");
    }
    let raw = |content_type: &'static str, body: &'static str| {
        reply(anyone.raw(Method::POST, "/auth/login").header("content-type", content_type).body(body))
    };
    raw("application/json", "{\"email\": ").await.expect(400);
    raw("application/json", "").await.expect(400);
    raw("text/plain", "{}").await.expect(415);
    let get = anyone.get("/auth/login").await;
    assert_eq!(get.header("allow"), "POST");
    get.expect(405);
}

/// Everything of a refusal that may tell anything, and nothing that differs between any two answers.
fn signature(reply: Reply) -> (Value, Vec<(String, String)>) {
    const OF_EACH_REQUEST: [&str; 5] =
        ["x-request-id", "date", "ratelimit-remaining", "ratelimit-reset", "content-length"];
    let mut headers: Vec<_> = reply
        .headers
        .iter()
        .filter(|(name, _)| !OF_EACH_REQUEST.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let mut body = refused(reply);
    assert!(body["requestId"].take().is_string());
    (body, headers)
}
