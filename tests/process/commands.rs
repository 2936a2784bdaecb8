//! `openapi`, `migrate`, `user` and `demo`.

use std::path::Path;
use std::process::Output;

use nexus_actors::Clock;
use serde_json::{Value, json};

use crate::harness::{Engine, Place, eventually, path};
use crate::hub::{Hub, Variables, printed, refusal, run, sign_in_in};
use crate::restarts::in_a_directory;

const QUIET: Variables = &[("RUST_LOG", "error")];
const PASSWORD: &str = "brisk otter paints seven lanterns";

#[test]
fn openapi_prints_the_document_whatever_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    for variables in [&[][..], &[("PORT", "abc"), ("APP_ENV", "production")]] {
        let document: Value =
            serde_json::from_str(&printed(&run(directory.path(), variables, &["openapi"], ""))).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
        assert!(document["paths"]["/api/v1/responses/{id}/approve"]["post"].is_object());
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it makes no files");
}

#[test]
fn migrate_prepares_a_database_of_either_kind_and_may_be_repeated() {
    actix_web::rt::System::new().block_on(async {
        for engine in [Engine::Embedded, Engine::Full] {
            let place = Place::prepare(engine).await;
            let variables = place.variables();
            let url = variables.iter().find(|(name, _)| name == "DATABASE_URL").unwrap().1.clone();
            let directory = tempfile::tempdir().unwrap();
            let outputs = [0; 2].map(|_| run(directory.path(), &[("DATABASE_URL", &url)], &["migrate"], ""));
            place.remove().await;
            for output in outputs {
                assert!(printed(&output).contains("up to date"));
            }
        }
    });
}

#[test]
fn a_user_created_at_the_command_line_can_sign_in() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let created = create(directory, "ada@example.com", "manager", PASSWORD);
            assert!(printed(&created).contains("ada@example.com"));
            assert!(!printed(&created).contains(PASSWORD));

            let hub = Hub::ready(directory, &[]).await;
            let (ada, _) = hub.sign_in("ada@example.com", PASSWORD).await;
            assert_eq!(ada.get("/auth/profile").await.expect(200)["role"], "manager");
            assert_eq!(sign_in_in(&hub.stop().await.out), None, "there was a user already");
        })
    });
}

#[test]
fn a_user_that_cannot_be_created_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    printed(&create(directory.path(), "ada@example.com", "admin", PASSWORD));
    for (email, password, named) in [
        ("ADA@example.com", PASSWORD, "email"),
        ("grace@example.com", "too short", "password"),
        ("grace@example.com", "", "password"),
        ("grace@example.com", "password1234", "password"),
        ("no address", PASSWORD, "email"),
    ] {
        let told = refusal(&create(directory.path(), email, "cso", password));
        assert!(told.contains(named), "{told}");
        assert!(password.is_empty() || !told.contains(password), "{told}");
    }
    let role = create(directory.path(), "grace@example.com", "boss", PASSWORD);
    assert!(!role.status.success() && String::from_utf8_lossy(&role.stderr).contains("--role"));
}

/// The hub answers from memory: what another process did to an inquiry it would not see.
#[test]
fn a_cso_created_beside_a_running_hub_gets_the_waiting_work_by_that_hub() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let hub = Hub::ready(directory, &[("RATE_LIMIT_LIMIT", "1000000")]).await;
            let (email, password) = hub.printed_sign_in().await;
            let (admin, _) = hub.sign_in(&email, &password).await;
            let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com"});
            let customer = admin.post("/customers", customer).await.expect(201);
            let mut waiting = Vec::new();
            for _ in 0..20 {
                let inquiry = json!({"customerId": customer["id"], "subject": "Where?", "message": "Late."});
                let inquiry = admin.post("/inquiries", inquiry).await.expect(201);
                assert_eq!(
                    admin.get(&path("inquiries", &inquiry)).await.expect(200)["assignedTo"],
                    Value::Null
                );
                waiting.push(inquiry);
            }
            printed(&create(directory, "cso@example.com", "cso", PASSWORD));
            eventually("all are assigned", async || {
                let list = admin.get("/inquiries?assignedTo=none").await.expect(200);
                list["meta"]["total"] == 0
            })
            .await;
            for inquiry in &waiting {
                let read = admin.get(&path("inquiries", inquiry)).await.expect(200);
                assert!(read["assignedTo"].is_string(), "{read}");
            }
            hub.stop().await;
        })
    });
}

#[test]
fn the_demo_fills_an_empty_hub_and_prints_sign_ins_that_work() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let told = printed(&run(directory, &[], &["demo"], ""));
            let password =
                told.split_once("with the password ").unwrap().1.split_whitespace().next().unwrap();
            let roles = ["admin", "manager", "cso"];
            let emails: Vec<_> = roles.iter().map(|role| email_of(&told, role).unwrap()).collect();

            let hub = Hub::ready(directory, &[]).await;
            for (role, email) in roles.iter().zip(&emails) {
                let (user, _) = hub.sign_in(email, password).await;
                assert_eq!(user.get("/auth/profile").await.expect(200)["role"], *role);
            }
            let (admin, _) = hub.sign_in(&emails[0], password).await;
            for list in ["customers", "inquiries", "responses"] {
                let total =
                    admin.get(&format!("/{list}")).await.expect(200)["meta"]["total"].as_i64().unwrap();
                assert_eq!(total, counted(&told, list), "{list}\n{told}");
                assert!(total >= 10, "{total} {list}");
            }
            // Beside a running hub, and into one that is no longer empty, it is refused.
            assert!(refusal(&run(directory, &[], &["demo"], "")).contains("in use"));
            assert_eq!(sign_in_in(&hub.stop().await.out), None);
            assert!(refusal(&run(directory, &[], &["demo"], "")).contains("empty"));
        })
    });
}

#[test]
fn an_operator_takes_a_lost_second_factor_off() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let hub = Hub::ready(directory, &[]).await;
            let (email, password) = hub.printed_sign_in().await;
            let (admin, _) = hub.sign_in(&email, &password).await;
            let begun = admin.post("/auth/totp", json!({"currentPassword": password})).await.expect(200);
            let app = totp_rs::Totp::from_url(begun["uri"].as_str().unwrap()).unwrap();
            let now = Clock::system().now().millis() / 1000;
            let code = json!({"code": app.generate(now.try_into().unwrap()).to_string()});
            admin.post("/auth/totp/confirm", code).await.expect(200);
            hub.try_sign_in(&email, &password).await.problem(401);

            let reset = |email: &str| run(directory, QUIET, &["user", "reset-totp", "--email", email], "");
            assert!(refusal(&reset(&email)).contains("in use"), "beside a hub that serves from the file");
            let log = hub.stop().await.err;
            assert!(!log.contains(begun["secret"].as_str().unwrap()), "it is in the log");
            assert!(refusal(&reset("nobody@example.com")).contains("nobody@example.com"));
            assert!(printed(&reset(&email.to_uppercase())).contains(&email));
            assert!(refusal(&reset(&email)).contains("no second factor"));

            let hub = Hub::ready(directory, &[]).await;
            hub.anyone().with_token(admin.token.as_ref().unwrap()).get("/auth/profile").await.problem(401);
            let (admin, _) = hub.sign_in(&email, &password).await;
            let trail = admin.get("/audit?entityType=user").await.expect(200);
            let newest = &trail["data"][0];
            assert_eq!((&newest["action"], &newest["actorId"]), (&json!("user.totp_disabled"), &Value::Null));
            hub.stop().await;
        })
    });
}

fn create(directory: &Path, email: &str, role: &str, password: &str) -> Output {
    let arguments = ["user", "create", "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin"];
    run(
        directory,
        QUIET,
        &[&arguments[..], &["--email", email, "--role", role]].concat(),
        &format!("{password}\n"),
    )
}

/// The first one printed in a line that begins with `role`.
fn email_of(told: &str, role: &str) -> Option<String> {
    let line = told.lines().find(|line| line.trim_start().starts_with(&format!("{role} ")))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

/// The sum of the counts in the line of `list`, as in `customers  90 active, 7 inactive`.
fn counted(told: &str, list: &str) -> i64 {
    let line = told.lines().find(|line| line.trim_start().starts_with(list)).unwrap();
    let counts = line.split(';').next().unwrap().split_whitespace();
    counts.filter_map(|word| word.parse::<i64>().ok()).sum()
}
