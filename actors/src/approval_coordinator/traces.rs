//! What ties the trace of an approval to that of its inquiry, and the trace of a report to that of its delivery.

use uuid::Uuid;

use super::ApprovalCoordinator;
use crate::domain::delivery::Delivery;
use crate::error::HubResult;
use crate::store::deliveries::FindTraces;
use crate::store::{Commit, Write};
use crate::trace::{KeyValue, Span};

impl ApprovalCoordinator {
    /// The delivery goes on in this trace, which names the one the inquiry came in with.
    pub(super) async fn trace_release(&self, commit: Commit, delivery: &Delivery) -> HubResult<Commit> {
        let Some(span) = Span::current() else { return Ok(commit) };
        self.describe(&span, delivery, delivery.message.inquiry_id).await?;
        Ok(commit.and(Write::KeepTrace { entity_id: delivery.id, place: span.place() }))
    }

    /// A report is in the trace of whoever made it, which names the one the delivery went out with.
    pub(super) async fn trace_settlement(&self, delivery: &Delivery) -> HubResult<()> {
        match Span::current() {
            Some(span) => self.describe(&span, delivery, delivery.id).await,
            None => Ok(()),
        }
    }

    async fn describe(&self, span: &Span, delivery: &Delivery, came_from: Uuid) -> HubResult<()> {
        if !span.is_recorded() {
            return Ok(());
        }
        span.set(KeyValue::new("nexus.delivery.id", delivery.id.to_string()));
        span.set(KeyValue::new("nexus.inquiry.id", delivery.message.inquiry_id.to_string()));
        if let Some(place) = self.deliveries.ask(FindTraces(vec![came_from])).await?.remove(&came_from) {
            span.link(place);
        }
        Ok(())
    }
}
