//! docs/SECURITY.md names tests; each of them is there.

use std::path::Path;

const DOCUMENT: &str = include_str!("../docs/SECURITY.md");
/// Lines of the checklist.
const LINES: usize = 23;

#[test]
fn every_test_that_is_named_is_there() {
    let named: Vec<&str> = DOCUMENT.split('`').filter(|text| text.contains("::")).collect();
    assert!(named.len() > LINES);
    for test in named {
        let (file, name) = test.split_once("::").unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(source.contains(&format!("fn {name}(")), "{file} has no test {name}");
    }
}

#[test]
fn every_line_of_the_checklist_has_its_row_and_names_a_test_unless_it_is_not_kept() {
    let rows = DOCUMENT.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
        Some((cells[0].trim().parse::<usize>().ok()?, cells))
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=LINES).collect::<Vec<_>>());
    for (number, cells) in rows {
        let kept = cells[2];
        assert!(
            ["yes", "**in part**", "**no**"].iter().any(|word| kept.starts_with(word)),
            "{number}: {kept}"
        );
        assert!(kept != "yes" || cells[3].contains("::"), "{number} is kept by no test");
    }
}
