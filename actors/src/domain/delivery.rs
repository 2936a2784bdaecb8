//! Approved replies on their way out (contract section 5.2).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::customer::Customer;
use super::inquiry::Inquiry;
use super::response::Response;
use super::text_enum::text_enum;
use super::validation::{MAX_NOTES, present};
use super::{Checks, FieldError, Timestamp};

text_enum!(DeliveryStatus { Pending = "pending", Sent = "sent", Failed = "failed" });

/// What the gateway of a channel gets: exactly the approved revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboundMessage {
    pub delivery_id: Uuid,
    pub response_id: Uuid,
    pub inquiry_id: Uuid,
    pub revision: i64,
    pub channel: String,
    /// Of the inquiry.
    #[schema(required)]
    pub external_id: Option<String>,
    #[schema(required)]
    pub thread_id: Option<String>,
    pub to: Addressee,
    pub subject: String,
    pub message: String,
    /// Whose approval was the last one needed; null for what a policy released without one.
    #[schema(required)]
    pub approved_by: Option<Uuid>,
    /// When it was approved or released.
    pub approved_at: Timestamp,
    /// The approval policy that released it; null where people approved it.
    #[serde(default)]
    pub released_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Addressee {
    pub customer_id: Uuid,
    pub email: String,
    #[schema(required)]
    pub phone: Option<String>,
    pub name: String,
}

/// A delivery as `GET /deliveries` lists it: the message, and how it fares.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub id: Uuid,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub status: DeliveryStatus,
    /// How often it was handed to the channel and failed.
    pub attempts: i64,
    /// When it is handed over next; null while the channel has it.
    #[schema(required)]
    pub next_attempt_at: Option<Timestamp>,
    #[schema(required)]
    pub last_error: Option<String>,
    /// The outcome of an attempt is unknown: it may have reached the customer. Whatever is sent again carries the
    /// same `deliveryId`.
    pub ambiguous: bool,
    /// Someone is handing it over. Still so when it is due again, they died over it.
    #[serde(skip)]
    pub claimed: bool,
    #[serde(flatten)]
    pub message: OutboundMessage,
}

/// What a sender reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// It reached the customer's side; `delivered_at` as the sender tells it.
    Confirmed {
        delivered_at: Option<Timestamp>,
    },
    Failed {
        reason: String,
        permanent: bool,
    },
    /// It may have been sent, or not.
    Unknown {
        reason: String,
    },
}

impl Report {
    /// When it was delivered: what the sender tells, unless its clock is ahead of the hub's.
    pub fn delivered_at(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Confirmed { delivered_at: Some(told) } if *told <= now => *told,
            Self::Confirmed { .. } | Self::Failed { .. } | Self::Unknown { .. } => now,
        }
    }
}

/// `delivery.confirmed` on the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliveryConfirmed {
    pub delivery_id: Uuid,
    pub delivered_at: Option<Timestamp>,
}

/// `delivery.failed` on the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliveryFailed {
    pub delivery_id: Uuid,
    #[schema(min_length = 1, max_length = 5000)]
    pub reason: String,
    /// Whether trying again is pointless.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub permanent: Option<bool>,
}

/// `POST /deliveries/:id/fail`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailureReport {
    #[schema(min_length = 1, max_length = 5000)]
    pub reason: String,
    /// Whether trying again is pointless.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub permanent: Option<bool>,
}

impl FailureReport {
    pub fn validate(self) -> Result<Report, Vec<FieldError>> {
        let mut checks = Checks::new();
        checks.text("/reason", &self.reason, MAX_NOTES);
        checks.finish(Report::Failed { reason: self.reason, permanent: self.permanent.unwrap_or(false) })
    }
}

/// How failed deliveries are tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryRule {
    /// After the first failure; doubled with each further one.
    pub backoff: Duration,
    pub backoff_cap: Duration,
    pub max_attempts: i64,
}

impl RetryRule {
    /// The pause after `failures` failures.
    pub fn pause(&self, failures: i64) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(31);
        self.backoff.saturating_mul(1_u32 << doublings).min(self.backoff_cap)
    }
}

/// A report that contradicts what was reported before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery is already {0}")]
pub struct ContradictingReport(pub DeliveryStatus);

impl Delivery {
    /// The delivery of a response that has just been approved or released, due at once.
    pub fn of_approved(
        id: Uuid,
        response: &Response,
        inquiry: &Inquiry,
        customer: &Customer,
        now: Timestamp,
    ) -> Self {
        let subject = if inquiry.subject.to_lowercase().starts_with("re:") {
            inquiry.subject.clone()
        } else {
            format!("Re: {}", inquiry.subject)
        };
        let message = OutboundMessage {
            delivery_id: id,
            response_id: response.id,
            inquiry_id: inquiry.id,
            revision: response.revision,
            channel: inquiry.channel.clone(),
            external_id: inquiry.external_id.clone(),
            thread_id: inquiry.thread_id.clone(),
            to: Addressee {
                customer_id: customer.id,
                email: customer.email.clone(),
                phone: customer.phone.clone(),
                name: format!("{} {}", customer.first_name, customer.last_name),
            },
            subject,
            message: response.message.clone(),
            approved_by: response.approved_by,
            approved_at: now,
            released_by: response.released_by().map(str::to_owned),
        };
        Self {
            id,
            version: 1,
            created_at: now,
            updated_at: now,
            status: DeliveryStatus::Pending,
            attempts: 0,
            next_attempt_at: Some(now),
            last_error: None,
            ambiguous: false,
            claimed: false,
            message,
        }
    }

    /// The send gate: whether `response` is approved, and by its text, revision and approver this is what was.
    pub fn is_released_by(&self, response: &Response) -> bool {
        response.is_approved()
            && response.id == self.message.response_id
            && response.revision == self.message.revision
            && response.message == self.message.message
            && response.approved_by == self.message.approved_by
            && response.released_by() == self.message.released_by.as_deref()
    }

    /// To be handed to its channel at `time`, unless something else comes first.
    #[must_use]
    pub fn due_at(&self, time: Timestamp, now: Timestamp) -> Self {
        Self { next_attempt_at: Some(time), claimed: false, ..self.touched(now) }
    }

    /// Someone is about to hand it over. Should they die over it, it is due again at `until`.
    #[must_use]
    pub fn claimed(&self, until: Timestamp, now: Timestamp) -> Self {
        Self { claimed: true, ..self.due_at(until, now) }
    }

    /// Whoever was sending it died over it, so that nobody knows whether it was sent.
    #[must_use]
    pub fn if_interrupted(self) -> Self {
        if self.claimed {
            let last_error = Some("outcome unknown: the hub was interrupted while sending it".to_owned());
            Self { ambiguous: true, last_error, ..self }
        } else {
            self
        }
    }

    /// Its channel has it now; what comes next is a report.
    #[must_use]
    pub fn handed_over(&self, now: Timestamp) -> Self {
        Self { next_attempt_at: None, claimed: false, ..self.touched(now) }
    }

    /// Its channel cannot take it for now, and has not. Not an attempt.
    #[must_use]
    pub fn put_off(&self, reason: String, until: Timestamp, now: Timestamp) -> Self {
        Self { last_error: Some(reason), ..self.due_at(until, now) }
    }

    /// It is not what was approved, so it is never sent.
    #[must_use]
    pub fn withheld(&self, now: Timestamp) -> Self {
        Self {
            status: DeliveryStatus::Failed,
            next_attempt_at: None,
            claimed: false,
            last_error: Some("withheld: what was stored to be sent is not what was approved".to_owned()),
            ..self.touched(now)
        }
    }

    /// After a report: the delivery as it then is, or `None` when the same was reported before.
    pub fn reported(
        &self,
        report: &Report,
        rule: &RetryRule,
        now: Timestamp,
    ) -> Result<Option<Self>, ContradictingReport> {
        let next = Self { next_attempt_at: None, claimed: false, ..self.touched(now) };
        match (self.status, report) {
            (DeliveryStatus::Pending, Report::Confirmed { .. }) => {
                Ok(Some(Self { status: DeliveryStatus::Sent, last_error: None, ambiguous: false, ..next }))
            }
            (DeliveryStatus::Pending, Report::Failed { reason, permanent }) => {
                Ok(Some(next.failed(reason.clone(), *permanent, rule, now)))
            }
            (DeliveryStatus::Pending, Report::Unknown { reason }) => {
                let in_doubt = Self { ambiguous: true, ..next };
                Ok(Some(in_doubt.failed(format!("outcome unknown: {reason}"), false, rule, now)))
            }
            (DeliveryStatus::Sent, Report::Confirmed { .. })
            | (DeliveryStatus::Failed, Report::Failed { .. })
            // An outcome that is known counts for more.
            | (DeliveryStatus::Sent | DeliveryStatus::Failed, Report::Unknown { .. }) => Ok(None),
            (DeliveryStatus::Sent, Report::Failed { .. })
            | (DeliveryStatus::Failed, Report::Confirmed { .. }) => Err(ContradictingReport(self.status)),
        }
    }

    /// One attempt more, and its consequence.
    fn failed(self, reason: String, permanent: bool, rule: &RetryRule, now: Timestamp) -> Self {
        let attempts = self.attempts + 1;
        let tried = Self { attempts, last_error: Some(reason), ..self };
        if permanent || attempts >= rule.max_attempts {
            Self { status: DeliveryStatus::Failed, ..tried }
        } else {
            Self { next_attempt_at: Some(now.plus(rule.pause(attempts))), ..tried }
        }
    }

    fn touched(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap() {
        let rule = RetryRule {
            backoff: Duration::from_secs(30),
            backoff_cap: Duration::from_secs(3600),
            max_attempts: 8,
        };
        let pauses: Vec<_> = (1..=9).map(|failures| rule.pause(failures).as_secs()).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(rule.pause(i64::MAX).as_secs(), 3600);
    }
}
