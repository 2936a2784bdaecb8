//! Settings: `config/default.toml` < `config/{APP_ENV}.toml` < environment.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use nexus_actors::domain::approval_policy::ApprovalPolicy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::broker::BrokerSettings;
use crate::mail::SmtpSettings;

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
    pub actors: ActorSettings,
    pub log: LogSettings,
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
    pub hashing_concurrency: usize,
}

// Secrets stay out of logs and panics.
impl fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSettings")
            .field("access_ttl", &self.access_ttl)
            .field("refresh_ttl", &self.refresh_ttl)
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
    pub login_limit: u32,
    #[serde(deserialize_with = "duration")]
    pub login_ttl: Duration,
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

/// A setting that is refused. Never says what an URL is: it has a password in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting {
    pub setting: &'static str,
    pub problem: String,
}

/// One line that names the setting.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0}")]
    Unreadable(#[from] ConfigError),
    #[error("setting {setting}: {problem}")]
    Refused { setting: String, problem: String },
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
        let checked = self.smtp.check().and_then(|()| self.broker.check(self.is_production()));
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
            ("NEXUS__RATE_LIMIT__LOGIN_LIMIT", u64::from(self.rate_limit.login_limit)),
            ("NEXUS__DATABASE__MAX_CONNECTIONS", u64::from(self.database.max_connections)),
            ("NEXUS__ACTORS__MAILBOX_CAPACITY", u64::from(self.actors.mailbox_capacity)),
            ("NEXUS__AUTH__HASHING_CONCURRENCY", self.auth.hashing_concurrency as u64),
        ] {
            if value == 0 {
                return refuse(setting, "must be at least 1");
            }
        }
        for (setting, value) in [
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

/// The environment as a source: well-known names first, then `NEXUS__SECTION__KEY`, which is the more exact.
#[derive(Clone, Debug)]
struct Variables(Map<String, String>);

/// Well-known variables and the settings they stand for.
const NAMES: &[(&str, &str)] = &[
    ("HOST", "server.host"),
    ("PORT", "server.port"),
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "redis.url"),
    ("AMQP_URL", "broker.url"),
    ("SMTP_URL", "smtp.url"),
    ("SMTP_FROM", "smtp.from"),
    ("JWT_SECRET", "auth.jwt_secret"),
    ("JWT_REFRESH_SECRET", "auth.jwt_refresh_secret"),
    ("JWT_EXPIRATION", "auth.access_ttl"),
    ("JWT_REFRESH_EXPIRATION", "auth.refresh_ttl"),
    ("SWAGGER_ENABLED", "http.swagger_enabled"),
    ("CORS_ORIGIN", "http.cors_origin"),
    ("RATE_LIMIT_TTL", "rate_limit.ttl"),
    ("RATE_LIMIT_LIMIT", "rate_limit.limit"),
    ("LOG_FORMAT", "log.format"),
    ("RUST_LOG", "log.filter"),
    ("BOOTSTRAP_ADMIN_EMAIL", "bootstrap.admin_email"),
    ("BOOTSTRAP_ADMIN_PASSWORD", "bootstrap.admin_password"),
];

impl Variables {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `postgres://` put together from the DB_* variables, when DB_HOST is there.
    fn database_url(&self) -> Result<Option<String>, ConfigError> {
        let Some(host) = self.get("DB_HOST") else { return Ok(None) };
        let port = self.port("DB_PORT", 5432)?;
        let name = self.get("DB_NAME").unwrap_or("nexus_hub");
        Ok(Some(format!("postgres://{}{host}:{port}/{name}", self.user_info("DB_USERNAME", "DB_PASSWORD"))))
    }

    fn redis_url(&self) -> Result<Option<String>, ConfigError> {
        let Some(host) = self.get("REDIS_HOST") else { return Ok(None) };
        let port = self.port("REDIS_PORT", 6379)?;
        Ok(Some(format!("redis://{}{host}:{port}", self.user_info("REDIS_USERNAME", "REDIS_PASSWORD"))))
    }

    fn port(&self, name: &str, default: u16) -> Result<u16, ConfigError> {
        let parsed = self.get(name).map_or(Ok(default), str::parse);
        parsed.map_err(|_| ConfigError::Message(format!("setting {name}: must be a port number")))
    }

    fn user_info(&self, user: &str, password: &str) -> String {
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        match (self.get(user), self.get(password)) {
            (None, None) => String::new(),
            (user, None) => format!("{}@", encode(user.unwrap_or_default())),
            (user, Some(password)) => format!("{}:{}@", encode(user.unwrap_or_default()), encode(password)),
        }
    }
}

impl Source for Variables {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut found: Vec<(String, String, String)> = Vec::new();
        let composed = [
            ("DB_HOST", "database.url", self.database_url()?),
            ("REDIS_HOST", "redis.url", self.redis_url()?),
        ];
        for (name, key, url) in composed {
            found.extend(url.map(|url| (name.to_owned(), key.to_owned(), url)));
        }
        for (name, key) in NAMES {
            found.extend(
                self.get(name).map(|value| ((*name).to_owned(), (*key).to_owned(), value.to_owned())),
            );
        }
        for (name, value) in &self.0 {
            if let Some(path) = name.strip_prefix("NEXUS__") {
                found.push((name.clone(), path.to_lowercase().replace("__", "."), value.clone()));
            }
        }
        let mut sections: Map<String, Map<String, Value>> = Map::new();
        for (name, key, value) in found {
            let Some((section, key)) = key.split_once('.') else {
                return Err(ConfigError::Message(format!("setting {name}: must be NEXUS__SECTION__KEY")));
            };
            // With the variable's name as origin, an error about the value names it.
            let value = Value::new(Some(&name), ValueKind::String(value));
            sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value);
        }
        Ok(sections.into_iter().map(|(section, keys)| (section, Value::from(keys))).collect())
    }
}

/// A humantime text, or a bare number of seconds.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Seconds(u64),
        Text(String),
    }
    match Given::deserialize(deserializer)? {
        Given::Seconds(seconds) => Ok(Duration::from_secs(seconds)),
        Given::Text(text) => match text.trim().parse() {
            Ok(seconds) => Ok(Duration::from_secs(seconds)),
            Err(_) => humantime::parse_duration(&text).map_err(|error| {
                serde::de::Error::custom(format!("{text:?} is no duration such as 15m: {error}"))
            }),
        },
    }
}

/// A list; in a variable, as JSON.
fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let given = serde_json::Value::deserialize(deserializer)?;
    let entries = match given {
        serde_json::Value::String(text) => serde_json::from_str(&text).map_err(serde::de::Error::custom)?,
        entries => entries,
    };
    serde_json::from_value(entries).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(Path::new("config"), variables)
    }

    fn message(variables: &[(&str, &str)]) -> String {
        load(variables).unwrap_err().to_string()
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let settings = load(&[]).unwrap();
        assert_eq!(settings.server.port, 3000);
        assert_eq!(settings.server.host, "127.0.0.1");
        assert_eq!(settings.database.url, "sqlite://data/nexus-hub.db");
        assert!(!settings.uses_redis());
        assert_eq!(settings.auth.access_ttl, Duration::from_secs(900));
        assert_eq!(settings.rate_limit.ttl, Duration::from_secs(60));
    }

    #[test]
    fn the_plans_names_work() {
        let settings = load(&[
            ("PORT", "8080"),
            ("DB_HOST", "db"),
            ("DB_USERNAME", "hub"),
            ("DB_PASSWORD", "p@ss/word"),
            ("DB_NAME", "nexus"),
            ("REDIS_HOST", "cache"),
            ("REDIS_PASSWORD", "s"),
            ("JWT_EXPIRATION", "5m"),
            ("RATE_LIMIT_TTL", "30"),
            ("RATE_LIMIT_LIMIT", "7"),
            ("SWAGGER_ENABLED", "false"),
            ("NEXUS__RATE_LIMIT__LOGIN_LIMIT", "3"),
        ])
        .unwrap();
        assert_eq!(settings.server.port, 8080);
        assert_eq!(settings.database.url, "postgres://hub:p%40ss%2Fword@db:5432/nexus");
        assert_eq!(settings.redis.url, "redis://:s@cache:6379");
        assert_eq!(settings.auth.access_ttl, Duration::from_secs(300));
        assert_eq!(settings.rate_limit.ttl, Duration::from_secs(30));
        assert_eq!((settings.rate_limit.limit, settings.rate_limit.login_limit), (7, 3));
        assert!(!settings.http.swagger_enabled);
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(load(&[("PORT", ""), ("DB_HOST", "")]).unwrap().server.port, 3000);
    }

    #[test]
    fn production_refuses_missing_default_and_short_secrets_by_name() {
        let long = "0123456789012345678901234567890123456789";
        assert!(message(&[("APP_ENV", "production")]).contains("JWT_SECRET"));
        let default = "development-only-access-secret-change-me";
        assert!(message(&[("APP_ENV", "production"), ("JWT_SECRET", default)]).contains("JWT_SECRET"));
        assert!(message(&[("APP_ENV", "production"), ("JWT_SECRET", "short")]).contains("32 bytes"));
        let only_one = [("APP_ENV", "production"), ("JWT_SECRET", long)];
        assert!(message(&only_one).contains("JWT_REFRESH_SECRET"));
        let same = [("APP_ENV", "production"), ("JWT_SECRET", long), ("JWT_REFRESH_SECRET", long)];
        assert!(message(&same).contains("must differ"));
        let settings = load(&[
            ("APP_ENV", "production"),
            ("JWT_SECRET", long),
            ("JWT_REFRESH_SECRET", "another-0123456789012345678901234567890"),
        ])
        .unwrap();
        assert_eq!(settings.server.host, "0.0.0.0");
        assert!(settings.is_production());
    }

    #[test]
    fn a_bad_setting_is_named() {
        assert!(message(&[("PORT", "abc")]).contains("PORT"), "{}", message(&[("PORT", "abc")]));
        assert!(message(&[("JWT_EXPIRATION", "soon")]).contains("JWT_EXPIRATION"));
        assert!(message(&[("DATABASE_URL", "mysql://x")]).contains("DATABASE_URL"));
        assert!(message(&[("SMTP_URL", "http://x")]).contains("SMTP_URL"));
        assert!(message(&[("SMTP_URL", "smtp://x")]).contains("SMTP_FROM"));
        assert!(message(&[("NEXUS__SERVER__PROT", "1")]).contains("prot"));
        assert!(message(&[("RATE_LIMIT_LIMIT", "0")]).contains("RATE_LIMIT_LIMIT"));
    }

    #[test]
    fn approval_policies_are_checked() {
        let policies = |text| [("NEXUS__APPROVAL__POLICIES", text)];
        let set = load(&policies(
            r#"[{"name": "legal", "category": ["legal"], "requires": "two_approvals"},
                {"name": "chat", "channel": ["chat"], "requires": "sampled", "percentage": 20}]"#,
        ));
        let names: Vec<_> = set
            .unwrap()
            .approval
            .policies
            .into_iter()
            .map(|policy| (policy.name, policy.percentage))
            .collect();
        assert_eq!(names, [("legal".to_owned(), None), ("chat".to_owned(), Some(20))]);
        for (bad, told) in [
            (r#"[{"name": "a", "requires": "sampled"}]"#, "percentage"),
            (r#"[{"name": "a", "requires": "required", "percentage": 5}]"#, "percentage"),
            (r#"[{"name": "a", "requires": "three"}]"#, "two_approvals"),
            (r#"[{"name": "a", "requires": "required", "priority": ["huge"]}]"#, "urgent"),
            (r#"[{"name": "a", "requires": "required", "chanel": ["chat"]}]"#, "chanel"),
            (r#"[{"name": "a", "requires": "required"}, {"name": "a", "requires": "required"}]"#, "another"),
            ("two_approvals", "approval.policies"),
        ] {
            assert!(message(&policies(bad)).contains(told), "{}", message(&policies(bad)));
        }
    }
}
