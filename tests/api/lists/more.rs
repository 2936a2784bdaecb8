//! The lists of responses, users and the audit trail.

use std::time::Duration;

use nexus_actors::domain::user::Role;
use serde_json::{Value, json};

use super::List;
use crate::harness::{Client, TestHub, id_of, on_both_engines, path};

on_both_engines!(
    responses_are_listed_as_the_model_has_them,
    users_are_listed_as_the_model_has_them,
    the_audit_trail_is_listed_as_the_model_has_it,
    a_conversation_and_a_history_are_told_in_order,
);

/// One of every status a person can bring about, for each author and inquiry.
async fn responses(
    hub: &TestHub,
    authors: [&Client; 2],
    managers: [&Client; 2],
    inquiries: [&Value; 2],
) -> Vec<Value> {
    let mut all = Vec::new();
    for number in 0..32 {
        hub.clock.advance(Duration::from_millis([0, 1, 0, 1_000][number % 4]));
        let (author, manager) = (authors[number % 2], managers[number / 2 % 2]);
        let draft =
            json!({"inquiryId": inquiries[number / 4 % 2]["id"], "message": format!("Reply {number}")});
        let at = path("responses", &author.post("/responses", draft).await.expect(201));
        if number % 3 != 0 {
            author.act(&format!("{at}/submit")).await.expect(200);
            let decision = json!({"notes": "Because."});
            match number / 3 % 3 {
                0 => drop(manager.post(&format!("{at}/approve"), decision).await.expect(200)),
                1 => drop(manager.post(&format!("{at}/reject"), decision).await.expect(200)),
                _ => {}
            }
        }
        all.push(author.get(&at).await.expect(200));
    }
    all
}

async fn responses_are_listed_as_the_model_has_them(hub: &TestHub) {
    const SORTS: &[&str] = &["createdAt", "updatedAt", "status"];
    let admin = hub.admin().await;
    let (one, two) = (hub.cso().await, hub.cso().await);
    let managers = [&hub.manager().await, &hub.manager().await];
    let inquiries = [&hub.inquiry(&admin).await, &hub.inquiry(&admin).await];
    let all = responses(hub, [&one, &two], managers, inquiries).await;
    for client in [&admin, managers[0]] {
        let list = List { client, path: "/responses", all: all.clone(), sorts: SORTS };
        list.is_walked_in_every_order(9).await;
    }
    let list = List { client: &admin, path: "/responses", all: all.clone(), sorts: SORTS };
    for status in ["draft", "pending_approval", "approved", "rejected"] {
        list.is_filtered(&format!("status={status}"), |response| response["status"] == status).await;
    }
    list.is("status=sent", |_| false).await;
    for inquiry in inquiries {
        let id = id_of(inquiry);
        list.is_filtered(&format!("inquiryId={id}"), |response| response["inquiryId"] == json!(id)).await;
    }
    list.is_filtered(&format!("respondedBy={}", one.id), |response| response["respondedBy"] == json!(one.id))
        .await;
    for manager in managers {
        let by = format!("approvedBy={}", manager.id);
        list.is_filtered(&by, |response| response["approvedBy"] == json!(manager.id)).await;
        list.is_filtered(&format!("{by}&respondedBy={}&status=approved", one.id), |response| {
            response["approvedBy"] == json!(manager.id) && response["respondedBy"] == json!(one.id)
        })
        .await;
    }
    let mine = all.into_iter().filter(|response| response["respondedBy"] == json!(one.id)).collect();
    let list = List { client: &one, path: "/responses", all: mine, sorts: SORTS };
    list.is_walked_in_every_order(5).await;
    list.is(&format!("respondedBy={}", two.id), |_| false).await;
}

async fn users_are_listed_as_the_model_has_them(hub: &TestHub) {
    const SORTS: &[&str] = &["createdAt", "email", "firstName", "lastName"];
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let names = ["ada", "Ada", "Zoë", "Zoe", "a b", "_"];
    for number in 0..24 {
        hub.clock.advance(Duration::from_millis([0, 1, 0, 1_000][number % 4]));
        let email = format!("{}{number}@example.com", ["u", "U", "ü"][number % 3]);
        let user = hub.make_user([Role::Cso, Role::Manager, Role::Admin][number % 3], &email).await;
        let patch = json!({
            "firstName": names[number % 6], "lastName": names[number % 5], "isActive": !number.is_multiple_of(4),
            "skills": ["billing"], "maxOpenInquiries": number
        });
        admin.patch(&format!("/users/{}", user.id), patch).await.expect(200);
    }
    let listed = admin.get("/users?limit=100").await.expect(200);
    let mut all = Vec::new();
    for user in listed["data"].as_array().unwrap() {
        all.push(admin.get(&path("users", user)).await.expect(200));
    }
    assert_eq!(all.len(), 26);
    for client in [&admin, &manager] {
        let list = List { client, path: "/users", all: all.clone(), sorts: SORTS };
        list.is_walked_in_every_order(8).await;
        for role in ["cso", "manager", "admin"] {
            list.is_filtered(&format!("role={role}"), |user| user["role"] == role).await;
        }
        for active in [true, false] {
            list.is_filtered(&format!("isActive={active}"), |user| user["isActive"] == active).await;
            let both = |user: &Value| user["isActive"] == active && user["role"] == "cso";
            list.is_filtered(&format!("isActive={active}&role=cso"), both).await;
        }
    }
}

async fn the_audit_trail_is_listed_as_the_model_has_it(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let inquiries = [&hub.inquiry(&admin).await, &hub.inquiry(&admin).await];
    hub.clock.advance(Duration::from_secs(1));
    let responses = responses(hub, [&cso, &admin], [&manager, &manager], inquiries).await;
    let listed = manager.get("/audit?limit=100").await.expect(200);
    let all = listed["data"].as_array().unwrap().clone();
    assert!(all.len() > 40 && listed["meta"]["nextCursor"].is_null(), "{}", all.len());
    let middle = all[20]["createdAt"].as_str().unwrap().to_owned();
    for client in [&admin, &manager] {
        let list = List { client, path: "/audit", all: all.clone(), sorts: &["createdAt"] };
        list.is_walked_in_every_order(15).await;
        for kind in ["customer", "inquiry", "response", "user", "session"] {
            list.is_filtered(&format!("entityType={kind}"), |entry| entry["entityType"] == kind).await;
        }
        for entity in [&responses[1], inquiries[0]] {
            let id = id_of(entity);
            list.is_filtered(&format!("entityId={id}"), |entry| entry["entityId"] == json!(id)).await;
        }
        for actor in [&cso, &manager] {
            list.is_filtered(&format!("actorId={}", actor.id), |entry| entry["actorId"] == json!(actor.id))
                .await;
        }
        list.is_filtered(&format!("from={middle}"), |entry| entry["createdAt"].as_str() >= Some(&middle))
            .await;
        list.is_filtered(&format!("to={middle}"), |entry| entry["createdAt"].as_str() < Some(&middle)).await;
        list.is_filtered(&format!("entityType=response&actorId={}&from={middle}", cso.id), |entry| {
            entry["entityType"] == "response"
                && entry["actorId"] == json!(cso.id)
                && entry["createdAt"].as_str() >= Some(&middle)
        })
        .await;
    }
}

async fn a_conversation_and_a_history_are_told_in_order(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let inquiry = hub.inquiry(&admin).await;
    let mut expected = vec!["It is late.".to_owned()];
    let mut last = Value::Null;
    for number in 0..12 {
        // Within one millisecond as well.
        let text = format!("Reply {number}");
        let draft =
            cso.post("/responses", json!({"inquiryId": inquiry["id"], "message": text})).await.expect(201);
        cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
        last = manager.act(&format!("{}/approve", path("responses", &draft))).await.expect(200);
        expected.push(text);
    }
    let told = async |list: String, field: &str| {
        let (mut told, mut query) = (Vec::new(), "?limit=5".to_owned());
        loop {
            let page = admin.get(&format!("{list}{query}")).await.expect(200);
            told.extend(
                page["data"].as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()),
            );
            match page["meta"]["nextCursor"].as_str() {
                Some(cursor) => query = format!("?limit=5&cursor={cursor}"),
                None => return told,
            }
        }
    };
    assert_eq!(told(format!("{}/messages", path("inquiries", &inquiry)), "message").await, expected);
    let at = path("responses", &last);
    assert_eq!(told(format!("{at}/history"), "action").await, ["created", "submitted", "approved"]);
    let backwards = admin.get(&format!("{at}/history?sortOrder=desc&limit=1")).await.expect(200);
    assert_eq!(
        (&backwards["data"][0]["action"], &backwards["meta"]["total"]),
        (&json!("approved"), &json!(3))
    );
}
