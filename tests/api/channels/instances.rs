//! Two instances on one database and one broker are one hub to everyone else.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::gateway::{Inbound, address, content};
use super::staged_with;
use crate::harness::{Engine, PASSWORD, eventually, path};
use crate::pushes::Stream;

#[test]
fn two_instances_tell_everything_once_and_in_order() {
    const INQUIRIES: usize = 60;
    staged_with(Engine::Full, 2, &[("NEXUS__BROKER__BATCH", "7")], |hubs, stage| {
        Box::pin(async move {
            let events = stage.gateway.events().await;
            let emails: Vec<_> = (0..INQUIRIES).map(|_| address()).collect();
            let messages: Vec<_> = (0..3)
                .flat_map(|n| emails.iter().map(move |email| Inbound::mail(email, Some("t"), &n.to_string())))
                .collect();
            stage.gateway.send(&messages).await;
            eventually("all are there", async || {
                let inquiries = stage.inquiries().await;
                inquiries.len() == INQUIRIES && inquiries.iter().all(|one| one["version"] == 3)
            })
            .await;
            // Both instances answer at the same time.
            let inquiries = stage.inquiries().await;
            let csos = [hubs[0].cso().await, hubs[1].cso().await];
            let managers = [hubs[0].manager().await, hubs[1].manager().await];
            let answering = inquiries.iter().take(20).enumerate().map(|(n, inquiry)| {
                let (cso, manager) = (&csos[n % 2], &managers[(n + 1) % 2]);
                async move {
                    let draft = serde_json::json!({"inquiryId": inquiry["id"], "message": "a reply"});
                    let draft = cso.post("/responses", draft).await.expect(201);
                    cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
                    manager.act(&format!("{}/approve", path("responses", &draft))).await.expect(200)
                }
            });
            let answered = futures_util::future::join_all(answering).await;

            let replies = stage.gateway.replies("email").await;
            let mut delivered = HashSet::new();
            for _ in &answered {
                let message = content(&replies.next().await);
                assert!(delivered.insert(message["responseId"].to_string()), "one delivery each");
            }
            replies.silent().await;

            let mut told: Vec<Value> = Vec::new();
            let responses = answered.len();
            // Of each customer one, of each inquiry 2 or 3 and 2, of each response 3 and the inquiry's change.
            while told.iter().filter(|event| event["type"] == "response.approved").count() < responses
                || told.iter().filter(|event| event["type"] == "inquiry.status_changed").count() < responses
                || told.iter().filter(|event| event["type"] == "inquiry.message_added").count()
                    < 2 * INQUIRIES
            {
                told.push(content(&events.next().await));
            }
            events.silent().await;
            let ids: HashSet<_> = told.iter().map(|event| event["id"].to_string()).collect();
            assert_eq!(ids.len(), told.len(), "each event once");
            let mut versions: HashMap<String, i64> = HashMap::new();
            for event in &told {
                let version = event["data"]["version"].as_i64().unwrap();
                let last = versions.insert(event["subject"].to_string(), version).unwrap_or(0);
                assert!(last <= version, "out of order: {event}");
            }
            for inquiry in &inquiries {
                let mut said = stage.said(inquiry).await;
                said.retain(|text| text != "a reply");
                assert_eq!(said, ["0", "1", "2"]);
            }
        })
    });
}

#[test]
fn when_the_instance_that_consumes_stops_the_other_goes_on() {
    staged_with(Engine::Full, 1, &[], |_, stage| {
        Box::pin(async move {
            let url = crate::harness::amqp_url();
            let variables = [("AMQP_URL", url.as_str())];
            let email = address();
            let mut sent = 0;
            for _ in 0..3 {
                // Comes, takes over or stands by, and goes in the middle of it.
                let other = crate::harness::TestHub::start(&stage.place, &variables).await;
                let batch: Vec<_> =
                    (0..40).map(|n| Inbound::mail(&email, Some("t"), &format!("{:03}", sent + n))).collect();
                sent += batch.len();
                stage.gateway.send(&batch).await;
                other.stop().await;
            }
            let in_order: Vec<_> = (0..sent).map(|n| format!("{n:03}")).collect();
            let mut said = Vec::new();
            eventually("all are there", async || {
                if let [inquiry] = stage.inquiries().await.as_slice() {
                    let id = inquiry["id"].as_str().unwrap();
                    said.clear();
                    for page in 1..=2 {
                        let page = format!("/inquiries/{id}/messages?limit=100&page={page}");
                        let page = stage.admin.get(&page).await.expect(200);
                        let texts = page["data"].as_array().unwrap().iter();
                        said.extend(texts.map(|one| one["message"].as_str().unwrap().to_owned()));
                    }
                }
                said.len() == sent
            })
            .await;
            assert_eq!(said, in_order);
        })
    });
}

/// Neither looks by itself in this test: what one commits wakes the other's notifier through the broker.
#[test]
fn what_one_instance_has_to_tell_wakes_the_other() {
    staged_with(Engine::Full, 2, &[("NEXUS__PUSH__LOOK_EVERY", "1h")], |hubs, stage| {
        Box::pin(async move {
            let manager = hubs[1].sign_in(&stage.manager.email, PASSWORD).await;
            let mut stream = Stream::open(&manager, "/events", None).await;
            for _ in 0..5 {
                let draft = hubs[0].draft(&stage.cso, &stage.admin).await;
                stage.cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
                assert_eq!(stream.next().await.unwrap()["subject"], draft["id"]);
            }
        })
    });
}
