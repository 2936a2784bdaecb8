//! Black-box tests: the real server on a port of its own, once on the embedded default and once on PostgreSQL
//! with Redis.

mod bad_input;
mod document;
mod auth;
mod harness;
mod permissions;
mod walkthrough;
