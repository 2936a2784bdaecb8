//! The mail made of an approved reply, or of a notice.

use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0,
};
use lettre::message::{Body, Mailbox, Message, MessageBuilder};
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::delivery::OutboundMessage;
use nexus_actors::domain::notice::Notice;
use nexus_actors::domain::text::single_line;
use quoted_printable::{Options, encode_with_options};
use uuid::Uuid;

use super::settings::in_ascii;

/// A line of quoted-printable has at most 76 characters, the last of which may have to be a `=`.
const LINE: usize = 75;
/// Longer message ids than this are not repeated: with `References: ` they must stay below a header line's 998 bytes.
const MAX_MESSAGE_ID: usize = 900;

/// # Errors
/// Why this reply cannot be a mail at all. Trying again would not help.
pub fn compose(reply: &OutboundMessage, from: &Mailbox, now: Timestamp) -> Result<Message, String> {
    let mut mail = begin((&reply.to.email, &reply.to.name), &reply.subject, reply.delivery_id, from, now)?;
    let answered = reply.external_id.as_deref().filter(|id| is_message_id(id));
    let thread = reply.thread_id.as_deref().filter(|id| is_message_id(id) && Some(*id) != answered);
    if let Some(answered) = answered {
        mail = mail.in_reply_to(answered.to_owned());
    }
    let references: Vec<&str> = thread.into_iter().chain(answered).collect();
    if !references.is_empty() {
        mail = mail.references(references.join(" "));
    }
    let delivery_id = HeaderName::new_from_ascii_str("X-Nexus-Delivery-Id");
    let mail = mail.raw_header(HeaderValue::new(delivery_id, reply.delivery_id.to_string()));
    with_text(mail, &reply.message)
}

/// # Errors
/// As [`compose`].
pub(super) fn compose_notice(notice: &Notice, from: &Mailbox, now: Timestamp) -> Result<Message, String> {
    let mail = begin((&notice.email, &notice.name), &notice.subject, notice.id, from, now)?;
    // Nobody's out-of-office note is to answer it (RFC 3834, section 5).
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let mail = mail.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
    with_text(mail, &notice.text)
}

/// `to`: an address and a name.
fn begin(
    to: (&str, &str),
    subject: &str,
    id: Uuid,
    from: &Mailbox,
    now: Timestamp,
) -> Result<MessageBuilder, String> {
    let address = in_ascii(to.0).ok_or("the email address cannot be written to")?;
    let envelope = Envelope::new(Some(from.email.clone()), vec![address.clone()]);
    let name = Some(single_line(to.1)).filter(|name| !name.is_empty());
    let mail = Message::builder()
        // Given, or else lettre reads the addresses out of the headers again.
        .envelope(envelope.map_err(|error| error.to_string())?)
        .date(system_time(now))
        .from(from.clone())
        .to(Mailbox::new(name, address))
        .subject(single_line(subject))
        // The same with every attempt, so that mail systems recognise a repetition.
        .message_id(Some(format!("<{id}@{}>", from.email.domain())));
    Ok(mail)
}

fn with_text(mail: MessageBuilder, text: &str) -> Result<Message, String> {
    let body = quoted_printable(text).into_bytes();
    mail.header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(Body::dangerous_pre_encoded(body, ContentTransferEncoding::QuotedPrintable))
        .map_err(|error| error.to_string())
}

/// Decodes to exactly `text`, once SMTP has ended the last line, as it does.
///
/// A line break in the text that is no CRLF is written out (`=0A`): as a line break of the mail it would become one.
/// Each line of the text begins a line of its own all the same, so that the mail's source can be read.
fn quoted_printable(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        encoded += &encode_with_options(line, Options::default().line_length_limit(LINE));
        if !line.ends_with("\r\n") {
            encoded += "=\r\n";
        }
    }
    encoded.strip_suffix("\r\n").map(str::to_owned).unwrap_or(encoded)
}

/// Whether this is `<…@…>` in characters a header takes as they are. Other channels' ids are not.
fn is_message_id(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let parts = inner.and_then(|inner| inner.rsplit_once('@'));
    text.len() <= MAX_MESSAGE_ID
        && parts.is_some_and(|(left, right)| {
            let plain = |c: char| c.is_ascii_graphic() && c != '<' && c != '>';
            !left.is_empty() && !right.is_empty() && left.chars().chain(right.chars()).all(plain)
        })
}

fn system_time(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(time.millis()).unwrap_or(0))
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
