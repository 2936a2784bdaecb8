//! The hub under the role of `config/postgres-least-privilege.sql`.

use std::panic::AssertUnwindSafe;
use std::str::FromStr;

use futures_util::FutureExt;
use nexus_actors::store::Db;
use nexus_actors::store::audit::verify;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::{db, sealed};
use crate::harness::{Engine, Place, TestHub, path, server_url};

const SCRIPT: &str = include_str!("../../../config/postgres-least-privilege.sql");

#[test]
fn a_hub_that_can_only_add_to_the_trail_serves_and_can_do_no_more() {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(Engine::Full).await;
        let role = format!("{}_app", place.name);
        execute_at(&server_url(), &format!("create role {role} login password 'nexus'")).await.unwrap();
        let outcome = AssertUnwindSafe(serves_and_can_do_no_more(&place, &role)).catch_unwind().await;
        place.remove().await;
        execute_at(&server_url(), &format!("drop role {role}")).await.unwrap();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

async fn serves_and_can_do_no_more(place: &Place, role: &str) {
    let owner = TestHub::start(place, &[]).await;
    owner.stop().await;
    execute_at(&place.database_url(), &SCRIPT.replace("nexus_app", role)).await.unwrap();
    execute_at(&place.database_url(), &SCRIPT.replace("nexus_app", role)).await.expect("it can be repeated");

    let mut url = url::Url::parse(&place.database_url()).unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some("nexus")).unwrap();
    let hub = TestHub::start(place, &[("DATABASE_URL", url.as_str())]).await;
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let draft = hub.draft(&cso, &admin).await;
    cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200);
    let approve = format!("{}/approve", path("responses", &draft));
    manager.post(&approve, json!({"revision": 1})).await.expect(200);
    let customer = hub.customer(&admin).await;
    admin.delete(&path("customers", &customer)).await.expect(204);
    let holds = sealed(&hub).await;

    // The triggers are not what refuses it.
    execute_at(
        &place.database_url(),
        "alter table audit_log disable trigger audit_log_append_only; \
         alter table audit_seals disable trigger audit_seals_append_only",
    )
    .await
    .unwrap();
    for statement in [
        "update audit_log set action = 'nothing.happened'",
        "delete from audit_log",
        "truncate audit_log",
        "update audit_seals set hash = ''",
        "delete from audit_seals",
        "truncate audit_seals",
        "alter table audit_log disable trigger user",
        "drop trigger audit_log_waits on audit_log",
        "drop table audit_log",
        "create or replace function audit_entry_waits() returns trigger language plpgsql as \
            $$ begin return null; end $$",
        "create table mine (id int)",
        "update _sqlx_migrations set version = 1",
        "set session_replication_role = replica",
    ] {
        let Db::Postgres(pool) = db(&hub) else { panic!("the engine is PostgreSQL") };
        let refused = sqlx::raw_sql(statement).execute(pool).await.unwrap_err();
        let code = refused.as_database_error().and_then(|error| error.code()).map(String::from);
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {refused}");
    }
    assert_eq!(verify(db(&hub), Some(&holds.head)).await.unwrap(), Ok(holds));
    hub.stop().await;
}

async fn execute_at(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let mut server = PgConnection::connect_with(&PgConnectOptions::from_str(url)?).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut server).await?;
    server.close().await
}
