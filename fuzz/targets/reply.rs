//! An approved reply as a mail: whatever its text, whoever it goes to, the text arrives byte for byte and no header is
//! forged. Name, subject, message id and thread on lines of their own, then the text.
#![no_main]

use lettre::message::Mailbox;
use libfuzzer_sys::fuzz_target;
use mail_parser::{MessageParser, PartType};
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::delivery::{Addressee, OutboundMessage};
use nexus_hub::mail::message::compose;
use uuid::Uuid;

const HEADERS: [&str; 11] = [
    "date",
    "from",
    "to",
    "subject",
    "message-id",
    "in-reply-to",
    "references",
    "x-nexus-delivery-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

fuzz_target!(|input: &str| {
    let mut parts = input.splitn(5, '\n');
    let mut part = || parts.next().unwrap_or_default().to_owned();
    let (name, subject, external_id, thread_id, message) = (part(), part(), part(), part(), part());
    // A response is never blank.
    if message.trim().is_empty() {
        return;
    }
    let now = Timestamp::parse("2100-06-01T08:00:00Z").expect("a time");
    let from: Mailbox = "Customer Support <support@example.com>".parse().expect("a mailbox");
    let reply = OutboundMessage {
        delivery_id: Uuid::from_u128(7),
        response_id: Uuid::nil(),
        inquiry_id: Uuid::nil(),
        revision: 1,
        channel: "email".to_owned(),
        external_id: Some(external_id),
        thread_id: Some(thread_id),
        to: Addressee { customer_id: Uuid::nil(), email: "ada@example.com".to_owned(), phone: None, name },
        subject,
        message,
        approved_by: None,
        approved_at: now,
        released_by: None,
    };
    let mut bytes = compose(&reply, &from, now).expect("any text can be mailed").formatted();
    // SMTP ends the last line.
    bytes.extend_from_slice(b"\r\n");

    assert!(bytes.is_ascii() && !bytes.contains(&0));
    let text = std::str::from_utf8(&bytes).expect("ASCII");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a line break that is none to SMTP");
    let (head, _) = text.split_once("\r\n\r\n").expect("headers, then a body");
    for line in head.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])) {
        let (name, _) = line.split_once(": ").expect("a header");
        assert!(HEADERS.contains(&name.to_lowercase().as_str()), "the header {name:?} was forged");
    }

    let mail = MessageParser::default().parse(&bytes).expect("a mail");
    let PartType::Text(read) = &mail.parts[0].body else { panic!("no text") };
    assert_eq!(read, &reply.message);
});
