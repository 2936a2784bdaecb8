//! `GET /metrics`: what is told of a hub, and that it moves when its thing happens.

mod figures;
mod monitoring;
pub mod scrape;

use crate::harness::TestHub;
use scrape::Scrape;

pub async fn scrape(hub: &TestHub) -> Scrape {
    let answer = hub.anonymous().get("//metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    Scrape::read(&answer.text)
}
