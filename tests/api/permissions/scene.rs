//! One caller with an object for every endpoint and every way of standing to it.

use std::collections::HashMap;

use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::matrix::{MATRIX, Row, Tie};
use crate::auth::totp::enrol;
use crate::dead_letters;
use crate::harness::{Client, PASSWORD, Reply, TestHub, eventually, id_of, path};

pub struct Scene {
    pub caller: Client,
    /// Another CSO, whose everything else is.
    pub author: Client,
    /// An admin who has made them.
    pub maker: Client,
    inquiry: Uuid,
    objects: HashMap<(&'static str, Tie), Uuid>,
    /// Of webhooks.
    attempts: HashMap<Uuid, Uuid>,
}

impl Scene {
    /// The caller is an admin first and edits, then a CSO who is assigned and writes, then of `role`: so a
    /// manager has written and been assigned things too.
    pub async fn set(hub: &TestHub, role: Role) -> Self {
        let (maker, author) = (hub.admin().await, hub.cso().await);
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        hub.make_user(Role::Admin, &email).await;
        let editor = hub.sign_in(&email, PASSWORD).await;
        let inquiry = id_of(&hub.inquiry(&maker).await);
        let mut scene = Self {
            caller: editor,
            author,
            maker,
            inquiry,
            objects: HashMap::new(),
            attempts: HashMap::new(),
        };
        scene.provide(hub, Tie::Edited).await;
        scene.recast(hub, Role::Cso, &email).await;
        scene.provide(hub, Tie::Own).await;
        scene.provide(hub, Tie::Foreign).await;
        if role != Role::Cso {
            scene.recast(hub, role, &email).await;
        }
        scene
    }

    pub fn object(&self, row: &Row, tie: Tie) -> Uuid {
        self.objects[&(row.endpoint, tie)]
    }

    pub async fn send(&self, row: &Row, id: Option<Uuid>, body: Option<Value>) -> Reply {
        self.send_as(&self.caller, row, id, body).await
    }

    pub async fn send_as(&self, who: &Client, row: &Row, id: Option<Uuid>, body: Option<Value>) -> Reply {
        let (method, path) = row.endpoint.split_once(' ').unwrap();
        let id = id.unwrap_or_default();
        let attempt = self.attempts.get(&id).copied().unwrap_or_default();
        let path = path
            .replace("{id}", &id.to_string())
            .replace("{attemptId}", &attempt.to_string())
            .replace("{channel}", "email");
        who.send(Method::from_bytes(method.as_bytes()).unwrap(), &path, body, &[]).await
    }

    /// A body the endpoint takes, if it takes one.
    pub fn body(&self, row: &Row) -> Option<Value> {
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        Some(match row.endpoint {
            "POST /customers" | "PUT /customers/{id}" => {
                json!({"firstName": "Grace", "lastName": "Hopper", "email": email})
            }
            "POST /customers/{id}/assign" | "POST /inquiries/{id}/assign" => {
                json!({"assigneeId": self.author.id})
            }
            "POST /inquiries" => json!({"customerId": self.customer(), "subject": "S", "message": "M"}),
            "PUT /inquiries/{id}" => json!({"subject": "S", "message": "M"}),
            "PATCH /inquiries/{id}/status" => json!({"status": "in_progress"}),
            "POST /responses" => json!({"inquiryId": self.inquiry, "message": "M"}),
            "PUT /responses/{id}" => json!({"message": "M"}),
            "POST /responses/{id}/approve" | "POST /responses/{id}/reject" => json!({"notes": "N"}),
            "POST /approval-policies/explain" => {
                json!({"responseId": self.objects[&("GET /responses/{id}", Tie::Own)]})
            }
            "POST /auth/register" => {
                json!({"email": email, "password": PASSWORD, "role": "admin", "firstName": "G", "lastName": "H"})
            }
            "PATCH /users/{id}" => json!({"lastName": "Changed"}),
            "POST /api-keys" => json!({"name": "mail", "scopes": ["inbound"]}),
            "POST /webhooks" => json!({"url": "https://example.com/", "events": ["customer.deleted"]}),
            "PATCH /webhooks/{id}" => json!({"description": "CRM"}),
            "POST /inbound/{channel}" => json!({"customer": {"email": email}, "message": "M"}),
            "POST /deliveries/{id}/fail" => json!({"reason": "unknown address", "permanent": true}),
            _ => return None,
        })
    }

    /// One that outlives the walk: only the rows' own customers are deleted.
    fn customer(&self) -> Uuid {
        self.objects[&("GET /customers/{id}", Tie::Own)]
    }

    async fn recast(&mut self, hub: &TestHub, role: Role, email: &str) {
        let path = format!("/users/{}", self.caller.id);
        self.maker.patch(&path, json!({"role": role})).await.expect(200);
        self.caller = hub.sign_in(email, PASSWORD).await;
    }

    async fn provide(&mut self, hub: &TestHub, tie: Tie) {
        for row in MATRIX.iter().filter(|row| row.ties().contains(&tie)) {
            let owner = if tie == Tie::Own { &self.caller } else { &self.author };
            let object = match row.collection() {
                "customers" => self.customer_of(hub, owner).await,
                "inquiries" => self.inquiry_of(hub, owner).await,
                "responses" => self.response_of(owner, row, tie).await,
                "users" if tie == Tie::Foreign && row.endpoint.ends_with("/totp") => {
                    let other = hub.cso().await;
                    enrol(hub, &other).await;
                    other.id
                }
                "users" => owner.id,
                "api-keys" => self.api_key().await,
                "webhooks" => self.webhook(hub, row).await,
                "dead-letters" => self.dead_letter(hub, row).await,
                "deliveries" => self.delivery_of(hub, owner).await,
                other => panic!("nothing to act on in /{other}"),
            };
            self.objects.insert((row.endpoint, tie), object);
        }
    }

    async fn customer_of(&self, hub: &TestHub, owner: &Client) -> Uuid {
        let id = id_of(&hub.customer(&self.maker).await);
        self.maker
            .post(&format!("/customers/{id}/assign"), json!({"assigneeId": owner.id}))
            .await
            .expect(200);
        id
    }

    /// Closed, because open ones are handed on when their CSO becomes something else.
    async fn inquiry_of(&self, hub: &TestHub, owner: &Client) -> Uuid {
        let id = id_of(&hub.inquiry(&self.maker).await);
        self.maker
            .post(&format!("/inquiries/{id}/assign"), json!({"assigneeId": owner.id}))
            .await
            .expect(200);
        self.maker.patch(&format!("/inquiries/{id}/status"), json!({"status": "closed"})).await.expect(200);
        id
    }

    /// In the state the endpoint starts from.
    async fn response_of(&self, author: &Client, row: &Row, tie: Tie) -> Uuid {
        let draft = json!({"inquiryId": self.inquiry, "message": "It ships tomorrow."});
        let id = id_of(&author.post("/responses", draft).await.expect(201));
        if tie == Tie::Edited {
            self.caller.put(&format!("/responses/{id}"), json!({"message": "Today."})).await.expect(200);
        }
        let action = row.endpoint.rsplit('/').next().unwrap();
        if ["withdraw", "approve", "reject"].contains(&action) {
            self.maker.act(&format!("/responses/{id}/submit")).await.expect(200);
        }
        id
    }

    async fn api_key(&self) -> Uuid {
        id_of(&self.maker.post("/api-keys", json!({"name": "chat", "scopes": ["inbound"]})).await.expect(201))
    }

    /// To be replayed, one that was called in vain: nobody listens there.
    async fn webhook(&mut self, hub: &TestHub, row: &Row) -> Uuid {
        let input = json!({"url": "http://127.0.0.1:1/", "events": ["customer.deleted"]});
        let id = id_of(&self.maker.post("/webhooks", input).await.expect(201));
        if row.endpoint.ends_with("/replay") {
            let customer = path("customers", &hub.customer(&self.maker).await);
            self.maker.delete(&customer).await.expect(204);
            let attempts = format!("/webhooks/{id}/attempts");
            eventually("it is called", async || {
                let attempts = self.maker.get(&attempts).await.expect(200);
                attempts["meta"]["total"].as_i64().unwrap() > 0
            })
            .await;
            let attempts = self.maker.get(&attempts).await.expect(200);
            self.attempts.insert(id, id_of(&attempts["data"][0]));
        }
        id
    }

    /// To be replayed, one that can be taken by now.
    async fn dead_letter(&self, hub: &TestHub, row: &Row) -> Uuid {
        if row.endpoint.ends_with("/replay") {
            let email = format!("{}@example.com", Uuid::new_v4().simple());
            let message = json!({"customer": {"email": email}, "message": "M"}).to_string();
            return id_of(
                &dead_letters::mended(hub, dead_letters::envelope("inquiry.chat", None, message)).await,
            );
        }
        id_of(&dead_letters::buried(hub, &self.maker).await)
    }

    async fn delivery_of(&self, hub: &TestHub, author: &Client) -> Uuid {
        let response = path("responses", &hub.draft(author, &self.maker).await);
        for action in ["submit", "approve"] {
            self.maker.act(&format!("{response}/{action}")).await.expect(200);
        }
        let deliveries = self.maker.get("/deliveries?limit=100").await.expect(200);
        let deliveries = deliveries["data"].as_array().unwrap();
        let of_response = |one: &&Value| response.ends_with(one["responseId"].as_str().unwrap());
        id_of(deliveries.iter().find(of_response).unwrap())
    }
}
