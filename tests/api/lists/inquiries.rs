use std::time::Duration;

use nexus_actors::domain::user::Role;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::{List, one_of};
use crate::harness::{Client, TestHub, id_of, on_both_engines, path};

on_both_engines!(inquiries_are_listed_as_the_model_has_them, inquiries_are_filtered_as_the_model_has_them);

const SORTS: &[&str] = &["createdAt", "updatedAt", "priority", "status", "subject"];
const SUBJECTS: &[&str] =
    &["Where is it?", "where is it?", "Ärger", "Zahlung", "zahlung", "\u{1F4E6}", "Re: Re:"];

/// CSOs who are away, so that nothing is assigned but by hand.
async fn away(hub: &TestHub, admin: &Client) -> Client {
    let cso = hub.user(Role::Cso).await;
    admin.patch(&format!("/users/{}", cso.id), json!({"availability": "away"})).await.expect(200);
    cso
}

async fn some(hub: &TestHub, admin: &Client, csos: [&Client; 2], customers: [&Value; 2]) -> Vec<Value> {
    let mut dice = StdRng::seed_from_u64(2);
    let mut paths = Vec::new();
    for _ in 0..60 {
        hub.clock.advance(Duration::from_millis(one_of(&mut dice, &[0, 0, 1, 999, 8_640])));
        let inquiry = json!({
            "customerId": one_of(&mut dice, &customers)["id"], "subject": one_of(&mut dice, SUBJECTS),
            "message": one_of(&mut dice, &["My order is late.", "A refund, please."]),
            "priority": one_of(&mut dice, &["low", "medium", "high", "urgent"]),
            "category": one_of(&mut dice, &["billing", "shipping", "Billing"]),
            "channel": one_of(&mut dice, &["api", "chat", "email"])
        });
        paths.push(path("inquiries", &admin.post("/inquiries", inquiry).await.expect(201)));
    }
    let mut all = Vec::new();
    for at in paths {
        hub.clock.advance(Duration::from_millis(one_of(&mut dice, &[0, 1, 1_000])));
        if dice.random_ratio(1, 2) {
            let assignee = one_of(&mut dice, &csos).id;
            admin.post(&format!("{at}/assign"), json!({"assigneeId": assignee})).await.expect(200);
        }
        let moves: &[&str] =
            one_of(&mut dice, &[&[], &["in_progress"], &["in_progress", "responded"], &["closed"]]);
        for status in moves {
            admin.patch(&format!("{at}/status"), json!({"status": status})).await.expect(200);
        }
        all.push(admin.get(&at).await.expect(200));
    }
    all
}

async fn inquiries_are_listed_as_the_model_has_them(hub: &TestHub) {
    let admin = hub.admin().await;
    let (one, two) = (away(hub, &admin).await, away(hub, &admin).await);
    let customers = [&hub.customer(&admin).await, &hub.customer(&admin).await];
    let all = some(hub, &admin, [&one, &two], customers).await;
    for client in [&admin, &one] {
        let list = List { client, path: "/inquiries", all: all.clone(), sorts: SORTS };
        list.is_walked_in_every_order(17).await;
    }
}

async fn inquiries_are_filtered_as_the_model_has_them(hub: &TestHub) {
    let admin = hub.admin().await;
    let (one, two) = (away(hub, &admin).await, away(hub, &admin).await);
    let customers = [&hub.customer(&admin).await, &hub.customer(&admin).await];
    let all = some(hub, &admin, [&one, &two], customers).await;
    let middle = all[30]["createdAt"].as_str().unwrap().to_owned();
    let list = List { client: &admin, path: "/inquiries", all: all.clone(), sorts: SORTS };
    for (name, values) in [
        ("status", ["pending", "in_progress", "responded", "closed"]),
        ("priority", ["low", "medium", "high", "urgent"]),
    ] {
        for value in values {
            list.is_filtered(&format!("{name}={value}"), |one| one[name] == value).await;
        }
        let two = format!("{name}={},{}", values[0], values[2]);
        list.is_filtered(&two, |one| one[name] == values[0] || one[name] == values[2]).await;
        list.is(&format!("{name}={}", values.join(",")), |_| true).await;
    }
    for (name, value) in [("category", "billing"), ("category", "Billing"), ("channel", "chat")] {
        list.is_filtered(&format!("{name}={value}"), |one| one[name] == value).await;
        list.is(&format!("{name}={value}s"), |_| false).await;
    }
    for customer in customers {
        let id = id_of(customer);
        list.is_filtered(&format!("customerId={id}"), |one| one["customerId"] == json!(id)).await;
    }
    for cso in [&one, &two] {
        list.is_filtered(&format!("assignedTo={}", cso.id), |one| one["assignedTo"] == json!(cso.id)).await;
    }
    list.is_filtered("assignedTo=none", |one| one["assignedTo"].is_null()).await;
    list.is("assignedTo=me", |_| false).await;
    list.is_filtered(&format!("createdFrom={middle}"), |one| one["createdAt"].as_str() >= Some(&middle))
        .await;
    list.is_filtered(&format!("createdTo={middle}"), |one| one["createdAt"].as_str() < Some(&middle)).await;
    list.is_filtered("q=ref", |one| one["message"].as_str().unwrap().contains("refund")).await;
    list.is_filtered("q=zahl+order", |one| {
        one["subject"].as_str().unwrap().to_lowercase() == "zahlung"
            && one["message"].as_str().unwrap().contains("order")
    })
    .await;
    let several = "status=pending,in_progress&priority=high,urgent&category=shipping&assignedTo=none&q=order";
    list.is_filtered(several, |one| {
        ["pending", "in_progress"].contains(&one["status"].as_str().unwrap())
            && ["high", "urgent"].contains(&one["priority"].as_str().unwrap())
            && one["category"] == "shipping"
            && one["assignedTo"].is_null()
            && one["message"].as_str().unwrap().contains("order")
    })
    .await;
    let list = List { client: &one, path: "/inquiries", all, sorts: SORTS };
    list.is_filtered("assignedTo=me", |inquiry| inquiry["assignedTo"] == json!(one.id)).await;
}
