//! TLS as a client over HTTP, and which connections leave this machine without TLS that verifies whom they lead to.

use std::net::IpAddr;
use std::sync::Arc;

use nexus_actors::store::server_of;
use url::Url;

use crate::broker::Address;
use crate::http::listed;
use crate::settings::{BadSetting, Settings};

/// Servers that the hub talks to: the sections of their settings, and the settings that say where they are.
const SERVERS: [(&str, &str); 5] = [
    ("database", "DATABASE_URL"),
    ("redis", "REDIS_URL"),
    ("broker", "AMQP_URL"),
    ("smtp", "SMTP_URL"),
    ("telemetry", "OTEL_EXPORTER_OTLP_ENDPOINT"),
];

/// # Errors
/// In production, the setting of a server elsewhere that is talked to in the clear, or without asking who it is, and
/// is not among those for which that was allowed.
pub fn check(settings: &Settings) -> Result<(), BadSetting> {
    let allowed: Vec<&str> = listed(&settings.security.allow_plaintext).collect();
    if let Some(name) = allowed.iter().find(|name| SERVERS.iter().all(|(section, _)| section != *name)) {
        let problem = format!("{name:?} is none of database, redis, broker, smtp and telemetry");
        return Err(BadSetting { setting: "NEXUS__SECURITY__ALLOW_PLAINTEXT", problem });
    }
    if !settings.is_production() {
        return Ok(());
    }
    match unprotected(settings).find(|(section, _)| !allowed.contains(section)) {
        None => Ok(()),
        Some((section, setting)) => {
            let problem = format!(
                "leads off this machine without verified TLS, which production refuses; where that network is \
                 private, put {section} into NEXUS__SECURITY__ALLOW_PLAINTEXT"
            );
            Err(BadSetting { setting, problem })
        }
    }
}

/// TLS to servers of HTTP whose certificates Mozilla's roots vouch for.
///
/// # Errors
/// That it cannot be set up, for what is set in this section.
pub fn tls(section: &'static str) -> Result<rustls::ClientConfig, BadSetting> {
    let roots = rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| BadSetting {
        setting: section,
        problem: format!("TLS cannot be set up: {error}"),
    })?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The servers elsewhere that are talked to in the clear, or without asking who they are.
pub fn unprotected(settings: &Settings) -> impl Iterator<Item = (&'static str, &'static str)> {
    let servers = [
        server_of(&settings.database.url),
        of_url(&settings.redis.url, "rediss"),
        broker(&settings.broker.url),
        settings.smtp.server(),
        of_url(&settings.telemetry.otlp_endpoint, "https"),
    ];
    let unprotected = |server: Option<(String, bool)>| {
        server.is_some_and(|(host, verified)| !verified && is_elsewhere(&host))
    };
    SERVERS.into_iter().zip(servers).filter_map(move |(named, server)| unprotected(server).then_some(named))
}

fn broker(url: &str) -> Option<(String, bool)> {
    let address = Address::parse(url).ok()?;
    Some((address.host().to_owned(), url.starts_with("amqps://")))
}

/// The host, and whether it is reached by `secure`.
fn of_url(url: &str, secure: &str) -> Option<(String, bool)> {
    let url = Url::parse(url).ok()?;
    Some((url.host_str()?.to_owned(), url.scheme() == secure))
}

fn is_elsewhere(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => !address.is_loopback(),
        Err(_) => !host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(Path::new("config"), variables).unwrap()
    }

    fn of(database: &str, redis: &str, broker: &str, smtp: &str) -> Vec<&'static str> {
        let settings = settings(&[
            ("DATABASE_URL", database),
            ("REDIS_URL", redis),
            ("AMQP_URL", broker),
            ("SMTP_URL", smtp),
            ("SMTP_FROM", "support@hub.example"),
        ]);
        unprotected(&settings).map(|(section, _)| section).collect()
    }

    #[test]
    fn what_leaves_the_machine_without_verified_tls_is_named() {
        let all = ["database", "redis", "broker", "smtp"];
        assert_eq!(of("postgres://db/nexus", "redis://cache", "amqp://hub@mq", "smtp://mail"), all);
        let by_address = of(
            "postgres://10.0.0.1/nexus",
            "redis://[2001:db8::1]",
            "amqp://hub@10.0.0.2",
            "smtp://10.0.0.3?tls=none",
        );
        assert_eq!(by_address, all);
        for mode in ["disable", "prefer", "require"] {
            assert_eq!(of(&format!("postgres://db/nexus?sslmode={mode}"), "", "", ""), ["database"]);
        }
        assert_eq!(of("postgres://localhost/nexus?host=db", "", "", ""), ["database"]);
    }

    #[test]
    fn a_collector_elsewhere_is_named() {
        let of = |endpoint| {
            let settings = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
            unprotected(&settings).map(|(section, _)| section).collect::<Vec<_>>()
        };
        assert_eq!(of("http://collector:4318"), ["telemetry"]);
        assert!(of("https://collector:4318").is_empty());
        assert!(of("http://localhost:4318").is_empty());
    }

    #[test]
    fn what_stays_here_or_is_verified_is_not() {
        let none: [&str; 0] = [];
        assert_eq!(of("", "", "", ""), none);
        assert_eq!(of("sqlite://hub.db", "redis://localhost", "amqp://127.0.0.1", "smtp://localhost"), none);
        assert_eq!(
            of("postgres://127.0.0.1/nexus", "redis://[::1]", "amqp://LOCALHOST", "smtp://[::1]"),
            none
        );
        assert_eq!(of("postgres://[::1]/nexus", "redis://127.0.0.2", "amqp://[::1]", ""), none);
        for socket in ["postgres:///nexus?host=/run/postgresql", "postgres://%2Frun%2Fpostgresql/nexus"] {
            assert_eq!(of(socket, "", "", ""), none);
        }
        for (mode, smtp) in [("verify-ca", "smtps://mail"), ("verify-full", "smtp://mail?tls=required")] {
            let database = format!("postgres://db/nexus?sslmode={mode}");
            assert_eq!(of(&database, "rediss://cache", "amqps://hub@mq", smtp), none);
        }
    }

    #[test]
    fn only_servers_that_there_are_can_be_allowed() {
        let given = |list: &str| settings(&[("NEXUS__SECURITY__ALLOW_PLAINTEXT", list)]);
        assert!(check(&given(" smtp,redis , database,broker,")).is_ok());
        let unknown = [("NEXUS__SECURITY__ALLOW_PLAINTEXT".to_owned(), "database,rabbitmq".to_owned())];
        let refused = Settings::load(Path::new("config"), unknown).unwrap_err().to_string();
        assert!(refused.contains("ALLOW_PLAINTEXT") && refused.contains("rabbitmq"), "{refused}");
    }
}
