//! However many inquiries arrive at the same moment, nobody gets more than they take on.

use std::collections::HashMap;

use futures_util::future::{join, join_all};
use futures_util::stream::{self, StreamExt};
use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ask, change, decisions, held, total, watched};
use crate::behind::rows;
use crate::harness::{Client, Engine, TestHub, eventually, on_both_engines, run_instances, within};

/// All of them wait for a connection, rather than some of them being shed on a machine that is busy.
const PATIENT: &[(&str, &str)] = &[("NEXUS__DATABASE__ACQUIRE_TIMEOUT", "60s")];

on_both_engines!(
    with PATIENT;
    of_a_rush_of_inquiries_everyone_gets_exactly_what_they_have_room_for,
    a_rush_of_inquiries_is_spread_evenly,
);

async fn of_a_rush_of_inquiries_everyone_gets_exactly_what_they_have_room_for(hub: &TestHub) {
    const CAPACITIES: [i64; 5] = [2, 7, 11, 20, 40];
    const INQUIRIES: i64 = 200;
    let admin = hub.admin().await;
    let mut csos = Vec::new();
    for capacity in CAPACITIES {
        let cso = hub.cso().await;
        change(&admin, &cso, json!({"maxOpenInquiries": capacity})).await;
        csos.push((cso, capacity));
    }
    let created = ask_at_once(hub, &admin, INQUIRIES).await;

    // No more could be assigned, so all that can be is, at the latest after what a nudge has set off.
    let room: i64 = CAPACITIES.iter().sum();
    eventually("all room is used", || async { total(&admin, "assignedTo=none").await == INQUIRIES - room })
        .await;
    let stats = admin.get("/stats").await.expect(200);
    for (cso, capacity) in &csos {
        let told =
            stats["csos"].as_array().unwrap().iter().find(|one| one["userId"] == json!(cso.id)).unwrap();
        assert_eq!(told["openInquiries"], *capacity);
        assert_eq!(told["maxOpenInquiries"], *capacity);
        let held = format!("assignedTo={}&status=pending,in_progress", cso.id);
        assert_eq!(total(&admin, &held).await, *capacity, "what is counted is what is there");
    }
    for inquiry in &created {
        assigned_at_most_once(&admin, inquiry).await;
    }
}

/// Also when no decision can wait for the commit of the one before.
async fn a_rush_of_inquiries_is_spread_evenly(hub: &TestHub) {
    let admin = hub.admin().await;
    for _ in 0..5 {
        let cso = hub.cso().await;
        change(&admin, &cso, json!({"maxOpenInquiries": 40})).await;
    }
    ask_at_once(hub, &admin, 100).await;
    let held = held(hub).await;
    assert_eq!(held.values().sum::<i64>(), 100);
    // Of the highest load to the mean, 1.15 at most.
    assert!(held.values().all(|count| *count <= 23), "{held:?}");
}

/// Each instance has as many requests under way as it likes to have, and no more: none is to be refused for that.
#[test]
fn of_thousands_on_two_instances_each_is_assigned_once_and_nobody_gets_more_than_they_take_on() {
    const CAPACITIES: [i64; 5] = [18, 58, 98, 138, 178];
    const CSOS: usize = 50;
    const INQUIRIES: usize = 5_000;
    /// The others wait.
    const ROOM: usize = 4_900;
    const UNDER_WAY: usize = 64;
    run_instances(Engine::Full, 2, PATIENT, |hubs| {
        Box::pin(async move {
            let admins = [hubs[0].admin().await, hubs[1].admin().await];
            let mut capacities = HashMap::new();
            for number in 0..CSOS {
                let user = hubs[0].make_user(Role::Cso, &format!("cso{number}@example.com")).await;
                let capacity = CAPACITIES[number % CAPACITIES.len()];
                let patch = json!({"maxOpenInquiries": capacity});
                admins[0].patch(&format!("/users/{}", user.id), patch).await.expect(200);
                capacities.insert(user.id, capacity);
            }
            assert_eq!(usize::try_from(capacities.values().sum::<i64>()).unwrap(), ROOM);
            let customer = hubs[0].customer(&admins[0]).await;
            let asked = json!({"customerId": customer["id"], "subject": "S", "message": "M"});
            let rush = async |admin: &Client| {
                let asking = stream::iter(0..INQUIRIES / 2).map(|_| async {
                    let answer = admin.raw(Method::POST, "/inquiries").json(&asked).send().await.unwrap();
                    let status = answer.status();
                    assert_eq!(status, 201, "{}", answer.text().await.unwrap());
                });
                asking.buffer_unordered(UNDER_WAY).collect::<()>().await;
            };
            let nobody_is_overloaded = async || {
                for (cso, open) in held(&hubs[0]).await {
                    assert!(open <= capacities[&cso], "{open} with {cso}, who takes {}", capacities[&cso]);
                }
            };
            let rushing = join(rush(&admins[0]), rush(&admins[1]));
            watched(rushing, nobody_is_overloaded).await;
            let waiting = i64::try_from(INQUIRIES - ROOM).unwrap();
            let all_taken = within(std::time::Duration::from_secs(30), "all room is used", async || {
                total(&admins[0], "assignedTo=none").await == waiting
            });
            watched(all_taken, nobody_is_overloaded).await;
            assert_eq!(held(&hubs[0]).await, capacities);

            // What is on an inquiry is what was decided, and nothing was decided twice.
            const DECIDED: &str =
                "select inquiry_id, assignee_id from assignments where assignee_id is not null";
            const ASSIGNED: &str = "select id, assigned_to from inquiries where assigned_to is not null";
            let decided: Vec<(Uuid, Uuid)> = rows(&hubs[0], DECIDED).await;
            assert_eq!(decided.len(), ROOM);
            let decided: HashMap<Uuid, Uuid> = decided.into_iter().collect();
            let assigned: Vec<(Uuid, Uuid)> = rows(&hubs[0], ASSIGNED).await;
            assert_eq!(decided, assigned.into_iter().collect());
        })
    });
}

async fn ask_at_once(hub: &TestHub, admin: &Client, inquiries: i64) -> Vec<Value> {
    let customer = hub.customer(admin).await;
    join_all((0..inquiries).map(|_| ask(admin, &customer, json!({})))).await
}

async fn assigned_at_most_once(reader: &Client, inquiry: &Value) {
    let to: Vec<_> =
        decisions(reader, inquiry).await.into_iter().filter(|one| one["assigneeId"].is_string()).collect();
    assert!(to.len() <= 1, "{to:?}");
    assert!(to.iter().all(|one| one["reason"] != "manual"));
}
