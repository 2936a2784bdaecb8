//! What the hub does by itself, without a database: `cargo bench -p nexus-actors`.

#![expect(clippy::unwrap_used, reason = "a bench has nobody to tell")]

use std::hint::black_box;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, Supervised};
use actix_rt::{Arbiter, System};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::approval_policy::Terms;
use nexus_actors::domain::assignment::{Candidate, Wanted, choose};
use nexus_actors::domain::envelope::Envelope;
use nexus_actors::domain::notification::Notification;
use nexus_actors::domain::response::{Approval, Response};
use nexus_actors::mailbox::Mailbox;
use nexus_actors::notifier::{Kind, Lines, Subscribe};
use nexus_actors::store::notifications::Told;
use nexus_actors::supervision::Supervision;
use nexus_actors::{HubError, new_id};
use serde_json::value::to_raw_value;
use serde_json::{Map, json};
use uuid::Uuid;

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
}

#[derive(Message)]
#[rtype(result = "Result<u64, HubError>")]
struct Echo(u64);

struct Desk;

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Supervised for Desk {}

nexus_actors::follows_traces!(Desk);

impl Handler<Echo> for Desk {
    type Result = Result<u64, HubError>;

    fn handle(&mut self, Echo(number): Echo, _: &mut Self::Context) -> Self::Result {
        Ok(number)
    }
}

/// There and back, to an actor on the caller's thread and to one on a thread of its own.
fn mailbox_hop(criterion: &mut Criterion) {
    let system = System::new();
    let supervision = Supervision::default();
    let elsewhere = Arbiter::new();
    let (here, there) = system.block_on(async {
        let start = |arbiter| Mailbox::start(&supervision, &arbiter, "desk", 1024, |_| Desk);
        (start(Arbiter::current()), start(elsewhere.handle()))
    });
    for (name, mailbox) in [("mailbox, same thread", here), ("mailbox, another thread", there)] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| system.block_on(mailbox.ask(Echo(black_box(1)))).unwrap());
        });
    }
    elsewhere.stop();
}

fn life_cycle(criterion: &mut Criterion) {
    let (author, manager) = (new_id(), new_id());
    let text = "It left our warehouse this morning and should be with you tomorrow. ".repeat(4);
    let draft = Response::draft(new_id(), new_id(), text, author, noon());
    let approval: Approval = serde_json::from_value(json!({"revision": 1})).unwrap();
    criterion.bench_function("submit, approve and confirm a response", |bencher| {
        bencher.iter(|| {
            let submitted = draft.submit(Terms::default(), noon()).unwrap();
            let approved = submitted.approve(manager, &approval, 1, noon()).unwrap();
            approved.confirm_delivery(noon(), noon()).unwrap()
        });
    });
}

fn assignment(criterion: &mut Criterion) {
    let wanted = Wanted { category: "billing".to_owned(), ..Wanted::default() };
    for csos in [50, 5_000] {
        let candidate = |number: i64| Candidate {
            user_id: Uuid::from_u128(number as u128),
            accepts_work: number % 10 != 0,
            open: number * 7_919 % 20,
            capacity: 20,
            skills: if number % 3 == 0 { vec!["billing".to_owned()] } else { Vec::new() },
            last_assigned_at: Some(noon().plus(Duration::from_secs(number as u64))),
        };
        let candidates: Vec<_> = (0..csos).map(candidate).collect();
        criterion.bench_function(&format!("choose among {csos} CSOs"), |bencher| {
            bencher.iter(|| choose(black_box(&wanted), black_box(&candidates)));
        });
    }
}

fn envelope(criterion: &mut Criterion) {
    let body = json!({
        "externalId": "<CAF=abc@mail.example>",
        "customer": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"},
        "subject": "Where is my order?",
        "message": "My order was due on Monday and the tracking page has not changed since. ".repeat(4),
    });
    let envelope = Envelope {
        receipt: new_id(),
        routing_key: "inquiry.email".to_owned(),
        message_id: Some("1".to_owned()),
        content_type: Some("application/json".to_owned()),
        headers: Map::new(),
        body: body.to_string().into_bytes(),
    };
    criterion.bench_function("understand an inbound inquiry", |bencher| {
        bencher.iter(|| black_box(&envelope).understand().unwrap());
    });
}

/// One submission, for 200 managers with five sockets each.
fn fan_out(criterion: &mut Criterion) {
    let managers: Vec<Uuid> = (0..200).map(|_| new_id()).collect();
    let data = to_raw_value(&json!({"message": "It ships tomorrow. ".repeat(20)})).unwrap();
    criterion.bench_function("hand one submission to 1,000 connections", |bencher| {
        let lines = Lines::default();
        lines.begin(0);
        let open = |user_id| {
            let subscribe = Subscribe { user_id, session_id: new_id(), kind: Kind::Socket };
            lines.open(subscribe).unwrap()
        };
        let mut connections: Vec<_> =
            managers.iter().flat_map(|&user_id| (0..5).map(move |_| user_id)).map(open).collect();
        let mut number = 0;
        let told = || {
            let told = |&user_id: &Uuid| {
                number += 1;
                let notification = Notification {
                    id: number,
                    event_type: "response.submitted".to_owned(),
                    time: noon(),
                    subject: Uuid::nil(),
                    data: data.clone(),
                    read_at: None,
                };
                Told { user_id, news_id: Uuid::nil(), notification }
            };
            managers.iter().map(told).collect()
        };
        bencher.iter_batched(
            told,
            |told| {
                lines.push(told);
                // As each connection does; unread, it would be dropped.
                for connection in &mut connections {
                    connection.pushed.try_recv().unwrap();
                }
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, mailbox_hop, life_cycle, assignment, envelope, fan_out);
criterion_main!(benches);
