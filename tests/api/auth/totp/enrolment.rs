//! Roles whose work takes a second factor.

use super::*;
use crate::document::operations;

const REQUIRED: &[(&str, &str)] = &[("NEXUS__AUTH__TOTP_REQUIRED_FOR", "manager, admin")];

/// What is open to whoever has to set one up.
const OPEN: &[&str] = &[
    "GET /api/v1/auth/profile",
    "GET /api/v1/auth/totp",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/totp",
    "POST /api/v1/auth/totp/confirm",
    "PUT /api/v1/auth/profile",
];

on_both_engines!(with REQUIRED;
    without_a_second_factor_a_session_sets_one_up_and_does_nothing_else,
    who_has_one_works_and_does_not_take_it_off,
);

/// The problem of everything else.
#[track_caller]
fn first_set_up(reply: Reply) {
    let problem = reply.problem(403);
    assert_eq!(problem["type"], "urn:nexus-hub:problem:second-factor-enrolment-required", "{problem}");
}

async fn without_a_second_factor_a_session_sets_one_up_and_does_nothing_else(hub: &TestHub) {
    let (cso, manager) = (hub.cso().await, hub.manager().await);
    let mut open = Vec::new();
    for operation in operations().into_iter().filter(|operation| !operation.is_open()) {
        let name = format!("{} {}", operation.method, operation.path);
        if OPEN.contains(&name.as_str()) {
            open.push(name);
            continue;
        }
        let path = operation.path_with(&cso.id.to_string());
        for body in [None, Some(json!({"nonsense": true}))] {
            let key = [("idempotency-key", "once")];
            first_set_up(manager.send(operation.method.clone(), &path, body, &key).await);
        }
    }
    open.sort();
    assert_eq!(open, OPEN);
    first_set_up(manager.get("/events").await);

    assert_eq!(state(&manager).await, json!({"enabled": false, "required": true, "recoveryCodesLeft": 0}));
    manager.put("/auth/profile", json!({"firstName": "Miriam"})).await.expect(200);
    let (app, _) = enrol(hub, &manager).await;
    // The same session is free.
    manager.get("/users").await.expect(200);
    code_needed(try_sign_in(hub, &manager.email, PASSWORD).await);
    let answer = try_with(hub, &manager.email, &app.shows_next(hub).await).await.expect(200);
    assert!(Session::of(hub, &answer).lives().await);
    // Whoever is asked for none does without.
    cso.get("/customers").await.expect(200);
    hub.manager().await.post("/auth/logout", json!({})).await.expect(204);
}

async fn who_has_one_works_and_does_not_take_it_off(hub: &TestHub) {
    let admin = hub.admin().await;
    let (app, codes) = enrol(hub, &admin).await;
    let proof = json!({"currentPassword": PASSWORD, "code": app.shows(hub, 1)});
    admin.post("/auth/totp/disable", proof).await.problem(409);
    // It was not spent in vain.
    let new = begin(&admin, Some(&app.shows(hub, 1))).await.expect(200);
    confirm(&admin, &App::scanning(&new).shows(hub, 0)).await.expect(200);
    code_needed(try_with(hub, &admin.email, &codes[0]).await);

    // Promoted, somebody has to set one up first.
    let cso = hub.cso().await;
    admin.patch(&format!("/users/{}", cso.id), json!({"role": "manager"})).await.expect(200);
    let promoted = hub.sign_in(&cso.email, PASSWORD).await;
    first_set_up(promoted.get("/customers").await);
    enrol(hub, &promoted).await;
    promoted.get("/customers").await.expect(200);
    // So has who has lost it.
    admin.delete(&format!("/users/{}/totp", cso.id)).await.expect(204);
    let bereft = hub.sign_in(&cso.email, PASSWORD).await;
    first_set_up(bereft.get("/customers").await);
}
