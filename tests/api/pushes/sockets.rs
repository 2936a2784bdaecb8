//! By WebSocket.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{PATIENCE, notifications};
use crate::harness::{Client, TestHub, eventually, on_both_engines};
use crate::responses::submitted;

on_both_engines!(
    the_same_is_pushed_to_sockets,
    a_foreign_origin_is_refused,
    a_ticket_opens_a_socket,
    signing_out_closes_with_1008,
    a_user_has_five_sockets_at_most,
    who_sends_too_much_is_closed,
    a_frame_that_is_too_large_is_not_waited_for,
    a_plain_request_is_400,
);
on_both_engines!(with ORIGINS; a_listed_origin_is_welcome);

const ORIGINS: &[(&str, &str)] = &[("CORS_ORIGIN", "https://desk.example")];

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A handshake with these headers.
pub fn handshake(client: &Client, path: &str, headers: &[(&'static str, &str)]) -> Request<()> {
    let url = client.raw(reqwest::Method::GET, path).build().unwrap().url().to_string();
    let mut request = url.replacen("http", "ws", 1).into_client_request().unwrap();
    if let Some(token) = &client.token {
        request
            .headers_mut()
            .insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    }
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// The status of a refusal.
async fn dial(client: &Client, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    match connect_async(handshake(client, path, headers)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn socket(client: &Client, path: &str) -> Socket {
    dial(client, path, &[]).await.unwrap()
}

/// The next notification, or the code it was closed with.
async fn next(socket: &mut Socket) -> Result<Value, CloseCode> {
    let read = async {
        loop {
            match socket.next().await.expect("the socket ended without a close").unwrap() {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Err(frame.expect("a close without a code").code),
                _ => {}
            }
        }
    };
    timeout(PATIENCE, read).await.expect("nothing was pushed")
}

async fn the_same_is_pushed_to_sockets(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let mut socket = socket(&manager, "/ws").await;
    for _ in 0..3 {
        submitted(hub, &cso, &admin).await;
    }
    let mut pushed = Vec::new();
    for _ in 0..3 {
        pushed.push(next(&mut socket).await.unwrap());
    }
    assert_eq!(pushed, notifications(&manager, "").await);
    socket.send(Message::Ping(b"here?".as_slice().into())).await.unwrap();
    let pong = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(pong, Message::Pong(b"here?".as_slice().into()));
}

async fn a_foreign_origin_is_refused(hub: &TestHub) {
    let manager = hub.manager().await;
    for foreign in ["https://evil.example", "null", "http://127.0.0.1", "https://desk.example"] {
        assert_eq!(dial(&manager, "/ws", &[("origin", foreign)]).await.err(), Some(403), "{foreign}");
    }
    let own = format!("http://{}", hub.app.address);
    assert!(dial(&manager, "/ws", &[("origin", &own)]).await.is_ok());
}

async fn a_listed_origin_is_welcome(hub: &TestHub) {
    let manager = hub.manager().await;
    assert!(dial(&manager, "/ws", &[("origin", "https://desk.example")]).await.is_ok());
    assert_eq!(dial(&manager, "/ws", &[("origin", "http://desk.example")]).await.err(), Some(403));
}

async fn a_ticket_opens_a_socket(hub: &TestHub) {
    let manager = hub.manager().await;
    let ticket = manager.act("/auth/ticket").await.expect(200)["ticket"].as_str().unwrap().to_owned();
    let path = format!("/ws?ticket={ticket}");
    assert!(dial(&hub.anonymous(), &path, &[]).await.is_ok());
    assert_eq!(dial(&hub.anonymous(), &path, &[]).await.err(), Some(401));
    assert_eq!(dial(&hub.anonymous(), "/ws", &[]).await.err(), Some(401));
}

async fn signing_out_closes_with_1008(hub: &TestHub) {
    let manager = hub.manager().await;
    let mut socket = socket(&manager, "/ws").await;
    assert_eq!(manager.post("/auth/logout", json!({})).await.status, 204);
    assert_eq!(next(&mut socket).await, Err(CloseCode::Policy));
}

async fn a_user_has_five_sockets_at_most(hub: &TestHub) {
    let manager = hub.manager().await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(socket(&manager, "/ws").await);
    }
    assert_eq!(dial(&manager, "/ws", &[]).await.err(), Some(429));
    assert!(dial(&hub.manager().await, "/ws", &[]).await.is_ok());
    let mut last = sockets.pop().unwrap();
    last.close(None).await.unwrap();
    eventually("there is room again", async || dial(&manager, "/ws", &[]).await.is_ok()).await;
}

async fn who_sends_too_much_is_closed(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let mut noisy = socket(&manager, "/ws").await;
    for _ in 0..99 {
        noisy.send(Message::Text("hello".into())).await.unwrap();
    }
    // The largest there may be, as the last there may be.
    noisy.send(Message::Binary(vec![0; 64 * 1024].into())).await.unwrap();
    submitted(hub, &cso, &admin).await;
    assert_eq!(next(&mut noisy).await.unwrap()["type"], "response.submitted");
    noisy.send(Message::Text("hello".into())).await.unwrap();
    assert_eq!(next(&mut noisy).await, Err(CloseCode::Policy));
    let mut heavy = socket(&manager, "/ws").await;
    heavy.send(Message::Binary(vec![0; 64 * 1024 + 1].into())).await.unwrap();
    assert_eq!(next(&mut heavy).await, Err(CloseCode::Size));
}

/// By what the frame announces, long before the hub would have all of it.
async fn a_frame_that_is_too_large_is_not_waited_for(hub: &TestHub) {
    let manager = hub.manager().await;
    let mut heavy = socket(&manager, "/ws").await;
    let header = [&[0x82, 0x80 | 127][..], &(1_u64 << 40).to_be_bytes(), &[1, 2, 3, 4]].concat();
    heavy.get_mut().write_all(&header).await.unwrap();
    assert_eq!(next(&mut heavy).await, Err(CloseCode::Size));
}

async fn a_plain_request_is_400(hub: &TestHub) {
    hub.manager().await.get("/ws").await.problem(400);
}
