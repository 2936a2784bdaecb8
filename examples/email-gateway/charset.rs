//! Text that lies about its character set, or names none. Windows-1252 is what such mail is mostly written in.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, MessagePart, MimeHeaders};

/// Headers are ASCII or UTF-8 (RFC 6532). Those that are neither become UTF-8.
pub fn with_utf8_headers(raw: &[u8]) -> Cow<'_, [u8]> {
    let end = |separator: &[u8]| raw.windows(separator.len()).position(|bytes| bytes == separator);
    let end = match (end(b"\n\n"), end(b"\r\n\r\n")) {
        (Some(unix), Some(dos)) => unix.min(dos),
        (unix, dos) => unix.or(dos).unwrap_or(raw.len()),
    };
    let (headers, body) = raw.split_at(end);
    match str::from_utf8(headers) {
        Ok(_) => Cow::Borrowed(raw),
        Err(_) => Cow::Owned([windows_1252(headers).as_bytes(), body].concat()),
    }
}

/// The text of a part, decoded anew where the parser could not make sense of its bytes.
pub fn text_of<'a>(part: &'a MessagePart, raw: &[u8]) -> Cow<'a, str> {
    let text = part.text_contents().unwrap_or_default();
    let charset = part.content_type().and_then(|kind| kind.attribute("charset")).unwrap_or_default();
    let may_lie = ["", "utf-8", "us-ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name))
        || charset_decoder(charset.as_bytes()).is_none();
    if !may_lie || !text.contains(char::REPLACEMENT_CHARACTER) {
        return Cow::Borrowed(text);
    }
    let bytes = raw.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
    let decoded = match part.encoding {
        Encoding::None => Some(bytes.to_vec()),
        Encoding::QuotedPrintable => quoted_printable_decode(bytes),
        Encoding::Base64 => base64_decode(bytes),
    };
    match decoded {
        Some(bytes) if str::from_utf8(&bytes).is_err() => Cow::Owned(windows_1252(&bytes)),
        _ => Cow::Borrowed(text),
    }
}

/// Line breaks as `\n`, and no other control characters but tabs. Those of ISO 8859-1 are Windows-1252 under the
/// wrong name.
pub fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let characters = text.chars().filter_map(|c| match c {
        '\r' => Some('\n'),
        '\n' | '\t' => Some(c),
        '\u{a0}' => Some(' '),
        '\u{80}'..='\u{9f}' => windows_1252(&[c as u8]).chars().next().filter(|c| !c.is_control()),
        '\u{feff}' => None,
        _ => (!c.is_control()).then_some(c),
    });
    characters.collect()
}

fn windows_1252(bytes: &[u8]) -> String {
    match charset_decoder(b"windows-1252") {
        Some(decode) => decode(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}
