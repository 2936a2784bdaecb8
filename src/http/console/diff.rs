//! What differs between two revisions of a text, word by word.

use std::time::Duration;

use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};

/// After which the rest is shown as one change. Texts may have 200,000 characters.
const PATIENCE: Duration = Duration::from_millis(50);

pub fn words(before: &str, after: &str) -> Markup {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_unicode_words(before, after);
    // Neighbours of one kind in one element: it is read out as one.
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match runs.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    html! {
        div.prose {
            @for (tag, text) in runs {
                @match tag {
                    ChangeTag::Equal => (text),
                    ChangeTag::Insert => ins { (text) },
                    ChangeTag::Delete => del { (text) },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn changed_words_are_marked_and_nothing_is_taken_for_markup() {
        let marked = words("It ships <b>today</b>.", "It ships <b>tomorrow</b>.").into_string();
        assert!(marked.contains("<del>today</del><ins>tomorrow</ins>"), "{marked}");
        assert!(!marked.contains("<b>"), "{marked}");
    }

    proptest! {
        #[test]
        fn without_what_was_taken_out_it_is_the_text_as_it_is(before in "[ab \n]{0,40}", after in "[ab \n]{0,40}") {
            let mut marked = words(&before, &after).into_string();
            while let Some(start) = marked.find("<del>") {
                let end = marked.find("</del>").unwrap() + "</del>".len();
                marked.replace_range(start..end, "");
            }
            let text = marked.replace("<div class=\"prose\">", "").replace("</div>", "");
            prop_assert_eq!(text.replace("<ins>", "").replace("</ins>", ""), after);
        }
    }
}
