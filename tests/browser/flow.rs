//! A reply's way through the console, with everybody at their own browser.

use serde_json::json;

use crate::browser::{Browser, DESK, Driver, Look};
use crate::harness::{Client, Engine, TestHub, eventually, id_of};
use crate::run;

#[test]
fn a_reply_is_written_approved_and_sent_embedded() {
    run(Engine::Embedded, |hub, driver| Box::pin(written_approved_and_sent(hub, driver)));
}

#[test]
fn a_reply_is_written_approved_and_sent_full() {
    run(Engine::Full, |hub, driver| Box::pin(written_approved_and_sent(hub, driver)));
}

#[test]
fn of_two_managers_one_decides_and_the_other_is_told() {
    run(Engine::Full, |hub, driver| Box::pin(one_decides_and_the_other_is_told(hub, driver)));
}

#[test]
fn a_rejected_reply_comes_back_with_notes_and_its_changes_are_shown() {
    run(Engine::Embedded, |hub, driver| Box::pin(comes_back(hub, driver)));
}

#[test]
fn it_all_works_without_scripts() {
    run(Engine::Embedded, |hub, driver| Box::pin(without_scripts(hub, driver)));
}

#[test]
fn it_all_works_by_keyboard() {
    run(Engine::Embedded, |hub, driver| Box::pin(by_keyboard(hub, driver)));
}

/// Where the hub of a test is.
pub fn base(hub: &TestHub) -> String {
    format!("http://{}", hub.app.address)
}

/// Of `author`, waiting for a decision.
async fn submitted(hub: &TestHub, author: &Client, admin: &Client, message: &str) -> String {
    let inquiry = hub.inquiry(admin).await;
    let draft = json!({"inquiryId": inquiry["id"], "message": message});
    let draft = author.post("/responses", draft).await.expect(201);
    let path = format!("/responses/{}", id_of(&draft));
    author.act(&format!("{path}/submit")).await.expect(200);
    path
}

async fn written_approved_and_sent(hub: &TestHub, driver: &Driver) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let (one, two) = (hub.manager().await, hub.manager().await);
    let base = base(hub);
    let author = driver.sign_in(&base, DESK, &cso.email).await;
    let first = driver.sign_in(&base, DESK, &one.email).await;
    let second = driver.sign_in(&base, DESK, &two.email).await;
    first.until_shown("Nothing waits for your decision").await;

    author.until_shown("Nothing waits for you").await;
    hub.inquiry(&admin).await;
    // By itself.
    author.until_shown("Where is my order?").await;
    author.click("main table a").await;
    author.until_shown("It is late.").await;
    author.fill("#message", "It ships <b>tomorrow</b>.").await;
    author.until_shown("Saved").await;
    author.press("Submit for approval").await;
    author.until_shown("Submitted. A manager decides next.").await;

    for manager in [&first, &second] {
        manager.until_shown("1 reply waits").await;
        eventually("the number is in the title", async || {
            manager.client.title().await.unwrap().starts_with("(1) ")
        })
        .await;
    }
    first.click("[data-walk] a").await;
    first.until_shown("Exact text, revision 1").await;
    assert_eq!(first.find(".exact").await.text().await.unwrap(), "It ships <b>tomorrow</b>.");
    first.press("Approve and send").await;
    first.until_shown("Approved. It is on its way").await;
    second.until_shown("Nothing waits").await;
    author.until_shown("One of your replies was approved.").await;
    let found = cso.get("/responses").await.expect(200);
    assert_eq!(found["data"][0]["status"], "approved");
    assert_eq!(found["data"][0]["message"], "It ships <b>tomorrow</b>.");
    assert_eq!(found["meta"]["total"], 1, "what is saved again and again is one draft");
    for browser in [author, first, second] {
        browser.close().await;
    }
}

async fn one_decides_and_the_other_is_told(hub: &TestHub, driver: &Driver) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let (one, two) = (hub.manager().await, hub.manager().await);
    let path = submitted(hub, &cso, &admin, "It ships tomorrow.").await;
    let page = path.replace("/responses", "/approvals");
    let base = base(hub);
    let first = driver.sign_in(&base, DESK, &one.email).await;
    let second = driver.sign_in(&base, DESK, &two.email).await;
    for manager in [&first, &second] {
        manager.go(&page).await;
        manager.until_shown("Exact text, revision 1").await;
    }
    futures_util::join!(first.press("Approve and send"), second.press("Approve and send"));
    let said = async |manager: &Browser| {
        let mut text = String::new();
        eventually("it is said what came of it", async || {
            text = manager.text().await;
            text.contains("Approved. It is on its way") || text.contains("Your decision was not taken")
        })
        .await;
        text.contains("Approved. It is on its way")
    };
    assert!(said(&first).await != said(&second).await, "one of the two decides");

    // And of an older text nobody decides.
    let path = submitted(hub, &cso, &admin, "It ships on Monday.").await;
    first.go(&path.replace("/responses", "/approvals")).await;
    first.until_shown("It ships on Monday.").await;
    cso.act(&format!("{path}/withdraw")).await.expect(200);
    cso.put(&path, json!({"message": "It ships on Tuesday."})).await.expect(200);
    cso.act(&format!("{path}/submit")).await.expect(200);
    first.press("Approve and send").await;
    first.until_shown("The text has changed since you opened it").await;
    first.until_shown("It ships on Tuesday.").await;
    assert_eq!(admin.get(&path).await.expect(200)["status"], "pending_approval");
    first.close().await;
    second.close().await;
}

async fn comes_back(hub: &TestHub, driver: &Driver) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    submitted(hub, &cso, &admin, "It ships on Monday.").await;
    let base = base(hub);
    let author = driver.sign_in(&base, DESK, &cso.email).await;
    let reviewer = driver.sign_in(&base, DESK, &manager.email).await;
    reviewer.until_shown("It ships on Monday.").await;
    reviewer.fill("#notes", "Say which Monday.").await;
    reviewer.press("Reject").await;
    reviewer.until_shown("Rejected. The author sees your notes.").await;

    author.until_shown("Came back to you").await;
    author.click("main .list a").await;
    author.until_shown("Say which Monday.").await;
    author.fill("#message", "It ships on Monday, 7 June.").await;
    author.press("Submit for approval").await;
    author.until_shown("Submitted.").await;

    reviewer.until_shown("1 reply waits").await;
    reviewer.go("/approvals").await;
    reviewer.until_shown("What has changed since revision 1 was rejected").await;
    let added = reviewer.find("ins").await.text().await.unwrap();
    assert!(added.contains("7 June"), "{added}");
    author.close().await;
    reviewer.close().await;
}

async fn without_scripts(hub: &TestHub, driver: &Driver) {
    let look = Look { scripts: false, ..DESK };
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    hub.inquiry(&admin).await;
    let base = base(hub);
    let author = driver.sign_in(&base, look, &cso.email).await;
    author.click("main table a").await;
    author.fill("#message", "It ships tomorrow.").await;
    author.press("Save draft").await;
    author.until_shown("Saved.").await;
    author.press("Submit for approval").await;
    author.until_shown("Submitted. A manager decides next.").await;
    author.press("Withdraw").await;
    author.until_shown("Withdrawn.").await;
    author.press("Submit for approval").await;
    author.until_shown("Submitted.").await;
    let reviewer = driver.sign_in(&base, look, &manager.email).await;
    reviewer.until_shown("It ships tomorrow.").await;
    reviewer.press("Approve and send").await;
    reviewer.until_shown("Approved.").await;
    reviewer.press("Sign out").await;
    reviewer.until_shown("Sign in").await;
    assert_eq!(cso.get("/responses").await.expect(200)["data"][0]["status"], "approved");
    author.close().await;
    reviewer.close().await;
}

async fn by_keyboard(hub: &TestHub, driver: &Driver) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for message in ["The first.", "The second.", "The third."] {
        submitted(hub, &cso, &admin, message).await;
    }
    let reviewer = driver.open(&base(hub), DESK).await;
    reviewer.go("/").await;
    // The first field has the focus.
    reviewer.type_keys(&manager.email).await;
    reviewer.type_keys("\u{e004}").await;
    reviewer.type_keys(crate::harness::PASSWORD).await;
    reviewer.type_keys("\u{e007}").await;
    reviewer.until_shown("The first.").await;

    reviewer.type_keys("?").await;
    reviewer.until_shown("Next in the list").await;
    reviewer.type_keys("\u{e00c}").await;
    reviewer.until_gone("Next in the list").await;
    let exact = async |text: &str| {
        eventually("the text is shown", async || {
            match reviewer.client.find(fantoccini::Locator::Css(".exact")).await {
                Ok(shown) => shown.text().await.is_ok_and(|shown| shown == text),
                Err(_) => false,
            }
        })
        .await;
    };
    reviewer.type_keys("j").await;
    exact("The second.").await;
    reviewer.type_keys("j").await;
    exact("The third.").await;
    reviewer.type_keys("k").await;
    exact("The second.").await;
    reviewer.type_keys("a").await;
    reviewer.until_shown("Approved.").await;
    exact("The first.").await;
    reviewer.type_keys("r").await;
    reviewer.type_keys("a j is a letter here").await;
    reviewer.tab_to(async |at| at.text().await.unwrap() == "Reject").await;
    reviewer.type_keys("\u{e007}").await;
    reviewer.until_shown("Rejected.").await;
    exact("The third.").await;
    let found = cso.get("/responses?sortOrder=asc").await.expect(200);
    let outcomes: Vec<_> =
        found["data"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["rejected", "approved", "pending_approval"]);
    reviewer.close().await;
}
