use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use nexus_actors::domain::user::Role;
use serde_json::{Value, json};

use super::{refused, sign_in, try_refresh};
use crate::harness::{Client, Engine, PASSWORD, Place, TestHub, on_both_engines, reply};

const SECRET: &str = "an access secret that is only for tests";
const OTHER_SECRET: &str = "another secret that is only for tests, too";
const WITH_SECRET: &[(&str, &str)] = &[("JWT_SECRET", SECRET)];

on_both_engines!(
    an_access_token_holds_for_fifteen_minutes_and_the_leeway,
    a_refresh_token_is_no_access_token_nor_the_reverse,
    only_a_bearer_token_signs_a_request,
);

on_both_engines!(with WITH_SECRET;
    a_token_that_was_tampered_with_is_refused,
    no_other_algorithm_and_no_key_brought_along_is_accepted,
    every_claim_is_required_and_judged,
);

async fn an_access_token_holds_for_fifteen_minutes_and_the_leeway(hub: &TestHub) {
    let user = hub.cso().await;
    hub.clock.advance(Duration::from_secs(15 * 60 + 4));
    user.get("/auth/profile").await.expect(200);
    hub.clock.advance(Duration::from_secs(2));
    refused(user.get("/auth/profile").await);
    refused(user.get("/customers").await);
    refused(user.post("/auth/logout", json!({})).await);
    hub.sign_in(&user.email, PASSWORD).await.get("/auth/profile").await.expect(200);
}

async fn a_refresh_token_is_no_access_token_nor_the_reverse(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    let session = sign_in(hub, "ada@example.com").await;
    refused(session.client.with_token(&session.refresh).get("/auth/profile").await);
    refused(try_refresh(hub, session.client.token.as_ref().unwrap()).await);
    assert!(session.lives().await, "neither mistake ends the session");
    try_refresh(hub, &session.refresh).await.expect(200);
}

async fn only_a_bearer_token_signs_a_request(hub: &TestHub) {
    let user = hub.cso().await;
    let token = user.token.clone().unwrap();
    let anyone = hub.anonymous();
    let with = |value: String| {
        reply(anyone.raw(reqwest::Method::GET, "/auth/profile").header("authorization", value))
    };
    for scheme in ["Bearer", "bearer", "BEARER"] {
        with(format!("{scheme} {token}")).await.expect(200);
    }
    for value in [
        token.clone(),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token}."),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        String::new(),
    ] {
        refused(with(value).await);
    }
    refused(anyone.get(&format!("/auth/profile?access_token={token}")).await);
    refused(anyone.get("/auth/profile").await);
}

async fn a_token_that_was_tampered_with_is_refused(hub: &TestHub) {
    let user = hub.cso().await;
    let token = user.token.clone().unwrap();
    let (header, claims) = (header_of(&token), claims_of(&token));
    accepted(&user, &sign(&header, &claims, SECRET)).await;

    let parts: Vec<&str> = token.split('.').collect();
    let admin = URL_SAFE_NO_PAD.encode(changed(&claims, "role", json!("admin")).to_string());
    let tampered = [
        format!("{}.{admin}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], flipped(parts[2])),
        format!("{}.{}.{}", flipped(parts[0]), parts[1], parts[2]),
        format!("{token}.{}", parts[2]),
        "a.b.c".to_owned(),
        sign(&header, &claims, OTHER_SECRET),
        sign(&header, &claims, ""),
    ];
    for forged in tampered {
        refused(user.with_token(&forged).get("/auth/profile").await);
    }
    // Only the session and the user it belongs to count, not what a token says of the role.
    let posing = sign(&header, &changed(&claims, "role", json!("admin")), SECRET);
    user.with_token(&posing).get("/users").await.expect(403);
}

async fn no_other_algorithm_and_no_key_brought_along_is_accepted(hub: &TestHub) {
    let user = hub.cso().await;
    let token = user.token.clone().unwrap();
    let (header, claims) = (header_of(&token), claims_of(&token));
    for none in ["none", "None", "NONE", "nOnE"] {
        let head = json!({"alg": none, "typ": "at+jwt", "kid": header.kid});
        for signature in ["", token.rsplit('.').next().unwrap()] {
            let forged = format!("{}.{}.{signature}", encoded(&head), encoded(&claims));
            refused(user.with_token(&forged).get("/auth/profile").await);
        }
    }
    let mut headers = Vec::new();
    for alg in [Algorithm::HS384, Algorithm::HS512] {
        headers.push(Header { alg, ..header.clone() });
    }
    let url = Some("https://attacker.example/keys".to_owned());
    headers.push(Header { jku: url.clone(), ..header.clone() });
    headers.push(Header { x5u: url, ..header.clone() });
    headers.push(Header { kid: None, ..header.clone() });
    headers.push(Header { kid: Some("0000000000000000".to_owned()), ..header.clone() });
    headers.push(Header { typ: Some("JWT".to_owned()), ..header.clone() });
    headers.push(Header { typ: None, ..header.clone() });
    for header in headers {
        let forged = sign(&header, &claims, SECRET);
        let answer = user.with_token(&forged).get("/auth/profile").await;
        assert_eq!(answer.status, 401, "{header:?}");
    }
    accepted(&user, &sign(&header, &claims, SECRET)).await;
}

async fn every_claim_is_required_and_judged(hub: &TestHub) {
    let user = hub.cso().await;
    let other = hub.cso().await;
    let token = user.token.clone().unwrap();
    let (header, claims) = (header_of(&token), claims_of(&token));
    for claim in ["exp", "iat", "iss", "aud", "sub", "jti", "typ", "sid"] {
        let mut lacking = claims.clone();
        assert!(lacking.as_object_mut().unwrap().remove(claim).is_some(), "a token has {claim}");
        let answer = user.with_token(&sign(&header, &lacking, SECRET)).get("/auth/profile").await;
        assert_eq!(answer.status, 401, "without {claim}");
    }
    let later = claims["exp"].as_i64().unwrap() + 60;
    for (claim, value) in [
        ("iss", json!("someone-else")),
        ("aud", json!("another-api")),
        ("typ", json!("refresh")),
        ("exp", json!("never")),
        ("exp", json!(claims["iat"].as_i64().unwrap() - 60)),
        ("nbf", json!(later)),
        ("iat", json!(later)),
        ("sub", json!(other.id)),
        ("sub", json!("nobody")),
        ("sid", json!(other.id)),
    ] {
        let forged = sign(&header, &changed(&claims, claim, value.clone()), SECRET);
        let answer = user.with_token(&forged).get("/auth/profile").await;
        assert_eq!(answer.status, 401, "{claim} = {value}");
    }
    accepted(&user, &sign(&header, &claims, SECRET)).await;
}

#[test]
fn tokens_of_the_secret_before_hold_until_it_is_taken_away() {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(Engine::Embedded).await;
        let hub = TestHub::start(&place, &[("JWT_SECRET", SECRET)]).await;
        let user = hub.cso().await;
        hub.stop().await;

        let rotating = [("JWT_SECRET", OTHER_SECRET), ("NEXUS__AUTH__PREVIOUS_JWT_SECRET", SECRET)];
        let hub = TestHub::start(&place, &rotating).await;
        accepted(&hub.anonymous(), user.token.as_ref().unwrap()).await;
        let fresh = hub.sign_in(&user.email, PASSWORD).await;
        hub.stop().await;

        let hub = TestHub::start(&place, &[("JWT_SECRET", OTHER_SECRET)]).await;
        refused(hub.anonymous().with_token(user.token.as_ref().unwrap()).get("/auth/profile").await);
        accepted(&hub.anonymous(), fresh.token.as_ref().unwrap()).await;
        hub.stop().await;
        place.remove().await;
    });
}

/// So that what is refused around it is refused for the one thing that is wrong with it.
async fn accepted(client: &Client, token: &str) {
    client.with_token(token).get("/auth/profile").await.expect(200);
}

fn sign(header: &Header, claims: &Value, secret: &str) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn header_of(token: &str) -> Header {
    jsonwebtoken::decode_header(token).unwrap()
}

fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn changed(claims: &Value, claim: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[claim] = value;
    claims
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// With one bit of its first byte turned over.
fn flipped(part: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
    bytes[0] ^= 1;
    URL_SAFE_NO_PAD.encode(bytes)
}
