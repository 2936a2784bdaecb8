//! What a mail is to the hub.

use mail_parser::MessageParser;
use nexus_actors::domain::channel::InboundMessage;

use crate::bounce::DeliveryFailed;
use crate::{automatic, bounce, charset, mail};

#[derive(Debug)]
pub enum Reading {
    Inquiry { message_id: String, message: Box<InboundMessage> },
    Bounce { message_id: String, report: DeliveryFailed },
    Ignored(String),
    Rejected(String),
}

/// `own`: the addresses the hub sends from.
pub fn read(raw: &[u8], own: &[String]) -> Reading {
    let readable = charset::with_utf8_headers(raw);
    let Some(mail) = MessageParser::default().parse(&readable) else {
        return Reading::Rejected("not a mail".to_owned());
    };
    let message_id = mail::message_id(&mail, raw);
    if let Some(report) = bounce::failed_delivery(&mail) {
        return Reading::Bounce { message_id, report };
    }
    if let Some(reason) = automatic::reason(&mail, own) {
        return Reading::Ignored(reason);
    }
    match mail::inquiry(&mail, message_id.clone()) {
        Ok(message) => Reading::Inquiry { message_id, message: Box::new(message) },
        Err(reason) => Reading::Rejected(reason),
    }
}
