//! By Server-Sent Events.

use serde_json::json;

use super::{Stream, ids, notifications};
use crate::harness::{Engine, TestHub, eventually, on_both_engines, run_instances};
use crate::responses::{submitted, to};

on_both_engines!(
    what_happens_is_pushed_in_order,
    what_was_missed_comes_first_and_nothing_comes_twice,
    a_bad_last_event_id_is_400,
    signing_out_ends_the_stream,
    a_stopping_hub_ends_its_streams,
);

async fn what_happens_is_pushed_in_order(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let mut stream = Stream::open(&manager, "/events", None).await;
    let mut own = Stream::open(&cso, "/events", None).await;
    let mut responses = Vec::new();
    for _ in 0..5 {
        let response = submitted(hub, &cso, &admin).await;
        manager.act(&to(&response, "approve")).await.expect(200);
        responses.push(response["id"].clone());
    }
    let pushed = stream.take(5).await;
    assert!(pushed.iter().all(|one| one["type"] == "response.submitted"));
    assert_eq!(pushed.iter().map(|one| one["subject"].clone()).collect::<Vec<_>>(), responses);
    assert!(ids(&pushed).is_sorted());
    let own: Vec<_> = own.take(10).await.iter().map(|one| one["type"].clone()).collect();
    assert_eq!(own, ["inquiry.assigned", "response.approved"].repeat(5));
    assert_eq!(pushed, notifications(&manager, "").await);
}

async fn what_was_missed_comes_first_and_nothing_comes_twice(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for _ in 0..4 {
        submitted(hub, &cso, &admin).await;
    }
    eventually("all are told", async || notifications(&manager, "").await.len() == 4).await;
    let all = ids(&notifications(&manager, "").await);
    let mut from_start = Stream::open(&manager, "/events", Some(0)).await;
    assert_eq!(ids(&from_start.take(4).await), all);
    let mut from_second = Stream::open(&manager, &format!("/events?after={}", all[1]), None).await;
    submitted(hub, &cso, &admin).await;
    let rest = ids(&from_second.take(3).await);
    assert_eq!(rest[..2], all[2..]);
    assert_eq!(ids(&from_start.take(1).await)[0], rest[2]);
    // Without it, what was before is not told.
    let mut from_now = Stream::open(&manager, "/events", None).await;
    submitted(hub, &cso, &admin).await;
    assert!(ids(&from_now.take(1).await)[0] > rest[2]);
}

async fn a_bad_last_event_id_is_400(hub: &TestHub) {
    let manager = hub.manager().await;
    for bad in ["x", "-1", "1.5", "99999999999999999999", "%00"] {
        manager.get(&format!("/events?after={bad}")).await.problem(400);
    }
    let request = manager.raw(reqwest::Method::GET, "/events").header("last-event-id", "x");
    crate::harness::reply(request).await.problem(400);
}

async fn signing_out_ends_the_stream(hub: &TestHub) {
    let manager = hub.manager().await;
    let other = hub.sign_in(&manager.email, crate::harness::PASSWORD).await;
    let mut stream = Stream::open(&manager, "/events", None).await;
    let mut others = Stream::open(&other, "/events", None).await;
    assert_eq!(manager.post("/auth/logout", json!({})).await.status, 204);
    assert_eq!(stream.next().await, None);
    // The same user's other session goes on.
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    submitted(hub, &cso, &admin).await;
    assert_eq!(others.next().await.unwrap()["type"], "response.submitted");
    admin.patch(&format!("/users/{}", manager.id), json!({"isActive": false})).await.expect(200);
    assert_eq!(others.next().await, None);
}

async fn a_stopping_hub_ends_its_streams(hub: &TestHub) {
    let manager = hub.manager().await;
    let mut stream = Stream::open(&manager, "/events", None).await;
    hub.app.hub.lines.stop();
    assert_eq!(stream.next().await, None);
    manager.get("/events").await.problem(503);
}

/// Without a broker between them, in the time of a look.
#[test]
fn another_instance_pushes_what_happened_here() {
    run_instances(Engine::Full, 2, &[], |hubs| {
        Box::pin(async move {
            let (admin, cso, manager) = (hubs[0].admin().await, hubs[0].cso().await, hubs[0].manager().await);
            let there = hubs[1].sign_in(&manager.email, crate::harness::PASSWORD).await;
            let mut here = Stream::open(&manager, "/events", None).await;
            let mut there = Stream::open(&there, "/events", None).await;
            for _ in 0..3 {
                submitted(&hubs[0], &cso, &admin).await;
            }
            assert_eq!(here.take(3).await, there.take(3).await);
        })
    });
}

/// Numbers are given out by both at once, and every reader gets each of them once and in order.
#[test]
fn two_instances_that_both_write_leave_no_gap() {
    run_instances(Engine::Full, 2, &[], |hubs| {
        Box::pin(async move {
            const EACH: usize = 25;
            let (admin, cso, manager) = (hubs[0].admin().await, hubs[0].cso().await, hubs[0].manager().await);
            let elsewhere = hubs[1].sign_in(&manager.email, crate::harness::PASSWORD).await;
            let mut streams = [
                Stream::open(&manager, "/events", None).await,
                Stream::open(&elsewhere, "/events", None).await,
            ];
            let (admin_there, cso_there) = (
                hubs[1].sign_in(&admin.email, crate::harness::PASSWORD).await,
                hubs[1].sign_in(&cso.email, crate::harness::PASSWORD).await,
            );
            let write = async |hub: &TestHub, cso, admin| {
                for _ in 0..EACH {
                    submitted(hub, cso, admin).await;
                }
            };
            tokio::join!(write(&hubs[0], &cso, &admin), write(&hubs[1], &cso_there, &admin_there));
            let [here, there] = &mut streams;
            let (here, there) = (here.take(2 * EACH).await, there.take(2 * EACH).await);
            assert_eq!(here, there);
            assert!(ids(&here).windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!(here, notifications(&manager, "").await);
        })
    });
}
