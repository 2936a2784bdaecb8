//! The OpenAPI document as tests walk it: every operation, and requests that fit it.

use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::harness::{Client, TestHub, id_of};

pub struct Operation {
    pub method: Method,
    /// As the document has it, with `{id}`.
    pub path: String,
    pub statuses: Vec<u16>,
    pub body: Option<Body>,
    /// Names of query parameters.
    pub queries: Vec<String>,
}

pub struct Body {
    pub properties: Map<String, Value>,
    pub required: Vec<String>,
    /// May be left out.
    pub optional: bool,
}

/// Existing entities for paths and references, and a caller who may do anything to them.
pub struct Targets {
    pub admin: Client,
    pub customer: Uuid,
    pub inquiry: Uuid,
    /// A draft of a CSO.
    pub response: Uuid,
    /// That CSO.
    pub user: Uuid,
    /// Of another reply, which was approved.
    pub delivery: Uuid,
    pub dead_letter: Uuid,
    pub webhook: Uuid,
}

pub fn document() -> Value {
    serde_json::to_value(nexus_hub::http::openapi::document()).unwrap()
}

/// All but the stream of events, which has no end.
pub fn operations() -> Vec<Operation> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().filter(|(path, _)| *path != "/api/v1/events").flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    });
    each.map(|(path, method, operation)| Operation {
        method: method.to_uppercase().parse().unwrap(),
        path: path.clone(),
        statuses: operation["responses"]
            .as_object()
            .unwrap()
            .keys()
            .map(|key| key.parse().unwrap())
            .collect(),
        body: body(&document, operation),
        queries: queries(operation),
    })
    .collect()
}

/// What `$ref` leads to.
pub fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    }
}

fn body(document: &Value, operation: &Value) -> Option<Body> {
    let content = operation.get("requestBody")?;
    let schema = &content["content"]["application/json"]["schema"];
    let schema = schema.get("oneOf").map_or(schema, |variants| &variants[0]);
    let schema = resolve(document, schema);
    let properties = schema["properties"].as_object().unwrap().iter();
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    Some(Body {
        properties: properties.map(|(name, one)| (name.clone(), resolve(document, one).clone())).collect(),
        required: required.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        optional: content["required"] != json!(true),
    })
}

fn queries(operation: &Value) -> Vec<String> {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let queries = parameters.iter().filter(|one| one["in"] == "query");
    queries.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

impl Operation {
    pub fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }

    pub fn is_list(&self) -> bool {
        self.queries.iter().any(|name| name == "page")
    }

    /// Sign-in and what is outside of the base path.
    pub fn is_open(&self) -> bool {
        !self.path.starts_with("/api/v1/")
            || ["/auth/login", "/auth/refresh"].iter().any(|end| self.path.ends_with(end))
    }

    /// As `Client` takes it, with every part in braces replaced by `id`.
    pub fn path_with(&self, id: &str) -> String {
        let parts = self.path.split('/').map(|part| match part {
            "{channel}" => "email",
            part if part.starts_with('{') => id,
            part => part,
        });
        let path = parts.collect::<Vec<_>>().join("/");
        path.strip_prefix("/api/v1").map_or(format!("/{path}"), str::to_owned)
    }
}

impl Targets {
    pub async fn prepare(hub: &TestHub) -> Self {
        let admin = hub.admin().await;
        let cso = hub.user(Role::Cso).await;
        let draft = hub.draft(&cso, &admin).await;
        let inquiry: Uuid = draft["inquiryId"].as_str().unwrap().parse().unwrap();
        let approved = crate::harness::path("responses", &hub.draft(&cso, &admin).await);
        cso.act(&format!("{approved}/submit")).await.expect(200);
        hub.manager().await.act(&format!("{approved}/approve")).await.expect(200);
        let webhook = json!({"url": "https://hooks.example.com/in", "events": ["customer.deleted"]});
        let webhook = admin.post("/webhooks", webhook).await.expect(201);
        let deliveries = admin.get("/deliveries").await.expect(200);
        Self {
            customer: id_of(&hub.customer(&admin).await),
            inquiry,
            response: id_of(&draft),
            user: cso.id,
            delivery: id_of(&deliveries["data"][0]),
            dead_letter: id_of(&crate::dead_letters::buried(hub, &admin).await),
            webhook: id_of(&webhook),
            admin,
        }
    }

    /// Where the operation finds something that exists; for a collection not known here, a path to nothing.
    pub fn path(&self, operation: &Operation) -> String {
        let collection = operation.path.split('/').nth(3).unwrap_or_default();
        let id = match collection {
            "customers" => self.customer,
            "inquiries" => self.inquiry,
            "responses" => self.response,
            "users" => self.user,
            "deliveries" => self.delivery,
            "dead-letters" => self.dead_letter,
            "webhooks" => self.webhook,
            _ => Uuid::nil(),
        };
        operation.path_with(&id.to_string())
    }

    /// A body with every field the operation knows, each of them fine.
    pub fn body(&self, body: &Body) -> Map<String, Value> {
        let names = body.properties.iter();
        names.map(|(name, schema)| (name.clone(), self.sample(name, schema))).collect()
    }

    fn sample(&self, name: &str, schema: &Value) -> Value {
        if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
            return first.clone();
        }
        match name {
            "customerId" => json!(self.customer),
            "inquiryId" => json!(self.inquiry),
            "assigneeId" => json!(self.user),
            "email" => json!(format!("{}@example.com", Uuid::new_v4().simple())),
            "channel" => json!("chat"),
            "code" => json!("123456"),
            "password" | "newPassword" => json!("seven copper lanterns"),
            "url" => json!("https://hooks.example.com/in"),
            "customer" => json!({"email": format!("{}@example.com", Uuid::new_v4().simple())}),
            "scopes" => json!(["inbound"]),
            "events" => json!(["customer.deleted"]),
            _ => match type_of(schema) {
                "string" => json!("seven brisk otters paint"),
                "integer" => json!(1),
                "boolean" => json!(false),
                "array" => json!([]),
                "object" => json!({}),
                other => panic!("no sample for {name}, {other}"),
            },
        }
    }
}

/// The schema's type, of several the one that is not null.
pub fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(one) => one,
        Value::Array(several) => several.iter().filter_map(Value::as_str).find(|one| *one != "null").unwrap(),
        other => panic!("a schema without a type: {other} in {schema}"),
    }
}
