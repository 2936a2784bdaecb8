//! PostgreSQL or Redis away: the hub says so, does what it can without, and heals by itself.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{Client, Engine, Place, Reply, eventually, path, redis_url, within};
use crate::hub::Hub;
use crate::wire::Wire;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "brisk otter paints seven lanterns";
/// No request takes longer, whatever is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// A deployment whose hub reaches PostgreSQL and Redis by wires.
struct Deployment {
    place: Place,
    directory: tempfile::TempDir,
    postgres: Wire,
    redis: Wire,
}

#[test]
fn a_hub_started_without_its_database_says_so_and_heals() {
    deployed(|it| {
        Box::pin(async move {
            it.redis.open();
            let hub = it.start().await;
            answer(hub.get("//health/live")).await.expect(200);
            answer(hub.get("//health/ready")).await.expect(503);
            let health = answer(hub.get("//health")).await.expect(503);
            assert_eq!((&health["status"], &health["checks"]["database"]), (&json!("down"), &json!("down")));
            unavailable(hub.try_sign_in(EMAIL, PASSWORD)).await;

            it.postgres.open();
            hub.is_ready().await;
            let (admin, _) = hub.sign_in(EMAIL, PASSWORD).await;
            make_customer(&admin).await;
            up(&hub).await;
            hub.stop().await;
        })
    });
}

#[test]
fn a_database_that_goes_away_makes_requests_503_until_it_is_back() {
    deployed(|it| {
        Box::pin(async move {
            let (hub, admin, refresh) = it.running().await;
            let customer = make_customer(&admin).await;
            for _ in 0..2 {
                it.postgres.cut();
                unavailable(admin.post("/customers", new_customer())).await;
                unavailable(admin.get("/customers")).await;
                unavailable(hub.try_sign_in(EMAIL, PASSWORD)).await;
                answer(hub.get("//health/live")).await.expect(200);
                let health = answer(hub.get("//health")).await.expect(503);
                assert_eq!(health["checks"]["database"], "down");

                it.postgres.open();
                eventually("lists are back", async || answer(admin.get("/customers")).await.status == 200)
                    .await;
                make_customer(&admin).await;
            }
            assert_eq!(admin.get(&path("customers", &customer)).await.expect(200), customer);
            assert_eq!(
                admin.get("/customers").await.expect(200)["meta"]["total"],
                3,
                "a refused one was not made"
            );
            try_refresh(&hub, &refresh).await.expect(200);
            up(&hub).await;
            hub.stop().await;
        })
    });
}

#[test]
fn a_database_that_freezes_makes_no_request_hang() {
    deployed(|it| {
        Box::pin(async move {
            let (hub, admin, _) = it.running().await;
            it.postgres.freeze(true);
            for _ in 0..3 {
                unavailable(admin.get("/customers")).await;
                unavailable(admin.post("/customers", new_customer())).await;
            }
            answer(hub.get("//health/live")).await.expect(200);
            answer(hub.get("//health")).await.expect(503);
            it.postgres.freeze(false);
            within(Duration::from_secs(30), "lists are back", async || {
                answer(admin.get("/customers")).await.status == 200
            })
            .await;
            make_customer(&admin).await;
            up(&hub).await;
            hub.stop().await;
        })
    });
}

#[test]
fn a_database_that_freezes_does_not_keep_the_hub_from_stopping() {
    deployed(|it| {
        Box::pin(async move {
            let (hub, admin, _) = it.running().await;
            it.postgres.freeze(true);
            unavailable(admin.get("/customers")).await;
            hub.terminate();
            let took = hub.ended().await.took;
            assert!(took < Duration::from_secs(15), "it took {took:?}, and shutdown.timeout is 10s");
        })
    });
}

#[test]
fn with_redis_away_work_goes_on_refreshing_waits_and_ended_sessions_stay_ended() {
    deployed(|it| {
        Box::pin(async move {
            let (hub, admin, refresh) = it.running().await;
            let (ended, ended_refresh) = hub.sign_in(EMAIL, PASSWORD).await;
            let (leaving, leaving_refresh) = hub.sign_in(EMAIL, PASSWORD).await;
            let manager = manager(&hub, &admin).await;
            ended.act("/auth/logout").await.expect(204);
            let customer = make_customer(&admin).await;
            it.redis.cut();

            eventually("the loss is noticed", async || {
                let health = answer(hub.get("//health")).await.expect(200);
                health["checks"]["redis"] == "down" && health["status"] == "degraded"
            })
            .await;
            answer(hub.get("//health/ready")).await.expect(200);
            assert_eq!(answer(admin.get(&path("customers", &customer))).await.expect(200), customer);
            let changed = json!({"firstName": "Augusta", "lastName": "King", "email": customer["email"]});
            let changed = answer(admin.put(&path("customers", &customer), changed)).await.expect(200);
            assert_eq!(answer(admin.get(&path("customers", &customer))).await.expect(200), changed);
            make_customer(&admin).await;
            answer_an_inquiry(&admin, &manager, &changed).await;

            unavailable(try_refresh(&hub, &refresh)).await;
            answer(ended.get("/auth/profile")).await.expect(401);
            answer(leaving.act("/auth/logout")).await.expect(204);
            answer(leaving.get("/auth/profile")).await.expect(401);

            it.redis.open();
            eventually("sessions refresh", async || try_refresh(&hub, &refresh).await.status == 200).await;
            for token in [ended_refresh, leaving_refresh] {
                try_refresh(&hub, &token).await.expect(401);
            }
            answer(ended.get("/auth/profile")).await.expect(401);
            answer(leaving.get("/auth/profile")).await.expect(401);
            assert_eq!(admin.get(&path("customers", &customer)).await.expect(200), changed);
            up(&hub).await;
            hub.stop().await;
        })
    });
}

#[test]
fn with_redis_away_sign_ins_are_still_throttled() {
    deployed(|it| {
        Box::pin(async move {
            it.postgres.open();
            let hub = it.start_with(&[("NEXUS__RATE_LIMIT__LOGIN_LIMIT", "3")]).await;
            hub.is_ready().await;
            let mut statuses = Vec::new();
            for _ in 0..6 {
                statuses.push(answer(hub.try_sign_in(EMAIL, "not the password")).await.status);
            }
            assert_eq!(statuses, [401, 401, 401, 429, 429, 429]);
            hub.stop().await;
        })
    });
}

#[test]
fn a_redis_that_freezes_makes_no_request_hang() {
    deployed(|it| {
        Box::pin(async move {
            let (hub, admin, refresh) = it.running().await;
            let customer = make_customer(&admin).await;
            it.redis.freeze(true);
            for _ in 0..10 {
                assert_eq!(answer(admin.get(&path("customers", &customer))).await.expect(200), customer);
                answer(admin.post("/customers", new_customer())).await.expect(201);
            }
            unavailable(try_refresh(&hub, &refresh)).await;
            it.redis.freeze(false);
            eventually("the hub is well", async || hub.get("//health").await.json()["status"] == "up").await;
            hub.stop().await;
        })
    });
}

#[test]
fn a_hub_started_without_redis_is_ready_and_heals() {
    deployed(|it| {
        Box::pin(async move {
            it.postgres.open();
            let hub = it.start().await;
            hub.is_ready().await;
            let health = answer(hub.get("//health")).await.expect(200);
            assert_eq!((&health["status"], &health["checks"]["redis"]), (&json!("degraded"), &json!("down")));
            it.redis.open();
            eventually("sessions begin", async || hub.try_sign_in(EMAIL, PASSWORD).await.status == 200).await;
            let (_, refresh) = hub.sign_in(EMAIL, PASSWORD).await;
            try_refresh(&hub, &refresh).await.expect(200);
            up(&hub).await;
            hub.stop().await;
        })
    });
}

fn deployed(test: impl for<'a> FnOnce(&'a mut Deployment) -> LocalBoxFuture<'a, ()>) {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(Engine::Full).await;
        let (postgres, redis) = (Wire::to(&place.database_url()), Wire::to(&redis_url()));
        let directory = tempfile::tempdir().unwrap();
        let mut deployment = Deployment { place, directory, postgres, redis };
        let outcome = std::panic::AssertUnwindSafe(test(&mut deployment)).catch_unwind().await;
        deployment.place.remove().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

impl Deployment {
    async fn start(&self) -> Hub {
        self.start_with(&[]).await
    }

    async fn start_with(&self, more: &[(&str, &str)]) -> Hub {
        let mut variables = self.place.variables();
        for (name, value) in &mut variables {
            match name.as_str() {
                "DATABASE_URL" => *value = self.postgres.through(value),
                "REDIS_URL" => *value = self.redis.through(value),
                _ => {}
            }
        }
        let mut variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        variables.extend([("BOOTSTRAP_ADMIN_EMAIL", EMAIL), ("BOOTSTRAP_ADMIN_PASSWORD", PASSWORD)]);
        variables.extend(more);
        Hub::start(self.directory.path(), &variables).await
    }

    /// A ready hub and its admin, with both tokens.
    async fn running(&mut self) -> (Hub, Client, String) {
        self.postgres.open();
        self.redis.open();
        let hub = self.start().await;
        hub.is_ready().await;
        up(&hub).await;
        let (admin, refresh) = hub.sign_in(EMAIL, PASSWORD).await;
        (hub, admin, refresh)
    }
}

async fn manager(hub: &Hub, admin: &Client) -> Client {
    let email = "grace@example.com";
    let manager = json!({
        "email": email, "password": PASSWORD, "role": "manager", "firstName": "Grace", "lastName": "Hopper",
    });
    admin.post("/auth/register", manager).await.expect(201);
    hub.sign_in(email, PASSWORD).await.0
}

/// From the question to the approved reply.
async fn answer_an_inquiry(admin: &Client, manager: &Client, customer: &Value) {
    let inquiry = json!({"customerId": customer["id"], "subject": "Where is it?", "message": "It is late."});
    let inquiry = answer(admin.post("/inquiries", inquiry)).await.expect(201);
    let draft = json!({"inquiryId": inquiry["id"], "message": "It ships tomorrow."});
    let draft = answer(admin.post("/responses", draft)).await.expect(201);
    let submit = format!("{}/submit", path("responses", &draft));
    let submitted = answer(admin.act(&submit)).await.expect(200);
    assert_eq!(submitted["status"], "pending_approval");
    let approve = format!("{}/approve", path("responses", &draft));
    let approved = answer(manager.post(&approve, json!({"revision": 1}))).await.expect(200);
    assert_eq!(approved["status"], "approved");
}

async fn make_customer(admin: &Client) -> Value {
    answer(admin.post("/customers", new_customer())).await.expect(201)
}

fn new_customer() -> Value {
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    json!({"firstName": "Ada", "lastName": "Lovelace", "email": email})
}

async fn try_refresh(hub: &Hub, token: &str) -> Reply {
    hub.anyone().post("/auth/refresh", json!({"refreshToken": token})).await
}

async fn up(hub: &Hub) {
    eventually("all is well", async || answer(hub.get("//health")).await.json()["status"] == "up").await;
}

/// The answer, which must come within [`PATIENCE`].
async fn answer(request: impl Future<Output = Reply>) -> Reply {
    timeout(PATIENCE, request).await.expect("a request hangs")
}

/// A 503 as every client must be able to read it.
async fn unavailable(request: impl Future<Output = Reply>) {
    let reply = answer(request).await;
    assert_eq!(reply.header("content-type"), "application/problem+json", "{}", reply.text);
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{}", reply.text);
    reply.expect(503);
}
