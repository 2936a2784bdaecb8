//! Tests of the real binary: how it starts, stops and gets over the loss of what it depends on.

#![expect(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

#[expect(dead_code, unused_imports, unused_macros, reason = "shared with the tests of the API")]
#[path = "../api/harness.rs"]
mod harness;
#[path = "../api/asyncapi/schemas.rs"]
mod schemas;

#[expect(dead_code, reason = "shared with the tests of the API")]
#[path = "../api/channels/gateway.rs"]
mod gateway;

#[path = "../api/channels/rabbit.rs"]
mod rabbit;

#[expect(dead_code, reason = "shared with the tests of the API")]
#[path = "../api/mail/server.rs"]
mod mail_server;

mod audit;
mod broker;
mod broker_flow;
mod commands;
mod dead_letters;
mod events;
mod hub;
mod log;
mod outages;
mod restarts;
mod settings;
mod stop;
mod tls;
#[expect(dead_code, reason = "shared with the faults")]
mod wire;
