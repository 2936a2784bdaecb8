//! Readers that have stopped reading.

use std::net::SocketAddr;

use futures_util::StreamExt;
use nexus_actors::notifier::LAG;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::sockets::handshake;
use super::wire::{Events, Wire};
use super::{PATIENCE, ids, notifications};
use crate::harness::{Client, TestHub, on_both_engines, path, within};
use crate::responses::to;

on_both_engines!(with PATIENT; who_does_not_read_is_dropped_at_256_queued);
on_both_engines!(with IMPATIENT; the_socket_of_who_does_not_read_is_closed);

/// Longer than it takes to fill a queue.
const PATIENT: &[(&str, &str)] = &[("NEXUS__SERVER__WRITE_TIMEOUT", "2m")];
const IMPATIENT: &[(&str, &str)] = &[("NEXUS__SERVER__WRITE_TIMEOUT", "1s")];

/// Bytes of a notification: few of them fill what is between the queue and the reader.
const LARGE: usize = 8 * 1024;
/// Notifications between the queue and the reader: a buffer of the connection, 32 messages of a socket, what the kernel
/// takes, and the reader's own buffer.
const UNDER_WAY: usize = 64;

/// Two managers who are told the same and read nothing of it.
struct Readers {
    managers: [Client; 2],
    stream: Events,
    socket: WebSocketStream<Wire>,
}

impl Readers {
    async fn connect(hub: &TestHub) -> Self {
        let managers = [hub.manager().await, hub.manager().await];
        let mut stream = Events::ask(Wire::narrow(hub).await, &managers[0], 0).await;
        assert_eq!(stream.answer().await.unwrap(), 200);
        let request = handshake(&managers[1], "/ws?after=0", &[]);
        let (socket, _) = client_async(request, Wire::narrow(hub).await).await.unwrap();
        Self { managers, stream, socket }
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        [self.stream.wire().address(), self.socket.get_ref().address()]
    }
}

/// Tells all managers of one thing again and again.
struct Teller {
    cso: Client,
    draft: Value,
    times: usize,
}

impl Teller {
    async fn new(hub: &TestHub) -> Self {
        let (admin, cso) = (hub.admin().await, hub.cso().await);
        let draft = hub.draft(&cso, &admin).await;
        let edit = json!({"message": "x".repeat(LARGE)});
        let draft = cso.put(&path("responses", &draft), edit).await.expect(200);
        Self { cso, draft, times: 0 }
    }

    async fn tell(&mut self) {
        self.cso.act(&to(&self.draft, "submit")).await.expect(200);
        self.cso.act(&to(&self.draft, "withdraw")).await.expect(200);
        self.times += 1;
    }
}

async fn who_does_not_read_is_dropped_at_256_queued(hub: &TestHub) {
    let mut readers = Readers::connect(hub).await;
    let mut teller = Teller::new(hub).await;
    while hub.app.hub.lines.counts().dropped < 2 {
        assert!(teller.times < 2 * LAG, "{:?}", hub.app.hub.lines.counts());
        teller.tell().await;
    }
    let counts = hub.app.hub.lines.counts();
    assert_eq!(counts.connections, 0);
    assert!(counts.pushed as usize <= 2 * (LAG + UNDER_WAY), "{counts:?}");

    // Who reads after all gets what was under way, then the end, and the rest by coming back.
    let read = async {
        let (mut streamed, mut conversed) = (Vec::new(), Vec::new());
        while let Some(told) = readers.stream.next().await.unwrap() {
            streamed.push(told);
        }
        let closed = loop {
            match readers.socket.next().await.unwrap().unwrap() {
                Message::Text(told) => conversed.push(serde_json::from_str(&told).unwrap()),
                Message::Close(reason) => break reason.unwrap().code,
                _ => {}
            }
        };
        (streamed, conversed, closed)
    };
    let (streamed, conversed, closed) = timeout(PATIENCE, read).await.unwrap();
    assert_eq!(closed, CloseCode::Again);
    for (manager, read) in readers.managers.iter().zip([streamed, conversed]) {
        let read = ids(&read);
        let listed = ids(&notifications(manager, "").await);
        assert!(read.len() >= LAG && read.len() < listed.len());
        assert_eq!(read, listed[..read.len()]);
    }
}

/// However few are queued: nobody is told anything by a connection that nothing gets through.
async fn the_socket_of_who_does_not_read_is_closed(hub: &TestHub) {
    let readers = Readers::connect(hub).await;
    let mut teller = Teller::new(hub).await;
    for _ in 0..UNDER_WAY {
        teller.tell().await;
    }
    for client in readers.addresses() {
        within(PATIENCE, "the hub closes the socket", async || !is_open(hub, client)).await;
    }
    let gone = async || hub.app.hub.lines.counts().connections == 0;
    within(PATIENCE, "the hub forgets the connections", gone).await;
    assert_eq!(hub.app.hub.lines.counts().dropped, 0, "none was dropped for its queue");
}

/// Whether the hub still has the connection of this client: what the kernel says, since a read by the client would let
/// things get through.
fn is_open(hub: &TestHub, client: SocketAddr) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = |port: u16| format!(":{port:04X}");
    sockets.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (near, far) = (fields.next().unwrap(), fields.next().unwrap());
        near.ends_with(&ends(hub.app.address.port())) && far.ends_with(&ends(client.port()))
    })
}
