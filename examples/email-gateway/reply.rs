//! What somebody wrote, without what their mail client put around it. In doubt text stays: a quote too many is read
//! over, a lost sentence is missed.

use crate::clients::{attribution, is_forward_marker, is_signature_of_client, starts_history};

/// A longer text after `-- ` is no signature.
const MAX_SIGNATURE: usize = 15;

/// The text without quoted messages and signature; never empty where the text is not.
pub fn own_words(text: &str, subject: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    // What was forwarded is what they want to show.
    let unquoted = if is_forward(subject) { lines.clone() } else { without_history(&lines) };
    let candidates: [&[&str]; 3] = [without_signature(&unquoted), &unquoted, &lines];
    candidates.into_iter().map(joined).find(|text| !text.is_empty()).unwrap_or_default()
}

fn is_forward(subject: &str) -> bool {
    subject.split_once(':').is_some_and(|(prefix, _)| {
        // English, German, French, Spanish, Italian.
        ["fw", "fwd", "wg", "tr", "rv", "i"].contains(&prefix.trim().to_lowercase().as_str())
    })
}

fn without_history<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut own = Vec::new();
    let mut forwarded: &[&str] = &[];
    let mut at = 0;
    while at < lines.len() {
        let rest = &lines[at..];
        if is_forward_marker(rest[0]) {
            forwarded = rest;
            break;
        }
        if starts_history(rest) {
            break;
        }
        match attribution(rest) {
            Some(length) => at += length,
            None => {
                own.push(rest[0]);
                at += 1;
            }
        }
    }
    while own.last().is_some_and(|line| line.chars().all(|c| c == '_' || c.is_whitespace())) {
        own.pop();
    }
    let mut own = without_quotes(&own);
    if !forwarded.is_empty() {
        own.push("");
        own.extend(forwarded);
    }
    own
}

/// Drops what is quoted, except where answers stand between quotes and say nothing without them.
fn without_quotes<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let end = lines.iter().rposition(|line| !is_quote(line) && !line.is_empty()).map_or(0, |last| last + 1);
    let lines = &lines[..end];
    let mut blocks = 0;
    let mut in_quote = false;
    for line in lines.iter().filter(|line| !line.is_empty()) {
        if is_quote(line) && !in_quote {
            blocks += 1;
        }
        in_quote = is_quote(line);
    }
    lines.iter().copied().filter(|line| blocks > 1 || !is_quote(line)).collect()
}

fn is_quote(line: &str) -> bool {
    line.starts_with('>')
}

fn without_signature<'a, 'b>(lines: &'b [&'a str]) -> &'b [&'a str] {
    let mut lines = lines;
    let first = lines.len().saturating_sub(MAX_SIGNATURE + 1);
    if let Some(index) = lines[first..].iter().position(|line| *line == "--") {
        lines = &lines[..first + index];
    }
    match lines.iter().rposition(|line| !line.is_empty()) {
        Some(last) if is_signature_of_client(lines[last]) => &lines[..last],
        _ => lines,
    }
}

/// With at most one blank line in a row, and none at the ends.
fn joined(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        if !line.is_empty() || !text.ends_with("\n\n") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn strips(text: &str, expected: &str) {
        assert_eq!(own_words(text, "Re: Order"), expected);
    }

    #[test]
    fn quotes_go_with_the_line_that_introduces_them() {
        strips("Ok\n\nOn 3 Nov 2026, at 10:12, Support <s@shop.example> wrote:\n\n> Hi Ada\n>\n> Bye", "Ok");
        strips("On 3 Nov 2026 at 10:12, Support wrote:\n> Which size?\n\nMedium.", "Medium.");
        strips("Danke\n\nAm 03.11.26 um 10:12 schrieb Support:\n> Hallo", "Danke");
        strips("Ok\n\nOn Tuesday, November 3, 2026, Support <s@shop.example>\nwrote:\n\nHi Ada,\nBye", "Ok");
        strips("はい\n\n2026年11月3日(火) 10:12 Support <s@shop.example>:\n\n> Hi", "はい");
    }

    #[test]
    fn answers_between_quotes_keep_what_they_answer() {
        strips(
            "On 3 Nov 2026, Support wrote:\n> Size?\nMedium\n> Colour?\nRed\n> Regards",
            "> Size?\nMedium\n> Colour?\nRed",
        );
    }

    #[test]
    fn prose_that_looks_like_an_introduction_stays() {
        for text in [
            "On Monday your colleague wrote:\n\nIt is on its way.",
            "On 5 May I wrote:\nnothing.",
            "From: the bottom of my heart\nThank you",
        ] {
            strips(text, text);
        }
    }

    #[test]
    fn signatures_go() {
        strips("Hello\n-- \nAda\nAnalytical Engines", "Hello");
        strips("Hello\n\nSent from my iPhone", "Hello");
        let long = format!("a\n--\n{}", "line\n".repeat(30));
        strips(&long, long.trim());
    }

    #[test]
    fn what_was_forwarded_stays() {
        let gmail = "See below.\n\n---------- Forwarded message ---------\nFrom: Carrier\nDate: today\n\n> y";
        strips(gmail, gmail);
        let outlook = "See below.\n\nFrom: Carrier\nSent: today\nTo: Ada\nSubject: Late\n\nIt is late.";
        assert_eq!(own_words(outlook, "FW: Late"), outlook);
        strips(outlook, "See below.");
    }

    #[test]
    fn nothing_but_quotes_or_a_signature_stays() {
        strips("> only\n> quoted", "> only\n> quoted");
        strips("-- \nAda", "--\nAda");
    }

    proptest! {
        #[test]
        fn any_text_keeps_some(
            text in "([a-z>:@<_ -]{0,6}|On 1 wrote:|<a@b>|-- |From:|Sent:|Subject:|\n|\\PC){0,40}"
        ) {
            let kept = own_words(&text, "Re: x");
            prop_assert_eq!(kept.trim().is_empty(), text.trim().is_empty());
        }
    }
}
