//! `asyncapi`, and a month of real events against it.

use std::collections::{BTreeMap, BTreeSet};

use nexus_actors::domain::Timestamp;
use nexus_actors::domain::cloud_event::CloudEvent;
use nexus_actors::domain::event::EventType;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use crate::hub::{printed, run};
use crate::restarts::in_a_directory;
use crate::schemas::{Schemas, expect_valid};

/// The demo has no gateway, and not everything happens in a month. The API's tests see to these.
const NOT_IN_THE_DEMO: &[EventType] = &[
    EventType::CustomerDeleted,
    EventType::InquiryUpdated,
    EventType::InquiryMessageAdded,
    EventType::ResponseReleased,
    EventType::ResponseApprovalAdded,
    EventType::ResponseSent,
    EventType::ResponseDeliveryFailed,
    EventType::ResponseStale,
    EventType::UserPasswordChanged,
    EventType::UserTotpStarted,
    EventType::UserTotpEnabled,
    EventType::UserTotpDisabled,
    EventType::UserRecoveryCodesReplaced,
    EventType::DeadLetterAdded,
    EventType::DeadLetterReplayed,
    EventType::DeadLetterDiscarded,
];

#[test]
fn asyncapi_prints_the_document_whatever_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    for variables in [&[][..], &[("PORT", "abc"), ("APP_ENV", "production")]] {
        let told = printed(&run(directory.path(), variables, &["asyncapi"], ""));
        let document: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(document["asyncapi"], "3.0.0");
        assert_eq!(document, nexus_hub::asyncapi::document());
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it makes no files");
}

#[test]
fn all_that_the_demo_has_to_tell_is_as_the_document_says() {
    in_a_directory(|directory| {
        Box::pin(async move {
            let document = printed(&run(directory, &[], &["asyncapi"], ""));
            let schemas = Schemas::of(serde_json::from_str(&document).unwrap());
            printed(&run(directory, &[], &["demo"], ""));

            let mut validators = BTreeMap::new();
            let events = waiting(&directory.join("data/nexus-hub.db")).await;
            assert!(events.len() > 1000, "{}", events.len());
            for event in events {
                let name = event.event_type.clone();
                let validator =
                    validators.entry(name.clone()).or_insert_with(|| schemas.of_message(&name, "payload"));
                expect_valid(validator, &json!(event), &name);
            }
            let seen: BTreeSet<_> = validators.into_keys().collect();
            let published = EventType::ALL.iter().filter(|one| one.entity_type().is_published());
            let missing: Vec<_> = published.filter(|one| !seen.contains(one.as_str())).copied().collect();
            assert_eq!(missing, NOT_IN_THE_DEMO);
        })
    });
}

/// What is in the outbox of the hub that keeps its data in this file.
async fn waiting(file: &std::path::Path) -> Vec<CloudEvent> {
    const SQL: &str = "select id, event_type, entity_id, created_at, data from outbox order by seq";
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let rows: Vec<(Uuid, String, Uuid, Timestamp, String)> =
        sqlx::query_as(SQL).fetch_all(&mut database).await.unwrap();
    database.close().await.unwrap();
    let event = |(id, event_type, subject, time, data): (_, _, _, _, String)| {
        CloudEvent::new(id, event_type, subject, time, serde_json::from_str(&data).unwrap())
    };
    rows.into_iter().map(event).collect()
}
