//! An instance that goes on while a newer one has migrated the database.

use serde_json::{Value, json};

use crate::behind::execute;
use crate::harness::{Client, Engine, TestHub, path, run_with};

/// Few, so that each has prepared every statement before the migration.
const FEW: &[(&str, &str)] = &[("NEXUS__DATABASE__MAX_CONNECTIONS", "2"), ("REDIS_URL", "")];

/// What a migration may do while an older release is running.
const WIDEN: &str = "do $$ declare name text; begin \
    for name in select tablename from pg_tables where schemaname = 'public' and tablename <> '_sqlx_migrations' loop \
        execute format('alter table %I add column added_by_a_later_release text', name); \
    end loop; end $$";

#[test]
fn columns_added_by_a_later_release_disturb_nobody() {
    run_with(Engine::Full, FEW, |hub| {
        Box::pin(async {
            let people = [hub.admin().await, hub.cso().await, hub.manager().await];
            for _ in 0..4 {
                a_day_at_the_desk(hub, &people).await;
            }
            execute(hub, WIDEN).await;
            for _ in 0..4 {
                a_day_at_the_desk(hub, &people).await;
            }
        })
    });
}

/// Something of everything that reads or writes a table.
async fn a_day_at_the_desk(hub: &TestHub, [admin, cso, manager]: &[Client; 3]) {
    let inquiry = hub.inquiry(admin).await;
    let draft = json!({"inquiryId": inquiry["id"], "message": "It ships tomorrow."});
    let response = cso.post("/responses", draft).await.expect(201);
    let response = path("responses", &response);
    cso.act(&format!("{response}/submit")).await.expect(200);
    manager.act(&format!("{response}/approve")).await.expect(200);
    let key = json!({"name": "gateway", "scopes": ["deliveries", "inbound"]});
    let key = admin.post("/api-keys", key).await.expect(201);
    let gateway = admin.with_token(key["key"].as_str().unwrap());
    let message = json!({"customer": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"},
        "threadId": "conversation 1", "subject": "Where is it?", "message": "It is late."});
    gateway.post("/inbound/chat", message).await.expect(201);
    let deliveries = gateway.get("/deliveries?status=pending&limit=1").await.expect(200);
    let delivery: &Value = &deliveries["data"][0];
    gateway.act(&format!("/deliveries/{}/confirm", delivery["id"].as_str().unwrap())).await.expect(200);
    let webhook = json!({"url": "https://hooks.example.com/nexus", "events": ["user.updated"]});
    let webhook = admin.post("/webhooks", webhook).await.expect(201);
    let webhook = path("webhooks", &webhook);
    for read in [
        "/customers",
        "/customers?q=ada",
        "/inquiries",
        "/inquiries?q=order",
        &path("inquiries", &inquiry),
        &format!("{}/messages", path("inquiries", &inquiry)),
        &format!("{}/assignments", path("inquiries", &inquiry)),
        "/responses",
        &response,
        &format!("{response}/history"),
        "/users",
        "/api-keys",
        "/webhooks",
        &webhook,
        &format!("{webhook}/attempts"),
        "/dead-letters",
        "/deliveries",
        "/notifications",
        "/audit",
        "/stats",
        "/auth/profile",
    ] {
        admin.get(read).await.expect(200);
    }
    admin.delete(&webhook).await.expect(204);
    hub.sign_in(&cso.email, crate::harness::PASSWORD).await;
}
