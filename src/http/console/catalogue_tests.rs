use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::*;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/console");

/// Ids with the variables each names.
fn texts(files: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut texts = BTreeMap::new();
    for file in files {
        assert!(
            FluentResource::try_new((*file).to_owned()).is_ok(),
            "a file of texts does not parse:\n{file}"
        );
        let mut id = String::new();
        for line in file.lines() {
            if let Some((name, _)) = line.split_once(" =").filter(|(name, _)| is_id(name)) {
                id = name.to_owned();
                assert!(texts.insert(id.clone(), BTreeSet::new()).is_none(), "{id} is there twice");
            }
            for part in line.split('$').skip(1) {
                let name: String =
                    part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                texts.get_mut(&id).unwrap().insert(name);
            }
        }
    }
    texts
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn sources(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "js") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_language_has_the_same_texts_with_the_same_variables() {
    let (english, german) = (texts(files!("en")), texts(files!("de")));
    for (id, variables) in &english {
        assert_eq!(german.get(id), Some(variables), "{id}");
    }
    assert_eq!(english.len(), german.len());
}

#[test]
fn every_text_is_used_and_every_text_used_is_there() {
    let mut code = String::new();
    sources(Path::new(SOURCES), &mut code);
    let known = texts(files!("en"));
    // Those with an id as it is.
    for call in ["t(\"", "with(\""] {
        for (at, _) in code.match_indices(call) {
            // Not the end of another name, as in `format("`.
            if code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                continue;
            }
            let id: String = code[at + call.len()..].chars().take_while(|c| *c != '"').collect();
            if is_id(&id) {
                assert!(known.contains_key(&id), "there is no text {id}");
            }
        }
    }
    // Those whose ids are put together end in a value of the domain.
    let families: Vec<_> = code
        .match_indices("format!(\"")
        .map(|(at, call)| &code[at + call.len()..])
        .filter_map(|rest| rest.split_once('{').map(|(family, _)| family))
        .filter(|family| family.ends_with('-') && is_id(family))
        .collect();
    for id in known.keys() {
        let used =
            code.contains(&format!("\"{id}\"")) || families.iter().any(|family| id.starts_with(family));
        assert!(used, "nobody reads the text {id}");
    }
}

#[test]
fn counts_and_languages_read_as_people_write_them() {
    let hours = |language: Language, n: i64| language.text("age-hours", &[("n", n.into())]);
    assert_eq!(hours(Language::English, 3), "3 h");
    assert_eq!(Language::by_tag("de-AT"), Some(Language::German));
    assert_eq!(Language::by_tag("fr"), None);
}
