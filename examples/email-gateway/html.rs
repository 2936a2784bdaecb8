//! HTML mail as text. Line breaks are where a reader sees them, and quotes get the `>` of plain text, so that both
//! kinds of mail are stripped of them alike.

use mail_parser::decoders::html::add_html_token;

/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "blockquote",
    "body",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "tr",
    "ul",
];
/// Elements with a blank line around them.
const PARAGRAPHS: &[&str] = &["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "ul"];
/// Elements nobody sees the text of. Not `head`, which needs no end.
const HIDDEN: &[&str] = &["script", "style", "template", "title"];
/// Deeper quotes are not marked as such.
const MAX_QUOTES: usize = 20;

pub fn to_text(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.words(&rest[..start]);
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        if !rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
            text.words("&lt;");
            rest = &rest[1..];
            continue;
        }
        let Some((tag, after)) = rest[1..].split_once('>') else {
            // A tag cut off in the middle.
            rest = "";
            break;
        };
        rest = after;
        let name = tag_name(tag);
        if !tag.starts_with('/') && HIDDEN.contains(&name.as_str()) {
            rest = after_end_of(&name, rest);
        } else {
            text.tag(&name, tag.starts_with('/'));
        }
    }
    text.words(rest);
    text.finished
}

fn tag_name(tag: &str) -> String {
    let name = tag.trim_start_matches('/');
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    name[..end].to_ascii_lowercase()
}

/// What follows `</name>`.
fn after_end_of<'a>(name: &str, html: &'a str) -> &'a str {
    html.match_indices("</")
        .find(|(start, _)| tag_name(&html[start + 2..]) == name)
        .and_then(|(start, _)| html[start..].split_once('>'))
        .map_or("", |(_, after)| after)
}

#[derive(Default)]
struct Text {
    finished: String,
    /// Line breaks due before the next word.
    breaks: usize,
    space: bool,
    /// How deep the next word is quoted, and how deep the last one was.
    quotes: usize,
    last_quotes: usize,
}

impl Text {
    fn words(&mut self, html: &str) {
        let text = decoded(html);
        // Not `char::is_whitespace`: a no-break space is seen.
        let is_space = |c: char| c.is_ascii_whitespace();
        for (index, word) in text.split(is_space).enumerate() {
            self.space |= index > 0;
            if !word.is_empty() {
                self.start_word();
                self.finished.push_str(word);
            }
        }
    }

    fn start_word(&mut self) {
        let at_start = self.finished.is_empty();
        if at_start || self.breaks > 0 {
            let prefix = |quotes: usize| "> ".repeat(quotes.min(MAX_QUOTES));
            if !at_start {
                let blank = prefix(self.quotes.min(self.last_quotes));
                for _ in 1..self.breaks.min(3) {
                    self.finished.push('\n');
                    self.finished.push_str(blank.trim_end());
                }
                self.finished.push('\n');
            }
            self.finished.push_str(&prefix(self.quotes));
        } else if self.space {
            self.finished.push(' ');
        }
        self.breaks = 0;
        self.space = false;
        self.last_quotes = self.quotes;
    }

    fn tag(&mut self, name: &str, end: bool) {
        match name {
            "br" => self.breaks += 1,
            "td" | "th" => self.space = true,
            _ if BLOCKS.contains(&name) => {
                self.breaks = self.breaks.max(if PARAGRAPHS.contains(&name) { 2 } else { 1 });
            }
            _ => {}
        }
        match (name, end) {
            ("blockquote", false) => self.quotes += 1,
            ("blockquote", true) => self.quotes = self.quotes.saturating_sub(1),
            ("li", false) => {
                self.start_word();
                self.finished.push('-');
                self.space = true;
            }
            _ => {}
        }
    }
}

/// Entities replaced by their characters.
fn decoded(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('&') {
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        // The longest entity of HTML has 33 characters.
        match rest.bytes().take(34).position(|byte| byte == b';') {
            Some(end) => {
                add_html_token(&mut text, &rest.as_bytes()[..=end], false);
                rest = &rest[end + 1..];
            }
            None => {
                text.push('&');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn lines_are_where_a_reader_sees_them() {
        assert_eq!(to_text("<div>a</div><div><br></div><div>b<br>c</div>"), "a\n\nb\nc");
        assert_eq!(to_text("<p>a\n b</p><p>c</p><ul><li>d</li><li>e</li></ul>"), "a b\n\nc\n\n- d\n- e");
        assert_eq!(
            to_text("a<blockquote>b<br><blockquote>c</blockquote></blockquote>d"),
            "a\n\n> b\n>\n> > c\n\nd"
        );
    }

    #[test]
    fn what_is_not_seen_is_left_out() {
        assert_eq!(to_text("<head><title>x</title><style>p{}</style><!-- y > z --></head>a"), "a");
        assert_eq!(to_text("a<script>if (1 < 2) {}</script >b"), "ab");
    }

    #[test]
    fn broken_html_is_read_as_far_as_it_goes() {
        assert_eq!(to_text("1 < 2 &amp; 3 > 2 & &nonsense; &#x20AC;"), "1 < 2 & 3 > 2 & &nonsense; €");
        assert_eq!(to_text("a <b"), "a");
        assert_eq!(to_text("a <!-- b"), "a");
        assert_eq!(to_text("</blockquote>a"), "a");
    }
}
