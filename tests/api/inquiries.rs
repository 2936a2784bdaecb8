//! What a customer asks, as it is taken in and kept.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    a_new_inquiry_has_the_defaults_of_the_contract,
    a_new_inquiry_keeps_everything_it_is_given,
    an_inquiry_is_of_a_customer_who_exists,
    an_inquiry_outlives_its_customer,
    what_an_inquiry_may_not_be,
    a_put_takes_the_whole_and_clears_what_is_left_out,
    a_stale_if_match_changes_nothing,
    an_inquiry_is_found_by_everything_it_is,
    the_audit_trail_tells_an_inquirys_life,
);

async fn a_new_inquiry_has_the_defaults_of_the_contract(hub: &TestHub) {
    let admin = hub.admin().await;
    let customer = hub.customer(&admin).await;
    let asked = json!({"customerId": customer["id"], "subject": "Where is it?", "message": " Late.\r\n"});
    let reply = admin.post("/inquiries", asked).await;
    assert_eq!((reply.status, reply.header("etag")), (201, "\"1\""));
    let inquiry = reply.json();
    assert_eq!(reply.header("location"), format!("/api/v1{}", path("inquiries", &inquiry)));
    let now = hub.clock.now();
    let expected = json!({
        "id": inquiry["id"], "version": 1, "createdAt": now, "updatedAt": now,
        "customerId": customer["id"], "subject": "Where is it?",
        "message": " Late.\r\n", "status": "pending", "priority": "medium", "category": "general",
        "channel": "api", "externalId": null, "threadId": null, "assignedTo": null, "assignedAt": null
    });
    assert_eq!(inquiry, expected);
    assert_eq!(admin.get(&path("inquiries", &inquiry)).await.expect(200), expected);

    let conversation = admin.get(&format!("{}/messages", path("inquiries", &inquiry))).await.expect(200);
    let first = &conversation["data"][0];
    assert_eq!(conversation["meta"]["total"], 1);
    assert_eq!((&first["direction"], &first["message"]), (&json!("inbound"), &json!(" Late.\r\n")));
}

async fn a_new_inquiry_keeps_everything_it_is_given(hub: &TestHub) {
    let cso = hub.cso().await;
    let customer = hub.customer(&hub.admin().await).await;
    let asked = json!({"customerId": customer["id"], "subject": "S", "message": "M", "priority": "urgent",
        "category": "shipping", "channel": "web-chat_2"});
    let inquiry = cso.post("/inquiries", asked.clone()).await.expect(201);
    for (field, value) in asked.as_object().unwrap() {
        assert_eq!(inquiry[field], *value, "{field}");
    }
}

async fn an_inquiry_is_of_a_customer_who_exists(hub: &TestHub) {
    let admin = hub.admin().await;
    let deleted = hub.customer(&admin).await;
    admin.delete(&path("customers", &deleted)).await.expect(204);
    for customer in [json!(Uuid::new_v4()), deleted["id"].clone()] {
        let asked = json!({"customerId": customer, "subject": "S", "message": "M"});
        assert_eq!(admin.post("/inquiries", asked).await.invalid(), ["/customerId"]);
    }
    assert_eq!(found(&admin, "").await, [] as [Value; 0]);
}

async fn an_inquiry_outlives_its_customer(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let inquiry = hub.inquiry(&admin).await;
    admin.delete(&format!("/customers/{}", inquiry["customerId"].as_str().unwrap())).await.expect(204);
    assert_eq!(cso.get(&path("inquiries", &inquiry)).await.expect(200), inquiry);
    let status = format!("{}/status", path("inquiries", &inquiry));
    cso.patch(&status, json!({"status": "in_progress"})).await.expect(200);
    let draft = json!({"inquiryId": inquiry["id"], "message": "M"});
    cso.post("/responses", draft).await.expect(201);
}

async fn what_an_inquiry_may_not_be(hub: &TestHub) {
    let admin = hub.admin().await;
    let customer = hub.customer(&admin).await;
    let valid = json!({"customerId": customer["id"], "subject": "S", "message": "M"});
    let wrong = [
        ("subject", json!(" ")),
        ("subject", json!("two\r\nlines")),
        ("subject", json!("s".repeat(301))),
        ("message", json!("\n")),
        ("message", json!("a\0b")),
        ("priority", json!("highest")),
        ("priority", Value::Null),
        ("category", json!("c".repeat(101))),
        ("channel", json!("Email")),
        ("channel", json!("2chat")),
        ("channel", json!("a".repeat(33))),
        ("status", json!("closed")),
        ("assignedTo", json!(admin.id)),
    ];
    for (field, value) in wrong {
        let mut asked = valid.clone();
        asked[field] = value;
        assert_eq!(admin.post("/inquiries", asked.clone()).await.invalid(), [format!("/{field}")], "{asked}");
    }
    for field in ["customerId", "subject", "message"] {
        let mut asked = valid.clone();
        asked.as_object_mut().unwrap().remove(field);
        assert_eq!(admin.post("/inquiries", asked).await.invalid(), [format!("/{field}")]);
    }
    assert_eq!(found(&admin, "").await, [] as [Value; 0]);
    admin.post("/inquiries", valid).await.expect(201);
}

async fn a_put_takes_the_whole_and_clears_what_is_left_out(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let customer = hub.customer(&admin).await;
    let asked = json!({"customerId": customer["id"], "subject": "S", "message": "M", "priority": "urgent",
        "category": "shipping", "channel": "chat"});
    let before = admin.post("/inquiries", asked).await.expect(201);
    assert_eq!(before["assignedTo"], json!(cso.id));
    hub.clock.advance(std::time::Duration::from_secs(1));

    let whole = json!({"subject": "S2", "message": "M2", "priority": "high", "category": "billing"});
    let changed = cso.put(&path("inquiries", &before), whole.clone()).await.expect(200);
    let mut expected = before.clone();
    for (field, value) in whole.as_object().unwrap() {
        expected[field] = value.clone();
    }
    expected["version"] = json!(2);
    expected["updatedAt"] = json!(hub.clock.now());
    assert_eq!(changed, expected);

    let bare = json!({"subject": "S3", "message": "M3"});
    let cleared = cso.put(&path("inquiries", &before), bare).await.expect(200);
    assert_eq!((&cleared["priority"], &cleared["category"]), (&json!("medium"), &json!("general")));
    for kept in ["channel", "status", "customerId", "assignedTo", "assignedAt", "createdAt"] {
        assert_eq!(cleared[kept], before[kept], "{kept}");
    }
    for part in [json!({"subject": "S"}), json!({"message": "M"})] {
        assert_eq!(cso.put(&path("inquiries", &before), part).await.status, 422);
    }
    assert_eq!(cso.get(&path("inquiries", &before)).await.expect(200), cleared);
}

async fn a_stale_if_match_changes_nothing(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let inquiry = hub.inquiry(&admin).await;
    let own = path("inquiries", &inquiry);
    let writes = [
        (Method::PUT, own.clone(), json!({"subject": "S", "message": "M"})),
        (Method::PATCH, format!("{own}/status"), json!({"status": "in_progress"})),
        (Method::POST, format!("{own}/assign"), json!({"assigneeId": cso.id})),
        (Method::POST, format!("{own}/assign"), json!({"assigneeId": "auto"})),
    ];
    for (method, path, body) in writes {
        let before = admin.get(&own).await.expect(200);
        let version = before["version"].as_i64().unwrap();
        for stale in [version - 1, version + 1] {
            let tag = format!("\"{stale}\"");
            admin.send(method.clone(), &path, Some(body.clone()), &[("if-match", &tag)]).await.problem(412);
            assert_eq!(admin.get(&own).await.expect(200), before, "{path}");
        }
        let tag = format!("\"{version}\"");
        let done = admin.send(method, &path, Some(body), &[("if-match", &tag)]).await;
        assert_eq!(done.header("etag"), format!("\"{}\"", version + 1), "{path}");
        assert_eq!(done.expect(200)["version"], version + 1, "{path}");
    }
}

async fn an_inquiry_is_found_by_everything_it_is(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let (ada, bob) = (hub.customer(&admin).await, hub.customer(&admin).await);
    let ask = |customer: &Value, subject: &str, priority: &str, category: &str, channel: &str| {
        json!({"customerId": customer["id"], "subject": subject, "message": "M", "priority": priority,
            "category": category, "channel": channel})
    };
    let first =
        cso.post("/inquiries", ask(&ada, "Lost parcel", "urgent", "shipping", "email")).await.expect(201);
    admin.patch(&format!("/users/{}", cso.id), json!({"availability": "away"})).await.expect(200);
    let second =
        cso.post("/inquiries", ask(&bob, "Wrong invoice", "low", "billing", "chat")).await.expect(201);
    // Handed on as its CSO went away; in progress it would have stayed.
    let status = format!("{}/status", path("inquiries", &second));
    cso.patch(&status, json!({"status": "closed"})).await.expect(200);
    let manual = json!({"assigneeId": cso.id});
    admin.post(&format!("{}/assign", path("inquiries", &first)), manual).await.expect(200);
    let id = |entity: &Value| entity["id"].as_str().unwrap().to_owned();
    let cases = [
        ("status=pending".to_owned(), vec![&first]),
        ("status=closed,responded".to_owned(), vec![&second]),
        ("status=pending,closed".to_owned(), vec![&first, &second]),
        ("status=pending,pending,closed".to_owned(), vec![&first, &second]),
        ("priority=urgent,high".to_owned(), vec![&first]),
        ("priority=low".to_owned(), vec![&second]),
        ("category=billing".to_owned(), vec![&second]),
        ("channel=email".to_owned(), vec![&first]),
        (format!("customerId={}", id(&bob)), vec![&second]),
        (format!("assignedTo={}", cso.id), vec![&first]),
        ("assignedTo=me".to_owned(), vec![&first]),
        ("assignedTo=none".to_owned(), vec![&second]),
        ("q=parc".to_owned(), vec![&first]),
        ("q=parc&status=closed".to_owned(), vec![]),
        (format!("createdFrom={}", hub.clock.now()), vec![&first, &second]),
        (format!("createdTo={}", hub.clock.now()), vec![]),
        ("sortBy=priority".to_owned(), vec![&second, &first]),
    ];
    for (query, expected) in cases {
        let expected: Vec<_> = expected.into_iter().map(|one| one["id"].clone()).collect();
        assert_eq!(found(&cso, &query).await, expected, "{query}");
    }
}

async fn the_audit_trail_tells_an_inquirys_life(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let inquiry = hub.inquiry(&admin).await;
    let own = path("inquiries", &inquiry);
    cso.put(&own, json!({"subject": "S", "message": "M"})).await.expect(200);
    for status in ["in_progress", "closed", "in_progress"] {
        cso.patch(&format!("{own}/status"), json!({"status": status})).await.expect(200);
    }
    admin.post(&format!("{own}/assign"), json!({"assigneeId": cso.id})).await.expect(200);
    let trail = format!("/audit?entityId={}&sortOrder=asc", inquiry["id"].as_str().unwrap());
    let trail = admin.get(&trail).await.expect(200)["data"].clone();
    let told: Vec<_> = trail
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["action"].as_str().unwrap(), one["actorId"].clone()))
        .collect();
    let expected = [
        ("inquiry.created", json!(admin.id)),
        ("inquiry.assigned", Value::Null),
        ("inquiry.updated", json!(cso.id)),
        ("inquiry.status_changed", json!(cso.id)),
        ("inquiry.status_changed", json!(cso.id)),
        ("inquiry.reopened", json!(cso.id)),
        ("inquiry.assigned", json!(admin.id)),
    ];
    assert_eq!(told, expected);
}

/// The ids of a list, oldest first unless the query says otherwise.
async fn found(reader: &Client, query: &str) -> Vec<Value> {
    let list = reader.get(&format!("/inquiries?sortOrder=asc&{query}")).await.expect(200);
    list["data"].as_array().unwrap().iter().map(|inquiry| inquiry["id"].clone()).collect()
}
