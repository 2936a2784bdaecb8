//! `[smtp]`: which server takes the mail, and on whose behalf.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use nexus_actors::domain::text::single_line;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::{Host, Url};

use crate::settings::{BadSetting, duration};

/// Two of them, and the wait for a free connection, must fit into the time for which a delivery is claimed.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    pub url: String,
    pub from: String,
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

// The URL has the password in it.
impl fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("from", &self.from)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Settings that make sense.
#[derive(Clone, Debug)]
pub(super) struct Smtp {
    pub server: Server,
    pub from: Mailbox,
    pub timeout: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub credentials: Option<Credentials>,
}

impl SmtpSettings {
    /// # Errors
    /// The first setting that cannot be used.
    pub fn check(&self) -> Result<(), BadSetting> {
        self.parse().map(drop)
    }

    /// The host of the mail server, and whether mail goes there by TLS alone, its certificate verified.
    pub(crate) fn server(&self) -> Option<(String, bool)> {
        let Server { host, tls, .. } = self.parse().ok()??.server;
        Some((host, matches!(tls, Tls::Wrapper(_) | Tls::Required(_))))
    }

    /// `None` without a URL: then somebody else sends the mail.
    pub(super) fn parse(&self) -> Result<Option<Smtp>, BadSetting> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let refuse = |setting, problem: &str| BadSetting { setting, problem: problem.to_owned() };
        let server = Server::parse(&self.url).map_err(|problem| refuse("SMTP_URL", &problem))?;
        if self.from.is_empty() {
            return Err(refuse("SMTP_FROM", "is missing, while SMTP_URL is set"));
        }
        let from = sender(&self.from).ok_or_else(|| {
            refuse("SMTP_FROM", "must be a mailbox such as Customer Support <support@example.com>")
        })?;
        if !(Duration::from_secs(1)..=LONGEST_TIMEOUT).contains(&self.timeout) {
            return Err(refuse("NEXUS__SMTP__TIMEOUT", "must be from 1s to 30s"));
        }
        Ok(Some(Smtp { server, from, timeout: self.timeout }))
    }
}

impl Server {
    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
        let implicit_tls = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err("must begin with smtp:// or smtps://".to_owned()),
        };
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err("must name a host".to_owned()),
        };
        if !["", "/"].contains(&url.path()) || url.fragment().is_some() {
            return Err("must have nothing behind the port but ?tls=".to_owned());
        }
        let mut tls = "opportunistic".to_owned();
        for (name, value) in url.query_pairs() {
            if name != "tls" || implicit_tls {
                return Err(format!("has a parameter {name:?} that means nothing"));
            }
            tls = value.into_owned();
        }
        let parameters =
            || TlsParameters::new(host.clone()).map_err(|error| format!("TLS cannot be set up: {error}"));
        let (tls, usual_port) = match (implicit_tls, tls.as_str()) {
            (true, _) => (Tls::Wrapper(parameters()?), 465),
            (false, "required") => (Tls::Required(parameters()?), 587),
            (false, "opportunistic") => (Tls::Opportunistic(parameters()?), 25),
            (false, "none") => (Tls::None, 25),
            (false, _) => return Err("must have required, opportunistic or none as tls".to_owned()),
        };
        let credentials = credentials(&url)?;
        Ok(Self { port: url.port().unwrap_or(usual_port), tls, credentials, host })
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, String> {
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(String::from).map_err(|_| "has a user or password that is no UTF-8".to_owned())
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err("has a password but no user".to_owned()),
        (_, None) => Err("has a user but no password".to_owned()),
        (user, Some(password)) => Ok(Some(Credentials::new(decode(user)?, decode(password)?))),
    }
}

/// The mailbox all mail comes from, its domain as DNS knows it.
fn sender(text: &str) -> Option<Mailbox> {
    let given = Mailbox::from_str(text).ok()?;
    let name = given.name.as_deref().map(single_line).filter(|name| !name.is_empty());
    let mailbox = Mailbox::new(name, in_ascii(given.email.as_ref())?);
    // Lettre reads the header that it has written once more, so it must be able to.
    (mailbox.email.user().is_ascii() && Mailbox::from_str(&mailbox.to_string()).is_ok()).then_some(mailbox)
}

/// An address whose domain is written in ASCII, as DNS has it; mail servers need to know nothing of Unicode then.
/// The part before the `@` is left alone: what it means is up to its server.
pub(super) fn in_ascii(address: &str) -> Option<Address> {
    if address.chars().any(char::is_control) {
        return None;
    }
    let (user, domain) = address.rsplit_once('@')?;
    if domain.is_ascii() {
        return Address::new(user, domain).ok();
    }
    match Host::parse(domain).ok()? {
        Host::Domain(domain) => Address::new(user, domain).ok(),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
