use std::sync::Arc;

use uuid::Uuid;

use super::Event;
use super::trace_parent::TraceParent;
use super::user::Role;

/// A signed-in person, as far as rules care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub user_id: Uuid,
    pub role: Role,
    /// The session whose access token was presented.
    pub session_id: Uuid,
}

/// Who asks for a change and under which conditions. Travels with every command.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Principal,
    pub request_id: Arc<str>,
    /// The version the caller last saw, from `If-Match`.
    pub if_match: Option<i64>,
    /// The `Idempotency-Key` this request holds, to be settled in the same transaction as the change.
    pub claim: Option<Claim>,
}

/// Where a change came from that no signed-in user asked for: a gateway, or the hub itself.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// An admin who does by hand what gateways do.
    pub user_id: Option<Uuid>,
    pub request_id: Option<String>,
    /// Where it is in a trace; without it, where the commit is.
    pub trace: Option<TraceParent>,
}

impl Origin {
    #[must_use]
    pub fn stamp(&self, event: Event) -> Event {
        Event { actor_id: self.user_id, request_id: self.request_id.clone(), trace: self.trace, ..event }
    }
}

/// A hold on an `Idempotency-Key`: only who has the token may settle it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// SHA-256 of caller, method, path and key, in hex.
    pub scope: String,
    pub token: Uuid,
    /// The status the request answers with when it succeeds.
    pub success_status: u16,
}
