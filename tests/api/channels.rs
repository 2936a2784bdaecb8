//! Channels on the broker: what gateways publish, what they get, and what observers see. The same on RabbitMQ
//! (`full`) and on its twin in the hub's process (`embedded`).

mod events;
mod gateway;
mod instances;
mod intake;
mod interleaved;
mod poison;
mod rabbit;
mod redelivery;
mod replies;
mod threads;
mod traces;
mod unroutable;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use nexus_hub::broker::Topology;
use serde_json::{Value, json};

use crate::behind::rows;
use crate::harness::{Client, Engine, Place, TestHub, amqp_url, path};
use gateway::ChannelGateway;
use rabbit::Rabbit;

/// A hub with its gateway, and people to answer what comes in.
pub struct Stage {
    pub gateway: ChannelGateway,
    pub place: Place,
    pub admin: Client,
    pub cso: Client,
    pub manager: Client,
}

/// Runs a test with one hub on a broker of its own.
fn staged(engine: Engine, test: impl for<'a> FnOnce(&'a TestHub, &'a Stage) -> LocalBoxFuture<'a, ()>) {
    staged_with(engine, 1, &[], |hubs, stage| test(&hubs[0], stage));
}

/// As [`staged`], with several instances of one deployment.
fn staged_with(
    engine: Engine,
    instances: usize,
    variables: &[(&str, &str)],
    test: impl for<'a> FnOnce(&'a [TestHub], &'a Stage) -> LocalBoxFuture<'a, ()>,
) {
    actix_web::rt::System::new().block_on(async {
        let place = Place::prepare(engine).await;
        let topology = Topology::new(&place.name, ["email", "chat"]);
        let url = amqp_url();
        let mut variables = variables.to_vec();
        if engine == Engine::Full {
            variables.push(("AMQP_URL", &url));
        }
        let mut hubs = Vec::new();
        for _ in 0..instances {
            hubs.push(TestHub::start(&place, &variables).await);
        }
        let gateway = ChannelGateway::of(&hubs[0], topology.clone()).await;
        let (admin, cso, manager) = (hubs[0].admin().await, hubs[0].cso().await, hubs[0].manager().await);
        let stage = Stage { gateway, place, admin, cso, manager };
        let outcome = std::panic::AssertUnwindSafe(test(&hubs, &stage)).catch_unwind().await;
        for hub in hubs {
            hub.stop().await;
        }
        if engine == Engine::Full {
            Rabbit::clean_up(&topology).await;
        }
        stage.place.remove().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

impl Stage {
    pub async fn inquiries(&self) -> Vec<Value> {
        let page = self.admin.get("/inquiries?limit=100").await.expect(200);
        page["data"].as_array().unwrap().clone()
    }

    /// The texts of a conversation, oldest first.
    pub async fn said(&self, inquiry: &Value) -> Vec<String> {
        let page = self.admin.get(&format!("{}/messages?limit=100", path("inquiries", inquiry))).await;
        let messages = page.expect(200)["data"].as_array().unwrap().clone();
        messages.iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn draft(&self, inquiry: &Value, text: &str) -> Value {
        self.cso.post("/responses", json!({"inquiryId": inquiry["id"], "message": text})).await.expect(201)
    }

    pub async fn submitted(&self, inquiry: &Value, text: &str) -> Value {
        let draft = self.draft(inquiry, text).await;
        self.cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200)
    }

    pub async fn approved(&self, inquiry: &Value, text: &str) -> Value {
        let submitted = self.submitted(inquiry, text).await;
        self.manager.act(&format!("{}/approve", path("responses", &submitted))).await.expect(200)
    }

    pub async fn response(&self, response: &Value) -> Value {
        self.admin.get(&path("responses", response)).await.expect(200)
    }

    /// The only delivery there is.
    pub async fn delivery(&self) -> Value {
        let page = self.admin.get("/deliveries").await.expect(200);
        assert_eq!(page["meta"]["total"], 1, "{page}");
        page["data"][0].clone()
    }
}

/// What still waits to be published.
async fn unpublished(hub: &TestHub) -> i64 {
    let counted: Vec<(i64,)> = rows(hub, "select count(*) from outbox").await;
    counted[0].0
}
