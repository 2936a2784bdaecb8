//! OpenMetrics text, read as Prometheus does.

use std::collections::{BTreeMap, BTreeSet};

pub type Labels = BTreeMap<String, String>;

pub struct Scrape {
    /// Families, by their names without `_total`, `_bucket` and the like; each with its type.
    families: BTreeMap<String, String>,
    samples: Vec<(String, Labels, f64)>,
}

impl Scrape {
    #[track_caller]
    pub fn read(text: &str) -> Self {
        let (mut families, mut samples) = (BTreeMap::new(), Vec::new());
        let body = text.strip_suffix("# EOF\n").expect("it is complete");
        for line in body.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words.as_slice() {
                ["#", "TYPE", name, kind] => {
                    let before = families.insert((*name).to_owned(), (*kind).to_owned());
                    assert_eq!(before, None, "{name} comes twice");
                }
                ["#", ..] => {}
                _ => samples.push(sample(line)),
            }
        }
        let read = Self { families, samples };
        for (name, ..) in &read.samples {
            assert!(read.families.keys().any(|family| name.starts_with(family)), "{name} has no type");
        }
        read
    }

    /// The only sample with this name and these labels among its own.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("there is no {name} {labels:?}"))
    }

    #[track_caller]
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |has: &Labels| {
            labels.iter().all(|(label, value)| has.get(*label).is_some_and(|known| known == value))
        };
        let mut found = self.samples.iter().filter(|(known, has, _)| known == name && fits(has));
        let first = found.next()?;
        assert!(found.next().is_none(), "{name} {labels:?} is not one series");
        Some(first.2)
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.iter().map(|(name, ..)| name.as_str()).collect()
    }

    pub fn families(&self) -> impl Iterator<Item = (&str, &str)> {
        self.families.iter().map(|(name, kind)| (name.as_str(), kind.as_str()))
    }

    pub fn series(&self, name: &str) -> impl Iterator<Item = &Labels> {
        self.samples.iter().filter(move |(known, ..)| known == name).map(|(_, labels, _)| labels)
    }
}

/// Nothing the hub exports has a quote or a brace in a label.
#[track_caller]
fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap();
    let pair = |pair: &str| {
        let (label, value) = pair.split_once("=\"").unwrap();
        (label.to_owned(), value.to_owned())
    };
    let labels =
        labels.trim_end_matches('"').split("\",").filter(|pair| !pair.is_empty()).map(pair).collect();
    (name.to_owned(), labels, value.parse().unwrap())
}
