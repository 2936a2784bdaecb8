//! One connection to RabbitMQ, from the first byte until the hub lets go of it.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, ConnectionProperties, Error, ErrorKind, ExchangeKind};
use tokio::time::timeout;

use super::address::Address;
use super::headers::short;
use super::topology::{Queue, Topology};

/// For a polite good-bye.
const CLOSING: Duration = Duration::from_secs(1);
const PRECONDITION_FAILED: u16 = 406;

pub struct Connection {
    lapin: lapin::Connection,
    socket: Socket,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Failure {
    Unreachable(String),
    /// An exchange or a queue is there with other properties, which only a person can decide about.
    Misdeclared(String),
}

/// The socket under a connection, to end it with. lapin gives each connection a thread, which would otherwise outlive
/// the hub's patience for as long as a frozen peer stays silent.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Option<TcpStream>>>);

impl Connection {
    /// Opens a connection that RabbitMQ lists as `name`, and sees to it that all of `topology` is there. Takes twice
    /// `limit` at most.
    pub async fn open(
        address: &Address,
        name: &str,
        topology: &Topology,
        limit: Duration,
    ) -> Result<Self, Failure> {
        let socket = Socket::default();
        let lapin = match timeout(limit, connect(address, name, &socket, limit)).await {
            Ok(connected) => {
                connected.map_err(|error| Failure::Unreachable(format!("cannot connect: {error}")))?
            }
            Err(_) => {
                socket.shut();
                return Err(Failure::Unreachable(format!("it does not answer within {limit:?}")));
            }
        };
        let connection = Self { lapin, socket };
        let declared = match timeout(limit, connection.declare(topology)).await {
            Ok(declared) => declared,
            Err(_) => Err(Failure::Unreachable(format!("it does not answer within {limit:?}"))),
        };
        match declared {
            Ok(()) => Ok(connection),
            Err(failure) => {
                connection.close().await;
                Err(failure)
            }
        }
    }

    pub async fn channel(&self) -> Result<Channel, Error> {
        self.lapin.create_channel().await
    }

    pub fn is_connected(&self) -> bool {
        self.lapin.status().connected()
    }

    /// RabbitMQ is short of memory or disk and takes no messages.
    pub fn is_blocked(&self) -> bool {
        self.lapin.status().blocked()
    }

    pub fn events(&self) -> impl futures_util::Stream<Item = lapin::Event> + Send + 'static {
        self.lapin.events_listener()
    }

    /// Says good-bye if anyone listens. Whatever uses the connection fails from then on.
    pub async fn close(&self) {
        if self.is_connected() {
            let farewell = self.lapin.close(200, short("OK"));
            if let Ok(Err(error)) = timeout(CLOSING, farewell).await {
                tracing::debug!(%error, "RabbitMQ did not say good-bye");
            }
        }
        self.socket.shut();
    }

    /// Leaves what is there as it is.
    async fn declare(&self, topology: &Topology) -> Result<(), Failure> {
        for exchange in topology.exchanges() {
            let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let channel = self.fresh_channel().await?;
            let kind = ExchangeKind::Topic;
            let declared = channel.exchange_declare(short(&exchange), kind, options, FieldTable::default());
            declared.await.map_err(|error| refused("exchange", &exchange, &error))?;
            farewell(&channel).await;
        }
        for queue in topology.queues() {
            let channel = self.fresh_channel().await?;
            let declared = declare_queue(&channel, &queue).await;
            declared.map_err(|error| refused("queue", &queue.name, &error))?;
            farewell(&channel).await;
        }
        Ok(())
    }

    async fn fresh_channel(&self) -> Result<Channel, Failure> {
        self.channel().await.map_err(|error| Failure::Unreachable(error.to_string()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // lapin closes what is dropped by sending a good-bye, to a peer that may have frozen.
        if !self.is_connected() {
            self.socket.shut();
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("connected", &self.is_connected()).finish()
    }
}

impl Socket {
    fn keep(&self, stream: TcpStream) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    fn shut(&self) {
        if let Some(stream) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It may have been closed from the other side.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

async fn connect(
    address: &Address,
    name: &str,
    socket: &Socket,
    limit: Duration,
) -> Result<lapin::Connection, Error> {
    let properties = ConnectionProperties::default()
        .with_connection_name(name.into())
        .with_client_property(short("product"), "nexus-hub".into())
        .with_client_property(short("version"), env!("CARGO_PKG_VERSION").into());
    let (socket, runtime) = (socket.clone(), lapin::runtime::default_runtime()?);
    let reactor = runtime.clone();
    // As lapin would do it itself, but for the hold on the socket and for the limit.
    let reach = async move |uri: AMQPUri, _| {
        let reached = async {
            let authority = (uri.authority.host.as_str(), uri.authority.port);
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host(authority).await?.collect();
            let stream = AsyncTcpStream::connect(&reactor, addresses).await?;
            if let AsyncTcpStream::Plain(tcp) = &stream {
                tcp.get_ref().set_nodelay(true)?;
                socket.keep(tcp.get_ref().as_fd().try_clone_to_owned()?.into());
            }
            match uri.scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, TLSConfig::default()).await,
            }
        };
        match timeout(limit, reached).await {
            Ok(reached) => reached.map_err(Error::from),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    };
    lapin::Connection::connector(address.uri(), runtime, reach, properties).await
}

async fn declare_queue(channel: &Channel, queue: &Queue) -> Result<(), Error> {
    let mut arguments = FieldTable::default();
    arguments.insert(short("x-queue-type"), AMQPValue::LongString("quorum".into()));
    if queue.single_active {
        arguments.insert(short("x-single-active-consumer"), AMQPValue::Boolean(true));
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(short(&queue.name), options, arguments).await?;
    let (exchange, pattern) = (short(&queue.exchange), short(&queue.pattern));
    let options = QueueBindOptions::default();
    channel.queue_bind(short(&queue.name), exchange, pattern, options, FieldTable::default()).await
}

async fn farewell(channel: &Channel) {
    if let Err(error) = channel.close(200, short("OK")).await {
        tracing::debug!(%error, "a channel was gone before it was closed");
    }
}

fn refused(kind: &str, name: &str, error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::ProtocolError(protocol) if protocol.get_id() == PRECONDITION_FAILED => {
            Failure::Misdeclared(format!(
                "the {kind} {name} is there with other properties than the hub gives it: {}. Delete the {kind} once \
                 nothing in it is needed any more, or set broker.prefix to another name",
                protocol.get_message()
            ))
        }
        _ => Failure::Unreachable(format!("cannot declare the {kind} {name}: {error}")),
    }
}
