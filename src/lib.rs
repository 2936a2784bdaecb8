//! The server around the hub's actors: settings, HTTP, sessions and the command line.

pub mod app;
pub mod asyncapi;
mod bootstrap;
pub mod broker;
pub mod cli;
mod demo;
pub mod http;
mod logging;
pub mod mail;
pub mod sessions;
pub mod settings;
pub mod telemetry;
mod transport;
pub mod webhooks;
