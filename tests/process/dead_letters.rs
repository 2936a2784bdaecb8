//! `dead-letters list|show|replay|discard`.

use std::path::Path;
use std::str::FromStr;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use crate::hub::{Hub, printed, refusal, run};
use crate::restarts::in_a_directory;

#[test]
fn an_operator_sees_to_dead_letters_at_the_command_line() {
    in_a_directory(|directory| {
        Box::pin(async move {
            printed(&run(directory, &[], &["migrate"], ""));
            let good =
                json!({"customer": {"email": "ada@example.com"}, "message": "Where is it?"}).to_string();
            let [mended, hopeless, unwanted] =
                [good.as_str(), "no JSON", "spam"].map(|body| (Uuid::now_v7(), body));
            for (id, body) in [mended, hopeless, unwanted] {
                bury(directory, id, body).await;
            }
            let command = |arguments: &[&str]| {
                let arguments: Vec<&str> =
                    ["dead-letters"].into_iter().chain(arguments.iter().copied()).collect();
                run(directory, &[], &arguments, "")
            };
            let listed = printed(&command(&["list", "--status", "open"]));
            assert_eq!(listed.lines().count(), 3, "{listed}");
            assert!(listed.lines().all(|line| line.split('\t').count() == 6), "{listed}");
            let shown = printed(&command(&["show", &hopeless.0.to_string()]));
            let shown: Value = serde_json::from_str(&shown).unwrap();
            assert_eq!((&shown["body"], &shown["reason"]), (&json!("no JSON"), &json!("bad_json")));

            printed(&command(&["discard", &unwanted.0.to_string()]));
            let replayed = command(&["replay", "--all"]);
            assert!(!replayed.status.success(), "one is still refused");
            let told = String::from_utf8(replayed.stdout).unwrap();
            assert!(told.contains(&format!("{}\treplayed", mended.0)), "{told}");
            assert!(told.contains(&format!("{}\tit is still refused", hopeless.0)), "{told}");
            let open = printed(&command(&["list", "--status", "open"]));
            assert!(open.starts_with(&hopeless.0.to_string()) && open.lines().count() == 1, "{open}");

            // A hub in service on the same file keeps what it has read in memory.
            let hub = Hub::ready(directory, &[]).await;
            let (email, password) = hub.printed_sign_in().await;
            let (admin, _) = hub.sign_in(&email, &password).await;
            assert_eq!(admin.get("/inquiries").await.expect(200)["data"][0]["message"], "Where is it?");
            assert!(refusal(&command(&["discard", &hopeless.0.to_string()])).contains("in use"));
            hub.stop().await;
        })
    });
}

async fn bury(directory: &Path, id: Uuid, body: &str) {
    let path = directory.join("data").join("nexus-hub.db");
    let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", path.display())).unwrap();
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let now = "2026-01-01T00:00:00.000+00:00";
    sqlx::query(
        "insert into dead_letters (id, version, created_at, updated_at, status, reason, error, routing_key, headers, \
         size, body) values ($1, 1, $2, $2, 'open', 'bad_json', 'not valid JSON', 'inquiry.email', '{}', $3, $4)",
    )
    .bind(id)
    .bind(now)
    .bind(i64::try_from(body.len()).unwrap())
    .bind(body.as_bytes())
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
}
