//! RabbitMQ stopped: what happens meanwhile is published in order when it is back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::rig::figures::Figures;
use crate::rig::gateway::connect;
use crate::rig::hub::Person;
use crate::rig::load::{millis, send};
use crate::rig::services::{Service, count};
use crate::rig::{Outcome, until};
use crate::stage::{Place, Stage, limit, made};

const BEGINS_WITHIN: Duration = Duration::from_secs(10);
const PENDING: &str = "select count(*) from outbox";
const QUEUE: &str = "faults.events";

/// Row 10.
pub async fn rabbitmq(stage: &mut Stage) -> Outcome<Figures> {
    let away_for = stage.seconds(10, 15 * 60);
    let place = stage.place().await?;
    let hub = place.hub().await?;
    let admin = Person::admin(&hub.base).await?;
    let customer = made(&admin).await?;
    bind(&place).await?;
    until("nothing waits", Duration::from_secs(30), async || {
        count(&place.database, PENDING).await.is_ok_and(|pending| pending == 0)
    })
    .await?;
    stage.services.lock().await.stop(Service::Rabbitmq).await?;
    let begun = Instant::now();
    let (mut inquiries, mut failed, mut requests) = (0, 0, 0);
    while begun.elapsed() < away_for {
        let asked = json!({"customerId": customer, "subject": "Where?", "message": "It is late."});
        let asked = admin.post("/inquiries", asked).await?;
        inquiries += 1;
        let path = format!("/inquiries/{}/status", asked["id"].as_str().unwrap_or_default());
        for status in ["in_progress", "closed", "in_progress"] {
            let step = admin.request(reqwest::Method::PATCH, &path).json(&json!({"status": status}));
            requests += 1;
            failed += usize::from(send(step).await.status != 200);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let waiting = count(&place.database, PENDING).await?;
    stage.services.lock().await.start_again(Service::Rabbitmq).await?;
    let begins = until("the outbox shrinks", limit(BEGINS_WITHIN), async || {
        count(&place.database, PENDING).await.is_ok_and(|pending| pending < waiting)
    })
    .await?;
    let empty = until("the outbox is empty", Duration::from_secs(120), async || {
        count(&place.database, PENDING).await.is_ok_and(|pending| pending == 0)
    })
    .await?;
    let (events, disordered) = told(&place, inquiries * 4).await?;
    let mut figures = Figures::default();
    figures.note(format!("{} s away", away_for.as_secs()));
    figures.equal(&format!("of {requests} requests failed"), failed, 0);
    figures.hold(format!("{waiting} events waited"), waiting >= inquiries * 4);
    figures.hold(format!("the first {} after its return", millis(begins)), begins <= limit(BEGINS_WITHIN));
    figures.note(format!("all {} after", millis(begins + empty)));
    figures.equal("changes told", events, inquiries * 4);
    figures.equal("out of order", disordered, 0);
    Ok(figures)
}

async fn bind(place: &Place) -> Outcome {
    let connection = connect(&place.rabbitmq).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(QUEUE.into(), options, FieldTable::default()).await?;
    let exchange = format!("{}.events", place.prefix);
    for key in ["inquiry.created", "inquiry.status_changed", "inquiry.reopened"] {
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(QUEUE.into(), exchange.as_str().into(), key.into(), options, arguments).await?;
    }
    Ok(())
}

/// How many different events there are in the queue, and how many of them came after a later one of their entity.
async fn told(place: &Place, expected: usize) -> Outcome<(usize, usize)> {
    let connection = connect(&place.rabbitmq).await?;
    let channel = connection.create_channel().await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut consumer =
        channel.basic_consume(QUEUE.into(), "faults".into(), options, FieldTable::default()).await?;
    let mut seen = std::collections::HashSet::new();
    let mut versions: HashMap<String, i64> = HashMap::new();
    let mut disordered = 0;
    while seen.len() < expected {
        let Ok(Some(delivery)) = timeout(Duration::from_secs(5), consumer.next()).await else { break };
        let event: Value = serde_json::from_slice(&delivery?.data)?;
        if !seen.insert(event["id"].to_string()) {
            continue;
        }
        let version = event["data"]["version"].as_i64().ok_or("no version")?;
        let last = versions.entry(event["subject"].to_string()).or_default();
        disordered += usize::from(version < *last);
        *last = version;
    }
    Ok((seen.len(), disordered))
}
