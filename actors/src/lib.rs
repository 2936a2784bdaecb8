//! The Customer Nexus Hub without its edges: no HTTP, no RabbitMQ, no Redis in here.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`domain`] | types and rules, pure: life cycles, the permission table, the choice of an assignee |
//! | [`store`] | persistence actors; the only place with SQL |
//! | [`approval_coordinator`] | the life cycle of responses |
//! | [`inquiry_desk`], [`customer_desk`], [`user_desk`], [`api_key_desk`] | changes to inquiries, customers, users, sessions and API keys |
//! | [`intake_desk`], [`dead_letter_desk`] | what channels bring, and what of it cannot be taken |
//! | [`outbox_relay`], [`delivery_dispatcher`] | events to the broker, approved replies to their channels |
//! | [`redelivery`] | replies handed over once more to a channel that may have lost them |
//! | [`webhook_desk`], [`webhook_dispatcher`] | endpoints that events are sent to by HTTP |
//! | [`port`] | what is asked of the edges: a broker, a mail server, calls by HTTP |
//! | [`digest_mailer`] | what waits for a decision, to those who can decide, by mail |
//! | [`approval_watch`] | tells who looks at the approval queue that it has changed |
//! | [`audit_sealer`] | chains the audit trail |
//! | [`assignment_balancer`] | who gets an inquiry; takes waiting ones up |
//! | [`hub`] | starts and stops the tree of actors |
//! | [`supervision`], [`mailbox`] | restarts after panics; bounded ways to an actor |
//! | [`measures`] | what is counted, for the operator |
//! | [`trace`] | what is followed, for the operator |
//!
//! Invariants:
//! - A change of state, its audit entry, its outbox event and its idempotency key commit together or not at
//!   all: [`store::Commit`] is the only way to write.
//! - An update names the version it started from; a row that has moved on is `Contended`, never overwritten.
//! - Only [`approval_coordinator`] changes a response, and only through `domain::response`.

pub mod api_key_desk;
pub mod approval_coordinator;
pub mod approval_watch;
pub mod assignment_balancer;
pub mod audit_sealer;
pub mod clock;
pub mod customer_desk;
pub mod dead_letter_desk;
pub mod delivery_dispatcher;
pub mod desk;
pub mod digest;
pub mod digest_mailer;
pub mod domain;
pub mod error;
pub mod housekeeper;
pub mod hub;
pub mod inquiry_desk;
pub mod intake_desk;
pub mod mailbox;
pub mod measures;
pub mod notifier;
pub mod outage;
pub mod outbox_relay;
pub mod port;
pub mod redelivery;
pub mod store;
pub mod supervision;
pub mod trace;
pub mod user_desk;
pub mod webhook_desk;
pub mod webhook_dispatcher;

pub use clock::{Clock, new_id};
pub use error::{Conflict, Forbidden, HubError, HubResult};
pub use hub::{Hub, HubSettings};
