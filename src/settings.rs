//! Settings: `config/default.toml` < `config/{APP_ENV}.toml` < environment.

mod refusal;
mod values;
mod variables;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use config::{Config, File, FileFormat, Map};
use nexus_actors::domain::approval_policy::ApprovalPolicy;
use nexus_actors::domain::user::Role;
use serde::Deserialize;

pub use self::refusal::{BadSetting, SettingsError};
pub(crate) use self::values::duration;
use self::values::{list, parts};
use self::variables::{NAMES, Variables};
use crate::broker::BrokerSettings;
use crate::mail::SmtpSettings;
use crate::telemetry::TelemetrySettings;
use crate::transport;
use crate::webhooks::WebhookSettings;

/// Compiled in, so that the binary runs without its source tree.
const DEFAULTS: &str = include_str!("../config/default.toml");
const PRODUCTION: &str = include_str!("../config/production.toml");

/// Bytes a secret must have in production.
const MIN_SECRET: usize = 32;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(skip)]
    pub environment: Environment,
    pub server: ServerSettings,
    pub database: DatabaseSettings,
    pub redis: RedisSettings,
    pub broker: BrokerSettings,
    pub cache: CacheSettings,
    pub auth: AuthSettings,
    pub rate_limit: RateLimitSettings,
    pub http: HttpSettings,
    pub assignment: AssignmentSettings,
    pub delivery: DeliverySettings,
    pub approval: ApprovalSettings,
    pub push: PushSettings,
    pub smtp: SmtpSettings,
    pub security: SecuritySettings,
    pub webhooks: WebhookSettings,
    pub actors: ActorSettings,
    pub log: LogSettings,
    pub telemetry: TelemetrySettings,
    pub shutdown: ShutdownSettings,
    pub bootstrap: BootstrapSettings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    #[default]
    Development,
    Production,
    /// Any other name, with a file of its own.
    Other(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    pub host: String,
    pub port: u16,
    pub workers: usize,
    #[serde(deserialize_with = "duration")]
    pub write_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub shed_above: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    pub url: String,
    pub max_connections: u32,
    #[serde(deserialize_with = "duration")]
    pub idle_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub acquire_timeout: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    pub url: String,
    pub prefix: String,
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    pub capacity: u64,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    pub jwt_secret: String,
    pub jwt_refresh_secret: String,
    pub previous_jwt_secret: String,
    #[serde(deserialize_with = "duration")]
    pub access_ttl: Duration,
    #[serde(deserialize_with = "duration")]
    pub refresh_ttl: Duration,
    pub totp_key: String,
    pub previous_totp_key: String,
    /// Roles whose users may do nothing but set up a second factor until they have one.
    #[serde(deserialize_with = "parts")]
    pub totp_required_for: Vec<Role>,
    pub hashing_concurrency: usize,
}

// Secrets stay out of logs and panics.
impl fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSettings")
            .field("access_ttl", &self.access_ttl)
            .field("refresh_ttl", &self.refresh_ttl)
            .field("totp_required_for", &self.totp_required_for)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitSettings {
    pub limit: u32,
    #[serde(deserialize_with = "duration")]
    pub ttl: Duration,
    pub anonymous_limit: u32,
    pub api_key_limit: u32,
    pub console_limit: u32,
    pub login_limit: u32,
    #[serde(deserialize_with = "duration")]
    pub login_ttl: Duration,
    pub login_failures: u32,
    pub login_failures_by_address: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    pub cors_origin: String,
    pub swagger_enabled: bool,
    pub trusted_proxies: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySettings {
    #[serde(deserialize_with = "duration")]
    pub backoff: Duration,
    #[serde(deserialize_with = "duration")]
    pub backoff_cap: Duration,
    pub max_attempts: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentSettings {
    #[serde(deserialize_with = "duration")]
    pub accept_within: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalSettings {
    #[serde(deserialize_with = "duration")]
    pub remind_after: Duration,
    #[serde(deserialize_with = "duration")]
    pub escalate_after: Duration,
    #[serde(deserialize_with = "duration")]
    pub digest_every: Duration,
    #[serde(deserialize_with = "list")]
    pub policies: Vec<ApprovalPolicy>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushSettings {
    #[serde(deserialize_with = "duration")]
    pub look_every: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecuritySettings {
    pub allow_plaintext: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorSettings {
    pub threads: usize,
    pub mailbox_capacity: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub format: LogFormat,
    pub filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Pretty,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownSettings {
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapSettings {
    pub admin_email: String,
    pub admin_password: String,
}

impl fmt::Debug for BootstrapSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapSettings").field("admin_email", &self.admin_email).finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads files below `directory` and the given environment variables.
    ///
    /// # Errors
    /// When a file or variable does not parse, names an unknown setting, or holds a value that is refused.
    pub fn load(
        directory: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        // An entry left as `KEY=` in a .env file arrives as an empty text and means nothing.
        let variables: Map<String, String> =
            variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let environment = Environment::named(variables.get("APP_ENV").map_or("development", String::as_str));
        let mut sources = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if environment == Environment::Production {
            sources = sources.add_source(File::from_str(PRODUCTION, FileFormat::Toml));
        }
        let file = |name: &str| File::from(directory.join(format!("{name}.toml"))).required(false);
        let config = sources
            .add_source(file("default"))
            .add_source(file(environment.name()))
            .add_source(Variables(variables))
            .build()?;
        let mut settings: Self = serde_path_to_error::deserialize(config).map_err(|error| {
            let path = error.path().to_string();
            let setting = NAMES.iter().find(|(_, key)| *key == path).map_or(path.as_str(), |(name, _)| name);
            SettingsError::Refused { setting: setting.to_owned(), problem: error.into_inner().to_string() }
        })?;
        settings.environment = environment;
        settings.check()?;
        Ok(settings)
    }

    pub fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }

    pub fn uses_redis(&self) -> bool {
        !self.redis.url.is_empty()
    }

    pub fn uses_rabbitmq(&self) -> bool {
        !self.broker.url.is_empty()
    }

    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |setting: &str, problem: &str| {
            Err(SettingsError::Refused { setting: setting.to_owned(), problem: problem.to_owned() })
        };
        if !["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| self.database.url.starts_with(scheme))
        {
            return refuse("DATABASE_URL", "must begin with postgres:// or sqlite://");
        }
        if self.uses_redis()
            && !["redis://", "rediss://"].iter().any(|scheme| self.redis.url.starts_with(scheme))
        {
            return refuse("REDIS_URL", "must begin with redis:// or rediss://");
        }
        let checked = self
            .smtp
            .check()
            .and_then(|()| self.broker.check(self.is_production()))
            .and_then(|()| self.webhooks.check())
            .and_then(|()| self.telemetry.check())
            .and_then(|()| transport::check(self));
        if let Err(BadSetting { setting, problem }) = checked {
            return refuse(setting, &problem);
        }
        if self.bootstrap.admin_email.is_empty() != self.bootstrap.admin_password.is_empty() {
            let missing = if self.bootstrap.admin_email.is_empty() {
                "BOOTSTRAP_ADMIN_EMAIL"
            } else {
                "BOOTSTRAP_ADMIN_PASSWORD"
            };
            return refuse(missing, "is missing, while its counterpart is set");
        }
        let mut names = HashSet::new();
        for policy in &self.approval.policies {
            let known = if names.insert(&policy.name) { Ok(()) } else { Err("has the name of another one") };
            if let Err(problem) = policy.check().and(known) {
                return refuse("approval.policies", &format!("{:?} {problem}", policy.name));
            }
        }
        for (setting, value) in [
            ("RATE_LIMIT_LIMIT", u64::from(self.rate_limit.limit)),
            ("NEXUS__DELIVERY__MAX_ATTEMPTS", u64::from(self.delivery.max_attempts)),
            ("NEXUS__RATE_LIMIT__CONSOLE_LIMIT", u64::from(self.rate_limit.console_limit)),
            ("NEXUS__RATE_LIMIT__LOGIN_LIMIT", u64::from(self.rate_limit.login_limit)),
            ("NEXUS__RATE_LIMIT__LOGIN_FAILURES", u64::from(self.rate_limit.login_failures)),
            (
                "NEXUS__RATE_LIMIT__LOGIN_FAILURES_BY_ADDRESS",
                u64::from(self.rate_limit.login_failures_by_address),
            ),
            ("NEXUS__DATABASE__MAX_CONNECTIONS", u64::from(self.database.max_connections)),
            ("NEXUS__ACTORS__MAILBOX_CAPACITY", u64::from(self.actors.mailbox_capacity)),
            ("NEXUS__AUTH__HASHING_CONCURRENCY", self.auth.hashing_concurrency as u64),
        ] {
            if value == 0 {
                return refuse(setting, "must be at least 1");
            }
        }
        for (setting, value) in [
            ("NEXUS__SERVER__WRITE_TIMEOUT", self.server.write_timeout),
            ("RATE_LIMIT_TTL", self.rate_limit.ttl),
            ("NEXUS__RATE_LIMIT__LOGIN_TTL", self.rate_limit.login_ttl),
            ("JWT_EXPIRATION", self.auth.access_ttl),
            ("JWT_REFRESH_EXPIRATION", self.auth.refresh_ttl),
        ] {
            if value < Duration::from_secs(1) {
                return refuse(setting, "must be at least one second");
            }
        }
        if self.is_production() {
            self.check_secret("JWT_SECRET", &self.auth.jwt_secret)?;
            self.check_secret("JWT_REFRESH_SECRET", &self.auth.jwt_refresh_secret)?;
            // Tokens signed with the former are still taken, and what is sealed with the latter is still read.
            for (setting, secret) in [
                ("NEXUS__AUTH__PREVIOUS_JWT_SECRET", &self.auth.previous_jwt_secret),
                ("NEXUS__AUTH__TOTP_KEY", &self.auth.totp_key),
                ("NEXUS__AUTH__PREVIOUS_TOTP_KEY", &self.auth.previous_totp_key),
            ] {
                if !secret.is_empty() {
                    self.check_secret(setting, secret)?;
                }
            }
            if self.auth.jwt_secret == self.auth.jwt_refresh_secret {
                return refuse("JWT_REFRESH_SECRET", "must differ from JWT_SECRET");
            }
        }
        Ok(())
    }

    fn check_secret(&self, setting: &str, secret: &str) -> Result<(), SettingsError> {
        let problem = if secret.is_empty() || DEFAULTS.contains(&format!("\"{secret}\"")) {
            "must be set in production".to_owned()
        } else if secret.len() < MIN_SECRET {
            format!("must have at least {MIN_SECRET} bytes in production")
        } else {
            return Ok(());
        };
        Err(SettingsError::Refused { setting: setting.to_owned(), problem })
    }
}

impl Environment {
    fn named(name: &str) -> Self {
        match name {
            "development" => Self::Development,
            "production" => Self::Production,
            other => Self::Other(other.to_owned()),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Other(name) => name,
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
