//! Which URLs may be called at all. What a name resolves to is checked again with each call, as it may change.

use url::Url;

use super::address::is_private;
use crate::domain::Checks;

/// In bytes.
const MAX_URL: usize = 2_000;

#[derive(Clone, Copy, Debug)]
pub struct UrlRule {
    /// Whether addresses that are not of the public Internet may be called: the hub's own network.
    pub allow_private: bool,
    pub require_https: bool,
}

impl UrlRule {
    /// The URL as it is called, with what is wrong with it noted under `/url`.
    pub fn check(self, checks: &mut Checks, text: &str) -> String {
        match self.parse(text) {
            Ok(url) => url.into(),
            Err(problem) => {
                checks.fail("/url", "invalid_url", problem);
                text.to_owned()
            }
        }
    }

    fn parse(self, text: &str) -> Result<Url, &'static str> {
        const FORM: &str = "must be a URL such as https://example.com/hooks/nexus";
        if text.len() > MAX_URL {
            return Err("must not exceed 2000 bytes");
        }
        let url = Url::parse(text).map_err(|_| FORM)?;
        match url.scheme() {
            "https" => {}
            "http" if !self.require_https => {}
            "http" => return Err("must begin with https://"),
            _ => return Err(FORM),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not have a user or password in it");
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment");
        }
        let host = url.host().ok_or(FORM)?;
        if !self.allow_private && is_private(&host) {
            return Err("must not name a private address");
        }
        Ok(url)
    }
}
