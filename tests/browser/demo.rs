//! What a new user sees: the demo's data, a manager, an approval. The README's pictures are of this; they are taken anew
//! where `UPDATE_SCREENSHOTS` is set.

use std::path::Path;

use crate::browser::{Browser, DESK, Driver, Look};
use crate::harness::Engine;
use crate::hub::{self, Hub, printed, word_after};
use crate::run;

/// Bytes of a page with everything it loads, before compression.
const MOST: f64 = 100.0 * 1024.0;

#[test]
fn a_new_user_decides_on_a_reply_of_the_demo() {
    // The hub of the harness is not asked here; the demo's is the binary's.
    run(Engine::Embedded, |_, driver| Box::pin(decides_on_a_reply(driver)));
}

async fn decides_on_a_reply(driver: &Driver) {
    let directory = tempfile::tempdir().unwrap();
    let loaded = printed(&hub::run(directory.path(), &[], &["demo"], ""));
    let password = word_after(&loaded, "with the password ").unwrap();
    let manager = email_of(&loaded, "manager");
    let hub = Hub::ready(directory.path(), &[]).await;
    // Whoever has a rejected reply: that depends on the hour.
    let (admin, _) = hub.sign_in(&email_of(&loaded, "admin"), &password).await;
    let rejected = admin.get("/responses?status=rejected").await.expect(200);
    let author = rejected["data"][0]["respondedBy"].as_str().unwrap();
    let author = admin.get(&format!("/users/{author}")).await.expect(200);
    let cso = author["email"].as_str().unwrap();

    let browser = driver.sign_in_with(&hub.address, DESK, &manager, &password).await;
    browser.until_shown("8 replies wait").await;
    browser.until_shown("Exact text").await;
    picture(&browser, "approvals").await;
    browser.press("Approve and send").await;
    browser.until_shown("Approved. It is on its way").await;
    browser.until_shown("7 replies wait").await;
    for page in [
        "/approvals",
        "/inquiries",
        "/replies",
        "/customers",
        "/team",
        "/dashboard",
        "/users",
        "/audit",
        "/account",
    ] {
        browser.go(page).await;
        let bytes = loaded_bytes(&browser).await;
        assert!(bytes < MOST, "{page} takes {bytes} bytes");
    }
    browser.go("/dashboard").await;
    // With its charts.
    browser.client.set_window_size(DESK.width, 1500).await.unwrap();
    picture(&browser, "dashboard").await;
    browser.close().await;

    let browser = driver.sign_in_with(&hub.address, Look { dark: true, ..DESK }, cso, &password).await;
    browser.until_shown("Waiting for an answer").await;
    picture(&browser, "queue-dark").await;
    browser.click("main .list a").await;
    browser.until_shown("The reviewer says").await;
    picture(&browser, "inquiry-dark").await;
    browser.close().await;

    let telephone = Look { width: 390, ..DESK };
    let browser = driver.sign_in_with(&hub.address, telephone, &manager, &password).await;
    browser.until_shown("7 replies wait").await;
    picture(&browser, "approvals-telephone").await;
    browser.close().await;
}

/// As the demo lists its people.
fn email_of(loaded: &str, who: &str) -> String {
    let line = loaded.lines().find(|line| line.trim_start().starts_with(who)).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

async fn loaded_bytes(browser: &Browser) -> f64 {
    let script = "return performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource')) \
        .reduce((sum, one) => sum + one.decodedBodySize, 0)";
    browser.run(script).await.as_f64().unwrap()
}

async fn picture(browser: &Browser, name: &str) {
    let taken = browser.client.screenshot().await.unwrap();
    assert!(taken.len() > 10_000, "there is nothing on {name}");
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/console").join(format!("{name}.png"));
        std::fs::write(file, taken).unwrap();
    }
}
