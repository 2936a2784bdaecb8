//! Redis for tests: the real one, under a prefix of its own, and a wire to it that can be cut and frozen.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::net::{TcpListener, TcpStream};
use tokio::io::copy_bidirectional;
use tokio::sync::watch;
use uuid::Uuid;

use super::RedisLink;
use super::redis_connection::Pace;

/// `TEST_REDIS_URL`, or the local one.
pub fn redis_url() -> String {
    std::env::var("TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned())
}

pub fn prefix() -> String {
    format!("nexus-test:{}:", Uuid::new_v4())
}

/// A link that is up.
pub async fn link() -> RedisLink {
    link_to(&redis_url(), &prefix()).await
}

pub async fn link_to(url: &str, prefix: &str) -> RedisLink {
    // Long, so that a busy machine fails no test that is not about time.
    let pace = Pace { call: Duration::from_secs(5), rest: Duration::from_millis(10) };
    let link = RedisLink::start_at(url, prefix, pace).unwrap();
    connected(&link).await;
    link
}

pub async fn connected(link: &RedisLink) {
    let up = tokio::time::timeout(Duration::from_secs(5), link.reconnected(None));
    up.await.unwrap_or_else(|_| panic!("these tests need Redis: set TEST_REDIS_URL"));
}

/// A way to Redis through this process.
pub struct Wire {
    pub url: String,
    mode: Arc<watch::Sender<Mode>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Whole,
    /// Connections break, new ones are closed at once.
    Cut,
    /// Connections stay and new ones are accepted, but nothing passes.
    Frozen,
}

impl Wire {
    pub async fn new() -> Self {
        let target = url::Url::parse(&redis_url()).unwrap();
        let address = format!("{}:{}", target.host_str().unwrap(), target.port().unwrap_or(6379));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut through = target.clone();
        through.set_host(Some("127.0.0.1")).unwrap();
        through.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let mode = Arc::new(watch::channel(Mode::Whole).0);
        let modes = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, address.clone(), modes.subscribe()));
            }
        });
        Self { url: through.to_string(), mode }
    }

    /// After a cut, no connection is left.
    pub async fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
        if mode == Mode::Cut {
            self.mode.closed().await;
        }
    }
}

async fn carry(mut client: TcpStream, address: String, mut mode: watch::Receiver<Mode>) {
    if *mode.borrow() == Mode::Cut {
        return;
    }
    let mut server = TcpStream::connect(address).await.unwrap();
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Cut => return,
            Mode::Frozen => mode.changed().await.unwrap_or_default(),
            Mode::Whole => tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => return,
                changed = mode.changed() => if changed.is_err() { return },
            },
        }
    }
}
