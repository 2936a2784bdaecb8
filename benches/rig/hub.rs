use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::services::Services;
use super::{Outcome, free_port, giving_way, until};

pub const PASSWORD: &str = "brisk otter paints seven lanterns";
const ADMIN: &str = "admin@example.com";
/// Also for what must survive a restart of every server.
const PATIENCE: Duration = Duration::from_secs(120);

/// The binary as a process, on a port that it keeps over restarts.
pub struct Hub {
    variables: Vec<(String, String)>,
    directory: tempfile::TempDir,
    process: Option<Child>,
    pub base: String,
    pub kills: usize,
}

impl Hub {
    pub fn new(services: &Services) -> Outcome<Self> {
        Self::with(&[
            ("DATABASE_URL", services.database_url()),
            ("REDIS_URL", services.redis_url()),
            ("AMQP_URL", services.amqp_url()),
        ])
    }

    /// With limits that no bench reaches, and these settings.
    pub fn with(more: &[(&str, String)]) -> Outcome<Self> {
        let port = free_port()?;
        let variables = [
            ("PORT", port.to_string()),
            ("RATE_LIMIT_LIMIT", "100000000".to_owned()),
            ("NEXUS__RATE_LIMIT__LOGIN_LIMIT", "100000000".to_owned()),
            ("JWT_EXPIRATION", "2h".to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
            ("RUST_LOG", std::env::var("RIG_LOG").unwrap_or_else(|_| "error".to_owned())),
            ("BOOTSTRAP_ADMIN_EMAIL", ADMIN.to_owned()),
            ("BOOTSTRAP_ADMIN_PASSWORD", PASSWORD.to_owned()),
        ];
        let variables = variables.into_iter().chain(more.iter().cloned());
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).collect();
        let base = format!("http://127.0.0.1:{port}");
        Ok(Self { variables, directory: tempfile::tempdir()?, process: None, base, kills: 0 })
    }

    pub fn start(&mut self) -> Outcome {
        let mut process = giving_way(binary())
            .current_dir(self.directory.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(errors) = process.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    eprintln!("hub: {line}");
                }
            });
        }
        self.process = Some(process);
        Ok(())
    }

    /// Another of the binary's commands, with the same settings, to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let status = Command::new(binary())
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if status.success() { Ok(()) } else { Err(format!("{arguments:?}: {status}").into()) }
    }

    /// SIGKILL, and a new start at once.
    pub fn kill_and_start(&mut self) -> Outcome {
        self.kill();
        self.kills += 1;
        self.start()
    }

    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// SIGTERM; how long it took to end, and whether it ended well.
    pub async fn stop(&mut self) -> Outcome<(Duration, bool)> {
        let Some(process) = &mut self.process else { return Err("no hub to stop".into()) };
        let pid = process.id().to_string();
        if !Command::new("kill").args(["-TERM", &pid]).status()?.success() {
            return Err("the hub was gone before it was stopped".into());
        }
        let mut status = None;
        let took = until("the hub has ended", PATIENCE, async || {
            status = process.try_wait().ok().flatten();
            status.is_some()
        })
        .await?;
        self.process = None;
        Ok((took, status.is_some_and(|status| status.success())))
    }

    /// Memory of the process that is in RAM.
    pub fn resident_bytes(&self) -> Option<f64> {
        let id = self.process.as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))?;
        Some(kib.trim().parse::<f64>().ok()? * 1024.0)
    }

    /// CPU seconds the process has used.
    pub fn cpu_seconds(&self) -> Option<f64> {
        super::cpu_seconds(self.process.as_ref()?.id())
    }
}

pub async fn ready(base: &str) -> Outcome {
    let http = reqwest::Client::new();
    let ready = format!("{base}/health/ready");
    until("the hub is ready", PATIENCE, async || {
        http.get(&ready).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await
    .map(drop)
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Beside this bench's own build.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_nexus-hub"))
}

/// Someone signed in, who sends each request until it is answered: with an `Idempotency-Key`, so that a hub that was
/// killed in between does nothing twice.
#[derive(Clone)]
pub struct Person {
    pub base: String,
    http: reqwest::Client,
    pub token: String,
    pub id: Uuid,
}

impl Person {
    pub async fn admin(base: &str) -> Outcome<Self> {
        Self::sign_in(base, ADMIN).await
    }

    pub async fn sign_in(base: &str, email: &str) -> Outcome<Self> {
        let http = client()?;
        let login = json!({"email": email, "password": PASSWORD});
        let answer = http.post(format!("{base}/api/v1/auth/login")).json(&login).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        let token = answer["accessToken"].as_str().ok_or("no token")?.to_owned();
        let id = answer["user"]["id"].as_str().ok_or("no id")?.parse()?;
        Ok(Self { base: base.to_owned(), http, token, id })
    }

    pub async fn make(&self, role: &str, email: &str) -> Outcome<Self> {
        let user =
            json!({"email": email, "password": PASSWORD, "role": role, "firstName": "A", "lastName": "B"});
        self.post("/auth/register", user).await?;
        Self::sign_in(&self.base, email).await
    }

    /// The same session, at another instance.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// One request, to be sent once.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token)
    }

    pub async fn post(&self, path: &str, body: Value) -> Outcome<Value> {
        let key = Uuid::new_v4().to_string();
        let begun = std::time::Instant::now();
        loop {
            let request = self.request(Method::POST, path).header("Idempotency-Key", &key).json(&body);
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(answer.json().await?),
                Ok(answer) if !may_pass(answer.status()) => {
                    return Err(format!("POST {path}: {} {}", answer.status(), answer.text().await?).into());
                }
                Ok(_) | Err(_) if begun.elapsed() > PATIENCE => {
                    return Err(format!("POST {path} was not answered within {PATIENCE:?}").into());
                }
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
}

fn client() -> Outcome<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(15)).build()?)
}

/// 409: the request before this one is still held by a hub that died.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::CONFLICT
}
