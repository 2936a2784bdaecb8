//! A channel that no queue is bound for: only RabbitMQ can tell.

use std::time::Duration;

use serde_json::json;

use super::gateway::{Inbound, Way, address, content};
use super::staged;
use crate::harness::{Engine, eventually};

#[test]
fn a_reply_that_no_queue_takes_is_kept_and_delivered_once_one_is_bound() {
    staged(Engine::Full, |hub, stage| {
        Box::pin(async move {
            let Way::Rabbit(rabbit) = &stage.gateway.way else { panic!("this is about RabbitMQ") };
            // Goes out together with one that is taken: the broker's answers must not be mixed up.
            let mut message = Inbound::mail(&address(), None, "hello");
            message.routing_key = "inquiry.pigeon".to_owned();
            stage.gateway.send(&[message]).await;
            eventually("it is there", async || stage.inquiries().await.len() == 1).await;
            let inquiry = stage.inquiries().await.remove(0);
            let response = stage.approved(&inquiry, "It flies tomorrow.").await;
            eventually("the hub noticed", async || {
                let error = stage.delivery().await["lastError"].clone();
                error.as_str().is_some_and(|error| error.contains("delivery.pigeon"))
            })
            .await;
            let kept = stage.delivery().await;
            assert_eq!((&kept["status"], &kept["attempts"]), (&json!("pending"), &json!(0)));

            let queue = format!("{}.pigeon", stage.gateway.topology.outbound());
            rabbit.bind(&queue, &stage.gateway.topology.outbound(), "delivery.pigeon").await;
            hub.clock.advance(Duration::from_secs(31));
            let message = rabbit.take(&queue, Duration::from_secs(20)).await.expect("a message");
            assert_eq!(message.message_id.as_deref(), kept["id"].as_str());
            assert_eq!(content(&message)["message"], "It flies tomorrow.");
            let report = json!({"deliveryId": kept["id"]});
            stage.gateway.report("confirmed", report).await;
            eventually("it is sent", async || stage.response(&response).await["status"] == "sent").await;
        })
    });
}
