//! `audit verify`.

use std::path::Path;
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::harness::within;
use crate::hub::{Hub, printed, refusal, run};
use crate::restarts::in_a_directory;

const QUIET: &[(&str, &str)] = &[("RUST_LOG", "error")];

#[test]
fn an_operator_verifies_the_audit_trail_beside_a_running_hub() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let verify = |arguments: &[&str]| {
                let arguments: Vec<&str> =
                    ["audit", "verify"].into_iter().chain(arguments.iter().copied()).collect();
                run(directory, QUIET, &arguments, "")
            };
            let hub = Hub::ready(directory, &[]).await;
            let (email, password) = hub.printed_sign_in().await;
            hub.sign_in(&email, &password).await;
            let mut told = String::new();
            within(std::time::Duration::from_secs(10), "all is sealed", async || {
                told = printed(&verify(&[]));
                told.contains("2 sealed, 0 not sealed yet")
            })
            .await;
            let noted = told.split_once("Newest link: ").unwrap().1.trim().to_owned();
            assert!(noted.starts_with("2:"), "{told}");
            hub.sign_in(&email, &password).await;
            printed(&verify(&["--noted", &noted]));
            let another = format!("2:{}", "f".repeat(64));
            assert!(refusal(&verify(&["--noted", &another])).contains("link 2 is another one"));
            assert!(!verify(&["--noted", "2"]).status.success(), "no link");
            hub.stop().await;

            tamper(directory, "drop trigger audit_log_never_updated").await;
            tamper(directory, "update audit_log set actor_id = null").await;
            let refused = refusal(&verify(&[]));
            assert!(refused.contains("does not hold") && refused.contains("link 2"), "{refused}");
        })
    });
}

async fn tamper(directory: &Path, sql: &'static str) {
    let path = directory.join("data").join("nexus-hub.db");
    let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", path.display())).unwrap();
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
