//! What nobody has room for waits, and is taken up as soon as someone has.

use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::{ask, assign, change, decisions, load, move_to};
use crate::harness::{Client, TestHub, eventually, on_both_engines, path};

on_both_engines!(
    what_nobody_has_room_for_waits,
    it_is_taken_up_when_an_inquiry_is_closed,
    it_is_taken_up_when_a_reply_is_approved,
    it_is_taken_up_when_an_inquiry_moves_to_someone_else,
    it_is_taken_up_when_a_cso_may_take_more_on,
    it_is_taken_up_when_a_cso_comes_online,
    it_is_taken_up_when_a_cso_learns_the_skill,
    it_is_taken_up_when_a_cso_joins,
    it_is_taken_up_when_it_becomes_something_a_cso_can_answer,
    it_is_taken_up_when_its_customer_gets_a_cso,
    the_most_urgent_is_taken_up_first_and_among_equals_the_oldest,
    a_newcomer_does_not_pass_what_waits,
    what_nobody_can_answer_holds_nothing_else_up,
    going_away_hands_on_what_is_pending_and_nothing_else,
    deactivation_hands_everything_on,
    a_cso_who_becomes_something_else_hands_everything_on,
);

async fn what_nobody_has_room_for_waits(hub: &TestHub) {
    let admin = hub.admin().await;
    let (_, inquiry) = (full(hub, &admin).await, hub.inquiry(&admin).await);
    assert_eq!((&inquiry["assignedTo"], &inquiry["assignedAt"]), (&Value::Null, &Value::Null));
    let told = decisions(&admin, &inquiry).await;
    assert_eq!((&told[0]["reason"], &told[0]["assigneeId"]), (&json!("nobody_eligible"), &Value::Null));
    assert_eq!(told[0]["candidates"][0]["finding"], "at_capacity");
    let waiting = admin.get("/inquiries?assignedTo=none").await.expect(200);
    assert_eq!((&waiting["meta"]["total"], &waiting["data"][0]["id"]), (&json!(1), &inquiry["id"]));
}

async fn it_is_taken_up_when_an_inquiry_is_closed(hub: &TestHub) {
    let admin = hub.admin().await;
    let ((cso, held), waiting) = (full(hub, &admin).await, hub.inquiry(&admin).await);
    move_to(&cso, &held, "in_progress").await;
    assert_eq!(holder(&admin, &waiting).await, Value::Null, "in progress is open work as well");
    move_to(&cso, &held, "closed").await;
    is_taken_up(&admin, &waiting, &cso).await;
    assert_eq!(load(&admin, &cso).await, 1);
}

async fn it_is_taken_up_when_a_reply_is_approved(hub: &TestHub) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let ((cso, held), waiting) = (full(hub, &admin).await, hub.inquiry(&admin).await);
    let draft = json!({"inquiryId": held["id"], "message": "M"});
    let draft = cso.post("/responses", draft).await.expect(201);
    cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
    manager.act(&format!("{}/approve", path("responses", &draft))).await.expect(200);
    is_taken_up(&admin, &waiting, &cso).await;
}

async fn it_is_taken_up_when_an_inquiry_moves_to_someone_else(hub: &TestHub) {
    let admin = hub.admin().await;
    let ((cso, held), waiting) = (full(hub, &admin).await, hub.inquiry(&admin).await);
    let away = hub.cso().await;
    change(&admin, &away, json!({"maxOpenInquiries": 0})).await;
    // The new one took it up before it was closed to work.
    assign(&admin, &waiting, json!(away.id)).await;
    let next = hub.inquiry(&admin).await;
    assign(&admin, &held, json!(away.id)).await;
    is_taken_up(&admin, &next, &cso).await;
}

async fn it_is_taken_up_when_a_cso_may_take_more_on(hub: &TestHub) {
    let admin = hub.admin().await;
    let ((cso, _), waiting) = (full(hub, &admin).await, hub.inquiry(&admin).await);
    change(&admin, &cso, json!({"maxOpenInquiries": 2})).await;
    is_taken_up(&admin, &waiting, &cso).await;
}

async fn it_is_taken_up_when_a_cso_comes_online(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    cso.put("/auth/profile", json!({"availability": "away"})).await.expect(200);
    let waiting = hub.inquiry(&admin).await;
    assert_eq!(waiting["assignedTo"], Value::Null);
    cso.put("/auth/profile", json!({"availability": "online"})).await.expect(200);
    is_taken_up(&admin, &waiting, &cso).await;
}

async fn it_is_taken_up_when_a_cso_learns_the_skill(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    change(&admin, &cso, json!({"skills": ["billing"]})).await;
    let waiting = ask(&admin, &hub.customer(&admin).await, json!({"category": "legal"})).await;
    assert_eq!(waiting["assignedTo"], Value::Null);
    change(&admin, &cso, json!({"skills": ["billing", "legal"]})).await;
    is_taken_up(&admin, &waiting, &cso).await;
}

async fn it_is_taken_up_when_a_cso_joins(hub: &TestHub) {
    let admin = hub.admin().await;
    let waiting = hub.inquiry(&admin).await;
    let cso = hub.cso().await;
    is_taken_up(&admin, &waiting, &cso).await;
    let reasons: Vec<_> = decisions(&admin, &waiting).await.iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(reasons, ["nobody_eligible", "lowest_load"]);
}

async fn it_is_taken_up_when_it_becomes_something_a_cso_can_answer(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    change(&admin, &cso, json!({"skills": ["billing"]})).await;
    let waiting = ask(&admin, &hub.customer(&admin).await, json!({"category": "legal"})).await;
    let corrected = json!({"subject": "S", "message": "M", "category": "billing"});
    admin.put(&path("inquiries", &waiting), corrected).await.expect(200);
    is_taken_up(&admin, &waiting, &cso).await;
}

async fn it_is_taken_up_when_its_customer_gets_a_cso(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    change(&admin, &cso, json!({"skills": ["billing"]})).await;
    let customer = hub.customer(&admin).await;
    let waiting = ask(&admin, &customer, json!({"category": "legal"})).await;
    let own = json!({"assigneeId": cso.id});
    admin.post(&format!("{}/assign", path("customers", &customer)), own).await.expect(200);
    is_taken_up(&admin, &waiting, &cso).await;
    assert_eq!(decisions(&admin, &waiting).await[1]["reason"], "customers_own_cso");
}

async fn the_most_urgent_is_taken_up_first_and_among_equals_the_oldest(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    change(&admin, &cso, json!({"maxOpenInquiries": 0})).await;
    let customer = hub.customer(&admin).await;
    let mut inquiries = Vec::new();
    for priority in ["low", "medium", "urgent", "high", "urgent", "low", "medium", "high"] {
        hub.clock.advance(Duration::from_secs(1));
        inquiries.push(ask(&admin, &customer, json!({"priority": priority})).await);
    }
    // By their turn, as they were asked.
    for (taken, next) in [2, 4, 3, 7, 1, 6, 0, 5].into_iter().enumerate() {
        change(&admin, &cso, json!({"maxOpenInquiries": taken + 1})).await;
        is_taken_up(&admin, &inquiries[next], &cso).await;
        assert_eq!(load(&admin, &cso).await, taken as i64 + 1);
    }
}

/// Not even in the moment between room appearing and its being used.
async fn a_newcomer_does_not_pass_what_waits(hub: &TestHub) {
    let admin = hub.admin().await;
    let (cso, mut held) = full(hub, &admin).await;
    let customer = hub.customer(&admin).await;
    for _ in 0..20 {
        let waiting = ask(&admin, &customer, json!({"priority": "urgent"})).await;
        let newcomers = join_all((0..4).map(|_| ask(&admin, &customer, json!({"priority": "high"}))));
        let (newcomers, ()) = join(newcomers, move_to(&cso, &held, "closed")).await;
        for newcomer in &newcomers {
            assert_eq!(newcomer["assignedTo"], Value::Null);
        }
        is_taken_up(&admin, &waiting, &cso).await;
        for newcomer in &newcomers {
            assert_eq!(holder(&admin, newcomer).await, Value::Null);
            move_to(&cso, newcomer, "closed").await;
        }
        held = waiting;
    }
}

/// However much there is of it, and however urgent.
async fn what_nobody_can_answer_holds_nothing_else_up(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    change(&admin, &cso, json!({"maxOpenInquiries": 0, "skills": ["billing"]})).await;
    let customer = hub.customer(&admin).await;
    for _ in 0..120 {
        ask(&admin, &customer, json!({"priority": "urgent", "category": "legal"})).await;
    }
    let waiting = ask(&admin, &customer, json!({"priority": "low", "category": "billing"})).await;
    change(&admin, &cso, json!({"maxOpenInquiries": 20})).await;
    is_taken_up(&admin, &waiting, &cso).await;
    assert_eq!(load(&admin, &cso).await, 1);
}

async fn going_away_hands_on_what_is_pending_and_nothing_else(hub: &TestHub) {
    let admin = hub.admin().await;
    let (leaving, work) = with_work(hub, &admin).await;
    let staying = hub.cso().await;
    leaving.put("/auth/profile", json!({"availability": "away"})).await.expect(200);
    is_taken_up(&admin, &work.pending, &staying).await;
    for kept in [&work.in_progress, &work.responded, &work.closed] {
        assert_eq!(holder(&admin, kept).await, json!(leaving.id));
    }
    let reasons: Vec<_> =
        decisions(&admin, &work.pending).await.iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(reasons[reasons.len() - 2..], ["handed_on", "lowest_load"]);
    assert_eq!((load(&admin, &leaving).await, load(&admin, &staying).await), (1, 1));
}

async fn deactivation_hands_everything_on(hub: &TestHub) {
    let admin = hub.admin().await;
    let (leaving, work) = with_work(hub, &admin).await;
    let staying = hub.cso().await;
    change(&admin, &leaving, json!({"isActive": false})).await;
    is_taken_up(&admin, &work.pending, &staying).await;
    is_taken_up(&admin, &work.in_progress, &staying).await;
    for done in [&work.responded, &work.closed] {
        assert_eq!(holder(&admin, done).await, json!(leaving.id), "what is done is not open work");
    }
    assert_eq!(load(&admin, &staying).await, 2);
    leaving.get("/auth/profile").await.problem(401);
}

async fn a_cso_who_becomes_something_else_hands_everything_on(hub: &TestHub) {
    let admin = hub.admin().await;
    let (leaving, work) = with_work(hub, &admin).await;
    let staying = hub.cso().await;
    change(&admin, &leaving, json!({"role": "manager"})).await;
    is_taken_up(&admin, &work.pending, &staying).await;
    is_taken_up(&admin, &work.in_progress, &staying).await;
}

struct Work {
    pending: Value,
    in_progress: Value,
    responded: Value,
    closed: Value,
}

/// The only CSO, with an inquiry in each status.
async fn with_work(hub: &TestHub, admin: &Client) -> (Client, Work) {
    let cso = hub.cso().await;
    let mut all = Vec::new();
    for moves in [&[][..], &["in_progress"], &["in_progress", "responded"], &["closed"]] {
        let inquiry = hub.inquiry(admin).await;
        assert_eq!(inquiry["assignedTo"], json!(cso.id));
        for status in moves {
            move_to(&cso, &inquiry, status).await;
        }
        all.push(inquiry);
    }
    let [pending, in_progress, responded, closed] = all.try_into().unwrap();
    (cso, Work { pending, in_progress, responded, closed })
}

/// The only CSO, with the one inquiry there is room for.
async fn full(hub: &TestHub, admin: &Client) -> (Client, Value) {
    let cso = hub.cso().await;
    change(admin, &cso, json!({"maxOpenInquiries": 1})).await;
    let held = hub.inquiry(admin).await;
    assert_eq!(held["assignedTo"], json!(cso.id));
    (cso, held)
}

async fn holder(reader: &Client, inquiry: &Value) -> Value {
    reader.get(&path("inquiries", inquiry)).await.expect(200)["assignedTo"].clone()
}

async fn is_taken_up(reader: &Client, inquiry: &Value, by: &Client) {
    let by = json!(by.id);
    eventually("a waiting inquiry is taken up", || async { holder(reader, inquiry).await == by }).await;
    let now = reader.get(&path("inquiries", inquiry)).await.expect(200);
    assert_eq!((&now["status"], now["assignedAt"].is_string()), (&json!("pending"), true));
}
