//! The send gate, and what becomes of what has passed it.

use std::collections::HashMap;

use actix::{Handler, Message, ResponseFuture};
use uuid::Uuid;

use super::{ApprovalCoordinator, history_of};
use crate::clock::new_id;
use crate::desk::settle;
use crate::domain::delivery::{Delivery, DeliveryStatus, Report};
use crate::domain::event::{EntityType, EventType};
use crate::domain::page::{Page, PageRequest};
use crate::domain::response::{HistoryAction, HistoryEntry, Response};
use crate::domain::{Event, Origin, Timestamp};
use crate::error::{HubError, HubResult};
use crate::store::deliveries::{GetDelivery, ListDeliveries};
use crate::store::responses::{FindResponses, GetResponse};
use crate::store::{Commit, Write};

/// What a sender tells of a delivery. The same report again changes nothing.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Delivery>")]
pub struct SettleDelivery {
    pub id: Uuid,
    pub report: Report,
    pub origin: Origin,
}

/// The send gate: answers with those of the deliveries that may be sent, each claimed until then for whoever asked.
/// What is not exactly what was approved is withheld for good, and its response has failed.
///
/// # Errors
/// `Contended` when another instance claims them at the same moment.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Vec<Delivery>>")]
pub struct ReleaseDeliveries {
    pub deliveries: Vec<Delivery>,
    pub until: Timestamp,
}

/// Deliveries for those who fetch what they send, through the same gate: what is pending and not exactly what was approved
/// is withheld for good before anybody sees it as something to send.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Page<Delivery>>")]
pub struct FetchDeliveries {
    pub status: Option<DeliveryStatus>,
    pub page: PageRequest,
}

impl Handler<SettleDelivery> for ApprovalCoordinator {
    type Result = ResponseFuture<HubResult<Delivery>>;

    fn handle(&mut self, message: SettleDelivery, _: &mut Self::Context) -> Self::Result {
        let coordinator = self.clone();
        Box::pin(async move { settle(|| coordinator.settle_delivery(&message)).await })
    }
}

impl Handler<ReleaseDeliveries> for ApprovalCoordinator {
    type Result = ResponseFuture<HubResult<Vec<Delivery>>>;

    fn handle(&mut self, release: ReleaseDeliveries, _: &mut Self::Context) -> Self::Result {
        let coordinator = self.clone();
        Box::pin(async move { coordinator.release_deliveries(release).await })
    }
}

impl Handler<FetchDeliveries> for ApprovalCoordinator {
    type Result = ResponseFuture<HubResult<Page<Delivery>>>;

    fn handle(&mut self, fetch: FetchDeliveries, _: &mut Self::Context) -> Self::Result {
        let coordinator = self.clone();
        Box::pin(async move { settle(|| coordinator.fetch_deliveries(&fetch)).await })
    }
}

impl ApprovalCoordinator {
    async fn release_deliveries(&self, release: ReleaseDeliveries) -> HubResult<Vec<Delivery>> {
        let ReleaseDeliveries { mut deliveries, until } = release;
        let ids = deliveries.iter().map(|delivery| delivery.message.response_id).collect();
        let mut responses = self.responses.ask(FindResponses(ids)).await?;
        let now = self.clock.now();
        let mut commit = Commit::default();
        let mut released = Vec::new();
        // First what is withheld: its response has failed then, and nothing of it goes out.
        deliveries.sort_by_key(|delivery| is_released(delivery, &responses));
        for before in deliveries {
            if is_released(&before, &responses) {
                let claimed = before.claimed(until, now);
                released.push(claimed.clone());
                commit = commit.and(Write::UpdateDelivery(claimed));
            } else {
                commit = withhold(commit, &before, &mut responses, now);
            }
        }
        self.writer.ask(commit).await?;
        Ok(released)
    }

    async fn fetch_deliveries(&self, fetch: &FetchDeliveries) -> HubResult<Page<Delivery>> {
        loop {
            let list = ListDeliveries { status: fetch.status, page: fetch.page.clone() };
            let page = self.deliveries.ask(list).await?;
            let is_pending = |delivery: &&Delivery| delivery.status == DeliveryStatus::Pending;
            let pending: Vec<_> = page.data.iter().filter(is_pending).collect();
            let ids = pending.iter().map(|delivery| delivery.message.response_id).collect();
            let mut responses = self.responses.ask(FindResponses(ids)).await?;
            let now = self.clock.now();
            let mut commit = Commit::default();
            for before in pending {
                if !is_released(before, &responses) {
                    commit = withhold(commit, before, &mut responses, now);
                }
            }
            if commit.writes.is_empty() {
                return Ok(page);
            }
            self.writer.ask(commit).await?;
        }
    }

    async fn settle_delivery(&self, message: &SettleDelivery) -> HubResult<Delivery> {
        let found = self.deliveries.ask(GetDelivery(message.id)).await?;
        let before = found.ok_or(HubError::NotFound(EntityType::Delivery))?;
        self.trace_settlement(&before).await?;
        let now = self.clock.now();
        let Some(after) = before.reported(&message.report, &self.retry, now)? else { return Ok(before) };
        let found = self.responses.ask(GetResponse(after.message.response_id)).await?;
        let response =
            found.ok_or_else(|| HubError::Internal("a delivery without its response".to_owned()))?;
        let commit = Commit::quiet(vec![Write::UpdateDelivery(after.clone())]);
        let commit = match (after.status, &message.report) {
            (DeliveryStatus::Sent, report) => {
                let sent = response.confirm_delivery(report.delivered_at(now), now)?;
                settled(
                    commit,
                    EventType::ResponseSent,
                    HistoryAction::Sent,
                    &response,
                    sent,
                    &message.origin,
                )
            }
            (DeliveryStatus::Failed, Report::Failed { .. } | Report::Unknown { .. }) => {
                let failed = response.fail_delivery(after.last_error.clone().unwrap_or_default(), now)?;
                failed_for_good(commit, &response, failed, &message.origin)
            }
            // To be tried again: the response stays approved.
            (DeliveryStatus::Pending, _) | (DeliveryStatus::Failed, Report::Confirmed { .. }) => commit,
        };
        self.writer.ask(commit).await?;
        Ok(after)
    }
}

fn is_released(delivery: &Delivery, responses: &HashMap<Uuid, Response>) -> bool {
    responses.get(&delivery.message.response_id).is_some_and(|response| delivery.is_released_by(response))
}

/// Adds that it is never sent and, unless it does not wait for a delivery any more, that its response has failed, as it
/// then has in `responses`.
fn withhold(
    commit: Commit,
    before: &Delivery,
    responses: &mut HashMap<Uuid, Response>,
    now: Timestamp,
) -> Commit {
    tracing::error!(delivery = %before.id, "withheld: it is not what was approved");
    let after = before.withheld(now);
    let entity = (EntityType::Delivery, before.id);
    let event = Event::of(new_id(), EventType::DeliveryWithheld, entity, Some(before), &after, now);
    let failed = responses.get_mut(&before.message.response_id).and_then(|response| {
        let failed = response.fail_delivery(after.last_error.clone().unwrap_or_default(), now).ok()?;
        Some((std::mem::replace(response, failed.clone()), failed))
    });
    let commit = commit.and(Write::UpdateDelivery(after)).with_event(event);
    match failed {
        Some((before, failed)) => failed_for_good(commit, &before, failed, &Origin::default()),
        None => commit,
    }
}

fn failed_for_good(commit: Commit, before: &Response, failed: Response, origin: &Origin) -> Commit {
    settled(commit, EventType::ResponseDeliveryFailed, HistoryAction::DeliveryFailed, before, failed, origin)
}

/// Adds what has become of a response: with its event, and its place in the history.
fn settled(
    commit: Commit,
    event_type: EventType,
    action: HistoryAction,
    before: &Response,
    after: Response,
    origin: &Origin,
) -> Commit {
    let entity = (EntityType::Response, after.id);
    let event = Event::of(new_id(), event_type, entity, Some(before), &after, after.updated_at);
    let entry = HistoryEntry { actor_id: origin.user_id, ..history_of(action, &after) };
    commit.with_event(origin.stamp(event)).and(Write::UpdateResponse(after)).and(Write::InsertHistory(entry))
}
