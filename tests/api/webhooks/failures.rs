//! Calls that fail: made again by the clock, and not for ever.

use std::time::Duration;

use nexus_actors::mailbox::Panic;
use serde_json::{Value, json};

use super::receiver::{Manner, Receiver};
use super::{LOCAL, attempts, called, hook};
use crate::harness::{TestHub, eventually, on_both_engines};

on_both_engines!(
    with LOCAL;
    a_failed_call_is_made_again_after_growing_pauses,
    a_redirect_is_not_followed,
    one_that_is_gone_is_disabled_and_admins_are_told,
    one_that_has_failed_for_days_is_disabled,
    a_call_the_hub_died_over_is_made_again,
);

async fn a_failed_call_is_made_again_after_growing_pauses(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let hook = hook(&admin, &receiver, json!(["customer.created"])).await;
    receiver.behave(Manner::Answer(500, ""));
    hub.customer(&admin).await;
    let first = attempts(&admin, &hook, 1).await.remove(0);
    assert_eq!((&first["succeeded"], &first["responseStatus"]), (&json!(false), &json!(500)));
    assert_eq!((&first["responseBody"], &first["messageStatus"]), (&json!("seen"), &json!("pending")));
    let failing = admin.get(&hook.path).await.expect(200);
    assert_eq!(failing["failingSince"], first["createdAt"]);
    assert_eq!(failing["version"], 1, "nobody has changed it");

    // Just before it is due, a new message is called and the old one is not.
    hub.clock.advance(Duration::from_millis(4_999));
    receiver.behave(Manner::Close);
    hub.customer(&admin).await;
    let second = attempts(&admin, &hook, 2).await.remove(0);
    assert_ne!(second["messageId"], first["messageId"]);
    assert_eq!((&second["attempt"], &second["responseStatus"]), (&json!(1), &Value::Null));
    assert!(second["error"].is_string(), "{second}");

    // By then both are due again; one asks for more time.
    receiver.behave(Manner::Answer(503, "retry-after: 600\r\n"));
    hub.clock.advance(Duration::from_secs(6));
    let four = attempts(&admin, &hook, 4).await;
    assert!(four[..2].iter().all(|one| one["attempt"] == 2 && one["responseStatus"] == 503), "{four:?}");
    receiver.behave(Manner::Answer(200, ""));
    hub.clock.advance(Duration::from_secs(599));
    hub.customer(&admin).await;
    attempts(&admin, &hook, 5).await;
    assert_eq!(admin.get(&hook.path).await.expect(200)["failingSince"], Value::Null);
    hub.clock.advance(Duration::from_secs(1));
    let seven = attempts(&admin, &hook, 7).await;
    assert!(seven[..2].iter().all(|one| one["attempt"] == 3 && one["succeeded"] == true), "{seven:?}");

    hub.clock.advance(Duration::from_secs(86_400));
    hub.customer(&admin).await;
    attempts(&admin, &hook, 8).await;
    let failed = admin.get(&format!("{}/attempts?succeeded=false", hook.path)).await.expect(200);
    assert_eq!(failed["meta"]["total"], 4);
}

async fn a_redirect_is_not_followed(hub: &TestHub) {
    let (admin, receiver, elsewhere) = (hub.admin().await, Receiver::start(), Receiver::start());
    let hook = hook(&admin, &receiver, json!(["customer.created"])).await;
    receiver.behave(Manner::Redirect(elsewhere.url.clone()));
    hub.customer(&admin).await;
    let tried = attempts(&admin, &hook, 1).await.remove(0);
    assert_eq!((&tried["succeeded"], &tried["responseStatus"]), (&json!(false), &json!(302)));
    assert_eq!(elsewhere.count(), 0);
}

async fn one_that_is_gone_is_disabled_and_admins_are_told(hub: &TestHub) {
    let (admin, manager, receiver) = (hub.admin().await, hub.manager().await, Receiver::start());
    let hook = hook(&admin, &receiver, json!(["customer.created"])).await;
    receiver.behave(Manner::Answer(410, ""));
    hub.customer(&admin).await;
    let tried = attempts(&admin, &hook, 1).await.remove(0);
    assert_eq!(tried["messageStatus"], "failed");
    eventually("it is disabled", async || {
        admin.get(&hook.path).await.expect(200)["isEnabled"] == json!(false)
    })
    .await;
    assert_eq!(admin.get(&hook.path).await.expect(200)["disabledReason"], "it answered 410 Gone");

    let told = async || admin.get("/notifications").await.expect(200)["data"].clone();
    eventually("admins are told", async || told().await[0]["type"] == "webhook.disabled").await;
    let told = told().await[0].clone();
    assert_eq!(told["data"]["url"], receiver.url);
    assert!(!told.to_string().contains("whsec_"));
    let others = manager.get("/notifications").await.expect(200);
    assert_eq!(others["meta"]["total"], 0);

    receiver.behave(Manner::Answer(200, ""));
    let enabled = admin.patch(&hook.path, json!({"isEnabled": true})).await.expect(200);
    assert_eq!(enabled["disabledReason"], Value::Null);
    hub.customer(&admin).await;
    called(&receiver, 2).await;
}

async fn one_that_has_failed_for_days_is_disabled(hub: &TestHub) {
    const DAY: Duration = Duration::from_secs(86_400);
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let hook = hook(&admin, &receiver, json!(["customer.created"])).await;
    receiver.behave(Manner::Answer(500, ""));
    hub.customer(&admin).await;
    let mut tried = 1;
    attempts(&admin, &hook, tried).await;
    for day in 1..=5 {
        assert_eq!(admin.get(&hook.path).await.expect(200)["isEnabled"], true, "day {day}");
        hub.clock.advance(DAY);
        // By now the message is due again, once.
        tried += 1;
        attempts(&admin, &hook, tried).await;
    }
    eventually("it is disabled", async || {
        admin.get(&hook.path).await.expect(200)["isEnabled"] == json!(false)
    })
    .await;
    let disabled = admin.get(&hook.path).await.expect(200);
    let reason = format!("every call has failed since {}", disabled["failingSince"].as_str().unwrap());
    assert_eq!(disabled["disabledReason"], reason);
}

async fn a_call_the_hub_died_over_is_made_again(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let hook = hook(&admin, &receiver, json!(["customer.created"])).await;
    receiver.behave(Manner::Silent);
    hub.customer(&admin).await;
    called(&receiver, 1).await;
    let dispatcher = hub.app.hub.webhook_dispatcher.as_ref().unwrap();
    dispatcher.ask(Panic).await.unwrap_err();
    receiver.behave(Manner::Answer(200, ""));
    // While the claim holds nobody else calls it.
    hub.clock.advance(Duration::from_secs(89));
    hub.customer(&admin).await;
    called(&receiver, 2).await;
    attempts(&admin, &hook, 1).await;
    hub.clock.advance(Duration::from_secs(1));
    let calls = called(&receiver, 3).await;
    assert_eq!(calls[0].header("webhook-id"), calls[2].header("webhook-id"));
    assert_eq!(calls[0].body, calls[2].body);
    let tried = attempts(&admin, &hook, 2).await.remove(0);
    assert_eq!((&tried["attempt"], &tried["messageStatus"]), (&json!(1), &json!("delivered")));
}
