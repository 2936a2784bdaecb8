mod input;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Timestamp;
use super::approval_policy::Terms;
use super::text_enum::text_enum;

pub use input::{Approval, NewResponse, Rejection, ResponseInput};

text_enum!(ResponseStatus {
    Draft = "draft",
    PendingApproval = "pending_approval",
    Approved = "approved",
    Rejected = "rejected",
    Sent = "sent",
    DeliveryFailed = "delivery_failed",
});

text_enum!(
    /// What can be done to a response.
    ResponseAction {
        Edit = "edit",
        Submit = "submit",
        Withdraw = "withdraw",
        // Together with a submission: a policy lets it go without anyone's approval.
        Release = "release",
        // An approval that another one must follow.
        AddApproval = "add_approval",
        Approve = "approve",
        Reject = "reject",
        ConfirmDelivery = "confirm_delivery",
        FailDelivery = "fail_delivery",
    }
);

/// A reply on its way to a customer. Only the exact revision a manager approved is ever sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub id: Uuid,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub inquiry_id: Uuid,
    pub message: String,
    /// Of the text: 1 for the first draft, one more with each edit.
    pub revision: i64,
    pub status: ResponseStatus,
    /// The author.
    pub responded_by: Uuid,
    /// Everyone whose words are or were in it, the author included. None of them may decide on it.
    pub editors: Vec<Uuid>,
    /// Whose approval was the last one needed; null as well for what a policy released.
    #[schema(required)]
    pub approved_by: Option<Uuid>,
    /// The reviewer's notes with the latest decision.
    #[schema(required)]
    pub approval_notes: Option<String>,
    #[schema(required)]
    pub submitted_at: Option<Timestamp>,
    #[schema(required)]
    pub decided_at: Option<Timestamp>,
    #[schema(required)]
    pub sent_at: Option<Timestamp>,
    #[schema(required)]
    pub delivery_error: Option<String>,
    /// It waits for a decision, and the customer has written again since it was submitted.
    pub stale: bool,
    /// The approval policy that applied when it was submitted; null for none.
    #[schema(required)]
    pub policy: Option<String>,
    /// How many different people have to approve it. 0: `policy` released it as it was submitted.
    pub approvals_required: i64,
    /// Those given since it was submitted.
    pub approvals: Vec<GivenApproval>,
    /// `policy` picked it for approval, while others of its kind are released at once.
    pub sampled: bool,
}

/// What one of the people who approved it had to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GivenApproval {
    pub approved_by: Uuid,
    pub approved_at: Timestamp,
    #[schema(required)]
    pub notes: Option<String>,
}

/// What becomes due for a submission that nobody decides on, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    Reminder,
    Escalation,
}

/// Why an approval is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotApprove {
    #[error(transparent)]
    Status(#[from] InvalidTransition),
    /// The one needed next must be another person's.
    #[error("the same person has approved it already")]
    Already,
    /// The revision the approver named is not the current one.
    #[error("revision {named} is not the current one, {current}")]
    RevisionChanged { named: i64, current: i64 },
    /// It takes saying that what the customer wrote since was read.
    #[error("the customer has written again since it was submitted")]
    Stale,
}

/// A move the life cycle does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a response that is {from} does not take the action {attempted}")]
pub struct InvalidTransition {
    pub from: ResponseStatus,
    pub attempted: ResponseAction,
}

impl ResponseStatus {
    /// The life cycle. Where `action` leads from here, or `None` when it may not be taken; every pair is
    /// decided by name, so that a new status or action does not compile until it is thought about.
    pub const fn after(self, action: ResponseAction) -> Option<Self> {
        match action {
            ResponseAction::Edit => match self {
                Self::Draft | Self::Rejected => Some(Self::Draft),
                Self::PendingApproval | Self::Approved | Self::Sent | Self::DeliveryFailed => None,
            },
            ResponseAction::Submit => match self {
                Self::Draft | Self::DeliveryFailed => Some(Self::PendingApproval),
                Self::PendingApproval | Self::Approved | Self::Rejected | Self::Sent => None,
            },
            ResponseAction::Release => match self {
                Self::Draft | Self::DeliveryFailed => Some(Self::Approved),
                Self::PendingApproval | Self::Approved | Self::Rejected | Self::Sent => None,
            },
            ResponseAction::AddApproval => match self {
                Self::PendingApproval => Some(Self::PendingApproval),
                Self::Draft | Self::Approved | Self::Rejected | Self::Sent | Self::DeliveryFailed => None,
            },
            ResponseAction::Withdraw => match self {
                Self::PendingApproval => Some(Self::Draft),
                Self::Draft | Self::Approved | Self::Rejected | Self::Sent | Self::DeliveryFailed => None,
            },
            ResponseAction::Approve => match self {
                Self::PendingApproval => Some(Self::Approved),
                Self::Draft | Self::Approved | Self::Rejected | Self::Sent | Self::DeliveryFailed => None,
            },
            ResponseAction::Reject => match self {
                Self::PendingApproval => Some(Self::Rejected),
                Self::Draft | Self::Approved | Self::Rejected | Self::Sent | Self::DeliveryFailed => None,
            },
            ResponseAction::ConfirmDelivery => match self {
                Self::Approved => Some(Self::Sent),
                Self::Draft | Self::PendingApproval | Self::Rejected | Self::Sent | Self::DeliveryFailed => {
                    None
                }
            },
            ResponseAction::FailDelivery => match self {
                Self::Approved => Some(Self::DeliveryFailed),
                Self::Draft | Self::PendingApproval | Self::Rejected | Self::Sent | Self::DeliveryFailed => {
                    None
                }
            },
        }
    }
}

impl Response {
    pub fn draft(id: Uuid, inquiry_id: Uuid, message: String, author: Uuid, now: Timestamp) -> Self {
        Self {
            id,
            version: 1,
            created_at: now,
            updated_at: now,
            inquiry_id,
            message,
            revision: 1,
            status: ResponseStatus::Draft,
            responded_by: author,
            editors: vec![author],
            approved_by: None,
            approval_notes: None,
            submitted_at: None,
            decided_at: None,
            sent_at: None,
            delivery_error: None,
            stale: false,
            policy: None,
            approvals_required: 1,
            approvals: Vec::new(),
            sampled: false,
        }
    }

    /// Whether `user` wrote or edited any revision, which bars them from deciding (four eyes).
    pub fn is_written_by(&self, user: Uuid) -> bool {
        self.responded_by == user || self.editors.contains(&user)
    }

    /// A new revision. The notes of an earlier rejection stay in sight until the next submission.
    pub fn edit(&self, by: Uuid, message: String, now: Timestamp) -> Result<Self, InvalidTransition> {
        let mut edited = self.advance(ResponseAction::Edit, now)?;
        edited.message = message;
        edited.revision += 1;
        if !edited.editors.contains(&by) {
            edited.editors.push(by);
        }
        Ok(edited)
    }

    /// Opens a new round under `terms`: what the last decision left behind is cleared. Terms that ask for nobody's
    /// approval release it.
    pub fn submit(&self, terms: Terms, now: Timestamp) -> Result<Self, InvalidTransition> {
        let submitted = self.advance(ResponseAction::Submit, now)?;
        let released = terms.approvals == 0;
        let submitted = if released { self.advance(ResponseAction::Release, now)? } else { submitted };
        Ok(Self {
            submitted_at: Some(now),
            approved_by: None,
            approval_notes: None,
            decided_at: None,
            delivery_error: None,
            policy: terms.policy,
            approvals_required: terms.approvals,
            approvals: Vec::new(),
            sampled: terms.sampled,
            ..submitted
        })
    }

    pub fn withdraw(&self, now: Timestamp) -> Result<Self, InvalidTransition> {
        Ok(Self { submitted_at: None, approvals: Vec::new(), ..self.advance(ResponseAction::Withdraw, now)? })
    }

    /// One more approval, of `required` that it takes by now; never fewer than it took when it was submitted. It
    /// waits on until there are as many.
    ///
    /// # Errors
    /// When it does not wait for one, or for none of `by`, or when what `by` has read is not all there is.
    pub fn approve(
        &self,
        by: Uuid,
        approval: &Approval,
        required: i64,
        now: Timestamp,
    ) -> Result<Self, CannotApprove> {
        let approved = self.advance(ResponseAction::Approve, now)?;
        if self.has_approval_of(by) {
            return Err(CannotApprove::Already);
        }
        if let Some(named) = approval.revision.filter(|&named| named != self.revision) {
            return Err(CannotApprove::RevisionChanged { named, current: self.revision });
        }
        if self.stale && !approval.acknowledge_stale {
            return Err(CannotApprove::Stale);
        }
        let notes = approval.notes.clone();
        let approvals_required = required.max(self.approvals_required);
        let mut approvals = self.approvals.clone();
        approvals.push(GivenApproval { approved_by: by, approved_at: now, notes: notes.clone() });
        if count(&approvals) < approvals_required {
            let waiting = self.advance(ResponseAction::AddApproval, now)?;
            // Whoever comes next must have read it as well.
            return Ok(Self { approvals, approvals_required, stale: self.stale, ..waiting });
        }
        Ok(Self {
            approved_by: Some(by),
            approval_notes: notes,
            decided_at: Some(now),
            approvals,
            approvals_required,
            ..approved
        })
    }

    pub fn has_approval_of(&self, user: Uuid) -> bool {
        self.approvals.iter().any(|approval| approval.approved_by == user)
    }

    /// How many more people have to approve it.
    pub fn approvals_missing(&self) -> i64 {
        (self.approvals_required - count(&self.approvals)).max(0)
    }

    /// Whether everyone has agreed that it goes out: as many people as it takes, or a policy.
    pub fn is_approved(&self) -> bool {
        // Those approved by an earlier version of the hub have no list.
        let given = count(&self.approvals).max(i64::from(self.approved_by.is_some()));
        let agreed = given > 0 || self.released_by().is_some();
        self.status == ResponseStatus::Approved && given >= self.approvals_required && agreed
    }

    /// The policy that released it, where nobody had to approve it.
    pub fn released_by(&self) -> Option<&str> {
        self.policy.as_deref().filter(|_| self.approvals_required == 0)
    }

    pub fn reject(&self, notes: String, now: Timestamp) -> Result<Self, InvalidTransition> {
        Ok(Self {
            approvals: Vec::new(),
            approval_notes: Some(notes),
            decided_at: Some(now),
            ..self.advance(ResponseAction::Reject, now)?
        })
    }

    /// The customer has written again: whoever has approved it did not know. `None` where that changes nothing.
    pub fn outdated(&self, now: Timestamp) -> Option<Self> {
        let fresh = !self.stale || !self.approvals.is_empty();
        let changes = self.status == ResponseStatus::PendingApproval && fresh;
        changes.then(|| Self {
            stale: true,
            approvals: Vec::new(),
            version: self.version + 1,
            updated_at: now,
            ..self.clone()
        })
    }

    /// The customer's gateway has sent it, at `sent_at`.
    pub fn confirm_delivery(&self, sent_at: Timestamp, now: Timestamp) -> Result<Self, InvalidTransition> {
        Ok(Self {
            sent_at: Some(sent_at),
            delivery_error: None,
            ..self.advance(ResponseAction::ConfirmDelivery, now)?
        })
    }

    /// It cannot be sent; the author may submit it again.
    pub fn fail_delivery(&self, error: String, now: Timestamp) -> Result<Self, InvalidTransition> {
        Ok(Self { delivery_error: Some(error), ..self.advance(ResponseAction::FailDelivery, now)? })
    }

    fn advance(&self, action: ResponseAction, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self.status.after(action) {
            Some(status) => {
                let version = self.version + 1;
                Ok(Self { status, version, updated_at: now, stale: false, ..self.clone() })
            }
            None => Err(InvalidTransition { from: self.status, attempted: action }),
        }
    }
}

fn count(approvals: &[GivenApproval]) -> i64 {
    i64::try_from(approvals.len()).unwrap_or(i64::MAX)
}

/// One step in a response's life, with the text where the step made a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    pub id: Uuid,
    pub created_at: Timestamp,
    pub response_id: Uuid,
    pub action: HistoryAction,
    /// The text's revision after the step.
    pub revision: i64,
    /// The whole text, where the step wrote one (`created`, `edited`).
    #[schema(required)]
    pub message: Option<String>,
    #[schema(required)]
    pub notes: Option<String>,
    #[schema(required)]
    pub actor_id: Option<Uuid>,
}

text_enum!(HistoryAction {
    Created = "created",
    Edited = "edited",
    Submitted = "submitted",
    Withdrawn = "withdrawn",
    // By a policy, without anyone's approval.
    Released = "released",
    // Another one is needed.
    ApprovalAdded = "approval_added",
    Approved = "approved",
    Rejected = "rejected",
    Sent = "sent",
    DeliveryFailed = "delivery_failed",
});

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
