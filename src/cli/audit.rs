//! `nexus-hub audit`: whether the audit trail is still what was written.

use clap::{Args, Subcommand};
use nexus_actors::domain::audit::Link;
use nexus_actors::store::audit::verify;

use super::{Failure, describe_storage};
use crate::app::open_storage;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Hold every entry against the chain of hashes, and print its newest link. Fails at the first that does not hold.
    /// Only reads, and may run beside a hub.
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// A newest link printed earlier and kept elsewhere, NUMBER:HASH: it must still be there.
    #[arg(long)]
    noted: Option<Link>,
}

pub(super) async fn run(settings: &Settings, Audit::Verify(arguments): Audit) -> Result<(), Failure> {
    let db = open_storage(settings, None)?.db;
    let verified = verify(&db, arguments.noted.as_ref()).await;
    db.close().await;
    match verified? {
        Ok(chain) => {
            println!(
                "The audit trail holds ({}): {} sealed, {} not sealed yet.\nNewest link: {}",
                describe_storage(settings),
                chain.head.number,
                chain.waiting,
                chain.head
            );
            Ok(())
        }
        Err(broken) => Err(format!("the audit trail does not hold: {broken}").into()),
    }
}
