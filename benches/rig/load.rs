//! Requests that are sent once, and what became of them.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::Outcome;
use super::hub::Person;

/// An answer, or that there was none.
#[derive(Clone, Debug)]
pub struct Sent {
    /// 0 where the connection broke.
    pub status: u16,
    pub retry_after: bool,
    pub took: Duration,
}

/// Sends it and reads the answer to its end.
pub async fn send(request: RequestBuilder) -> Sent {
    let begun = Instant::now();
    let sent = async {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().contains_key("retry-after");
        answer.bytes().await?;
        reqwest::Result::Ok((status, retry_after))
    };
    let (status, retry_after) = sent.await.unwrap_or((0, false));
    Sent { status, retry_after, took: begun.elapsed() }
}

pub async fn get(person: &Person, path: &str) -> Sent {
    send(person.request(Method::GET, path)).await
}

pub async fn post(person: &Person, path: &str, body: &Value) -> Sent {
    send(person.request(Method::POST, path).json(body)).await
}

pub async fn read(person: &Person, path: &str) -> Outcome<Value> {
    Ok(person.request(Method::GET, path).send().await?.error_for_status()?.json().await?)
}

/// The value that `share` of a hundred do not exceed.
pub fn percentile(times: &[Duration], share: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    let last = times.len().saturating_sub(1);
    times.get((times.len() * share / 100).min(last)).copied().unwrap_or_default()
}

pub fn slowest<'a>(sent: impl IntoIterator<Item = &'a Sent>) -> Duration {
    sent.into_iter().map(|sent| sent.took).max().unwrap_or_default()
}

pub fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
