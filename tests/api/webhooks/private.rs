//! No webhook reaches what is within the hub's reach alone.

use std::time::Duration;

use serde_json::json;

use super::attempts;
use super::receiver::{Manner, Receiver};
use super::{Hook, LOCAL};
use crate::behind::execute;
use crate::harness::{TestHub, on_both_engines, path};

const PATIENT: &[(&str, &str)] = &[("JWT_EXPIRATION", "60d")];

on_both_engines!(
    with PATIENT;
    a_private_address_cannot_be_named,
    a_private_address_is_not_called_whatever_the_name,
);

async fn a_private_address_cannot_be_named(hub: &TestHub) {
    let admin = hub.admin().await;
    let public = json!({"url": "https://example.com/hooks", "events": ["customer.deleted"]});
    let hook = path("webhooks", &admin.post("/webhooks", public).await.expect(201));
    for url in [
        "http://127.0.0.1:3000/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://localhost:5432/",
        "http://sub.localhost/",
        "http://0.0.0.0/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
    ] {
        let input = json!({"url": url, "events": ["*"]});
        assert_eq!(admin.post("/webhooks", input).await.invalid(), ["/url"], "{url}");
        assert_eq!(admin.patch(&hook, json!({"url": url})).await.invalid(), ["/url"], "{url}");
    }
}

/// As when the name resolves to something else by now.
async fn a_private_address_is_not_called_whatever_the_name(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let input = json!({"url": "https://example.com/", "events": ["customer.created"]});
    let created = admin.post("/webhooks", input).await.expect(201);
    let hook = Hook { path: path("webhooks", &created), secret: String::new() };
    let port = url::Url::parse(&receiver.url).unwrap().port().unwrap();
    let mut count = 0;
    for host in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        execute(hub, format!("update webhooks set url = 'http://{host}:{port}/'").leak()).await;
        hub.customer(&admin).await;
        count += 1;
        let tried = attempts(&admin, &hook, count).await.remove(0);
        assert_eq!(tried["error"], "refused: the host has a private address", "{host}: {tried}");
    }
    assert_eq!(receiver.count(), 0);
}

on_both_engines!(with LOCAL; allowed_by_the_operator_it_is_called);

async fn allowed_by_the_operator_it_is_called(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let port = url::Url::parse(&receiver.url).unwrap().port().unwrap();
    let input = json!({"url": format!("http://localhost:{port}/"), "events": ["customer.created"]});
    let created = admin.post("/webhooks", input).await.expect(201);
    let hook = Hook { path: path("webhooks", &created), secret: String::new() };
    receiver.behave(Manner::Answer(500, ""));
    hub.customer(&admin).await;
    attempts(&admin, &hook, 1).await;
    hub.clock.advance(Duration::from_secs(6));
    attempts(&admin, &hook, 2).await;
    assert_eq!(receiver.count(), 2);
}
