use std::time::Duration;

use nexus_actors::domain::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::{List, encoded, one_of};
use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    customers_are_listed_as_the_model_has_them,
    customers_are_filtered_as_the_model_has_them,
    times_in_filters_are_exact_to_the_millisecond,
);

const SORTS: &[&str] = &["createdAt", "updatedAt", "firstName", "lastName", "email", "status"];
/// Few, so that many share one, and such that collations disagree on their order.
const NAMES: &[&str] =
    &["ada", "Ada", "ADA", "Zoë", "Zoe", "Ærø", "a b", "a-b", "ab", "李", "\u{1F4E6}", "_", "B", "b"];

/// Sixty customers, some deleted, made in bursts within the same millisecond and changed later.
async fn some(hub: &TestHub, admin: &Client, csos: [&Client; 2]) -> Vec<Value> {
    let mut dice = StdRng::seed_from_u64(1);
    let mut paths = Vec::new();
    for number in 0..64 {
        hub.clock.advance(Duration::from_millis(one_of(&mut dice, &[0, 0, 1, 999, 8_640])));
        let email =
            format!("{}{number}@example.com", one_of(&mut dice, &["ada", "Ada", "zoë", "B", "b", "_"]));
        let customer = json!({
            "firstName": one_of(&mut dice, NAMES), "lastName": one_of(&mut dice, NAMES), "email": email,
            "status": one_of(&mut dice, &["active", "inactive", "suspended"])
        });
        paths.push(path("customers", &admin.post("/customers", customer).await.expect(201)));
    }
    for at in &paths {
        hub.clock.advance(Duration::from_millis(one_of(&mut dice, &[0, 1, 1_000])));
        if dice.random_ratio(2, 3) {
            let assignee = one_of(&mut dice, &csos).id;
            admin.post(&format!("{at}/assign"), json!({"assigneeId": assignee})).await.expect(200);
        }
    }
    for at in paths.drain(..4) {
        admin.delete(&at).await.expect(204);
    }
    let mut all = Vec::new();
    for at in paths {
        all.push(admin.get(&at).await.expect(200));
    }
    all
}

async fn customers_are_listed_as_the_model_has_them(hub: &TestHub) {
    let (admin, one, two) = (hub.admin().await, hub.cso().await, hub.cso().await);
    let all = some(hub, &admin, [&one, &two]).await;
    let list = List { client: &admin, path: "/customers", all: all.clone(), sorts: SORTS };
    list.is_walked_in_every_order(13).await;
    let mine = all.into_iter().filter(|customer| customer["assignedTo"] == json!(one.id)).collect();
    List { client: &one, path: "/customers", all: mine, sorts: SORTS }.is_walked_in_every_order(5).await;

    let usual = admin.get("/customers").await.expect(200);
    assert_eq!(usual["data"].as_array().unwrap()[..], list.expected(|_| true, "createdAt", "desc")[..20]);
    assert_eq!((&usual["meta"]["page"], &usual["meta"]["limit"]), (&json!(1), &json!(20)));
    let whole = admin.get("/customers?limit=100").await.expect(200);
    assert_eq!((whole["data"].as_array().unwrap().len(), &whole["meta"]["nextCursor"]), (60, &Value::Null));
    let beyond = admin.get("/customers?page=1000000&limit=100").await.expect(200);
    assert_eq!((&beyond["data"], &beyond["meta"]["total"]), (&json!([]), &json!(60)));
}

async fn customers_are_filtered_as_the_model_has_them(hub: &TestHub) {
    let (admin, one, two) = (hub.admin().await, hub.cso().await, hub.cso().await);
    let all = some(hub, &admin, [&one, &two]).await;
    let middle = all[30]["createdAt"].as_str().unwrap().to_owned();
    let list = List { client: &admin, path: "/customers", all: all.clone(), sorts: SORTS };
    for status in ["active", "inactive", "suspended"] {
        list.is_filtered(&format!("status={status}"), |one| one["status"] == status).await;
    }
    for cso in [&one, &two] {
        list.is_filtered(&format!("assignedTo={}", cso.id), |one| one["assignedTo"] == json!(cso.id)).await;
    }
    list.is_filtered("assignedTo=none", |one| one["assignedTo"].is_null()).await;
    list.is("assignedTo=me", |_| false).await;
    list.is(&format!("assignedTo={}", admin.id), |_| false).await;
    let (from, to) = (format!("createdFrom={middle}"), format!("createdTo={middle}"));
    list.is_filtered(&from, |one| one["createdAt"].as_str() >= Some(&middle)).await;
    list.is_filtered(&to, |one| one["createdAt"].as_str() < Some(&middle)).await;
    list.is(&format!("{from}&{to}"), |_| false).await;
    list.is_filtered("q=zo", |one| one.to_string().to_lowercase().contains("\"zo")).await;
    list.is_filtered(&format!("q=zo&status=active&assignedTo={}&{from}", two.id), |one| {
        one.to_string().to_lowercase().contains("\"zo")
            && one["status"] == "active"
            && one["assignedTo"] == json!(two.id)
            && one["createdAt"].as_str() >= Some(&middle)
    })
    .await;
    list.is("q=", |_| true).await;
    let mine: Vec<_> = all.into_iter().filter(|customer| customer["assignedTo"] == json!(one.id)).collect();
    let list = List { client: &one, path: "/customers", all: mine, sorts: SORTS };
    list.is("assignedTo=me", |_| true).await;
    list.is("assignedTo=none", |_| false).await;
    list.is(&format!("assignedTo={}", two.id), |_| false).await;
    list.is_filtered("status=active", |one| one["status"] == "active").await;
}

async fn times_in_filters_are_exact_to_the_millisecond(hub: &TestHub) {
    let admin = hub.admin().await;
    hub.customer(&admin).await;
    let now = hub.clock.now();
    let count = async |query: String| {
        admin.get(&format!("/customers?{query}")).await.expect(200)["meta"]["total"].as_i64().unwrap()
    };
    let millisecond = Duration::from_millis(1);
    let (before, after) = (now.minus(millisecond).to_string(), now.plus(millisecond).to_string());
    let now = now.to_string();
    for (from, to, found) in [(&now, &after, 1), (&before, &now, 0), (&after, &now, 0), (&before, &after, 1)]
    {
        assert_eq!(count(format!("createdFrom={from}&createdTo={to}")).await, found, "{from} to {to}");
    }
    let whole = now.replace(".000Z", "Z");
    let elsewhere =
        Timestamp::parse(&now).unwrap().plus(Duration::from_secs(5_400)).to_string().replace('Z', "+01:30");
    let finer = now.replace('Z', "999Z");
    for same in [&whole, &elsewhere, &encoded(&elsewhere), &finer, &now.to_lowercase()] {
        assert_eq!(count(format!("createdFrom={same}")).await, 1, "{same}");
        assert_eq!(count(format!("createdTo={same}")).await, 0, "{same}");
    }
    for (first, last) in [("0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z")] {
        assert_eq!(count(format!("createdFrom={first}&createdTo={last}")).await, 1);
    }
    for beyond in [
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00%2B00:01",
        "-0001-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
    ] {
        admin.get(&format!("/customers?createdFrom={beyond}")).await.problem(400);
    }
}
