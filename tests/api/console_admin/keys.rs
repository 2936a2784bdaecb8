use reqwest::Method;
use serde_json::json;

use super::tells;
use crate::console::visitor::{Visitor, between};
use crate::harness::{TestHub, on_both_engines};

on_both_engines!(a_key_is_shown_once_and_opens_until_it_is_revoked);

async fn a_key_is_shown_once_and_opens_until_it_is_revoked(hub: &TestHub) {
    let admin = hub.admin().await;
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    assert!(visitor.page("/api-keys").await.contains("There is no key."));
    let refused = visitor.post("/api-keys", &[("name", "Mail gateway")]).await;
    tells(&refused, 422, &["Scopes: must be filled in", "value=\"Mail gateway\""]);
    let unknown = visitor.post("/api-keys", &[("name", "Mail gateway"), ("scopes", "everything")]).await;
    tells(&unknown, 422, &["Scopes: is none of those there are"]);
    assert_eq!(admin.get("/api-keys").await.expect(200)["meta"]["total"], 0);

    let fields = [("name", "Mail gateway"), ("scopes", "inbound"), ("scopes", "deliveries")];
    let made = visitor.post("/api-keys", &fields).await;
    tells(&made, 200, &["it is not shown again"]);
    assert_eq!(made.header("cache-control"), "no-store");
    let key = between(&made.text, "aria-label=\"Mail gateway\">", "<").to_owned();
    assert!(key.starts_with("nxk_") && made.text.matches(&key).count() == 1, "{key}");
    let page = visitor.page("/api-keys").await;
    assert!(page.contains("Mail gateway") && page.contains(&key[..10]) && !page.contains(&key));
    let file = visitor.csv("/api-keys.csv").await;
    assert!(file.len() == 2 && file[1].contains("Mail gateway") && !file[1].contains(&key), "{file:?}");
    let listed = admin.get("/api-keys").await.expect(200)["data"][0].clone();
    assert_eq!(
        (&listed["name"], &listed["scopes"]),
        (&json!("Mail gateway"), &json!(["inbound", "deliveries"]))
    );
    let open = async || {
        let key = [("x-api-key", key.as_str())];
        hub.anonymous().send(Method::GET, "/deliveries", None, &key).await.status
    };
    assert_eq!(open().await, 200);
    assert!(!visitor.page("/api-keys").await.contains("Never"), "it has been used");

    let revoke = format!("/api-keys/{}/revoke", listed["id"].as_str().unwrap());
    assert!(visitor.page("/api-keys").await.contains(&format!("action=\"{revoke}\"")));
    tells(&visitor.post(&revoke, &[]).await, 200, &["The key was revoked.", "There is no key."]);
    assert_eq!(open().await, 401);
    assert_eq!(visitor.post(&revoke, &[]).await.status, 404);
}
