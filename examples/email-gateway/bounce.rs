//! Bounces (RFC 3464) of what the hub sent. Its SMTP sender's Message-IDs are `<deliveryId@domain>`.

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use serde::Serialize;
use uuid::Uuid;

use crate::automatic::is_report;

/// What the hub's reports may have.
const MAX_REASON: usize = 5_000;

/// `delivery.failed`, as the hub takes it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryFailed {
    pub delivery_id: Uuid,
    pub reason: String,
    pub permanent: bool,
}

/// `None` unless this reports that one of the hub's deliveries failed for good: a mere delay is no failure.
pub fn failed_delivery(mail: &Message) -> Option<DeliveryFailed> {
    if !is_report(mail) {
        return None;
    }
    let report = mail.parts.iter().find(|part| part.is_content_type("message", "delivery-status"))?;
    let report = String::from_utf8_lossy(report.contents()).replace("\r\n", "\n");
    let failed = report
        .split("\n\n")
        .find(|recipient| field(recipient, "Action").is_some_and(|action| is_failed(&action)))?;
    let delivery_id = returned_id(mail).or_else(|| delivery_id(mail.in_reply_to().as_text()?))?;
    let status = field(failed, "Status").unwrap_or_default();
    let diagnostic = field(failed, "Diagnostic-Code").map(|code| match code.split_once(';') {
        Some((_kind, text)) => text.trim().to_owned(),
        None => code,
    });
    let reason = diagnostic.filter(|text| !text.is_empty()).unwrap_or_else(|| format!("bounced {status}"));
    Some(DeliveryFailed {
        delivery_id,
        reason: reason.trim().chars().filter(|c| !c.is_control()).take(MAX_REASON).collect(),
        permanent: status.starts_with("5."),
    })
}

fn is_failed(action: &str) -> bool {
    action.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("failed"))
}

/// One field of a block of them, unfolded.
fn field(block: &str, name: &str) -> Option<String> {
    let mut lines = block.lines().skip_while(|line| {
        !line.split_once(':').is_some_and(|(field, _)| field.trim().eq_ignore_ascii_case(name))
    });
    let (_, first) = lines.next()?.split_once(':')?;
    let mut value = first.trim().to_owned();
    for more in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(more.trim());
    }
    Some(value)
}

/// From the returned mail, or from its headers alone.
fn returned_id(mail: &Message) -> Option<Uuid> {
    mail.parts.iter().find_map(|part| match &part.body {
        PartType::Message(returned) => delivery_id(returned.message_id()?),
        _ if part.is_content_type("text", "rfc822-headers")
            || part.is_content_type("message", "rfc822-headers") =>
        {
            delivery_id(MessageParser::new().parse_headers(part.contents())?.message_id()?)
        }
        _ => None,
    })
}

fn delivery_id(message_id: &str) -> Option<Uuid> {
    let (id, _domain) = message_id.split_once('@')?;
    Uuid::try_parse(id).ok()
}
