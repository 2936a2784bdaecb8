use crate::domain::FieldError;
use crate::domain::dead_letter::DeadLetterReason;
use crate::domain::event::EntityType;
use crate::domain::inquiry::InvalidInquiryMove;
use crate::domain::response::{CannotApprove, InvalidTransition};

/// Everything a message to the hub can answer with instead of a result. Exhaustive: the HTTP layer maps each
/// variant by name.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HubError {
    /// Absent, or not visible to the caller; the two must look the same.
    #[error("no such {0}")]
    NotFound(EntityType),
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("validation failed")]
    Invalid(Vec<FieldError>),
    /// The entity is no longer the version named in `If-Match`.
    #[error("the entity is at version {current}")]
    Stale { current: i64 },
    #[error(transparent)]
    InvalidTransition(#[from] InvalidTransition),
    #[error(transparent)]
    InvalidInquiryMove(#[from] InvalidInquiryMove),
    #[error(transparent)]
    ContradictingReport(#[from] crate::domain::delivery::ContradictingReport),
    #[error(transparent)]
    AlreadySettled(#[from] crate::domain::dead_letter::AlreadySettled),
    /// The cause of a dead letter is still there.
    #[error("it is still refused, {reason}: {error}")]
    StillRefused { reason: DeadLetterReason, error: String },
    /// The revision the approver named is not the current one.
    #[error("revision {named} is not the current one, {current}")]
    RevisionChanged { named: i64, current: i64 },
    /// Approving it takes saying that what the customer wrote since was read.
    #[error("the customer has written again since it was submitted; approve it with acknowledgeStale")]
    ResponseStale,
    /// The state of things does not allow it.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    #[error("at most {most} connections of a user at a time")]
    TooManyConnections { most: usize },
    /// Something that must be unique is taken.
    #[error("{what} is already in use")]
    Taken { what: &'static str, pointer: &'static str },
    /// The CSO picked has no room left; pick again.
    #[error("the assignee has no room left")]
    NoRoom,
    /// Lost against concurrent writers more often than is worth retrying.
    #[error("changed by someone else at the same moment")]
    Contended,
    /// The `Idempotency-Key` this request held was taken over by another.
    #[error("the idempotency key is held by another request")]
    ClaimLost,
    #[error("{actor} has no room for another message")]
    Overloaded { actor: &'static str },
    /// The actor died on this message or is gone.
    #[error("{actor} failed")]
    ActorFailed { actor: &'static str },
    /// A dependency is down; the same request may succeed later.
    #[error("{what} is unavailable")]
    Unavailable { what: &'static str },
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why the state of things does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error("You have approved it already; it takes another person.")]
    ApprovedAlready,
    #[error("The customer was deleted; there is nobody to reply to.")]
    CustomerDeleted,
    #[error("The webhook is disabled; enable it first.")]
    WebhookDisabled,
    #[error("Nobody deactivates themselves or changes their own role.")]
    OwnAccount,
    #[error("Nobody takes their own second factor off without a code of it.")]
    OwnSecondFactor,
    #[error("Your role takes a second factor; set up another one in its place.")]
    SecondFactorRequired,
    #[error("There is no second factor.")]
    NoSecondFactor,
    #[error("No authenticator waits to be confirmed.")]
    NoAuthenticator,
    #[error("There is no such queue.")]
    NoSuchQueue,
}

/// Why someone may not do it, whatever state it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("Your role may not do this.")]
    Role,
    #[error("Whoever wrote or edited a response may not decide on it.")]
    OwnText,
}

pub type HubResult<T> = Result<T, HubError>;

impl HubError {
    pub fn invalid(pointer: &str, code: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, message)])
    }
}

impl From<CannotApprove> for HubError {
    fn from(error: CannotApprove) -> Self {
        match error {
            CannotApprove::Status(invalid) => Self::InvalidTransition(invalid),
            CannotApprove::Already => Self::Conflict(Conflict::ApprovedAlready),
            CannotApprove::RevisionChanged { named, current } => Self::RevisionChanged { named, current },
            CannotApprove::Stale => Self::ResponseStale,
        }
    }
}

impl From<Vec<FieldError>> for HubError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}
