use proptest::prelude::*;

use super::*;

const STRICT: UrlRule = UrlRule { allow_private: false, require_https: false };

fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

fn rule() -> WebhookRule {
    let retry = RetryRule {
        backoff: Duration::from_secs(5),
        backoff_cap: Duration::from_secs(3_600),
        max_attempts: 4,
    };
    WebhookRule { retry, disable_after: Duration::from_secs(86_400) }
}

fn message() -> WebhookMessage {
    WebhookMessage {
        id: Uuid::nil(),
        webhook_id: Uuid::nil(),
        created_at: now(),
        event_id: Uuid::nil(),
        event_type: "response.sent".to_owned(),
        status: WebhookMessageStatus::Pending,
        attempts: 0,
        failures: 0,
        next_attempt_at: Some(now()),
    }
}

fn answer(status: u16) -> Answer {
    Answer::Answered { status, body: String::new(), retry_after: None }
}

fn refused(url: &str, rule: UrlRule) -> Option<String> {
    let mut checks = Checks::new();
    rule.check(&mut checks, url);
    checks.finish(()).err().map(|errors| errors[0].message.clone())
}

#[test]
fn urls_within_reach_of_the_hub_alone_are_refused_however_they_are_written() {
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://10.1.2.3:8080/x",
        "http://169.254.169.254/latest",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "https://100.64.1.1/",
        "http://0/",
        "http://１２７.0.0.1/",
    ] {
        assert_eq!(refused(url, STRICT).as_deref(), Some("must not name a private address"), "{url}");
        assert_eq!(refused(url, UrlRule { allow_private: true, ..STRICT }), None, "{url}");
    }
}

#[test]
fn a_url_is_one_that_can_be_called() {
    for url in
        ["", "example.com", "ftp://example.com/", "file:///etc/passwd", "https://", "gopher://example.com"]
    {
        assert!(refused(url, STRICT).is_some(), "{url}");
    }
    for url in ["http://u:p@example.com/", "http://u@example.com/", "http://example.com/#x"] {
        assert!(refused(url, STRICT).is_some(), "{url}");
    }
    let long = format!("https://example.com/{}", "x".repeat(2_000));
    assert!(refused(&long, STRICT).is_some());
    assert!(refused("http://example.com/", UrlRule { require_https: true, ..STRICT }).is_some());
    for url in ["https://example.com/hooks?a=b", "http://example.com:8080/", "https://8.8.8.8/"] {
        assert_eq!(refused(url, STRICT), None, "{url}");
    }
}

#[test]
fn an_event_filter_names_published_types_or_all() {
    let new = |events: &[&str]| NewWebhook {
        url: "https://example.com/".to_owned(),
        events: events.iter().map(ToString::to_string).collect(),
        description: None,
    };
    let kept = new(&["response.sent", "response.approved", "response.sent"]).validate(STRICT).unwrap();
    assert_eq!(kept.events, ["response.approved", "response.sent"]);
    let webhook = kept.into_webhook(Uuid::nil(), Uuid::nil(), now());
    assert!(webhook.wants(EventType::ResponseSent) && !webhook.wants(EventType::InquiryCreated));
    let all = new(&["*"]).validate(STRICT).unwrap().into_webhook(Uuid::nil(), Uuid::nil(), now());
    assert!(EventType::ALL.iter().all(|&event| all.wants(event)));
    // What is for the audit trail alone cannot be had by naming it.
    for bad in [&[][..], &["session.started"], &["nonsense"], &["response.sent", "response.*"]] {
        assert!(new(bad).validate(STRICT).is_err(), "{bad:?}");
    }
}

#[test]
fn calls_that_fail_are_made_again_with_growing_pauses_until_there_have_been_enough() {
    let mut message = message();
    let mut pauses = Vec::new();
    while let Some(at) = Some(message.answered(&answer(500), &rule(), now())) {
        message = at;
        match message.next_attempt_at {
            Some(next) => pauses.push((next.millis() - now().millis()) / 1000),
            None => break,
        }
    }
    assert_eq!(pauses, [5, 10, 20]);
    assert_eq!((message.status, message.attempts), (WebhookMessageStatus::Failed, 4));
    let again = message.replayed(now());
    assert_eq!((again.status, again.failures, again.attempts), (WebhookMessageStatus::Pending, 0, 4));
    let done = again.answered(&answer(204), &rule(), now());
    assert_eq!(
        (done.status, done.attempts, done.next_attempt_at),
        (WebhookMessageStatus::Delivered, 5, None)
    );
}

#[test]
fn a_receiver_may_ask_for_more_time_but_not_for_ever() {
    let asks = |seconds| Answer::Answered {
        status: 503,
        body: String::new(),
        retry_after: Some(Duration::from_secs(seconds)),
    };
    let pause = |answer: &Answer| {
        let next = message().answered(answer, &rule(), now()).next_attempt_at.unwrap();
        (next.millis() - now().millis()) / 1000
    };
    assert_eq!(pause(&asks(1)), 5);
    assert_eq!(pause(&asks(120)), 120);
    assert_eq!(pause(&asks(1_000_000)), 3_600);
}

#[test]
fn whoever_is_gone_or_has_failed_for_long_is_disabled() {
    let gone = message().answered(&answer(410), &rule(), now());
    assert_eq!((gone.status, gone.next_attempt_at), (WebhookMessageStatus::Failed, None));
    assert!(must_disable(&answer(410), None, &rule(), now()).is_some());
    let since = |seconds| Some(now().minus(Duration::from_secs(seconds)));
    assert_eq!(must_disable(&answer(500), since(86_399), &rule(), now()), None);
    assert!(must_disable(&answer(500), since(86_400), &rule(), now()).is_some());
    let never = WebhookRule { disable_after: Duration::ZERO, ..rule() };
    assert_eq!(must_disable(&answer(500), since(1_000_000), &never, now()), None);
}

#[test]
fn an_old_secret_signs_for_a_day_beside_the_new_one() {
    let first = rotated(&[], "a".to_owned(), now());
    let second = rotated(&first, "b".to_owned(), now());
    let at = |seconds| now().plus(Duration::from_secs(seconds));
    let names = |secrets: &[WebhookSecret], at| -> Vec<String> {
        signing(secrets, at).map(|secret| secret.secret.clone()).collect()
    };
    assert_eq!(names(&second, at(86_399)), ["b", "a"]);
    assert_eq!(names(&second, at(86_400)), ["b"]);
    let third = rotated(&second, "c".to_owned(), at(3_600));
    assert_eq!(names(&third, at(86_399)), ["c", "b", "a"], "an old one gets no more time");
    assert_eq!(names(&third, at(86_400)), ["c", "b"]);
    let many = (0..9).fold(third, |secrets, n| rotated(&secrets, n.to_string(), at(3_601)));
    assert_eq!(many.len(), 4);
    assert!(!format!("{many:?}").contains("\"8\""));
}

proptest! {
    #[test]
    fn a_pause_is_never_shorter_than_the_rule_nor_much_longer(id: u128, failures in 0_i64..3) {
        let message = WebhookMessage { id: Uuid::from_u128(id), failures, ..message() };
        let next = message.answered(&answer(500), &rule(), now()).next_attempt_at.unwrap();
        let pause = next.millis() - now().millis();
        let least = i64::try_from(rule().retry.pause(failures + 1).as_millis()).unwrap();
        prop_assert!((least..=least * 6 / 5).contains(&pause), "{pause}");
    }
}
