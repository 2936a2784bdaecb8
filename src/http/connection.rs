//! What a connection may hold of what its client does not read.
//!
//! Actix waits for ever for a client that has stopped reading, and does not ask its handler for more meanwhile, so that
//! no handler can end it. The kernel can: it ends a connection on which nothing gets through, and takes only so much for
//! one in the first place. Both are options of the socket (`tcp(7)`); systems without them go without.

use std::any::Any;
use std::io;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use socket2::SockRef;

/// For `HttpServer::on_connect`. The connection ends when the client has taken nothing for `write_timeout` of what it was
/// sent: because it is gone without a word, or because it does not read.
pub fn bound(connection: &dyn Any, write_timeout: Duration) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    if let Err(error) = set(&SockRef::from(stream), write_timeout) {
        tracing::debug!(%error, "a connection without bounds");
    }
}

#[cfg(target_os = "linux")]
fn set(socket: &SockRef<'_>, write_timeout: Duration) -> io::Result<()> {
    /// Bytes the kernel takes beyond those under way. Left to itself it takes megabytes for every client that is stuck.
    const UNSENT: u32 = 64 * 1024;
    socket.set_tcp_user_timeout(Some(write_timeout))?;
    socket.set_tcp_notsent_lowat(UNSENT)
}

#[cfg(not(target_os = "linux"))]
fn set(_: &SockRef<'_>, _: Duration) -> io::Result<()> {
    Ok(())
}
