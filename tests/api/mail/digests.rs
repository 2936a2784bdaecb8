//! What waits for a decision, by mail: one mail for many, and no more of them than wanted.

mod troubles;

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use nexus_actors::approval_coordinator::FireTimers;
use nexus_actors::digest_mailer::{GATHERING, MailDigests};
use nexus_actors::domain::notice::LISTED;
use serde_json::{Value, json};

use super::server::{Mail, MailServer};
use super::variables;
use crate::harness::{Client, Engine, TestHub, eventually, id_of, on_both_engines, run_with};
use crate::responses::{submitted, to};

on_both_engines!(
    in with_mail_server;
    several_reminders_are_one_mail,
    nobody_is_mailed_twice_within_the_interval,
    managers_are_mailed_reminders_and_admins_escalations,
    what_was_read_or_decided_meanwhile_is_left_out,
    where_nothing_is_left_nothing_is_mailed_and_nothing_held_up,
    those_who_left_are_not_mailed,
    a_long_list_is_cut_and_says_so,
);

const MINUTE: Duration = Duration::from_secs(60);
/// Of `approval.digest_every`, by default.
const INTERVAL: Duration = Duration::from_secs(15 * 60);

fn with_mail_server(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, MailServer) -> LocalBoxFuture<'a, ()>,
) {
    let server = MailServer::start();
    run_with(engine, &mailing(&url(&server)), |hub| test(hub, server));
}

fn url(server: &MailServer) -> String {
    format!("smtp://127.0.0.1:{}", server.port)
}

fn mailing(url: &str) -> Vec<(&str, &str)> {
    // Access tokens outlive every wait in here.
    [variables(url).as_slice(), &[("JWT_EXPIRATION", "7d")]].concat()
}

/// Moves the clock and fires the timers that are due by then. What they have to tell still waits for more.
async fn pass(hub: &TestHub, time: Duration) {
    hub.clock.advance(time);
    hub.app.hub.approval_coordinator.ask(FireTimers).await.unwrap();
}

/// Sends what is due.
async fn mail(hub: &TestHub) {
    hub.app.hub.digest_mailer.as_ref().unwrap().ask(MailDigests).await.unwrap();
}

async fn pass_and_mail(hub: &TestHub, time: Duration) {
    pass(hub, time).await;
    hub.clock.advance(GATHERING);
    mail(hub).await;
}

/// The mails somebody got.
fn mails(server: &MailServer, client: &Client) -> Vec<Mail> {
    server.mails().into_iter().filter(|mail| mail.to == client.email).collect()
}

/// The subjects of what somebody got.
fn subjects(server: &MailServer, client: &Client) -> Vec<String> {
    mails(server, client).iter().map(|mail| mail.header("Subject").unwrap()).collect()
}

fn lists(mail: &Mail, response: &Value) -> bool {
    mail.text().contains(&id_of(response).to_string())
}

async fn several_reminders_are_one_mail(hub: &TestHub, server: MailServer) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let managers = [hub.manager().await, hub.manager().await];
    let mut responses = Vec::new();
    for _ in 0..3 {
        responses.push(submitted(hub, &cso, &admin).await);
    }
    pass(hub, 30 * MINUTE).await;
    mail(hub).await;
    assert_eq!(server.mails().len(), 0, "more may fall due at once");
    hub.clock.advance(GATHERING);
    mail(hub).await;
    assert_eq!(server.mails().len(), 2);
    for manager in &managers {
        let mails = mails(&server, manager);
        let [mail] = mails.as_slice() else { panic!("{mails:?}") };
        for (name, value) in [
            ("Subject", "3 replies wait for approval".to_owned()),
            ("From", "\"Customer Support\" <support@hub.example>".to_owned()),
            ("To", format!("\"Test User\" <{}>", manager.email)),
            ("Date", "Tue, 01 Jun 2100 08:30:05 +0000".to_owned()),
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ] {
            assert_eq!(mail.header(name), Some(value), "{name}");
        }
        assert_eq!(mail.from, "support@hub.example");
        let expected =
            responses.iter().fold("3 replies wait for approval.\n".to_owned(), |text, response| {
                text + &format!(
                    "\n- Where is my order?\n  by Test User, waiting for 30 min, response {}\n",
                    id_of(response)
                )
            });
        assert_eq!(mail.text(), expected);
    }
    let ids: Vec<_> = server.mails().iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    assert_ne!(ids[0], ids[1]);
}

async fn nobody_is_mailed_twice_within_the_interval(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let first = submitted(hub, &cso, &admin).await;
    hub.clock.advance(MINUTE);
    let mut later = Vec::new();
    for _ in 0..2 {
        later.push(submitted(hub, &cso, &admin).await);
        hub.clock.advance(MINUTE);
    }
    pass_and_mail(hub, 27 * MINUTE).await;
    assert_eq!(mails(&server, &manager).len(), 1);
    // Each of these reminds of one more.
    pass_and_mail(hub, MINUTE).await;
    pass_and_mail(hub, MINUTE).await;
    hub.clock.advance(INTERVAL - 2 * (MINUTE + GATHERING) - Duration::from_millis(1));
    mail(hub).await;
    assert_eq!(mails(&server, &manager).len(), 1);
    hub.clock.advance(Duration::from_millis(1));
    mail(hub).await;
    mail(hub).await;
    let mails = mails(&server, &manager);
    let [one, two] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(one.header("Subject").as_deref(), Some("1 reply waits for approval"));
    assert_eq!(two.header("Subject").as_deref(), Some("2 replies wait for approval"));
    assert!(lists(one, &first) && !lists(two, &first));
    assert!(later.iter().all(|response| lists(two, response) && !lists(one, response)));
    assert_ne!(one.header("Message-ID"), two.header("Message-ID"));
    hub.clock.advance(INTERVAL);
    mail(hub).await;
    assert_eq!(server.mails().len(), 2, "nothing is new");
}

async fn managers_are_mailed_reminders_and_admins_escalations(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    submitted(hub, &cso, &admin).await;
    pass_and_mail(hub, 30 * MINUTE).await;
    assert_eq!((mails(&server, &manager).len(), mails(&server, &admin).len()), (1, 0));
    pass_and_mail(hub, 90 * MINUTE).await;
    assert_eq!(subjects(&server, &manager), ["1 reply waits for approval"]);
    assert_eq!(subjects(&server, &admin), ["Escalated: 1 reply waits for approval"]);
    assert_eq!(server.mails().len(), 2);
}

async fn what_was_read_or_decided_meanwhile_is_left_out(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let (other, reader) = (hub.manager().await, hub.manager().await);
    let mut responses = Vec::new();
    for _ in 0..6 {
        responses.push(submitted(hub, &cso, &admin).await);
    }
    let [waits, read, approved, rejected, withdrawn, anew] = responses.as_slice() else { unreachable!() };
    pass(hub, 30 * MINUTE).await;
    let news = reminders(&manager, 6).await;
    let of_read = news.iter().find(|one| one["subject"] == read["id"]).unwrap();
    manager.act(&format!("/notifications/{}/read", of_read["id"])).await.expect(200);
    reminders(&reader, 6).await;
    reader.act("/notifications/read-all").await.expect(204);
    other.act(&to(approved, "approve")).await.expect(200);
    other.post(&to(rejected, "reject"), json!({"notes": "No."})).await.expect(200);
    cso.act(&to(withdrawn, "withdraw")).await.expect(200);
    cso.act(&to(anew, "withdraw")).await.expect(200);
    hub.clock.advance(Duration::from_secs(1));
    cso.act(&to(anew, "submit")).await.expect(200);
    hub.clock.advance(GATHERING);
    mail(hub).await;
    assert_eq!(subjects(&server, &manager), ["1 reply waits for approval"]);
    assert!(lists(&mails(&server, &manager)[0], waits));
    assert_eq!(subjects(&server, &other), ["2 replies wait for approval"]);
    assert!(lists(&mails(&server, &other)[0], read));
    assert_eq!(subjects(&server, &reader), [""; 0]);
    // What was submitted anew has a reminder of its own.
    pass_and_mail(hub, 30 * MINUTE).await;
    for manager in [&manager, &other, &reader] {
        let mail = mails(&server, manager).pop().unwrap();
        assert!(lists(&mail, anew) && !lists(&mail, waits));
    }
}

/// The reminders somebody can read, once they are this many.
async fn reminders(manager: &Client, count: usize) -> Vec<Value> {
    let list = async || {
        let list = manager.get("/notifications?limit=100").await.expect(200);
        let all = list["data"].as_array().unwrap().clone();
        all.into_iter().filter(|one| one["type"] == "approval.reminder").collect::<Vec<_>>()
    };
    eventually("the reminders can be read", async || list().await.len() == count).await;
    list().await
}

async fn where_nothing_is_left_nothing_is_mailed_and_nothing_held_up(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let decided = submitted(hub, &cso, &admin).await;
    hub.clock.advance(MINUTE);
    let next = submitted(hub, &cso, &admin).await;
    pass(hub, 29 * MINUTE).await;
    manager.act(&to(&decided, "approve")).await.expect(200);
    hub.clock.advance(GATHERING);
    mail(hub).await;
    assert_eq!(server.mails().len(), 0);
    pass_and_mail(hub, MINUTE).await;
    let mails = mails(&server, &manager);
    assert!(mails.len() == 1 && lists(&mails[0], &next));
}

async fn those_who_left_are_not_mailed(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let (left, demoted, promoted) = (hub.manager().await, hub.manager().await, hub.manager().await);
    submitted(hub, &cso, &admin).await;
    pass(hub, 30 * MINUTE).await;
    for (user, change) in [
        (&left, json!({"isActive": false})),
        (&demoted, json!({"role": "cso"})),
        (&promoted, json!({"role": "admin"})),
    ] {
        admin.patch(&format!("/users/{}", user.id), change).await.expect(200);
    }
    hub.clock.advance(GATHERING);
    mail(hub).await;
    let to: Vec<_> = server.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [manager.email]);
    // Whoever comes back is not told what others were told then.
    admin.patch(&format!("/users/{}", left.id), json!({"isActive": true})).await.expect(200);
    hub.clock.advance(INTERVAL);
    mail(hub).await;
    assert_eq!(server.mails().len(), 1);
}

async fn a_long_list_is_cut_and_says_so(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let last = usize::try_from(LISTED).unwrap();
    let mut responses = Vec::new();
    for _ in 0..last + 2 {
        responses.push(submitted(hub, &cso, &admin).await);
        hub.clock.advance(Duration::from_millis(1));
    }
    pass_and_mail(hub, 30 * MINUTE).await;
    let mails = mails(&server, &manager);
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(mail.text().starts_with("52 replies wait for approval.\n"), "{}", mail.text());
    assert!(mail.text().ends_with("\n\nand 2 more\n"), "{}", mail.text());
    let listed: Vec<_> = responses.iter().map(|response| lists(mail, response)).collect();
    assert!(listed[..last].iter().all(|&is| is) && listed[last..] == [false, false], "{listed:?}");
}
