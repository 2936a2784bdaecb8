//! Mails as real clients, servers and mailing lists write them (`eml/`), and what becomes of each: the `.json` beside
//! it. And the ways of files through a Maildir.

use std::fs;
use std::path::{Path, PathBuf};

use nexus_actors::domain::channel::InboundMessage;
use serde_json::{Value, json};

use crate::intake::{IntakeError, take_in};
use crate::maildir::Maildir;
use crate::publisher::{Message, PublishError, Publisher};
use crate::reading::{Reading, read};

const OWN: &str = "support@shop.example";

fn own() -> Vec<String> {
    vec![OWN.to_owned()]
}

fn eml() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/email-gateway/eml")
}

fn outcome(raw: &[u8]) -> Value {
    match read(raw, &own()) {
        Reading::Inquiry { message, .. } => json!({"published": message}),
        Reading::Bounce { report, .. } => json!({"failed": report}),
        Reading::Ignored(reason) => json!({"ignored": reason}),
        Reading::Rejected(reason) => json!({"rejected": reason}),
    }
}

/// Leaves out what is null, so that expectations need not say it.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        _ => value.clone(),
    }
}

#[test]
fn every_mail_becomes_what_is_written_beside_it() {
    let mut seen = 0;
    for entry in fs::read_dir(eml()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        seen += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let actual = outcome(&fs::read(&path).unwrap());
        let expected: Value =
            serde_json::from_slice(&fs::read(path.with_extension("json")).unwrap()).unwrap();
        let actual_text = serde_json::to_string_pretty(&without_nulls(&actual)).unwrap();
        assert_eq!(without_nulls(&actual), expected, "{name} became {actual_text}");
        if let Some(published) = actual.get("published") {
            accepted_by_the_hub(&name, published);
        }
    }
    assert!(seen >= 20, "only {seen} mails");
}

#[track_caller]
fn accepted_by_the_hub(name: &str, published: &Value) {
    let message: InboundMessage = serde_json::from_value(published.clone()).unwrap();
    let valid = message.validate("email").unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
    assert_eq!(&serde_json::to_value(&valid).unwrap(), published, "{name} changes on the way in");
    assert!(serde_json::to_vec(published).unwrap().len() <= 1024 * 1024, "{name}");
}

#[test]
fn a_huge_mail_is_cut_to_what_the_hub_takes() {
    let names: Vec<_> = (0..2_000).map(|n| format!("\"{}\" <a{n}@example.com>", "ü".repeat(300))).collect();
    let head = format!("From: ada@example.com\nTo: {}\nMessage-ID: <big@example.com>\n", names.join(",\n "));
    let raw = format!("{head}Content-Type: text/plain; charset=utf-8\n\n{}", "\u{1f600}\"\n".repeat(300_000));
    let published = outcome(raw.as_bytes())["published"].clone();
    accepted_by_the_hub("a huge mail", &published);
    assert_eq!(published["message"].as_str().unwrap().chars().count(), 200_000);
    assert_eq!(published["metadata"]["note"], "cut at 200000 characters");
}

#[test]
fn ids_the_hub_refuses_are_replaced() {
    let long = "x".repeat(1_000);
    for id in [long.as_str(), "a b@example.com", ""] {
        let raw = format!("From: ada@example.com\nMessage-ID: <{id}>\nReferences: <{id}>\n\nHello");
        let published = outcome(raw.as_bytes())["published"].clone();
        accepted_by_the_hub(id, &published);
        assert!(published["externalId"].as_str().unwrap().ends_with("@maildir>"), "{published}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_have_an_outcome(junk in proptest::collection::vec(proptest::num::u8::ANY, 0..2_000)) {
        let head = b"From: ada@example.com\nContent-Type: text/html\n\n<p>".as_slice();
        for raw in [junk.clone(), [head, &junk].concat()] {
            if let Some(published) = outcome(&raw).get("published") {
                accepted_by_the_hub("junk", published);
            }
        }
    }
}

/// Keeps what it is given, or refuses all of it.
#[derive(Default)]
struct FakePublisher {
    refuses: bool,
    published: Vec<(String, String, Value)>,
}

impl Publisher for FakePublisher {
    async fn publish(&mut self, message: &Message) -> Result<(), PublishError> {
        if self.refuses {
            return Err(PublishError::Refused("NO_ROUTE".to_owned()));
        }
        let body = serde_json::from_slice(&message.body).unwrap();
        self.published.push((message.routing_key.to_owned(), message.id.clone(), body));
        Ok(())
    }
}

/// A Maildir with copies of fixtures in `new/`.
fn maildir(mails: &[&str]) -> (tempfile::TempDir, Maildir) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("new")).unwrap();
    for (index, name) in mails.iter().enumerate() {
        let raw = fs::read(eml().join(name)).unwrap();
        fs::write(folder.path().join(format!("new/17000000{index:02}.M1P1.{name}")), raw).unwrap();
    }
    let maildir = Maildir::open(folder.path()).unwrap();
    (folder, maildir)
}

fn files(folder: &Path, below: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.join(below)) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn mail_is_filed_by_its_outcome() {
    let mails = ["plain.eml", "vacation.eml", "no-from.eml", "bounce-permanent.eml"];
    let (folder, maildir) = maildir(&mails);
    let mut hub = FakePublisher::default();
    take_in(&maildir, &own(), &mut hub).await.unwrap();
    let keys: Vec<_> = hub.published.iter().map(|(key, ..)| key.as_str()).collect();
    assert_eq!(keys, ["inquiry.email", "delivery.failed"]);
    assert_eq!(files(folder.path(), "new"), Vec::<String>::new());
    let cur = files(folder.path(), "cur");
    assert_eq!(cur, ["1700000000.M1P1.plain.eml:2,S", "1700000003.M1P1.bounce-permanent.eml:2,S"]);
    assert_eq!(files(folder.path(), ".Ignored/cur"), ["1700000001.M1P1.vacation.eml:2,S"]);
    assert_eq!(files(folder.path(), ".Rejected/cur"), ["1700000002.M1P1.no-from.eml:2,S"]);
}

#[tokio::test]
async fn refused_mail_waits_and_goes_under_the_same_id_later() {
    let (folder, maildir) = maildir(&["no-message-id.eml", "plain.eml"]);
    let waiting = files(folder.path(), "new");
    let mut hub = FakePublisher { refuses: true, ..Default::default() };
    let error = take_in(&maildir, &own(), &mut hub).await.unwrap_err();
    assert!(matches!(error, IntakeError::Publish(_)), "{error}");
    assert_eq!(files(folder.path(), "new"), waiting);

    hub.refuses = false;
    take_in(&maildir, &own(), &mut hub).await.unwrap();
    // As if it had crashed between the confirm and the move.
    let first = folder.path().join("cur").join(format!("{}:2,S", waiting[0]));
    fs::rename(first, folder.path().join("new").join(&waiting[0])).unwrap();
    take_in(&maildir, &own(), &mut hub).await.unwrap();
    let ids: Vec<_> = hub.published.iter().map(|(_, id, body)| (id.as_str(), &body["externalId"])).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids[0], ids[2]);
    assert!(ids.iter().all(|(id, external_id)| id == external_id), "{ids:?}");
    assert!(files(folder.path(), "new").is_empty());
}

#[tokio::test]
async fn a_name_taken_in_cur_is_not_overwritten() {
    let (folder, maildir) = maildir(&["plain.eml"]);
    let name = files(folder.path(), "new").remove(0);
    fs::create_dir(folder.path().join("cur")).unwrap();
    fs::write(folder.path().join("cur").join(format!("{name}:2,S")), "another").unwrap();
    take_in(&maildir, &own(), &mut FakePublisher::default()).await.unwrap();
    assert_eq!(files(folder.path(), "cur").len(), 2);
}
