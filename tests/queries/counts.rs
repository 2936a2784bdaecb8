//! How many statements an endpoint costs: a fixed number, however many rows it answers with.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, Engine, TestHub, id_of, path};
use crate::{listening, statements};

/// Statements with a warm cache (SQLite with the cache in memory, PostgreSQL with the cache in Redis alike), and without
/// any (PostgreSQL alone), where every request looks for its session and its user, and every read for its entity. A list
/// that does not fit on its first page takes one more, which counts it; on PostgreSQL two more but for a search, for an
/// estimate comes first, which may do for a list of very many.
const LISTS: &[(&str, usize, usize)] = &[
    ("/users", 1, 3),
    ("/customers", 1, 3),
    ("/customers?q=ada", 1, 3),
    ("/customers?q=ada&status=active&assignedTo=none&sortBy=email", 1, 3),
    ("/inquiries", 1, 3),
    ("/inquiries?q=order&status=pending,closed&priority=medium&sortBy=subject", 1, 3),
    ("/inquiries/{inquiry}/messages", 1, 4),
    ("/inquiries/{inquiry}/assignments", 1, 4),
    ("/responses", 1, 3),
    ("/responses?inquiryId={inquiry}", 1, 3),
    ("/responses/{response}/history", 1, 4),
    ("/notifications", 1, 3),
    ("/webhooks", 1, 3),
    ("/notifications?unread=true", 1, 3),
    ("/audit", 1, 3),
    ("/audit?entityType=customer", 1, 3),
];

const READS: &[(&str, usize, usize)] = &[
    ("/auth/profile", 0, 2),
    ("/auth/totp", 0, 2),
    ("/users/{user}", 0, 3),
    ("/customers/{customer}", 0, 3),
    ("/inquiries/{inquiry}", 0, 3),
    ("/responses/{response}", 0, 3),
    ("/stats", 8, 10),
    ("/stats/daily", 3, 5),
    ("//health/live", 0, 0),
    ("//health/ready", 0, 0),
    ("//health", 1, 1),
];

#[test]
fn an_endpoint_costs_the_same_whatever_the_number_of_rows_embedded() {
    listening(Engine::Embedded, &[], |hub| Box::pin(costs_the_same(hub, true)));
}

#[test]
fn an_endpoint_costs_the_same_whatever_the_number_of_rows_full() {
    listening(Engine::Full, &[], |hub| Box::pin(costs_the_same(hub, true)));
}

#[test]
fn an_endpoint_costs_the_same_whatever_the_number_of_rows_without_a_cache() {
    listening(Engine::Full, &[("REDIS_URL", "")], |hub| Box::pin(costs_the_same(hub, false)));
}

async fn costs_the_same(hub: &TestHub, cached: bool) {
    let mut scene = Scene::prepare(hub).await;
    for rows in [1, 20, 100] {
        scene.grow(hub, rows).await;
        let mut wrong = Vec::new();
        for (endpoint, warm, uncached) in LISTS.iter().chain(READS) {
            let expected = if cached { *warm } else { *uncached };
            let path = scene.path(endpoint);
            let meta = &scene.admin.get(&path).await.json()["meta"];
            let counting = match hub.engine {
                _ if meta["nextCursor"].is_null() => 0..=0,
                Engine::Full if meta["totalEstimated"] == true => 1..=2,
                Engine::Full if !endpoint.contains("?q=") => 2..=2,
                _ => 1..=1,
            };
            let said = statements(&scene.admin, &path).await;
            if !said.len().checked_sub(expected).is_some_and(|more| counting.contains(&more)) {
                let (said, number) = (said.join("\n    "), said.len());
                wrong.push(format!("{endpoint}: {number} for {expected} and {counting:?}\n    {said}"));
            }
        }
        assert!(wrong.is_empty(), "with {rows} rows on {:?}:\n{}", hub.engine, wrong.join("\n"));
        for (endpoint, ..) in LISTS {
            let found = scene.admin.get(&scene.path(endpoint)).await.expect(200);
            let found = found["data"].as_array().unwrap().len();
            assert!(found >= rows, "{endpoint} shows {found} of {rows} rows");
        }
    }
}

/// One of everything, to be multiplied.
struct Scene {
    admin: Client,
    manager: Client,
    /// Away, so that nothing is assigned but by hand.
    cso: Client,
    customer: Value,
    inquiry: Value,
    response: Value,
    rows: usize,
}

impl Scene {
    async fn prepare(hub: &TestHub) -> Self {
        let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
        admin.patch(&format!("/users/{}", cso.id), json!({"availability": "away"})).await.expect(200);
        let response = hub.draft(&cso, &admin).await;
        let inquiry =
            admin.get(&format!("/inquiries/{}", response["inquiryId"].as_str().unwrap())).await.expect(200);
        let customer = hub.customer(&admin).await;
        Self { admin, manager, cso, customer, inquiry, response, rows: 0 }
    }

    fn path(&self, endpoint: &str) -> String {
        let path = endpoint
            .replace("{user}", &self.cso.id.to_string())
            .replace("{customer}", &id_of(&self.customer).to_string())
            .replace("{inquiry}", &id_of(&self.inquiry).to_string())
            .replace("{response}", &id_of(&self.response).to_string());
        let is_list = LISTS.iter().any(|(list, ..)| *list == endpoint);
        match (is_list, path.contains('?')) {
            (true, true) => path + "&limit=100",
            (true, false) => path + "?limit=100",
            (false, _) => path,
        }
    }

    /// Until every list has at least `rows` rows.
    async fn grow(&mut self, hub: &TestHub, rows: usize) {
        let inquiry = path("inquiries", &self.inquiry);
        for _ in self.rows..rows {
            hub.make_user(
                nexus_actors::domain::user::Role::Manager,
                &format!("{}@example.com", Uuid::new_v4()),
            )
            .await;
            hub.inquiry(&self.admin).await;
            let hook = json!({"url": "https://example.com/", "events": ["customer.deleted"]});
            self.admin.post("/webhooks", hook).await.expect(201);
            let to = json!({"assigneeId": self.cso.id});
            self.admin.post(&format!("{inquiry}/assign"), to).await.expect(200);
            let reply = json!({"inquiryId": self.inquiry["id"], "message": "Soon."});
            let reply = path("responses", &self.cso.post("/responses", reply).await.expect(201));
            self.cso.act(&format!("{reply}/submit")).await.expect(200);
            self.manager.act(&format!("{reply}/approve")).await.expect(200);
            let response = path("responses", &self.response);
            self.cso.put(&response, json!({"message": "Later."})).await.expect(200);
        }
        self.rows = rows;
    }
}
