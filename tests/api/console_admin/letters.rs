use serde_json::json;

use super::{Browser, tells};
use crate::dead_letters::{buried, envelope, mended};
use crate::harness::{TestHub, on_both_engines, path};

on_both_engines!(
    a_dead_letter_is_read_and_a_replay_says_why_it_is_still_refused,
    a_dead_letter_whose_cause_is_gone_is_taken_once,
);

async fn a_dead_letter_is_read_and_a_replay_says_why_it_is_still_refused(hub: &TestHub) {
    let admin = hub.admin().await;
    let browser = Browser::sign_in(hub, &admin).await;
    let letter = path("dead-letters", &buried(hub, &admin).await);
    let link = format!("href=\"{letter}\"");
    let list = browser.page("/dead-letters?status=").await;
    assert!(list.contains(&link) && list.contains("It is not JSON.") && list.contains("inquiry.email"));
    assert!(browser.page("/dead-letters?status=open").await.contains(&link));
    assert!(browser.page("/dead-letters?status=discarded").await.contains("No message matches."));
    let file = browser.csv("/dead-letters.csv?status=open").await;
    assert!(file.len() == 2 && file[1].contains("bad_json"), "{file:?}");

    let page = browser.page(&letter).await;
    for told in ["It is not JSON.", ">no JSON</pre>", "&quot;x-trace&quot;", "7 bytes", "application/json"] {
        assert!(page.contains(told), "no {told} in {page}");
    }
    let (replay, discard) = (format!("{letter}/replay"), format!("{letter}/discard"));
    tells(&browser.post(&replay, &[("version", "7")]).await, 412, &["It was changed by someone else"]);
    let refused = browser.post_from(&letter, &replay, &[]).await;
    tells(&refused, 409, &["It is still refused, and stays open:", "It is not JSON."]);
    assert_eq!(admin.get(&letter).await.expect(200)["status"], "open");

    tells(&browser.post_from(&letter, &discard, &[]).await, 200, &["It was discarded.", ">no JSON</pre>"]);
    assert_eq!(admin.get(&letter).await.expect(200)["status"], "discarded");
    assert!(!browser.page(&letter).await.contains(&format!("action=\"{replay}\"")));
    for again in [&replay, &discard] {
        tells(&browser.post(again, &[]).await, 409, &["It was discarded before; nothing is left to do."]);
    }
    assert_eq!(browser.get("/dead-letters/none").await.status, 400);
}

async fn a_dead_letter_whose_cause_is_gone_is_taken_once(hub: &TestHub) {
    let admin = hub.admin().await;
    let browser = Browser::sign_in(hub, &admin).await;
    let customer = json!({"email": "ada@example.com"});
    let body = json!({"externalId": "7", "customer": customer, "message": "<i>Where</i> is it?"}).to_string();
    let letter = path("dead-letters", &mended(hub, envelope("inquiry.email", None, body)).await);
    let page = browser.page(&letter).await;
    assert!(page.contains("&lt;i&gt;Where") && page.contains("The hub failed on it again and again."));
    let replay = format!("{letter}/replay");
    tells(&browser.post_from(&letter, &replay, &[]).await, 200, &["It was taken."]);
    let taken = admin.get("/inquiries").await.expect(200);
    assert_eq!((&taken["meta"]["total"], &taken["data"][0]["externalId"]), (&json!(1), &json!("7")));
    tells(&browser.post(&replay, &[]).await, 409, &["It was taken before; nothing is left to do."]);
}
