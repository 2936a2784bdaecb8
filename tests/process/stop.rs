//! SIGTERM: what is under way is finished, nothing else is waited for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::harness::eventually;
use crate::hub::Hub;
use crate::restarts::in_a_directory;

/// Well below `shutdown.timeout`.
const PROMPTLY: Duration = Duration::from_secs(5);

#[test]
fn idle_connections_do_not_delay_the_stop() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let hub = Hub::ready(directory, &[]).await;
            let mut idle: Vec<_> = (0..4).map(|_| connect(&hub)).collect();
            for connection in &mut idle[..3] {
                connection.write_all(b"GET /health/live HTTP/1.1\r\nHost: hub\r\n\r\n").unwrap();
                assert!(read_some(connection).starts_with("HTTP/1.1 200 "));
            }
            idle[2].write_all(b"GET /health/live HT").unwrap();
            hub.terminate();
            promptly_ends(hub).await;
        })
    });
}

#[test]
fn a_request_under_way_is_answered_and_a_new_one_is_not_taken() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let hub = Hub::ready(directory, &[]).await;
            let (email, password) = hub.printed_sign_in().await;
            let body = json!({"email": email, "password": password}).to_string();
            let mut connection = connect(&hub);
            let head = format!(
                "POST /api/v1/auth/login HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
                body.len(),
            );
            connection.write_all(head.as_bytes()).unwrap();
            // The hub asks for the body: the request is in its handler's hands.
            assert!(read_some(&mut connection).starts_with("HTTP/1.1 100 "));

            hub.terminate();
            eventually("no connection is accepted", async || TcpStream::connect(address(&hub)).is_err())
                .await;
            connection.write_all(body.as_bytes()).unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!(answer.contains("\"accessToken\""), "{answer}");
            promptly_ends(hub).await;
        })
    });
}

#[test]
fn a_stop_without_any_request_is_prompt_even_before_the_hub_is_ready() {
    in_a_directory(|directory| {
        Box::pin(async move {
            // Nothing listens there, so it never becomes ready.
            let nowhere = [("DATABASE_URL", "postgres://postgres@127.0.0.1:1/nowhere")];
            let hub = Hub::start(directory, &nowhere).await;
            hub.terminate();
            promptly_ends(hub).await;
        })
    });
}

async fn promptly_ends(hub: Hub) {
    let end = hub.ended().await;
    assert_eq!(end.status.code(), Some(0), "{}", end.err);
    assert!(end.took < PROMPTLY, "it took {:?}", end.took);
}

fn connect(hub: &Hub) -> TcpStream {
    let connection = TcpStream::connect(address(hub)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connection
}

fn address(hub: &Hub) -> &str {
    hub.address.strip_prefix("http://").unwrap()
}

fn read_some(connection: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let count = connection.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}
