//! `[webhooks]`: who may be called, how patiently, and for how long in vain.

use std::time::Duration;

use nexus_actors::domain::delivery::RetryRule;
use nexus_actors::domain::webhook::{UrlRule, WebhookRule};
use serde::Deserialize;

use crate::settings::{BadSetting, duration};

/// It must fit into the time for which a message is claimed.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    pub allow_private: bool,
    pub require_https: bool,
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub backoff: Duration,
    #[serde(deserialize_with = "duration")]
    pub backoff_cap: Duration,
    pub max_attempts: u32,
    #[serde(deserialize_with = "duration")]
    pub disable_after: Duration,
}

impl WebhookSettings {
    /// # Errors
    /// The first setting that cannot be used.
    pub fn check(&self) -> Result<(), BadSetting> {
        let refuse = |setting, problem: &str| Err(BadSetting { setting, problem: problem.to_owned() });
        if !(Duration::from_secs(1)..=LONGEST_TIMEOUT).contains(&self.timeout) {
            return refuse("NEXUS__WEBHOOKS__TIMEOUT", "must be from 1s to 1m");
        }
        if self.max_attempts == 0 {
            return refuse("NEXUS__WEBHOOKS__MAX_ATTEMPTS", "must be at least 1");
        }
        Ok(())
    }

    pub fn url_rule(&self) -> UrlRule {
        UrlRule { allow_private: self.allow_private, require_https: self.require_https }
    }

    pub fn rule(&self) -> WebhookRule {
        let retry = RetryRule {
            backoff: self.backoff,
            backoff_cap: self.backoff_cap,
            max_attempts: i64::from(self.max_attempts),
        };
        WebhookRule { retry, disable_after: self.disable_after }
    }
}
