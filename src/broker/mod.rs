//! The way to and from the channels: RabbitMQ, or its twin in this process.

mod local;

pub use local::LocalBroker;
