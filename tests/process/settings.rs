//! Settings that cannot be meant are refused at the start, in one line that names them.

use std::net::TcpListener;

use crate::hub::{refusal, run};

const SECRET: &str = "0123456789-0123456789-0123456789-access";
const REFRESH_SECRET: &str = "0123456789-0123456789-0123456789-refresh";
const PASSWORD: &str = "brisk otter paints seven lanterns";

#[test]
fn a_bad_setting_is_named_in_one_line() {
    for (variables, named) in [
        (&[("PORT", "abc")][..], "PORT"),
        (&[("PORT", "70000")], "PORT"),
        (&[("PORT", "-1")], "PORT"),
        (&[("DATABASE_URL", "mysql://root@localhost/hub")], "DATABASE_URL"),
        (&[("DB_HOST", "localhost"), ("DB_PORT", "many")], "DB_"),
        (&[("REDIS_URL", "http://localhost")], "REDIS_URL"),
        (&[("JWT_EXPIRATION", "soon")], "JWT_EXPIRATION"),
        (&[("JWT_EXPIRATION", "0")], "JWT_EXPIRATION"),
        (&[("RATE_LIMIT_LIMIT", "0")], "RATE_LIMIT_LIMIT"),
        (&[("RATE_LIMIT_TTL", "-60")], "RATE_LIMIT_TTL"),
        (&[("LOG_FORMAT", "xml")], "LOG_FORMAT"),
        (&[("SWAGGER_ENABLED", "perhaps")], "SWAGGER_ENABLED"),
        (&[("NEXUS__SERVER__PROT", "3000")], "prot"),
        (&[("NEXUS__PORT", "3000")], "NEXUS__PORT"),
        (&[("NEXUS__HTTP__TRUSTED_PROXIES", "localhost")], "trusted_proxies"),
        (&[("BOOTSTRAP_ADMIN_EMAIL", "ada@example.com")], "BOOTSTRAP_ADMIN_PASSWORD"),
        (&[("BOOTSTRAP_ADMIN_PASSWORD", PASSWORD)], "BOOTSTRAP_ADMIN_EMAIL"),
        (
            &[("BOOTSTRAP_ADMIN_EMAIL", "ada@example.com"), ("BOOTSTRAP_ADMIN_PASSWORD", "too short")],
            "BOOTSTRAP_ADMIN_PASSWORD",
        ),
        (
            &[("BOOTSTRAP_ADMIN_EMAIL", "no address"), ("BOOTSTRAP_ADMIN_PASSWORD", PASSWORD)],
            "BOOTSTRAP_ADMIN_EMAIL",
        ),
    ] {
        assert!(told(variables).contains(named), "{variables:?}: {}", told(variables));
    }
}

#[test]
fn production_does_not_start_without_secrets_of_its_own() {
    let production = |variables: &[(&'static str, &'static str)]| {
        told(&[&[("APP_ENV", "production"), ("PORT", "0")], variables].concat())
    };
    const DEFAULT: &str = "development-only-access-secret-change-me";
    assert!(production(&[]).contains("JWT_SECRET"));
    assert!(production(&[("JWT_SECRET", DEFAULT)]).contains("JWT_SECRET"));
    assert!(production(&[("JWT_SECRET", SECRET)]).contains("JWT_REFRESH_SECRET"));
    assert!(
        production(&[("JWT_SECRET", SECRET), ("JWT_REFRESH_SECRET", SECRET)]).contains("JWT_REFRESH_SECRET")
    );
    let short = "not-32-bytes-and-not-to-be-printed";
    let told = production(&[("JWT_SECRET", &short[..31]), ("JWT_REFRESH_SECRET", REFRESH_SECRET)]);
    assert!(told.contains("JWT_SECRET") && !told.contains("not-to-be"), "{told}");
    for previous in [&short[..31], DEFAULT] {
        let told = production(&[
            ("JWT_SECRET", SECRET),
            ("JWT_REFRESH_SECRET", REFRESH_SECRET),
            ("NEXUS__AUTH__PREVIOUS_JWT_SECRET", previous),
        ]);
        assert!(told.contains("PREVIOUS_JWT_SECRET") && !told.contains("not-to-be"), "{told}");
    }
}

#[test]
fn an_address_that_cannot_be_had_is_named_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = told(&[("PORT", &port)]);
    assert!(refused.contains(&format!("127.0.0.1:{port}")), "{refused}");
    assert!(told(&[("HOST", "203.0.113.1"), ("PORT", "0")]).contains("203.0.113.1"));
}

#[test]
fn a_database_file_that_cannot_be_had_is_named_in_one_line() {
    let refused = told(&[("DATABASE_URL", "sqlite:///proc/nowhere/hub.db"), ("PORT", "0")]);
    assert!(refused.contains("/proc/nowhere"), "{refused}");
}

/// What `serve` says instead of starting.
fn told(variables: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    refusal(&run(directory.path(), variables, &["serve"], ""))
}
