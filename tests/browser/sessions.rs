//! What happens to work when a session or a connection ends.

use crate::browser::{DESK, Driver};
use crate::flow::base;
use crate::harness::{Engine, Place, TestHub, eventually};
use crate::run;

#[test]
fn no_text_is_lost_by_a_reload_or_with_the_session() {
    run(Engine::Embedded, |hub, driver| Box::pin(no_text_is_lost(hub, driver)));
}

#[test]
fn a_page_catches_up_when_the_hub_is_back() {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(Engine::Embedded).await;
        let driver = Driver::start().await;
        catches_up(&place, &driver).await;
        place.remove().await;
    });
}

#[test]
fn an_inquiry_in_the_background_lets_its_connection_go() {
    run(Engine::Embedded, |hub, driver| Box::pin(lets_its_connection_go(hub, driver)));
}

#[test]
fn many_approval_queues_of_one_browser_are_live() {
    run(Engine::Embedded, |hub, driver| Box::pin(all_are_live(hub, driver)));
}

async fn lets_its_connection_go(hub: &TestHub, driver: &Driver) {
    const WATCH: &str = "window.seen = []; \
        document.addEventListener('visibilitychange', () => \
        seen.push([document.hidden, document.body.dataset.live]))";
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let inquiry = hub.inquiry(&admin).await;
    let reader = driver.sign_in(&base(hub), DESK, &cso.email).await;
    reader.go(&format!("/inquiries/{}", inquiry["id"].as_str().unwrap())).await;
    let connected = async || {
        eventually("it is connected", async || reader.has("body[data-live=on]").await).await;
    };
    connected().await;
    reader.run(WATCH).await;
    let inquiry = reader.client.window().await.unwrap();
    let other = reader.client.new_window(true).await.unwrap();
    reader.client.switch_to_window(other.handle).await.unwrap();
    reader.client.switch_to_window(inquiry).await.unwrap();
    connected().await;
    let seen = reader.run("return seen").await;
    assert_eq!(seen, serde_json::json!([[true, "off"], [false, "off"]]));
    reader.close().await;
}

/// More than a browser has connections to one host.
async fn all_are_live(hub: &TestHub, driver: &Driver) {
    const PAGES: usize = 8;
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let reviewer = driver.sign_in(&base(hub), DESK, &manager.email).await;
    for page in 0..PAGES {
        if page > 0 {
            let tab = reviewer.client.new_window(true).await.unwrap();
            reviewer.client.switch_to_window(tab.handle).await.unwrap();
            reviewer.go("/approvals").await;
        }
        eventually("it is connected", async || reviewer.has("body[data-live=on]").await).await;
        reviewer
            .run(&format!(
                "const tell = () => localStorage['tab-{page}'] = document.title; tell(); \
                new MutationObserver(tell).observe(document.querySelector('title'), {{childList: true}})"
            ))
            .await;
    }
    let draft = hub.draft(&cso, &admin).await;
    cso.act(&format!("{}/submit", crate::harness::path("responses", &draft))).await.expect(200);
    eventually("every title has the number", async || {
        let titles = "return Object.keys(localStorage).filter(key => key.startsWith('tab-')) \
            .filter(key => localStorage[key].startsWith('(1) ')).length";
        reviewer.run(titles).await == PAGES
    })
    .await;
    reviewer.close().await;
}

async fn no_text_is_lost(hub: &TestHub, driver: &Driver) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let inquiry = hub.inquiry(&admin).await;
    let page = format!("/inquiries/{}", inquiry["id"].as_str().unwrap());
    let author = driver.sign_in(&base(hub), DESK, &cso.email).await;
    author.go(&page).await;
    author.fill("#message", "Kept by the hub.").await;
    author.until_shown("Saved").await;
    author.client.refresh().await.unwrap();
    let text = async || author.find("#message").await.prop("value").await.unwrap().unwrap();
    assert_eq!(text().await, "Kept by the hub.");

    // Every session of theirs ends, and they go on typing.
    cso.post("/auth/logout", serde_json::json!({"all": true})).await;
    author.fill("#message", "Kept by the browser.").await;
    author.until_shown("Your session has ended").await;
    author.go(&page).await;
    author.sign_in(&cso.email).await;
    assert_eq!(author.path().await, page, "back where they were");
    assert_eq!(text().await, "Kept by the browser.");
    author.until_shown("this browser had kept").await;
    author.until_shown("Saved").await;

    // With the button, the text goes along through the sign-in.
    let signed = hub.sign_in(&cso.email, crate::harness::PASSWORD).await;
    signed.post("/auth/logout", serde_json::json!({"all": true})).await;
    author.run("localStorage.clear()").await;
    author.fill("#message", "Carried along.").await;
    author.run("localStorage.clear()").await;
    author.press("Save draft").await;
    author.until_shown("What you have written is kept").await;
    author.send_sign_in(&cso.email, crate::harness::PASSWORD).await;
    author.until_shown("Here is your text").await;
    author.press("Save").await;
    author.until_shown("Saved.").await;
    assert_eq!(text().await, "Carried along.");
    author.close().await;
}

async fn catches_up(place: &Place, driver: &Driver) {
    let hub = TestHub::start(place, &[]).await;
    let port = hub.app.address.port().to_string();
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let reviewer = driver.sign_in(&base(&hub), DESK, &manager.email).await;
    reviewer.until_shown("Nothing waits").await;
    eventually("it is connected", async || reviewer.has("body[data-live=on]").await).await;
    hub.stop().await;
    reviewer.until_shown("The live connection is lost").await;

    let hub = TestHub::start(place, &[("PORT", &port)]).await;
    let (admin, cso) = (
        hub.sign_in(&admin.email, crate::harness::PASSWORD).await,
        hub.sign_in(&cso.email, crate::harness::PASSWORD).await,
    );
    let draft = hub.draft(&cso, &admin).await;
    cso.act(&format!("{}/submit", crate::harness::path("responses", &draft))).await.expect(200);
    reviewer.until_shown("1 reply waits").await;
    reviewer.close().await;
    hub.stop().await;
}
