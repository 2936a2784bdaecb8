//! The environment as a source: well-known names first, then `NEXUS__SECTION__KEY`, which is the more exact.

use config::{ConfigError, Map, Source, Value, ValueKind};

#[derive(Clone, Debug)]
pub(super) struct Variables(pub Map<String, String>);

/// Well-known variables and the settings they stand for.
pub(super) const NAMES: &[(&str, &str)] = &[
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
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
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
