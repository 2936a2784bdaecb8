//! Readers whose connections break at random while there is much to tell.

use std::cell::Cell;

use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::sockets::handshake;
use super::wire::{Events, Wire};
use super::{PATIENCE, id, ids, notifications};
use crate::harness::{Client, TestHub, on_both_engines};
use crate::responses::to;

on_both_engines!(a_reader_killed_a_thousand_times_gets_everything_once_and_in_order);

const KILLS: usize = 1000;
/// Bytes after which a connection breaks, at most: the head of the answer and about three notifications.
const REACH: usize = 3000;
/// Writers side by side, so that notifications are numbered while others are committed.
const WRITERS: usize = 2;

/// What a client keeps over its connections.
struct Reader<'a> {
    hub: &'a TestHub,
    client: &'a Client,
    dice: StdRng,
    seen: Vec<Value>,
    /// Connections that broke within their head, within a notification, or when the hub had just been asked.
    kills: usize,
    /// Connections the hub refused because it had not yet noticed how many of the others are gone.
    refused: usize,
}

/// How a connection ended.
#[derive(Debug, PartialEq)]
enum End {
    Broke,
    Refused,
    /// The reader has all it waits for.
    Read,
}

async fn a_reader_killed_a_thousand_times_gets_everything_once_and_in_order(hub: &TestHub) {
    let seed = std::env::var("KILLS_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("KILLS_SEED={seed}");
    let admin = hub.admin().await;
    let (by_stream, by_socket) = (hub.manager().await, hub.manager().await);
    let killing = Cell::new(2_usize);
    let writing = async || {
        let cso = hub.cso().await;
        let draft = hub.draft(&cso, &admin).await;
        let mut told = 0;
        while killing.get() > 0 {
            cso.act(&to(&draft, "submit")).await.expect(200);
            told += 1;
            cso.act(&to(&draft, "withdraw")).await.expect(200);
        }
        told
    };
    let mut streaming = Reader::new(hub, &by_stream, seed);
    let mut conversing = Reader::new(hub, &by_socket, seed.wrapping_add(1));
    let all_of = async |reader: &mut Reader<'_>, way: Way| {
        reader.be_killed(way).await;
        killing.set(killing.get() - 1);
    };
    let (written, (), ()) = tokio::join!(
        futures_util::future::join_all((0..WRITERS).map(|_| writing())),
        all_of(&mut streaming, Way::Stream),
        all_of(&mut conversing, Way::Socket),
    );
    let told: usize = written.iter().sum();
    for (mut reader, way) in [(streaming, Way::Stream), (conversing, Way::Socket)] {
        println!(
            "{way:?}: {} kills, {} of {told} read by then, {} times refused",
            reader.kills,
            reader.seen.len(),
            reader.refused
        );
        while reader.seen.len() < told {
            reader.connect(way, usize::MAX, told).await;
        }
        let listed = notifications(reader.client, "").await;
        assert_eq!(ids(&reader.seen), ids(&listed), "{way:?}");
        assert_eq!(reader.seen, listed, "{way:?}");
        assert_eq!((reader.kills, listed.len()), (KILLS, told), "{way:?}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Stream,
    Socket,
}

impl<'a> Reader<'a> {
    fn new(hub: &'a TestHub, client: &'a Client, seed: u64) -> Self {
        Self { hub, client, dice: StdRng::seed_from_u64(seed), seen: Vec::new(), kills: 0, refused: 0 }
    }

    async fn be_killed(&mut self, way: Way) {
        while self.kills < KILLS {
            let reach = self.dice.random_range(0..REACH);
            match self.connect(way, reach, usize::MAX).await {
                End::Broke => self.kills += 1,
                End::Refused => self.refused += 1,
                End::Read => unreachable!("there is always more to read"),
            }
        }
    }

    /// Reads until the connection breaks after `reach` bytes, or `enough` have been seen.
    async fn connect(&mut self, way: Way, reach: usize, enough: usize) -> End {
        let wire = Wire::open(self.hub, reach).await;
        let read = async {
            match way {
                Way::Stream => self.read_stream(wire, enough).await,
                Way::Socket => self.read_socket(wire, enough).await,
            }
        };
        timeout(PATIENCE, read).await.expect("nothing was pushed")
    }

    async fn read_stream(&mut self, wire: Wire, enough: usize) -> End {
        let mut events = Events::ask(wire, self.client, self.last()).await;
        let end = match events.answer().await {
            Ok(200) => loop {
                match events.next().await {
                    Ok(told) => self.see(told.expect("the hub ended the stream")),
                    Err(_) => break End::Broke,
                }
                if self.seen.len() >= enough {
                    break End::Read;
                }
            },
            Ok(429) => End::Refused,
            Ok(status) => panic!("{status}"),
            Err(_) => End::Broke,
        };
        self.leave(events.into_wire());
        end
    }

    async fn read_socket(&mut self, wire: Wire, enough: usize) -> End {
        let request = handshake(self.client, &format!("/ws?after={}", self.last()), &[]);
        let mut socket = match client_async(request, wire).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(refusal)) if refusal.status() == 429 => return End::Refused,
            Err(Error::Io(_)) => return End::Broke,
            Err(error) => panic!("{error}"),
        };
        let end = loop {
            match socket.next().await.expect("the hub ended the socket") {
                Ok(Message::Text(told)) => self.see(serde_json::from_str(&told).unwrap()),
                Ok(Message::Close(reason)) => panic!("the hub closed the socket: {reason:?}"),
                Ok(_) => {}
                Err(_) => break End::Broke,
            }
            if self.seen.len() >= enough {
                break End::Read;
            }
        };
        self.leave(socket.into_inner());
        end
    }

    /// As a process that is killed, or as a machine that is.
    fn leave(&mut self, wire: Wire) {
        if self.dice.random() {
            wire.reset();
        }
    }

    fn see(&mut self, told: Value) {
        assert!(id(&told) > self.last(), "{} after {}, at kill {}", id(&told), self.last(), self.kills);
        self.seen.push(told);
    }

    fn last(&self) -> i64 {
        self.seen.last().map_or(0, id)
    }
}
