use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::text_enum::text_enum;
use super::validation::{MAX_MESSAGE, MAX_NAME, MAX_SUBJECT, present};
use super::{Checks, FieldError, Timestamp, search};

text_enum!(InquiryStatus {
    Pending = "pending",
    InProgress = "in_progress",
    Responded = "responded",
    Closed = "closed",
});

text_enum!(Priority { Low = "low", Medium = "medium", High = "high", Urgent = "urgent" });

pub const DEFAULT_CATEGORY: &str = "general";
pub const DEFAULT_CHANNEL: &str = "api";

/// A question of one customer and the conversation that grows from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inquiry {
    pub id: Uuid,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub customer_id: Uuid,
    pub subject: String,
    pub message: String,
    pub status: InquiryStatus,
    pub priority: Priority,
    pub category: String,
    pub channel: String,
    /// What the channel calls the message this began with.
    #[schema(required)]
    pub external_id: Option<String>,
    /// What the channel calls the conversation.
    #[schema(required)]
    pub thread_id: Option<String>,
    #[schema(required)]
    pub assigned_to: Option<Uuid>,
    #[schema(required)]
    pub assigned_at: Option<Timestamp>,
}

/// A place in the queue of waiting work; the smaller comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Most urgent first.
    pub priority: Reverse<Priority>,
    pub created_at: Timestamp,
    pub id: Uuid,
}

/// A status move the life cycle does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an inquiry that is {from} cannot become {attempted}")]
pub struct InvalidInquiryMove {
    pub from: InquiryStatus,
    pub attempted: InquiryStatus,
}

impl InquiryStatus {
    /// The life cycle: every pair is decided here, and by name.
    pub const fn may_become(self, to: Self) -> bool {
        match self {
            Self::Pending => matches!(to, Self::InProgress | Self::Closed),
            Self::InProgress => matches!(to, Self::Responded | Self::Closed),
            Self::Responded => matches!(to, Self::Closed | Self::InProgress),
            Self::Closed => matches!(to, Self::InProgress),
        }
    }

    /// Whether it counts towards its CSO's load.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress)
    }
}

impl Priority {
    /// Ascending urgency; what the database sorts by.
    pub const fn rank(self) -> i16 {
        match self {
            Self::Low => 0,
            Self::Medium => 1,
            Self::High => 2,
            Self::Urgent => 3,
        }
    }

    pub fn from_rank(rank: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|priority| priority.rank() == rank)
    }
}

/// `POST /inquiries`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewInquiry {
    pub customer_id: Uuid,
    #[schema(min_length = 1, max_length = 300)]
    pub subject: String,
    #[schema(min_length = 1, max_length = 200000)]
    pub message: String,
    /// `medium` when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub priority: Option<Priority>,
    /// `general` when left out.
    #[schema(max_length = 100)]
    pub category: Option<String>,
    /// `api` when left out.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,31}$")]
    pub channel: Option<String>,
}

impl NewInquiry {
    pub fn validate(mut self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        self.subject = checks.line("/subject", &self.subject, MAX_SUBJECT);
        checks.text("/message", &self.message, MAX_MESSAGE);
        self.category = checks.optional_line("/category", self.category.as_deref(), MAX_NAME);
        if let Some(channel) = &self.channel
            && !is_channel(channel)
        {
            checks.fail("/channel", "invalid_channel", "must match [a-z][a-z0-9_-]{0,31}");
        }
        checks.finish(self)
    }
}

/// The editable whole of an inquiry: `PUT /inquiries/:id`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InquiryInput {
    #[schema(min_length = 1, max_length = 300)]
    pub subject: String,
    #[schema(min_length = 1, max_length = 200000)]
    pub message: String,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub priority: Option<Priority>,
    #[schema(max_length = 100)]
    pub category: Option<String>,
}

impl InquiryInput {
    pub fn validate(mut self) -> Result<Self, Vec<FieldError>> {
        let mut checks = Checks::new();
        self.subject = checks.line("/subject", &self.subject, MAX_SUBJECT);
        checks.text("/message", &self.message, MAX_MESSAGE);
        self.category = checks.optional_line("/category", self.category.as_deref(), MAX_NAME);
        checks.finish(self)
    }
}

impl Inquiry {
    pub fn new(id: Uuid, input: NewInquiry, now: Timestamp) -> Self {
        Self {
            id,
            version: 1,
            created_at: now,
            updated_at: now,
            customer_id: input.customer_id,
            subject: input.subject,
            message: input.message,
            status: InquiryStatus::Pending,
            priority: input.priority.unwrap_or(Priority::Medium),
            category: input.category.unwrap_or_else(|| DEFAULT_CATEGORY.to_owned()),
            channel: input.channel.unwrap_or_else(|| DEFAULT_CHANNEL.to_owned()),
            external_id: None,
            thread_id: None,
            assigned_to: None,
            assigned_at: None,
        }
    }

    /// Replaces everything a `PUT` may change; an optional field left out goes back to its default.
    #[must_use]
    pub fn replace(&self, input: InquiryInput, now: Timestamp) -> Self {
        Self {
            subject: input.subject,
            message: input.message,
            priority: input.priority.unwrap_or(Priority::Medium),
            category: input.category.unwrap_or_else(|| DEFAULT_CATEGORY.to_owned()),
            ..self.touched(now)
        }
    }

    pub fn move_to(&self, status: InquiryStatus, now: Timestamp) -> Result<Self, InvalidInquiryMove> {
        if self.status.may_become(status) {
            Ok(Self { status, ..self.touched(now) })
        } else {
            Err(InvalidInquiryMove { from: self.status, attempted: status })
        }
    }

    /// An approved reply makes it `responded`, from wherever it stood, except that a closed one stays closed:
    /// whoever closed it meant it to be over. `None` when nothing changes.
    pub fn answered(&self, now: Timestamp) -> Option<Self> {
        match self.status {
            InquiryStatus::Pending | InquiryStatus::InProgress => {
                Some(Self { status: InquiryStatus::Responded, ..self.touched(now) })
            }
            InquiryStatus::Responded | InquiryStatus::Closed => None,
        }
    }

    #[must_use]
    pub fn assign(&self, assignee: Option<Uuid>, now: Timestamp) -> Self {
        Self { assigned_to: assignee, assigned_at: assignee.map(|_| now), ..self.touched(now) }
    }

    /// The customer has written again: an inquiry that was over is in progress again, with the same CSO if they
    /// are still there, or else waiting for another.
    #[must_use]
    pub fn written_to_again(&self, assignee_is_there: bool, now: Timestamp) -> Self {
        let touched = self.touched(now);
        match (self.status.is_open(), assignee_is_there) {
            (true, _) => touched,
            (false, true) => Self { status: InquiryStatus::InProgress, ..touched },
            (false, false) => {
                Self { status: InquiryStatus::Pending, assigned_to: None, assigned_at: None, ..touched }
            }
        }
    }

    /// When the next message of its conversation is: later than anything in it so far, whatever the clock of this
    /// instance says.
    pub fn next_message_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.updated_at.plus(Duration::from_millis(1)))
    }

    /// The CSO on whose load this counts.
    pub fn load_on(&self) -> Option<Uuid> {
        self.assigned_to.filter(|_| self.status.is_open())
    }

    /// Where it stands in the queue of waiting work: the most urgent first, among equals the oldest.
    pub fn place(&self) -> Place {
        Place { priority: Reverse(self.priority), created_at: self.created_at, id: self.id }
    }

    pub fn search_document(&self) -> String {
        search::document([self.subject.as_str(), &self.message])
    }

    fn touched(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

pub fn is_channel(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 32
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-')
}

/// One message of an inquiry's conversation, as `GET /inquiries/:id/messages` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationMessage {
    pub id: Uuid,
    pub created_at: Timestamp,
    pub inquiry_id: Uuid,
    pub direction: Direction,
    pub message: String,
    /// The user who wrote a reply; null for the customer's own messages.
    #[schema(required)]
    pub author_id: Option<Uuid>,
    /// The approved response this reply is.
    #[schema(required)]
    pub response_id: Option<Uuid>,
    #[schema(required)]
    pub external_id: Option<String>,
    /// What the channel told besides.
    #[schema(required)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

text_enum!(
    /// Seen from the hub.
    Direction { Inbound = "inbound", Outbound = "outbound" }
);

#[cfg(test)]
mod tests {
    use super::*;
    use InquiryStatus::{Closed, InProgress, Pending, Responded};

    /// Every status × status, as contract section 4 has it.
    #[test]
    fn the_life_cycle_has_these_moves_and_no_other() {
        let allowed = [
            (Pending, InProgress),
            (InProgress, Responded),
            (Responded, Closed),
            (Pending, Closed),
            (InProgress, Closed),
            (Responded, InProgress),
            (Closed, InProgress),
        ];
        for &from in InquiryStatus::ALL {
            for &to in InquiryStatus::ALL {
                assert_eq!(from.may_become(to), allowed.contains(&(from, to)), "{from} -> {to}");
            }
        }
    }

    #[test]
    fn the_queue_is_by_urgency_and_then_by_age() {
        let place = |priority, second, id| {
            let created_at = Timestamp::parse("2026-06-01T08:00:00Z").unwrap();
            let created_at = created_at.plus(std::time::Duration::from_secs(second));
            Place { priority: Reverse(priority), created_at, id: Uuid::from_u128(id) }
        };
        let queue = [
            place(Priority::Urgent, 9, 9),
            place(Priority::High, 5, 5),
            place(Priority::Medium, 1, 3),
            place(Priority::Medium, 1, 4),
            place(Priority::Medium, 2, 1),
            place(Priority::Low, 0, 0),
        ];
        for (a, one) in queue.iter().enumerate() {
            for (b, other) in queue.iter().enumerate() {
                assert_eq!(one < other, a < b, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn channels() {
        for good in ["api", "email", "a", "web-chat_2"] {
            assert!(is_channel(good), "{good}");
        }
        for bad in ["", "Email", "2chat", "e mail", "-x", &"a".repeat(33)] {
            assert!(!is_channel(bad), "{bad}");
        }
    }
}
