//! The second factor of a sign-in: the code of an authenticator app (TOTP, RFC 6238), or a recovery code when that is
//! lost. What takes the authenticator's secret is done at the edge, which has the key to it.

use uuid::Uuid;

/// What is kept of a user's authenticator. Its secrets are sealed.
#[derive(Clone)]
pub struct Totp {
    pub user_id: Uuid,
    /// Absent until an authenticator has been confirmed.
    pub secret: Option<String>,
    /// Of the authenticator that takes its place once confirmed.
    pub pending: Option<String>,
    /// The newest time step of which a code was accepted. None of it or of one before is accepted again (RFC 6238,
    /// section 5.2).
    pub last_step: i64,
    /// Hashes of the recovery codes that are left.
    pub recovery_codes: Vec<String>,
}

/// A second factor that is right, and good for one use: it counts once it is spent, with the change it allows.
#[derive(Clone, Debug)]
pub enum SecondFactor {
    Code {
        /// The sealed secret it was verified against.
        verified: String,
        /// The same secret as it is to be kept, sealed with today's key.
        kept: String,
        step: i64,
    },
    RecoveryCode {
        hash: String,
    },
}

impl SecondFactor {
    /// As the audit trail has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Code { .. } => "totp",
            Self::RecoveryCode { .. } => "recovery_code",
        }
    }
}
