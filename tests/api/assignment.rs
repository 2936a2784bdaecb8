//! Who gets an inquiry, and why (contract section 7).

mod capacity;
mod lapses;
mod loads;
mod waiting;
mod week;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::{Either, select};
use nexus_actors::domain::user::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::behind::rows;
use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    a_manager_assigns_by_hand_to_any_active_cso,
    only_an_active_cso_can_be_assigned,
    the_customers_own_cso_comes_first,
    the_lowest_load_relative_to_capacity_comes_next,
    a_tie_goes_to_whoever_has_been_idle_longest,
    only_those_with_the_skill_are_chosen,
    auto_moves_an_inquiry_to_whoever_the_rules_choose,
    every_decision_is_kept_with_its_reason,
    what_was_answered_no_longer_counts_as_load,
);

/// Creates an inquiry of `customer`, with more fields.
pub async fn ask(asker: &Client, customer: &Value, more: Value) -> Value {
    let mut inquiry = json!({"customerId": customer["id"], "subject": "S", "message": "M"});
    inquiry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asker.post("/inquiries", inquiry).await.expect(201)
}

/// Changes a user, as an admin may.
pub async fn change(admin: &Client, user: &Client, patch: Value) {
    admin.patch(&format!("/users/{}", user.id), patch).await.expect(200);
}

pub async fn assign(by: &Client, inquiry: &Value, to: Value) -> Value {
    by.post(&format!("{}/assign", path("inquiries", inquiry)), json!({"assigneeId": to})).await.expect(200)
}

pub async fn move_to(by: &Client, inquiry: &Value, status: &str) {
    by.patch(&format!("{}/status", path("inquiries", inquiry)), json!({"status": status})).await.expect(200);
}

/// Open inquiries of a CSO, as `/stats` counts them.
pub async fn load(reader: &Client, cso: &Client) -> i64 {
    let stats = reader.get("/stats").await.expect(200);
    let csos = stats["csos"].as_array().unwrap();
    csos.iter().find(|one| one["userId"] == json!(cso.id)).unwrap()["openInquiries"].as_i64().unwrap()
}

pub async fn decisions(reader: &Client, inquiry: &Value) -> Vec<Value> {
    let list = reader.get(&format!("{}/assignments", path("inquiries", inquiry))).await.expect(200);
    list["data"].as_array().unwrap().clone()
}

/// How many inquiries a list has.
pub async fn total(reader: &Client, query: &str) -> i64 {
    let list = reader.get(&format!("/inquiries?limit=1&{query}")).await.expect(200);
    list["meta"]["total"].as_i64().unwrap()
}

/// Open inquiries of each CSO who has any, counted behind the hub's back.
pub async fn held(hub: &TestHub) -> HashMap<Uuid, i64> {
    const HELD: &str = "select assigned_to, count(*) from inquiries \
        where status in ('pending', 'in_progress') and assigned_to is not null group by assigned_to";
    rows(hub, HELD).await.into_iter().collect()
}

/// Does something, and looks again and again meanwhile.
pub async fn watched<T>(doing: impl Future<Output = T>, mut look: impl AsyncFnMut()) -> T {
    let looking = async {
        loop {
            look().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match select(std::pin::pin!(doing), std::pin::pin!(looking)).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => never,
    }
}

async fn a_manager_assigns_by_hand_to_any_active_cso(hub: &TestHub) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let inquiry = hub.inquiry(&admin).await;
    assert_eq!(inquiry["assignedTo"], Value::Null);
    let (full, away) = (hub.cso().await, hub.cso().await);
    change(&admin, &full, json!({"maxOpenInquiries": 0})).await;
    change(&admin, &away, json!({"availability": "away"})).await;
    for cso in [&full, &away] {
        hub.clock.advance(Duration::from_secs(1));
        let assigned = assign(&manager, &inquiry, json!(cso.id)).await;
        assert_eq!(
            (&assigned["assignedTo"], &assigned["assignedAt"]),
            (&json!(cso.id), &assigned["updatedAt"])
        );
        let decision = decisions(&manager, &inquiry).await.pop().unwrap();
        assert_eq!((&decision["reason"], &decision["actorId"]), (&json!("manual"), &json!(manager.id)));
        assert_eq!(decision["assigneeId"], json!(cso.id));
    }
    assert_eq!((load(&admin, &full).await, load(&admin, &away).await), (0, 1));
    assert_eq!(manager.get("/inquiries?status=pending").await.expect(200)["meta"]["total"], 1);
}

async fn only_an_active_cso_can_be_assigned(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let inactive = hub.cso().await;
    change(&admin, &inactive, json!({"isActive": false})).await;
    let customer = hub.customer(&admin).await;
    let inquiry = ask(&admin, &customer, json!({})).await;
    let nobody = [json!(manager.id), json!(admin.id), json!(inactive.id), json!(Uuid::new_v4())];
    for to in &nobody {
        for object in [path("inquiries", &inquiry), path("customers", &customer)] {
            let refused = manager.post(&format!("{object}/assign"), json!({"assigneeId": to})).await;
            assert_eq!(refused.invalid(), ["/assigneeId"], "{object} to {to}");
        }
    }
    let by_inquiry = format!("{}/assign", path("inquiries", &inquiry));
    for to in [json!("nobody"), json!("AUTO"), json!(""), Value::Null, json!(7)] {
        assert_eq!(
            manager.post(&by_inquiry, json!({"assigneeId": to})).await.invalid(),
            ["/assigneeId"],
            "{to}"
        );
    }
    cso.post(&by_inquiry, json!({"assigneeId": cso.id})).await.problem(403);
    cso.post(&by_inquiry, json!({"assigneeId": "auto"})).await.problem(403);
    assert_eq!(admin.get(&path("inquiries", &inquiry)).await.expect(200), inquiry);
    assert_eq!(admin.get(&path("customers", &customer)).await.expect(200), customer);
}

async fn the_customers_own_cso_comes_first(hub: &TestHub) {
    let (admin, own, idle) = (hub.admin().await, hub.cso().await, hub.cso().await);
    let customer = hub.customer(&admin).await;
    let assignee = json!({"assigneeId": own.id});
    admin.post(&format!("{}/assign", path("customers", &customer)), assignee).await.expect(200);
    // Busier than the other, and without the skill.
    change(&admin, &own, json!({"maxOpenInquiries": 3, "skills": ["billing"]})).await;
    for _ in 0..3 {
        let inquiry = ask(&admin, &customer, json!({"category": "shipping"})).await;
        assert_eq!(inquiry["assignedTo"], json!(own.id));
        assert_eq!(decisions(&admin, &inquiry).await[0]["reason"], "customers_own_cso");
    }
    let beyond = ask(&admin, &customer, json!({"category": "shipping"})).await;
    assert_eq!(beyond["assignedTo"], json!(idle.id), "the own CSO is full");
    change(&admin, &own, json!({"maxOpenInquiries": 9})).await;
    for unavailable in [json!({"availability": "away"}), json!({"availability": "online", "isActive": false})]
    {
        change(&admin, &own, unavailable).await;
        assert_eq!(ask(&admin, &customer, json!({})).await["assignedTo"], json!(idle.id));
    }
}

async fn the_lowest_load_relative_to_capacity_comes_next(hub: &TestHub) {
    let (admin, small, large) = (hub.admin().await, hub.cso().await, hub.cso().await);
    change(&admin, &small, json!({"maxOpenInquiries": 4})).await;
    change(&admin, &large, json!({"maxOpenInquiries": 20})).await;
    let customer = hub.customer(&admin).await;
    for (cso, open) in [(&small, 1), (&large, 4)] {
        for _ in 0..open {
            let inquiry = ask(&admin, &customer, json!({})).await;
            assign(&admin, &inquiry, json!(cso.id)).await;
        }
    }
    // 4 of 20 are less than 1 of 4, and so are 5 of 20 no more.
    let sixth = ask(&admin, &customer, json!({})).await;
    assert_eq!(sixth["assignedTo"], json!(large.id));
    let decision = decisions(&admin, &sixth).await.remove(0);
    assert_eq!((&decision["reason"], &decision["assigneeId"]), (&json!("lowest_load"), &json!(large.id)));
    // Until both are full, neither is ever ahead of the other by more than one of theirs.
    for _ in 0..18 {
        ask(&admin, &customer, json!({})).await;
        let (a, b) = (load(&admin, &small).await * 5, load(&admin, &large).await);
        assert!((a - b).abs() <= 5, "{a} of 20 and {b} of 20");
    }
    assert_eq!((load(&admin, &small).await, load(&admin, &large).await), (4, 20));
    assert_eq!(ask(&admin, &customer, json!({})).await["assignedTo"], Value::Null);
}

async fn a_tie_goes_to_whoever_has_been_idle_longest(hub: &TestHub) {
    let (admin, one, other) = (hub.admin().await, hub.cso().await, hub.cso().await);
    let customer = hub.customer(&admin).await;
    let mut turns = Vec::new();
    for turn in 0..6 {
        hub.clock.advance(Duration::from_secs(60));
        let inquiry = ask(&admin, &customer, json!({})).await;
        // Closed at once, so that loads are always even.
        move_to(&admin, &inquiry, "closed").await;
        assert_eq!(decisions(&admin, &inquiry).await[0]["reason"], "longest_idle", "{turn}");
        turns.push(inquiry["assignedTo"].clone());
    }
    assert!(turns.windows(2).all(|pair| pair[0] != pair[1]), "{turns:?}");
    assert!(turns.contains(&json!(one.id)) && turns.contains(&json!(other.id)));
}

async fn only_those_with_the_skill_are_chosen(hub: &TestHub) {
    let (admin, biller, shipper, anything) =
        (hub.admin().await, hub.cso().await, hub.cso().await, hub.cso().await);
    change(&admin, &biller, json!({"skills": ["billing", "refunds"]})).await;
    change(&admin, &shipper, json!({"skills": ["shipping"]})).await;
    change(&admin, &anything, json!({"maxOpenInquiries": 0})).await;
    let customer = hub.customer(&admin).await;
    for _ in 0..3 {
        for (category, cso) in [("billing", &biller), ("refunds", &biller), ("shipping", &shipper)] {
            let inquiry = ask(&admin, &customer, json!({"category": category})).await;
            assert_eq!(inquiry["assignedTo"], json!(cso.id), "{category}");
        }
    }
    assert_eq!(ask(&admin, &customer, json!({"category": "legal"})).await["assignedTo"], Value::Null);
    change(&admin, &anything, json!({"maxOpenInquiries": 5})).await;
    // No skills set means all of them.
    let inquiry = ask(&admin, &customer, json!({"category": "praise"})).await;
    assert_eq!(inquiry["assignedTo"], json!(anything.id));
}

async fn auto_moves_an_inquiry_to_whoever_the_rules_choose(hub: &TestHub) {
    let (admin, manager, busy) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let customer = hub.customer(&admin).await;
    let inquiry = ask(&admin, &customer, json!({})).await;
    ask(&admin, &customer, json!({})).await;
    let idle = hub.cso().await;
    let moved = assign(&manager, &inquiry, json!("auto")).await;
    assert_eq!(moved["assignedTo"], json!(idle.id));
    assert_eq!((load(&admin, &busy).await, load(&admin, &idle).await), (1, 1));
    let decision = decisions(&admin, &inquiry).await.pop().unwrap();
    assert_eq!((&decision["reason"], &decision["actorId"]), (&json!("lowest_load"), &Value::Null));
    // With nobody else to go to, it stays.
    change(&admin, &idle, json!({"maxOpenInquiries": 1})).await;
    change(&admin, &busy, json!({"availability": "away"})).await;
    assert_eq!(assign(&manager, &inquiry, json!("auto")).await["assignedTo"], json!(idle.id));
    assert_eq!(load(&admin, &idle).await, 1);
}

async fn every_decision_is_kept_with_its_reason(hub: &TestHub) {
    let (admin, chosen, full, away, other) =
        (hub.admin().await, hub.cso().await, hub.cso().await, hub.cso().await, hub.cso().await);
    let customer = hub.customer(&admin).await;
    for cso in [&chosen, &full] {
        let inquiry = ask(&admin, &customer, json!({})).await;
        assign(&admin, &inquiry, json!(cso.id)).await;
    }
    change(&admin, &full, json!({"maxOpenInquiries": 1})).await;
    change(&admin, &away, json!({"availability": "away"})).await;
    change(&admin, &other, json!({"skills": ["billing"]})).await;
    let inquiry = ask(&admin, &customer, json!({"category": "shipping"})).await;
    let manager = hub.user(Role::Manager).await;
    assign(&manager, &inquiry, json!(full.id)).await;
    change(&admin, &full, json!({"isActive": false})).await;

    let all = decisions(&chosen, &inquiry).await;
    let findings = |decision: &Value| {
        let mut found: Vec<_> = decision["candidates"].as_array().unwrap().clone();
        found.sort_by_key(|one| one["userId"].to_string());
        found
    };
    let considered = |cso: &Client, open: i64, max: i64, finding: &str| json!({"userId": cso.id, "openInquiries": open, "maxOpenInquiries": max, "finding": finding});
    let mut expected = vec![
        considered(&chosen, 1, 20, "chosen"),
        considered(&full, 1, 1, "at_capacity"),
        considered(&away, 0, 20, "not_accepting"),
        considered(&other, 0, 20, "lacks_skill"),
    ];
    expected.sort_by_key(|one| one["userId"].to_string());
    assert_eq!(findings(&all[0]), expected);
    let told: Vec<_> = all
        .iter()
        .map(|one| (one["reason"].clone(), one["assigneeId"].clone(), one["actorId"].clone()))
        .collect();
    assert_eq!(told[0], (json!("lowest_load"), json!(chosen.id), Value::Null));
    assert_eq!(told[1], (json!("manual"), json!(full.id), json!(manager.id)));
    assert_eq!(told[2], (json!("handed_on"), Value::Null, json!(admin.id)));
    assert!(all.iter().all(|one| one["inquiryId"] == inquiry["id"] && one["createdAt"].is_string()));
}

async fn what_was_answered_no_longer_counts_as_load(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let customer = hub.customer(&admin).await;
    let inquiry = ask(&admin, &customer, json!({})).await;
    assert_eq!(load(&admin, &cso).await, 1);
    let draft = json!({"inquiryId": inquiry["id"], "message": "M"});
    let draft = cso.post("/responses", draft).await.expect(201);
    cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
    manager.act(&format!("{}/approve", path("responses", &draft))).await.expect(200);
    assert_eq!(load(&admin, &cso).await, 0);
    move_to(&cso, &inquiry, "in_progress").await;
    assert_eq!(load(&admin, &cso).await, 1, "reopened");
    move_to(&cso, &inquiry, "responded").await;
    move_to(&cso, &inquiry, "closed").await;
    assert_eq!(load(&admin, &cso).await, 0);
}
