//! Whatever people, the customer, the gateway and dying actors do at the same time: what reaches the customer was
//! approved, and whatever was approved is sent or has failed in the end. The rules are told once more here, and held
//! against the audit trail and against what the gateway was given.

mod plan;
mod trail;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, join, join_all, select};
use nexus_actors::Hub;
use nexus_actors::mailbox::Panic;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::gateway::{Listener, address, content};
use super::{Stage, staged_with};
use crate::harness::{Client, Engine, TestHub, eventually, path};
use plan::{Plan, Reported, Step};
use trail::Trail;

const CASES: u32 = 12;
/// Plans that have failed before.
const SEEDS: &str = "tests/api/channels/interleaved.seeds";
/// Longer than a claim of a delivery and than the pause before it is tried again.
const LATER: Duration = Duration::from_secs(61);
const VARIABLES: &[(&str, &str)] = &[
    ("JWT_EXPIRATION", "7d"),
    ("NEXUS__DATABASE__ACQUIRE_TIMEOUT", "60s"),
    (
        "NEXUS__APPROVAL__POLICIES",
        r#"[{"name": "bills", "category": ["legal"], "requires": "two_approvals"},
            {"name": "some", "category": ["chatter"], "requires": "sampled", "percentage": 50}]"#,
    ),
];

#[test]
fn whatever_happens_at_once_embedded() {
    interleaved(Engine::Embedded);
}

#[test]
fn whatever_happens_at_once_full() {
    interleaved(Engine::Full);
}

/// A plan, and how it ended is told to.
type Case = (Plan, oneshot::Sender<Result<(), String>>);

/// Proptest is not asynchronous, so it has a thread of its own and has its plans carried out here, all on one hub.
fn interleaved(engine: Engine) {
    staged_with(engine, 1, VARIABLES, |hubs, stage| {
        Box::pin(async move {
            let (to, mut cases) = mpsc::channel::<Case>(1);
            let runner = std::thread::spawn(move || {
                let config = Config {
                    cases: CASES,
                    max_shrink_iters: 50,
                    failure_persistence: Some(Box::new(FileFailurePersistence::Direct(SEEDS))),
                    ..Config::default()
                };
                let outcome = TestRunner::new(config).run(&plan::any(), |plan| {
                    let (tell, outcome) = oneshot::channel();
                    to.blocking_send((plan, tell)).map_err(|_| TestCaseError::fail("the hub is gone"))?;
                    let outcome = outcome.blocking_recv();
                    outcome.unwrap_or_else(|_| Err("it panicked".to_owned())).map_err(TestCaseError::fail)
                });
                outcome.map_err(|failure| failure.to_string())
            });
            let house = House {
                hub: &hubs[0],
                stage,
                second: hubs[0].manager().await,
                replies: stage.gateway.replies("email").await,
                sent: Cell::new(0),
            };
            while let Some((plan, tell)) = cases.recv().await {
                let _ = tell.send(house.carry_out(&plan).await);
            }
            let outcome = runner.join().unwrap();
            outcome.unwrap_or_else(|failure| panic!("{failure}"));
            assert!(house.sent.get() > 0, "nothing was sent");
        })
    });
}

struct House<'a> {
    hub: &'a TestHub,
    stage: &'a Stage,
    second: Client,
    replies: Listener<'a>,
    /// Of all plans.
    sent: Cell<usize>,
}

impl House<'_> {
    async fn carry_out(&self, plan: &Plan) -> Result<(), String> {
        let Stage { admin, cso, manager, .. } = self.stage;
        let customer = address();
        let inquiry = self.write(&customer, plan.category).await;
        let mut drafts = Vec::new();
        for text in ["one", "another"] {
            let draft = json!({"inquiryId": inquiry, "message": text});
            drafts.push(cso.post("/responses", draft).await.expect(201));
        }
        let people = [cso, admin, manager, &self.second];
        let told = RefCell::new(Vec::new());
        let asking = people.iter().zip(&plan.steps).map(async |(person, steps)| {
            for (draft, step) in steps {
                self.take(person, &drafts[*draft], step).await?;
            }
            Ok(())
        });
        let writing = async {
            for _ in 0..plan.messages {
                self.write(&customer, plan.category).await;
            }
        };
        let dying = async {
            for &actor in &plan.panics {
                let _ = die(&self.hub.app.hub, actor).await;
            }
        };
        let happening = async {
            let (asked, _) = join(join_all(asking), join(writing, dying)).await;
            self.settled(&inquiry).await;
            asked.into_iter().collect::<Result<Vec<()>, String>>()
        };
        match select(pin!(happening), pin!(self.report(&plan.reports, &told))).await {
            Either::Left((asked, _)) => asked?,
            Either::Right((never, _)) => match never {},
        };
        self.examine(plan, &drafts, &told.take()).await
    }

    /// The customer writes, again and again in the same thread; answers with the inquiry.
    async fn write(&self, customer: &str, category: &str) -> Value {
        let message = json!({
            "externalId": Uuid::new_v4(), "threadId": customer, "customer": {"email": customer},
            "message": "Where is it?", "category": category,
        });
        self.stage.admin.post("/inbound/email", message).await.json()["inquiryId"].clone()
    }

    async fn take(&self, person: &Client, draft: &Value, step: &Step) -> Result<(), String> {
        let response = path("responses", draft);
        let to = |action: &str| format!("{response}/{action}");
        let answer = match step {
            Step::Edit => {
                let text = json!({"message": Uuid::new_v4()});
                person.put(&response, text).await
            }
            Step::Submit => person.act(&to("submit")).await,
            Step::Withdraw => person.act(&to("withdraw")).await,
            Step::Approve { behind, has_read } => {
                let read = person.get(&response).await.json()["revision"].as_i64().unwrap_or(1);
                let named = (read - behind).max(1);
                let approval = json!({"revision": named, "acknowledgeStale": has_read});
                let answer = person.post(&to("approve"), approval).await;
                if answer.status == 200 && answer.json()["revision"] != json!(named) {
                    return Err(format!("revision {named} was named: {}", answer.text));
                }
                answer
            }
            Step::Reject => person.post(&to("reject"), json!({"notes": "No."})).await,
        };
        match answer.status {
            200 | 403 | 404 | 409 => Ok(()),
            status => Err(format!("{step:?} was answered {status}: {}", answer.text)),
        }
    }

    /// The gateway: reports as planned, and then that all is sent.
    async fn report(&self, plan: &[Reported], told: &RefCell<Vec<Value>>) -> Infallible {
        let mut plan = plan.iter();
        loop {
            let Some(message) = self.replies.take(Duration::from_secs(3600)).await else { continue };
            let message = content(&message);
            let id = message["deliveryId"].clone();
            told.borrow_mut().push(message);
            let confirmed = json!({"deliveryId": id});
            let failed = |permanent| json!({"deliveryId": id, "reason": "a bounce", "permanent": permanent});
            let gateway = &self.stage.gateway;
            match plan.next().unwrap_or(&Reported::Sent) {
                Reported::Sent => gateway.report("confirmed", confirmed).await,
                Reported::SentTwice => {
                    gateway.report("confirmed", confirmed.clone()).await;
                    gateway.report("confirmed", confirmed).await;
                }
                Reported::Failed { permanent } => gateway.report("failed", failed(permanent)).await,
                Reported::FailedAndSent => {
                    gateway.report("failed", failed(&true)).await;
                    gateway.report("confirmed", confirmed).await;
                }
            }
        }
    }

    /// Faults have stopped; time passes until nothing is approved that is neither sent nor failed.
    async fn settled(&self, inquiry: &Value) {
        let approved = format!("/responses?status=approved&inquiryId={}", inquiry.as_str().unwrap());
        eventually("whatever was approved is sent or has failed", async || {
            let left = self.stage.admin.get(&approved).await.expect(200);
            if left["meta"]["total"] == 0 {
                return true;
            }
            self.hub.clock.advance(LATER);
            false
        })
        .await;
    }

    async fn examine(&self, plan: &Plan, drafts: &[Value], told: &[Value]) -> Result<(), String> {
        let admin = &self.stage.admin;
        let deliveries = admin.get("/deliveries?limit=100&sortBy=createdAt&sortOrder=desc").await.expect(200);
        for draft in drafts {
            let response = admin.get(&path("responses", draft)).await.expect(200);
            let trail = format!("/audit?limit=100&entityId={}", draft["id"].as_str().unwrap());
            let trail = admin.get(&trail).await.expect(200);
            let of_it = |one: &&Value| one["responseId"] == draft["id"];
            let deliveries: Vec<_> = deliveries["data"].as_array().unwrap().iter().filter(of_it).collect();
            let told: Vec<_> = told.iter().filter(of_it).collect();
            Trail::walk(plan.category, trail["data"].as_array().unwrap())
                .and_then(|trail| Ok(trail.compare(&response, &deliveries, &told)?))
                .map_err(|wrong| format!("{wrong}\n{trail:#}\n{response:#}\n{deliveries:#?}\n{told:#?}"))?;
            self.sent.set(self.sent.get() + usize::from(response["status"] == "sent"));
        }
        Ok(())
    }
}

async fn die(hub: &Hub, actor: usize) -> nexus_actors::HubResult<()> {
    match actor {
        0 => hub.writer.ask(Panic).await,
        1 => hub.approval_coordinator.ask(Panic).await,
        2 => hub.responses.ask(Panic).await,
        3 => hub.deliveries.ask(Panic).await,
        4 => hub.intake_desk.ask(Panic).await,
        5 => hub.inquiries.ask(Panic).await,
        6 => hub.outbox_relay.as_ref().unwrap().ask(Panic).await,
        _ => hub.delivery_dispatcher.as_ref().unwrap().ask(Panic).await,
    }
}
