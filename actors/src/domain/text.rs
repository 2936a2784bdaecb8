//! Texts of others on a line of ours.

/// On one line and without controls: where a line break would begin another header, or another entry.
pub fn single_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::single_line;

    #[test]
    fn no_break_of_any_kind_is_left() {
        let hostile = " Ada\r\nBcc: x@y.z\0\u{85}one\u{2028}two\u{2029}\u{b}three\t \n";
        assert_eq!(single_line(hostile), "Ada Bcc: x@y.z one two three");
        assert_eq!(single_line(" \r\n"), "");
    }
}
