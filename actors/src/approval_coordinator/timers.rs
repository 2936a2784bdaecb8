//! What happens when nobody decides: reviewers are reminded, then admins are told. Nothing is ever approved by time.
//!
//! A timer is a time in the database, so that it survives a restart; it fires with a conditional write, so that it
//! fires once, whichever instance is first.

use std::time::Duration;

use actix::{Handler, Message, ResponseFuture};
use uuid::Uuid;

use super::ApprovalCoordinator;
use crate::clock::new_id;
use crate::domain::Event;
use crate::domain::event::{EntityType, EventType};
use crate::domain::response::{Response, Timer};
use crate::error::{HubError, HubResult};
use crate::store::responses::{ListPending, Pending};
use crate::store::users::ListApprovers;
use crate::store::{Commit, Write};

/// How often timers are looked at.
pub(super) const SWEEP: Duration = Duration::from_secs(2);
/// Responses read at a time.
const BATCH: i64 = 100;

/// How long a submission may wait. Zero: for as long as it takes.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalTimers {
    /// Until its reviewers are reminded.
    pub remind_after: Duration,
    /// Until admins are told.
    pub escalate_after: Duration,
}

/// Fires what is due. The coordinator does so by itself, every two seconds.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct FireTimers;

impl Handler<FireTimers> for ApprovalCoordinator {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, _: FireTimers, _: &mut Self::Context) -> Self::Result {
        let coordinator = self.clone();
        Box::pin(async move { coordinator.fire_timers().await })
    }
}

impl ApprovalCoordinator {
    pub(super) async fn fire_timers(&self) -> HubResult<()> {
        let now = self.clock.now();
        for (timer, after) in
            [(Timer::Reminder, self.timers.remind_after), (Timer::Escalation, self.timers.escalate_after)]
        {
            if !after.is_zero() {
                let pending = Pending { without: timer, submitted_until: now.minus(after) };
                self.fire_all(pending, |_| true).await?;
            }
        }
        self.escalate_what_nobody_may_decide().await
    }

    /// Reviewers may have left, or have all written in it. That can only have changed when they have.
    async fn escalate_what_nobody_may_decide(&self) -> HubResult<()> {
        let approvers = self.users.ask(ListApprovers).await?;
        if self.known_approvers().as_ref() == Some(&approvers) {
            return Ok(());
        }
        let pending = Pending { without: Timer::Escalation, submitted_until: self.clock.now() };
        self.fire_all(pending, |response| !has_reviewer(response, &approvers)).await?;
        *self.known_approvers() = Some(approvers);
        Ok(())
    }

    async fn fire_all(&self, pending: Pending, which: impl Fn(&Response) -> bool) -> HubResult<()> {
        let mut after = None;
        loop {
            let some = self.responses.ask(ListPending { pending, after, limit: BATCH }).await?;
            let Some(last) = some.last() else { return Ok(()) };
            after = last.submitted_at.map(|submitted_at| (submitted_at, last.id));
            for response in some.iter().filter(|response| which(response)) {
                let fire = self.fire(Commit::default(), response, pending.without);
                match self.writer.ask(fire).await {
                    // Another instance was faster, or it was decided or withdrawn meanwhile.
                    Err(HubError::Contended) => {}
                    outcome => outcome?,
                }
            }
        }
    }

    /// Adds what a timer does to `commit`.
    pub(super) fn fire(&self, commit: Commit, response: &Response, timer: Timer) -> Commit {
        let now = self.clock.now();
        let entity = (EntityType::Response, response.id);
        let event = Event::of(new_id(), event_type(timer), entity, Some(response), response, now);
        let submitted_at = response.submitted_at.unwrap_or(response.updated_at);
        commit
            .and(Write::FireTimer { response_id: response.id, submitted_at, timer, at: now })
            .with_event(event)
    }

    /// With the next sweep.
    pub(super) fn look_for_reviewers_again(&self) {
        *self.known_approvers() = None;
    }

    fn known_approvers(&self) -> std::sync::MutexGuard<'_, Option<Vec<Uuid>>> {
        self.approvers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn event_type(timer: Timer) -> EventType {
    match timer {
        Timer::Reminder => EventType::ApprovalReminder,
        Timer::Escalation => EventType::ApprovalEscalated,
    }
}

/// Whether there are enough people who did not write in it and have not approved it yet.
pub(super) fn has_reviewer(response: &Response, approvers: &[Uuid]) -> bool {
    let may = |&&approver: &&Uuid| !response.is_written_by(approver) && !response.has_approval_of(approver);
    let missing = usize::try_from(response.approvals_missing()).unwrap_or(usize::MAX);
    approvers.iter().filter(may).count() >= missing
}
