//! Inquiries in and replies out, while everything around is killed and restarted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::figures::Figures;
use super::gateway::{Arrived, Mailbox, Message, Publisher, send_mail};
use super::hub::{Hub, Person, ready};
use super::services::{Service, Services, count};
use super::{Outcome, until};

/// Conversations that one publish holds a message of. Each has one in it at most, so that its order is that of the
/// publishes even where a message has to be published again.
const WINDOW: usize = 100;
/// Messages a conversation has.
const LENGTH: usize = 10;
/// What may pass between the last publish and the last commit.
const DRAIN: Duration = Duration::from_secs(120);

/// A hub with servers, all of which are killed and restarted.
pub struct Deployment {
    services: Rc<tokio::sync::Mutex<Services>>,
    hub: RefCell<Hub>,
}

impl Deployment {
    pub async fn start(services: Rc<tokio::sync::Mutex<Services>>) -> Outcome<Self> {
        let mut hub = Hub::new(&*services.lock().await)?;
        hub.start()?;
        ready(&hub.base).await?;
        Ok(Self { services, hub: RefCell::new(hub) })
    }
}

/// What gateways are about to publish, and what must come of it.
struct Plan {
    windows: Vec<Vec<Message>>,
    published: usize,
    distinct: usize,
    malformed: usize,
    conversations: usize,
    single: usize,
}

impl Plan {
    fn of(messages: usize) -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let malformed = messages / 100;
        let distinct = messages * 4 / 5 - malformed;
        let conversations = distinct / 2 / LENGTH;
        let single = distinct - conversations * LENGTH;
        let numbers: Vec<usize> = (0..conversations).collect();
        // Round by round, so that the messages of a conversation lie far apart.
        let rounds = (0..LENGTH).flat_map(|round| numbers.chunks(WINDOW).map(move |some| (round, some)));
        let rounds: Vec<_> = rounds.collect();
        let count = rounds.len();
        let share = |total: usize, window: usize| total * window / count..total * (window + 1) / count;
        let mut windows = Vec::new();
        for (window, (round, some)) in rounds.into_iter().enumerate() {
            let mut these: Vec<Message> = Vec::new();
            these.extend(some.iter().map(|number| said(&format!("c{number}-{round}"), Some(*number), round)));
            these.extend(share(single, window).map(|number| said(&format!("s{number}"), None, 0)));
            let once = these.len();
            for _ in 0..once / 4 {
                let again = these[random.random_range(0..once)].clone();
                these.push(again);
            }
            these.extend(share(malformed, window).map(malformed_message));
            windows.push(these);
        }
        let published = windows.iter().map(Vec::len).sum();
        Self { windows, published, distinct, malformed, conversations, single }
    }
}

pub fn malformed_message(number: usize) -> Message {
    let body = format!("{{\"externalId\": \"bad-{number}\", \"message\": ");
    Message { routing_key: "inquiry.email", id: format!("bad-{number}"), body }
}

pub fn said(external_id: &str, conversation: Option<usize>, round: usize) -> Message {
    let who = conversation.map_or_else(|| external_id.to_owned(), |number| format!("c{number}"));
    let body = json!({
        "externalId": external_id,
        "threadId": conversation.map(|number| format!("thread-{number}")),
        "customer": {"email": format!("{who}@example.com")},
        "subject": "Where is my order?",
        "message": format!("{round}"),
    });
    Message { routing_key: "inquiry.email", id: external_id.to_owned(), body: body.to_string() }
}

/// Publishes `messages` while the hub is killed `kills` times and each server restarted `restarts` times.
pub async fn inquiries(
    deployment: &Deployment,
    messages: usize,
    kills: usize,
    restarts: usize,
) -> Outcome<Figures> {
    let plan = Plan::of(messages);
    let begun = Instant::now();
    let progress = Cell::new(0_usize);
    let url = deployment.services.lock().await.amqp_url();
    let publish = async {
        let mut publisher = Publisher::new(&url);
        for window in &plan.windows {
            publisher.publish(window).await;
            progress.set(progress.get() + window.len());
        }
        Outcome::Ok(())
    };
    let total = plan.published;
    let faults = faults(deployment, &progress, total, kills, restarts);
    futures_util::try_join!(publish, faults)?;
    let published_in = begun.elapsed();
    let database = deployment.services.lock().await.database_url();
    let drained = until("every message is settled", DRAIN, async || {
        let inbox = count(&database, "select count(*) from inbox").await.unwrap_or(0);
        let dead = count(&database, "select count(*) from dead_letters").await.unwrap_or(0);
        inbox >= plan.distinct && dead >= plan.malformed
    })
    .await;
    let settled = (
        count(&database, "select count(*) from inbox").await?,
        count(&database, "select count(*) from dead_letters").await?,
    );
    let drained =
        drained.map_err(|error| format!("{error}: {settled:?} of {}, {}", plan.distinct, plan.malformed))?;
    let inquiries = count(&database, "select count(*) from inquiries").await?;
    let said = count(&database, "select count(*) from messages").await?;
    let dead = count(&database, "select count(*) from dead_letters").await?;
    let not_poison = count(&database, "select count(*) from dead_letters where reason <> 'bad_json'").await?;
    let disordered = count(
        &database,
        "select count(*) from (select m.message::int as place, \
         row_number() over (partition by inquiry_id order by m.created_at, m.id) - 1 as row \
         from messages m join inquiries i on i.id = m.inquiry_id where i.thread_id is not null) told \
         where place <> row",
    )
    .await?;
    let mut figures = Figures::default();
    figures.note(format!(
        "{} published ({} distinct, {} malformed) in {:.0} s under {} kills of the hub and {restarts} restarts each of \
         PostgreSQL, Redis and RabbitMQ; settled {:.1} s after the last",
        plan.published,
        plan.distinct,
        plan.malformed,
        published_in.as_secs_f64(),
        deployment.hub.borrow().kills,
        drained.as_secs_f64()
    ));
    figures.equal("inquiries", inquiries, plan.single + plan.conversations);
    figures.equal("messages", said, plan.distinct);
    figures.equal("dead letters", dead, plan.malformed);
    figures.equal("of them not poison", not_poison, 0);
    figures.equal("messages out of order", disordered, 0);
    Ok(figures)
}

/// Answers as many of those inquiries, in the same manner.
pub async fn replies(
    deployment: &Deployment,
    approvals: usize,
    kills: usize,
    restarts: usize,
) -> Outcome<Figures> {
    const PEOPLE: usize = 16;
    let (url, database) = {
        let services = deployment.services.lock().await;
        (services.amqp_url(), services.database_url())
    };
    let mailbox = Mailbox::default();
    let mail = actix_web::rt::spawn(send_mail(url, Rc::clone(&mailbox)));
    let (cso, manager) = {
        let base = deployment.hub.borrow().base.clone();
        let admin = Person::admin(&base).await?;
        (admin.make("cso", "cso@example.com").await?, admin.make("manager", "manager@example.com").await?)
    };
    let inquiries: Vec<sqlx::types::Uuid> = {
        let mut connection = PgConnection::connect(&database).await?;
        let sql = "select id from inquiries order by id limit $1";
        let limit = i64::try_from(approvals)?;
        sqlx::query_scalar(sql).bind(limit).fetch_all(&mut connection).await?
    };
    let approved: RefCell<BTreeMap<String, String>> = RefCell::default();
    let (next, done) = (Cell::new(0_usize), Cell::new(0_usize));
    let begun = Instant::now();
    let work = try_join_all((0..PEOPLE).map(|_| async {
        while next.get() < inquiries.len() {
            let index = next.get();
            next.set(index + 1);
            let text = format!("Dear customer,\r\n your order {index} ships tomorrow. \u{1f4e6}\n");
            let draft = json!({"inquiryId": inquiries[index], "message": text});
            let id = cso.post("/responses", draft).await?["id"].as_str().ok_or("no id")?.to_owned();
            cso.post(&format!("/responses/{id}/submit"), json!({})).await?;
            // Every tenth is not approved: nothing of it may go out.
            if index % 10 == 9 {
                manager.post(&format!("/responses/{id}/reject"), json!({"notes": "No."})).await?;
            } else {
                manager.post(&format!("/responses/{id}/approve"), json!({"revision": 1})).await?;
                approved.borrow_mut().insert(id, text);
            }
            done.set(done.get() + 1);
        }
        Outcome::Ok(())
    }));
    let before = deployment.hub.borrow().kills;
    let faults = faults(deployment, &done, inquiries.len(), kills, restarts);
    futures_util::try_join!(work, faults)?;
    let decided_in = begun.elapsed();
    let expected = approved.borrow().len();
    let drained = until("every approved reply is sent", DRAIN, async || {
        let sent = "select count(*) from responses where status = 'sent'";
        count(&database, sent).await.is_ok_and(|sent| sent >= expected)
    })
    .await?;
    mail.abort();
    let (mut several, mut differing, mut unapproved, mut repeated) = (0, 0, 0, 0);
    for (response, arrived) in mailbox.borrow().iter() {
        let text = approved.borrow().get(response).cloned();
        let ids: std::collections::BTreeSet<_> = arrived.iter().map(|one| &one.message_id).collect();
        several += usize::from(ids.len() != 1);
        repeated += arrived.len() - 1;
        match text {
            None => unapproved += 1,
            Some(text) => {
                let same = |one: &Arrived| {
                    one.message["message"] == json!(text)
                        && one.message["deliveryId"] == json!(one.message_id)
                };
                differing += usize::from(!arrived.iter().all(same));
            }
        }
    }
    let delivered = mailbox.borrow().len();
    let unsent = count(&database, "select count(*) from deliveries where status <> 'sent'").await?;
    let mut figures = Figures::default();
    figures.note(format!(
        "{expected} approved and {} rejected in {:.0} s under {} kills and {restarts} restarts each; all sent {:.1} s \
         after the last; {repeated} published again under the same id",
        inquiries.len() - expected,
        decided_in.as_secs_f64(),
        deployment.hub.borrow().kills - before,
        drained.as_secs_f64()
    ));
    figures.equal("delivered", delivered, expected);
    figures.equal("under more than one id", several, 0);
    figures.equal("with another text", differing, 0);
    figures.equal("not approved", unapproved, 0);
    figures.equal("deliveries not sent", unsent, 0);
    Ok(figures)
}

/// Kills and restarts, spread evenly over the progress.
async fn faults(
    deployment: &Deployment,
    progress: &Cell<usize>,
    total: usize,
    kills: usize,
    restarts: usize,
) -> Outcome {
    let mut due: Vec<(usize, Option<Service>)> = Vec::new();
    due.extend((1..=kills).map(|one| (total * one / (kills + 1), None)));
    let services = [Service::Rabbitmq, Service::Postgres, Service::Redis];
    let rounds = restarts * services.len();
    due.extend(
        (0..rounds).map(|one| (total * (one + 1) / (rounds + 1) + total / 50, Some(services[one % 3]))),
    );
    due.sort_by_key(|(at, _)| *at);
    for (at, service) in due {
        while progress.get() < at.min(total) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match service {
            Some(service) => {
                eprintln!("at {} of {total}: {service:?} restarts", progress.get());
                deployment.services.lock().await.restart(service).await?;
            }
            None => {
                eprintln!("at {} of {total}: the hub is killed", progress.get());
                deployment.hub.borrow_mut().kill_and_start()?;
            }
        }
    }
    Ok(())
}
