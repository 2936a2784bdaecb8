//! A load that is counted wrongly is found and repaired, whatever else happens at that moment.

use std::cell::Cell;
use std::collections::HashMap;

use futures_util::future::join_all;
use nexus_actors::assignment_balancer::{ChooseAssignees, Seeking};
use nexus_actors::domain::assignment::{Decision, Wanted};
use nexus_actors::housekeeper::KeepHouse;
use nexus_actors::store::Db;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{assign, change, load, move_to, total};
use crate::harness::{Client, Engine, TestHub, eventually, id_of, on_both_engines, path, run};

on_both_engines!(
    a_load_that_is_off_is_repaired,
    work_waits_no_longer_for_room_that_was_there,
    what_is_promised_counts_once_when_it_is_committed,
    repairs_amid_a_rush_of_assignments_leave_every_load_right,
);

async fn keep_house(hub: &TestHub) {
    hub.app.hub.housekeeper.ask(KeepHouse).await.unwrap();
}

/// Adds to a load, behind the hub's back.
async fn damage(hub: &TestHub, cso: &Client, by: i64) {
    const SQL: &str = "update cso_loads set open = open + $1 where user_id = $2";
    let rows = match &hub.app.hub.storage.db {
        Db::Postgres(pool) => {
            sqlx::query(SQL).bind(by).bind(cso.id).execute(pool).await.unwrap().rows_affected()
        }
        Db::Sqlite { writes, .. } => {
            sqlx::query(SQL).bind(by).bind(cso.id).execute(writes).await.unwrap().rows_affected()
        }
    };
    assert_eq!(rows, 1);
}

/// Open inquiries of a CSO, by the list of them.
async fn held(reader: &Client, cso: &Client) -> i64 {
    total(reader, &format!("assignedTo={}&status=pending,in_progress", cso.id)).await
}

async fn a_load_that_is_off_is_repaired(hub: &TestHub) {
    let (admin, one, two, three) = (hub.admin().await, hub.cso().await, hub.cso().await, hub.cso().await);
    let mut inquiries = Vec::new();
    for cso in [&one, &one, &one, &two, &two] {
        let inquiry = hub.inquiry(&admin).await;
        inquiries.push(assign(&admin, &inquiry, json!(cso.id)).await);
    }
    move_to(&one, &inquiries[0], "in_progress").await;
    move_to(&one, &inquiries[1], "closed").await;
    damage(hub, &one, 7).await;
    damage(hub, &two, -2).await;
    damage(hub, &three, 1).await;
    assert_eq!(load(&admin, &one).await, 9, "the damage shows");
    keep_house(hub).await;
    for (cso, expected) in [(&one, 2), (&two, 2), (&three, 0)] {
        assert_eq!((load(&admin, cso).await, held(&admin, cso).await), (expected, expected));
    }
    // And is counted on from there.
    move_to(&two, &inquiries[3], "closed").await;
    keep_house(hub).await;
    assert_eq!(load(&admin, &two).await, 1);
}

async fn work_waits_no_longer_for_room_that_was_there(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    change(&admin, &cso, json!({"maxOpenInquiries": 1})).await;
    damage(hub, &cso, 1).await;
    let inquiry = hub.inquiry(&admin).await;
    assert_eq!(inquiry["assignedTo"], Value::Null);
    keep_house(hub).await;
    eventually("it is taken up", async || {
        admin.get(&path("inquiries", &inquiry)).await.expect(200)["assignedTo"] == json!(cso.id)
    })
    .await;
}

/// A decision that is not over: the next must not count its inquiry as promised and as committed.
async fn what_is_promised_counts_once_when_it_is_committed(hub: &TestHub) {
    let (admin, one, two) = (hub.admin().await, hub.cso().await, hub.cso().await);
    let given = hub.inquiry(&admin).await;
    let choose = async |inquiry_id| {
        let seeking = Seeking { inquiry_id, wanted: Wanted::default(), place: None };
        hub.app.hub.assignment_balancer.ask(ChooseAssignees(vec![seeking])).await.unwrap()
    };
    let open = |decision: &Decision| -> HashMap<Uuid, i64> {
        decision.considered.iter().map(|one| (one.user_id, one.open_inquiries)).collect()
    };
    let (decisions, promise) = choose(id_of(&given)).await;
    let to = decisions[0].assignee.unwrap();
    let other = if to == one.id { two.id } else { one.id };
    let (decisions, passing) = choose(Uuid::now_v7()).await;
    assert_eq!(open(&decisions[0]), HashMap::from([(to, 1), (other, 0)]), "promised");
    drop(passing);
    assign(&admin, &given, json!(to)).await;
    let (decisions, passing) = choose(Uuid::now_v7()).await;
    assert_eq!(open(&decisions[0]), HashMap::from([(to, 1), (other, 0)]), "promised and committed");
    drop((promise, passing));
    let (decisions, _promise) = choose(Uuid::now_v7()).await;
    assert_eq!(open(&decisions[0]), HashMap::from([(to, 1), (other, 0)]), "committed");
}

async fn repairs_amid_a_rush_of_assignments_leave_every_load_right(hub: &TestHub) {
    const ROUNDS: usize = 12;
    let admin = hub.admin().await;
    let mut csos = Vec::new();
    for _ in 0..3 {
        let cso = hub.cso().await;
        // What is damaged takes no room away.
        change(&admin, &cso, json!({"maxOpenInquiries": 10_000})).await;
        csos.push(cso);
    }
    let over = Cell::new(false);
    let clerk = async |n: usize| {
        let mut made = 0;
        while !over.get() || made == 0 {
            let inquiry = hub.inquiry(&admin).await;
            assign(&admin, &inquiry, json!(csos[(n + made) % csos.len()].id)).await;
            if made % 2 == 0 {
                move_to(&csos[0], &inquiry, "closed").await;
            }
            made += 1;
        }
    };
    // The clerks outlast the repairs: what the last one does wrong shows.
    let repairs = async {
        for round in 0..ROUNDS {
            damage(hub, &csos[round % csos.len()], 3).await;
            keep_house(hub).await;
        }
        over.set(true);
    };
    let clerks = join_all((0..6).map(clerk));
    futures_util::future::join(repairs, clerks).await;
    let mut total = 0;
    for cso in &csos {
        let held = held(&admin, cso).await;
        assert_eq!(load(&admin, cso).await, held);
        total += held;
    }
    assert!(total > 0);
}

/// The moments of the rush that matter most, one by one. On SQLite a repair has the only connection that writes.
#[test]
fn a_repair_counts_what_an_assignment_under_way_is_about_to_commit() {
    run(Engine::Full, |hub| {
        Box::pin(async move {
            let (admin, cso) = (hub.admin().await, hub.cso().await);
            change(&admin, &cso, json!({"availability": "away"})).await;
            let [first, second] = [hub.inquiry(&admin).await, hub.inquiry(&admin).await];
            let Db::Postgres(pool) = &hub.app.hub.storage.db else { unreachable!() };
            damage(hub, &cso, 5).await;

            // It has the row: the repair waits, and counts it.
            let mut assignment = pool.begin().await.unwrap();
            take(&mut assignment, &first, cso.id).await;
            add(&mut assignment, cso.id).await;
            let finish = async {
                eventually("the repair waits", async || waiting(pool).await > 0).await;
                assignment.commit().await.unwrap();
            };
            futures_util::future::join(keep_house(hub), finish).await;
            assert_eq!((load(&admin, &cso).await, held(&admin, &cso).await), (1, 1));

            // It has not got to the row yet: the repair passes it, and it adds to what that has written.
            damage(hub, &cso, 5).await;
            let mut assignment = pool.begin().await.unwrap();
            take(&mut assignment, &second, cso.id).await;
            keep_house(hub).await;
            add(&mut assignment, cso.id).await;
            assignment.commit().await.unwrap();
            assert_eq!((load(&admin, &cso).await, held(&admin, &cso).await), (2, 2));
        })
    });
}

async fn take(assignment: &mut sqlx::PgTransaction<'_>, inquiry: &Value, cso: Uuid) {
    let take = sqlx::query("update inquiries set assigned_to = $2, assigned_at = created_at where id = $1");
    let rows = take.bind(id_of(inquiry)).bind(cso).execute(&mut **assignment).await.unwrap().rows_affected();
    assert_eq!(rows, 1);
}

async fn add(assignment: &mut sqlx::PgTransaction<'_>, cso: Uuid) {
    let add = sqlx::query("update cso_loads set open = open + 1 where user_id = $1");
    assert_eq!(add.bind(cso).execute(&mut **assignment).await.unwrap().rows_affected(), 1);
}

/// Sessions of this test's database that wait for a lock.
async fn waiting(pool: &sqlx::PgPool) -> i64 {
    const SQL: &str = "select count(*) from pg_stat_activity \
        where datname = current_database() and wait_event_type = 'Lock' and query like '%cso_loads%'";
    sqlx::query_scalar(SQL).fetch_one(pool).await.unwrap()
}
