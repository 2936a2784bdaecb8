//! What the hub asks of its database: how many statements for an endpoint, and by which indexes. The statements are
//! the real ones, heard from sqlx's own log.
//!
//! A binary of its own, with one test at a time: the log is the process's.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod counts;
#[expect(dead_code, unused_imports, unused_macros, reason = "shared with the tests of the API")]
#[path = "../api/harness.rs"]
mod harness;
mod plans;
mod sign_in;

use std::fmt::{Debug, Write};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use futures_util::future::LocalBoxFuture;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};

use harness::{Client, Engine, TestHub};

static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs `test` alone, with everything said to the database being heard.
fn listening(
    engine: Engine,
    variables: &[(&str, &str)],
    test: impl for<'a> FnOnce(&'a TestHub) -> LocalBoxFuture<'a, ()>,
) {
    static TURN: Mutex<()> = Mutex::new(());
    static START: Once = Once::new();
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    START.call_once(|| {
        let heard = Listener.with_filter(Targets::new().with_target("sqlx::query", Level::TRACE));
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(heard)).unwrap();
    });
    harness::run_with(engine, variables, test);
}

/// The statements of `GET path`, which must be answered with 200.
async fn statements(client: &Client, path: &str) -> Vec<String> {
    statements_of(async || drop(client.get(path).await.expect(200))).await
}

/// How often [`statements_of`] has something done.
const TRIES: usize = 10;

/// The statements of what is done. What the hub does by itself meanwhile is heard as well now and then; of several tries
/// the one with the fewest statements has nothing of it.
async fn statements_of(act: impl AsyncFn()) -> Vec<String> {
    let mut fewest: Option<Vec<String>> = None;
    for _ in 0..TRIES {
        heard().clear();
        act().await;
        let these = std::mem::take(&mut *heard());
        if fewest.as_ref().is_none_or(|fewest| these.len() < fewest.len()) {
            fewest = Some(these);
        }
    }
    fewest.unwrap()
}

fn heard() -> MutexGuard<'static, Vec<String>> {
    HEARD.lock().unwrap()
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        let text = statement.text();
        // What a new connection begins with belongs to no request.
        if !text.starts_with("PRAGMA ") {
            heard().push(text);
        }
    }
}

/// A short statement is its own summary; a longer one comes along whole.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Statement {
    fn text(self) -> String {
        let text = if self.whole.trim().is_empty() { self.summary } else { self.whole };
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.summary = value.to_owned(),
            "db.statement" => self.whole = value.to_owned(),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "summary" => write!(self.summary, "{value:?}").unwrap(),
            "db.statement" => write!(self.whole, "{value:?}").unwrap(),
            _ => {}
        }
    }
}
