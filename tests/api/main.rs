//! Black-box tests: the real server on a port of its own, once on the embedded default and once on PostgreSQL
//! with Redis.

#![expect(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod approval_timers;
mod assignment;
mod asyncapi;
mod audit_trail;
mod auth;
mod bad_input;
mod behind;
mod cache;
mod channels;
mod console;
mod console_admin;
mod console_dashboard;
mod conventions;
mod customers;
mod dead_letters;
mod document;
mod gateways;
mod harness;
mod hostile;
mod idempotency;
mod inquiries;
mod lists;
mod mail;
mod metrics;
mod openapi;
mod origins;
mod overload;
mod panics;
mod permissions;
mod pushes;
mod responses;
mod search;
mod stats;
mod traces;
mod transitions;
mod upgrade;
mod walkthrough;
mod webhooks;
