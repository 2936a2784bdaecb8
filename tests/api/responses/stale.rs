//! The customer writes again while a reply waits: whoever decides is told, and must say that they have read it.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use sqlx::Connection;
use uuid::Uuid;

use super::{now, to};
use crate::harness::{Client, Engine, Place, TestHub, eventually, id_of, on_both_engines, path, run_with};

on_both_engines!(
    a_customer_who_writes_again_makes_what_waits_stale,
    what_the_customer_wrote_before_does_not_count,
    a_new_round_is_fresh,
    a_reminder_that_fired_does_not_fire_again_for_it,
);

/// What the customer says, in a thread of its own.
async fn say(admin: &Client, thread: &str, message: &str) -> Value {
    let body = json!({
        "externalId": Uuid::new_v4(), "threadId": thread, "message": message,
        "customer": {"email": format!("{thread}@example.com")},
    });
    admin.post("/inbound/chat", body).await.expect(201)["inquiryId"].clone()
}

/// A reply to a thread, waiting for approval.
async fn waiting(admin: &Client, cso: &Client, thread: &str) -> Value {
    let inquiry = say(admin, thread, "Where is it?").await;
    let draft = json!({"inquiryId": inquiry, "message": "On its way."});
    let draft = cso.post("/responses", draft).await.expect(201);
    cso.act(&to(&draft, "submit")).await.expect(200)
}

fn thread() -> String {
    Uuid::new_v4().simple().to_string()
}

async fn a_customer_who_writes_again_makes_what_waits_stale(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let thread = thread();
    let response = waiting(&admin, &cso, &thread).await;
    assert_eq!(response["stale"], false);
    say(&admin, &thread, "It has come, thank you!").await;
    say(&admin, &thread, "Though it is blue.").await;
    let stale = now(&manager, &response).await;
    assert_eq!((&stale["stale"], &stale["status"]), (&json!(true), &json!("pending_approval")));
    // Once, however often the customer writes.
    assert_eq!(stale["version"], response["version"].as_i64().unwrap() + 1);
    let list = manager.get("/responses?status=pending_approval").await.expect(200);
    assert_eq!(list["data"], json!([stale]));
    eventually("the manager is told", async || {
        let told = manager.get("/notifications").await.expect(200);
        told["data"].as_array().unwrap().iter().filter(|one| one["type"] == "response.stale").count() == 1
    })
    .await;
    let problem = manager.act(&to(&response, "approve")).await.problem(409);
    assert!(problem["type"].as_str().unwrap().ends_with("response-stale"), "{problem}");
    let unsaid = json!({"acknowledgeStale": false});
    manager.post(&to(&response, "approve"), unsaid).await.problem(409);
    let approved =
        manager.post(&to(&response, "approve"), json!({"acknowledgeStale": true})).await.expect(200);
    assert_eq!((&approved["stale"], &approved["status"]), (&json!(false), &json!("approved")));
}

async fn what_the_customer_wrote_before_does_not_count(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let thread = thread();
    let inquiry = say(&admin, &thread, "Where is it?").await;
    let draft = cso.post("/responses", json!({"inquiryId": inquiry, "message": "Coming."})).await.expect(201);
    say(&admin, &thread, "Well?").await;
    assert_eq!(now(&cso, &draft).await, draft);
    cso.act(&to(&draft, "submit")).await.expect(200);
    assert_eq!(now(&cso, &draft).await["stale"], false);
    manager.act(&to(&draft, "approve")).await.expect(200);
    let approved = now(&cso, &draft).await;
    say(&admin, &thread, "Thank you.").await;
    assert_eq!(now(&cso, &draft).await, approved);
}

async fn a_new_round_is_fresh(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let thread = thread();
    let response = waiting(&admin, &cso, &thread).await;
    say(&admin, &thread, "It has come.").await;
    manager.post(&to(&response, "reject"), json!({"notes": "Read the last message."})).await.expect(200);
    assert_eq!(now(&cso, &response).await["stale"], false);
    cso.put(&path("responses", &response), json!({"message": "Enjoy it."})).await.expect(200);
    assert_eq!(cso.act(&to(&response, "submit")).await.expect(200)["stale"], false);
    manager.act(&to(&response, "approve")).await.expect(200);
}

async fn a_reminder_that_fired_does_not_fire_again_for_it(hub: &TestHub) {
    use nexus_actors::approval_coordinator::FireTimers;
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    hub.manager().await;
    let thread = thread();
    let response = waiting(&admin, &cso, &thread).await;
    hub.clock.advance(std::time::Duration::from_secs(31 * 60));
    hub.app.hub.approval_coordinator.ask(FireTimers).await.unwrap();
    let admin = hub.sign_in(&admin.email, crate::harness::PASSWORD).await;
    say(&admin, &thread, "It has come.").await;
    hub.app.hub.approval_coordinator.ask(FireTimers).await.unwrap();
    let trail = admin.get(&format!("/audit?limit=100&entityId={}", response["id"].as_str().unwrap())).await;
    let actions: Vec<_> =
        trail.expect(200)["data"].as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(actions.iter().filter(|one| *one == "approval.reminder").count(), 1, "{actions:?}");
    assert!(actions.contains(&json!("response.stale")));
}

/// Whichever commits first is first for both: either the approval preceded the message, or it was refused.
#[test]
fn a_message_and_an_approval_at_once_agree_on_who_was_first() {
    run_with(Engine::Full, &[("NEXUS__DATABASE__ACQUIRE_TIMEOUT", "60s")], |hub| {
        Box::pin(async move {
            let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
            for _ in 0..25 {
                let thread = thread();
                let response = waiting(&admin, &cso, &thread).await;
                let approve = to(&response, "approve");
                let (_, decision) = tokio::join!(say(&admin, &thread, "Well?"), manager.act(&approve));
                let after = now(&manager, &response).await;
                let messages = format!("/inquiries/{}/messages", response["inquiryId"].as_str().unwrap());
                let messages = manager.get(&messages).await.expect(200);
                let said: Vec<_> =
                    messages["data"].as_array().unwrap().iter().map(|one| &one["direction"]).collect();
                match decision.status {
                    200 => {
                        assert_eq!((&after["status"], &after["stale"]), (&json!("approved"), &json!(false)));
                        assert_eq!(said, ["inbound", "outbound", "inbound"]);
                    }
                    409 => {
                        assert_eq!(
                            (&after["status"], &after["stale"]),
                            (&json!("pending_approval"), &json!(true))
                        );
                        assert_eq!(said, ["inbound", "inbound"]);
                    }
                    other => panic!("{other}"),
                }
            }
        })
    });
}

/// A message that is being committed waits for another reply to the same inquiry; meanwhile this one is submitted.
#[test]
fn what_is_submitted_while_a_message_is_being_committed_is_stale_after_it() {
    staged(|hub, place| {
        Box::pin(async move {
            let (admin, cso) = (hub.admin().await, hub.cso().await);
            let thread = thread();
            let other = waiting(&admin, &cso, &thread).await;
            let draft = json!({"inquiryId": other["inquiryId"], "message": "Sorry."});
            let draft = cso.post("/responses", draft).await.expect(201);
            let mut database = sqlx::PgConnection::connect(&place.database_url()).await.unwrap();
            let mut lock = database.begin().await.unwrap();
            let held = sqlx::query("select 1 from responses where id = $1 for update").bind(id_of(&other));
            held.execute(&mut *lock).await.unwrap();
            let submitted = async {
                blocked(place, 1).await;
                let submitted = cso.act(&to(&draft, "submit")).await.expect(200);
                lock.commit().await.unwrap();
                submitted
            };
            let (_, submitted) = tokio::join!(say(&admin, &thread, "Well?"), submitted);
            assert_eq!(submitted["stale"], false);
            for response in [&other, &draft] {
                assert_eq!(now(&cso, response).await["stale"], true);
            }
        })
    });
}

/// A message that is being committed waits for its inquiry; a reply that is submitted meanwhile waits for the message.
#[test]
fn what_is_submitted_after_a_message_is_committed_after_it() {
    staged(|hub, place| {
        Box::pin(async move {
            let (admin, cso) = (hub.admin().await, hub.cso().await);
            let thread = thread();
            let inquiry = say(&admin, &thread, "Where is it?").await;
            let draft = json!({"inquiryId": inquiry, "message": "Coming."});
            let draft = cso.post("/responses", draft).await.expect(201);
            let mut database = sqlx::PgConnection::connect(&place.database_url()).await.unwrap();
            let mut lock = database.begin().await.unwrap();
            let id: Uuid = inquiry.as_str().unwrap().parse().unwrap();
            let held = sqlx::query("select 1 from inquiries where id = $1 for update").bind(id);
            held.execute(&mut *lock).await.unwrap();
            let submit = async {
                blocked(place, 1).await;
                cso.act(&to(&draft, "submit")).await.expect(200)
            };
            let release = async {
                blocked(place, 2).await;
                lock.commit().await.unwrap();
            };
            let (_, submitted, ()) = tokio::join!(say(&admin, &thread, "Well?"), submit, release);
            assert_eq!(now(&cso, &draft).await, submitted);
        })
    });
}

fn staged(test: impl for<'a> FnOnce(&'a TestHub, &'a Place) -> LocalBoxFuture<'a, ()>) {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(Engine::Full).await;
        let hub = TestHub::start(&place, &[("NEXUS__DATABASE__ACQUIRE_TIMEOUT", "60s")]).await;
        let outcome = std::panic::AssertUnwindSafe(test(&hub, &place)).catch_unwind().await;
        hub.stop().await;
        place.remove().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

/// So many of the hub's transactions wait for locks.
async fn blocked(place: &Place, count: i64) {
    let mut database = sqlx::PgConnection::connect(&place.database_url()).await.unwrap();
    eventually("they wait for locks", async || {
        let sql = "select count(*) from pg_stat_activity \
            where datname = current_database() and wait_event_type = 'Lock'";
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
        found == count
    })
    .await;
}
