//! A browser, and what someone does with it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::PATIENCE;
use crate::harness::{PASSWORD, within};

/// Rules of WCAG 2.2 on the levels A and AA, and what axe-core takes for good practice.
const RULES: &[&str] = &["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const AXE: &str = include_str!("axe.min.js");

/// ChromeDriver on a port of its own. Killed when dropped, with the browsers that a failed test has left open.
pub struct Driver {
    process: Child,
    url: String,
}

/// How a browser is set up.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
    pub scripts: bool,
    /// Of its languages the first.
    pub language: &'static str,
}

pub const DESK: Look = Look { width: 1280, dark: false, scripts: true, language: "en-GB" };

pub struct Browser {
    pub client: fantoccini::Client,
    base: String,
    _profile: TempDir,
}

impl Driver {
    pub async fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            // With its browsers in one group, which can be ended as one.
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver is needed; scripts/test installs it: {error}"));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let port = line.split_once("started successfully on port ")?.1.trim_end_matches('.').to_owned();
            Some(port)
        });
        // What else it says must have somewhere to go, or it would wait for ever.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: format!("http://127.0.0.1:{}", port.unwrap()) }
    }

    /// A browser of its own, with nothing in it, at the hub that listens at `base`.
    pub async fn open(&self, base: &str, look: Look) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut arguments = vec![
            "--headless=new".to_owned(),
            // The tests may run as root, and load nothing but the hub's pages.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-quic".to_owned(),
            format!("--window-size={},900", look.width),
            format!("--accept-lang={}", look.language),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if look.dark {
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let scripts = if look.scripts { 1 } else { 2 };
        let mut options = json!({
            "args": arguments,
            "prefs": {
                "profile.managed_default_content_settings.javascript": scripts,
                "intl.accept_languages": look.language,
            },
        });
        if look.width < 500 {
            // Windows are never as narrow as telephones.
            options["mobileEmulation"] =
                json!({"deviceMetrics": {"width": look.width, "height": 844, "pixelRatio": 2.0}});
        }
        let capabilities =
            json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "WARNING"}});
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(serde_json::from_value(capabilities).unwrap())
            .connect(&self.url)
            .await
            .unwrap();
        Browser { client, base: base.to_owned(), _profile: profile }
    }

    /// Signed in as whoever has this email.
    pub async fn sign_in(&self, base: &str, look: Look, email: &str) -> Browser {
        self.sign_in_with(base, look, email, PASSWORD).await
    }

    pub async fn sign_in_with(&self, base: &str, look: Look, email: &str, password: &str) -> Browser {
        let browser = self.open(base, look).await;
        browser.go("/").await;
        browser.send_sign_in(email, password).await;
        browser.until_path_is_not("/sign-in").await;
        browser
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}

impl Browser {
    pub async fn close(self) {
        self.client.close().await.unwrap();
    }

    pub async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    pub async fn sign_in(&self, email: &str) {
        self.send_sign_in(email, PASSWORD).await;
        self.until_path_is_not("/sign-in").await;
    }

    pub async fn send_sign_in(&self, email: &str, password: &str) {
        self.fill("#email", email).await;
        self.fill("#password", password).await;
        // Whatever the language.
        self.click("button.primary").await;
    }

    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    #[track_caller]
    pub fn until_path_is_not(&self, path: &str) -> impl Future<Output = ()> {
        within(PATIENCE, "the page is another", async move || self.path().await != path)
    }

    #[track_caller]
    pub fn until_shown(&self, text: &str) -> impl Future<Output = ()> {
        let what = format!("the page says {text:?}");
        async move { within(PATIENCE, &what, async || self.text().await.contains(text)).await }
    }

    #[track_caller]
    pub fn until_gone(&self, text: &str) -> impl Future<Output = ()> {
        let what = format!("the page no longer says {text:?}");
        async move { within(PATIENCE, &what, async || !self.text().await.contains(text)).await }
    }

    /// All that is to be read. Empty while one page gives way to the next.
    pub async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    pub async fn find(&self, selector: &str) -> Element {
        let wait = self.client.wait().at_most(PATIENCE);
        wait.for_element(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    pub async fn has(&self, selector: &str) -> bool {
        !self.client.find_all(Locator::Css(selector)).await.unwrap().is_empty()
    }

    /// Types over what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Whatever is there, also where the page puts another in its place meanwhile.
    pub async fn click(&self, selector: &str) {
        self.click_on(Locator::Css(selector), &format!("{selector} can be clicked")).await;
    }

    /// The button with this text.
    pub async fn press(&self, label: &str) {
        let path = format!("//button[normalize-space()='{label}']");
        self.click_on(Locator::XPath(&path), &format!("{label} can be pressed")).await;
    }

    async fn click_on(&self, locator: Locator<'_>, what: &str) {
        within(PATIENCE, what, async || match self.client.find(locator).await {
            Ok(found) => found.click().await.is_ok(),
            Err(_) => false,
        })
        .await;
    }

    /// Whatever has the focus gets it.
    pub async fn type_keys(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    pub async fn tab_to(&self, is_it: impl AsyncFn(&Element) -> bool) {
        for _ in 0..60 {
            self.type_keys(&char::from(Key::Tab).to_string()).await;
            if is_it(&self.client.active_element().await.unwrap()).await {
                return;
            }
        }
        panic!("the tab key does not lead there: {}", self.text().await);
    }

    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What the browser itself has had to complain of since it was last asked: a script that failed, something that the
    /// page's policy does not allow.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.client.issue_cmd(BrowserLog).await.unwrap();
        let message = |entry: &Value| entry["message"].as_str().unwrap().to_owned();
        log.as_array().unwrap().iter().map(message).collect()
    }

    /// What axe-core finds wrong in the page as it is.
    pub async fn violations(&self) -> Vec<String> {
        self.client.execute(AXE, Vec::new()).await.unwrap();
        let script = "const [rules, done] = arguments; \
            axe.run(document, {runOnly: rules}).then(found => done(found.violations.map(one => \
            `${one.id} (${one.impact}): ${one.nodes.map(node => node.target.join(' ')).join(', ')}`)))";
        let found = self.client.execute_async(script, vec![json!(RULES)]).await.unwrap();
        serde_json::from_value(found).unwrap()
    }
}

/// ChromeDriver's own command for what is in the console of the page.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, url::ParseError> {
        base_url.join(&format!("session/{}/se/log", session_id.unwrap()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}
