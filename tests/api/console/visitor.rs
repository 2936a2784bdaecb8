//! Someone at a browser without scripts.

use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder};

use crate::harness::{Client, PASSWORD, Reply, TestHub, reply, reply_by};

pub const COOKIE: &str = "__Host-nexus";

/// Signed in.
#[derive(Clone)]
pub struct Visitor {
    pub client: Client,
    /// As in the header.
    pub cookies: String,
    /// What every form carries.
    pub token: String,
}

impl Visitor {
    /// As whoever has this email.
    pub async fn sign_in(hub: &TestHub, email: &str) -> Self {
        Self::sign_in_to(hub, email, "/account").await
    }

    /// Likewise, of someone who has a form at `page`.
    pub async fn sign_in_to(hub: &TestHub, email: &str, page: &str) -> Self {
        let client = hub.anonymous();
        let form = [("email", email), ("password", PASSWORD), ("next", "/")];
        let answer = posted(&client, "//sign-in", &form, &[]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookies = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let mut visitor = Self { client, cookies, token: String::new() };
        let page = visitor.page(page).await;
        visitor.token = between(&page, "name=\"form-token\" content=\"", "\"").to_owned();
        visitor
    }

    /// The same with a cookie more.
    pub fn with(&self, cookie: &str) -> Self {
        Self { cookies: format!("{}; {cookie}", self.cookies), ..self.clone() }
    }

    /// Redirects are looked at, not followed.
    pub async fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.client.raw(Method::GET, &format!("/{path}")).header("cookie", &self.cookies);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        reply_to(request).await
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

    /// A form, with what every form carries.
    pub async fn send(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        reply_to(self.form(path, form)).await
    }

    /// Likewise, and the page that it leads to.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        reply(self.form(path, form)).await
    }

    /// Likewise, of the version that `page` was made from.
    pub async fn post_from(&self, page: &str, path: &str, form: &[(&str, &str)]) -> Reply {
        let page = self.page(page).await;
        let version = [("version", between(&page, "name=\"version\" value=\"", "\""))];
        self.post(path, &[form, &version].concat()).await
    }

    fn form(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let form: Vec<_> = form.iter().copied().chain([("form-token", self.token.as_str())]).collect();
        filled_in(&self.client, &format!("/{path}"), &form).header("cookie", &self.cookies)
    }
}

/// A form as it is.
pub async fn posted(client: &Client, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Reply {
    let mut request = filled_in(client, path, form);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    reply_to(request).await
}

fn filled_in(client: &Client, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = client.raw(Method::POST, path).body(body);
    request.header("content-type", "application/x-www-form-urlencoded")
}

/// Redirects are looked at, not followed.
pub async fn reply_to(request: RequestBuilder) -> Reply {
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    reply_by(&client, request).await
}

#[track_caller]
pub fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}")).1;
    rest.split_once(end).unwrap().0
}
