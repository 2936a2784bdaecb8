//! Every page, for everyone who has it: nothing that axe-core finds wrong, nothing wider than the window, nothing that the
//! page's own policy had to stop.

use serde_json::json;

use crate::browser::{Browser, DESK, Driver, Look};
use crate::flow::base;
use crate::harness::{Engine, TestHub, id_of};
use crate::run;

const TELEPHONE: u32 = 390;

#[test]
fn pages_are_accessible_at_a_desk() {
    run(Engine::Embedded, |hub, driver| Box::pin(accessible(hub, driver, DESK)));
}

#[test]
fn pages_are_accessible_at_a_desk_in_the_dark() {
    run(Engine::Embedded, |hub, driver| Box::pin(accessible(hub, driver, Look { dark: true, ..DESK })));
}

#[test]
fn pages_are_accessible_on_a_telephone() {
    let look = Look { width: TELEPHONE, language: "de-DE", ..DESK };
    run(Engine::Embedded, move |hub, driver| Box::pin(accessible(hub, driver, look)));
}

async fn accessible(hub: &TestHub, driver: &Driver, look: Look) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let draft = hub.draft(&cso, &admin).await;
    let reply = format!("/responses/{}", id_of(&draft));
    cso.act(&format!("{reply}/submit")).await.expect(200);
    manager.post(&format!("{reply}/reject"), json!({"notes": "Which one?"})).await.expect(200);
    cso.put(&reply, json!({"message": "It ships on Monday."})).await.expect(200);
    cso.act(&format!("{reply}/submit")).await.expect(200);
    let inquiry = format!("/inquiries/{}", draft["inquiryId"].as_str().unwrap());
    let customer = admin.get(&inquiry).await.expect(200)["customerId"].as_str().unwrap().to_owned();

    let browser = driver.open(&base(hub), look).await;
    let mut wrong = Vec::new();
    browser.go("/sign-in").await;
    look_at(&browser, "/sign-in", &mut wrong).await;
    browser.close().await;
    for person in [&cso, &manager, &admin] {
        let browser = driver.sign_in(&base(hub), look, &person.email).await;
        let mut pages = links(&browser, "nav.places a").await;
        assert!(pages.len() >= 5, "{pages:?}");
        pages.extend([inquiry.clone(), "/account".to_owned(), "/nowhere".to_owned()]);
        if person.id != cso.id {
            pages.push(reply.replace("/responses", "/approvals"));
            pages.push(format!("/customers/{customer}"));
        }
        for page in pages {
            browser.go(&page).await;
            look_at(&browser, &format!("{}: {page}", person.email), &mut wrong).await;
        }
        browser.close().await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn links(browser: &Browser, selector: &str) -> Vec<String> {
    browser.find(selector).await;
    let script =
        format!("return [...document.querySelectorAll({selector:?})].map(link => link.getAttribute('href'))");
    serde_json::from_value(browser.run(&script).await).unwrap()
}

async fn look_at(browser: &Browser, page: &str, wrong: &mut Vec<String>) {
    wrong.extend(browser.violations().await.into_iter().map(|violation| format!("{page}: {violation}")));
    let over = browser.run("return document.documentElement.scrollWidth - innerWidth").await;
    if over.as_i64().is_some_and(|over| over > 0) {
        wrong.push(format!("{page} is {over} px too wide"));
    }
    // A page that is not there is asked for on purpose.
    let complaints = browser.complaints().await.into_iter().filter(|text| !text.contains("status of 404"));
    wrong.extend(complaints.map(|text| format!("{page}: {text}")));
}
