//! Recognises what no person wrote. Taken in, it could be answered, and two machines would write to each other.

use mail_parser::{HeaderValue, Message, MimeHeaders};

use crate::mail::sender;

/// Why this mail is automatic; `None` for a person's. `own` are the addresses the hub sends from.
pub fn reason(mail: &Message, own: &[String]) -> Option<String> {
    header_reason(mail).or_else(|| sender_reason(mail, own))
}

/// Bounces (RFC 3464), receipts and the like.
pub fn is_report(mail: &Message) -> bool {
    mail.is_content_type("multipart", "report")
}

fn header_reason(mail: &Message) -> Option<String> {
    // RFC 3834. A keyword, then perhaps parameters or a comment.
    if let Some(value) = header(mail, "Auto-Submitted")
        && keyword(&value) != "no"
    {
        return Some(format!("Auto-Submitted: {}", keyword(&value)));
    }
    if let Some(value) = header(mail, "Precedence")
        && ["bulk", "junk", "list", "auto_reply"].contains(&keyword(&value).as_str())
    {
        return Some(format!("Precedence: {}", keyword(&value)));
    }
    if let Some(value) = header(mail, "X-Auto-Response-Suppress")
        && keyword(&value) != "none"
    {
        return Some("X-Auto-Response-Suppress".to_owned());
    }
    let present = ["List-Id", "List-Unsubscribe", "X-Autoreply", "X-Autorespond"];
    if let Some(name) = present.into_iter().find(|name| header(mail, name).is_some()) {
        return Some(name.to_owned());
    }
    if header(mail, "Return-Path").is_some_and(|path| path == "<>") {
        return Some("empty Return-Path".to_owned());
    }
    is_report(mail).then(|| "multipart/report".to_owned())
}

fn sender_reason(mail: &Message, own: &[String]) -> Option<String> {
    let address = sender(mail)?.address;
    if own.iter().any(|own| own.eq_ignore_ascii_case(&address)) {
        return Some("from the support address itself".to_owned());
    }
    let (local, _) = address.split_once('@')?;
    ["mailer-daemon", "postmaster"]
        .into_iter()
        .find(|name| local.eq_ignore_ascii_case(name))
        .map(|name| format!("from {name}"))
}

/// As it stands in the mail: the parser keeps nothing of an empty address.
fn header(mail: &Message, name: &'static str) -> Option<String> {
    match mail.header_as(name, mail_parser::HeaderForm::Raw).into_iter().next()? {
        HeaderValue::Text(value) => Some(value.trim().to_owned()),
        _ => None,
    }
}

fn keyword(value: &str) -> String {
    let end = value.find([';', '(']).unwrap_or(value.len());
    value[..end].trim().to_ascii_lowercase()
}
