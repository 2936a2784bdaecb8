//! What keeps a digest from arriving, and that it does so once all the same.

use std::time::Duration;

use futures_util::future::join_all;
use nexus_actors::digest_mailer::GATHERING;
use nexus_actors::mailbox::Panic;
use nexus_actors::store::notifications::ClaimDigest;
use serde_json::json;

use super::{
    INTERVAL, MINUTE, lists, mail, mailing, mails, pass, pass_and_mail, subjects, url, with_mail_server,
};
use crate::harness::{Engine, PASSWORD, Place, TestHub, eventually, on_both_engines, run_instances};
use crate::mail::server::{MailServer, Manner, TEXT};
use crate::metrics::scrape;
use crate::responses::{submitted, to};

on_both_engines!(
    in with_mail_server;
    a_server_that_is_away_gets_it_all_once_it_is_back,
    one_that_may_have_arrived_goes_again_as_the_same_mail,
    one_that_never_gets_an_answer_is_given_up,
    one_that_is_refused_is_given_up,
    a_digest_that_its_sender_died_over_goes_as_the_same_mail,
    a_panic_of_the_mailer_loses_nothing,
);

/// Longer than the pause after a first failure.
const LATER: Duration = Duration::from_secs(31);

async fn a_server_that_is_away_gets_it_all_once_it_is_back(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let first = submitted(hub, &cso, &admin).await;
    hub.clock.advance(MINUTE);
    let second = submitted(hub, &cso, &admin).await;
    for manner in [
        Manner::Greet("421 4.3.2 too busy"),
        Manner::Close("EHLO"),
        Manner::Answer("RCPT", "450 4.2.0 greylisted"),
        Manner::Answer(TEXT, "452 4.3.1 no room"),
    ] {
        server.behave(manner);
        pass_and_mail(hub, if manner == Manner::Close("EHLO") { MINUTE } else { 29 * MINUTE }).await;
    }
    let tried = server.mails().len();
    assert_eq!(tried, 1, "refused once it was read");
    let connections = server.commands().len();
    server.behave(Manner::Accept);
    mail(hub).await;
    assert_eq!((server.mails().len(), server.commands().len()), (tried, connections), "not before the pause");
    hub.clock.advance(4 * MINUTE);
    mail(hub).await;
    hub.clock.advance(INTERVAL);
    mail(hub).await;
    let mails = mails(&server, &manager);
    let [_, mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(lists(mail, &first) && lists(mail, &second));
}

async fn one_that_may_have_arrived_goes_again_as_the_same_mail(hub: &TestHub, server: MailServer) {
    for manner in [Manner::Close(TEXT), Manner::Silent(TEXT)] {
        let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
        let first = submitted(hub, &cso, &admin).await;
        let decided = submitted(hub, &cso, &admin).await;
        hub.clock.advance(MINUTE);
        let second = submitted(hub, &cso, &admin).await;
        server.behave(manner);
        pass_and_mail(hub, 29 * MINUTE).await;
        assert_eq!(mails(&server, &manager).len(), 1, "{manner:?}");
        manager.act(&to(&decided, "approve")).await.expect(200);
        // What fails now does not undo what may have arrived.
        server.behave(Manner::Greet("421 4.3.2 too busy"));
        pass_and_mail(hub, MINUTE).await;
        server.behave(Manner::Accept);
        hub.clock.advance(2 * LATER);
        mail(hub).await;
        hub.clock.advance(INTERVAL);
        mail(hub).await;
        let mails = mails(&server, &manager);
        let [lost, again, next] = mails.as_slice() else { panic!("{manner:?}: {mails:?}") };
        assert_eq!(lost.header("Message-ID"), again.header("Message-ID"));
        assert!(lists(lost, &first) && lists(again, &first) && !lists(next, &first));
        assert!(lists(lost, &decided) && !lists(again, &decided));
        assert!(lists(next, &second) && !lists(again, &second));
        assert_ne!(next.header("Message-ID"), again.header("Message-ID"));
        for user in [&cso, &manager] {
            admin.patch(&format!("/users/{}", user.id), json!({"isActive": false})).await.expect(200);
        }
    }
}

async fn one_that_never_gets_an_answer_is_given_up(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    submitted(hub, &cso, &admin).await;
    // It has certainly not arrived then, which counts for nothing.
    server.behave(Manner::Close("EHLO"));
    pass_and_mail(hub, 30 * MINUTE).await;
    server.behave(Manner::Close(TEXT));
    for _ in 0..12 {
        hub.clock.advance(60 * MINUTE);
        mail(hub).await;
    }
    let ids: Vec<_> = mails(&server, &manager).iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids, vec![ids[0].clone(); 8]);
}

async fn one_that_is_refused_is_given_up(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    submitted(hub, &cso, &admin).await;
    hub.clock.advance(15 * MINUTE);
    let next = submitted(hub, &cso, &admin).await;
    server.behave(Manner::Answer("RCPT", "550 5.1.1 no such mailbox"));
    pass_and_mail(hub, 15 * MINUTE).await;
    for _ in 0..5 {
        hub.clock.advance(2 * MINUTE);
        mail(hub).await;
    }
    let tried = server.commands().concat().matches("RCPT TO").count();
    assert_eq!(tried, 1);
    assert_eq!(scrape(hub).await.value("nexus_digests_total", &[("outcome", "given_up")]), 1.0);
    server.behave(Manner::Accept);
    pass_and_mail(hub, 5 * MINUTE).await;
    let mails = mails(&server, &manager);
    assert_eq!(subjects(&server, &manager), ["1 reply waits for approval"]);
    assert!(lists(&mails[0], &next));
}

async fn a_digest_that_its_sender_died_over_goes_as_the_same_mail(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    submitted(hub, &cso, &admin).await;
    pass(hub, 30 * MINUTE).await;
    // As an instance that claims it and is gone.
    let now = hub.clock.now();
    let claim = ClaimDigest { user_id: manager.id, now, until: now.plus(MINUTE), next: now.plus(INTERVAL) };
    let claimed = hub.app.hub.notifications.ask(claim).await.unwrap().unwrap();
    assert_eq!((claimed.total, claimed.in_doubt), (1, false));
    hub.clock.advance(MINUTE - Duration::from_millis(1));
    mail(hub).await;
    assert_eq!(server.mails().len(), 0, "the claim holds");
    hub.clock.advance(Duration::from_millis(1));
    mail(hub).await;
    let mails = mails(&server, &manager);
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail.header("Message-ID"), Some(format!("<{}@hub.example>", claimed.id)));
}

async fn a_panic_of_the_mailer_loses_nothing(hub: &TestHub, server: MailServer) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    submitted(hub, &cso, &admin).await;
    let mailer = hub.app.hub.digest_mailer.as_ref().unwrap();
    mailer.ask(Panic).await.unwrap_err();
    pass(hub, 30 * MINUTE).await;
    mailer.ask(Panic).await.unwrap_err();
    hub.clock.advance(GATHERING);
    // By its own loop, which goes on.
    eventually("the digest is mailed", async || mails(&server, &manager).len() == 1).await;
}

#[test]
fn two_instances_send_one() {
    let server = MailServer::start();
    run_instances(Engine::Full, 2, &mailing(&url(&server)), |hubs| {
        Box::pin(async move {
            let (admin, cso) = (hubs[0].admin().await, hubs[0].cso().await);
            let managers = join_all((0..10).map(|_| hubs[0].manager())).await;
            for _ in 0..5 {
                submitted(&hubs[0], &cso, &admin).await;
            }
            for hub in hubs {
                pass(hub, 30 * MINUTE).await;
            }
            for hub in hubs {
                hub.clock.advance(GATHERING);
            }
            join_all(hubs.iter().map(mail)).await;
            for manager in &managers {
                assert_eq!(subjects(&server, manager), ["5 replies wait for approval"]);
            }
        })
    });
}

#[test]
fn a_restart_loses_none_embedded() {
    restarted(Engine::Embedded);
}

#[test]
fn a_restart_loses_none_full() {
    restarted(Engine::Full);
}

/// Also of what was noted while there was no mail server, and while no digests were wanted.
fn restarted(engine: Engine) {
    let server = MailServer::start();
    let url = url(&server);
    let mailing = mailing(&url);
    let unwanted = [mailing.as_slice(), &[("NEXUS__APPROVAL__DIGEST_EVERY", "0")]].concat();
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(engine).await;
        let hub = TestHub::start(&place, &[("JWT_EXPIRATION", "7d")]).await;
        let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
        let response = submitted(&hub, &cso, &admin).await;
        let decided = submitted(&hub, &cso, &admin).await;
        pass(&hub, 30 * MINUTE).await;
        hub.clock.advance(MINUTE);
        assert!(hub.app.hub.digest_mailer.is_none());
        hub.stop().await;

        let hub = TestHub::start(&place, &unwanted).await;
        hub.clock.advance(32 * MINUTE);
        assert!(hub.app.hub.digest_mailer.is_none());
        let someone = hub.sign_in(&manager.email, PASSWORD).await;
        someone.act(&to(&decided, "approve")).await.expect(200);
        hub.stop().await;
        assert_eq!(server.mails().len(), 0);

        for _ in 0..2 {
            let hub = TestHub::start(&place, &mailing).await;
            hub.clock.advance(33 * MINUTE);
            mail(&hub).await;
            hub.stop().await;
            let mails = mails(&server, &manager);
            let [mail] = mails.as_slice() else { panic!("{mails:?}") };
            assert!(lists(mail, &response) && !lists(mail, &decided));
        }
        place.remove().await;
    });
}
