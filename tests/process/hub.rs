//! The binary as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Client, Reply, within};

/// For what a process does by itself.
const PATIENCE: Duration = Duration::from_secs(30);

pub type Variables<'a> = &'a [(&'a str, &'a str)];

/// A running hub. Killed when dropped.
pub struct Hub {
    process: Child,
    out: Option<Lines>,
    err: Option<Lines>,
    pub address: String,
}

/// How a hub ended.
pub struct End {
    pub status: ExitStatus,
    /// Since it was asked to.
    pub took: Duration,
    /// All of standard output.
    pub out: String,
    /// All of standard error.
    pub err: String,
}

/// What a process has written so far.
struct Lines {
    text: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Hub {
    /// Starts a hub in `directory` on a free port and waits until it listens.
    pub async fn start(directory: &Path, variables: Variables<'_>) -> Self {
        let mut process =
            command(directory, &[("PORT", "0")], &[]).envs(variables.iter().copied()).spawn().unwrap();
        let out = Some(Lines::of(process.stdout.take().unwrap()));
        let err = Some(Lines::of(process.stderr.take().unwrap()));
        let mut hub = Self { process, out, err, address: String::new() };
        within(PATIENCE, "the hub tells its address", async || {
            hub.address = word_after(&hub.output(), "listens on ").unwrap_or_default();
            assert!(hub.process.try_wait().unwrap().is_none(), "the hub ended: {}", hub.errors());
            !hub.address.is_empty()
        })
        .await;
        hub
    }

    /// As [`Hub::start`], and waits until requests are welcome.
    pub async fn ready(directory: &Path, variables: Variables<'_>) -> Self {
        let hub = Self::start(directory, variables).await;
        hub.is_ready().await;
        hub
    }

    pub async fn is_ready(&self) {
        within(PATIENCE, "the hub is ready", async || self.get("//health/ready").await.status == 200).await;
    }

    /// Someone who is not signed in.
    pub fn anyone(&self) -> Client {
        Client::at(&self.address)
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.anyone().get(path).await
    }

    pub async fn try_sign_in(&self, email: &str, password: &str) -> Reply {
        self.anyone().post("/auth/login", json!({"email": email, "password": password})).await
    }

    /// A client with its access token, and the refresh token that goes with it.
    pub async fn sign_in(&self, email: &str, password: &str) -> (Client, String) {
        let answer = self.try_sign_in(email, password).await.expect(200);
        let client = self.anyone().with_token(answer["accessToken"].as_str().unwrap());
        (client, answer["refreshToken"].as_str().unwrap().to_owned())
    }

    /// The email and password that a first start prints.
    pub async fn printed_sign_in(&self) -> (String, String) {
        let mut printed = None;
        within(PATIENCE, "a sign-in is printed", async || {
            printed = sign_in_in(&self.output());
            printed.is_some()
        })
        .await;
        printed.unwrap()
    }

    fn output(&self) -> String {
        self.out.as_ref().map(Lines::text).unwrap_or_default()
    }

    /// What it has logged so far.
    pub fn errors(&self) -> String {
        self.err.as_ref().map(Lines::text).unwrap_or_default()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub async fn ended(mut self) -> End {
        let begun = Instant::now();
        let mut status = None;
        within(PATIENCE, "the process ends", async || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        })
        .await;
        let took = begun.elapsed();
        let [out, err] = [&mut self.out, &mut self.err].map(|lines| lines.take().unwrap().all());
        End { status: status.unwrap(), took, out, err }
    }

    /// SIGTERM, which must end it well.
    pub async fn stop(self) -> End {
        self.terminate();
        let end = self.ended().await;
        assert_eq!(end.status.code(), Some(0), "{}", end.err);
        end
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a command of the binary to its end.
pub fn run(directory: &Path, variables: Variables<'_>, arguments: &[&str], input: &str) -> Output {
    let mut process = command(directory, variables, arguments).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let watched = Watched::over(process.id());
    let output = process.wait_with_output().unwrap();
    watched.end();
    output
}

/// What a refused start says: one line on standard error and nothing else.
#[track_caller]
pub fn refusal(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!output.status.success(), "it went well");
    assert!(output.status.code().is_some(), "{:?}: {text}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

#[track_caller]
pub fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn command(directory: &Path, variables: Variables<'_>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus-hub"));
    command
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn word_after(line: &str, mark: &str) -> Option<String> {
    line.split_once(mark)?.1.split_whitespace().next().map(str::to_owned)
}

/// The email and password in what a first start has printed.
pub fn sign_in_in(output: &str) -> Option<(String, String)> {
    let line = output.lines().find(|line| line.contains("sign in as "))?;
    Some((word_after(line, "sign in as ")?, word_after(line, "password ")?))
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let reader = thread::spawn({
            let text = Arc::clone(&text);
            move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let mut text = text.lock().unwrap();
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        });
        Self { text, reader }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// To the end of the stream.
    fn all(self) -> String {
        self.reader.join().unwrap();
        self.text.lock().unwrap().clone()
    }
}

/// Kills a process that should have ended long ago, so that its test fails instead of hanging.
struct Watched {
    over: std::sync::mpsc::Sender<()>,
    watcher: JoinHandle<()>,
}

impl Watched {
    fn over(pid: u32) -> Self {
        let (over, is_over) = std::sync::mpsc::channel();
        let watcher = thread::spawn(move || {
            if is_over.recv_timeout(Duration::from_secs(300))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        });
        Self { over, watcher }
    }

    fn end(self) {
        let _ = self.over.send(());
        self.watcher.join().unwrap();
    }
}
