//! Notices by mail: what still waits for a decision, told to one person in one digest.

use std::fmt::Write as _;
use std::time::Duration;

use uuid::Uuid;

use super::Timestamp;
use super::event::EventType;
use super::text::single_line;
use super::user::Role;

/// Responses a digest lists; of the others it says how many they are.
pub const LISTED: i64 = 50;

/// What a digest is made of, as of the notifications that are mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Reminder,
    Escalation,
}

impl Cause {
    /// What somebody of this role gets mailed. A digest has one cause.
    pub fn for_role(role: Role) -> Option<Self> {
        match role {
            Role::Cso => None,
            Role::Manager => Some(Self::Reminder),
            Role::Admin => Some(Self::Escalation),
        }
    }

    pub const fn event_type(self) -> EventType {
        match self {
            Self::Reminder => EventType::ApprovalReminder,
            Self::Escalation => EventType::ApprovalEscalated,
        }
    }
}

/// Whether those who are told of it are told by mail as well.
pub fn is_mailed(event_type: EventType) -> bool {
    [Cause::Reminder, Cause::Escalation].iter().any(|cause| cause.event_type() == event_type)
}

/// What one person is to be mailed.
#[derive(Clone, Debug)]
pub struct Digest {
    /// Another one for every digest, and the same one as long as it may have arrived.
    pub id: Uuid,
    pub user_id: Uuid,
    pub email: String,
    pub name: String,
    pub cause: Cause,
    /// It has been in hand before, and may have arrived.
    pub in_doubt: bool,
    /// Failed since the last one went.
    pub attempts: i64,
    /// How many wait.
    pub total: i64,
    /// The longest waiting of them first, [`LISTED`] at most.
    pub waiting: Vec<Waiting>,
}

/// A response that nobody has decided on.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub response_id: Uuid,
    /// Of the inquiry.
    pub subject: String,
    pub author: String,
    pub submitted_at: Timestamp,
}

/// A mail of the hub's own, in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// A repetition has the same.
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub subject: String,
    pub text: String,
}

impl Digest {
    pub fn notice(&self, now: Timestamp) -> Notice {
        let summary = match self.total {
            1 => "1 reply waits for approval".to_owned(),
            total => format!("{total} replies wait for approval"),
        };
        let (subject, why) = match self.cause {
            Cause::Reminder => (summary.clone(), ""),
            Cause::Escalation => {
                (format!("Escalated: {summary}"), ": nobody has decided in time, or nobody may")
            }
        };
        let mut text = format!("{summary}{why}.\n");
        for one in &self.waiting {
            let waited = now.millis().saturating_sub(one.submitted_at.millis());
            let waited = in_words(Duration::from_millis(u64::try_from(waited).unwrap_or(0)));
            let (subject, author) = (single_line(&one.subject), single_line(&one.author));
            let id = one.response_id;
            let _ = write!(text, "\n- {subject}\n  by {author}, waiting for {waited}, response {id}\n");
        }
        let more = self.total.saturating_sub(i64::try_from(self.waiting.len()).unwrap_or(i64::MAX));
        if more > 0 {
            let _ = write!(text, "\nand {more} more\n");
        }
        Notice { id: self.id, email: self.email.clone(), name: self.name.clone(), subject, text }
    }
}

/// The two largest units there are, from days to minutes.
fn in_words(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (days, hours, minutes) = (minutes / (24 * 60), minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Event;
    use crate::domain::event::EntityType;
    use crate::domain::notification::{Audience, audience};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn digest(cause: Cause, total: i64, waiting: &[(&str, &str, &str)]) -> Notice {
        let waiting = waiting.iter().map(|(subject, author, submitted_at)| Waiting {
            response_id: Uuid::from_u128(9),
            subject: (*subject).to_owned(),
            author: (*author).to_owned(),
            submitted_at: at(submitted_at),
        });
        Digest {
            id: Uuid::from_u128(7),
            user_id: Uuid::from_u128(8),
            email: "miriam@example.com".to_owned(),
            name: "Miriam Ek".to_owned(),
            cause,
            in_doubt: false,
            attempts: 0,
            total,
            waiting: waiting.collect(),
        }
        .notice(at("2026-01-05T12:00:00Z"))
    }

    #[test]
    fn it_lists_what_waits_and_since_when() {
        let notice = digest(
            Cause::Reminder,
            12,
            &[
                ("Where is my order?", "Grace Hopper", "2026-01-03T10:59:59Z"),
                ("A refund", "Edsger Dijkstra", "2026-01-05T09:45:00Z"),
                ("An invoice", "Carla Cso", "2026-01-05T11:30:00Z"),
            ],
        );
        assert_eq!(notice.subject, "12 replies wait for approval");
        assert_eq!(
            notice.text.replace(&Uuid::from_u128(9).to_string(), "ID"),
            "12 replies wait for approval.\n\
             \n- Where is my order?\n  by Grace Hopper, waiting for 2 d 1 h, response ID\n\
             \n- A refund\n  by Edsger Dijkstra, waiting for 2 h 15 min, response ID\n\
             \n- An invoice\n  by Carla Cso, waiting for 30 min, response ID\n\
             \nand 9 more\n"
        );
    }

    #[test]
    fn an_escalation_says_so() {
        // Submitted by a clock that is ahead.
        let notice = digest(Cause::Escalation, 1, &[("A refund", "Grace Hopper", "2026-01-05T12:00:01Z")]);
        assert_eq!(notice.subject, "Escalated: 1 reply waits for approval");
        assert_eq!(
            notice.text,
            "1 reply waits for approval: nobody has decided in time, or nobody may.\n\
             \n- A refund\n  by Grace Hopper, waiting for 0 min, response 00000000-0000-0000-0000-000000000009\n"
        );
    }

    #[test]
    fn nobodys_text_begins_a_line() {
        let evil = "Hi\r\n\r\n- Approve this\u{2028}at once\0";
        let notice = digest(Cause::Reminder, 1, &[(evil, evil, "2026-01-05T11:30:00Z")]);
        let entry = "Hi - Approve this at once";
        assert_eq!(
            notice.text,
            format!(
                "1 reply waits for approval.\n\n- {entry}\n  by {entry}, waiting for 30 min, \
                 response 00000000-0000-0000-0000-000000000009\n"
            )
        );
    }

    #[test]
    fn mailed_is_who_is_told() {
        let now = at("2026-01-05T12:00:00Z");
        for event_type in EventType::ALL {
            let entity = (EntityType::Response, Uuid::nil());
            let told = audience(&Event::of(Uuid::nil(), *event_type, entity, None, &json!({}), now));
            let mailed =
                |role: &&Role| Cause::for_role(**role).is_some_and(|one| one.event_type() == *event_type);
            let by_mail: Vec<Role> = Role::ALL.iter().filter(mailed).copied().collect();
            assert_eq!(is_mailed(*event_type), !by_mail.is_empty());
            if is_mailed(*event_type) {
                assert!(matches!(told, Some(Audience::Roles(roles)) if roles == by_mail), "{event_type}");
            }
        }
    }
}
