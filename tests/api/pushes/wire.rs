//! Connections as a test breaks them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{Client, TestHub};

/// A connection that breaks after so many bytes from the hub, wherever that is.
pub struct Wire {
    stream: TcpStream,
    left: usize,
}

impl Wire {
    pub async fn open(hub: &TestHub, left: usize) -> Self {
        Self { stream: TcpStream::connect(hub.app.address).await.unwrap(), left }
    }

    /// One whose client has little room for what it does not read.
    pub async fn narrow(hub: &TestHub) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self { stream: socket.connect(hub.app.address).await.unwrap(), left: usize::MAX }
    }

    /// Gone without a goodbye, so that the hub gets a reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let mut bytes = [0; 4096];
        let most = bytes.len().min(self.left).min(buf.remaining());
        let mut read = ReadBuf::new(&mut bytes[..most]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        self.left -= read.filled().len();
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Server-Sent Events, read byte by byte. By HTTP/1.0, so that they come without chunks around them.
pub struct Events {
    wire: BufReader<Wire>,
}

impl Events {
    /// Without waiting for an answer.
    pub async fn ask(mut wire: Wire, client: &Client, last: i64) -> Self {
        let token = client.token.as_deref().unwrap();
        let request = format!(
            "GET /api/v1/events HTTP/1.0\r\nhost: hub\r\nauthorization: Bearer {token}\r\n\
             last-event-id: {last}\r\n\r\n"
        );
        wire.write_all(request.as_bytes()).await.unwrap();
        Self { wire: BufReader::new(wire) }
    }

    /// The status; past it and all headers.
    pub async fn answer(&mut self) -> io::Result<u16> {
        let status = self.line().await?;
        while !self.line().await?.is_empty() {}
        Ok(status.split(' ').nth(1).unwrap().parse().unwrap())
    }

    /// The next notification; `None` at the end of the stream. One that broke off is none.
    pub async fn next(&mut self) -> io::Result<Option<Value>> {
        let mut data = None;
        loop {
            let line = match self.line().await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                line => line?,
            };
            if let Some(text) = line.strip_prefix("data: ") {
                data = Some(serde_json::from_str(text).unwrap());
            }
            if line.is_empty() && data.is_some() {
                return Ok(data);
            }
        }
    }

    pub fn wire(&self) -> &Wire {
        self.wire.get_ref()
    }

    pub fn into_wire(self) -> Wire {
        self.wire.into_inner()
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.wire.read_line(&mut line).await?;
        let whole = line.strip_suffix('\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(whole.trim_end_matches('\r').to_owned())
    }
}
