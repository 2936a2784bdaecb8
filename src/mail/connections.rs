//! Connections to the mail server: a few at a time, and used again while they are fresh.
//!
//! Not lettre's own pool: what comes out of that is an error that does not tell whether the server had been given the
//! mail when it happened, and it opens any number of connections at a time, which mail servers refuse.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::Rset;
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::delivery::in_words;
use super::settings::Server;

/// Open at a time. Servers commonly allow one client 10 to 50.
const AT_A_TIME: usize = 10;
/// A name may stand for several addresses; one that does not answer must not use up the time of the others.
const EACH_ADDRESS: Duration = Duration::from_secs(10);
/// Servers close idle connections themselves, some of them after a minute.
const IDLE: Duration = Duration::from_secs(30);
/// Leaving politely is worth no more than this.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) struct Connections {
    server: Server,
    free: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

/// A connection, and the right to have one.
pub(super) struct Connection<'a> {
    pub smtp: AsyncSmtpConnection,
    _permit: SemaphorePermit<'a>,
}

struct Idle {
    smtp: AsyncSmtpConnection,
    since: Instant,
}

impl Connections {
    pub fn to(server: Server) -> Self {
        Self { server, free: Semaphore::new(AT_A_TIME), idle: Mutex::default() }
    }

    /// Waits for its turn; `None` when that takes longer than `patience`.
    pub async fn turn(&self, patience: Duration) -> Option<SemaphorePermit<'_>> {
        timeout(patience, self.free.acquire()).await.ok()?.ok()
    }

    /// A connection that is ready for a mail.
    ///
    /// # Errors
    /// Why there is none. It has nothing to do with any mail.
    pub async fn connect<'a>(&'a self, permit: SemaphorePermit<'a>) -> Result<Connection<'a>, String> {
        while let Some(mut idle) = self.take_idle() {
            // Also ends what was left of a mail that was refused.
            if idle.since.elapsed() < IDLE && idle.smtp.command(Rset).await.is_ok() {
                return Ok(Connection { smtp: idle.smtp, _permit: permit });
            }
        }
        Ok(Connection { smtp: self.open().await?, _permit: permit })
    }

    /// For the next mail.
    pub fn give_back(&self, connection: Connection<'_>) {
        self.idle().push(Idle { smtp: connection.smtp, since: Instant::now() });
    }

    /// Closes what has been idle for long.
    pub fn tidy(&self) {
        let stale: Vec<Idle> = self.idle().extract_if(.., |one| one.since.elapsed() >= IDLE).collect();
        for mut one in stale {
            actix_rt::spawn(async move { timeout(FAREWELL, one.smtp.quit()).await.map(drop) });
        }
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, String> {
        let Server { host, port, tls, credentials } = &self.server;
        let hello = ClientId::default();
        let no_connection = |error| {
            tracing::warn!(server = host, "no connection to the mail server: {}", in_words(&error));
            format!("no connection to the mail server: {}", in_words(&error))
        };
        let from_the_start = match tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let (address, patience) = ((host.as_str(), *port), Some(EACH_ADDRESS));
        let connecting = AsyncSmtpConnection::connect_tokio1(address, patience, &hello, from_the_start, None);
        let mut smtp = connecting.await.map_err(no_connection)?;
        match tls {
            Tls::Required(parameters) => {
                smtp.starttls(parameters.clone(), &hello).await.map_err(no_connection)?
            }
            Tls::Opportunistic(parameters) if smtp.can_starttls() => {
                smtp.starttls(parameters.clone(), &hello).await.map_err(no_connection)?;
            }
            _ => {}
        }
        if let Some(credentials) = credentials {
            if !smtp.is_encrypted() && !matches!(tls, Tls::None) {
                tracing::error!(
                    server = host,
                    "the mail server offers no TLS; the password is not sent without"
                );
                return Err("the mail server offers no TLS, which the password needs".to_owned());
            }
            // The reply can do nothing about it; the operator can.
            smtp.auth(DEFAULT_MECHANISMS, credentials).await.map_err(|error| {
                tracing::error!(server = host, "the mail server does not let us in: {}", in_words(&error));
                format!("the mail server does not let the hub in: {}", in_words(&error))
            })?;
        }
        Ok(smtp)
    }

    fn take_idle(&self) -> Option<Idle> {
        self.idle().pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
