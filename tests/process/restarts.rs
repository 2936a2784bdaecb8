//! What a hub on its embedded default has answered outlives it, however it ended.

use std::path::Path;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, join_all};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, within};
use crate::hub::{Hub, refusal, run, sign_in_in};

/// Runs `test` in a new directory, where the hub has its data by default.
pub fn in_a_directory(test: impl for<'a> FnOnce(&'a Path) -> LocalBoxFuture<'a, ()>) {
    let directory = tempfile::tempdir().unwrap();
    actix_web::rt::System::new().block_on(test(directory.path()));
}

#[test]
fn the_first_start_prints_the_admins_sign_in_and_no_other_start_does() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let hub = Hub::ready(directory, &[]).await;
            let (email, password) = hub.printed_sign_in().await;
            let (admin, _) = hub.sign_in(&email, &password).await;
            assert_eq!(admin.get("/auth/profile").await.expect(200)["role"], "admin");
            let end = hub.stop().await;
            assert_eq!(end.out.matches(&password).count(), 1);
            assert!(!end.err.contains(&password), "it is in the log");
            assert!(!end.err.contains(" WARN ") && !end.err.contains(" ERROR "), "{}", end.err);
            assert!(directory.join("data/nexus-hub.db").exists());

            let hub = Hub::ready(directory, &[]).await;
            hub.sign_in(&email, &password).await;
            let end = hub.stop().await;
            assert_eq!(sign_in_in(&end.out), None, "{}", end.out);
        })
    });
}

#[test]
fn the_first_admin_is_the_one_that_the_settings_name() {
    const SETTINGS: &[(&str, &str)] = &[
        ("BOOTSTRAP_ADMIN_EMAIL", "Ada@example.com"),
        ("BOOTSTRAP_ADMIN_PASSWORD", "brisk otter paints seven lanterns"),
    ];
    in_a_directory(|directory| {
        Box::pin(async move {
            for _ in 0..2 {
                let hub = Hub::ready(directory, SETTINGS).await;
                let (admin, _) = hub.sign_in("ada@example.com", SETTINGS[1].1).await;
                assert_eq!(admin.get("/users").await.expect(200)["meta"]["total"], 1);
                let end = hub.stop().await;
                assert!(!end.out.contains(SETTINGS[1].1) && !end.err.contains(SETTINGS[1].1));
            }
        })
    });
}

#[test]
fn data_and_sessions_outlive_a_stop() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let hub = Hub::ready(directory, &[]).await;
            let (email, password) = hub.printed_sign_in().await;
            let (admin, refresh) = hub.sign_in(&email, &password).await;
            let (ended, ended_refresh) = hub.sign_in(&email, &password).await;
            ended.act("/auth/logout").await.expect(204);
            let customer = make_customer(&admin).await;
            let answer =
                hub.anyone().post("/auth/refresh", json!({"refreshToken": refresh})).await.expect(200);
            hub.stop().await;

            let hub = Hub::ready(directory, &[]).await;
            let admin = at(&hub, &admin);
            assert_eq!(admin.get(&url(&customer)).await.expect(200), customer);
            at(&hub, &ended).get("/auth/profile").await.expect(401);
            let refresh = |token: Value| {
                let hub = hub.anyone();
                async move { hub.post("/auth/refresh", json!({"refreshToken": token})).await }
            };
            refresh(json!(ended_refresh)).await.expect(401);
            let again = refresh(answer["refreshToken"].clone()).await.expect(200);
            assert_ne!(again["refreshToken"], answer["refreshToken"]);
            hub.stop().await;
        })
    });
}

#[test]
fn whatever_was_answered_outlives_a_kill() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let mut hub = Hub::ready(directory, &[("RATE_LIMIT_LIMIT", "1000000")]).await;
            let (email, password) = hub.printed_sign_in().await;
            let (admin, mut refresh) = hub.sign_in(&email, &password).await;
            let mut made = Vec::new();
            for round in 1..=3 {
                let client = at(&hub, &admin);
                let writers: Vec<_> = (0..4).map(|_| actix_web::rt::spawn(write(client.clone()))).collect();
                let enough = made.len() as u64 + 40;
                within(Duration::from_secs(60), "customers are made", async || {
                    count(&client).await >= enough
                })
                .await;
                hub.kill();
                for answered in join_all(writers).await {
                    made.extend(answered.unwrap());
                }
                hub = Hub::ready(directory, &[("RATE_LIMIT_LIMIT", "1000000")]).await;
                let client = at(&hub, &admin);
                for customer in &made {
                    assert_eq!(&client.get(&url(customer)).await.expect(200), customer, "round {round}");
                }
                assert!(count(&client).await >= made.len() as u64);
                let answer =
                    hub.anyone().post("/auth/refresh", json!({"refreshToken": refresh})).await.expect(200);
                refresh = answer["refreshToken"].as_str().unwrap().to_owned();
            }
            hub.stop().await;
        })
    });
}

#[test]
fn a_second_hub_on_the_same_file_is_refused() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let hub = Hub::ready(directory, &[]).await;
            let refused = refusal(&run(directory, &[("PORT", "0")], &[], ""));
            assert!(refused.contains("nexus-hub.db") && refused.contains("in use"), "{refused}");
            hub.get("//health/ready").await.expect(200);
            hub.stop().await;
            Hub::ready(directory, &[]).await.stop().await;
        })
    });
}

/// Makes customers until the hub is gone; answers with those it was told of.
async fn write(admin: Client) -> Vec<Value> {
    let mut made = Vec::new();
    loop {
        let sent = admin.raw(reqwest::Method::POST, "/customers").json(&new_customer()).send().await;
        let Ok(answer) = sent else { return made };
        assert_eq!(answer.status().as_u16(), 201);
        let Ok(customer) = answer.json().await else { return made };
        made.push(customer);
    }
}

async fn make_customer(admin: &Client) -> Value {
    admin.post("/customers", new_customer()).await.expect(201)
}

fn new_customer() -> Value {
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    json!({"firstName": "Ada", "lastName": "Lovelace", "email": email})
}

async fn count(client: &Client) -> u64 {
    client.get("/customers?limit=1").await.expect(200)["meta"]["total"].as_u64().unwrap()
}

/// The same person, talking to another hub.
fn at(hub: &Hub, person: &Client) -> Client {
    hub.anyone().with_token(person.token.as_ref().unwrap())
}

fn url(customer: &Value) -> String {
    format!("/customers/{}", customer["id"].as_str().unwrap())
}
