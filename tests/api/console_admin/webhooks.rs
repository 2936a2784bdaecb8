use serde_json::{Value, json};

use super::tells;
use crate::console::visitor::{Visitor, between};
use crate::harness::{Client, TestHub, eventually, on_both_engines};
use crate::webhooks::LOCAL;
use crate::webhooks::receiver::{Manner, Receiver};

on_both_engines!(
    with LOCAL;
    a_webhook_is_made_changed_switched_and_deleted,
    a_secret_is_shown_once_when_it_is_made_and_when_it_is_rotated,
    attempts_are_shown_filtered_and_replayed,
);

const SECRET: &str = "aria-label=\"The secret that signs its calls.\">";

async fn only(admin: &Client) -> Value {
    let listed = admin.get("/webhooks").await.expect(200);
    assert_eq!(listed["meta"]["total"], 1);
    listed["data"][0].clone()
}

async fn a_webhook_is_made_changed_switched_and_deleted(hub: &TestHub) {
    let admin = hub.admin().await;
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let form = visitor.page("/webhooks/new").await;
    assert!(form.contains("value=\"response.approved\"") && !form.contains("value=\"session.started\""));
    let wrong = [("url", "ftp://example.com"), ("description", "CRM")];
    let refused = visitor.post("/webhooks", &wrong).await;
    let told = ["URL: must be", "Events: must be filled in", "value=\"ftp://example.com\"", "value=\"CRM\""];
    tells(&refused, 422, &told);

    let right = [
        ("url", "https://example.com/hook"),
        ("events", "customer.created"),
        ("events", "inquiry.created"),
        ("description", "CRM"),
    ];
    tells(&visitor.post("/webhooks", &right).await, 200, &["https://example.com/hook", "No call matches."]);
    let made = only(&admin).await;
    assert_eq!((&made["url"], &made["description"]), (&json!("https://example.com/hook"), &json!("CRM")));
    assert_eq!(made["events"], json!(["customer.created", "inquiry.created"]));
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
    let list = visitor.page("/webhooks").await;
    assert!(list.contains(&format!("href=\"{path}\"")) && list.contains("customer.created, inquiry.created"));
    let file = visitor.csv("/webhooks.csv").await;
    assert!(file.len() == 2 && file[1].contains("https://example.com/hook"), "{file:?}");

    let page = visitor.page(&path).await;
    assert!(page.contains("value=\"customer.created\" checked") && page.contains("value=\"user.created\">"));
    let change = [("url", "https://example.com/other"), ("events", "*"), ("description", "")];
    tells(&visitor.post_from(&path, &path, &change).await, 200, &["Saved.", "https://example.com/other"]);
    let changed = only(&admin).await;
    assert_eq!((&changed["events"], &changed["description"]), (&json!(["*"]), &Value::Null));
    let nothing = [("url", "https://example.com/third")];
    let refused = visitor.post_from(&path, &path, &nothing).await;
    tells(&refused, 422, &["Events: must be filled in", "value=\"https://example.com/third\""]);
    let stale = [("url", "https://example.com/third"), ("events", "*"), ("version", "1")];
    tells(&visitor.post(&path, &stale).await, 412, &["It was changed by someone else"]);
    assert_eq!(only(&admin).await, changed);

    tells(
        &visitor.post_from(&path, &format!("{path}/disable"), &[]).await,
        200,
        &["It is disabled.", "Enable"],
    );
    assert_eq!(only(&admin).await["isEnabled"], false);
    tells(&visitor.post_from(&path, &format!("{path}/enable"), &[]).await, 200, &["It is enabled."]);
    assert_eq!(only(&admin).await["isEnabled"], true);
    let deleted = visitor.post_from(&path, &format!("{path}/delete"), &[]).await;
    tells(&deleted, 200, &["The webhook was deleted.", "There is no webhook."]);
    admin.get(&path).await.problem(404);
    assert_eq!(visitor.get(&path).await.status, 404);
}

async fn a_secret_is_shown_once_when_it_is_made_and_when_it_is_rotated(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let made = visitor.post("/webhooks", &[("url", &receiver.url), ("events", "customer.created")]).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let first = between(&made.text, SECRET, "<");
    let path = format!("/webhooks/{}", only(&admin).await["id"].as_str().unwrap());
    assert!(first.starts_with("whsec_") && !visitor.page(&path).await.contains("whsec_"));
    let rotated = visitor.post_from(&path, &format!("{path}/rotate"), &[]).await;
    tells(&rotated, 200, &["it is not shown again"]);
    let second = between(&rotated.text, SECRET, "<");
    assert!(second.starts_with("whsec_") && second != first);
    assert!(!visitor.page(&path).await.contains("whsec_"));
    hub.customer(&admin).await;
    eventually("it was called", async || receiver.count() == 1).await;
    assert_eq!(receiver.calls()[0].signed_by(&[second, first]), [1, 1]);
}

async fn attempts_are_shown_filtered_and_replayed(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    receiver.behave(Manner::Answer(500, ""));
    let input = json!({"url": receiver.url, "events": ["customer.created"]});
    let webhook = admin.post("/webhooks", input).await.expect(201);
    let path = format!("/webhooks/{}", webhook["id"].as_str().unwrap());
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    hub.customer(&admin).await;
    eventually("the attempt shows", async || visitor.page(&path).await.contains("HTTP 500")).await;
    let failed = visitor.page(&format!("{path}?succeeded=false")).await;
    for told in ["HTTP 500", "customer.created", "seen", "Attempt 1", " ms", "To be tried again at"] {
        assert!(failed.contains(told), "no {told} in {failed}");
    }
    assert!(visitor.page(&format!("{path}?succeeded=true")).await.contains("No call matches."));
    let file = visitor.csv(&format!("{path}.csv?succeeded=false")).await;
    assert!(
        file.len() == 2 && file[1].contains("customer.created") && file[1].contains(",500,seen,"),
        "{file:?}"
    );
    assert_eq!(visitor.csv(&format!("{path}.csv?succeeded=true")).await.len(), 1);

    receiver.behave(Manner::Answer(204, ""));
    let attempts = admin.get(&format!("{path}/attempts")).await.expect(200);
    let replay = format!("{path}/attempts/{}/replay", attempts["data"][0]["id"].as_str().unwrap());
    assert!(failed.contains(&format!("action=\"{replay}\"")));
    tells(&visitor.post(&replay, &[]).await, 200, &["It is called again."]);
    let succeeded = format!("{path}?succeeded=true");
    eventually("the replay shows", async || visitor.page(&succeeded).await.contains("HTTP 204")).await;
    assert_eq!(receiver.count(), 2);

    admin.patch(&path, json!({"isEnabled": false})).await.expect(200);
    assert!(!visitor.page(&path).await.contains(&replay), "a disabled one is called no more");
    tells(&visitor.post(&replay, &[]).await, 409, &["The webhook is disabled"]);
    let missing = format!("{path}/attempts/{}/replay", uuid::Uuid::new_v4());
    assert_eq!(visitor.post(&missing, &[]).await.status, 404);
}
