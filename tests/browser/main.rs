//! The console in a real browser: Chromium, driven by WebDriver.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod access;
mod browser;
mod demo;
mod flow;
#[expect(dead_code, unused_imports, unused_macros, reason = "shared with the tests of the API")]
#[path = "../api/harness.rs"]
mod harness;
#[expect(dead_code, reason = "shared with the tests of the process")]
#[path = "../process/hub.rs"]
mod hub;
mod sessions;

use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use browser::Driver;
use harness::{Engine, TestHub};

/// For what a page does by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `test` against a fresh hub, with browsers to open.
fn run(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, &'a Driver) -> LocalBoxFuture<'a, ()> + 'static,
) {
    harness::run(engine, |hub| {
        Box::pin(async move {
            let driver = Driver::start().await;
            test(hub, &driver).await;
        })
    });
}
