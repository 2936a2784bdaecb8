//! What a write has replaced is never answered again, on any instance, though answers come from a cache.

use std::cell::Cell;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join, join_all};
use nexus_actors::domain::user::Role;
use nexus_actors::store::Db;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, Engine, PASSWORD, TestHub, eventually, id_of, path, run_instances};

/// Declares `async fn name(here: &TestHub, there: &TestHub)` as two tests: on the embedded default, where both are
/// one hub, and on two instances that share PostgreSQL and Redis.
macro_rules! here_and_there {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            use super::*;

            #[test]
            fn embedded() {
                run_instances(Engine::Embedded, 1, &[], |hubs| Box::pin(super::$name(&hubs[0], &hubs[0])));
            }

            #[test]
            fn two_instances() {
                run_instances(Engine::Full, 2, &[], |hubs| Box::pin(super::$name(&hubs[0], &hubs[1])));
            }
        })+
    };
}

here_and_there!(
    a_customer_written_here_reads_there_as_written,
    an_inquiry_written_here_reads_there_as_written,
    a_response_written_here_reads_there_as_written,
    a_user_changed_here_is_another_there_at_once,
    a_session_ended_here_is_refused_there,
    readers_never_see_what_a_finished_write_has_replaced,
    reads_are_answered_from_the_cache_until_the_next_write,
    a_session_is_checked_against_the_cache_until_it_ends,
);

async fn a_customer_written_here_reads_there_as_written(here: &TestHub, there: &TestHub) {
    let (admin, over_there) = both(here, there).await;
    let cso = here.cso().await;
    let customer = here.customer(&admin).await;
    let url = path("customers", &customer);
    for turn in 0..20 {
        let (writer, reader) = if turn % 2 == 0 { (&admin, &over_there) } else { (&over_there, &admin) };
        let input = customer_named(&customer, &format!("Ada {turn}"));
        let written = writer.put(&url, input).await.expect(200);
        assert_eq!(reader.get(&url).await.expect(200), written, "{turn}");
        let assignee = if turn % 4 < 2 { json!(cso.id) } else { Value::Null };
        let assigned =
            writer.post(&format!("{url}/assign"), json!({"assigneeId": assignee})).await.expect(200);
        assert_eq!(reader.get(&url).await.expect(200), assigned, "{turn}");
    }
    admin.delete(&url).await.expect(204);
    over_there.get(&url).await.expect(404);
    admin.get(&url).await.expect(404);
}

async fn an_inquiry_written_here_reads_there_as_written(here: &TestHub, there: &TestHub) {
    let (admin, over_there) = both(here, there).await;
    let csos = [here.cso().await, here.cso().await];
    let inquiry = here.inquiry(&admin).await;
    let url = path("inquiries", &inquiry);
    for turn in 0..10 {
        let input = json!({
            "subject": format!("Turn {turn}"), "message": "Still late.", "priority": "high", "category": "general",
        });
        let written = admin.put(&url, input).await.expect(200);
        assert_eq!(over_there.get(&url).await.expect(200), written);
        let assignee = json!({"assigneeId": csos[turn % 2].id});
        let assigned = over_there.post(&format!("{url}/assign"), assignee).await.expect(200);
        assert_eq!(admin.get(&url).await.expect(200), assigned);
    }
    for turn in 0..10 {
        let status = if turn % 2 == 0 { "in_progress" } else { "closed" };
        let moved = admin.patch(&format!("{url}/status"), json!({"status": status})).await.expect(200);
        assert_eq!(over_there.get(&url).await.expect(200), moved);
    }
}

async fn a_response_written_here_reads_there_as_written(here: &TestHub, there: &TestHub) {
    let (admin, over_there) = both(here, there).await;
    let cso = here.cso().await;
    let manager = here.manager().await;
    let draft = here.draft(&cso, &admin).await;
    let url = path("responses", &draft);
    for turn in 0..5 {
        let edited = cso.put(&url, json!({"message": format!("It ships in {turn} days.")})).await.expect(200);
        assert_eq!(over_there.get(&url).await.expect(200), edited);
        for step in ["submit", "withdraw", "submit"] {
            let stepped = cso.act(&format!("{url}/{step}")).await.expect(200);
            assert_eq!(over_there.get(&url).await.expect(200), stepped);
        }
        let rejection = json!({"notes": "Not in that tone."});
        let rejected = at(there, &manager).post(&format!("{url}/reject"), rejection).await.expect(200);
        assert_eq!(cso.get(&url).await.expect(200), rejected);
    }
}

async fn a_user_changed_here_is_another_there_at_once(here: &TestHub, there: &TestHub) {
    let (admin, over_there) = both(here, there).await;
    for turn in 0..5 {
        let manager = here.manager().await;
        let elsewhere = there.sign_in(&manager.email, PASSWORD).await;
        let url = format!("/users/{}", manager.id);
        elsewhere.get("/users").await.expect(200);
        let named = admin.patch(&url, json!({"firstName": format!("Turn {turn}")})).await.expect(200);
        assert_eq!(over_there.get(&url).await.expect(200), named);
        assert_eq!(elsewhere.get("/auth/profile").await.expect(200), named);

        admin.patch(&url, json!({"role": "cso"})).await.expect(200);
        elsewhere.get("/users").await.expect(401);
        let again = there.sign_in(&manager.email, PASSWORD).await;
        again.get("/users").await.expect(403);

        admin.patch(&url, json!({"isActive": false})).await.expect(200);
        again.get("/auth/profile").await.expect(401);
        assert_eq!(over_there.get(&url).await.expect(200)["isActive"], false);
    }
}

async fn a_session_ended_here_is_refused_there(here: &TestHub, there: &TestHub) {
    for turn in 0..10 {
        let user = here.cso().await;
        let over_there = at(there, &user);
        over_there.get("/auth/profile").await.expect(200);
        user.get("/auth/profile").await.expect(200);
        let (ends, notices) = if turn % 2 == 0 { (&user, &over_there) } else { (&over_there, &user) };
        ends.act("/auth/logout").await.expect(204);
        notices.get("/auth/profile").await.expect(401);
        ends.get("/auth/profile").await.expect(401);
    }
}

async fn readers_never_see_what_a_finished_write_has_replaced(here: &TestHub, there: &TestHub) {
    const WRITES: i64 = 60;
    let (admin, over_there) = both(here, there).await;
    let customer = here.customer(&admin).await;
    let url = path("customers", &customer);
    let (confirmed, writers, reads) = (Cell::new(1), Cell::new(2), Cell::new(0));

    let write = async |client: &Client| {
        for turn in 0..WRITES {
            let input = customer_named(&customer, &format!("Ada {turn}"));
            let written = client.put(&url, input).await.expect(200);
            confirmed.set(confirmed.get().max(version(&written)));
        }
        writers.set(writers.get() - 1);
    };
    let read = async |client: Client| {
        while writers.get() > 0 {
            let floor = confirmed.get();
            let seen = version(&client.get(&url).await.expect(200));
            assert!(seen >= floor, "version {seen} was read after {floor} had been written");
            reads.set(reads.get() + 1);
        }
    };
    let readers = (0..8).map(|turn| read(if turn % 2 == 0 { admin.clone() } else { over_there.clone() }));
    join(join(write(&admin), write(&over_there)), join_all(readers)).await;

    assert_eq!(confirmed.get(), 1 + 2 * WRITES, "every write made a version of its own");
    assert!(reads.get() > WRITES, "only {} reads raced the writes", reads.get());
}

async fn reads_are_answered_from_the_cache_until_the_next_write(here: &TestHub, there: &TestHub) {
    let (admin, over_there) = both(here, there).await;
    let cso = here.cso().await;
    let draft = here.draft(&cso, &admin).await;
    let inquiry =
        admin.get(&format!("/inquiries/{}", draft["inquiryId"].as_str().unwrap())).await.expect(200);
    let customer = here.customer(&admin).await;
    let user = serde_json::to_value(here.make_user(Role::Cso, "ada@example.com").await).unwrap();
    let input = |text: &str| json!({"subject": text, "message": text});
    type Change<'a> = Box<dyn Fn(&'a str) -> LocalBoxFuture<'a, Value> + 'a>;
    let put = |url: String, body: Value| {
        let admin = admin.clone();
        async move { admin.put(&url, body).await.expect(200) }.boxed_local()
    };
    let changes: [(&str, &str, &Value, Change); 4] = [
        ("customers", "first_name", &customer, {
            Box::new(|text| put(path("customers", &customer), customer_named(&customer, text)))
        }),
        ("inquiries", "subject", &inquiry, Box::new(|text| put(path("inquiries", &inquiry), input(text)))),
        ("responses", "message", &draft, {
            Box::new(|text| put(path("responses", &draft), json!({"message": text})))
        }),
        ("users", "last_name", &user, {
            Box::new(|text| {
                let (admin, url) = (admin.clone(), path("users", &user));
                async move { admin.patch(&url, json!({"lastName": text})).await.expect(200) }.boxed_local()
            })
        }),
    ];
    for (table, column, entity, change) in &changes {
        let url = path(table, entity);
        // The cache begins to be used some time after the start, when its Redis is known to be up.
        eventually(&format!("{table} are read from the cache"), async || {
            let cached = admin.get(&url).await.expect(200);
            behind_the_hubs_back(here, table, column, id_of(entity), &Uuid::new_v4().to_string()).await;
            admin.get(&url).await.expect(200) == cached && over_there.get(&url).await.expect(200) == cached
        })
        .await;
        let written = change("as written").await;
        assert_eq!(admin.get(&url).await.expect(200), written, "{table}");
        assert_eq!(over_there.get(&url).await.expect(200), written, "{table}");
    }
}

async fn a_session_is_checked_against_the_cache_until_it_ends(here: &TestHub, there: &TestHub) {
    eventually("a session is read from the cache", async || {
        let user = here.cso().await;
        user.get("/auth/profile").await.expect(200);
        behind_the_hubs_back(here, "users", "first_name", user.id, "Behind").await;
        at(there, &user).get("/auth/profile").await.expect(200)["firstName"] == "Test"
    })
    .await;
    let user = here.cso().await;
    at(there, &user).get("/auth/profile").await.expect(200);
    user.act("/auth/logout").await.expect(204);
    at(there, &user).get("/auth/profile").await.expect(401);
}

/// One admin as a client of each.
async fn both(here: &TestHub, there: &TestHub) -> (Client, Client) {
    let admin = here.admin().await;
    let over_there = at(there, &admin);
    (admin, over_there)
}

/// The same person, talking to `hub`.
fn at(hub: &TestHub, person: &Client) -> Client {
    hub.anonymous().with_token(person.token.as_ref().unwrap())
}

async fn behind_the_hubs_back(hub: &TestHub, table: &str, column: &str, id: Uuid, text: &str) {
    let sql = sqlx::AssertSqlSafe(format!("update {table} set {column} = $1 where id = $2"));
    let rows = match &hub.app.hub.storage.db {
        Db::Postgres(pool) => {
            sqlx::query(sql).bind(text).bind(id).execute(pool).await.unwrap().rows_affected()
        }
        Db::Sqlite { writes, .. } => {
            sqlx::query(sql).bind(text).bind(id).execute(writes).await.unwrap().rows_affected()
        }
    };
    assert_eq!(rows, 1);
}

fn customer_named(customer: &Value, first_name: &str) -> Value {
    json!({"firstName": first_name, "lastName": "Lovelace", "email": customer["email"]})
}

#[track_caller]
fn version(entity: &Value) -> i64 {
    entity["version"].as_i64().unwrap()
}
