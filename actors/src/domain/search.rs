//! Full-text search that means the same on both engines: texts and queries are cut into words here, in Rust,
//! and an engine only matches words and their beginnings.

use std::collections::BTreeSet;

/// Longer words are cut; nobody types more of one.
const MAX_WORD: usize = 64;
/// Distinct words kept of one entity; a mail thread quoted ten times over has fewer.
const MAX_WORDS: usize = 5_000;
const MAX_QUERY_WORDS: usize = 16;

/// The distinct lower-case words of all `texts`, joined by spaces: what is stored and indexed.
pub fn document<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut seen = BTreeSet::new();
    for text in texts {
        for word in words(text) {
            if seen.len() == MAX_WORDS {
                break;
            }
            seen.insert(word);
        }
    }
    seen.into_iter().collect::<Vec<_>>().join(" ")
}

/// The words of a query; each must begin some word of a hit. Empty when `query` holds none.
pub fn query_words(query: &str) -> Vec<String> {
    words(query).take(MAX_QUERY_WORDS).collect()
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| {
        // Lower-casing can yield combining marks (İ), which an engine would take for a word's end.
        let lower = word.chars().take(MAX_WORD).flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric());
        // A Σ at the end of what someone typed so far may be in the middle of the word.
        lower.map(|c| if c == 'ς' { 'σ' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_distinct_and_free_of_punctuation() {
        assert_eq!(
            document(["Ada.Lovelace@Example.com", "Order A-1234, order?"]),
            "1234 a ada com example lovelace order"
        );
        assert_eq!(query_words("  LOVE exam! "), ["love", "exam"]);
        assert!(query_words("'\"*:&|").is_empty());
    }
}
