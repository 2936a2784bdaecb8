//! One mail to the server, step by step, so that it is known how far it got.
//!
//! | when | what | outcome |
//! | --- | --- | --- |
//! | before the mail is offered | no turn | not tried |
//! | | no connection, TLS, sign-in refused | failed, to be tried again |
//! | up to the server's go-ahead for the text | refused with 5xx | failed for good, but for codes about signing in |
//! | | 4xx, connection lost, no answer in time | failed, to be tried again |
//! | from the first byte of the text on | refused with 5xx | failed for good |
//! | | refused with 4xx | failed, to be tried again |
//! | | connection lost, no answer in time, nonsense | unknown |
//! | | taken | sent |
//!
//! A server takes a mail only once it has seen the end of the text. Lettre does not tell whether a connection broke
//! before or after that had been written, and what has been written need not have arrived; so all of it is unknown.

use std::error::Error as _;
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use nexus_actors::domain::text::single_line;
use nexus_actors::port::MailOutcome;
use tokio::time::timeout;

use super::connections::{Connection, Connections};

/// All that one mail may take. The dispatcher waits a little longer before it takes the outcome for unknown.
const PATIENCE: Duration = Duration::from_secs(70);
/// Of a server's answer, this much is kept.
const MAX_REASON: usize = 500;
/// Codes about signing in (RFC 4954): the operator's problem, not the mail's.
const SIGN_IN: [u16; 4] = [530, 534, 535, 538];

/// `limit` holds for what comes before the text, and again for the text.
pub(super) async fn deliver(mail: &Message, connections: &Connections, limit: Duration) -> MailOutcome {
    let wait = PATIENCE.saturating_sub(limit * 2);
    let Some(permit) = connections.turn(wait).await else {
        let reason = "not tried yet: the mail server is too slow for all there is to send".to_owned();
        return MailOutcome::NotTried { reason };
    };
    let offered = timeout(limit, async {
        let mut connection = connections.connect(permit).await.map_err(passing)?;
        match offer(&mut connection, mail).await {
            Ok(()) => Ok(connection),
            Err(refused) => {
                if !matches!(&refused, Refused::Broken(_)) {
                    connections.give_back(connection);
                }
                Err(refused.into())
            }
        }
    });
    let mut connection = match offered.await {
        Ok(Ok(connection)) => connection,
        Ok(Err(outcome)) => return outcome,
        Err(_) => return passing(format!("the mail server did not answer within {limit:?}")),
    };
    match timeout(limit, connection.smtp.message(&mail.formatted())).await {
        Ok(Ok(_)) => {
            connections.give_back(connection);
            MailOutcome::Sent
        }
        Ok(Err(error)) if error.status().is_some() => {
            connections.give_back(connection);
            Refused::Answer(error).into()
        }
        Ok(Err(error)) => MailOutcome::Unknown { reason: in_words(&error) },
        Err(_) => MailOutcome::Unknown { reason: format!("the mail server did not answer within {limit:?}") },
    }
}

enum Refused {
    /// The server's answer. The connection is good for another mail.
    Answer(Error),
    /// The server could not even be asked.
    Impossible(&'static str),
    Broken(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        // 421: the server is about to close the connection.
        match error.status().map(u16::from) {
            Some(421) | None => Self::Broken(error),
            Some(_) => Self::Answer(error),
        }
    }
}

impl From<Refused> for MailOutcome {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Impossible(reason) => Self::Failed { reason: reason.to_owned(), permanent: true },
            Refused::Broken(error) => passing(in_words(&error)),
            Refused::Answer(error) => {
                let sign_in = error.status().is_some_and(|code| SIGN_IN.contains(&code.into()));
                if sign_in {
                    tracing::error!("the mail server does not let us send: {}", in_words(&error));
                }
                Self::Failed { reason: in_words(&error), permanent: error.is_permanent() && !sign_in }
            }
        }
    }
}

/// Up to the server's go-ahead for the text.
async fn offer(connection: &mut Connection<'_>, mail: &Message) -> Result<(), Refused> {
    let (smtp, envelope) = (&mut connection.smtp, mail.envelope());
    let mut parameters = Vec::new();
    // The text itself is ASCII whatever the reply says; only an address can be anything else.
    if envelope.to().iter().any(|address| !(address.user().is_ascii() && address.domain().is_ascii())) {
        if !smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Refused::Impossible("the mail server cannot write to an address that is not ASCII"));
        }
        parameters = vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)];
    }
    smtp.command(Mail::new(envelope.from().cloned(), parameters)).await?;
    for address in envelope.to() {
        smtp.command(Rcpt::new(address.clone(), Vec::new())).await?;
    }
    smtp.command(Data).await?;
    Ok(())
}

fn passing(reason: String) -> MailOutcome {
    MailOutcome::Failed { reason, permanent: false }
}

/// What the server said, or else what is wrong: one line of bounded length.
pub(super) fn in_words(error: &Error) -> String {
    let text = match (error.status(), error.source()) {
        (Some(code), Some(answer)) => format!("{code} {answer}"),
        _ => error.to_string(),
    };
    single_line(&text).chars().take(MAX_REASON).collect()
}
