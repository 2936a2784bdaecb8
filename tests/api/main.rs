//! Black-box tests: the real server on a port of its own, once on the embedded default and once on PostgreSQL
//! with Redis.

mod assignment;
mod auth;
mod bad_input;
mod conventions;
mod document;
mod harness;
mod hostile;
mod inquiries;
mod openapi;
mod origins;
mod permissions;
mod responses;
mod transitions;
mod walkthrough;
