use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use nexus_actors::HubError;
use nexus_actors::domain::event::EventType;
use nexus_actors::mailbox::Panic;
use nexus_actors::store::api_keys::GetApiKey;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::scrape;
use crate::dead_letters::buried;
use crate::harness::{Client, Engine, TestHub, eventually, on_both_engines, path};
use crate::pushes::Stream;
use crate::responses::{submitted, to};
use crate::webhooks::LOCAL;
use crate::webhooks::receiver::{Manner, Receiver};

on_both_engines!(
    requests_are_counted_and_timed_by_route_and_status,
    no_client_makes_series_of_its_own,
    what_waits_is_counted_and_its_age_told,
    what_happens_is_counted,
    pushes_are_counted,
    what_the_hub_depends_on_is_told,
    a_scrape_goes_well_while_the_database_is_away,
);
on_both_engines!(with NARROW; an_actors_messages_are_counted_and_timed);
on_both_engines!(with LOCAL; calls_of_webhooks_are_counted_by_outcome);

/// Few messages at a time.
const NARROW: &[(&str, &str)] = &[("NEXUS__ACTORS__MAILBOX_CAPACITY", "16")];
const MINUTE: Duration = Duration::from_secs(60);

/// As `nexus_queue_…` has them: how many wait, and since how many seconds.
async fn queue(hub: &TestHub, name: &str) -> (f64, f64) {
    let scrape = scrape(hub).await;
    let labels = [("queue", name)];
    let age = scrape.value("nexus_queue_oldest_age_seconds", &labels);
    (scrape.value("nexus_queue_entries", &labels), age)
}

/// What was read in the database is told again for a second.
async fn waits(hub: &TestHub, name: &str, expected: (f64, f64)) {
    eventually(&format!("{name}: {expected:?}"), async || queue(hub, name).await == expected).await;
}

async fn requests_are_counted_and_timed_by_route_and_status(hub: &TestHub) {
    let admin = hub.admin().await;
    let customer = hub.customer(&admin).await;
    let route = "/api/v1/customers/{id}";
    let labels = |status| [("method", "GET"), ("route", route), ("status", status)];
    assert_eq!(scrape(hub).await.find("nexus_http_requests_total", &labels("200")), None);
    for _ in 0..3 {
        admin.get(&path("customers", &customer)).await.expect(200);
    }
    admin.get("/customers/00000000-0000-7000-8000-000000000000").await.problem(404);
    let told = scrape(hub).await;
    assert_eq!(told.value("nexus_http_requests_total", &labels("200")), 3.0);
    assert_eq!(told.value("nexus_http_requests_total", &labels("404")), 1.0);
    let labels = [("method", "GET"), ("route", route)];
    assert_eq!(told.value("nexus_http_request_seconds_count", &labels), 4.0);
    assert!(told.value("nexus_http_request_seconds_sum", &labels) > 0.0);
    let all = [labels[0], labels[1], ("le", "+Inf")];
    assert_eq!(told.value("nexus_http_request_seconds_bucket", &all), 4.0);
}

async fn no_client_makes_series_of_its_own(hub: &TestHub) {
    let anyone = hub.anonymous();
    for number in 0..5 {
        anyone.get(&format!("/nothing/{number}")).await.problem(404);
        anyone.get(&format!("//nothing/{number}")).await.problem(404);
        let method = Method::from_bytes(format!("MADE{number}").as_bytes()).unwrap();
        anyone.send(method, "//health/live", None, &[]).await.problem(405);
    }
    let told = scrape(hub).await;
    let series: Vec<_> = told.series("nexus_http_requests_total").collect();
    assert!(!series.iter().any(|labels| labels["route"].contains("nothing")), "{series:?}");
    let methods: BTreeSet<_> = series.iter().map(|labels| labels["method"].as_str()).collect();
    assert_eq!(methods, BTreeSet::from(["GET", "other"]));
    let other = [("method", "other"), ("status", "405")];
    assert_eq!(told.value("nexus_http_requests_total", &other), 5.0);
}

async fn an_actors_messages_are_counted_and_timed(hub: &TestHub) {
    let admin = hub.admin().await;
    let desk = [("actor", "CustomerDesk")];
    let before = scrape(hub).await.value("nexus_actor_message_seconds_count", &desk);
    hub.customer(&admin).await;
    let told = scrape(hub).await;
    assert_eq!(told.value("nexus_actor_message_seconds_count", &desk), before + 1.0);
    assert!(told.value("nexus_actor_message_seconds_sum", &desk) > 0.0);
    assert_eq!(told.value("nexus_actor_messages", &desk), 0.0);
    assert_eq!(told.value("nexus_actor_capacity", &desk), 16.0);
    assert_eq!(told.value("nexus_actor_restarts_total", &desk), 0.0);
    for _ in 0..3 {
        assert!(hub.app.hub.customer_desk.ask(Panic).await.is_err());
    }
    eventually("it is up again", async || scrape(hub).await.value("nexus_actor_up", &desk) == 1.0).await;
    assert_eq!(scrape(hub).await.value("nexus_actor_restarts_total", &desk), 3.0);

    // More at once than it may have.
    let store = [("actor", "ApiKeyStore")];
    let answers = join_all((0..16 * 4).map(|_| hub.app.hub.api_keys.ask(GetApiKey(Uuid::nil())))).await;
    let refused = answers.iter().filter(|one| matches!(one, Err(HubError::Overloaded { .. }))).count();
    assert!(refused > 0);
    let counted = scrape(hub).await.value("nexus_actor_refused_messages_total", &store);
    assert_eq!(counted, f64::from(u32::try_from(refused).unwrap()));
}

async fn what_waits_is_counted_and_its_age_told(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for name in ["approvals", "unassigned_inquiries", "unreported_deliveries", "dead_letters"] {
        assert_eq!(queue(hub, name).await, (0.0, 0.0), "{name}");
    }
    let first = submitted(hub, &cso, &admin).await;
    hub.clock.advance(MINUTE);
    submitted(hub, &cso, &admin).await;
    waits(hub, "approvals", (2.0, 60.0)).await;
    manager.act(&to(&first, "approve")).await.expect(200);
    waits(hub, "approvals", (1.0, 0.0)).await;
    // Without a gateway, nobody says what became of it.
    waits(hub, "unreported_deliveries", (1.0, 0.0)).await;
    waits(hub, "deliveries", (0.0, 0.0)).await;
    buried(hub, &admin).await;
    admin.patch(&format!("/users/{}", cso.id), json!({"availability": "away"})).await.expect(200);
    hub.inquiry(&admin).await;
    hub.clock.advance(MINUTE);
    waits(hub, "dead_letters", (1.0, 60.0)).await;
    waits(hub, "unreported_deliveries", (1.0, 60.0)).await;
    let unassigned = admin.get("/inquiries?status=pending&assignedTo=none").await.expect(200);
    let unassigned = unassigned["meta"]["total"].as_f64().unwrap();
    assert!(unassigned > 0.0);
    waits(hub, "unassigned_inquiries", (unassigned, 60.0)).await;
    waits(hub, "outbox", (0.0, 0.0)).await;
}

async fn what_happens_is_counted(hub: &TestHub) {
    let admin = hub.admin().await;
    let labels = [("type", "customer.created")];
    assert_eq!(scrape(hub).await.value("nexus_events_total", &labels), 0.0);
    hub.customer(&admin).await;
    let told = scrape(hub).await;
    assert_eq!(told.value("nexus_events_total", &labels), 1.0);
    let types: BTreeSet<_> =
        told.series("nexus_events_total").map(|labels| labels["type"].as_str()).collect();
    assert_eq!(types, EventType::ALL.iter().map(|event_type| event_type.as_str()).collect());
}

async fn pushes_are_counted(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let mut stream = Stream::open(&manager, "/events", None).await;
    submitted(hub, &cso, &admin).await;
    stream.take(1).await;
    let told = scrape(hub).await;
    assert_eq!(told.value("nexus_push_connections", &[]), 1.0);
    assert_eq!(told.value("nexus_pushes_total", &[]), 1.0);
    assert_eq!(told.value("nexus_push_connections_dropped_total", &[]), 0.0);
    manager.act("/auth/logout").await;
    eventually("it has gone", async || scrape(hub).await.value("nexus_push_connections", &[]) == 0.0).await;
}

async fn what_the_hub_depends_on_is_told(hub: &TestHub) {
    let told = scrape(hub).await;
    for dependency in ["database", "redis", "broker"] {
        assert_eq!(told.value("nexus_dependency_up", &[("dependency", dependency)]), 1.0, "{dependency}");
    }
    assert_eq!(told.value("nexus_ready", &[]), 1.0);
    assert_eq!(told.value("nexus_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    let pools: &[(&str, f64)] = match hub.engine {
        Engine::Embedded => &[("reads", 8.0), ("writes", 1.0)],
        Engine::Full => &[("all", 8.0)],
    };
    for (pool, most) in pools {
        assert_eq!(told.value("nexus_database_max_connections", &[("pool", pool)]), *most);
        let open: f64 = ["idle", "used"]
            .map(|state| told.value("nexus_database_connections", &[("pool", pool), ("state", state)]))
            .iter()
            .sum();
        assert!((1.0..=*most).contains(&open), "{pool}: {open}");
    }
    for state in ["hashing", "waiting"] {
        assert_eq!(told.value("nexus_password_hashings", &[("state", state)]), 0.0);
    }
}

async fn a_scrape_goes_well_while_the_database_is_away(hub: &TestHub) {
    hub.app.hub.storage.db.close().await;
    let database = [("dependency", "database")];
    eventually("it is told", async || scrape(hub).await.value("nexus_dependency_up", &database) == 0.0).await;
    let told = scrape(hub).await;
    assert_eq!(told.find("nexus_queue_entries", &[("queue", "outbox")]), None);
    assert_eq!(told.value("nexus_actor_up", &[("actor", "StatsStore")]), 1.0);
}

async fn calls_of_webhooks_are_counted_by_outcome(hub: &TestHub) {
    let (admin, receiver) = (hub.admin().await, Receiver::start());
    let input = json!({"url": receiver.url, "events": ["customer.created"]});
    let hook = path("webhooks", &admin.post("/webhooks", input).await.expect(201));
    for (calls, (manner, outcome)) in
        [(Manner::Answer(204, ""), "delivered"), (Manner::Answer(410, ""), "refused")].into_iter().enumerate()
    {
        receiver.behave(manner);
        hub.customer(&admin).await;
        let counted = [("outcome", outcome)];
        eventually(outcome, async || scrape(hub).await.value("nexus_webhook_calls_total", &counted) == 1.0)
            .await;
        let told = scrape(hub).await;
        assert_eq!(told.value("nexus_webhook_call_seconds_count", &[]), calls as f64 + 1.0);
    }
    // Whoever is gone is disabled, and what waits for them counts no more.
    enable(&admin, &hook).await;
    receiver.behave(Manner::Close);
    hub.customer(&admin).await;
    let unanswered = [("outcome", "unanswered")];
    eventually("unanswered", async || {
        scrape(hub).await.value("nexus_webhook_calls_total", &unanswered) == 1.0
    })
    .await;
    waits(hub, "webhook_messages", (1.0, 0.0)).await;
    hub.clock.advance(Duration::from_secs(1));
    waits(hub, "webhook_messages", (1.0, 1.0)).await;
    admin.patch(&hook, json!({"isEnabled": false})).await.expect(200);
    waits(hub, "webhook_messages", (0.0, 0.0)).await;
}

async fn enable(admin: &Client, hook: &str) {
    eventually("it is disabled", async || admin.get(hook).await.expect(200)["isEnabled"] == false).await;
    admin.patch(hook, json!({"isEnabled": true})).await.expect(200);
}
