use std::time::Duration;

use futures_util::future::join_all;
use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::json;

use super::{refused, sign_in, try_sign_in};
use crate::harness::{Engine, PASSWORD, Reply, TestHub, on_both_engines, run_instances};

const LOGIN: (&str, &str) = ("NEXUS__RATE_LIMIT__LOGIN_LIMIT", "3");
const UNLIMITED_ANONYMOUS: (&str, &str) = ("NEXUS__RATE_LIMIT__ANONYMOUS_LIMIT", "1000000");
/// The tests' own address.
const PROXY: (&str, &str) = ("NEXUS__HTTP__TRUSTED_PROXIES", "127.0.0.1, 10.0.0.1");

const THREE_SIGN_INS: &[(&str, &str)] = &[LOGIN];
const BEHIND_A_PROXY: &[(&str, &str)] = &[LOGIN, PROXY];
const FIVE_REQUESTS: &[(&str, &str)] = &[("RATE_LIMIT_LIMIT", "5"), UNLIMITED_ANONYMOUS];
const TWO_ANONYMOUS_REQUESTS: &[(&str, &str)] = &[("RATE_LIMIT_LIMIT", "10"), PROXY];

on_both_engines!(with THREE_SIGN_INS;
    an_address_may_try_three_sign_ins_whatever_the_emails,
    the_current_password_cannot_be_guessed_from_a_live_session,
    x_forwarded_for_of_just_anyone_is_ignored,
);

on_both_engines!(with BEHIND_A_PROXY;
    an_email_may_be_tried_three_times_whatever_the_addresses,
    a_trusted_proxy_names_the_address_of_its_client,
    sign_ins_are_tried_again_when_the_window_has_passed,
);

on_both_engines!(with FIVE_REQUESTS;
    every_answer_says_what_is_left_and_the_one_too_many_when_to_return,
    one_users_limit_is_nobody_elses,
);

on_both_engines!(with TWO_ANONYMOUS_REQUESTS; anonymous_requests_are_counted_by_address);

async fn an_address_may_try_three_sign_ins_whatever_the_emails(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    try_sign_in(hub, "ada@example.com", PASSWORD).await.expect(200);
    refused(try_sign_in(hub, "nobody@example.com", PASSWORD).await);
    refused(try_sign_in(hub, "no address", PASSWORD).await);
    too_many(try_sign_in(hub, "grace@example.com", PASSWORD).await);
    too_many(try_sign_in(hub, "ada@example.com", PASSWORD).await);
}

async fn the_current_password_cannot_be_guessed_from_a_live_session(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    let ada = sign_in(hub, "ada@example.com").await.client;
    let guess = |password: &'static str| {
        ada.put(
            "/auth/profile",
            json!({"currentPassword": password, "newPassword": "eleven quiet herons wade"}),
        )
    };
    for _ in 0..3 {
        guess("is it this one?").await.expect(422);
    }
    too_many(guess(PASSWORD).await);
    ada.put("/auth/profile", json!({"firstName": "Ada"})).await.expect(200);
}

async fn x_forwarded_for_of_just_anyone_is_ignored(hub: &TestHub) {
    for number in 1..=3 {
        refused(from(hub, &format!("203.0.113.{number}"), &format!("nobody-{number}@example.com")).await);
    }
    too_many(from(hub, "203.0.113.4", "nobody-4@example.com").await);
}

async fn an_email_may_be_tried_three_times_whatever_the_addresses(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for (number, email) in ["ada@example.com", "ADA@example.com", " ada@Example.com "].into_iter().enumerate()
    {
        from(hub, &format!("203.0.113.{number}"), email).await.expect(200);
    }
    too_many(from(hub, "203.0.113.77", "ada@example.com").await);
    // Nothing that could be the same address to anyone is another email to the limit.
    too_many(from(hub, "203.0.113.78", "Ada@EXAMPLE.com").await);
    refused(from(hub, "203.0.113.79", "grace@example.com").await);
}

async fn a_trusted_proxy_names_the_address_of_its_client(hub: &TestHub) {
    // What the client itself wrote comes first, then what each proxy saw.
    for (number, hops) in
        ["203.0.113.7", "198.51.100.1, 203.0.113.7", "rubbish, 198.51.100.2,203.0.113.7, 10.0.0.1"]
            .iter()
            .enumerate()
    {
        refused(from(hub, hops, &format!("nobody-{number}@example.com")).await);
    }
    too_many(from(hub, "198.51.100.3, 203.0.113.7", "nobody-4@example.com").await);
    refused(from(hub, "203.0.113.8", "nobody-5@example.com").await);
    refused(from(hub, "2001:db8::1", "nobody-6@example.com").await);
}

async fn sign_ins_are_tried_again_when_the_window_has_passed(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    for _ in 0..3 {
        from(hub, "203.0.113.1", "ada@example.com").await.expect(200);
    }
    let seconds = too_many(from(hub, "203.0.113.1", "ada@example.com").await);
    // Redis lets go of its counts by a time of its own.
    if hub.engine == Engine::Embedded {
        hub.clock.advance(Duration::from_secs(seconds - 1));
        too_many(from(hub, "203.0.113.1", "ada@example.com").await);
        hub.clock.advance(Duration::from_secs(1));
        from(hub, "203.0.113.1", "ada@example.com").await.expect(200);
    }
}

async fn every_answer_says_what_is_left_and_the_one_too_many_when_to_return(hub: &TestHub) {
    let user = hub.cso().await;
    let paths = ["/auth/profile", "/users", "/customers/7", "/nowhere", "/inquiries"];
    for (left, path) in (0..5).rev().zip(paths) {
        let answer = user.get(path).await;
        assert_eq!(answer.header("ratelimit-limit"), "5", "{path}");
        assert_eq!(answer.header("ratelimit-remaining"), left.to_string(), "{path}");
        assert!((1..=60).contains(&answer.header("ratelimit-reset").parse::<u64>().unwrap()), "{path}");
        assert_ne!(answer.status, 429);
    }
    let answer = user.get("/auth/profile").await;
    assert_eq!((answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")), ("5", "0"));
    let reset = answer.header("ratelimit-reset").parse::<u64>().unwrap();
    assert_eq!(too_many(answer), reset);

    // Health checks are for load balancers and are never limited.
    user.get("//health/live").await.expect(200);
    if hub.engine == Engine::Embedded {
        hub.clock.advance(Duration::from_secs(60));
        assert_eq!(user.get("/auth/profile").await.header("ratelimit-remaining"), "4");
    }
}

async fn one_users_limit_is_nobody_elses(hub: &TestHub) {
    let (one, other) = (hub.cso().await, hub.cso().await);
    let again = sign_in(hub, &one.email).await.client;
    for _ in 0..5 {
        one.get("/auth/profile").await.expect(200);
    }
    too_many(one.get("/auth/profile").await);
    too_many(again.get("/auth/profile").await);
    other.get("/auth/profile").await.expect(200);
    assert_eq!(hub.anonymous().get("/nowhere").await.status, 404);
}

async fn anonymous_requests_are_counted_by_address(hub: &TestHub) {
    let anyone = hub.anonymous();
    let get = |address: &'static str, token: Option<&'static str>| {
        let client = token.map_or(anyone.clone(), |token| anyone.with_token(token));
        async move {
            let headers = [("x-forwarded-for", address)];
            client.send(Method::GET, "/auth/profile", None, &headers).await
        }
    };
    let first = get("203.0.113.1", None).await;
    assert_eq!((first.header("ratelimit-limit"), first.header("ratelimit-remaining")), ("2", "1"));
    refused(first);
    // A token that does not hold is nobody's.
    refused(get("203.0.113.1", Some("made.up.token")).await);
    too_many(get("203.0.113.1", None).await);
    too_many(get("203.0.113.1", Some("made.up.token")).await);
    refused(get("203.0.113.2", None).await);
}

#[test]
fn a_limit_is_counted_exactly_over_all_instances() {
    const LIMIT: &[(&str, &str)] = &[("RATE_LIMIT_LIMIT", "20"), UNLIMITED_ANONYMOUS];
    run_instances(Engine::Full, 2, LIMIT, |hubs| {
        Box::pin(async move {
            let user = hubs[0].cso().await;
            let there = hubs[1].anonymous().with_token(user.token.as_ref().unwrap());
            let requests = (0..60).map(|turn| {
                let client = if turn % 2 == 0 { &user } else { &there };
                client.get("/auth/profile")
            });
            let answers = join_all(requests).await;
            let allowed = answers.iter().filter(|answer| answer.status == 200).count();
            let refused = answers.iter().filter(|answer| answer.status == 429).count();
            assert_eq!((allowed, refused), (20, 40));
        })
    });
}

/// A sign-in with the right password, if there is such a user, as forwarded for `hops`.
async fn from(hub: &TestHub, hops: &str, email: &str) -> Reply {
    let body = Some(json!({"email": email, "password": PASSWORD}));
    hub.anonymous().send(Method::POST, "/auth/login", body, &[("x-forwarded-for", hops)]).await
}

/// A 429 as every client must be able to read it; answers with the seconds to wait.
#[track_caller]
fn too_many(reply: Reply) -> u64 {
    let seconds = reply.header("retry-after").parse().unwrap_or(0);
    assert!((1..=60).contains(&seconds), "Retry-After: {seconds}; {} {}", reply.status, reply.text);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    reply.expect(429);
    seconds
}
