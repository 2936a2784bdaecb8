//! Starts hubs to test and talks to them as a client would.

use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use nexus_actors::Clock;
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::user::{NewUser, Role, User};
use nexus_actors::user_desk::CreateUser;
use nexus_hub::app::App;
use nexus_hub::sessions::Passwords;
use nexus_hub::settings::Settings;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use tempfile::TempDir;
use uuid::Uuid;

/// Of every user that [`TestHub::user`] makes.
pub const PASSWORD: &str = "brisk otter paints seven lanterns";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite and everything else in process.
    Embedded,
    /// PostgreSQL and Redis.
    Full,
}

/// Declares `async fn name(hub: &TestHub)` as two tests, one for each engine; with `with VARIABLES;` in front,
/// for hubs that have these environment variables; with `in FUNCTION;` in front, for what that hands to the tests.
macro_rules! on_both_engines {
    (in $run:ident; $($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn embedded() {
                let engine = crate::harness::Engine::Embedded;
                super::$run(engine, |hub, stage| Box::pin(super::$name(hub, stage)));
            }

            #[test]
            fn full() {
                let engine = crate::harness::Engine::Full;
                super::$run(engine, |hub, stage| Box::pin(super::$name(hub, stage)));
            }
        })+
    };
    (with $variables:ident; $($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn embedded() {
                let engine = crate::harness::Engine::Embedded;
                crate::harness::run_with(engine, super::$variables, |hub| Box::pin(super::$name(hub)));
            }

            #[test]
            fn full() {
                let engine = crate::harness::Engine::Full;
                crate::harness::run_with(engine, super::$variables, |hub| Box::pin(super::$name(hub)));
            }
        })+
    };
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn embedded() {
                crate::harness::run(crate::harness::Engine::Embedded, |hub| Box::pin(super::$name(hub)));
            }

            #[test]
            fn full() {
                crate::harness::run(crate::harness::Engine::Full, |hub| Box::pin(super::$name(hub)));
            }
        })+
    };
}

pub(crate) use on_both_engines;

/// Runs `test` against a fresh hub and removes what the hub has left behind, also when the test fails.
pub fn run(engine: Engine, test: impl for<'a> FnOnce(&'a TestHub) -> LocalBoxFuture<'a, ()>) {
    run_with(engine, &[], test);
}

/// Like [`run`], with environment variables for the hub.
pub fn run_with(
    engine: Engine,
    variables: &[(&str, &str)],
    test: impl for<'a> FnOnce(&'a TestHub) -> LocalBoxFuture<'a, ()>,
) {
    run_instances(engine, 1, variables, |hubs| test(&hubs[0]));
}

/// Like [`run_with`], for `instances` hubs of one deployment, which only [`Engine::Full`] can have.
pub fn run_instances(
    engine: Engine,
    instances: usize,
    variables: &[(&str, &str)],
    test: impl for<'a> FnOnce(&'a [TestHub]) -> LocalBoxFuture<'a, ()>,
) {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(engine).await;
        let mut hubs = Vec::new();
        for _ in 0..instances {
            hubs.push(TestHub::start(&place, variables).await);
        }
        let outcome = std::panic::AssertUnwindSafe(test(&hubs)).catch_unwind().await;
        for hub in hubs {
            hub.stop().await;
        }
        place.remove().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Asks `condition` again and again, for ten seconds at most, until it holds.
#[track_caller]
pub fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    within(Duration::from_secs(10), what, condition)
}

/// As [`eventually`], with another limit.
#[track_caller]
pub fn within(
    limit: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let asked_at = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + limit;
        while !condition().await {
            assert!(Instant::now() < deadline, "{asked_at}: within {limit:?} it was not so that {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Where one test's hubs keep their data.
pub struct Place {
    pub engine: Engine,
    directory: TempDir,
    /// Names the PostgreSQL database, and is before the names of Redis keys and of queues.
    pub name: String,
}

/// A running hub, in this process so that a test can reach its actors and drive its clock.
pub struct TestHub {
    pub app: App,
    pub clock: Clock,
    pub engine: Engine,
    base: String,
    http: reqwest::Client,
}

/// Someone talking to the hub.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    pub token: Option<String>,
    pub id: Uuid,
    pub email: String,
}

pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    what: String,
}

impl Place {
    pub async fn prepare(engine: Engine) -> Self {
        let place = Self {
            engine,
            directory: tempfile::tempdir().unwrap(),
            name: format!("nexus_test_{}", Uuid::new_v4().simple()),
        };
        if engine == Engine::Full {
            place.administer("create database").await;
        }
        place
    }

    pub async fn remove(self) {
        if self.engine == Engine::Full {
            self.administer("drop database if exists").await;
        }
    }

    /// The environment of a hub that keeps its data here.
    pub fn variables(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("APP_ENV", "test".to_owned()),
            ("PORT", "0".to_owned()),
            ("RATE_LIMIT_LIMIT", "1000000".to_owned()),
            ("NEXUS__RATE_LIMIT__LOGIN_LIMIT", "1000000".to_owned()),
            // Many hubs run side by side in tests.
            ("NEXUS__SERVER__WORKERS", "1".to_owned()),
            ("NEXUS__ACTORS__THREADS", "1".to_owned()),
            ("NEXUS__DATABASE__MAX_CONNECTIONS", "8".to_owned()),
            // A busy machine is not an absent database.
            ("NEXUS__DATABASE__ACQUIRE_TIMEOUT", "10s".to_owned()),
            ("NEXUS__SERVER__SHED_ABOVE", "60s".to_owned()),
            ("NEXUS__BROKER__PREFIX", self.name.clone()),
        ];
        match self.engine {
            Engine::Embedded => {
                let path = self.directory.path().join("hub.db");
                variables.push(("DATABASE_URL", format!("sqlite://{}", path.display())));
            }
            Engine::Full => {
                variables.push(("DATABASE_URL", self.database_url()));
                variables.push(("REDIS_URL", redis_url()));
                // A busy machine is not an absent Redis.
                variables.push(("NEXUS__REDIS__TIMEOUT", "10s".to_owned()));
                variables.push(("NEXUS__REDIS__PREFIX", format!("{}:", self.name)));
            }
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    pub fn database_url(&self) -> String {
        let mut url = url::Url::parse(&server_url()).unwrap();
        url.set_path(&self.name);
        url.to_string()
    }

    async fn administer(&self, command: &str) {
        let force = if command.starts_with("drop") { " with (force)" } else { "" };
        let options = sqlx::postgres::PgConnectOptions::from_str(&server_url()).unwrap();
        let mut server = sqlx::PgConnection::connect_with(&options)
            .await
            .unwrap_or_else(|error| panic!("PostgreSQL is needed; start it with scripts/services: {error}"));
        let sql = format!("{command} {}{force}", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut server).await.unwrap();
        server.close().await.unwrap();
    }
}

impl TestHub {
    /// A hub on `place`; several on one place are instances of one deployment.
    pub async fn start(place: &Place, variables: &[(&str, &str)]) -> Self {
        let mut all = place.variables();
        all.retain(|(name, _)| variables.iter().all(|(other, _)| other != name));
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let settings = Settings::load(Path::new("config"), all).unwrap();
        // Ahead of any real clock: Redis drops what has expired by its own.
        let clock = Clock::manual(Timestamp::parse("2100-06-01T08:00:00Z").unwrap());
        let mut app = App::start(settings, clock.clone()).unwrap();
        app.ready().await;
        let base = format!("http://{}", app.address);
        Self { app, clock, engine: place.engine, base, http: reqwest::Client::new() }
    }

    pub async fn stop(self) {
        drop(self.http);
        assert!(self.app.stop().await, "the hub did not stop in time");
    }

    pub fn anonymous(&self) -> Client {
        Client { http: self.http.clone(), ..Client::at(&self.base) }
    }

    /// A signed-in user with this role and [`PASSWORD`].
    pub async fn user(&self, role: Role) -> Client {
        let name = Uuid::new_v4().simple().to_string();
        let user = self.make_user(role, &format!("{role}-{name}@example.com")).await;
        self.sign_in(&user.email, PASSWORD).await
    }

    pub async fn cso(&self) -> Client {
        self.user(Role::Cso).await
    }

    pub async fn manager(&self) -> Client {
        self.user(Role::Manager).await
    }

    pub async fn admin(&self) -> Client {
        self.user(Role::Admin).await
    }

    /// Past HTTP, so that tests need no first admin and no rehashing of one password over and over.
    pub async fn make_user(&self, role: Role, email: &str) -> User {
        let user = NewUser {
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            role,
            first_name: "Test".to_owned(),
            last_name: "User".to_owned(),
        };
        let password_hash = password_hash().await;
        self.app.hub.user_desk.ask(CreateUser { caller: None, user, password_hash }).await.unwrap()
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Client {
        let mut client = self.anonymous();
        let answer =
            client.post("/auth/login", json!({"email": email, "password": password})).await.expect(200);
        client.token = Some(answer["accessToken"].as_str().unwrap().to_owned());
        client.id = id_of(&answer["user"]);
        client.email = email.to_owned();
        client
    }

    /// A customer with an email of its own.
    pub async fn customer(&self, admin: &Client) -> Value {
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": email});
        admin.post("/customers", customer).await.expect(201)
    }

    /// A pending inquiry of a new customer.
    pub async fn inquiry(&self, admin: &Client) -> Value {
        let customer = self.customer(admin).await;
        let inquiry = json!({
            "customerId": customer["id"], "subject": "Where is my order?", "message": "It is late."
        });
        admin.post("/inquiries", inquiry).await.expect(201)
    }

    /// A draft of `author` to a new inquiry.
    pub async fn draft(&self, author: &Client, admin: &Client) -> Value {
        let inquiry = self.inquiry(admin).await;
        let draft = json!({"inquiryId": inquiry["id"], "message": "It ships tomorrow."});
        author.post("/responses", draft).await.expect(201)
    }
}

impl Client {
    /// Someone who is not signed in to the hub at `base`, as in `http://127.0.0.1:3000`.
    pub fn at(base: &str) -> Self {
        let (base, http) = (base.to_owned(), reqwest::Client::new());
        Self { base, http, token: None, id: Uuid::nil(), email: String::new() }
    }

    /// The same person with another access token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    /// A POST without a body.
    pub async fn act(&self, path: &str) -> Reply {
        self.send(Method::POST, path, None, &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None, &[]).await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.raw(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        reply(request).await
    }

    /// A request to take apart: paths that begin with `//` are outside of `/api/v1`.
    pub fn raw(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = match path.strip_prefix("//") {
            Some(outside) => format!("{}/{outside}", self.base),
            None => format!("{}/api/v1{path}", self.base),
        };
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// Sends a request made with [`Client::raw`].
pub async fn reply(request: reqwest::RequestBuilder) -> Reply {
    reply_by(&reqwest::Client::new(), request).await
}

/// Likewise, with a client of its own.
pub async fn reply_by(client: &reqwest::Client, request: reqwest::RequestBuilder) -> Reply {
    let request = request.build().unwrap();
    let what = format!("{} {}", request.method(), request.url().path());
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, text: response.text().await.unwrap(), what }
}

impl Reply {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        self.json()
    }

    /// The problem document, complete, if the status is this one.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.what);
        let problem = self.json();
        for name in ["type", "title", "instance", "requestId"] {
            assert!(problem[name].as_str().is_some_and(|text| !text.is_empty()), "{}: {problem}", self.what);
        }
        assert_eq!(problem["status"], status, "{}", self.what);
        assert_eq!(problem["requestId"], self.header("x-request-id"), "{}", self.what);
        assert!(self.what.ends_with(problem["instance"].as_str().unwrap()), "{}: {problem}", self.what);
        problem
    }

    /// Where the fields are that failed validation.
    #[track_caller]
    pub fn invalid(&self) -> Vec<String> {
        let problem = self.problem(422);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{}: {problem}", self.what));
        for error in errors {
            assert!(
                ["code", "message"].iter().all(|name| error[*name].is_string()),
                "{}: {problem}",
                self.what
            );
        }
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }

    pub fn json(&self) -> Value {
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).unwrap() }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[track_caller]
pub fn id_of(entity: &Value) -> Uuid {
    entity["id"].as_str().unwrap().parse().unwrap()
}

/// `/customers/…`, with the id of `entity`.
#[track_caller]
pub fn path(collection: &str, entity: &Value) -> String {
    format!("/{collection}/{}", id_of(entity))
}

/// Where databases are made and dropped.
pub fn server_url() -> String {
    std::env::var("TEST_DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
}

pub fn redis_url() -> String {
    std::env::var("TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned())
}

pub fn amqp_url() -> String {
    std::env::var("TEST_AMQP_URL").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned())
}

/// Made once: a hash is meant to be slow.
async fn password_hash() -> String {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return hash.clone();
    }
    let hash = Passwords::new(1).hash(PASSWORD.to_owned()).await.unwrap();
    HASH.get_or_init(|| hash).clone()
}
