use mail_parser::{Address, MessageParser, PartType};
use nexus_actors::domain::delivery::Addressee;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const HEADERS: &str =
    "date from to subject message-id x-nexus-delivery-id mime-version content-type content-transfer-encoding";

fn reply(text: &str) -> OutboundMessage {
    OutboundMessage {
        delivery_id: Uuid::from_u128(7),
        response_id: Uuid::nil(),
        inquiry_id: Uuid::nil(),
        revision: 1,
        channel: "email".to_owned(),
        external_id: None,
        thread_id: None,
        to: Addressee {
            customer_id: Uuid::nil(),
            email: "ada@example.com".to_owned(),
            phone: None,
            name: "Ada Lovelace".to_owned(),
        },
        subject: "Re: Where is my order?".to_owned(),
        message: text.to_owned(),
        approved_by: Some(Uuid::nil()),
        approved_at: now(),
        released_by: None,
    }
}

fn now() -> Timestamp {
    Timestamp::parse("2100-06-01T08:00:00Z").unwrap()
}

fn from() -> Mailbox {
    "Customer Support <support@example.com>".parse().unwrap()
}

/// The mail as its receiver has it: SMTP ends the last line.
fn received(reply: &OutboundMessage) -> Vec<u8> {
    let mut bytes = compose(reply, &from(), now()).unwrap().formatted();
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn header<'a>(mail: &'a mail_parser::Message<'_>, name: &str) -> Option<&'a str> {
    mail.header_raw(name.to_owned()).map(str::trim)
}

/// The names of the headers, after a look whether the mail is what SMTP can carry.
fn header_names(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_ascii() && !text.contains('\0'));
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a lone CR or LF: {text:?}");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.split("\r\n").all(|line| line.len() <= 998 && !line.trim().is_empty()), "{head:?}");
    assert!(body.split("\r\n").all(|line| line.len() <= 76), "{body:?}");
    let names = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    let names = names.map(|line| line.split_once(": ").unwrap().0.to_lowercase());
    names.collect::<Vec<_>>().join(" ")
}

/// Of RFC 2045, section 6.7, by hand: what a strict reader makes of the body.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut rest = text.split_once("\r\n\r\n").unwrap().1.as_bytes();
    let mut decoded = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'=', [b'\r', b'\n', after @ ..]) => after,
            (b'=', [high, low, after @ ..]) => {
                let code = [*high, *low];
                decoded.push(u8::from_str_radix(std::str::from_utf8(&code).unwrap(), 16).unwrap());
                after
            }
            (b' ' | b'\t', [b'\r', b'\n', ..]) => panic!("a space that may get lost at the end of a line"),
            _ => {
                decoded.push(first);
                after
            }
        };
    }
    decoded
}

fn assert_exact(text: &str) {
    let bytes = received(&reply(text));
    header_names(&bytes);
    assert_eq!(String::from_utf8(decoded(&bytes)).unwrap(), text);
    let mail = MessageParser::default().parse(&bytes).unwrap();
    let PartType::Text(read) = &mail.parts[0].body else { panic!("{:?}", mail.parts[0]) };
    assert_eq!(read, text);
}

#[test]
fn the_text_arrives_byte_for_byte() {
    for text in [
        "Hello",
        "Hello\n",
        "Hello\r\n",
        "Hello\r\n\r\n",
        "\r\n\r\nHello",
        "one\ntwo\r\nthree\rfour\n\rfive\r\r\n",
        "trailing \nspaces \r\nand tabs\t\r\n \n\t",
        ".\r\n.\n..dots\r\n.",
        "From here\nFrom there",
        "1 + 1 = 2; =3D=0A\r\n=\r\n",
        "Grüße, 你好 🙂👩‍👩‍👧\n",
    ] {
        assert_exact(text);
    }
    for length in 70..80 {
        assert_exact(&"x".repeat(length));
        assert_exact(&format!("{}\r\n", "x".repeat(length)));
        assert_exact(&format!("{} ", "x".repeat(length)));
        assert_exact(&"=".repeat(length));
    }
    assert_exact(&"🙂 long".repeat(5000));
}

#[test]
fn a_plain_text_can_be_read_in_the_source() {
    let bytes = received(&reply("Dear Ada,\n\nit ships tomorrow."));
    assert!(
        String::from_utf8(bytes)
            .unwrap()
            .ends_with("\r\n\r\nDear Ada,=0A=\r\n=0A=\r\nit ships tomorrow.=\r\n")
    );
}

#[test]
fn the_headers_say_what_it_is() {
    let bytes = received(&reply("Hello"));
    assert_eq!(header_names(&bytes), HEADERS);
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(header(&mail, "Date"), Some("Tue, 01 Jun 2100 08:00:00 +0000"));
    assert_eq!(header(&mail, "From"), Some("\"Customer Support\" <support@example.com>"));
    assert_eq!(header(&mail, "To"), Some("\"Ada Lovelace\" <ada@example.com>"));
    assert_eq!(header(&mail, "Subject"), Some("Re: Where is my order?"));
    assert_eq!(header(&mail, "Message-ID"), Some("<00000000-0000-0000-0000-000000000007@example.com>"));
    assert_eq!(header(&mail, "Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(header(&mail, "X-Nexus-Delivery-Id"), Some("00000000-0000-0000-0000-000000000007"));
}

#[test]
fn it_joins_the_conversation_it_answers() {
    let threaded = |external: Option<&str>, thread: Option<&str>| {
        let reply = OutboundMessage {
            external_id: external.map(str::to_owned),
            thread_id: thread.map(str::to_owned),
            ..reply("Hello")
        };
        let bytes = received(&reply);
        header_names(&bytes);
        let mail = MessageParser::default().parse(&bytes).unwrap();
        ["In-Reply-To", "References"].map(|name| header(&mail, name).map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(threaded(Some("<2@x>"), Some("<1@x>")), [some("<2@x>"), some("<1@x> <2@x>")]);
    assert_eq!(threaded(Some("<2@x>"), Some("<2@x>")), [some("<2@x>"), some("<2@x>")]);
    assert_eq!(threaded(Some("<2@x>"), Some("room-7")), [some("<2@x>"), some("<2@x>")]);
    assert_eq!(threaded(None, Some("<1@x>")), [None, some("<1@x>")]);
    let long = format!("<{}@x>", "a".repeat(1000));
    for id in [
        "42",
        "<>",
        "<@>",
        "<a@>",
        "<@b>",
        "<a b@x>",
        "<a@x",
        "a@x",
        "<a@x>\r\nBcc: e@x>",
        "<ä@x>",
        "<a><b@x>",
        &long,
    ] {
        assert_eq!(threaded(Some(id), None), [None, None], "{id:?}");
    }
}

#[test]
fn no_field_begins_a_header() {
    let evil = "Ada\r\nBcc: evil@example.com\r\n\r\nPay now\0\u{85}\n .\r\n";
    let mut hostile = reply(evil);
    hostile.subject = evil.to_owned();
    hostile.to.name = evil.to_owned();
    hostile.external_id = Some(format!("<a@x{evil}>"));
    hostile.thread_id = Some(evil.to_owned());
    let bytes = received(&hostile);
    assert_eq!(header_names(&bytes), HEADERS);
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(mail.subject(), Some("Ada Bcc: evil@example.com Pay now ."));
    let Some(Address::List(to)) = mail.to() else { panic!("{:?}", mail.to()) };
    assert_eq!(to.len(), 1);
    assert_eq!(to[0].address(), Some("ada@example.com"));
}

#[test]
fn a_notice_says_that_no_person_wrote_it() {
    let evil = "2 replies\r\nBcc: evil@example.com\r\n\r\nPay now";
    let notice = Notice {
        id: Uuid::from_u128(7),
        email: "miriam@example.com".to_owned(),
        name: evil.to_owned(),
        subject: evil.to_owned(),
        text: "2 replies wait.\n\n- Grüße\n".to_owned(),
    };
    let mut bytes = compose_notice(&notice, &from(), now()).unwrap().formatted();
    bytes.extend_from_slice(b"\r\n");
    assert_eq!(header_names(&bytes), HEADERS.replace("x-nexus-delivery-id", "auto-submitted"));
    assert_eq!(decoded(&bytes), notice.text.as_bytes());
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(header(&mail, "Auto-Submitted"), Some("auto-generated"));
    assert_eq!(header(&mail, "Message-ID"), Some("<00000000-0000-0000-0000-000000000007@example.com>"));
    assert_eq!(mail.subject(), Some("2 replies Bcc: evil@example.com Pay now"));
}

#[test]
fn a_name_cannot_add_an_address() {
    for name in ["a@x.y, b@x.y", "<evil@x.y>", "\" <evil@x.y>, \"", "(comment", "a\\", "x; y: z", "", "  "] {
        let mut hostile = reply("Hello");
        hostile.to.name = name.to_owned();
        let mail = compose(&hostile, &from(), now()).unwrap();
        assert_eq!(mail.envelope().to(), ["ada@example.com".parse().unwrap()]);
        let bytes = received(&hostile);
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let Some(Address::List(to)) = parsed.to() else { panic!("{name}: {:?}", parsed.to()) };
        assert_eq!((to.len(), to[0].address()), (1, Some("ada@example.com")), "{name}");
    }
}

#[test]
fn an_address_is_written_as_dns_has_it_or_refused() {
    let mut to = reply("Hello");
    to.to.email = "ada@bücher.example".to_owned();
    let mail = compose(&to, &from(), now()).unwrap();
    assert_eq!(mail.envelope().to(), ["ada@xn--bcher-kva.example".parse().unwrap()]);
    for bad in
        ["", "ada", "@example.com", "ada@", "ada@ex ample.com", "a@example.com\r\nRCPT TO:<b@example.com>"]
    {
        to.to.email = bad.to_owned();
        assert!(compose(&to, &from(), now()).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_approved_is_what_is_read(
        text in r"(?s)([ -~\r\n\t=.]|.){1,300}", name in ".{0,40}", subject in r"(?s).{0,120}", id in r"(?s).{0,40}",
    ) {
        let mut any = reply(&text.replace('\0', "0"));
        any.to.name = name;
        any.subject = subject;
        any.external_id = Some(format!("<{id}@x>"));
        let bytes = received(&any);
        prop_assert_eq!(header_names(&bytes).replace(" in-reply-to references", ""), HEADERS);
        prop_assert_eq!(decoded(&bytes), any.message.as_bytes());
        let mail = MessageParser::default().parse(&bytes).unwrap();
        let PartType::Text(read) = &mail.parts[0].body else { panic!("{:?}", mail.parts[0]) };
        prop_assert_eq!(read, &any.message);
        let Some(Address::List(to)) = mail.to() else { panic!("{:?}", mail.to()) };
        prop_assert_eq!((to.len(), to[0].address()), (1, Some("ada@example.com")));
    }
}
