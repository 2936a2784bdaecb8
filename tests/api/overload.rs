//! More requests than the hub can take.

use std::cell::RefCell;
use std::rc::Rc;

use nexus_actors::store::Db;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Client, Reply, TestHub, eventually, on_both_engines, path};

const PATIENCE: &[(&str, &str)] = &[("NEXUS__SERVER__SHED_ABOVE", "50ms")];

on_both_engines!(
    with PATIENCE;
    what_would_take_too_long_is_refused_and_what_was_accepted_is_done,
);

/// Sends one more, and does not wait for its answer.
fn send(client: &Client, answers: &Rc<RefCell<Vec<Reply>>>) -> tokio::task::JoinHandle<()> {
    let (client, answers) = (client.clone(), Rc::clone(answers));
    actix_web::rt::spawn(async move {
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": email});
        let reply = client.post("/customers", customer).await;
        answers.borrow_mut().push(reply);
    })
}

async fn what_would_take_too_long_is_refused_and_what_was_accepted_is_done(hub: &TestHub) {
    let admin = hub.admin().await;
    let known = path("customers", &hub.customer(&admin).await);
    // What has been asked for again is in the cache.
    for _ in 0..2 {
        admin.get(&known).await.expect(200);
    }
    let answers = Rc::default();
    let mut sent = Vec::new();
    // The database has nothing left for the hub.
    let held = Held::all(&hub.app.hub.storage.db).await;
    eventually("one is refused", async || {
        sent.extend((0..5).map(|_| send(&admin, &answers)));
        answers.borrow().iter().any(|reply: &Reply| reply.status == 503)
    })
    .await;
    // Others have nothing to do with it.
    admin.get(&known).await.expect(200);
    drop(held);
    for request in sent {
        request.await.unwrap();
    }
    let answers = answers.take();
    let made = answers.iter().filter(|reply| reply.status == 201).count();
    let refused: Vec<_> = answers.iter().filter(|reply| reply.status != 201).collect();
    assert!(made > 0);
    for reply in &refused {
        assert!(reply.problem(503)["type"].as_str().unwrap().ends_with("unavailable"), "{}", reply.text);
        assert_eq!(reply.header("retry-after"), "1");
    }
    let there = admin.get("/customers").await.expect(200)["meta"]["total"].as_u64().unwrap();
    assert_eq!(usize::try_from(there).unwrap(), made + 1);
}

/// Connections that are not given back.
#[expect(dead_code, reason = "held until they are dropped")]
enum Held {
    Postgres(Vec<sqlx::pool::PoolConnection<sqlx::Postgres>>),
    Sqlite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
}

impl Held {
    async fn all(db: &Db) -> Self {
        match db {
            Db::Postgres(pool) => {
                let mut connections = Vec::new();
                for _ in 0..pool.options().get_max_connections() {
                    connections.push(pool.acquire().await.unwrap());
                }
                Self::Postgres(connections)
            }
            Db::Sqlite { writes, .. } => Self::Sqlite(writes.acquire().await.unwrap()),
        }
    }
}
