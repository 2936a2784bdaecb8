//! Pure types and rules. Nothing in here knows of actors, SQL or the clock: callers pass `now` in, and a
//! transition answers with the entity as it then is or says why it may not happen.

mod text_enum;

pub mod api_key;
pub mod approval_policy;
pub mod assignment;
pub mod audit;
pub mod caller;
pub mod channel;
pub mod cloud_event;
pub mod customer;
pub mod dead_letter;
pub mod delivery;
pub mod envelope;
pub mod event;
pub mod inquiry;
pub mod json;
pub mod notice;
pub mod notification;
pub mod page;
pub mod policy;
pub mod response;
pub mod search;
pub mod stats;
pub mod text;
pub mod timestamp;
pub mod totp;
pub mod trace_parent;
pub mod user;
pub mod validation;
pub mod webhook;

pub use caller::{Caller, Claim, Origin, Principal};
pub use event::Event;
pub use timestamp::Timestamp;
pub use validation::{Checks, FieldError};
