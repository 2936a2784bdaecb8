//! Signing in, staying signed in and being signed out, and who the users are.

mod access_tokens;
mod failures;
mod limits;
mod profile;
mod refresh;
mod register;
mod sign_in;
mod sign_out;
pub mod totp;
mod users;

use serde_json::{Value, json};

use crate::harness::{Client, PASSWORD, Reply, TestHub};

/// What one sign-in or refresh answered with.
struct Session {
    /// Bears the access token.
    client: Client,
    refresh: String,
}

impl Session {
    fn of(hub: &TestHub, answer: &Value) -> Self {
        let token = answer["accessToken"].as_str().unwrap();
        Self {
            client: hub.anonymous().with_token(token),
            refresh: answer["refreshToken"].as_str().unwrap().to_owned(),
        }
    }

    async fn lives(&self) -> bool {
        match self.client.get("/auth/profile").await.status {
            200 => true,
            401 => false,
            other => panic!("the profile answered {other}"),
        }
    }
}

async fn sign_in(hub: &TestHub, email: &str) -> Session {
    Session::of(hub, &try_sign_in(hub, email, PASSWORD).await.expect(200))
}

async fn try_sign_in(hub: &TestHub, email: &str, password: &str) -> Reply {
    hub.anonymous().post("/auth/login", json!({"email": email, "password": password})).await
}

async fn try_refresh(hub: &TestHub, token: &str) -> Reply {
    hub.anonymous().post("/auth/refresh", json!({"refreshToken": token})).await
}

async fn refreshed(hub: &TestHub, token: &str) -> Session {
    Session::of(hub, &try_refresh(hub, token).await.expect(200))
}

/// A 401 as every client must be able to read it; answers with its body.
#[track_caller]
fn refused(reply: Reply) -> Value {
    assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"nexus-hub\"", "{}", reply.text);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    reply.expect(401)
}

/// Every pointer of a 422.
#[track_caller]
fn pointers(reply: Reply) -> Vec<String> {
    let problem = reply.expect(422);
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

/// The names of an object's fields, sorted.
fn fields(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// As `User` in the OpenAPI document.
const USER_FIELDS: [&str; 13] = [
    "availability",
    "createdAt",
    "email",
    "firstName",
    "id",
    "isActive",
    "lastName",
    "maxOpenInquiries",
    "role",
    "skills",
    "totpEnabled",
    "updatedAt",
    "version",
];
