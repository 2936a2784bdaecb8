//! The twin keeps nothing, and loses nothing all the same.

use serde_json::{Map, json};

use super::gateway::{Inbound, Way, address, content};
use super::{Stage, staged, unpublished};
use crate::harness::{Engine, TestHub, eventually};
use nexus_hub::broker::LocalBroker;

fn twin(stage: &Stage) -> &LocalBroker {
    match &stage.gateway.way {
        Way::Twin(twin) => twin,
        Way::Rabbit(_) => panic!("this is about the twin"),
    }
}

#[test]
fn what_was_handed_over_and_not_reported_comes_again_to_whoever_subscribes() {
    staged(Engine::Embedded, |hub, stage| {
        Box::pin(async move {
            let mut ids = Vec::new();
            for channel in ["email", "chat"] {
                let mut message = Inbound::mail(&address(), None, "hello");
                message.routing_key = format!("inquiry.{channel}");
                stage.gateway.send(&[message]).await;
                let inquiry = stage.inquiries().await.remove(0);
                let response = stage.approved(&inquiry, channel).await;
                ids.push(response["id"].clone());
            }
            handed_over(stage, 2).await;
            for _ in 0..2 {
                let replies = stage.gateway.replies("chat").await;
                assert_eq!(content(&replies.next().await)["responseId"], ids[1]);
                replies.silent().await;
                handed_over(stage, 2).await;
            }
            let all = twin(stage).subscribe(&stage.gateway.topology.outbound(), "delivery.*").await;
            let mut all = all.unwrap();
            let mut again = vec![content(&all.recv().await.unwrap()), content(&all.recv().await.unwrap())];
            again.sort_by_key(|message| message["channel"] == "chat");
            assert_eq!(again.iter().map(|one| one["responseId"].clone()).collect::<Vec<_>>(), ids);
            for one in &again {
                stage.gateway.report("confirmed", json!({"deliveryId": one["deliveryId"]})).await;
            }
            stage.gateway.replies("email").await.silent().await;
            assert_eq!(unpublished(hub).await, 0);
        })
    });
}

async fn handed_over(stage: &Stage, count: usize) {
    eventually("the channels have them", async || {
        let page = stage.admin.get("/deliveries?status=pending").await.expect(200);
        let with = page["data"].as_array().unwrap();
        with.iter().filter(|one| one["nextAttemptAt"].is_null()).count() == count
    })
    .await;
}

#[test]
fn a_subscriber_that_lags_too_far_behind_is_dropped_and_the_hub_goes_on() {
    staged(Engine::Embedded, |hub, stage| {
        Box::pin(async move {
            let twin = twin(stage);
            let mut slow = twin.subscribe(&stage.gateway.topology.events(), "#").await.unwrap();
            let messages: Vec<_> =
                (0..150).map(|n| Inbound::mail(&address(), None, &n.to_string())).collect();
            stage.gateway.send(&messages).await;
            published(hub).await;
            let mut got = 0;
            while slow.recv().await.is_some() {
                got += 1;
            }
            assert_eq!(got, 256, "what it had room for, and then the end");
        })
    });
}

async fn published(hub: &TestHub) {
    eventually("all is published", async || unpublished(hub).await == 0).await;
}

#[test]
fn what_no_queue_is_bound_for_is_refused() {
    staged(Engine::Embedded, |_, stage| {
        Box::pin(async move {
            let (twin, topology) = (twin(stage), &stage.gateway.topology);
            for (exchange, key) in [
                (topology.inbound(), "inquiries.email"),
                (topology.inbound(), ""),
                (topology.outbound(), "delivery.email"),
                ("elsewhere".to_owned(), "inquiry.email"),
            ] {
                let refused = twin.publish(&exchange, key, None, Map::new(), "{}").await;
                assert!(refused.is_err(), "{exchange} {key}");
            }
            assert!(twin.consume("no.such.queue").await.is_err());
        })
    });
}
