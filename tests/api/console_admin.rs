//! The console's pages of administration, as a browser without a script has them.

mod audit;
mod keys;
mod letters;
mod policies;
mod users;
mod webhooks;

use reqwest::Method;
use reqwest::redirect::Policy;
use serde_json::json;

use crate::harness::{Client, PASSWORD, Reply, TestHub, on_both_engines, reply};

on_both_engines!(
    managers_look_at_users_policies_and_the_trail_and_csos_at_nothing,
    a_form_without_the_sessions_token_does_nothing,
    the_hub_tells_how_it_and_what_it_needs_fare,
    the_pages_are_there_in_german,
);

/// Someone signed in to the console.
pub struct Browser {
    client: Client,
    cookies: String,
    token: String,
}

impl Browser {
    pub async fn sign_in(hub: &TestHub, user: &Client) -> Self {
        let client = hub.anonymous();
        let form = encoded(&[("email", &user.email), ("password", PASSWORD)]);
        let request = client.raw(Method::POST, "//sign-in").header("content-type", FORM).body(form);
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let answer = http.execute(request.build().unwrap()).await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let cookies = cookie.split(';').next().unwrap().to_owned();
        assert!(cookies.starts_with("__Host-nexus="), "{cookies}");
        let mut browser = Self { client, cookies, token: String::new() };
        let page = browser.page("/account").await;
        browser.token = between(&page, "name=\"form-token\" content=\"", "\"").to_owned();
        browser
    }

    /// The same with a cookie more.
    pub fn with(&self, cookie: &str) -> Self {
        let cookies = format!("{}; {cookie}", self.cookies);
        Self { client: self.client.clone(), cookies, token: self.token.clone() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        reply(self.client.raw(Method::GET, &format!("/{path}")).header("cookie", &self.cookies)).await
    }

    /// A page that is there, whole.
    #[track_caller]
    pub fn page(&self, path: &str) -> impl Future<Output = String> {
        let asked_at = std::panic::Location::caller();
        async move {
            let answer = self.get(path).await;
            assert_eq!(answer.status, 200, "{asked_at}: {path}: {}", answer.text);
            assert!(answer.header("content-type").starts_with("text/html"), "{asked_at}: {path}");
            for inline in [" style=", "<style", "<script>", " onclick="] {
                assert!(!answer.text.contains(inline), "{asked_at}: {path} has {inline}");
            }
            answer.text
        }
    }

    pub async fn csv(&self, path: &str) -> Vec<String> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
        assert!(answer.header("content-disposition").starts_with("attachment"));
        answer.text.lines().map(str::to_owned).collect()
    }

    /// What a form sends, and the page that it leads to.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let fields: Vec<_> = fields.iter().copied().chain([("form-token", self.token.as_str())]).collect();
        self.post_as_it_is(path, &fields).await
    }

    /// Likewise, of the version that `page` was made from.
    pub async fn post_from(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        let page = self.page(page).await;
        let version = [("version", between(&page, "name=\"version\" value=\"", "\""))];
        self.post(path, &[fields, &version].concat()).await
    }

    async fn post_as_it_is(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self.client.raw(Method::POST, &format!("/{path}"));
        let request = request.header("cookie", &self.cookies).header("content-type", FORM);
        reply(request.body(encoded(fields))).await
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[track_caller]
pub fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}")).1;
    rest.split_once(end).unwrap().0
}

/// Checks the status, and that the page tells all of this.
#[track_caller]
pub fn tells(answer: &Reply, status: u16, texts: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text);
    for text in texts {
        assert!(answer.text.contains(text), "no {text} in {}", answer.text);
    }
}

async fn managers_look_at_users_policies_and_the_trail_and_csos_at_nothing(hub: &TestHub) {
    const LOOKED_AT: &[&str] = &["/users", "/users.csv", "/policies", "/audit", "/audit.csv"];
    const MANAGED: &[&str] = &[
        "/users/new",
        "/api-keys",
        "/api-keys.csv",
        "/webhooks",
        "/webhooks.csv",
        "/webhooks/new",
        "/dead-letters",
        "/dead-letters.csv",
        "/system",
    ];
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let user = format!("/users/{}", cso.id);
    let browser = Browser::sign_in(hub, &manager).await;
    for path in LOOKED_AT {
        assert_eq!(browser.get(path).await.status, 200, "{path}");
    }
    let list = browser.page("/users").await;
    assert!(list.contains(&cso.email) && !list.contains("/users/new"));
    assert!(!list.contains("href=\"/api-keys\"") && !list.contains("href=\"/system\""));
    let page = browser.page(&user).await;
    assert!(page.contains(&cso.email) && !page.contains(&format!("action=\"{user}")));
    let csos = Browser::sign_in(hub, &cso).await;
    for path in LOOKED_AT.iter().chain(MANAGED).chain([&user.as_str()]) {
        assert_eq!(csos.get(path).await.status, 403, "{path}");
    }
    for path in MANAGED {
        assert_eq!(browser.get(path).await.status, 403, "{path}");
    }

    let before = admin.get(&user).await.expect(200);
    for who in [&browser, &csos] {
        for (path, fields) in [
            (user.clone(), [("role", "admin"), ("first-name", "X")]),
            (format!("{user}/deactivate"), [("version", "1"), ("x", "")]),
            (format!("{user}/reset-second-factor"), [("version", "1"), ("x", "")]),
            ("/users".to_owned(), [("email", "new@example.com"), ("role", "admin")]),
            ("/api-keys".to_owned(), [("name", "Mine"), ("scopes", "inbound")]),
            ("/webhooks".to_owned(), [("url", "https://example.com"), ("events", "*")]),
        ] {
            assert_eq!(who.post(&path, &fields).await.status, 403, "{path}");
        }
    }
    assert_eq!(admin.get(&user).await.expect(200), before);
    for list in ["/api-keys", "/webhooks"] {
        assert_eq!(admin.get(list).await.expect(200)["meta"]["total"], 0);
    }
    assert_eq!(admin.get("/users").await.expect(200)["meta"]["total"], 3);
}

async fn a_form_without_the_sessions_token_does_nothing(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let browser = Browser::sign_in(hub, &admin).await;
    let other = Browser::sign_in(hub, &admin).await;
    let user = format!("/users/{}", cso.id);
    let before = admin.get(&user).await.expect(200);
    for token in [&[][..], &[("form-token", "made-up")], &[("form-token", other.token.as_str())]] {
        for (path, fields) in [
            ("/api-keys".to_owned(), [("name", "Mine"), ("scopes", "inbound")]),
            ("/webhooks".to_owned(), [("url", "https://example.com"), ("events", "*")]),
            (user.clone(), [("first-name", "Eve"), ("last-name", "Doe")]),
            (format!("{user}/deactivate"), [("version", "1"), ("x", "")]),
        ] {
            let answer = browser.post_as_it_is(&path, &[&fields[..], token].concat()).await;
            assert_eq!(answer.status, 403, "{path}");
        }
    }
    assert_eq!(admin.get(&user).await.expect(200), before);
    for list in ["/api-keys", "/webhooks"] {
        assert_eq!(admin.get(list).await.expect(200)["meta"]["total"], 0);
    }
}

async fn the_hub_tells_how_it_and_what_it_needs_fare(hub: &TestHub) {
    let admin = hub.admin().await;
    let inquiry = hub.inquiry(&admin).await;
    assert_eq!(inquiry["assignedTo"], json!(null));
    let page = Browser::sign_in(hub, &admin).await.page("/system").await;
    for told in
        ["Database", "Redis", "Broker", env!("CARGO_PKG_VERSION"), "Writer", "ApprovalCoordinator", "Running"]
    {
        assert!(page.contains(told), "no {told} in {page}");
    }
    // As a whole, and one by one.
    assert_eq!(page.matches("data-tone=\"up\"").count(), 5, "{page}");
    assert!(page.contains("Inquiries nobody has</th><td class=\"number\">1</td>"), "{page}");
}

async fn the_pages_are_there_in_german(hub: &TestHub) {
    let admin = hub.admin().await;
    let browser = Browser::sign_in(hub, &admin).await.with("nexus-language=de");
    for (path, told) in [
        ("/users", "Neuer Benutzer"),
        ("/users/new", "Mindestens 12 Zeichen"),
        ("/api-keys", "Es gibt keinen Schlüssel."),
        ("/webhooks", "Es gibt keinen Webhook."),
        ("/webhooks/new", "Alle Ereignisse, auch künftige"),
        ("/dead-letters", "Keine Nachricht passt."),
        ("/policies", "Es gibt keine;"),
        ("/audit", "Das Neueste zuerst"),
        ("/system", "Nachrichten in Arbeit"),
    ] {
        let page = browser.page(path).await.to_lowercase();
        assert!(page.contains(&told.to_lowercase()) && page.contains("lang=\"de\""), "{path}: {page}");
    }
    let refused = browser.post("/api-keys", &[("name", "")]).await;
    tells(&refused, 422, &["Name: muss ausgefüllt sein", "Berechtigungen: muss ausgefüllt sein"]);
}
