//! One inquiry, from the broker or from HTTP to its delivery, as a collector of traces is shown it.

use futures_util::future::LocalBoxFuture;
use nexus_actors::domain::trace_parent::TraceParent;
use nexus_actors::intake_desk::Receive;
use nexus_hub::broker::LocalMessage;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::gateway::{Inbound, Listener, address, content};
use super::{Stage, staged, staged_with};
use crate::dead_letters::envelope;
use crate::harness::{Engine, TestHub, eventually, on_both_engines, path};
use crate::traces::collector::{Collector, Seen};
use crate::traces::{CLIENT, ENDPOINT, client};

on_both_engines!(
    in watched;
    an_inquiry_is_followed_from_the_broker_to_its_delivery,
    an_inquiry_is_followed_from_http_to_what_is_published,
    a_malformed_header_of_a_message_is_none,
    messages_taken_in_together_keep_their_own_traces,
    a_dead_letter_goes_on_with_its_trace,
);

on_both_engines!(in staged; untraced_messages_have_no_header);

/// Of a gateway that says that it records the trace.
const GATEWAY: &str = "00-11111111111111111111111111111111-2222222222222222-01";

fn watched(
    engine: Engine,
    test: impl for<'a> FnOnce(&'a TestHub, (&'a Stage, &'static Collector)) -> LocalBoxFuture<'a, ()>,
) {
    let collector: &'static Collector = Box::leak(Box::new(Collector::start()));
    let variables = [(ENDPOINT, collector.endpoint.as_str())];
    staged_with(engine, 1, &variables, |hubs, stage| test(&hubs[0], (stage, collector)));
}

fn gateway() -> TraceParent {
    GATEWAY.parse().unwrap()
}

/// With this `traceparent`.
fn mail(header: &str) -> Inbound {
    let mut mail = Inbound::mail(&address(), None, "It was due on Monday.");
    mail.headers.insert("traceparent".to_owned(), header.into());
    mail
}

async fn only_inquiry(stage: &Stage) -> Value {
    eventually("it is there", async || !stage.inquiries().await.is_empty()).await;
    stage.inquiries().await.remove(0)
}

/// Where a message says that its trace has come to.
#[track_caller]
fn place_of(message: &LocalMessage) -> TraceParent {
    message.headers["traceparent"].as_str().unwrap().parse().unwrap()
}

async fn event(events: &Listener<'_>, event_type: &str) -> LocalMessage {
    loop {
        let message = events.next().await;
        if message.routing_key == event_type {
            return message;
        }
    }
}

async fn seen(collector: &Collector, what: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
    eventually(&format!("{what} is there"), async || collector.find(&fits).is_some()).await;
    collector.find(&fits).unwrap()
}

/// Waits until all that a span is in is there, up to `outermost`.
async fn line(collector: &Collector, span: &Seen, outermost: u64) -> Vec<String> {
    eventually("what it is in is there", async || collector.line_of(span).1 == outermost).await;
    collector.line_of(span).0
}

fn system(hub: &TestHub) -> &'static str {
    if hub.engine == Engine::Full { "rabbitmq" } else { "in_process" }
}

async fn an_inquiry_is_followed_from_the_broker_to_its_delivery(
    hub: &TestHub,
    (stage, collector): (&Stage, &'static Collector),
) {
    let (replies, events) = (stage.gateway.replies("email").await, stage.gateway.events().await);
    let topology = &stage.gateway.topology;
    stage.gateway.send(&[mail(GATEWAY)]).await;
    let inquiry = only_inquiry(stage).await;

    // Its arrival is in the trace of the gateway.
    let taken = seen(collector, "the message", |span| span.name == "process inquiry").await;
    assert_eq!((taken.trace, taken.parent), (gateway().trace, gateway().span));
    assert_eq!((taken.kind, taken.attribute("messaging.system")), (SpanKind::Consumer, system(hub)));
    assert_eq!(taken.attribute("messaging.destination.name"), "inquiry.email");
    let commit =
        seen(collector, "the commit", |span| span.name == "commit" && span.trace == gateway().trace).await;
    let engine = if hub.engine == Engine::Full { "postgresql" } else { "sqlite" };
    assert_eq!(commit.attribute("db.system.name"), engine);
    let names = ["commit", "Writer Commit", "process inquiry"];
    assert_eq!(line(collector, &commit, gateway().span).await, names);

    // So is the event, which carries it on.
    let created = event(&events, "inquiry.created").await;
    let published = place_of(&created);
    assert_eq!((published.trace, published.sampled), (gateway().trace, true));
    let publishing = seen(collector, "the event", |span| span.is(published)).await;
    assert_eq!(
        (publishing.name.as_str(), publishing.kind),
        (&*format!("publish {}", topology.events()), SpanKind::Producer)
    );
    assert_eq!(publishing.attribute("messaging.message.id"), created.message_id.as_deref().unwrap());
    assert_eq!(publishing.attribute("cloudevents.event_subject"), inquiry["id"].as_str().unwrap());
    assert_eq!(
        publishing.attribute("messaging.destination.name"),
        format!("{}:inquiry.created", topology.events())
    );
    line(collector, &publishing, gateway().span).await;

    // The approval is in the trace of the manager's client, and names the one the inquiry came in with.
    let submitted = stage.submitted(&inquiry, "It ships tomorrow.").await;
    let approve = format!("{}/approve", path("responses", &submitted));
    stage.manager.send(Method::POST, &approve, None, &[("traceparent", CLIENT)]).await.expect(200);
    let reply = replies.next().await;
    let approval = seen(collector, "the approval", |span| {
        span.name == "ApprovalCoordinator AdvanceResponse" && span.trace == client().trace
    })
    .await;
    assert_eq!(approval.links, [gateway().trace]);
    assert_eq!(approval.attribute("nexus.inquiry.id"), inquiry["id"].as_str().unwrap());
    let names = ["ApprovalCoordinator AdvanceResponse", "POST /api/v1/responses/{id}/approve"];
    assert_eq!(line(collector, &approval, client().span).await, names);

    // And so is the delivery, up to the gateway.
    let delivered = place_of(&reply);
    let sending = seen(collector, "the hand-over", |span| span.is(delivered)).await;
    let names = line(collector, &sending, client().span).await;
    assert_eq!(names[..2], [format!("publish {}", topology.outbound()), "deliver".to_owned()]);
    assert_eq!(names.last().unwrap(), "POST /api/v1/responses/{id}/approve");
    let deliver = seen(collector, "the delivery", |span| span.id == sending.parent).await;
    assert_eq!(deliver.attribute("nexus.delivery.id"), reply.message_id.as_deref().unwrap());
    assert_eq!(deliver.attribute("nexus.inquiry.id"), inquiry["id"].as_str().unwrap());
    assert!(!deliver.failed);

    // The report names the trace that the delivery went out with.
    let report = json!({"deliveryId": content(&reply)["deliveryId"], "deliveredAt": null});
    stage.gateway.report("confirmed", report).await;
    let settled =
        seen(collector, "the report", |span| span.name == "ApprovalCoordinator SettleDelivery").await;
    assert_eq!(settled.links, [client().trace]);
    let names = ["ApprovalCoordinator SettleDelivery", "process delivery report"];
    assert_eq!(line(collector, &settled, 0).await, names);
    let sent = event(&events, "response.sent").await;
    assert_eq!(place_of(&sent).trace, settled.trace);
}

async fn an_inquiry_is_followed_from_http_to_what_is_published(
    hub: &TestHub,
    (stage, collector): (&Stage, &'static Collector),
) {
    let events = stage.gateway.events().await;
    hub.inquiry(&stage.admin).await;
    let published = place_of(&event(&events, "inquiry.created").await);
    let publishing = seen(collector, "the event", |span| span.is(published)).await;
    let names = line(collector, &publishing, 0).await;
    let expected = ["commit", "Writer Commit", "InquiryDesk CreateInquiry", "POST /api/v1/inquiries"];
    assert_eq!(names[1..], expected);
}

async fn a_malformed_header_of_a_message_is_none(
    _: &TestHub,
    (stage, collector): (&Stage, &'static Collector),
) {
    stage.gateway.send(&[mail(&GATEWAY.replace("00-", "ff-"))]).await;
    let taken = seen(collector, "the message", |span| span.name == "process inquiry").await;
    assert_eq!(taken.parent, 0);
    assert_ne!(taken.trace, gateway().trace);
}

async fn messages_taken_in_together_keep_their_own_traces(
    hub: &TestHub,
    (stage, collector): (&Stage, &'static Collector),
) {
    let events = stage.gateway.events().await;
    let together = [GATEWAY, CLIENT].map(|header| {
        let mail = mail(header);
        let mut envelope = envelope(&mail.routing_key, None, mail.body);
        envelope.headers = mail.headers;
        envelope
    });
    hub.app.hub.intake_desk.ask(Receive(together.to_vec())).await.unwrap();
    let mut traces = Vec::new();
    for _ in 0..2 {
        traces.push(place_of(&event(&events, "inquiry.created").await).trace);
    }
    traces.sort_unstable();
    assert_eq!(traces, [client().trace, gateway().trace]);
    // What is done for both is in the first one's trace, which the other names.
    let of = |trace: u128| move |span: &Seen| span.name == "process inquiry" && span.trace == trace;
    let first = seen(collector, "the first", of(gateway().trace)).await;
    let second = seen(collector, "the second", of(client().trace)).await;
    assert_eq!((first.links.as_slice(), second.links.as_slice()), (&[][..], &[gateway().trace][..]));
    let commits: Vec<_> = collector.spans().into_iter().filter(|span| span.name == "Writer Commit").collect();
    let taken_in = |commit: &&Seen| [client().trace, gateway().trace].contains(&commit.trace);
    assert!(commits.iter().filter(taken_in).all(|commit| commit.trace == gateway().trace));
}

async fn a_dead_letter_goes_on_with_its_trace(_: &TestHub, (stage, collector): (&Stage, &'static Collector)) {
    let letters = stage.gateway.dead_letters().await;
    let mut broken = Inbound::new("inquiry.email", None, "not json");
    broken.headers.insert("traceparent".to_owned(), GATEWAY.into());
    stage.gateway.send(&[broken]).await;
    let place = place_of(&letters.next().await);
    assert_eq!(place.trace, gateway().trace);
    let publishing = seen(collector, "the dead letter", |span| span.is(place)).await;
    let names = line(collector, &publishing, gateway().span).await;
    assert_eq!(names.last().unwrap(), "process dead letter");
}

async fn untraced_messages_have_no_header(_: &TestHub, stage: &Stage) {
    let (replies, events) = (stage.gateway.replies("email").await, stage.gateway.events().await);
    stage.gateway.send(&[mail(GATEWAY)]).await;
    let inquiry = only_inquiry(stage).await;
    stage.approved(&inquiry, "It ships tomorrow.").await;
    for message in [event(&events, "inquiry.created").await, replies.next().await] {
        assert!(!message.headers.contains_key("traceparent"), "{message:?}");
    }
}
