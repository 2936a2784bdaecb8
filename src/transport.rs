//! Which connections leave this machine without TLS that is verified.

use nexus_actors::store::verifies_tls;
use url::{Host, Url};

use crate::settings::Settings;

/// The settings of servers elsewhere that are talked to in the clear, or without asking who they are.
pub fn unprotected(settings: &Settings) -> Vec<&'static str> {
    let (database, redis, broker) = (&settings.database.url, &settings.redis.url, &settings.broker.url);
    [
        ("DATABASE_URL", database, database.starts_with("sqlite:") || verifies_tls(database)),
        ("REDIS_URL", redis, redis.starts_with("rediss://")),
        ("AMQP_URL", broker, broker.starts_with("amqps://")),
    ]
    .into_iter()
    .filter(|(_, url, protected)| !protected && is_elsewhere(url))
    .map(|(setting, ..)| setting)
    .collect()
}

fn is_elsewhere(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.host() {
        // Of a scheme it does not know, the parser leaves an address a name.
        Some(Host::Domain(name)) => match name.parse::<std::net::IpAddr>() {
            Ok(address) => !address.is_loopback(),
            Err(_) => !name.is_empty() && name != "localhost",
        },
        Some(Host::Ipv4(address)) => !address.is_loopback(),
        Some(Host::Ipv6(address)) => !address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(database: &str, redis: &str, broker: &str) -> Vec<&'static str> {
        let variables = [("DATABASE_URL", database), ("REDIS_URL", redis), ("AMQP_URL", broker)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        unprotected(&Settings::load(Path::new("config"), variables).unwrap())
    }

    #[test]
    fn what_leaves_the_machine_without_verified_tls_is_named() {
        let all = ["DATABASE_URL", "REDIS_URL", "AMQP_URL"];
        assert_eq!(of("postgres://db/nexus", "redis://cache", "amqp://hub@mq"), all);
        let by_address = of("postgres://10.0.0.1/nexus", "redis://[2001:db8::1]", "amqp://hub@10.0.0.2");
        assert_eq!(by_address, all);
        for mode in ["disable", "prefer", "require"] {
            assert_eq!(of(&format!("postgres://db/nexus?sslmode={mode}"), "", ""), ["DATABASE_URL"]);
        }
    }

    #[test]
    fn what_stays_here_or_is_verified_is_not() {
        let none: [&str; 0] = [];
        assert_eq!(of("", "", ""), none);
        assert_eq!(of("sqlite://hub.db", "redis://localhost", "amqp://127.0.0.1"), none);
        assert_eq!(of("postgres://127.0.0.1/nexus", "redis://[::1]", "amqp://localhost"), none);
        for mode in ["verify-ca", "verify-full"] {
            let database = format!("postgres://db/nexus?sslmode={mode}");
            assert_eq!(of(&database, "rediss://cache", "amqps://hub@mq"), none);
        }
    }
}
