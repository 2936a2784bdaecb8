//! A mail as the message of contract section 5.1.

use mail_parser::{Address, HeaderValue, Message, MimeHeaders, PartType};
use nexus_actors::domain::channel::{InboundCustomer, InboundMessage};
use nexus_actors::domain::validation::{MAX_MESSAGE, MAX_NAME, MAX_SUBJECT};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::charset::{clean, text_of};
use crate::{html, reply};

/// What the hub takes for an id.
const MAX_ID: usize = 998;
/// Entries of a list in the metadata, and characters of one: all of it has to stay below 64 KiB.
const MAX_LISTED: usize = 25;
const MAX_LISTED_TEXT: usize = 200;

/// `Err` says why the mail can't be used.
pub fn inquiry(mail: &Message, external_id: String) -> Result<InboundMessage, String> {
    let sender = sender(mail).ok_or("no address in From")?;
    let subject = one_line(mail.subject().unwrap_or_default(), MAX_SUBJECT);
    let mut metadata = metadata(mail);
    let message = match text(mail, &subject) {
        Some(text) => text,
        None if subject.is_empty() => "(no text)".to_owned(),
        None => subject.clone(),
    };
    let message = match message.char_indices().nth(MAX_MESSAGE) {
        None => message,
        Some((end, _)) => {
            metadata.insert("note".to_owned(), json!(format!("cut at {MAX_MESSAGE} characters")));
            message[..end].to_owned()
        }
    };
    let message = InboundMessage {
        thread_id: Some(thread_id(mail).unwrap_or_else(|| external_id.clone())),
        external_id: Some(external_id),
        customer: InboundCustomer {
            email: sender.address,
            first_name: sender.first_name,
            last_name: sender.last_name,
            phone: None,
            company: None,
        },
        subject: Some(subject).filter(|subject| !subject.is_empty()),
        message,
        priority: None,
        category: None,
        metadata: Some(metadata),
    };
    // The hub's own checks, so that nothing goes there only to become a dead letter.
    message.validate("email").map_err(|errors| {
        let errors: Vec<_> = errors.iter().map(|e| format!("{} {}", e.pointer, e.message)).collect();
        errors.join(", ")
    })
}

/// The Message-ID in angle brackets. Where there is none, one made from the bytes, the same at every attempt.
pub fn message_id(mail: &Message, raw: &[u8]) -> String {
    let made_up = || {
        let hash: String = Sha256::digest(raw).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("<{hash}@maildir>")
    };
    mail.message_id().and_then(bracketed).unwrap_or_else(made_up)
}

#[derive(Debug, PartialEq, Eq)]
pub struct Sender {
    pub address: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

/// The first address in From, in a group too.
pub fn sender(mail: &Message) -> Option<Sender> {
    let from =
        mail.from()?.iter().find(|from| from.address().is_some_and(|address| address.contains('@')))?;
    let address = from.address()?.trim().to_owned();
    let name = one_line(from.name().unwrap_or_default(), usize::MAX);
    let name = name.trim_matches(['"', '\'', ' ']);
    let (first, last) = match name.split_once(',') {
        // Some clients write an address for a name.
        _ if name.contains('@') => ("", ""),
        Some((last, first)) => (first, last),
        None => name.split_once(' ').unwrap_or((name, "")),
    };
    let part = |text: &str| Some(one_line(text, MAX_NAME)).filter(|text| !text.is_empty());
    Some(Sender { address, first_name: part(first), last_name: part(last) })
}

/// The first of the conversation's messages.
fn thread_id(mail: &Message) -> Option<String> {
    let first = |header: &HeaderValue| header.as_text_list()?.iter().find_map(|id| bracketed(id));
    first(mail.references()).or_else(|| first(mail.in_reply_to()))
}

fn bracketed(id: &str) -> Option<String> {
    let usable = !id.is_empty() && !id.contains(|c: char| c.is_whitespace() || c.is_control());
    Some(format!("<{id}>")).filter(|id| usable && id.chars().count() <= MAX_ID)
}

/// What the customer wrote: the plain text, or else the HTML as text.
fn text(mail: &Message, subject: &str) -> Option<String> {
    let joined = |parts: &[u32]| {
        let parts = parts.iter().filter_map(|id| mail.parts.get(*id as usize));
        let texts = parts.filter_map(|part| match part.body {
            PartType::Text(_) => Some(clean(&text_of(part, &mail.raw_message))),
            PartType::Html(_) => Some(clean(&html::to_text(&text_of(part, &mail.raw_message)))),
            _ => None,
        });
        reply::own_words(&texts.collect::<Vec<_>>().join("\n"), subject)
    };
    [&mail.text_body, &mail.html_body].into_iter().map(|parts| joined(parts)).find(|text| !text.is_empty())
}

fn metadata(mail: &Message) -> Map<String, Value> {
    let listed = |address: Option<&Address>| -> Vec<String> {
        let all = address.into_iter().flat_map(|list| list.iter());
        all.filter_map(|entry| entry.address()).map(listed_text).take(MAX_LISTED).collect()
    };
    let attachments = mail.attachments().take(MAX_LISTED).map(|part| {
        let kind = part.content_type().map(|kind| match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()),
            None => kind.ctype().to_owned(),
        });
        json!({
            "name": part.attachment_name().map(listed_text),
            "type": kind.as_deref().map(listed_text),
            "size": part.len(),
        })
    });
    let mut metadata = Map::new();
    metadata.insert("to".to_owned(), json!(listed(mail.to())));
    metadata.insert("cc".to_owned(), json!(listed(mail.cc())));
    metadata.insert("date".to_owned(), json!(mail.date().map(|date| date.to_rfc3339())));
    metadata.insert("attachments".to_owned(), attachments.collect());
    metadata
}

fn listed_text(text: &str) -> String {
    one_line(text, MAX_LISTED_TEXT)
}

fn one_line(text: &str, max: usize) -> String {
    let line = clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        None => line,
        Some(_) => line.chars().take(max - 1).chain(['…']).collect(),
    }
}
