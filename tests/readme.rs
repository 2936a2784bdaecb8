//! The README's walk-through is true: its commands run against a fresh hub and answer what it shows, ids and
//! times aside. Needs bash, curl and jq, like its readers.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const END: &str = "<<<end of block>>>";

/// The hub, ended with the test.
struct Hub {
    process: Child,
    address: String,
    password: String,
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_walk_through_answers_what_the_readme_shows() {
    let readme = include_str!("../README.md");
    let walk = readme.split("## A walk through").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = blocks(walk);
    assert!(blocks.iter().any(|(language, _)| language == "json"), "the README shows no answers");

    let directory = tempfile::tempdir().unwrap();
    let hub = start(directory.path());
    let script: String = blocks
        .iter()
        .filter(|(language, _)| language == "sh")
        .map(|(_, text)| format!("{text}echo '{END}'\n"))
        .collect();
    let script = script.replace("http://127.0.0.1:3000", &hub.address);
    let ran = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("PASSWORD", &hub.password)
        .output()
        .expect("bash is needed");
    let (answers, errors) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{errors}\n{answers}");

    let mut answers = answers.split(&format!("{END}\n")).map(str::to_owned).collect::<Vec<_>>().into_iter();
    let mut answer = String::new();
    for (language, text) in blocks {
        match language.as_str() {
            "sh" => answer = answers.next().unwrap(),
            _ => assert_eq!(timeless(&answer), timeless(&text)),
        }
    }
}

fn start(directory: &std::path::Path) -> Hub {
    let mut process = Command::new(env!("CARGO_BIN_EXE_nexus-hub"))
        .current_dir(directory)
        .env("PORT", "0")
        .env_remove("DATABASE_URL")
        .env_remove("REDIS_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let after = |line: String, mark: &str| {
        line.split(mark).nth(1).and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
    };
    let address = lines.find_map(|line| after(line, "listens on ")).unwrap();
    let password = lines.find_map(|line| after(line, "password ")).unwrap();
    Hub { process, address, password }
}

/// Fenced blocks with their language.
fn blocks(markdown: &str) -> Vec<(String, String)> {
    let fences = markdown.split("```").skip(1).step_by(2);
    fences.filter_map(|block| block.split_once('\n')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// Without what differs from run to run: ids (36 characters) and times (24).
fn timeless(text: &str) -> String {
    let word = |word: &str| match word.len() {
        36 if uuid::Uuid::parse_str(word).is_ok() => "ID".to_owned(),
        24 if nexus_actors::domain::Timestamp::parse(word).is_some() => "TIME".to_owned(),
        _ => word.to_owned(),
    };
    text.split_inclusive(['"', '/'])
        .map(|part| {
            let end = part.trim_end_matches(['"', '/']);
            word(end) + &part[end.len()..]
        })
        .collect()
}
