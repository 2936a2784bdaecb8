//! The console's pages of administration, as a browser without a script has them.

mod audit;
mod keys;
mod letters;
mod policies;
mod users;
mod webhooks;

use serde_json::json;

use crate::console::visitor::{Visitor, posted};
use crate::harness::{Reply, TestHub, on_both_engines};

on_both_engines!(
    managers_look_at_users_policies_and_the_trail_and_csos_at_nothing,
    a_form_without_the_sessions_token_does_nothing,
    the_hub_tells_how_it_and_what_it_needs_fare,
    the_pages_are_there_in_german,
);

/// Checks the status, and that the page tells all of this.
#[track_caller]
pub fn tells(answer: &Reply, status: u16, texts: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text);
    for text in texts {
        assert!(answer.text.contains(text), "no {text} in {}", answer.text);
    }
}

async fn managers_look_at_users_policies_and_the_trail_and_csos_at_nothing(hub: &TestHub) {
    const LOOKED_AT: &[&str] = &["/users", "/users.csv", "/policies", "/audit", "/audit.csv"];
    const MANAGED: &[&str] = &[
        "/users/new",
        "/api-keys",
        "/api-keys.csv",
        "/webhooks",
        "/webhooks.csv",
        "/webhooks/new",
        "/dead-letters",
        "/dead-letters.csv",
        "/system",
    ];
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let user = format!("/users/{}", cso.id);
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    for path in LOOKED_AT {
        assert_eq!(visitor.get(path).await.status, 200, "{path}");
    }
    let list = visitor.page("/users").await;
    assert!(list.contains(&cso.email) && !list.contains("/users/new"));
    assert!(!list.contains("href=\"/api-keys\"") && !list.contains("href=\"/system\""));
    let page = visitor.page(&user).await;
    assert!(page.contains(&cso.email) && !page.contains(&format!("action=\"{user}")));
    let csos = Visitor::sign_in(hub, &cso.email).await;
    for path in LOOKED_AT.iter().chain(MANAGED).chain([&user.as_str()]) {
        assert_eq!(csos.get(path).await.status, 403, "{path}");
    }
    for path in MANAGED {
        assert_eq!(visitor.get(path).await.status, 403, "{path}");
    }

    let before = admin.get(&user).await.expect(200);
    for who in [&visitor, &csos] {
        for (path, fields) in [
            (user.clone(), [("role", "admin"), ("first-name", "X")]),
            (format!("{user}/deactivate"), [("version", "1"), ("x", "")]),
            (format!("{user}/reset-second-factor"), [("version", "1"), ("x", "")]),
            ("/users".to_owned(), [("email", "new@example.com"), ("role", "admin")]),
            ("/api-keys".to_owned(), [("name", "Mine"), ("scopes", "inbound")]),
            ("/webhooks".to_owned(), [("url", "https://example.com"), ("events", "*")]),
        ] {
            assert_eq!(who.post(&path, &fields).await.status, 403, "{path}");
        }
    }
    assert_eq!(admin.get(&user).await.expect(200), before);
    for list in ["/api-keys", "/webhooks"] {
        assert_eq!(admin.get(list).await.expect(200)["meta"]["total"], 0);
    }
    assert_eq!(admin.get("/users").await.expect(200)["meta"]["total"], 3);
}

async fn a_form_without_the_sessions_token_does_nothing(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let other = Visitor::sign_in(hub, &admin.email).await;
    let user = format!("/users/{}", cso.id);
    let before = admin.get(&user).await.expect(200);
    for token in [&[][..], &[("form-token", "made-up")], &[("form-token", other.token.as_str())]] {
        for (path, fields) in [
            ("/api-keys".to_owned(), [("name", "Mine"), ("scopes", "inbound")]),
            ("/webhooks".to_owned(), [("url", "https://example.com"), ("events", "*")]),
            (user.clone(), [("first-name", "Eve"), ("last-name", "Doe")]),
            (format!("{user}/deactivate"), [("version", "1"), ("x", "")]),
        ] {
            let answer = posted(
                &visitor.client,
                &format!("/{path}"),
                &[&fields[..], token].concat(),
                &[("cookie", &visitor.cookies)],
            )
            .await;
            assert_eq!(answer.status, 403, "{path}");
        }
    }
    assert_eq!(admin.get(&user).await.expect(200), before);
    for list in ["/api-keys", "/webhooks"] {
        assert_eq!(admin.get(list).await.expect(200)["meta"]["total"], 0);
    }
}

async fn the_hub_tells_how_it_and_what_it_needs_fare(hub: &TestHub) {
    let admin = hub.admin().await;
    let inquiry = hub.inquiry(&admin).await;
    assert_eq!(inquiry["assignedTo"], json!(null));
    let page = Visitor::sign_in(hub, &admin.email).await.page("/system").await;
    for told in
        ["Database", "Redis", "Broker", env!("CARGO_PKG_VERSION"), "Writer", "ApprovalCoordinator", "Running"]
    {
        assert!(page.contains(told), "no {told} in {page}");
    }
    // As a whole, and one by one.
    assert_eq!(page.matches("data-tone=\"up\"").count(), 5, "{page}");
    assert!(page.contains("Inquiries nobody has</th><td class=\"number\">1</td>"), "{page}");
}

async fn the_pages_are_there_in_german(hub: &TestHub) {
    let admin = hub.admin().await;
    let visitor = Visitor::sign_in(hub, &admin.email).await.with("nexus-language=de");
    for (path, told) in [
        ("/users", "Neuer Benutzer"),
        ("/users/new", "Mindestens 12 Zeichen"),
        ("/api-keys", "Es gibt keinen Schlüssel."),
        ("/webhooks", "Es gibt keinen Webhook."),
        ("/webhooks/new", "Alle Ereignisse, auch künftige"),
        ("/dead-letters", "Keine Nachricht passt."),
        ("/policies", "Es gibt keine;"),
        ("/audit", "Das Neueste zuerst"),
        ("/system", "Nachrichten in Arbeit"),
    ] {
        let page = visitor.page(path).await.to_lowercase();
        assert!(page.contains(&told.to_lowercase()) && page.contains("lang=\"de\""), "{path}: {page}");
    }
    let refused = visitor.post("/api-keys", &[("name", "")]).await;
    tells(&refused, 422, &["Name: muss ausgefüllt sein", "Berechtigungen: muss ausgefüllt sein"]);
}
