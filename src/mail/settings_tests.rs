use super::*;

fn settings(url: &str, from: &str) -> SmtpSettings {
    SmtpSettings { url: url.to_owned(), from: from.to_owned(), timeout: Duration::from_secs(30) }
}

fn server(url: &str) -> Server {
    settings(url, "support@example.com").parse().unwrap().unwrap().server
}

#[test]
fn without_a_url_nothing_else_matters() {
    assert!(settings("", "nonsense").parse().unwrap().is_none());
}

#[test]
fn the_url_says_where_and_how() {
    let ports = [
        ("smtp://mail.example", 25),
        ("smtp://mail.example?tls=none", 25),
        ("smtp://mail.example?tls=required", 587),
        ("smtps://mail.example", 465),
        ("smtps://mail.example:2465/", 2465),
    ];
    for (url, port) in ports {
        assert_eq!((server(url).host.as_str(), server(url).port), ("mail.example", port), "{url}");
    }
    assert!(matches!(server("smtp://mail.example").tls, Tls::Opportunistic(_)));
    assert!(matches!(server("smtp://mail.example?tls=none").tls, Tls::None));
    assert!(matches!(server("smtp://mail.example?tls=required").tls, Tls::Required(_)));
    assert!(matches!(server("smtps://mail.example").tls, Tls::Wrapper(_)));
    assert_eq!(server("smtp://[::1]:25").host, "::1");
    let expected = Credentials::new("hub@example.com".to_owned(), "p+s&/ ä".to_owned());
    assert_eq!(server("smtp://hub%40example.com:p+s&%2F%20%C3%A4@mail.example").credentials, Some(expected));
}

#[test]
fn what_cannot_be_used_is_refused_by_name_and_without_the_password() {
    let bad = [
        "mail.example",
        "http://u:hunter2@mail.example",
        "smtp:///x",
        "smtp://u:hunter2@mail.example/inbox",
        "smtp://u:hunter2@mail.example?tls=maybe",
        "smtp://u:hunter2@mail.example?timeout=3",
        "smtps://u:hunter2@mail.example?tls=none",
        "smtp://u:hunter2@mail.example:99999",
        "smtp://:hunter2@mail.example",
        "smtp://hunter2@mail.example",
        "smtp://u:hunter2%FF@mail.example",
    ];
    for url in bad {
        let refused = settings(url, "support@example.com").check().unwrap_err();
        assert_eq!(refused.setting, "SMTP_URL", "{url}");
        assert!(!refused.problem.contains("hunter2") && !refused.problem.contains('\n'), "{refused:?}");
    }
    for from in
        ["", "support", "Support <support>", "a@example.com, b@example.com", "a@example.com\r\nBcc: x@y.z"]
    {
        let refused = settings("smtp://mail.example", from).check().unwrap_err();
        assert_eq!(refused.setting, "SMTP_FROM", "{from:?}");
    }
    for timeout in [Duration::ZERO, Duration::from_secs(31)] {
        let settings = SmtpSettings { timeout, ..settings("smtp://mail.example", "support@example.com") };
        assert_eq!(settings.check().unwrap_err().setting, "NEXUS__SMTP__TIMEOUT");
    }
}

#[test]
fn the_password_is_not_in_debug_output() {
    let settings = settings("smtp://hub:hunter2@mail.example", "Käufer <support@bücher.example>");
    let parsed = settings.parse().unwrap().unwrap();
    assert_eq!(parsed.from.email.to_string(), "support@xn--bcher-kva.example");
    assert!(!format!("{settings:?} {parsed:?}").contains("hunter2"));
}
