//! A chat gateway in miniature: brings one inquiry to the hub, then sends the approved replies to chat.
//!
//!     AMQP_URL=amqp://guest:guest@127.0.0.1:5672/%2f cargo run --example gateway -- "Where is my order?"

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind};
use serde_json::{Value, json};

const INBOUND: &str = "nexus.inbound";
const OUTBOUND: &str = "nexus.outbound.chat";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let url =
        std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned());
    let id = format!("chat-{}", uuid::Uuid::new_v4());
    let inquiry = json!({
        "externalId": id,
        "threadId": id,
        "customer": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"},
        "message": std::env::args().nth(1).unwrap_or_else(|| "Where is my order?".to_owned()),
    });
    // Delivery ids, and when each was sent. A real gateway keeps them where they outlive it.
    let mut sent = HashMap::new();
    while let Err(error) = serve(&url, &inquiry, &mut sent).await {
        if let Some(ErrorKind::ProtocolError(refusal)) = error.downcast_ref().map(lapin::Error::kind)
            && refusal.get_id() == 404
        {
            eprintln!("gateway: {refusal} (the hub declares exchanges and queues: start it first)");
            return ExitCode::FAILURE;
        }
        eprintln!("gateway: {error}, trying again in 2 seconds");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    ExitCode::SUCCESS
}

async fn serve(url: &str, inquiry: &Value, sent: &mut HashMap<String, String>) -> Result<(), Box<dyn Error>> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    channel.basic_qos(10, BasicQosOptions::default()).await?;
    let mut deliveries = channel
        .basic_consume(OUTBOUND.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    // After a lost connection again, under the same externalId: the hub takes it in once.
    publish(&channel, "inquiry.chat", inquiry["externalId"].as_str().unwrap_or_default(), inquiry).await?;
    println!("published {}", inquiry["externalId"]);
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        handle(&channel, &serde_json::from_slice(&delivery.data)?, sent).await?;
        // Only now: the hub's broker has the report.
        delivery.ack(Default::default()).await?;
    }
    Err("the broker ended the subscription".into())
}

/// Sends a delivery unless that was done before, and tells the hub. A redelivery carries the same id.
async fn handle(
    channel: &Channel,
    delivery: &Value,
    sent: &mut HashMap<String, String>,
) -> Result<(), Box<dyn Error>> {
    let id = delivery["deliveryId"].as_str().ok_or("a delivery without a deliveryId")?;
    if !sent.contains_key(id) {
        // A real gateway calls its chat service here, and publishes `delivery.failed` where that refuses.
        println!("sent {id} to {}: {}", delivery["to"]["email"], delivery["message"]);
        #[expect(clippy::disallowed_methods, reason = "a gateway is not part of the hub and of its Clock")]
        sent.insert(id.to_owned(), chrono::Utc::now().to_rfc3339());
    }
    let report = json!({"deliveryId": id, "deliveredAt": sent[id]});
    publish(channel, "delivery.confirmed", &uuid::Uuid::new_v4().to_string(), &report).await?;
    println!("confirmed {id}");
    Ok(())
}

/// Returns once the broker has confirmed.
async fn publish(channel: &Channel, key: &str, message_id: &str, body: &Value) -> Result<(), Box<dyn Error>> {
    let persistent = BasicProperties::default().with_delivery_mode(2).with_message_id(message_id.into());
    let properties = persistent.with_content_type("application/json".into());
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let body = body.to_string();
    match channel
        .basic_publish(INBOUND.into(), key.into(), options, body.as_bytes(), properties)
        .await?
        .await?
    {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(back)) => Err(format!("{key} came back: {}", back.reply_text).into()),
        _ => Err(format!("the broker refused {key}").into()),
    }
}
