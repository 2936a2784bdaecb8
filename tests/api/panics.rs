//! An actor's panic costs the one message that panicked; a crash loop costs the instance.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, join, join_all};
use nexus_actors::mailbox::Panic;
use nexus_actors::supervision::State;
use nexus_actors::{Hub, HubError, HubResult};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{Client, Reply, TestHub, eventually, id_of, on_both_engines, path};

/// Longer than any request takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// The edges to the broker, to the mail server and to webhooks. Nothing in the hub has their addresses.
const EDGE: [&str; 5] = ["Broker", "InquiryConsumer", "DeliveryConsumer", "MailSender", "WebhookCaller"];

/// For the actors that are there only where there is a mail server. It is never reached: nothing here is mailed.
const MAILING: &[(&str, &str)] =
    &[("SMTP_URL", "smtp://127.0.0.1:9"), ("SMTP_FROM", "Customer Support <support@hub.example>")];

type Provoke = for<'a> fn(&'a Hub) -> LocalBoxFuture<'a, HubResult<()>>;

macro_rules! panic_of_each {
    ($($actor:ident),+; $($with_ports:ident),+ $(,)?) => {
        &[
            $(|hub| Box::pin(hub.$actor.ask(Panic)),)+
            $(|hub| Box::pin(hub.$with_ports.as_ref().unwrap().ask(Panic)),)+
        ]
    };
}

const ACTORS: &[Provoke] = panic_of_each!(
    customers,
    inquiries,
    responses,
    users,
    sessions,
    audit,
    stats,
    idempotency,
    intake,
    deliveries,
    dead_letters,
    outbox,
    api_keys,
    webhooks,
    notifications,
    tickets,
    writer,
    assignment_balancer,
    customer_desk,
    inquiry_desk,
    approval_coordinator,
    approval_watch,
    user_desk,
    intake_desk,
    dead_letter_desk,
    api_key_desk,
    webhook_desk,
    housekeeper,
    audit_sealer,
    notifier;
    outbox_relay,
    delivery_dispatcher,
    webhook_dispatcher,
    mail_dispatcher,
    digest_mailer,
);

on_both_engines!(
    with MAILING;
    every_actor_of_the_hub_is_among_those_that_panic_here,
    under_load_no_panic_fails_a_request_or_loses_what_was_committed,
    a_hundred_panics_in_a_row_of_each_actor_leave_the_hub_serving,
    waiting_work_is_still_handed_out_after_panics,
    an_actor_that_keeps_crashing_is_given_up_and_readiness_tells,
);

async fn every_actor_of_the_hub_is_among_those_that_panic_here(hub: &TestHub) {
    let mut names = BTreeSet::new();
    for provoke in ACTORS {
        names.insert(provoked(hub, *provoke).await);
    }
    let all: BTreeSet<_> = hub.app.hub.health().iter().map(|actor| actor.name).collect();
    let all: BTreeSet<_> = all.into_iter().filter(|name| !EDGE.contains(name)).collect();
    assert_eq!(names, all);
}

async fn under_load_no_panic_fails_a_request_or_loses_what_was_committed(hub: &TestHub) {
    const CLIENTS: usize = 8;
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let (over, made) = (Cell::new(false), RefCell::new(Vec::new()));
    let client = async || {
        let cast = Cast { admin: admin.clone(), manager: manager.clone(), cso: hub.cso().await };
        while !over.get() {
            let sent = cast.answer_one_inquiry().await;
            made.borrow_mut().push(sent);
        }
    };
    let trouble = async {
        while made.borrow().len() < 4 * CLIENTS {
            for provoke in ACTORS {
                provoked(hub, *provoke).await;
                // Panics as fast as they come would leave a slow machine no time to get anything done between two.
                answer(manager.get("/customers?limit=1")).await.expect(200);
            }
        }
        over.set(true);
    };
    let clients = join_all((0..CLIENTS).map(|_| client()));
    timeout(Duration::from_secs(120), join(trouble, clients)).await.expect("the clients get on");

    let made = made.take();
    for sent in &made {
        assert_eq!(&answer(manager.get(&path("responses", sent))).await.expect(200), sent);
        let inquiry = format!("/inquiries/{}", sent["inquiryId"].as_str().unwrap());
        assert_eq!(answer(manager.get(&inquiry)).await.expect(200)["status"], "responded");
    }
    let sent = answer(manager.get("/responses?status=sent")).await.expect(200);
    assert_eq!(sent["meta"]["total"], json!(made.len()));
    healthy(hub).await;
}

async fn a_hundred_panics_in_a_row_of_each_actor_leave_the_hub_serving(hub: &TestHub) {
    let cast = Cast::of(hub).await;
    let before = cast.answer_one_inquiry().await;
    for provoke in ACTORS {
        for _ in 0..100 {
            provoked(hub, *provoke).await;
        }
        cast.answer_one_inquiry().await;
    }
    for actor in hub.app.hub.health().into_iter().filter(|actor| !EDGE.contains(&actor.name)) {
        assert!(actor.restarts >= 100, "{actor:?}");
        assert_eq!(actor.state, State::Running, "{actor:?}");
    }
    healthy(hub).await;
    assert_eq!(answer(cast.manager.get(&path("responses", &before))).await.expect(200), before);
}

async fn waiting_work_is_still_handed_out_after_panics(hub: &TestHub) {
    let admin = hub.admin().await;
    let waiting = hub.inquiry(&admin).await;
    assert_eq!(waiting["assignedTo"], Value::Null, "there is no CSO yet");
    for provoke in ACTORS {
        provoked(hub, *provoke).await;
    }
    let cso = hub.cso().await;
    eventually("the waiting inquiry is taken up", async || {
        answer(cso.get(&path("inquiries", &waiting))).await.expect(200)["assignedTo"] == json!(cso.id)
    })
    .await;
}

async fn an_actor_that_keeps_crashing_is_given_up_and_readiness_tells(hub: &TestHub) {
    let admin = hub.admin().await;
    let customer = hub.customer(&admin).await;
    let anyone = hub.anonymous();
    answer(anyone.get("//health/ready")).await.expect(200);

    let supervision = &hub.app.hub.supervision;
    supervision.crash_when_started("CustomerStore");
    let lost = hub.app.hub.customers.ask(Panic).await;
    assert!(matches!(lost, Err(HubError::ActorFailed { actor: "CustomerStore" })), "{lost:?}");
    let given_up = timeout(Duration::from_secs(30), supervision.failed()).await;
    assert_eq!(given_up, Ok("CustomerStore"));

    answer(anyone.get("//health/ready")).await.expect(503);
    let health = answer(anyone.get("//health")).await.expect(503);
    assert_eq!((&health["status"], &health["checks"]["actors"]), (&json!("down"), &json!("down")));
    assert_eq!(health["checks"]["database"], "up");
    answer(anyone.get("//health/live")).await.expect(200);
    // Until the process is replaced, each request is answered, and those that need it not are answered well.
    let failed = answer(admin.get(&path("customers", &customer))).await.expect(500);
    assert!(!failed.to_string().contains("Store"), "{failed}");
    answer(admin.get("/auth/profile")).await.expect(200);
}

/// Everyone it takes to answer an inquiry.
struct Cast {
    admin: Client,
    cso: Client,
    manager: Client,
}

impl Cast {
    async fn of(hub: &TestHub) -> Self {
        Self { admin: hub.admin().await, cso: hub.cso().await, manager: hub.manager().await }
    }

    /// Goes by way of every desk and every store; answers with the response that was sent.
    async fn answer_one_inquiry(&self) -> Value {
        let scopes = json!({"name": "gateway", "scopes": ["inbound", "deliveries"]});
        let key = answer(self.admin.post("/api-keys", scopes)).await.expect(201);
        let gateway = self.admin.with_token(key["key"].as_str().unwrap());
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let customer = json!({"firstName": "Ada", "lastName": "Lovelace", "email": email});
        let customer = answer(self.keyed("/customers", customer)).await.expect(201);
        assert_eq!(answer(self.admin.get(&path("customers", &customer))).await.expect(200), customer);
        let message = json!({
            "externalId": email, "customer": {"email": email}, "subject": "Where is it?", "message": "It is late.",
        });
        let taken = answer(gateway.post("/inbound/chat", message)).await.expect(201);
        let inquiry = format!("/inquiries/{}", taken["inquiryId"].as_str().unwrap());
        let inquiry = answer(self.cso.get(&inquiry)).await.expect(200);
        assert_eq!(inquiry["customerId"], customer["id"]);
        let edited = json!({"subject": "Where is it?", "message": "It is late.", "priority": "urgent"});
        answer(self.cso.put(&path("inquiries", &inquiry), edited)).await.expect(200);

        let draft = json!({"inquiryId": inquiry["id"], "message": "It ships tomorrow."});
        let draft = answer(self.cso.post("/responses", draft)).await.expect(201);
        let response = path("responses", &draft);
        answer(self.cso.act(&format!("{response}/submit"))).await.expect(200);
        let approved =
            answer(self.manager.post(&format!("{response}/approve"), json!({"revision": 1}))).await;
        assert_eq!(approved.expect(200)["status"], "approved");
        let delivery = delivery_of(&gateway, &draft).await;
        answer(gateway.act(&format!("{}/confirm", path("deliveries", &delivery)))).await.expect(200);

        answer(self.cso.put("/auth/profile", json!({"firstName": "Grace"}))).await.expect(200);
        answer(self.cso.get("/stats")).await.expect(200);
        answer(self.manager.get("/users")).await.expect(200);
        let audit = format!("/audit?entityId={}", id_of(&draft));
        let audit = answer(self.manager.get(&audit)).await.expect(200);
        assert_eq!(audit["data"][0]["action"], "response.sent");
        answer(self.cso.get(&response)).await.expect(200)
    }

    /// A POST of the admin with an idempotency key.
    async fn keyed(&self, path: &str, body: Value) -> Reply {
        let key = Uuid::new_v4().to_string();
        self.admin.send(reqwest::Method::POST, path, Some(body), &[("idempotency-key", &key)]).await
    }
}

async fn delivery_of(gateway: &Client, response: &Value) -> Value {
    let pending = answer(gateway.get("/deliveries?status=pending&limit=100")).await.expect(200);
    let mut deliveries = pending["data"].as_array().unwrap().iter();
    deliveries.find(|delivery| delivery["responseId"] == response["id"]).unwrap().clone()
}

/// Makes an actor panic and answers with its name.
async fn provoked(hub: &TestHub, provoke: Provoke) -> &'static str {
    match timeout(PATIENCE, provoke(&hub.app.hub)).await {
        Ok(Err(HubError::ActorFailed { actor })) => actor,
        other => panic!("a message that panics was answered {other:?}"),
    }
}

/// The answer, which must come within [`PATIENCE`].
async fn answer(request: impl Future<Output = Reply>) -> Reply {
    timeout(PATIENCE, request).await.expect("a request hangs")
}

async fn healthy(hub: &TestHub) {
    let anyone = hub.anonymous();
    let health = answer(anyone.get("//health")).await.expect(200);
    assert_eq!(
        health,
        json!({
            "status": "up", "checks": {"database": "up", "redis": "up", "broker": "up", "actors": "up"},
        })
    );
    answer(anyone.get("//health/ready")).await.expect(200);
}
