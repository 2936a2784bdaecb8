//! Black-box tests: the real server on a port of its own, once on the embedded default and once on PostgreSQL
//! with Redis.

mod harness;
mod walkthrough;
