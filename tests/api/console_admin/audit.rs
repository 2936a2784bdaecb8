use std::time::Duration;

use serde_json::json;

use crate::console::visitor::Visitor;
use crate::harness::{TestHub, on_both_engines};

on_both_engines!(the_trail_is_searched_by_what_who_and_when, an_entry_tells_what_it_changed_and_leads_there,);

async fn the_trail_is_searched_by_what_who_and_when(hub: &TestHub) {
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let customer = hub.customer(&admin).await;
    hub.clock.advance(Duration::from_secs(2 * 60 * 60));
    let manager = hub.sign_in(&manager.email, crate::harness::PASSWORD).await;
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let id = customer["id"].as_str().unwrap();
    let (made, signed_in) = ("<code>customer.created</code>", "<code>session.started</code>");
    for (query, has_made, has_signed_in) in [
        (String::new(), true, true),
        ("?entityType=&entityId=&actorId=&from=&to=".to_owned(), true, true),
        ("?entityType=customer".to_owned(), true, false),
        (format!("?entityId={id}"), true, false),
        (format!("?actorId={}", cso.id), false, true),
        // The hub began at eight, and it is ten now.
        ("?from=2100-06-01T08:00&to=2100-06-01T09:00".to_owned(), true, true),
        ("?from=2100-06-01T09:00".to_owned(), false, true),
        ("?entityType=customer&from=2100-06-01T08:00:01".to_owned(), false, false),
        ("?entityType=customer&to=2100-06-01T08:00:01".to_owned(), true, false),
    ] {
        let page = visitor.page(&format!("/audit{query}")).await;
        assert_eq!(page.contains(made), has_made, "{query}: {page}");
        assert_eq!(page.contains(signed_in), has_signed_in, "{query}: {page}");
        assert_eq!(page.contains("No entry matches."), !has_made && !has_signed_in, "{query}");
        let file = visitor.csv(&format!("/audit.csv{query}")).await;
        assert_eq!(file.iter().any(|line| line.contains("customer.created")), has_made, "{query}: {file:?}");
    }
    // Nine hours ahead.
    let tokyo = visitor.with("nexus-zone=Asia/Tokyo");
    let page = tokyo.page("/audit?entityType=customer&from=2100-06-01T17:00&to=2100-06-01T17:01").await;
    assert!(page.contains(made) && page.contains("2100-06-01 17:00"), "{page}");
    assert!(
        visitor.page("/audit?entityType=customer&from=2100-06-01T17:00").await.contains("No entry matches.")
    );
    assert_eq!(visitor.get("/audit?from=yesterday").await.status, 400);
}

async fn an_entry_tells_what_it_changed_and_leads_there(hub: &TestHub) {
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let path = format!("/users/{}", cso.id);
    let change = json!({"firstName": "<b>Ada", "maxOpenInquiries": 7, "skills": ["billing"]});
    admin.patch(&path, change).await.expect(200);
    let key = admin.post("/api-keys", json!({"name": "Mine", "scopes": ["inbound"]})).await.expect(201);
    let letter = crate::dead_letters::buried(hub, &admin).await["id"].as_str().unwrap().to_owned();
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let page = visitor.page(&format!("/audit?entityType=user&entityId={}", cso.id)).await;
    for told in [
        "<code>user.updated</code>",
        &format!("href=\"{path}\">User</a>"),
        &format!("href=\"/users/{}\">Test User</a>", admin.id),
        "firstName, maxOpenInquiries, skills",
        "<th scope=\"row\">maxOpenInquiries</th><td class=\"prose\">20</td><td class=\"prose\">7</td>",
        "<td class=\"prose\">Test</td><td class=\"prose\">&lt;b&gt;Ada</td>",
        "The hub itself",
    ] {
        assert!(page.contains(told), "no {told} in {page}");
    }
    let made = visitor.page(&format!("/audit?entityId={}", key["id"].as_str().unwrap())).await;
    assert!(made.contains("API key") && !made.contains(key["key"].as_str().unwrap()));
    // Admins alone have a page of that.
    let letters = "/audit?entityType=dead_letter";
    let link = format!("href=\"/dead-letters/{letter}\"");
    assert!(!visitor.page(letters).await.contains(&link));
    assert!(Visitor::sign_in(hub, &admin.email).await.page(letters).await.contains(&link));
}
