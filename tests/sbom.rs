//! `scripts/sbom`: what a release is made of.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const LOCK: &str = include_str!("../Cargo.lock");
const MANIFESTS: [&str; 2] = [include_str!("../Cargo.toml"), include_str!("../actors/Cargo.toml")];

#[test]
fn it_lists_what_the_binary_is_made_of_as_cargo_lock_has_it() {
    let document = document();
    let all = components(&document);
    for (purl, component) in &all {
        let text = |name: &str| component[name].as_str().unwrap();
        assert_eq!(*purl, format!("pkg:cargo/{}@{}", text("name"), text("version")));
        assert_eq!(component["bom-ref"], component["purl"]);
        assert!(!component["licenses"][0]["expression"].as_str().unwrap().contains('/'), "{component}");
        let entry = format!("name = \"{}\"\nversion = \"{}\"\n", text("name"), text("version"));
        let entry = LOCK.split_once(&entry).unwrap_or_else(|| panic!("{purl} is not in Cargo.lock")).1;
        let entry = entry.split("[[package]]").next().unwrap();
        match component["hashes"].as_array().unwrap().as_slice() {
            [] => assert!(!entry.contains("source = "), "{purl} has no checksum"),
            [hash] => {
                assert_eq!(hash["alg"], "SHA-256");
                let checksum = format!("checksum = \"{}\"", hash["content"].as_str().unwrap());
                assert!(entry.contains(&checksum), "{purl}");
            }
            more => panic!("{purl}: {more:?}"),
        }
    }
    let names: BTreeSet<&str> = all.values().map(|component| component["name"].as_str().unwrap()).collect();
    for manifest in MANIFESTS {
        for dependency in section(manifest, "dependencies") {
            assert!(names.contains(dependency), "{dependency} is missing");
        }
    }
    for tests_alone in ["proptest", "jsonschema", "stateright", "tempfile", "rcgen"] {
        assert!(!names.contains(tests_alone), "{tests_alone} is in no release");
    }
}

#[test]
fn it_is_a_cyclonedx_document_whose_references_lead_somewhere() {
    let document = document();
    assert_eq!((&document["bomFormat"], &document["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert!(document["metadata"]["timestamp"].as_str().unwrap().ends_with('Z'));
    let root = &document["metadata"]["component"];
    let hub = format!("pkg:cargo/nexus-hub@{}", env!("CARGO_PKG_VERSION"));
    assert_eq!((&root["type"], &root["bom-ref"]), (&"application".into(), &hub.as_str().into()));
    let mut known: BTreeSet<String> = components(&document).into_keys().collect();
    known.insert(hub.clone());
    let mut needs = BTreeMap::new();
    for entry in document["dependencies"].as_array().unwrap() {
        let needed: Vec<String> = serde_json::from_value(entry["dependsOn"].clone()).unwrap();
        assert!(needed.iter().all(|one| known.contains(one)), "{entry}");
        let before = needs.insert(entry["ref"].as_str().unwrap().to_owned(), needed);
        assert_eq!(before, None, "{entry} comes twice");
    }
    assert!(needs.keys().eq(&known));
    // Nothing is listed that nothing needs.
    let (mut reached, mut next) = (BTreeSet::new(), vec![hub]);
    while let Some(one) = next.pop() {
        next.extend(needs[&one].iter().filter(|needed| !reached.contains(*needed)).cloned());
        reached.insert(one);
    }
    assert_eq!(reached, known);
}

fn document() -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/sbom");
    let done = Command::new(script).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// By their package URLs.
fn components(document: &Value) -> BTreeMap<String, Value> {
    let all = document["components"].as_array().unwrap();
    let by_url: BTreeMap<_, _> =
        all.iter().map(|one| (one["purl"].as_str().unwrap().to_owned(), one.clone())).collect();
    assert_eq!(by_url.len(), all.len(), "one comes twice");
    by_url
}

/// The names in a section of a manifest.
fn section<'a>(manifest: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let begins = format!("\n[{name}]\n");
    let text = manifest.split_once(&begins).unwrap().1.split("\n[").next().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty())
}
