//! What a mail server refuses, and what is not known of a mail.

use std::collections::HashSet;
use std::time::Duration;

use nexus_actors::domain::Timestamp;
use serde_json::{Value, json};

use super::desk::Desk;
use super::server::{MailServer, Manner, TEXT};
use super::{PASSWORD, variables, with_mail_server};
use crate::harness::{Engine, TestHub, on_both_engines, path, run_with};

on_both_engines!(
    in with_mail_server;
    a_passing_refusal_is_tried_again_as_the_same_mail,
    a_refusal_for_good_fails_the_response,
    a_lost_answer_leaves_the_outcome_unknown_until_it_is_sent_again,
    a_server_that_never_answers_leaves_the_outcome_unknown,
    what_happens_before_the_text_is_no_doubt,
    a_refused_sign_in_fails_no_response_for_good,
);

async fn a_passing_refusal_is_tried_again_as_the_same_mail(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    for manner in [
        Manner::Answer("RCPT", "450 4.2.0 greylisted"),
        Manner::Answer("DATA", "451 4.3.0 not now"),
        Manner::Answer(TEXT, "452 4.3.1 no room"),
    ] {
        server.behave(manner);
        let response = desk.approved("email", "patience").await;
        let put_off = desk.troubled(&response).await;
        assert_eq!((&put_off["status"], &put_off["attempts"]), (&json!("pending"), &json!(1)));
        assert_eq!(put_off["ambiguous"], false);
        let Manner::Answer(_, said) = manner else { unreachable!() };
        assert_eq!(put_off["lastError"], said);
        let due = Timestamp::parse(put_off["nextAttemptAt"].as_str().unwrap()).unwrap();
        assert_eq!(due, hub.clock.now().plus(Duration::from_secs(30)));
        assert_eq!(desk.response(&response).await["status"], "approved");

        let delivered = desk.later(&server, &response).await;
        assert_eq!((&delivered["status"], &delivered["lastError"]), (&json!("sent"), &Value::Null));
        let mail = server.mails().pop().unwrap();
        let id = delivered["id"].as_str().unwrap();
        assert_eq!(mail.header("Message-ID"), Some(format!("<{id}@hub.example>")));
    }
}

async fn a_refusal_for_good_fails_the_response(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    for (command, said) in [
        ("MAIL", "550 5.7.1 not from there"),
        ("RCPT", "550-5.1.1 No such\r\n550 5.1.1 mailbox"),
        ("DATA", "554 5.7.1 no"),
        (TEXT, "554 5.7.1 looks like spam"),
    ] {
        server.behave(Manner::Answer(command, said));
        let response = desk.approved("email", "no such mailbox").await;
        let failed = desk.becomes(&response, "delivery_failed").await;
        let reason = failed["deliveryError"].as_str().unwrap();
        let expected = if command == "RCPT" { "550 5.1.1 No such mailbox" } else { said };
        assert_eq!(reason, expected);
        assert_eq!(desk.delivery(&response).await["status"], "failed");

        server.behave(Manner::Accept);
        let submit = format!("{}/submit", path("responses", &response));
        desk.cso.act(&submit).await.expect(200);
        desk.approve(&response).await;
        desk.becomes(&response, "sent").await;
    }
    let ids: HashSet<_> = server.mails().iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), 5, "each approval is a mail of its own, and one was refused once it was read");
}

async fn a_lost_answer_leaves_the_outcome_unknown_until_it_is_sent_again(hub: &TestHub, server: MailServer) {
    doubtful(hub, server, Manner::Close(TEXT)).await;
}

async fn a_server_that_never_answers_leaves_the_outcome_unknown(hub: &TestHub, server: MailServer) {
    doubtful(hub, server, Manner::Silent(TEXT)).await;
}

async fn doubtful(hub: &TestHub, server: MailServer, manner: Manner) {
    let desk = Desk::of(hub).await;
    server.behave(manner);
    let response = desk.approved("email", "twice, perhaps").await;
    let doubtful = desk.troubled(&response).await;
    assert_eq!((&doubtful["status"], &doubtful["ambiguous"]), (&json!("pending"), &json!(true)));
    let reason = doubtful["lastError"].as_str().unwrap();
    assert!(reason.starts_with("outcome unknown: "), "{reason}");
    assert_eq!(server.mails().len(), 1);

    let delivered = desk.later(&server, &response).await;
    assert_eq!((&delivered["status"], &delivered["ambiguous"]), (&json!("sent"), &json!(false)));
    let mails = server.mails();
    let [first, second] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
    assert_eq!(first.text(), second.text());
}

async fn what_happens_before_the_text_is_no_doubt(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    for manner in [
        Manner::Greet("421 4.3.2 too busy"),
        Manner::Greet("554 5.3.2 not today"),
        Manner::Close("EHLO"),
        Manner::Close("RCPT"),
        Manner::Silent("MAIL"),
        Manner::Close("DATA"),
        Manner::Answer("RCPT", "421 4.3.2 closing"),
    ] {
        server.behave(manner);
        let response = desk.approved("email", "not yet").await;
        let put_off = desk.troubled(&response).await;
        assert_eq!((&put_off["status"], &put_off["attempts"]), (&json!("pending"), &json!(1)), "{manner:?}");
        assert_eq!(put_off["ambiguous"], false, "{manner:?}: {put_off}");
        desk.later(&server, &response).await;
    }
}

async fn a_refused_sign_in_fails_no_response_for_good(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    for manner in [
        Manner::Answer("AUTH", "535 5.7.8 bad credentials"),
        Manner::Answer("MAIL", "530 5.7.0 sign in first"),
    ] {
        server.behave(manner);
        let response = desk.approved("email", "not the reply's fault").await;
        let put_off = desk.troubled(&response).await;
        assert_eq!((&put_off["status"], &put_off["attempts"]), (&json!("pending"), &json!(1)));
        assert!(!put_off.to_string().contains(PASSWORD));
        desk.later(&server, &response).await;
    }
}

#[test]
fn a_password_is_not_sent_without_tls_unless_told_so() {
    never_signs_in("");
}

#[test]
fn a_server_without_the_tls_that_is_required_gets_nothing() {
    never_signs_in("?tls=required");
}

fn never_signs_in(tls: &str) {
    let server = MailServer::start();
    let url = format!("smtp://hub:{PASSWORD}@127.0.0.1:{}{tls}", server.port);
    run_with(Engine::Embedded, &variables(&url), |hub| {
        Box::pin(async move {
            let desk = Desk::of(hub).await;
            let response = desk.approved("email", "in confidence").await;
            let put_off = desk.troubled(&response).await;
            assert_eq!((&put_off["status"], &put_off["attempts"]), (&json!("pending"), &json!(1)));
            let told = server.commands().concat();
            assert!(!told.contains("AUTH") && !told.contains("MAIL"), "{told}");
        })
    });
}
