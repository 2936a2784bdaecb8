//! However many inquiries arrive at the same moment, nobody gets more than they take on.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{change, decisions};
use crate::harness::{Client, Engine, TestHub, eventually, on_both_engines, run_instances};

const CAPACITIES: [i64; 5] = [2, 7, 11, 20, 40];
const INQUIRIES: i64 = 200;

/// All of them wait for a connection, rather than some of them being shed on a machine that is busy.
const PATIENT: &[(&str, &str)] = &[("NEXUS__DATABASE__ACQUIRE_TIMEOUT", "60s")];

on_both_engines!(with PATIENT; of_a_rush_of_inquiries_everyone_gets_exactly_what_they_have_room_for);

#[test]
fn of_a_rush_on_two_instances_everyone_gets_exactly_what_they_have_room_for() {
    run_instances(Engine::Full, 2, PATIENT, |hubs| Box::pin(rush(hubs)));
}

async fn of_a_rush_of_inquiries_everyone_gets_exactly_what_they_have_room_for(hub: &TestHub) {
    rush(std::slice::from_ref(hub)).await;
}

async fn rush(hubs: &[TestHub]) {
    let mut admins = Vec::new();
    for hub in hubs {
        admins.push(hub.admin().await);
    }
    let admin = &admins[0];
    let mut csos = Vec::new();
    for capacity in CAPACITIES {
        let cso = hubs[0].cso().await;
        change(admin, &cso, json!({"maxOpenInquiries": capacity})).await;
        csos.push((cso, capacity));
    }
    let customer = hubs[0].customer(admin).await;
    let asked = json!({"customerId": customer["id"], "subject": "S", "message": "M"});
    let askers = admins.iter().cycle().take(usize::try_from(INQUIRIES).unwrap());
    let created = join_all(askers.map(|asker| asker.post("/inquiries", asked.clone()))).await;
    let created: Vec<_> = created.into_iter().map(|reply| reply.expect(201)).collect();

    // No more could be assigned, so all that can be is, at the latest after what a nudge has set off.
    let room: i64 = CAPACITIES.iter().sum();
    eventually("all room is used", || async { total(admin, "assignedTo=none").await == INQUIRIES - room })
        .await;
    let stats = admin.get("/stats").await.expect(200);
    for (cso, capacity) in &csos {
        let told =
            stats["csos"].as_array().unwrap().iter().find(|one| one["userId"] == json!(cso.id)).unwrap();
        assert_eq!(told["openInquiries"], *capacity);
        assert_eq!(told["maxOpenInquiries"], *capacity);
        let held = format!("assignedTo={}&status=pending,in_progress", cso.id);
        assert_eq!(total(admin, &held).await, *capacity, "what is counted is what is there");
    }
    for inquiry in &created {
        assigned_at_most_once(admin, inquiry).await;
    }
}

async fn total(reader: &Client, query: &str) -> i64 {
    let list = reader.get(&format!("/inquiries?limit=1&{query}")).await.expect(200);
    list["meta"]["total"].as_i64().unwrap()
}

async fn assigned_at_most_once(reader: &Client, inquiry: &Value) {
    let to: Vec<_> =
        decisions(reader, inquiry).await.into_iter().filter(|one| one["assigneeId"].is_string()).collect();
    assert!(to.len() <= 1, "{to:?}");
    assert!(to.iter().all(|one| one["reason"] != "manual"));
}
