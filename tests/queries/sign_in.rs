//! What a sign-in that fails costs: the same, whoever it is for. The time it takes tells nothing then; how long it takes
//! is measured by row 20 of scripts/faults.

use nexus_actors::domain::user::Role;
use serde_json::json;

use crate::harness::{Engine, PASSWORD, TestHub};
use crate::{TRIES, listening, statements_of};

const WRONG: &str = "not the password at all";
const FIVE: (&str, &str) = ("NEXUS__RATE_LIMIT__LOGIN_FAILURES", "5");

#[test]
fn a_sign_in_that_fails_costs_the_same_whoever_it_is_for_embedded() {
    listening(Engine::Embedded, &[], |hub| Box::pin(costs_the_same(hub)));
    listening(Engine::Embedded, &[FIVE], |hub| Box::pin(waiting_costs_the_same(hub)));
}

#[test]
fn a_sign_in_that_fails_costs_the_same_whoever_it_is_for_full() {
    listening(Engine::Full, &[], |hub| Box::pin(costs_the_same(hub)));
    listening(Engine::Full, &[FIVE], |hub| Box::pin(waiting_costs_the_same(hub)));
}

#[derive(Debug, PartialEq)]
struct Cost {
    statements: Vec<String>,
    /// By argon2, for one sign-in.
    hashings: u64,
}

async fn costs_the_same(hub: &TestHub) {
    let (admin, _) = (hub.admin().await, hub.make_user(Role::Cso, "active@example.com").await);
    let inactive = hub.make_user(Role::Cso, "inactive@example.com").await;
    admin.patch(&format!("/users/{}", inactive.id), json!({"isActive": false})).await.expect(200);
    let unknown = cost(hub, "nobody@example.com", PASSWORD, 401).await;
    assert_eq!((unknown.statements.len(), unknown.hashings), (1, 1), "{unknown:?}");
    for (email, password) in
        [("active@example.com", WRONG), ("inactive@example.com", WRONG), ("inactive@example.com", PASSWORD)]
    {
        assert_eq!(cost(hub, email, password, 401).await, unknown, "{email} {password}");
    }
}

/// An email that waits after failures is not even looked for.
async fn waiting_costs_the_same(hub: &TestHub) {
    hub.make_user(Role::Cso, "active@example.com").await;
    for email in ["active@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            sign_in(hub, email, WRONG, 401).await;
        }
        for password in [WRONG, PASSWORD] {
            let cost = cost(hub, email, password, 429).await;
            assert_eq!(cost, Cost { statements: Vec::new(), hashings: 0 }, "{email} {password}");
        }
    }
}

async fn cost(hub: &TestHub, email: &str, password: &str, status: u16) -> Cost {
    let before = hashed(hub).await;
    let statements = statements_of(async || sign_in(hub, email, password, status).await).await;
    let hashings = hashed(hub).await - before;
    assert_eq!(hashings % TRIES as u64, 0);
    Cost { statements, hashings: hashings / TRIES as u64 }
}

async fn sign_in(hub: &TestHub, email: &str, password: &str, status: u16) {
    hub.anonymous().post("/auth/login", json!({"email": email, "password": password})).await.expect(status);
}

async fn hashed(hub: &TestHub) -> u64 {
    let metrics = hub.anonymous().get("//metrics").await.text;
    let counted = metrics.lines().find_map(|line| line.strip_prefix("nexus_passwords_hashed_total "));
    counted.unwrap_or_else(|| panic!("it is not counted: {metrics}")).parse().unwrap()
}
