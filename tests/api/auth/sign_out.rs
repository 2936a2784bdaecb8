use std::cell::{Cell, RefCell};

use futures_util::future::{join, join_all};
use nexus_actors::domain::user::{Role, User};
use serde_json::json;

use super::{Session, pointers, refreshed, refused, sign_in, try_refresh, try_sign_in};
use crate::harness::{PASSWORD, Reply, TestHub, on_both_engines};

const EMAIL: &str = "ada@example.com";
const NEW_PASSWORD: &str = "eleven quiet herons wade home";

on_both_engines!(
    signing_out_ends_the_session_of_the_token_presented_and_no_other,
    signing_out_everywhere_ends_every_session_of_the_user_and_of_nobody_else,
    a_sign_out_that_is_refused_ends_nothing,
    deactivating_a_user_ends_their_sessions_at_once,
    a_change_of_role_ends_the_sessions_that_had_the_old_one,
    a_new_password_ends_the_other_sessions,
    other_changes_of_a_user_end_no_session,
    no_sign_in_with_the_old_password_outlives_a_race_with_its_change,
    no_sign_in_outlives_a_race_with_a_deactivation,
);

async fn signing_out_ends_the_session_of_the_token_presented_and_no_other(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    let (here, elsewhere) = (sign_in(hub, EMAIL).await, sign_in(hub, EMAIL).await);
    // A session goes on under every access token it ever had.
    let later = refreshed(hub, &here.refresh).await;
    let reply = later.client.post("/auth/logout", json!({})).await;
    assert_eq!((reply.header("cache-control"), reply.text.as_str()), ("no-store", ""));
    reply.expect(204);

    ended(hub, &later).await;
    assert!(!here.lives().await, "the access token before the last refresh");
    refused(later.client.act("/auth/logout").await);
    lives_on(hub, &elsewhere).await;
}

async fn signing_out_everywhere_ends_every_session_of_the_user_and_of_nobody_else(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    hub.make_user(Role::Cso, "grace@example.com").await;
    let hers = [sign_in(hub, EMAIL).await, sign_in(hub, EMAIL).await, sign_in(hub, EMAIL).await];
    let another = sign_in(hub, "grace@example.com").await;
    hers[1].client.post("/auth/logout", json!({"all": true})).await.expect(204);
    for session in &hers {
        ended(hub, session).await;
    }
    lives_on(hub, &another).await;
    assert!(sign_in(hub, EMAIL).await.lives().await, "she may sign in again");
}

async fn a_sign_out_that_is_refused_ends_nothing(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    let session = sign_in(hub, EMAIL).await;
    for (body, pointer) in [
        (json!({"everywhere": true}), "/everywhere"),
        (json!({"all": "yes"}), "/all"),
        (json!({"all": null}), "/all"),
    ] {
        assert_eq!(pointers(session.client.post("/auth/logout", body).await), [pointer]);
    }
    refused(hub.anonymous().post("/auth/logout", json!({"all": true})).await);
    lives_on(hub, &session).await;
}

async fn deactivating_a_user_ends_their_sessions_at_once(hub: &TestHub) {
    let admin = hub.admin().await;
    let user = hub.make_user(Role::Cso, EMAIL).await;
    let sessions = [sign_in(hub, EMAIL).await, sign_in(hub, EMAIL).await];
    assert!(sessions[0].lives().await);
    admin.patch(&user_path(&user), json!({"isActive": false})).await.expect(200);
    for session in &sessions {
        ended(hub, session).await;
    }
    refused(try_sign_in(hub, EMAIL, PASSWORD).await);

    admin.patch(&user_path(&user), json!({"isActive": true})).await.expect(200);
    for session in &sessions {
        ended(hub, session).await;
    }
    assert!(sign_in(hub, EMAIL).await.lives().await, "once active again, a new sign-in");
    assert!(admin.get("/auth/profile").await.status == 200, "the admin's own session");
}

async fn a_change_of_role_ends_the_sessions_that_had_the_old_one(hub: &TestHub) {
    let admin = hub.admin().await;
    let user = hub.make_user(Role::Manager, EMAIL).await;
    let session = sign_in(hub, EMAIL).await;
    session.client.get("/users").await.expect(200);
    admin.patch(&user_path(&user), json!({"role": "cso"})).await.expect(200);
    ended(hub, &session).await;

    let session = sign_in(hub, EMAIL).await;
    assert_eq!(session.client.get("/auth/profile").await.expect(200)["role"], "cso");
    session.client.get("/users").await.expect(403);
}

async fn a_new_password_ends_the_other_sessions(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    let (here, elsewhere) = (sign_in(hub, EMAIL).await, sign_in(hub, EMAIL).await);
    let change = json!({"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD});
    here.client.put("/auth/profile", change).await.expect(200);
    ended(hub, &elsewhere).await;
    lives_on(hub, &here).await;
    refused(try_sign_in(hub, EMAIL, PASSWORD).await);
    try_sign_in(hub, EMAIL, NEW_PASSWORD).await.expect(200);
}

async fn other_changes_of_a_user_end_no_session(hub: &TestHub) {
    let admin = hub.admin().await;
    let user = hub.make_user(Role::Cso, EMAIL).await;
    let session = sign_in(hub, EMAIL).await;
    let change = json!({
        "role": "cso", "isActive": true, "firstName": "Augusta", "availability": "away", "maxOpenInquiries": 3,
    });
    admin.patch(&user_path(&user), change).await.expect(200);
    session.client.put("/auth/profile", json!({"lastName": "King"})).await.expect(200);
    lives_on(hub, &session).await;
}

async fn no_sign_in_with_the_old_password_outlives_a_race_with_its_change(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    let here = sign_in(hub, EMAIL).await;
    let change = json!({"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD});
    let raced = sign_ins_during(hub, here.client.put("/auth/profile", change)).await;
    for session in &raced {
        ended(hub, session).await;
    }
    lives_on(hub, &here).await;
}

async fn no_sign_in_outlives_a_race_with_a_deactivation(hub: &TestHub) {
    let admin = hub.admin().await;
    let user = hub.make_user(Role::Cso, EMAIL).await;
    let path = user_path(&user);
    let raced = sign_ins_during(hub, admin.patch(&path, json!({"isActive": false}))).await;
    admin.patch(&path, json!({"isActive": true})).await.expect(200);
    for session in &raced {
        ended(hub, session).await;
    }
}

/// Signs in over and over, from several clients, until `change` has been answered; answers with the sessions that
/// came of it.
async fn sign_ins_during(hub: &TestHub, change: impl Future<Output = Reply>) -> Vec<Session> {
    let (changed, sessions) = (Cell::new(false), RefCell::new(Vec::new()));
    let clients = (0..8).map(|_| async {
        while !changed.get() {
            let reply = try_sign_in(hub, EMAIL, PASSWORD).await;
            if reply.status == 200 {
                sessions.borrow_mut().push(Session::of(hub, &reply.json()));
            } else {
                refused(reply);
            }
        }
    });
    let change = async {
        change.await.expect(200);
        changed.set(true);
    };
    join(join_all(clients), change).await;
    sessions.into_inner()
}

async fn ended(hub: &TestHub, session: &Session) {
    assert!(!session.lives().await, "the access token");
    refused(try_refresh(hub, &session.refresh).await);
}

/// Spends its refresh token.
async fn lives_on(hub: &TestHub, session: &Session) {
    assert!(session.lives().await);
    assert!(refreshed(hub, &session.refresh).await.lives().await);
}

fn user_path(user: &User) -> String {
    format!("/users/{}", user.id)
}
