//! A network between the hub and what it depends on, to be taken away and given back.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::net::TcpSocket;

/// Forwards a port of this machine to a server, while it is open.
pub struct Wire {
    near: SocketAddr,
    far: SocketAddr,
    condition: Arc<Condition>,
    /// Keeps the near port while nothing is forwarded.
    kept: Option<TcpSocket>,
    forwarding: Option<Forwarding>,
}

/// What it is like to send something by a wire.
#[derive(Default)]
struct Condition {
    frozen: AtomicBool,
    /// Milliseconds added on the way to the server.
    delay: AtomicU64,
    /// Bytes the server has sent.
    received: AtomicU64,
}

struct Forwarding {
    over: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    acceptor: JoinHandle<()>,
}

impl Wire {
    /// To the server of `url`; connections to this end are refused until [`Wire::open`].
    pub fn to(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let default = match url.scheme() {
            "redis" => 6379,
            "amqp" => 5672,
            _ => 5432,
        };
        let far = (url.host_str().unwrap(), url.port().unwrap_or(default));
        let far = far.to_socket_addrs().unwrap().next().unwrap();
        let (near, kept) = reserve();
        Self { near, far, condition: Arc::default(), kept: Some(kept), forwarding: None }
    }

    /// `url` by way of this wire.
    pub fn through(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.near.port())).unwrap();
        url.to_string()
    }

    pub fn open(&mut self) {
        let listener = self.kept.take().unwrap().listen(1024).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        let (over, streams) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (far, condition) = (self.far, Arc::clone(&self.condition));
        let acceptor = thread::spawn({
            let (over, streams) = (Arc::clone(&over), Arc::clone(&streams));
            move || {
                while let (Ok((near, _)), false) = (listener.accept(), over.load(Ordering::SeqCst)) {
                    connect(near, far, &condition, &streams);
                }
            }
        });
        self.forwarding = Some(Forwarding { over, streams, acceptor });
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&mut self) {
        self.close();
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.kept.is_none() {
            // The last connection may not be quite gone.
            self.kept = keep(self.near).ok();
            assert!(self.kept.is_some() || Instant::now() < deadline, "{} cannot be kept", self.near);
        }
    }

    fn close(&mut self) {
        let Some(Forwarding { over, streams, acceptor }) = self.forwarding.take() else { return };
        over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.near);
        // The listener is gone with it.
        acceptor.join().unwrap();
        for stream in streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Frozen, every connection stands and nothing comes through.
    pub fn freeze(&self, frozen: bool) {
        self.condition.frozen.store(frozen, Ordering::SeqCst);
    }

    /// From now on whatever is sent arrives at the server this much later.
    pub fn slow_down(&self, delay: Duration) {
        self.condition.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Bytes that the server has sent so far.
    pub fn received(&self) -> u64 {
        self.condition.received.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.freeze(false);
        self.close();
    }
}

/// A port that is not among those the system deals out to outgoing connections.
fn reserve() -> (SocketAddr, TcpSocket) {
    let mut random = rand::rng();
    let ports =
        std::iter::repeat_with(|| SocketAddr::from(([127, 0, 0, 1], random.random_range(20_000..30_000))));
    ports.take(1000).find_map(|near| Some((near, keep(near).ok()?))).expect("no free port")
}

/// Bound and not listening, a socket refuses connections, and nobody else gets its port.
fn keep(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn connect(near: TcpStream, far: SocketAddr, condition: &Arc<Condition>, streams: &Mutex<Vec<TcpStream>>) {
    // A server that is gone looks the same from here.
    let Ok(far) = TcpStream::connect(far) else { return };
    for (from, to, is_answer) in [(&near, &far, false), (&far, &near, true)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let condition = Arc::clone(condition);
        thread::spawn(move || pump(from, to, is_answer, &condition));
    }
    streams.lock().unwrap().extend([near, far]);
}

fn pump(mut from: TcpStream, mut to: TcpStream, is_answer: bool, condition: &Condition) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if is_answer {
            condition.received.fetch_add(count as u64, Ordering::SeqCst);
        } else {
            thread::sleep(Duration::from_millis(condition.delay.load(Ordering::SeqCst)));
        }
        while condition.frozen.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
