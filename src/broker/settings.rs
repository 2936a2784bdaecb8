//! `[broker]`: where RabbitMQ is, and how it is used.

use std::fmt;
use std::time::Duration;

use nexus_actors::domain::inquiry::is_channel;
use serde::Deserialize;

use super::address::Address;
use crate::http::listed;
use crate::settings::{BadSetting, duration};

const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);
/// RabbitMQ's names have at most 255 bytes, with the rest of the name behind the prefix.
const MAX_PREFIX: usize = 100;
const MAX_BATCH: usize = 1000;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// Empty: the twin in this process.
    pub url: String,
    pub prefix: String,
    /// Separated by commas.
    pub channels: String,
    pub prefetch: u16,
    pub batch: usize,
    #[serde(deserialize_with = "duration")]
    pub confirm_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
}

// The URL has the password in it.
impl fmt::Debug for BrokerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerSettings")
            .field("prefix", &self.prefix)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

impl BrokerSettings {
    /// The channels whose replies have a queue.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        listed(&self.channels)
    }

    pub(super) fn address(&self) -> Result<Address, BadSetting> {
        Address::parse(&self.url).map_err(|problem| refuse("AMQP_URL", problem))
    }

    /// # Errors
    /// The first setting that cannot be used.
    pub fn check(&self, production: bool) -> Result<(), BadSetting> {
        if !self.url.is_empty() && self.address()?.user() == "guest" && production {
            return Err(refuse("AMQP_URL", "must name a user other than guest in production"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if !(1..=MAX_PREFIX).contains(&self.prefix.len()) || !self.prefix.chars().all(allowed) {
            let problem = format!("must be 1 to {MAX_PREFIX} of the characters a-z A-Z 0-9 - _ . :");
            return Err(refuse("NEXUS__BROKER__PREFIX", problem));
        }
        if let Some(channel) = self.channels().find(|channel| !is_channel(channel)) {
            let problem = format!("{channel:?} is no channel: they match [a-z][a-z0-9_-]{{0,31}}");
            return Err(refuse("NEXUS__BROKER__CHANNELS", problem));
        }
        if self.prefetch == 0 {
            return Err(refuse("NEXUS__BROKER__PREFETCH", "must be at least 1"));
        }
        if !(1..=MAX_BATCH).contains(&self.batch) {
            return Err(refuse("NEXUS__BROKER__BATCH", format!("must be 1 to {MAX_BATCH}")));
        }
        for (setting, limit) in [
            ("NEXUS__BROKER__CONFIRM_TIMEOUT", self.confirm_timeout),
            ("NEXUS__BROKER__CONNECT_TIMEOUT", self.connect_timeout),
        ] {
            if limit.is_zero() {
                return Err(refuse(setting, "must be longer than nothing"));
            }
            // A hub has so long before another one takes over what it is handing over.
            if limit > LONGEST_TIMEOUT {
                return Err(refuse(setting, "must be at most 10s"));
            }
        }
        Ok(())
    }
}

fn refuse(setting: &'static str, problem: impl Into<String>) -> BadSetting {
    BadSetting { setting, problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::Settings;

    const SECRETS: [(&str, &str); 3] = [
        ("APP_ENV", "production"),
        ("JWT_SECRET", "0123456789-0123456789-0123456789-access"),
        ("JWT_REFRESH_SECRET", "0123456789-0123456789-0123456789-refresh"),
    ];

    fn load(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(Path::new("config"), variables).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_is_the_twin() {
        let settings = load(&[]).unwrap();
        assert!(!settings.uses_rabbitmq());
        assert_eq!(settings.broker.prefix, "nexus");
        assert_eq!(settings.broker.channels().collect::<Vec<_>>(), ["email", "chat"]);
        assert_eq!((settings.broker.prefetch, settings.broker.batch), (500, 250));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (name, value) in [
            ("AMQP_URL", "http://localhost"),
            ("AMQP_URL", "amqp://localhost:many"),
            ("NEXUS__BROKER__PREFIX", "two words"),
            ("NEXUS__BROKER__CHANNELS", "email, E-Mail"),
            ("NEXUS__BROKER__PREFETCH", "0"),
            ("NEXUS__BROKER__PREFETCH", "70000"),
            ("NEXUS__BROKER__BATCH", "0"),
            ("NEXUS__BROKER__CONFIRM_TIMEOUT", "0"),
            ("NEXUS__BROKER__CONFIRM_TIMEOUT", "11s"),
            ("NEXUS__BROKER__CONNECT_TIMEOUT", "soon"),
        ] {
            let refused = load(&[(name, value)]).unwrap_err().to_lowercase();
            let setting = name.to_lowercase().replace("nexus__", "").replace("__", ".");
            assert!(
                refused.contains(&name.to_lowercase()) || refused.contains(&setting),
                "{name}={value}: {refused}"
            );
        }
    }

    #[test]
    fn production_refuses_guest_and_no_refusal_shows_a_password() {
        for url in ["amqp://guest:s3cret@mq", "amqp://mq"] {
            let refused = load(&[&SECRETS[..], &[("AMQP_URL", url)]].concat()).unwrap_err();
            assert!(refused.contains("AMQP_URL") && refused.contains("guest"), "{refused}");
            assert!(!refused.contains("s3cret"), "{refused}");
        }
        let settings = load(&[&SECRETS[..], &[("AMQP_URL", "amqps://hub:s3cret@mq")]].concat()).unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert!(load(&[("AMQP_URL", "amqp://guest:guest@mq")]).is_ok(), "outside production");
    }
}
