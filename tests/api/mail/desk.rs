//! The people a reply passes, and what becomes of it.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::server::{MailServer, Manner};
use crate::harness::{Client, TestHub, eventually, path};

/// Longer than the back-off after the first failure.
const LATER: Duration = Duration::from_secs(31);

/// People to take a reply from its draft to its approval.
pub struct Desk<'a> {
    pub hub: &'a TestHub,
    pub admin: Client,
    pub cso: Client,
    pub manager: Client,
}

impl<'a> Desk<'a> {
    pub async fn of(hub: &'a TestHub) -> Self {
        Self { hub, admin: hub.admin().await, cso: hub.cso().await, manager: hub.manager().await }
    }

    /// A draft of a reply to a message that came in through `channel`.
    pub async fn draft(&self, channel: &str, text: &str) -> Value {
        let message = json!({
            "externalId": format!("<{}@mail.example>", Uuid::new_v4()), "threadId": "<first@mail.example>",
            "customer": {"email": format!("{}@example.com", Uuid::new_v4().simple()), "firstName": "Ada",
                "lastName": "Lovelace", "phone": null, "company": null},
            "subject": "Wo ist meine Bestellung? 📦", "message": "It was due on Monday.", "metadata": {}
        });
        let taken = self.admin.post(&format!("/inbound/{channel}"), message).await.expect(201);
        self.cso
            .post("/responses", json!({"inquiryId": taken["inquiryId"], "message": text}))
            .await
            .expect(201)
    }

    pub async fn submitted(&self, channel: &str, text: &str) -> Value {
        let draft = self.draft(channel, text).await;
        self.cso.act(&format!("{}/submit", path("responses", &draft))).await.expect(200)
    }

    pub async fn approved(&self, channel: &str, text: &str) -> Value {
        let submitted = self.submitted(channel, text).await;
        self.approve(&submitted).await
    }

    pub async fn approve(&self, response: &Value) -> Value {
        self.manager.act(&format!("{}/approve", path("responses", response))).await.expect(200)
    }

    /// The latest delivery of a response.
    pub async fn delivery(&self, response: &Value) -> Value {
        let page = self.admin.get("/deliveries?limit=100&sortBy=createdAt&sortOrder=desc").await.expect(200);
        let deliveries = page["data"].as_array().unwrap();
        deliveries.iter().find(|one| one["responseId"] == response["id"]).unwrap().clone()
    }

    pub async fn response(&self, response: &Value) -> Value {
        self.admin.get(&path("responses", response)).await.expect(200)
    }

    pub async fn becomes(&self, response: &Value, status: &str) -> Value {
        eventually("the response is settled", async || self.response(response).await["status"] == status)
            .await;
        self.response(response).await
    }

    /// Waits until the latest delivery has failed in some way, and answers with it.
    pub async fn troubled(&self, response: &Value) -> Value {
        eventually("something went wrong", async || {
            self.delivery(response).await["lastError"] != Value::Null
        })
        .await;
        self.delivery(response).await
    }

    /// Lets the back-off pass and the next attempt be made.
    pub async fn later(&self, server: &MailServer, response: &Value) -> Value {
        server.behave(Manner::Accept);
        self.hub.clock.advance(LATER);
        self.becomes(response, "sent").await;
        self.delivery(response).await
    }
}
