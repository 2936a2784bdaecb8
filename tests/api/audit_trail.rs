//! The audit trail can be added to and nothing else, and whoever changes it all the same leaves a mark.

mod least_privilege;

use futures_util::future::join_all;
use nexus_actors::domain::audit::{Break, Chain, Link};
use nexus_actors::store::Db;
use nexus_actors::store::audit::{SealEntries, verify};
use serde_json::json;

use crate::behind::{execute, rows, try_execute};
use crate::harness::{Client, Engine, TestHub, eventually, on_both_engines, path, run_instances};

on_both_engines!(
    every_entry_gets_its_link_soon,
    entries_and_links_can_neither_be_changed_nor_removed,
    whatever_is_changed_past_the_hub_shows_at_its_link,
    an_entry_put_in_or_left_out_past_the_chain_shows,
    a_link_noted_elsewhere_shows_what_was_cut_off_or_made_anew,
    entries_from_before_the_chain_are_sealed_too,
);

async fn every_entry_gets_its_link_soon(hub: &TestHub) {
    let admin = hub.admin().await;
    let customer = hub.customer(&admin).await;
    let head = sealed(hub).await.head;
    assert_eq!(head.number, count(hub, "select count(*) from audit_log").await);
    admin.delete(&path("customers", &customer)).await.expect(204);
    assert_eq!(sealed(hub).await.head.number, head.number + 1);
    // In the order in which it happened.
    let (numbers, ids): (Vec<i64>, Vec<uuid::Uuid>) =
        rows::<(i64, uuid::Uuid)>(hub, "select number, entry_id from audit_seals order by number")
            .await
            .into_iter()
            .unzip();
    assert_eq!(numbers, (1..=head.number + 1).collect::<Vec<_>>());
    assert!(ids.is_sorted());
}

async fn entries_and_links_can_neither_be_changed_nor_removed(hub: &TestHub) {
    hub.admin().await;
    let before = sealed(hub).await;
    let mut statements = vec![
        "update audit_log set action = 'nothing.happened'",
        "delete from audit_log",
        "update audit_seals set hash = ''",
        "delete from audit_seals",
    ];
    match hub.engine {
        Engine::Full => statements.extend(["truncate audit_log", "truncate audit_seals"]),
        Engine::Embedded => statements.extend([
            "insert or replace into audit_log select id, created_at, 'x', entity_type, entity_id, actor_id, \
                request_id, changes from audit_log",
            "insert or replace into audit_seals select number, entry_id, '' from audit_seals",
            "insert or replace into audit_seals select number + 1000, entry_id, '' from audit_seals",
        ]),
    }
    for statement in statements {
        let refused = try_execute(hub, statement).await.unwrap_err().to_string();
        assert!(refused.contains("the audit trail is append-only"), "{statement}: {refused}");
    }
    assert_eq!(verify(db(hub), None).await.unwrap(), Ok(before));
}

async fn whatever_is_changed_past_the_hub_shows_at_its_link(hub: &TestHub) {
    let admin = hub.admin().await;
    hub.customer(&admin).await;
    hub.inquiry(&admin).await;
    let holds = sealed(hub).await;
    assert!(holds.head.number >= 5);
    unguarded(hub).await;
    let entry = rows::<(uuid::Uuid,)>(hub, "select entry_id from audit_seals where number = 3").await[0].0;
    execute(hub, "create table kept as select * from audit_log").await;
    execute(hub, "create table kept_seals as select * from audit_seals").await;
    const THIRD: &str = "(select entry_id from kept_seals where number = 3)";
    let altered = Break::Altered { number: 3, entry };
    for (change, shows) in [
        ("update audit_log set action = 'nothing.happened'", &altered),
        ("update audit_log set entity_type = 'nothing'", &altered),
        ("update audit_log set created_at = '2100-06-01 09:00:00+00:00'", &altered),
        ("update audit_log set actor_id = entity_id", &altered),
        ("update audit_log set entity_id = (select entry_id from kept_seals where number = 1)", &altered),
        ("update audit_log set request_id = 'another'", &altered),
        ("update audit_log set changes = '{\"role\": {\"from\": null, \"to\": \"cso\"}}'", &altered),
        ("delete from audit_log", &Break::Gone { number: 3, entry }),
    ] {
        changed(hub, &format!("{change} where id = {THIRD}")).await;
        assert_eq!(verify(db(hub), None).await.unwrap().as_ref(), Err(shows), "{change}");
        execute(hub, "delete from audit_log where id in (select entry_id from kept_seals where number = 3)")
            .await;
        changed(hub, &format!("insert into audit_log select * from kept where id = {THIRD}")).await;
        assert_eq!(verify(db(hub), None).await.unwrap().as_ref(), Ok(&holds), "{change}, undone");
    }
    execute(hub, "delete from audit_seals where number = 3").await;
    assert_eq!(verify(db(hub), None).await.unwrap(), Err(Break::NoSuchLink(3)));
    execute(hub, "delete from audit_log where id in (select entry_id from kept_seals where number = 3)")
        .await;
    assert_eq!(verify(db(hub), None).await.unwrap(), Err(Break::NoSuchLink(3)), "with its entry");
    execute(hub, "update audit_seals set number = number - 1 where number > 3").await;
    let fourth = rows::<(uuid::Uuid,)>(hub, "select entry_id from kept_seals where number = 4").await[0].0;
    let shows = Break::Altered { number: 3, entry: fourth };
    assert_eq!(verify(db(hub), None).await.unwrap(), Err(shows), "with the gap closed");
}

async fn an_entry_put_in_or_left_out_past_the_chain_shows(hub: &TestHub) {
    hub.admin().await;
    let holds = sealed(hub).await;
    unguarded(hub).await;
    execute(hub, "create table kept as select * from audit_log").await;
    execute(
        hub,
        "insert into audit_log (id, created_at, action, entity_type, entity_id, changes) \
         select entity_id, created_at, action, entity_type, entity_id, changes from kept limit 1",
    )
    .await;
    assert!(matches!(verify(db(hub), None).await.unwrap(), Err(Break::LeftOut(_))), "without a link");
    execute(hub, "insert into audit_seals select 0, entity_id, 'x' from kept limit 1").await;
    assert_eq!(verify(db(hub), None).await.unwrap(), Err(Break::NoSuchLink(1)), "with one below the first");
    execute(hub, "delete from audit_seals where number = 0").await;
    execute(hub, "delete from audit_log where id not in (select id from kept)").await;
    assert_eq!(verify(db(hub), None).await.unwrap(), Ok(holds));
    // One that is taken away before it is sealed.
    execute(hub, "insert into audit_unsealed (entry_id) select entity_id from kept limit 1").await;
    assert!(matches!(verify(db(hub), None).await.unwrap(), Err(Break::LeftOut(_))), "taken away");
}

async fn a_link_noted_elsewhere_shows_what_was_cut_off_or_made_anew(hub: &TestHub) {
    let admin = hub.admin().await;
    let noted = sealed(hub).await.head;
    hub.customer(&admin).await;
    let holds = sealed(hub).await;
    assert_eq!(verify(db(hub), Some(&noted)).await.unwrap(), Ok(holds.clone()));
    assert_eq!(verify(db(hub), Some(&holds.head)).await.unwrap(), Ok(holds.clone()));

    unguarded(hub).await;
    let cut = Break::EndsBeforeNoted { ends: noted.number - 1, noted: noted.number };
    let from = format!("where number >= {}", noted.number);
    changed(hub, &format!("delete from audit_log where id in (select entry_id from audit_seals {from})"))
        .await;
    changed(hub, &format!("delete from audit_seals {from}")).await;
    assert!(verify(db(hub), None).await.unwrap().is_ok(), "nothing in the database tells");
    assert_eq!(verify(db(hub), Some(&noted)).await.unwrap(), Err(cut));

    execute(hub, "delete from audit_seals").await;
    execute(hub, "update audit_log set action = 'nothing.happened'").await;
    execute(hub, "insert into audit_unsealed (entry_id) select id from audit_log").await;
    let anew = sealed(hub).await.head;
    assert_eq!(anew.number, noted.number - 1);
    let before = Link { hash: "f".repeat(64), ..anew.clone() };
    assert_eq!(verify(db(hub), Some(&before)).await.unwrap(), Err(Break::OtherThanNoted(anew.number)));
}

async fn entries_from_before_the_chain_are_sealed_too(hub: &TestHub) {
    let admin = hub.admin().await;
    let head = sealed(hub).await.head;
    unguarded(hub).await;
    // As the migration leaves them.
    execute(hub, "delete from audit_seals").await;
    execute(hub, "insert into audit_unsealed (entry_id) select id from audit_log").await;
    assert_eq!(sealed(hub).await.head, head, "the same entries make the same chain");
    admin.get("/audit").await.expect(200);
}

#[test]
fn writers_and_sealers_side_by_side_make_one_chain() {
    for (engine, instances) in [(Engine::Embedded, 1), (Engine::Full, 3)] {
        run_instances(engine, instances, &[], |hubs| {
            Box::pin(async move {
                let admin = hubs[0].admin().await;
                let writers = (0..12).map(|turn| write(hubs, &admin, turn, 25));
                let sealers = hubs.iter().flat_map(|hub| [hub, hub]).map(|hub| async {
                    for _ in 0..100 {
                        hub.app.hub.audit.ask(SealEntries { limit: 7 }).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                });
                futures_util::join!(join_all(writers), join_all(sealers));
                let head = sealed(&hubs[0]).await.head;
                assert_eq!(head.number, count(&hubs[0], "select count(*) from audit_log").await);
                assert!(head.number >= 12 * 25);
            })
        });
    }
}

async fn write(hubs: &[TestHub], admin: &Client, turn: usize, times: usize) {
    let there = hubs[turn % hubs.len()].anonymous().with_token(admin.token.as_ref().unwrap());
    for time in 0..times {
        let email = format!("ada-{turn}-{time}@example.com");
        let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": email});
        there.post("/customers", customer).await.expect(201);
    }
}

/// The chain, once everything is sealed.
async fn sealed(hub: &TestHub) -> Chain {
    eventually("everything is sealed", async || count(hub, "select count(*) from audit_unsealed").await == 0)
        .await;
    let chain = verify(db(hub), None).await.unwrap().unwrap();
    assert_eq!(chain.waiting, 0);
    chain
}

/// As if by somebody who owns the database: nothing in it refuses any more, and nothing is noted by itself.
async fn unguarded(hub: &TestHub) {
    match hub.engine {
        Engine::Full => {
            execute(
                hub,
                "alter table audit_log disable trigger user; alter table audit_seals disable trigger user",
            )
            .await;
        }
        Engine::Embedded => {
            execute(
                hub,
                "drop trigger audit_log_waits; drop trigger audit_log_never_updated; \
                 drop trigger audit_log_never_deleted; drop trigger audit_log_never_replaced; \
                 drop trigger audit_seals_never_updated; drop trigger audit_seals_never_deleted; \
                 drop trigger audit_seals_never_replaced",
            )
            .await;
        }
    }
}

async fn changed(hub: &TestHub, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    let changed = match db(hub) {
        Db::Postgres(pool) => sqlx::query(sql).execute(pool).await.unwrap().rows_affected(),
        Db::Sqlite { writes, .. } => sqlx::query(sql).execute(writes).await.unwrap().rows_affected(),
    };
    assert!(changed > 0);
}

async fn count(hub: &TestHub, sql: &'static str) -> i64 {
    rows::<(i64,)>(hub, sql).await[0].0
}

fn db(hub: &TestHub) -> &Db {
    &hub.app.hub.storage.db
}
