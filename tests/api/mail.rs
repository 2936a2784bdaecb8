//! The hub as its own sender: with a mail server set, approved replies of the channel `email` go there.

mod desk;
mod digests;
mod failures;
mod server;

use std::collections::HashSet;

use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

use crate::harness::{Engine, TestHub, eventually, id_of, on_both_engines, path, run_instances, run_with};
use crate::traces::ENDPOINT;
use crate::traces::collector::{Collector, Seen};
use desk::Desk;
use server::{Mail, MailServer, Manner};

on_both_engines!(
    in with_mail_server;
    an_approved_reply_is_mailed,
    what_is_not_approved_is_not_mailed,
    other_channels_are_not_mailed,
    the_text_arrives_byte_for_byte,
    connections_are_used_again,
);

on_both_engines!(in traced; a_mailed_reply_is_in_the_trace_of_its_approval);

const PASSWORD: &str = "hunter2";

/// Runs a test with a hub that sends its mail to a server of the test's own.
fn with_mail_server(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, MailServer) -> LocalBoxFuture<'a, ()>,
) {
    let server = MailServer::start();
    let url = format!("smtp://hub:{PASSWORD}@127.0.0.1:{}?tls=none", server.port);
    run_with(engine, &variables(&url), |hub| test(hub, server));
}

/// As [`with_mail_server`], with a collector of traces.
fn traced(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, (MailServer, Collector)) -> LocalBoxFuture<'a, ()>,
) {
    let (server, collector) = (MailServer::start(), Collector::start());
    let url = format!("smtp://hub:{PASSWORD}@127.0.0.1:{}?tls=none", server.port);
    let endpoint = collector.endpoint.clone();
    let mut variables = variables(&url).to_vec();
    variables.push((ENDPOINT, &endpoint));
    run_with(engine, &variables, |hub| test(hub, (server, collector)));
}

async fn a_mailed_reply_is_in_the_trace_of_its_approval(
    hub: &TestHub,
    (_server, collector): (MailServer, Collector),
) {
    let desk = Desk::of(hub).await;
    let response = desk.approved("email", "Dear Ada,\nit ships tomorrow.\n").await;
    desk.becomes(&response, "sent").await;
    let deliver = |span: &Seen| span.name == "deliver";
    let settled = |span: &Seen| span.name == "ApprovalCoordinator SettleDelivery";
    let approval = |span: &Seen| span.name == "POST /api/v1/responses/{id}/approve";
    let mut found = Vec::new();
    eventually("all are there", async || {
        let spans = [collector.find(deliver), collector.find(settled), collector.find(approval)];
        found = spans.into_iter().flatten().collect();
        found.len() == 3
    })
    .await;
    let [deliver, settled, approval] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(deliver.attribute("nexus.delivery.id"), desk.delivery(&response).await["id"]);
    assert_eq!((deliver.trace, settled.trace), (approval.trace, approval.trace));
    assert_eq!((settled.parent, settled.links.len()), (deliver.id, 0));
}

fn variables(url: &str) -> [(&str, &str); 3] {
    [
        ("SMTP_URL", url),
        ("SMTP_FROM", "Customer Support <support@hub.example>"),
        ("NEXUS__SMTP__TIMEOUT", "2s"),
    ]
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
    let texts: Vec<_> = server.mails().iter().map(Mail::text).collect();
    assert_eq!(texts, ["approved"]);
}

async fn other_channels_are_not_mailed(hub: &TestHub, server: MailServer) {
    let desk = Desk::of(hub).await;
    let chat = desk.approved("chat", "for the chat").await;
    let mail = desk.approved("email", "for the mailbox").await;
    desk.becomes(&mail, "sent").await;
    assert_eq!(desk.response(&chat).await["status"], "approved");
    assert_eq!(desk.delivery(&chat).await["status"], "pending");
    let texts: Vec<_> = server.mails().iter().map(Mail::text).collect();
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
