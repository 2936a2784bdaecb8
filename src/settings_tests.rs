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
fn roles_that_take_a_second_factor_are_separated_by_commas() {
    let required = |roles| load(&[("NEXUS__AUTH__TOTP_REQUIRED_FOR", roles)]);
    assert_eq!(required("").unwrap().auth.totp_required_for, []);
    assert_eq!(required("manager, admin").unwrap().auth.totp_required_for, [Role::Manager, Role::Admin]);
    let refused = required("admin,boss").unwrap_err().to_string();
    assert!(refused.contains("totp_required_for") && refused.contains("boss"), "{refused}");
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
fn traces_go_nowhere_unless_told_where() {
    assert!(!load(&[]).unwrap().telemetry.is_on());
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    let settings =
        load(&[endpoint, ("OTEL_SERVICE_NAME", "desk"), ("NEXUS__TELEMETRY__SAMPLE_RATIO", "0.25")]).unwrap();
    assert!(settings.telemetry.is_on());
    assert_eq!((settings.telemetry.service_name.as_str(), settings.telemetry.sample_ratio), ("desk", 0.25));
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://hub:secret@collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/?key=secret"),
        ("NEXUS__TELEMETRY__SAMPLE_RATIO", "1.5"),
        ("NEXUS__TELEMETRY__SAMPLE_RATIO", "NaN"),
    ] {
        let told = message(&[(variable, value)]);
        let setting = if variable.starts_with("OTEL") { variable } else { "telemetry.sample_ratio" };
        assert!(told.contains(setting) && !told.contains("secret"), "{value}: {told}");
    }
}

#[test]
fn approval_policies_are_checked() {
    let policies = |text| [("NEXUS__APPROVAL__POLICIES", text)];
    let set = load(&policies(
        r#"[{"name": "legal", "category": ["legal"], "requires": "two_approvals"},
            {"name": "chat", "channel": ["chat"], "requires": "sampled", "percentage": 20}]"#,
    ));
    let names: Vec<_> =
        set.unwrap().approval.policies.into_iter().map(|policy| (policy.name, policy.percentage)).collect();
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
