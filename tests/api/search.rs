//! `q` on customers and inquiries: the beginnings of words, the same on both engines.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Client, TestHub, id_of, on_both_engines, path};

on_both_engines!(
    customers_are_found_by_the_words_of_their_names_email_and_company,
    inquiries_are_found_by_the_words_of_subject_and_message,
    what_is_found_follows_every_change,
    a_long_text_is_found_by_words_from_all_over_it,
);

const TEXTS: &[&str] = &[
    "Ada Lovelace",
    "O'Hara",
    "Müller-Lüdenscheidt",
    "MUELLER",
    "Straße",
    "STRASSE",
    "İstanbul ılık",
    "ΟΔΟΣ οδός",
    "Москва",
    "東京 タワー",
    "李小龍",
    "ไม่เป็นไร",
    "हिन्दी भाषा",
    "العَرَبِيَّة",
    "עִבְרִית",
    "한국어",
    "ſatz ϐήτα",
    "Zoë zoe",
    "cafe\u{301} café",
    "naïve",
    "m² ½ ① Ⅷ",
    "𝒜𝒷 𞤀𞤣 ꭰꭱ ᏣᎳᎩ",
    "𞊐𞊑 𑼄𑼅 𝼥x 𲎯𲎮",
    "\u{1F4E6} parcel\u{1F4E6}box",
    "x\u{200d}y",
    "a_b-c.d",
    "1e5 007 3.14 12-34 0x1F v2 2nd",
    "2026-06-01T08:00:00Z",
    "www.Example.com/Path?x=1&y=2",
    "AND OR NOT NEAR and or not",
    "customer:1 ^top -minus +plus",
    "the a of to",
    "running runs ran",
    "50% off \\ back",
    "“quoted” «text»",
];

#[rustfmt::skip]
const QUERIES: &[&str] = &[
    "ada", "ADA", "ad", "a", "lov ada", "ada lov", "lovelace ada", "ada ada", "adas", "da", "love-lace",
    "o'hara", "ohara", "hara", "o", "mül", "MÜL", "mul", "mu", "muell", "lüd", "lu", "straße", "strasse",
    "stras", "straß", "istanbul", "İSTANBUL", "ıl", "il", "οδός", "οδο", "οδ", "ΟΔΌΣ", "ο", "моск",
    "МОСКВА", "м", "東", "東京", "京", "タ", "ワー", "李", "李小", "小龍", "ไม", "ไม่", "เป็น", "ไ", "हि", "हिन्दी",
    "ह", "भाषा", "भ", "العربية", "العَرَبِيَّة", "ال", "עברית", "עִבְרִית", "ע", "한국", "한", "국어", "satz",
    "ſatz", "βήτα", "ϐ", "zoë", "zoe", "zo", "ZOË", "café", "cafe", "cafe\u{301}", "caf", "naive", "naïve",
    "na", "m", "m²", "m2", "²", "½", "1", "①", "ⅷ", "Ⅷ", "𝒜", "𝒷", "𞤀", "𞤢", "ꭰ", "Ꭰ", "ᏣᎳᎩ", "ꮳꮃꭹ", "𞊐",
    "𞊐𞊑", "𑼄", "𝼥", "𝼥x", "𲎯", "\u{1F4E6}", "parcel", "box", "parcelbox", "xy", "x y", "x\u{200d}y", "x",
    "a_b", "b", "c.d", "a b c d", "abcd", "1e5", "1e", "007", "00", "7", "3.14", "3", "14", "12-34", "34",
    "0x1f", "0x", "v2", "2nd", "2", "2026-06", "2026 06 01", "01t08", "00z", "www.example.com", "example",
    "com/path", "path?x=1", "y=2", "exam com", "and", "AND", "or", "NOT", "near", "ada AND lovelace",
    "ada OR zoe", "NOT ada", "NEAR(ada lovelace)", "ada*", "*", "*da", "\"ada lovelace\"", "\"ada", "ada\"",
    "'ada'", "''", "\"", "'", "(ada)", "(ada", "ada)", "ada & lovelace", "ada | zoe", "!ada", "ada:*",
    "ada:b", "ada <-> lovelace", ":*", "&", "|", "!", "customer:1", "customer", "^top", "-minus", "minus",
    "+plus", "search:ada", "the", "a of", "of", "running", "run", "runs", "ran", "r", "50%", "%", "_", "\\",
    "\\'", "50", "back", "quoted", "“quoted”", "text»", "; drop table customers", "ada; --", "{}", "[ada]",
    "ada,lovelace", "ada\tlovelace", "ada\nlovelace", "\u{feff}ada", "nothing", "zzz",
];

/// Words are what stands between other characters than letters and digits; their case does not matter.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.to_lowercase().replace('\u{307}', "").replace('ς', "σ")).collect()
}

fn is_hit(query: &str, text: &str) -> bool {
    let (asked, there) = (words(query), words(text));
    !asked.is_empty() && asked.iter().all(|asked| there.iter().any(|word| word.starts_with(asked.as_str())))
}

async fn found(client: &Client, list: &str, query: &str) -> BTreeSet<String> {
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let page = client.get(&format!("{list}?limit=100&q={query}")).await.expect(200);
    let hits = page["data"].as_array().unwrap();
    assert_eq!(page["meta"]["total"], hits.len());
    hits.iter().map(|hit| id_of(hit).to_string()).collect()
}

/// Asks everything, and compares with the texts of each entity; tells all that differs.
async fn asked_everything(client: &Client, list: &str, all: &[(String, String)]) {
    let mut wrong = Vec::new();
    for query in QUERIES {
        let found = found(client, list, query).await;
        for (id, text) in all {
            if found.contains(id) != is_hit(query, text) {
                wrong.push(format!(
                    "{query:?} {} {text:?}",
                    if found.contains(id) { "finds" } else { "misses" }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{list}: {} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

async fn customers_are_found_by_the_words_of_their_names_email_and_company(hub: &TestHub) {
    let admin = hub.admin().await;
    let mut all = Vec::new();
    for (number, text) in TEXTS.iter().enumerate() {
        let email = format!("E{number}.mail+tag@ex-{number}.example");
        let (first, last, company) = match number % 3 {
            0 => (*text, "Last", "Company"),
            1 => ("First", *text, "Company"),
            _ => ("First", "Last", *text),
        };
        let customer = json!({
            "firstName": first, "lastName": last, "email": email, "company": company, "phone": "0123",
            "metadata": {"secret": "hidden"}
        });
        let made = admin.post("/customers", customer).await.expect(201);
        all.push((id_of(&made).to_string(), [first, last, &email, company].join(" ")));
    }
    asked_everything(&admin, "/customers", &all).await;
    for (query, hits) in [
        ("e7.mail", 1),
        ("MAIL tag", TEXTS.len()),
        ("e7@ex", 1),
        ("e7 ex 7", 1),
        ("0123", 0),
        ("hidden", 0),
        ("active", 0),
    ] {
        let by_model = all.iter().filter(|(_, text)| is_hit(query, text)).count();
        assert_eq!((found(&admin, "/customers", query).await.len(), by_model), (hits, hits), "{query}");
    }
}

async fn inquiries_are_found_by_the_words_of_subject_and_message(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let customer = hub.customer(&admin).await;
    let mut all = Vec::new();
    for (number, text) in TEXTS.iter().enumerate() {
        let (subject, message) = if number % 2 == 0 { (*text, "Message") } else { ("Subject", *text) };
        let inquiry = json!({"customerId": customer["id"], "subject": subject, "message": message, "category": "hidden"});
        let made = admin.post("/inquiries", inquiry).await.expect(201);
        all.push((id_of(&made).to_string(), [subject, message].join(" ")));
    }
    asked_everything(&cso, "/inquiries", &all).await;
    assert!(found(&cso, "/inquiries", "hidden").await.is_empty());
}

async fn what_is_found_follows_every_change(hub: &TestHub) {
    let admin = hub.admin().await;
    let customer =
        json!({"firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "company": "Engines"});
    let made = admin.post("/customers", customer).await.expect(201);
    let id = BTreeSet::from([id_of(&made).to_string()]);
    let check = async |there: &[&str], gone: &[&str]| {
        for query in there {
            assert_eq!(found(&admin, "/customers", query).await, id, "{query}");
        }
        for query in gone {
            assert!(found(&admin, "/customers", query).await.is_empty(), "{query}");
        }
    };
    check(&["ada", "byron", "engines"], &["king"]).await;
    let at = path("customers", &made);
    let replaced = json!({"firstName": "Ada", "lastName": "King", "email": "ada@example.org"});
    admin.put(&at, replaced.clone()).await.expect(200);
    check(&["ada", "king", "example.org"], &["byron", "engines", "example.com"]).await;
    admin.post(&format!("{at}/assign"), json!({"assigneeId": null})).await.expect(200);
    check(&["ada king"], &["byron"]).await;
    admin.delete(&at).await.expect(204);
    check(&[], &["ada", "king"]).await;

    let customer = hub.customer(&admin).await;
    let inquiry = json!({"customerId": customer["id"], "subject": "Late parcel", "message": "Where?"});
    let made = admin.post("/inquiries", inquiry).await.expect(201);
    admin
        .patch(&format!("{}/status", path("inquiries", &made)), json!({"status": "closed"}))
        .await
        .expect(200);
    assert_eq!(found(&admin, "/inquiries", "late where").await.len(), 1);
    let changed = json!({"subject": "Refund", "message": "Please."});
    admin.put(&path("inquiries", &made), changed).await.expect(200);
    assert_eq!(found(&admin, "/inquiries", "refund please").await.len(), 1);
    assert!(found(&admin, "/inquiries", "late").await.is_empty());
}

async fn a_long_text_is_found_by_words_from_all_over_it(hub: &TestHub) {
    let admin = hub.admin().await;
    let customer = hub.customer(&admin).await;
    let numbered: Vec<_> = (0..3_000).map(|number| format!("w{number}x")).collect();
    let endless = "q".repeat(300);
    let wide: String = "\u{1D49C}".repeat(60);
    let wide: Vec<_> = (0..800).map(|number| format!("{wide}{number}")).collect();
    let quoted = "the same again ".repeat(5_000);
    let message =
        [numbered.join(" "), endless.clone(), wide.join(" "), quoted, "omega".to_owned()].join("\n");
    let inquiry = json!({"customerId": customer["id"], "subject": "alpha", "message": message});
    let made: Value = admin.post("/inquiries", inquiry).await.expect(201);
    let id = BTreeSet::from([id_of(&made).to_string()]);
    for query in
        ["alpha omega", "w0x w1500x w2999x", &endless, &endless[..10], "again the", &wide[799], "\u{1D49C}"]
    {
        assert_eq!(found(&admin, "/inquiries", query).await, id, "{query}");
    }
    for query in ["w3000x", "w0xx", "beta"] {
        assert!(found(&admin, "/inquiries", query).await.is_empty(), "{query}");
    }
}
