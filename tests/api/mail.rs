//! The hub as its own sender: with a mail server set, approved replies of the channel `email` go there.

mod server;

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Client, Engine, TestHub, eventually, id_of, on_both_engines, path, run_instances, run_with,
};
use server::{MailServer, Manner, TEXT};

on_both_engines!(
    in with_mail_server;
    an_approved_reply_is_mailed,
    what_is_not_approved_is_not_mailed,
    other_channels_are_not_mailed,
    the_text_arrives_byte_for_byte,
    a_passing_refusal_is_tried_again_as_the_same_mail,
    a_refusal_for_good_fails_the_response,
    a_lost_answer_leaves_the_outcome_unknown_until_it_is_sent_again,
    a_server_that_never_answers_leaves_the_outcome_unknown,
    what_happens_before_the_text_is_no_doubt,
    connections_are_used_again,
    a_refused_sign_in_fails_no_response_for_good,
);

const PASSWORD: &str = "hunter2";
const LATER: Duration = Duration::from_secs(31);

/// Runs a test with a hub that sends its mail to a server of the test's own.
fn with_mail_server(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, MailServer) -> LocalBoxFuture<'a, ()>,
) {
    let server = MailServer::start();
    let url = format!("smtp://hub:{PASSWORD}@127.0.0.1:{}?tls=none", server.port);
    run_with(engine, &variables(&url), |hub| test(hub, server));
}

fn variables(url: &str) -> [(&str, &str); 3] {
    [
        ("SMTP_URL", url),
        ("SMTP_FROM", "Customer Support <support@hub.example>"),
        ("NEXUS__SMTP__TIMEOUT", "2s"),
    ]
}

/// People to take a reply from its draft to its approval.
struct Desk<'a> {
    hub: &'a TestHub,
    admin: Client,
    cso: Client,
    manager: Client,
}

impl<'a> Desk<'a> {
    async fn of(hub: &'a TestHub) -> Self {
        Self { hub, admin: hub.admin().await, cso: hub.cso().await, manager: hub.manager().await }
    }

    /// A draft of a reply to a message that came in through `channel`.
    async fn draft(&self, channel: &str, text: &str) -> Value {
        let message = json!({
            "externalId": format!("<{}@mail.example>", Uuid::new_v4()), "threadId": "<first@mail.example>",
            "customer": {"email": format!("{}@example.com", Uuid::new_v4().simple()), "firstName": "Ada",
                "lastName": "Lovelace", "phone": null, "company": null},
            "subject": "Wo ist meine Bestellung? 📦", "message": "It was due on Monday.", "metadata": {}
        });
        let taken = self.admin.post(&format!("/inbound/{channel}"), message).await.expect(201);
        self.cso
            .post("/responses", json!({"inquiryId": taken["inquiryId"], "message": text}))
            .await
            .expect(201)
    }

    async fn submitted(&self, channel: &str, text: &str) -> Value {
        let draft = self.draft(channel, text).await;
        self.cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200)
    }

    async fn approved(&self, channel: &str, text: &str) -> Value {
        let submitted = self.submitted(channel, text).await;
        self.approve(&submitted).await
    }

    async fn approve(&self, response: &Value) -> Value {
        self.manager.act(&format!("{}/approve", path("responses", response))).await.expect(200)
    }

    /// The latest delivery of a response.
    async fn delivery(&self, response: &Value) -> Value {
        let page = self.admin.get("/deliveries?limit=100&sortBy=createdAt&sortOrder=desc").await.expect(200);
        let deliveries = page["data"].as_array().unwrap();
        deliveries.iter().find(|one| one["responseId"] == response["id"]).unwrap().clone()
    }

    async fn response(&self, response: &Value) -> Value {
        self.admin.get(&path("responses", response)).await.expect(200)
    }

    async fn becomes(&self, response: &Value, status: &str) -> Value {
        eventually("the response is settled", async || self.response(response).await["status"] == status)
            .await;
        self.response(response).await
    }

    /// Waits until the latest delivery has failed in some way, and answers with it.
    async fn troubled(&self, response: &Value) -> Value {
        eventually("something went wrong", async || {
            self.delivery(response).await["lastError"] != Value::Null
        })
        .await;
        self.delivery(response).await
    }

    /// Lets the back-off pass and the next attempt be made.
    async fn later(&self, server: &MailServer, response: &Value) -> Value {
        server.behave(Manner::Accept);
        self.hub.clock.advance(LATER);
        self.becomes(response, "sent").await;
        self.delivery(response).await
    }
}

async fn an_approved_reply_is_mailed(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    let response = desk.approved("email", "Dear Ada,\nit ships tomorrow.\n").await;
    let sent = desk.becomes(&response, "sent").await;
    assert_ne!(sent["sentAt"], Value::Null);
    let delivery = desk.delivery(&response).await;
    assert_eq!((&delivery["status"], &delivery["ambiguous"]), (&json!("sent"), &json!(false)));

    let mails = server.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, email, external) =
        (text(&delivery["id"]), text(&delivery["to"]["email"]), text(&delivery["externalId"]));
    assert_eq!((&mail.from, &mail.to), (&"support@hub.example".to_owned(), &email));
    assert_eq!(mail.text(), "Dear Ada,\nit ships tomorrow.\n");
    for (name, value) in [
        ("From", "\"Customer Support\" <support@hub.example>".to_owned()),
        ("To", format!("\"Ada Lovelace\" <{email}>")),
        ("Date", "Tue, 01 Jun 2100 08:00:00 +0000".to_owned()),
        ("Message-ID", format!("<{id}@hub.example>")),
        ("X-Nexus-Delivery-Id", id),
        ("In-Reply-To", external.clone()),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
    ] {
        assert_eq!(mail.header(name), Some(value), "{name}");
    }
    let references = mail.header("References").unwrap();
    assert_eq!(references.split_whitespace().collect::<Vec<_>>(), ["<first@mail.example>", &external]);
    let parsed = mail_parser::MessageParser::default().parse(&mail.source).unwrap();
    assert_eq!(parsed.subject(), Some("Re: Wo ist meine Bestellung? 📦"));
}

async fn what_is_not_approved_is_not_mailed(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    desk.draft("email", "a draft").await;
    let withdrawn = desk.submitted("email", "withdrawn").await;
    desk.cso.act(&format!("{}/withdraw", path("responses", &withdrawn))).await.expect(200);
    let rejected = desk.submitted("email", "rejected").await;
    let reject = format!("{}/reject", path("responses", &rejected));
    desk.manager.post(&reject, json!({"notes": "Too short."})).await.expect(200);
    desk.submitted("email", "pending").await;
    // Had any of those been sent, it would have been before this one.
    let approved = desk.approved("email", "approved").await;
    desk.becomes(&approved, "sent").await;
    let texts: Vec<_> = server.mails().iter().map(server::Mail::text).collect();
    assert_eq!(texts, ["approved"]);
}

async fn other_channels_are_not_mailed(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    let chat = desk.approved("chat", "for the chat").await;
    let mail = desk.approved("email", "for the mailbox").await;
    desk.becomes(&mail, "sent").await;
    assert_eq!(desk.response(&chat).await["status"], "approved");
    assert_eq!(desk.delivery(&chat).await["status"], "pending");
    let texts: Vec<_> = server.mails().iter().map(server::Mail::text).collect();
    assert_eq!(texts, ["for the mailbox"]);
}

async fn the_text_arrives_byte_for_byte(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    let long = "🙂".repeat(3000);
    let text = format!(".\n..\r\n.\r\ntrailing \t \r\nlone\rCR = {long}\r\nBcc: x@y.z\n\r\n.\r\n");
    let response = desk.approved("email", &text).await;
    desk.becomes(&response, "sent").await;
    assert_eq!(server.mails()[0].text(), text);
}

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
        let due = nexus_actors::domain::Timestamp::parse(put_off["nextAttemptAt"].as_str().unwrap()).unwrap();
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
        // A connection left open by what came before would be past the greeting.
        hub.clock.advance(LATER);
        server.behave(manner);
        let response = desk.approved("email", "not yet").await;
        let put_off = desk.troubled(&response).await;
        assert_eq!((&put_off["status"], &put_off["attempts"]), (&json!("pending"), &json!(1)), "{manner:?}");
        assert_eq!(put_off["ambiguous"], false, "{manner:?}: {put_off}");
        desk.later(&server, &response).await;
        server.behave(Manner::Close("RSET"));
    }
}

async fn connections_are_used_again(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    for text in ["one", "two", "three"] {
        let response = desk.approved("email", text).await;
        desk.becomes(&response, "sent").await;
    }
    server.behave(Manner::Answer("RCPT", "550 5.1.1 no such mailbox"));
    let refused = desk.approved("email", "refused").await;
    desk.becomes(&refused, "delivery_failed").await;
    server.behave(Manner::Accept);
    let last = desk.approved("email", "four").await;
    desk.becomes(&last, "sent").await;
    assert_eq!(server.mails().len(), 4);
    let commands = server.commands();
    assert_eq!(commands.len(), 1, "one connection is enough for one mail after the other: {commands:?}");
    // \0hub\0hunter2
    assert!(commands[0].contains("AUTH PLAIN AGh1YgBodW50ZXIy\n"), "{commands:?}");
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
fn two_instances_mail_each_reply_once() {
    let server = MailServer::start();
    let url = format!("smtp://127.0.0.1:{}", server.port);
    run_instances(Engine::Full, 2, &variables(&url), |hubs| {
        Box::pin(async move {
            let desks = [Desk::of(&hubs[0]).await, Desk::of(&hubs[1]).await];
            let replies = (0..20).map(|n| {
                let desk = &desks[n % 2];
                async move { (desk, desk.approved("email", &format!("reply {n}")).await) }
            });
            let mut expected = HashSet::new();
            for (desk, response) in futures_util::future::join_all(replies).await {
                desk.becomes(&response, "sent").await;
                expected.insert(id_of(&desk.delivery(&response).await).to_string());
            }
            let mails = server.mails();
            let sent: HashSet<_> =
                mails.iter().filter_map(|mail| mail.header("X-Nexus-Delivery-Id")).collect();
            assert_eq!((mails.len(), sent), (20, expected));
        })
    });
}

#[test]
fn a_password_is_not_sent_without_tls_unless_told_so() {
    let server = MailServer::start();
    let url = format!("smtp://hub:{PASSWORD}@127.0.0.1:{}", server.port);
    run_with(Engine::Embedded, &variables(&url), |hub| {
        Box::pin(async move {
            let desk = Desk::of(hub).await;
            let response = desk.approved("email", "in confidence").await;
            let put_off = desk.troubled(&response).await;
            assert_eq!((&put_off["status"], &put_off["attempts"]), (&json!("pending"), &json!(1)));
            assert!(server.commands().iter().all(|said| !said.contains("AUTH")), "{:?}", server.commands());
        })
    });
}
