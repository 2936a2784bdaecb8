//! Sign-ins that fail: guessing gets slow, and nobody who is signed in is bothered by it.

use std::time::Duration;

use futures_util::future::join_all;
use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::json;

use super::{refreshed, refused, sign_in};
use crate::harness::{Engine, PASSWORD, Reply, TestHub, on_both_engines, run_instances};

const FIVE: (&str, &str) = ("NEXUS__RATE_LIMIT__LOGIN_FAILURES", "5");
const TWENTY: (&str, &str) = ("NEXUS__RATE_LIMIT__LOGIN_FAILURES_BY_ADDRESS", "20");
const PROXY: (&str, &str) = ("NEXUS__HTTP__TRUSTED_PROXIES", "127.0.0.1");

const BY_EMAIL: &[(&str, &str)] = &[FIVE, PROXY];
const BY_BOTH: &[(&str, &str)] = &[FIVE, TWENTY, PROXY];

on_both_engines!(with BY_EMAIL;
    after_five_failures_each_one_makes_the_next_wait_and_longer_each_time,
    an_email_that_is_nobodys_waits_alike,
    a_success_forgets_the_failures,
    guesses_at_once_get_no_further_than_one_by_one,
    a_user_who_is_signed_in_is_not_locked_out,
    what_is_no_failure_does_not_count,
);

on_both_engines!(with BY_BOTH;
    an_address_may_fail_twenty_times_in_fifteen_minutes,
    sign_ins_that_succeed_are_no_failures_of_their_address,
);

async fn after_five_failures_each_one_makes_the_next_wait_and_longer_each_time(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for number in 0..5 {
        refused(try_from(hub, number, "ada@example.com", "is it this one?").await);
    }
    for wait in [30, 60, 120, 240, 480, 900, 900] {
        // From wherever, however it is written, and with the right password, too.
        assert_eq!(too_many(try_from(hub, 9, " ADA@example.com", PASSWORD).await), wait);
        hub.clock.advance(Duration::from_secs(wait - 1));
        assert_eq!(too_many(try_from(hub, 9, "ada@example.com", PASSWORD).await), 1);
        hub.clock.advance(Duration::from_secs(1));
        refused(try_from(hub, 9, "ada@example.com", "or this one?").await);
    }
    hub.clock.advance(Duration::from_secs(900));
    try_from(hub, 9, "ada@example.com", PASSWORD).await.expect(200);
}

async fn an_email_that_is_nobodys_waits_alike(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for number in 0..5 {
        for email in ["ada@example.com", "nobody@example.com"] {
            refused(try_from(hub, number, email, "is it this one?").await);
        }
    }
    let [mut ada, mut nobody] = [
        try_from(hub, 9, "ada@example.com", "or this?").await,
        try_from(hub, 9, "nobody@example.com", "or this?").await,
    ]
    .map(|reply| reply.problem(429));
    for problem in [&mut ada, &mut nobody] {
        problem["requestId"].take();
    }
    assert_eq!(ada, nobody);
}

async fn a_success_forgets_the_failures(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for _ in 0..3 {
        for number in 0..4 {
            refused(try_from(hub, number, "ada@example.com", "is it this one?").await);
        }
        try_from(hub, 9, "ada@example.com", PASSWORD).await.expect(200);
    }
}

async fn guesses_at_once_get_no_further_than_one_by_one(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    let guesses = (0..20).map(|number| try_from(hub, number, "ada@example.com", "is it this one?"));
    let answers = join_all(guesses).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(401), count(429)), (5, 15));
}

async fn a_user_who_is_signed_in_is_not_locked_out(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    let ada = sign_in(hub, "ada@example.com").await;
    for number in 0..5 {
        refused(try_from(hub, number, "ada@example.com", "is it this one?").await);
    }
    too_many(try_from(hub, 9, "ada@example.com", "or this one?").await);
    ada.client.get("/auth/profile").await.expect(200);
    let ada = refreshed(hub, &ada.refresh).await;
    let change = json!({"currentPassword": PASSWORD, "newPassword": "eleven quiet herons wade"});
    ada.client.put("/auth/profile", change).await.expect(200);
    refreshed(hub, &ada.refresh).await;
}

async fn what_is_no_failure_does_not_count(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for _ in 0..6 {
        let body = Some(json!({"email": "ada@example.com", "password": 7}));
        hub.anonymous().send(Method::POST, "/auth/login", body, &[]).await.expect(422);
    }
    try_from(hub, 1, "ada@example.com", PASSWORD).await.expect(200);
}

async fn an_address_may_fail_twenty_times_in_fifteen_minutes(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for number in 0..20 {
        refused(try_from(hub, 1, &format!("nobody-{number}@example.com"), "is it this one?").await);
    }
    let seconds = too_many(try_from(hub, 1, "ada@example.com", PASSWORD).await);
    try_from(hub, 2, "ada@example.com", PASSWORD).await.expect(200);
    // Redis lets go of its counts by a time of its own.
    if hub.engine == Engine::Embedded {
        assert_eq!(seconds, 900);
        hub.clock.advance(Duration::from_secs(899));
        too_many(try_from(hub, 1, "ada@example.com", PASSWORD).await);
        hub.clock.advance(Duration::from_secs(1));
        try_from(hub, 1, "ada@example.com", PASSWORD).await.expect(200);
    }
}

async fn sign_ins_that_succeed_are_no_failures_of_their_address(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for _ in 0..25 {
        try_from(hub, 1, "ada@example.com", PASSWORD).await.expect(200);
    }
    // Nor are those that are not even tried.
    for _ in 0..5 {
        refused(try_from(hub, 1, "ada@example.com", "is it this one?").await);
    }
    for _ in 0..25 {
        too_many(try_from(hub, 1, "ada@example.com", "is it this one?").await);
    }
    refused(try_from(hub, 1, "nobody@example.com", "is it this one?").await);
}

#[test]
fn failures_are_counted_over_all_instances() {
    run_instances(Engine::Full, 2, BY_EMAIL, |hubs| {
        Box::pin(async move {
            hubs[0].make_user(Role::Cso, "ada@example.com").await;
            for number in 0..5 {
                let hub = &hubs[number % 2];
                refused(try_from(hub, number, "ada@example.com", "is it this one?").await);
            }
            for hub in hubs {
                too_many(try_from(hub, 9, "ada@example.com", PASSWORD).await);
            }
        })
    });
}

/// A sign-in as forwarded for the address with this number.
async fn try_from(hub: &TestHub, number: usize, email: &str, password: &str) -> Reply {
    let body = Some(json!({"email": email, "password": password}));
    let address = format!("203.0.113.{number}");
    hub.anonymous().send(Method::POST, "/auth/login", body, &[("x-forwarded-for", &address)]).await
}

/// A 429 as every client must be able to read it; answers with the seconds to wait.
#[track_caller]
fn too_many(reply: Reply) -> u64 {
    reply.problem(429);
    let seconds = reply.header("retry-after").parse().unwrap_or(0);
    assert!((1..=900).contains(&seconds), "Retry-After: {seconds}");
    seconds
}
