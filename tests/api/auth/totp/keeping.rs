//! What is kept of second factors, and what is told of them.

use super::*;
use crate::behind::rows;
use crate::harness::Place;

on_both_engines!(what_happens_is_in_the_audit_trail_and_no_secret_of_it, what_is_kept_makes_no_codes,);

async fn what_happens_is_in_the_audit_trail_and_no_secret_of_it(hub: &TestHub) {
    let (ada, app, codes) = ada(hub).await;
    let secret = app.0.secret().to_base32();
    let admin = hub.admin().await;
    let next = app.shows(hub, 1);
    try_with(hub, "ada@example.com", &next).await.expect(200);
    try_with(hub, "ada@example.com", &codes[0]).await.expect(200);
    let proof = json!({"currentPassword": PASSWORD, "code": codes[1]});
    let renewed = recovery_codes(&ada.post("/auth/totp/recovery-codes", proof).await.expect(200));
    let proof = json!({"currentPassword": PASSWORD, "code": renewed[0]});
    ada.post("/auth/totp/disable", proof).await.expect(200);
    enrol(hub, &ada).await;
    admin.delete(&format!("/users/{}/totp", ada.id)).await.expect(204);

    let trail = admin.get("/audit?limit=100&sortOrder=asc").await;
    for told in [&secret, &next, &codes[0], &codes[1], &renewed[0]] {
        assert!(!trail.text.contains(told.as_str()), "{told} in {}", trail.text);
        assert!(!trail.text.contains(&told.replace('-', "")), "{told} in {}", trail.text);
    }
    let trail = trail.expect(200);
    let of_ada = |entry: &&Value| entry["entityId"] == json!(ada.id);
    let entries: Vec<_> = trail["data"].as_array().unwrap().iter().filter(of_ada).collect();
    let (on, off) = (json!({"from": false, "to": true}), json!({"from": true, "to": false}));
    let expected = [
        ("user.totp_started", ada.id, Value::Null),
        ("user.totp_enabled", ada.id, on.clone()),
        ("user.recovery_codes_replaced", ada.id, Value::Null),
        ("user.totp_disabled", ada.id, off.clone()),
        ("user.totp_started", ada.id, Value::Null),
        ("user.totp_enabled", ada.id, on),
        ("user.totp_disabled", admin.id, off),
    ];
    assert_eq!(entries.len(), 1 + expected.len(), "{entries:#?}");
    for (entry, (action, actor, change)) in entries[1..].iter().zip(expected) {
        assert_eq!((&entry["action"], &entry["actorId"]), (&json!(action), &json!(actor)));
        assert_eq!(entry["changes"]["totpEnabled"], change, "{action}");
        assert!(entry["requestId"].is_string());
    }
    let begun = |entry: &&Value| entry["action"] == "session.started" && entry["actorId"] == json!(ada.id);
    let begun = trail["data"].as_array().unwrap().iter().filter(begun);
    let with: Vec<_> = begun.map(|entry| &entry["changes"]["secondFactor"]["to"]).collect();
    assert_eq!(with, [&Value::Null, &json!("totp"), &json!("recovery_code")]);
}

async fn what_is_kept_makes_no_codes(hub: &TestHub) {
    let (ada, app, codes) = ada(hub).await;
    begin(&ada, Some(&codes[0])).await.expect(200);
    let kept: Vec<(String, String)> = rows(hub, "select secret, pending from user_totp").await;
    let hashes: Vec<(String,)> = rows(hub, "select code_hash from recovery_codes").await;
    assert_eq!((kept.len(), hashes.len()), (1, 9));
    // A nonce, 20 bytes and a tag, in base64; SHA-256 in hex.
    assert_eq!((kept[0].0.len(), kept[0].1.len()), (64, 64));
    assert!(hashes.iter().all(|(hash,)| hash.len() == 64));
    let all = format!("{kept:?}{hashes:?}").to_lowercase();
    for told in codes.iter().cloned().chain([app.0.secret().to_base32()]) {
        assert!(!all.contains(&told.to_lowercase().replace('-', "")), "{told} in {all}");
    }
}

/// Of the settings by which secrets are sealed.
fn with_key<'a>(key: &'a str, previous: &'a str) -> [(&'a str, &'a str); 2] {
    [("NEXUS__AUTH__TOTP_KEY", key), ("NEXUS__AUTH__PREVIOUS_TOTP_KEY", previous)]
}

fn on_a_place(engine: Engine, test: impl AsyncFnOnce(&Place)) {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(engine).await;
        test(&place).await;
        place.remove().await;
    });
}

#[test]
fn a_key_can_be_changed() {
    for engine in [Engine::Embedded, Engine::Full] {
        on_a_place(engine, async |place| {
            let hub = TestHub::start(place, &[]).await;
            let (_, app, codes) = ada(&hub).await;
            hub.stop().await;
            // Without it nobody gets in who takes a code, nor is told why.
            let hub = TestHub::start(place, &with_key("another key", "")).await;
            let lost = try_with(&hub, "ada@example.com", &app.shows(&hub, 1)).await;
            assert!(!lost.problem(500).to_string().contains("key"), "{}", lost.text);
            hub.make_user(Role::Cso, "grace@example.com").await;
            try_sign_in(&hub, "grace@example.com", PASSWORD).await.expect(200);
            hub.stop().await;
            // The one before was that of refresh tokens.
            let refresh = "development-only-refresh-secret-change-me";
            let hub = TestHub::start(place, &with_key("another key", refresh)).await;
            try_with(&hub, "ada@example.com", &app.shows(&hub, 1)).await.expect(200);
            hub.stop().await;
            let hub = TestHub::start(place, &with_key("another key", "")).await;
            try_with(&hub, "ada@example.com", &app.shows_next(&hub).await).await.problem(401);
            try_with(&hub, "ada@example.com", &app.shows(&hub, 1)).await.expect(200);
            try_with(&hub, "ada@example.com", &codes[0]).await.expect(200);
            hub.stop().await;
        });
    }
}

/// The session and its ticket are from the time when the role took none.
#[test]
fn a_ticket_does_not_get_around_a_second_factor_that_is_required_now() {
    for engine in [Engine::Embedded, Engine::Full] {
        on_a_place(engine, async |place| {
            let hub = TestHub::start(place, &[]).await;
            let manager = hub.manager().await;
            let mut tickets = Vec::new();
            for _ in 0..2 {
                let ticket = manager.act("/auth/ticket").await.expect(200);
                tickets.push(ticket["ticket"].as_str().unwrap().to_owned());
            }
            hub.stop().await;
            let required = [("NEXUS__AUTH__TOTP_REQUIRED_FOR", "manager")];
            let hub = TestHub::start(place, &required).await;
            for (path, ticket) in ["/events", "/ws"].into_iter().zip(tickets) {
                let problem = hub.anonymous().get(&format!("{path}?ticket={ticket}")).await.problem(403);
                assert_eq!(problem["type"], "urn:nexus-hub:problem:second-factor-enrolment-required");
            }
            let manager = hub.anonymous().with_token(manager.token.as_ref().unwrap());
            manager.get("/auth/profile").await.expect(200);
            manager.get("/customers").await.problem(403);
            hub.stop().await;
        });
    }
}
