use serde_json::json;

use super::tells;
use crate::console::visitor::Visitor;
use crate::dead_letters::{buried, envelope, mended};
use crate::harness::{TestHub, on_both_engines, path};

on_both_engines!(
    a_dead_letter_is_read_and_a_replay_says_why_it_is_still_refused,
    a_dead_letter_whose_cause_is_gone_is_taken_once,
);

async fn a_dead_letter_is_read_and_a_replay_says_why_it_is_still_refused(hub: &TestHub) {
    let admin = hub.admin().await;
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let letter = path("dead-letters", &buried(hub, &admin).await);
    let link = format!("href=\"{letter}\"");
    let list = visitor.page("/dead-letters?status=").await;
    assert!(list.contains(&link) && list.contains("It is not JSON.") && list.contains("inquiry.email"));
    assert!(visitor.page("/dead-letters?status=open").await.contains(&link));
    assert!(visitor.page("/dead-letters?status=discarded").await.contains("No message matches."));
    let file = visitor.csv("/dead-letters.csv?status=open").await;
    assert!(file.len() == 2 && file[1].contains("bad_json"), "{file:?}");

    let page = visitor.page(&letter).await;
    for told in ["It is not JSON.", ">no JSON</pre>", "&quot;x-trace&quot;", "7 bytes", "application/json"] {
        assert!(page.contains(told), "no {told} in {page}");
    }
    let (replay, discard) = (format!("{letter}/replay"), format!("{letter}/discard"));
    tells(&visitor.post(&replay, &[("version", "7")]).await, 412, &["It was changed by someone else"]);
    let refused = visitor.post_from(&letter, &replay, &[]).await;
    tells(&refused, 409, &["It is still refused, and stays open:", "It is not JSON."]);
    assert_eq!(admin.get(&letter).await.expect(200)["status"], "open");

    tells(&visitor.post_from(&letter, &discard, &[]).await, 200, &["It was discarded.", ">no JSON</pre>"]);
    assert_eq!(admin.get(&letter).await.expect(200)["status"], "discarded");
    assert!(!visitor.page(&letter).await.contains(&format!("action=\"{replay}\"")));
    for again in [&replay, &discard] {
        tells(&visitor.post(again, &[]).await, 409, &["It was discarded before; nothing is left to do."]);
    }
    assert_eq!(visitor.get("/dead-letters/none").await.status, 400);
}

async fn a_dead_letter_whose_cause_is_gone_is_taken_once(hub: &TestHub) {
    let admin = hub.admin().await;
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let customer = json!({"email": "ada@example.com"});
    let body = json!({"externalId": "7", "customer": customer, "message": "<i>Where</i> is it?"}).to_string();
    let letter = path("dead-letters", &mended(hub, envelope("inquiry.email", None, body)).await);
    let page = visitor.page(&letter).await;
    assert!(page.contains("&lt;i&gt;Where") && page.contains("The hub failed on it again and again."));
    let replay = format!("{letter}/replay");
    tells(&visitor.post_from(&letter, &replay, &[]).await, 200, &["It was taken."]);
    let taken = admin.get("/inquiries").await.expect(200);
    assert_eq!((&taken["meta"]["total"], &taken["data"][0]["externalId"]), (&json!(1), &json!("7")));
    tells(&visitor.post(&replay, &[]).await, 409, &["It was taken before; nothing is left to do."]);
}
