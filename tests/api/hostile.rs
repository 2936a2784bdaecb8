//! Whatever is sent to whichever endpoint by whomever: an answer the OpenAPI document knows, never a 5xx, and
//! nothing of the hub's inside in it.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::document::{Operation, Targets, operations};
use crate::harness::{Client, PASSWORD, TestHub, on_both_engines};

on_both_engines!(
    hostile_texts_are_answered_as_documented_at_every_endpoint,
    hostile_bodies_are_answered_as_documented_at_every_endpoint,
    hostile_headers_are_answered_as_documented_at_every_endpoint,
    random_requests_are_answered_as_documented,
);

/// None holds a word that an answer is searched for, because answers may quote what was sent.
const TEXTS: &[&str] = &[
    "",
    " ",
    "\0",
    "null",
    "-1",
    "1e999",
    "9223372036854775808",
    "10000000000000000000000000000000000000000",
    "NaN",
    "' or '1'='1",
    "'; drop table customers; --",
    "\") or 1=1 --",
    "\"* AND NEAR(a b)",
    "a:* & !b | (c",
    "%",
    "\\",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "a\r\nSet-Cookie: b=c",
    "\u{feff}\u{202e}\u{200b}",
    "\u{1F4E6}\u{10ffff}",
    "İßﬀΣς",
    "2026-01-01T00:00:00Z",
    "-262143-01-01T00:00:00Z",
    "0000-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];

const HEADERS: &[(&str, &[u8])] = &[
    ("x-request-id", b"a b\t'\"<>"),
    ("x-request-id", b"\xff\xfe"),
    ("if-match", b"garbage"),
    ("if-match", b"\"99999999999999999999\""),
    ("if-match", b"\xff"),
    ("if-none-match", b"W/\"1\", *, \xff"),
    ("idempotency-key", b""),
    ("idempotency-key", b"'; drop table customers; --"),
    ("idempotency-key", b"\xc3\xbc"),
    ("authorization", b"Bearer"),
    ("authorization", b"Basic YTpi"),
    ("authorization", b"Bearer eyJhbGciOiJub25lIn0.e30."),
    ("authorization", b"\xff"),
    ("content-type", b"\xff"),
    ("content-encoding", b"gzip"),
    ("accept", b"text/html;q=x"),
    ("accept-encoding", b"br;q=x, \xff"),
    ("accept-language", b"\xff"),
    ("origin", b"null"),
    ("host", b"evil.example"),
    ("x-forwarded-for", b"' or 1=1, \xff"),
    ("range", b"bytes=5-1"),
    ("last-event-id", b"-1"),
    ("cookie", b"=;=\xff"),
    ("upgrade", b"h2c"),
];

/// What only the hub's inside would say.
const TELLTALES: &[&str] = &[
    "panicked",
    "backtrace",
    "thread '",
    ".rs",
    "src/",
    "/work",
    "/root",
    "/home",
    "/tmp",
    "sqlx",
    "sqlite",
    "postgres",
    "redis",
    "select ",
    "insert ",
    "delete from",
    "relation",
    "constraint",
    "pool",
    "mailbox",
    "argon2",
];

const CALLERS: usize = 4;

/// One of each role, and someone who is not signed in.
async fn callers(hub: &TestHub) -> [Client; CALLERS] {
    [hub.admin().await, hub.manager().await, hub.cso().await, hub.anonymous()]
}

struct Sender<'a> {
    hub: &'a TestHub,
    http: reqwest::Client,
}

impl<'a> Sender<'a> {
    fn new(hub: &'a TestHub) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { hub, http }
    }

    /// Sends and judges. `caller` signs in anew when the request has signed them out.
    async fn send(&self, caller: &mut Client, operation: &Operation, request: reqwest::Request, said: &str) {
        let what = format!("{} {} by {:?} ({said})", request.method(), request.url(), caller.email);
        let answer = self.http.execute(request).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let streaming = headers.get(CONTENT_TYPE).is_some_and(|value| value == "text/event-stream");
        let text = if streaming { String::new() } else { answer.text().await.unwrap() };
        assert!(status < 500, "{what}: {status} {text}");
        assert!(operation.statuses.contains(&status), "{what}: {status} is not in the document: {text}");
        if status >= 400 {
            assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{what}: {text}");
            let mut problem: Map<String, Value> = serde_json::from_str(&text).unwrap();
            assert!(
                ["type", "title", "status", "instance", "requestId"]
                    .iter()
                    .all(|name| problem.contains_key(*name))
            );
            assert_eq!(problem["requestId"], headers["x-request-id"].to_str().unwrap(), "{what}");
            problem.remove("instance");
            let told = Value::from(problem).to_string().to_lowercase();
            for telltale in TELLTALES {
                assert!(!told.contains(telltale), "{what}: {telltale:?} in {told}");
            }
        }
        if status == 204 && operation.path.ends_with("/auth/logout") {
            *caller = self.hub.sign_in(&caller.email, PASSWORD).await;
        }
    }
}

fn request(caller: &Client, operation: &Operation, path: &str, body: Option<Vec<u8>>) -> reqwest::Request {
    let request = caller.raw(operation.method.clone(), path);
    let request = match body {
        Some(body) => request.header(CONTENT_TYPE, "application/json").body(body),
        None => request,
    };
    request.build().unwrap()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A valid body, if the operation takes one.
fn body(targets: &Targets, operation: &Operation) -> Option<Map<String, Value>> {
    operation.body.as_ref().map(|body| targets.body(body))
}

async fn hostile_texts_are_answered_as_documented_at_every_endpoint(hub: &TestHub) {
    let (targets, sender) = (Targets::prepare(hub).await, Sender::new(hub));
    let mut callers = callers(hub).await;
    let operations = operations();
    let each = operations.iter().flat_map(|operation| TEXTS.iter().map(move |text| (operation, text)));
    for (turn, (operation, text)) in each.enumerate() {
        // Every text meets every endpoint, parameter and field as the admin sends it, and every endpoint every caller.
        let (admin, others) = callers.split_first_mut().unwrap();
        let turn = turn % others.len();
        for caller in [admin, &mut others[turn]] {
            send_text(&sender, &targets, caller, operation, text).await;
        }
    }
}

async fn send_text(
    sender: &Sender<'_>,
    targets: &Targets,
    caller: &mut Client,
    operation: &Operation,
    text: &str,
) {
    let good = body(targets, operation);
    if operation.has_id() && !text.trim().is_empty() {
        let body = good.as_ref().map(|body| serde_json::to_vec(body).unwrap());
        let request = request(caller, operation, &operation.path_with(&encoded(text)), body);
        sender.send(caller, operation, request, "path").await;
    }
    let path = targets.path(operation);
    for name in &operation.queries {
        let request = request(caller, operation, &format!("{path}?{name}={}", encoded(text)), None);
        sender.send(caller, operation, request, "query").await;
    }
    for name in good.iter().flat_map(Map::keys) {
        let mut changed = good.clone().unwrap();
        changed.insert(name.clone(), json!(text));
        let request = request(caller, operation, &path, Some(serde_json::to_vec(&changed).unwrap()));
        sender.send(caller, operation, request, name).await;
    }
}

async fn hostile_bodies_are_answered_as_documented_at_every_endpoint(hub: &TestHub) {
    let (targets, sender) = (Targets::prepare(hub).await, Sender::new(hub));
    let mut callers = callers(hub).await;
    for (turn, operation) in operations().iter().enumerate() {
        for (index, body) in bodies().into_iter().enumerate() {
            let said = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let caller = &mut callers[(turn + index) % CALLERS];
            let request = request(caller, operation, &targets.path(operation), Some(body));
            sender.send(caller, operation, request, &said).await;
        }
    }
}

fn bodies() -> Vec<Vec<u8>> {
    let deep = |open: &str, close: &str| (open.repeat(10_000) + &close.repeat(10_000)).into_bytes();
    let mut bodies = vec![
        deep("[", "]"),
        deep("{\"a\":", "}"),
        [b"{\"message\":".to_vec(), deep("[", "]"), b"}".to_vec()].concat(),
        vec![b'['; 1_000_000],
        vec![0; 1000],
        vec![0xff; 1000],
        b"\xef\xbb\xbf{}".to_vec(),
        br#"{"message":"\ud800","notes":"\udfff"}"#.to_vec(),
        br#"{"email":"a@example.com","email":"b@example.com"}"#.to_vec(),
        br#"{"metadata":{"a":1e999}}"#.to_vec(),
        br#"{"revision":1e40,"maxOpenInquiries":-1e40}"#.to_vec(),
        format!(r#"{{"revision":1{},"maxOpenInquiries":9223372036854775808}}"#, "0".repeat(40)).into_bytes(),
        format!(r#"{{"{}":1}}"#, "k".repeat(100_000)).into_bytes(),
        format!(r#"{{"email":"{0}@{0}.com","message":"{0}","notes":"{0}"}}"#, "x".repeat(300_000))
            .into_bytes(),
    ];
    bodies.extend(
        ["null", "true", "0", "\"text\"", "[]", "[{}]", "{}", ""].map(|text| text.as_bytes().to_vec()),
    );
    bodies
}

async fn hostile_headers_are_answered_as_documented_at_every_endpoint(hub: &TestHub) {
    let (targets, sender) = (Targets::prepare(hub).await, Sender::new(hub));
    let mut callers = callers(hub).await;
    let long = "k".repeat(5_000);
    let long = [("x-request-id", long.as_bytes()), ("idempotency-key", long.as_bytes())];
    for (turn, operation) in operations().iter().enumerate() {
        for (index, (name, value)) in HEADERS.iter().chain(&long).enumerate() {
            let caller = &mut callers[(turn + index) % CALLERS];
            let body = body(&targets, operation).map(|body| serde_json::to_vec(&body).unwrap());
            let mut request = request(caller, operation, &targets.path(operation), body);
            request
                .headers_mut()
                .insert(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
            sender.send(caller, operation, request, name).await;
        }
    }
}

async fn random_requests_are_answered_as_documented(hub: &TestHub) {
    const SEED: u64 = 0x6e65_7875_735f_6875;
    let (targets, sender, operations) = (Targets::prepare(hub).await, Sender::new(hub), operations());
    let mut callers = callers(hub).await;
    let mut dice = StdRng::seed_from_u64(SEED);
    for number in 0..600 {
        let operation = operations.choose(&mut dice).unwrap();
        let caller = dice.random_range(0..callers.len());
        let path = random_path(&mut dice, &targets, operation);
        let body = body(&targets, operation).map(|body| random_body(&mut dice, body));
        let mut request = request(&callers[caller], operation, &path, body.clone());
        if dice.random_ratio(1, 4) {
            let (name, value) = HEADERS.choose(&mut dice).unwrap();
            request.headers_mut().insert(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let said = format!("{number}: {}", String::from_utf8_lossy(&body.unwrap_or_default()));
        sender.send(&mut callers[caller], operation, request, &said).await;
    }
}

fn random_text(dice: &mut StdRng) -> String {
    match dice.random_range(0..4) {
        0 => (*TEXTS.choose(dice).unwrap()).to_owned(),
        1 => ["active", "asc", "desc", "me", "none", "pending", "auto", "cso", "email"]
            .choose(dice)
            .unwrap()
            .to_string(),
        2 => dice.random_range(-3..300).to_string(),
        _ => (0..dice.random_range(0..40)).map(|_| dice.random::<char>()).collect(),
    }
}

fn random_path(dice: &mut StdRng, targets: &Targets, operation: &Operation) -> String {
    let mut path = targets.path(operation);
    if operation.has_id() && dice.random_ratio(1, 5) {
        path = operation.path_with(&encoded(&format!("x{}", random_text(dice))));
    }
    let queries = (0..dice.random_range(0..4)).filter_map(|_| operation.queries.choose(dice));
    let queries: Vec<_> = queries.cloned().collect();
    for (index, name) in queries.iter().enumerate() {
        let bytes: Vec<u8> = (0..dice.random_range(0..9)).map(|_| dice.random()).collect();
        let raw: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        let value = if dice.random_ratio(1, 4) { raw } else { encoded(&random_text(dice)) };
        path += &format!("{}{name}={value}", if index == 0 { '?' } else { '&' });
    }
    path
}

fn random_value(dice: &mut StdRng, levels: u32) -> Value {
    match dice.random_range(0..if levels == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(dice.random::<bool>()),
        2 => json!(dice.random::<i64>()),
        3 => json!(dice.random::<f64>() * 1e300),
        4 => json!("long ".repeat(dice.random_range(0..300))),
        5 => json!(random_text(dice)),
        6 => (0..dice.random_range(0..4)).map(|_| random_value(dice, levels - 1)).collect(),
        _ => (0..dice.random_range(0..4))
            .map(|_| (random_text(dice), random_value(dice, levels - 1)))
            .collect(),
    }
}

/// A valid body with some fields changed, and at times with bytes changed or cut off.
fn random_body(dice: &mut StdRng, mut body: Map<String, Value>) -> Vec<u8> {
    let names: Vec<String> = body.keys().cloned().collect();
    for name in names {
        match dice.random_range(0..6) {
            0 => drop(body.insert(name, random_value(dice, 3))),
            1 => drop(body.remove(&name)),
            _ => {}
        }
    }
    let mut bytes = serde_json::to_vec(&body).unwrap();
    if dice.random_ratio(1, 6) {
        bytes.truncate(dice.random_range(0..=bytes.len()));
    }
    if dice.random_ratio(1, 6) && !bytes.is_empty() {
        let place = dice.random_range(0..bytes.len());
        bytes[place] = dice.random();
    }
    bytes
}
