//! `Idempotency-Key`: the first answer, however often the request is sent, and the change made once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use nexus_actors::HubError;
use nexus_actors::customer_desk::CreateCustomer;
use nexus_actors::domain::customer::CustomerInput;
use nexus_actors::domain::user::Role;
use nexus_actors::domain::{Caller, Claim, Principal};
use nexus_actors::store::idempotency::{ClaimKey, ClaimOutcome, HELD_FOR, KEPT_FOR, SettleKey};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::behind::execute;
use crate::harness::{Client, PASSWORD, Reply, TestHub, id_of, on_both_engines, path};

on_both_engines!(
    what_was_created_is_answered_again_and_not_made_again,
    an_action_is_answered_again_and_not_taken_again,
    a_refusal_is_kept_as_well,
    the_first_answer_stays_the_same_after_later_changes,
    a_key_with_another_body_is_422,
    a_key_belongs_to_its_caller_and_path,
    a_key_counts_for_posts_alone,
    an_unfit_key_is_400,
    of_fifty_requests_at_once_one_makes_the_change,
    a_key_is_forgotten_after_a_day,
    a_key_whose_holder_died_is_taken_over_when_it_is_overdue,
    a_change_without_its_key_does_not_happen,
    a_server_error_is_not_kept_and_leaves_nothing_behind,
    tokens_are_never_kept,
    a_wrong_method_is_told_what_is_allowed_each_time,
);

async fn keyed(client: &Client, path: &str, body: &Value, key: &str) -> Reply {
    let body = (!body.is_null()).then(|| body.clone());
    client.send(Method::POST, path, body, &[("Idempotency-Key", key)]).await
}

fn customer() -> Value {
    json!({"firstName": "Ada", "lastName": "Lovelace", "email": format!("{}@example.com", Uuid::new_v4().simple())})
}

async fn total(client: &Client, list: &str) -> i64 {
    client.get(list).await.expect(200)["meta"]["total"].as_i64().unwrap()
}

/// Sends the same twice more; both answers must be the first one over again.
async fn repeated(client: &Client, path: &str, body: &Value, status: u16) -> Value {
    let key = Uuid::new_v4().to_string();
    let first = keyed(client, path, body, &key).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (status, ""), "{path}: {}", first.text);
    for _ in 0..2 {
        let again = keyed(client, path, body, &key).await;
        assert_eq!(
            (again.status, again.header("idempotency-replayed")),
            (status, "true"),
            "{path}: {}",
            again.text
        );
        for name in ["etag", "location", "content-type"] {
            assert_eq!(again.header(name), first.header(name), "{path}: {name}");
        }
        if status < 400 {
            assert_eq!(again.text, first.text, "{path}");
        } else {
            let (mut again, mut first) = (again.problem(status), first.problem(status));
            for problem in [&mut again, &mut first] {
                problem["requestId"].take();
            }
            assert_eq!(again, first, "{path}");
        }
    }
    first.json()
}

async fn what_was_created_is_answered_again_and_not_made_again(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let made = repeated(&admin, "/customers", &customer(), 201).await;
    let question = json!({"customerId": made["id"], "subject": "Hi", "message": "There"});
    let inquiry = repeated(&cso, "/inquiries", &question, 201).await;
    repeated(&cso, "/responses", &json!({"inquiryId": inquiry["id"], "message": "Hello"}), 201).await;
    let user = json!({"email": "new@example.com", "password": "seven copper lanterns", "role": "cso",
        "firstName": "New", "lastName": "User"});
    let before = total(&admin, "/users").await;
    let user = repeated(&admin, "/auth/register", &user, 201).await;
    assert_eq!(total(&admin, "/users").await, before + 1);
    assert_eq!(admin.get(&path("users", &user)).await.expect(200), user);
    for list in ["/customers", "/inquiries", "/responses"] {
        assert_eq!(total(&admin, list).await, 1, "{list}");
    }
}

async fn an_action_is_answered_again_and_not_taken_again(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let assignee = json!({"assigneeId": cso.id});
    let customer = path("customers", &hub.customer(&admin).await);
    let inquiry = path("inquiries", &hub.inquiry(&admin).await);
    let draft = path("responses", &hub.draft(&cso, &admin).await);
    for (by, entity, action, body) in [
        (&admin, &customer, "assign", &assignee),
        (&manager, &inquiry, "assign", &assignee),
        (&cso, &draft, "submit", &Value::Null),
        (&cso, &draft, "withdraw", &Value::Null),
        (&cso, &draft, "submit", &json!({})),
        (&manager, &draft, "reject", &json!({"notes": "No."})),
    ] {
        let version = admin.get(entity).await.expect(200)["version"].as_i64().unwrap();
        let done = repeated(by, &format!("{entity}/{action}"), body, 200).await;
        assert_eq!(done["version"].as_i64().unwrap(), version + 1, "{action}");
        assert_eq!(admin.get(entity).await.expect(200), done, "{action}");
    }
    cso.put(&draft, json!({"message": "Better."})).await.expect(200);
    cso.act(&format!("{draft}/submit")).await.expect(200);
    repeated(&manager, &format!("{draft}/approve"), &Value::Null, 200).await;
    let history = admin.get(&format!("{draft}/history")).await.expect(200);
    let approvals = history["data"].as_array().unwrap().iter().filter(|step| step["action"] == "approved");
    assert_eq!(approvals.count(), 1);
}

async fn a_refusal_is_kept_as_well(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let draft = path("responses", &hub.draft(&cso, &admin).await);
    let nobody = json!({"assigneeId": Uuid::new_v4()});
    repeated(&admin, "/customers", &json!({"firstName": ""}), 422).await;
    repeated(&cso, "/customers", &customer(), 403).await;
    repeated(&cso, &format!("{draft}/withdraw"), &Value::Null, 409).await;
    repeated(&admin, &format!("/customers/{}/assign", Uuid::new_v4()), &nobody, 404).await;
    repeated(&admin, "/nonsense", &json!({}), 404).await;

    let taken = customer();
    let holder = admin.post("/customers", taken.clone()).await.expect(201);
    keyed(&admin, "/customers", &taken, "again").await.problem(409);
    admin.delete(&path("customers", &holder)).await.expect(204);
    keyed(&admin, "/customers", &taken, "again").await.problem(409);
    keyed(&admin, "/customers", &taken, "anew").await.expect(201);
}

async fn the_first_answer_stays_the_same_after_later_changes(hub: &TestHub) {
    let admin = hub.admin().await;
    let mut body = customer();
    let first = keyed(&admin, "/customers", &body, "key").await.expect(201);
    let at = path("customers", &first);
    let sent = body.clone();
    body["firstName"] = json!("Grace");
    admin.put(&at, body).await.expect(200);
    admin.delete(&at).await.expect(204);
    assert_eq!(keyed(&admin, "/customers", &sent, "key").await.expect(201), first);
    admin.get(&at).await.problem(404);
}

async fn a_key_with_another_body_is_422(hub: &TestHub) {
    let admin = hub.admin().await;
    let body = customer();
    keyed(&admin, "/customers", &body, "key").await.expect(201);
    for other in [customer(), json!({}), Value::Null] {
        let refused = keyed(&admin, "/customers", &other, "key").await;
        assert_eq!(refused.problem(422)["type"], "urn:nexus-hub:problem:idempotency-key-reused");
    }
    assert_eq!(keyed(&admin, "/customers", &body, "key").await.header("idempotency-replayed"), "true");
    assert_eq!(total(&admin, "/customers").await, 1);
}

async fn a_key_belongs_to_its_caller_and_path(hub: &TestHub) {
    let (admin, other) = (hub.admin().await, hub.admin().await);
    let (one, two) = (hub.customer(&admin).await, hub.customer(&admin).await);
    let question = json!({"customerId": one["id"], "subject": "Hi", "message": "There"});
    let mut made = HashSet::new();
    for by in [&admin, &other] {
        made.insert(id_of(&keyed(by, "/inquiries", &question, "key").await.expect(201)));
    }
    for customer in [&one, &two] {
        let assign = format!("{}/assign", path("customers", customer));
        made.insert(id_of(&keyed(&admin, &assign, &json!({"assigneeId": null}), "key").await.expect(200)));
    }
    assert_eq!(made.len(), 4);
}

async fn a_key_counts_for_posts_alone(hub: &TestHub) {
    let admin = hub.admin().await;
    let at = path("customers", &hub.customer(&admin).await);
    for version in 2..5 {
        let put = admin.send(Method::PUT, &at, Some(customer()), &[("Idempotency-Key", "key")]).await;
        assert_eq!(put.header("idempotency-replayed"), "");
        assert_eq!(put.expect(200)["version"], version);
    }
}

async fn an_unfit_key_is_400(hub: &TestHub) {
    let admin = hub.admin().await;
    for unfit in [String::new(), "  ".to_owned(), "ü".to_owned(), "k".repeat(256)] {
        keyed(&admin, "/customers", &customer(), &unfit).await.problem(400);
    }
    keyed(&admin, "/customers", &customer(), &"k".repeat(255)).await.expect(201);
    assert_eq!(total(&admin, "/customers").await, 1);
}

async fn of_fifty_requests_at_once_one_makes_the_change(hub: &TestHub) {
    let admin = hub.admin().await;
    let body = customer();
    let answers = join_all((0..50).map(|_| keyed(&admin, "/customers", &body, "key"))).await;
    let mut made = HashSet::new();
    let mut fresh = 0;
    for answer in answers {
        if answer.status == 409 {
            assert_eq!(answer.problem(409)["type"], "urn:nexus-hub:problem:request-in-flight");
            assert_eq!(answer.header("retry-after"), "1");
            continue;
        }
        fresh += usize::from(answer.header("idempotency-replayed").is_empty());
        made.insert(id_of(&answer.expect(201)));
    }
    assert_eq!((made.len(), fresh), (1, 1));
    assert_eq!(total(&admin, "/customers").await, 1);
    assert_eq!(total(&admin, "/audit?entityType=customer").await, 1);
}

async fn a_key_is_forgotten_after_a_day(hub: &TestHub) {
    let admin = hub.admin().await;
    let question =
        json!({"customerId": hub.customer(&admin).await["id"], "subject": "Hi", "message": "There"});
    let first = keyed(&admin, "/inquiries", &question, "key").await.expect(201);
    hub.clock.advance(KEPT_FOR - Duration::from_secs(1));
    let admin = hub.sign_in(&admin.email, PASSWORD).await;
    let kept = keyed(&admin, "/inquiries", &question, "key").await;
    assert_eq!((kept.header("idempotency-replayed"), &kept.json()), ("true", &first));
    hub.clock.advance(Duration::from_secs(1));
    let anew = keyed(&admin, "/inquiries", &question, "key").await;
    assert_eq!(anew.header("idempotency-replayed"), "");
    let anew = anew.expect(201);
    assert_ne!(id_of(&anew), id_of(&first));
    assert_eq!(keyed(&admin, "/inquiries", &question, "key").await.expect(201), anew);
}

/// SHA-256 in hex over the parts, each after its length.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As a request does that dies before it answers.
async fn claim(hub: &TestHub, by: &Client, body: &Value, key: &str) -> Claim {
    let scope = digest(&[by.id.as_bytes(), b"POST", b"/api/v1/customers", key.as_bytes()]);
    let fingerprint = digest(&[body.to_string().as_bytes()]);
    let claim = ClaimKey { scope: scope.clone(), fingerprint, now: hub.clock.now() };
    match hub.app.hub.idempotency.ask(claim).await.unwrap() {
        ClaimOutcome::Claimed(token) => Claim { scope, token, success_status: 201 },
        other => panic!("the key was not free: {other:?}"),
    }
}

async fn a_key_whose_holder_died_is_taken_over_when_it_is_overdue(hub: &TestHub) {
    let admin = hub.admin().await;
    let body = customer();
    let dead = claim(hub, &admin, &body, "key").await;
    keyed(&admin, "/customers", &body, "key").await.problem(409);
    keyed(&admin, "/customers", &customer(), "key").await.problem(422);
    hub.clock.advance(HELD_FOR - Duration::from_millis(1));
    keyed(&admin, "/customers", &body, "key").await.problem(409);
    hub.clock.advance(Duration::from_millis(1));
    keyed(&admin, "/customers", &customer(), "key").await.problem(422);
    let made = keyed(&admin, "/customers", &body, "key").await;
    assert_eq!(made.header("idempotency-replayed"), "");
    let made = made.expect(201);
    // It was only slow: what it wanted to keep comes too late.
    let late = SettleKey { claim: dead, status: 201, body: "{}".to_owned() };
    assert!(matches!(hub.app.hub.idempotency.ask(late).await, Err(HubError::ClaimLost)));
    assert_eq!(keyed(&admin, "/customers", &body, "key").await.expect(201), made);
}

/// Settled in one transaction: who has lost the key to another makes no change.
async fn a_change_without_its_key_does_not_happen(hub: &TestHub) {
    let admin = hub.admin().await;
    let body = customer();
    let input: CustomerInput = serde_json::from_value(body.clone()).unwrap();
    let create = |claim: Claim| {
        let principal = Principal { user_id: admin.id, role: Role::Admin, session_id: Uuid::nil() };
        let caller = Caller { principal, request_id: Arc::from("test"), if_match: None, claim: Some(claim) };
        hub.app.hub.customer_desk.ask(CreateCustomer { caller, input: input.clone() })
    };
    let slow = claim(hub, &admin, &body, "key").await;
    hub.clock.advance(HELD_FOR);
    let holder = claim(hub, &admin, &body, "key").await;
    assert!(matches!(create(slow).await, Err(HubError::ClaimLost)));
    for list in ["/customers", "/audit?entityType=customer"] {
        assert_eq!(total(&admin, list).await, 0, "{list}");
    }
    let made = create(holder.clone()).await.unwrap();
    let again = keyed(&admin, "/customers", &body, "key").await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed"), id_of(&again.json())),
        (201, "true", made.id)
    );
    assert!(matches!(create(holder).await, Err(HubError::Taken { .. } | HubError::ClaimLost)));
    assert_eq!(total(&admin, "/customers").await, 1);
}

async fn a_server_error_is_not_kept_and_leaves_nothing_behind(hub: &TestHub) {
    let admin = hub.admin().await;
    let body = customer();
    execute(hub, "alter table audit_log rename to audit_log_away").await;
    for _ in 0..2 {
        let failed = keyed(&admin, "/customers", &body, "key").await;
        assert_eq!(failed.problem(500).get("detail"), None);
    }
    execute(hub, "alter table audit_log_away rename to audit_log").await;
    assert_eq!(total(&admin, "/customers").await, 0);
    let made = keyed(&admin, "/customers", &body, "key").await;
    assert_eq!(made.header("idempotency-replayed"), "");
    made.expect(201);
    assert_eq!(keyed(&admin, "/customers", &body, "key").await.header("idempotency-replayed"), "true");
}

async fn tokens_are_never_kept(hub: &TestHub) {
    let admin = hub.admin().await;
    let credentials = json!({"email": admin.email, "password": PASSWORD});
    let mut seen = HashSet::new();
    for by in [&hub.anonymous(), &admin] {
        for _ in 0..2 {
            let signed_in = keyed(by, "/auth/login", &credentials, "key").await;
            assert_eq!(signed_in.header("idempotency-replayed"), "");
            seen.insert(signed_in.expect(200)["accessToken"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen.len(), 4);
}

async fn a_wrong_method_is_told_what_is_allowed_each_time(hub: &TestHub) {
    let admin = hub.admin().await;
    let at = path("customers", &hub.customer(&admin).await);
    for _ in 0..2 {
        let refused = keyed(&admin, &at, &json!({}), "key").await;
        refused.problem(405);
        assert_eq!(refused.header("allow"), "GET, PUT, DELETE");
    }
}
