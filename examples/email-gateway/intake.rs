//! From a file in `new/` to where it belongs.

use std::path::Path;
use std::{fs, io};

use serde::Serialize;
use tracing::{info, warn};

use crate::maildir::{Folder, Maildir};
use crate::publisher::{Message, PublishError, Publisher};
use crate::reading::{Reading, read};

#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("{0}")]
    Maildir(#[from] io::Error),
    #[error("{0}")]
    Publish(#[from] PublishError),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// Deals with all that waits, in order. Where the hub can't be reached the rest waits too: a thread's messages must
/// not overtake each other.
pub async fn take_in(
    maildir: &Maildir,
    own: &[String],
    publisher: &mut impl Publisher,
) -> Result<(), IntakeError> {
    for path in maildir.new_mail()? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let folder = match open(&path, own).await {
            None => continue,
            Some(Reading::Inquiry { message_id, message }) => {
                publish(publisher, "inquiry.email", &message_id, &message).await?;
                info!(mail = %name, message_id, "published");
                Folder::Inbox
            }
            Some(Reading::Bounce { message_id, report }) => {
                publish(publisher, "delivery.failed", &message_id, &report).await?;
                info!(mail = %name, delivery_id = %report.delivery_id, reason = report.reason, "reported a bounce");
                Folder::Inbox
            }
            Some(Reading::Ignored(reason)) => {
                info!(mail = %name, reason, "ignored");
                Folder::Ignored
            }
            Some(Reading::Rejected(reason)) => {
                warn!(mail = %name, reason, "rejected");
                Folder::Rejected
            }
        };
        // Not before the broker's confirm. A crash right here has it published again under the same id, which the
        // hub takes in once.
        maildir.file_away(&path, folder)?;
    }
    Ok(())
}

/// `None` where the file is gone: another program moved it.
async fn open(path: &Path, own: &[String]) -> Option<Reading> {
    let raw = match fs::read(path) {
        Ok(raw) => raw,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Reading::Rejected(error.to_string())),
    };
    let own = own.to_owned();
    // On a thread of its own: should the parser panic, that is this mail's end and not the gateway's.
    let reading = tokio::task::spawn_blocking(move || read(&raw, &own)).await;
    Some(reading.unwrap_or_else(|error| Reading::Rejected(error.to_string())))
}

async fn publish(
    publisher: &mut impl Publisher,
    routing_key: &'static str,
    message_id: &str,
    body: &impl Serialize,
) -> Result<(), IntakeError> {
    let message = Message { routing_key, id: message_id.to_owned(), body: serde_json::to_vec(body)? };
    Ok(publisher.publish(&message).await?)
}
