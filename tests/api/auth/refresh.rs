use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Session, fields, pointers, refreshed, refused, sign_in, try_refresh};
use crate::harness::{Engine, Reply, TestHub, on_both_engines, run_instances};

const EMAIL: &str = "ada@example.com";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_both_engines!(
    a_refresh_answers_with_a_new_pair_of_the_same_session,
    a_spent_token_used_again_ends_its_family_and_is_audited,
    fifty_refreshes_of_one_token_at_once_yield_one_successor,
    an_honest_retry_gets_the_same_successor_for_ten_seconds,
    another_key_or_a_successor_in_use_makes_a_retry_a_reuse,
    a_session_ends_after_seven_days_however_often_it_is_refreshed,
    a_made_up_token_is_refused_and_ends_nothing,
);

async fn a_refresh_answers_with_a_new_pair_of_the_same_session(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    let before = sign_in(hub, EMAIL).await;
    hub.clock.advance(Duration::from_secs(20 * 60));
    assert!(!before.lives().await, "its access token has expired");

    let reply = try_refresh(hub, &before.refresh).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    let answer = reply.expect(200);
    assert_eq!(fields(&answer), ["accessToken", "expiresIn", "refreshToken", "tokenType", "user"]);
    assert_eq!((&answer["tokenType"], &answer["expiresIn"]), (&json!("Bearer"), &json!(15 * 60)));
    assert_eq!(answer["user"]["email"], EMAIL);
    let after = Session::of(hub, &answer);
    assert_ne!(after.refresh, before.refresh);
    assert!(after.lives().await);

    // One session, so signing out of it with the new access token ends the new refresh token too.
    after.client.act("/auth/logout").await.expect(204);
    refused(try_refresh(hub, &after.refresh).await);
}

async fn a_spent_token_used_again_ends_its_family_and_is_audited(hub: &TestHub) {
    let manager = hub.manager().await;
    let user = hub.make_user(Role::Cso, EMAIL).await;
    let elsewhere = sign_in(hub, EMAIL).await;
    let first = sign_in(hub, EMAIL).await;
    let second = refreshed(hub, &first.refresh).await;
    hub.clock.advance(Duration::from_millis(1));

    refused(try_refresh(hub, &first.refresh).await);
    assert!(!second.lives().await, "the successor's access token");
    assert!(!first.lives().await, "the first access token");
    refused(try_refresh(hub, &second.refresh).await);
    assert!(elsewhere.lives().await, "another sign-in of the same user");
    try_refresh(hub, &elsewhere.refresh).await.expect(200);

    let reuse = reuses(&manager.get("/audit?entityType=session&limit=100").await.expect(200));
    assert_eq!(reuse.len(), 1, "{reuse:?}");
    assert_eq!(reuse[0]["actorId"], json!(user.id));
    assert!(reuse[0]["requestId"].is_string());
}

async fn fifty_refreshes_of_one_token_at_once_yield_one_successor(hub: &TestHub) {
    let manager = hub.manager().await;
    hub.make_user(Role::Cso, EMAIL).await;
    let session = sign_in(hub, EMAIL).await;
    let answers = join_all((0..50).map(|_| try_refresh(hub, &session.refresh))).await;
    // The clock stands still: every request arrived no later than the rotation, none is a re-use.
    let sessions: Vec<_> = answers.into_iter().map(|reply| Session::of(hub, &reply.expect(200))).collect();
    let successors: HashSet<_> = sessions.iter().map(|session| session.refresh.clone()).collect();
    assert_eq!(successors.len(), 1);
    assert!(!successors.contains(&session.refresh));
    for session in &sessions {
        assert!(session.lives().await);
    }
    let last = refreshed(hub, &sessions[0].refresh).await;
    assert!(last.lives().await);
    assert!(reuses(&manager.get("/audit?entityType=session&limit=100").await.expect(200)).is_empty());
}

#[test]
fn refreshes_of_one_token_on_two_instances_at_once_yield_one_successor() {
    run_instances(Engine::Full, 2, &[], |hubs| {
        Box::pin(async move {
            hubs[0].make_user(Role::Cso, EMAIL).await;
            let session = sign_in(&hubs[0], EMAIL).await;
            let answers = join_all((0..50).map(|turn| try_refresh(&hubs[turn % 2], &session.refresh))).await;
            let sessions: Vec<_> =
                answers.into_iter().map(|reply| Session::of(&hubs[0], &reply.expect(200))).collect();
            let successors: HashSet<_> = sessions.iter().map(|session| session.refresh.as_str()).collect();
            assert_eq!(successors.len(), 1);

            let last = refreshed(&hubs[1], &sessions[0].refresh).await;
            hubs[0].clock.advance(Duration::from_secs(1));
            refused(try_refresh(&hubs[0], &session.refresh).await);
            assert!(!last.lives().await);
            refused(try_refresh(&hubs[1], &last.refresh).await);
        })
    });
}

async fn an_honest_retry_gets_the_same_successor_for_ten_seconds(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    let first = sign_in(hub, EMAIL).await;
    let answer = refresh_with_key(hub, &first.refresh, "one and the same").await.expect(200);
    for _ in 0..2 {
        hub.clock.advance(Duration::from_secs(5));
        let again = refresh_with_key(hub, &first.refresh, "one and the same").await.expect(200);
        assert_eq!(again["refreshToken"], answer["refreshToken"]);
    }
    let second = refreshed(hub, answer["refreshToken"].as_str().unwrap()).await;
    assert!(second.lives().await);

    let answer = refresh_with_key(hub, &second.refresh, "the next").await.expect(200);
    let third = Session::of(hub, &answer);
    hub.clock.advance(Duration::from_secs(11));
    refused(refresh_with_key(hub, &second.refresh, "the next").await);
    assert!(!third.lives().await);
    refused(try_refresh(hub, &third.refresh).await);
}

async fn another_key_or_a_successor_in_use_makes_a_retry_a_reuse(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    for (key, retry_key) in [("one", "another"), ("one", ""), ("", "one"), ("", "")] {
        let first = sign_in(hub, EMAIL).await;
        let second = Session::of(hub, &refresh_with_key(hub, &first.refresh, key).await.expect(200));
        hub.clock.advance(Duration::from_secs(1));
        refused(refresh_with_key(hub, &first.refresh, retry_key).await);
        assert!(!second.lives().await, "{key:?}, then {retry_key:?}");
    }

    let first = sign_in(hub, EMAIL).await;
    let second = Session::of(hub, &refresh_with_key(hub, &first.refresh, "key").await.expect(200));
    hub.clock.advance(Duration::from_secs(1));
    let third = Session::of(hub, &refresh_with_key(hub, &second.refresh, "other key").await.expect(200));
    hub.clock.advance(Duration::from_secs(1));
    refused(refresh_with_key(hub, &first.refresh, "key").await);
    assert!(!third.lives().await);
    refused(try_refresh(hub, &third.refresh).await);
}

async fn a_session_ends_after_seven_days_however_often_it_is_refreshed(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    let mut session = sign_in(hub, EMAIL).await;
    for _ in 0..6 {
        hub.clock.advance(DAY);
        session = refreshed(hub, &session.refresh).await;
    }
    hub.clock.advance(DAY - Duration::from_secs(60));
    let last = refreshed(hub, &session.refresh).await;
    assert!(last.lives().await);
    hub.clock.advance(Duration::from_secs(60));
    assert!(!last.lives().await, "an access token does not outlive its session");
    refused(try_refresh(hub, &last.refresh).await);

    let idle = sign_in(hub, EMAIL).await;
    hub.clock.advance(7 * DAY);
    refused(try_refresh(hub, &idle.refresh).await);
}

async fn a_made_up_token_is_refused_and_ends_nothing(hub: &TestHub) {
    hub.make_user(Role::Cso, EMAIL).await;
    let session = sign_in(hub, EMAIL).await;
    let (other, token) = (sign_in(hub, EMAIL).await.refresh, session.refresh.as_str());
    let half = token.len() / 2;
    for made_up in [
        String::new(),
        "nxr_".to_owned(),
        token.to_uppercase(),
        token[..token.len() - 1].to_owned(),
        format!("{token}A"),
        format!(" {token}"),
        format!("{}{}", &token[..half], &other[half..]),
        token.replacen("nxr_", "", 1),
        "not a token \u{1F980}".to_owned(),
    ] {
        refused(try_refresh(hub, &made_up).await);
    }
    for (body, pointer) in [
        (json!({}), "/refreshToken"),
        (json!({"refreshToken": null}), "/refreshToken"),
        (json!({"refreshToken": [token]}), "/refreshToken"),
        (json!({"refreshToken": token, "userId": 1}), "/userId"),
    ] {
        assert_eq!(pointers(hub.anonymous().post("/auth/refresh", body).await), [pointer]);
    }
    assert!(session.lives().await);
    try_refresh(hub, token).await.expect(200);
}

/// An empty key is none.
async fn refresh_with_key(hub: &TestHub, token: &str, key: &str) -> Reply {
    let headers = [("idempotency-key", key)];
    let headers = if key.is_empty() { &[][..] } else { &headers[..] };
    hub.anonymous().send(Method::POST, "/auth/refresh", Some(json!({"refreshToken": token})), headers).await
}

fn reuses(audit: &Value) -> Vec<Value> {
    let entries = audit["data"].as_array().unwrap().iter();
    entries.filter(|entry| entry["action"] == "session.reuse_detected").cloned().collect()
}
