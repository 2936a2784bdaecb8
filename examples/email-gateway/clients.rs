//! How mail clients mark the messages they quote and forward, and the lines they sign with.

/// How a line that introduces a quote begins and, further on, names the act of writing.
const INTRODUCTIONS: &[(&str, &str)] = &[
    ("On ", " wrote"),
    ("Am ", " schrieb"),
    ("Le ", " a écrit"),
    ("El ", " escribió"),
    ("Il ", " ha scritto"),
    ("Op ", " schreef"),
    ("Em ", " escreveu"),
    ("Den ", " skrev"),
    ("W dniu ", " napisał"),
];
const ORIGINAL: &[&str] = &[
    "original message",
    "ursprüngliche nachricht",
    "original-nachricht",
    "message d'origine",
    "mensaje original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "mensagem original",
];
const FORWARDED: &[&str] = &[
    "forwarded message",
    "weitergeleitete nachricht",
    "message transféré",
    "mensaje reenviado",
    "messaggio inoltrato",
    "doorgestuurd bericht",
];
/// The headers Outlook repeats above the message it quotes.
const FROM: &[&str] = &["from:", "von:", "de:", "da:", "van:", "fra:", "från:", "od:"];
const SENT: &[&str] = &[
    "sent:",
    "date:",
    "gesendet:",
    "datum:",
    "envoyé:",
    "enviado:",
    "enviado el:",
    "fecha:",
    "inviato:",
    "data:",
    "verzonden:",
    "sendt:",
    "skickat:",
    "wysłano:",
];
const SUBJECT: &[&str] = &[
    "subject:",
    "betreff:",
    "objet:",
    "asunto:",
    "oggetto:",
    "onderwerp:",
    "assunto:",
    "emne:",
    "ämne:",
    "temat:",
];
const CLIENTS: &[&str] = &[
    "Sent from my ",
    "Sent from Outlook",
    "Sent from Mail for Windows",
    "Sent from Yahoo Mail",
    "Sent from Proton Mail",
    "Get Outlook for ",
    "Von meinem iPhone gesendet",
    "Von meinem iPad gesendet",
    "Gesendet mit der ",
    "Envoyé de mon ",
    "Enviado desde mi ",
    "Inviato da iPhone",
];
/// Lines over which clients wrap an introduction.
const MAX_INTRODUCTION: usize = 4;
/// Lines within which the repeated headers stand; lists of addresses wrap.
const MAX_HEADERS: usize = 8;

/// From here on everything is an earlier message, not marked line by line.
pub fn starts_history(lines: &[&str]) -> bool {
    let is_unmarked_quote = || {
        introduction(lines)
            .is_some_and(|(length, text)| names_address(&text) && !is_quote_next(lines, length))
    };
    is_separator(lines[0], ORIGINAL) || repeats_headers(lines) || is_unmarked_quote()
}

/// The number of lines that introduce the quote right after them.
pub fn attribution(lines: &[&str]) -> Option<usize> {
    let (length, _) = introduction(lines).or_else(|| {
        // Languages not listed: an address, a colon, then a quote.
        let line = lines[0];
        (line.ends_with([':', '：']) && !line.starts_with('>') && names_address(line))
            .then(|| (1, line.to_owned()))
    })?;
    is_quote_next(lines, length).then_some(length)
}

pub fn is_forward_marker(line: &str) -> bool {
    is_separator(line, FORWARDED)
        || ["Begin forwarded message:", "Anfang der weitergeleiteten Nachricht:"].contains(&line.trim())
}

pub fn is_signature_of_client(line: &str) -> bool {
    line.len() < 80 && CLIENTS.iter().any(|start| line.starts_with(start))
}

fn is_separator(line: &str, titles: &[&str]) -> bool {
    let line = line.trim();
    let is_ruled = line.starts_with("-----") && line.ends_with("-----");
    is_ruled && titles.contains(&line.trim_matches(['-', ' ']).to_lowercase().as_str())
}

fn repeats_headers(lines: &[&str]) -> bool {
    let is_one_of = |line: &str, names: &[&str]| {
        let line = line.trim_start().replace('*', "").replace(" :", ":").to_lowercase();
        names.iter().any(|name| line.starts_with(name))
    };
    let next = || lines.iter().skip(1).take(MAX_HEADERS).take_while(|line| !line.is_empty());
    is_one_of(lines[0], FROM)
        && next().any(|line| is_one_of(line, SENT))
        && next().any(|line| is_one_of(line, SUBJECT))
}

/// An introduction such as `On … wrote:`: how many lines it takes, and its text.
fn introduction(lines: &[&str]) -> Option<(usize, String)> {
    let (_, verb) = INTRODUCTIONS.iter().find(|(start, _)| lines[0].trim_start().starts_with(start))?;
    let mut text = String::new();
    for (index, line) in lines.iter().take(MAX_INTRODUCTION).enumerate() {
        if line.is_empty() || line.starts_with('>') {
            return None;
        }
        text.push_str(line);
        if text.ends_with(':') {
            let has_date = text.contains(|c: char| c.is_ascii_digit());
            return (has_date && text.contains(verb)).then_some((index + 1, text));
        }
        text.push(' ');
    }
    None
}

/// `<somebody@somewhere>`
fn names_address(text: &str) -> bool {
    text.split_once('<')
        .is_some_and(|(_, after)| after.split('>').next().is_some_and(|address| address.contains('@')))
}

fn is_quote_next(lines: &[&str], at: usize) -> bool {
    lines.iter().skip(at).take(3).find(|line| !line.is_empty()).is_some_and(|line| line.starts_with('>'))
}
