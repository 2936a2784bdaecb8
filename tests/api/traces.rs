//! Traces: what a collector is shown of requests, and what it costs. Of messages: `channels/traces.rs`.

pub mod collector;

use futures_util::future::LocalBoxFuture;
use nexus_actors::domain::trace_parent::TraceParent;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::behind::rows;
use crate::harness::{Client, Engine, Place, Reply, TestHub, eventually, on_both_engines, run_with};
use crate::metrics::scrape::Scrape;
use collector::{Collector, Seen};

on_both_engines!(
    in collected;
    a_request_is_followed_through_actors_and_store,
    a_request_goes_on_with_the_trace_of_its_client_whatever_its_flag,
    a_malformed_header_is_none,
    a_request_that_is_refused_is_no_failure,
    nothing_anybody_wrote_is_in_a_span,
    probes_and_scrapes_are_not_traced,
);

on_both_engines!(
    in ignored;
    a_collector_that_never_answers_holds_nothing_up,
);

on_both_engines!(
    in deserted;
    a_collector_that_is_away_costs_spans_and_nothing_else,
);

on_both_engines!(nothing_is_traced_unless_a_collector_is_named);

pub const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Of a client that says that it records the trace.
pub const CLIENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

pub fn client() -> TraceParent {
    CLIENT.parse().unwrap()
}

fn with(
    engine: Engine,
    collector: Collector,
    test: impl for<'a> FnOnce(&'a TestHub, &'static Collector) -> LocalBoxFuture<'a, ()>,
) {
    let collector: &'static Collector = Box::leak(Box::new(collector));
    run_with(engine, &[(ENDPOINT, &collector.endpoint)], |hub| test(hub, collector));
}

fn collected(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, &'static Collector) -> LocalBoxFuture<'a, ()>,
) {
    with(engine, Collector::start(), test);
}

fn ignored(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, &'static Collector) -> LocalBoxFuture<'a, ()>,
) {
    with(engine, Collector::silent(), test);
}

fn deserted(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, &'static Collector) -> LocalBoxFuture<'a, ()>,
) {
    with(engine, Collector::away(), test);
}

/// Creates an inquiry, with this `traceparent`.
async fn inquire(hub: &TestHub, admin: &Client, header: Option<&str>) -> Reply {
    let customer = hub.customer(admin).await;
    let inquiry =
        json!({"customerId": customer["id"], "subject": "Where is my order?", "message": "It is late."});
    let headers: Vec<_> = header.map(|header| ("traceparent", header)).into_iter().collect();
    admin.send(Method::POST, "/inquiries", Some(inquiry), &headers).await
}

fn creates_an_inquiry(span: &Seen) -> bool {
    span.name == "POST /api/v1/inquiries"
}

/// The spans of the first such trace, once `last` is among them.
async fn trace(collector: &Collector, begins: impl Fn(&Seen) -> bool, last: &str) -> Vec<Seen> {
    let mut trace = Vec::new();
    eventually(&format!("{last} is there"), async || {
        let spans = collector.spans();
        let Some(first) = spans.iter().find(|span| begins(span)) else { return false };
        trace = spans.iter().filter(|span| span.trace == first.trace).cloned().collect();
        trace.iter().any(|span| span.name == last)
    })
    .await;
    trace
}

async fn a_request_is_followed_through_actors_and_store(hub: &TestHub, collector: &'static Collector) {
    let admin = hub.admin().await;
    let reply = inquire(hub, &admin, None).await;
    let request_id = reply.header("x-request-id").to_owned();
    reply.expect(201);
    let spans = trace(collector, creates_an_inquiry, "POST /api/v1/inquiries").await;
    let request = spans.iter().find(|span| creates_an_inquiry(span)).unwrap();
    assert_eq!((request.parent, request.kind, request.failed), (0, SpanKind::Server, false));
    assert_eq!(request.service, "nexus-hub");
    assert_eq!(request.attribute("http.request.method"), "POST");
    assert_eq!(request.attribute("http.route"), "/api/v1/inquiries");
    assert_eq!(request.attribute("http.response.status_code"), "201");
    assert_eq!(request.attribute("nexus.request.id"), request_id);

    let commit = spans
        .iter()
        .find(|span| span.name == "commit" && collector.line_of(span).0.len() == 4)
        .unwrap_or_else(|| panic!("{spans:#?}"));
    let engine = if hub.engine == Engine::Full { "postgresql" } else { "sqlite" };
    assert_eq!((commit.kind, commit.attribute("db.system.name")), (SpanKind::Client, engine));
    let line = ["commit", "Writer Commit", "InquiryDesk CreateInquiry", "POST /api/v1/inquiries"];
    assert_eq!(collector.line_of(commit), (line.map(str::to_owned).to_vec(), 0));
    let desk = spans.iter().find(|span| span.name == "InquiryDesk CreateInquiry").unwrap();
    assert_eq!(desk.kind, SpanKind::Internal);
    assert_eq!(
        (desk.attribute("nexus.actor"), desk.attribute("nexus.message")),
        ("InquiryDesk", "CreateInquiry")
    );
}

async fn a_request_goes_on_with_the_trace_of_its_client_whatever_its_flag(
    hub: &TestHub,
    collector: &'static Collector,
) {
    let admin = hub.admin().await;
    // Not recorded where it comes from; by the lot of this hub it is.
    let unsampled = CLIENT.replace("-01", "-00");
    inquire(hub, &admin, Some(&unsampled)).await.expect(201);
    let spans = trace(collector, creates_an_inquiry, "POST /api/v1/inquiries").await;
    let request = spans.iter().find(|span| creates_an_inquiry(span)).unwrap();
    assert_eq!((request.trace, request.parent), (client().trace, client().span));
}

async fn a_malformed_header_is_none(hub: &TestHub, collector: &'static Collector) {
    let admin = hub.admin().await;
    for header in
        ["", "nonsense", &CLIENT.to_uppercase(), &CLIENT.replace("00-", "ff-"), &format!("{CLIENT}-x")]
    {
        inquire(hub, &admin, Some(header)).await.expect(201);
    }
    let twice =
        admin.raw(Method::GET, "/auth/profile").header("traceparent", CLIENT).header("traceparent", CLIENT);
    crate::harness::reply(twice).await.expect(200);
    let profile = |span: &Seen| span.name == "GET /api/v1/auth/profile";
    eventually("all are there", async || {
        let spans = collector.spans();
        spans.iter().filter(|span| creates_an_inquiry(span)).count() == 5 && spans.iter().any(profile)
    })
    .await;
    let requests = collector.spans().into_iter().filter(|span| creates_an_inquiry(span) || profile(span));
    for request in requests {
        assert_eq!(request.parent, 0);
        assert_ne!(request.trace, client().trace);
    }
}

async fn a_request_that_is_refused_is_no_failure(hub: &TestHub, collector: &'static Collector) {
    let cso = hub.cso().await;
    cso.get("/users").await.problem(403);
    cso.get("/no-such-thing?token=secret").await.problem(404);
    eventually("both are there", async || {
        let spans = collector.spans();
        ["GET /api/v1/users", "GET"].iter().all(|name| spans.iter().any(|span| span.name == *name))
    })
    .await;
    let nowhere = collector.find(|span| span.name == "GET").unwrap();
    assert_eq!(nowhere.attribute("http.response.status_code"), "404");
    assert!(!nowhere.attributes.contains_key("http.route"), "{nowhere:?}");
    assert!(collector.spans().iter().all(|span| !span.failed));
}

async fn nothing_anybody_wrote_is_in_a_span(hub: &TestHub, collector: &'static Collector) {
    let admin = hub.admin().await;
    let email = "ada-lovelace-1815@example.com";
    let customer = json!({"firstName": "Augusta", "lastName": "Lovelace", "email": email});
    let customer = admin.post("/customers", customer).await.expect(201);
    let inquiry = json!({"customerId": customer["id"], "subject": "Unmistakable", "message": "Confidential"});
    admin.post("/inquiries", inquiry).await.expect(201);
    admin.get("/customers?q=lovelace").await.expect(200);
    admin.get(&format!("/audit?entityId={}", customer["id"].as_str().unwrap())).await.expect(200);
    trace(collector, |span| span.name == "GET /api/v1/audit", "GET /api/v1/audit").await;
    let told = format!("{:?}", collector.spans()).to_lowercase();
    let token = admin.token.clone().unwrap().to_lowercase();
    let written =
        [email, "augusta", "lovelace", "unmistakable", "confidential", &admin.email.to_lowercase(), &token];
    for secret in written {
        assert!(!told.contains(secret), "{secret}");
    }
}

async fn probes_and_scrapes_are_not_traced(hub: &TestHub, collector: &'static Collector) {
    let anyone = hub.anonymous();
    for path in ["//health", "//health/live", "//health/ready", "//metrics"] {
        assert_eq!(anyone.get(path).await.status, 200);
    }
    anyone.get("/auth/profile").await.problem(401);
    trace(collector, |span| span.name.ends_with("/auth/profile"), "GET /api/v1/auth/profile").await;
    let other: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(other, ["GET /api/v1/auth/profile"]);
}

async fn a_collector_that_never_answers_holds_nothing_up(hub: &TestHub, _: &'static Collector) {
    let admin = hub.admin().await;
    inquire(hub, &admin, None).await.expect(201);
    // The harness sees to it that the hub stops in time.
}

async fn a_collector_that_is_away_costs_spans_and_nothing_else(hub: &TestHub, _: &'static Collector) {
    let admin = hub.admin().await;
    inquire(hub, &admin, None).await.expect(201);
    eventually("spans are lost", async || {
        let text = admin.get("//metrics").await.text;
        Scrape::read(&text).value("nexus_trace_spans_total", &[("outcome", "lost")]) > 0.0
    })
    .await;
    let text = admin.get("//metrics").await.text;
    assert_eq!(Scrape::read(&text).find("nexus_trace_spans_total", &[("outcome", "exported")]), Some(0.0));
}

async fn nothing_is_traced_unless_a_collector_is_named(hub: &TestHub) {
    let admin = hub.admin().await;
    let inquiry: Value = inquire(hub, &admin, Some(CLIENT)).await.expect(201);
    assert!(inquiry["id"].is_string());
    let kept: Vec<(i64,)> = rows(hub, "select count(*) from traces").await;
    assert_eq!(kept, [(0,)]);
    let metrics = admin.get("//metrics").await.text;
    assert!(!metrics.contains("trace_spans"), "{metrics}");
}

/// What the lot of `ratio` makes of a request whose client says that it is recorded.
async fn requested(engine: Engine, ratio: &str) -> Vec<Seen> {
    let collector = Collector::start();
    let variables = [(ENDPOINT, collector.endpoint.as_str()), ("NEXUS__TELEMETRY__SAMPLE_RATIO", ratio)];
    let place = Place::prepare(engine).await;
    let hub = TestHub::start(&place, &variables).await;
    let refused = hub.anonymous().send(Method::GET, "/users", None, &[("traceparent", CLIENT)]).await.status;
    // What waits is posted before the hub has stopped.
    hub.stop().await;
    place.remove().await;
    assert_eq!(refused, 401);
    collector.spans()
}

#[test]
fn a_clients_flag_has_nothing_recorded_and_what_ended_last_is_posted_at_the_end() {
    actix_web::rt::System::new().block_on(async {
        for engine in [Engine::Embedded, Engine::Full] {
            let by_lot = requested(engine, "1").await;
            assert_eq!(by_lot.iter().filter(|span| span.kind == SpanKind::Server).count(), 1);
            let none = requested(engine, "0").await;
            assert!(none.is_empty(), "{none:?}");
        }
    });
}
