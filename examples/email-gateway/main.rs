//! An email gateway: brings the mail of a Maildir to the hub. It sends nothing; the hub's own SMTP sender or another
//! gateway does.
//!
//!     cargo run --example email-gateway -- --maildir /var/mail/support --own support@shop.example

mod automatic;
mod bounce;
mod charset;
mod clients;
mod html;
mod intake;
mod mail;
mod maildir;
mod publisher;
mod reading;
mod reply;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tracing::error;

use crate::maildir::Maildir;
use crate::publisher::Broker;

const POLL_EVERY: Duration = Duration::from_secs(2);

/// Brings the mail of a Maildir to the hub.
#[derive(Debug, Parser)]
struct Arguments {
    /// The Maildir whose new/ is read.
    #[arg(long)]
    maildir: PathBuf,
    /// The hub's broker.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://guest:guest@127.0.0.1:5672/%2f"
    )]
    amqp: String,
    /// An address the hub sends from; mail from it is ignored. May be given several times.
    #[arg(long, value_name = "ADDRESS")]
    own: Vec<String>,
    /// Stop when all mail there is has been dealt with.
    #[arg(long)]
    once: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        // Lapin's errors are logged once, where they are handled.
        .with_env_filter("info,lapin=off")
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let Arguments { maildir: path, amqp, own, once } = Arguments::parse();
    let maildir = match Maildir::open(&path) {
        Ok(maildir) => maildir,
        Err(error) => {
            error!("no Maildir at {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    let mut broker = Broker::new(amqp);
    loop {
        let outcome = intake::take_in(&maildir, &own, &mut broker).await;
        if let Err(error) = &outcome {
            error!("mail waits in new/: {error}");
        }
        if once {
            return if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}
