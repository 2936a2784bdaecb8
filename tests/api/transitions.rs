//! The life cycles of contract section 4, every state with every action, through the door clients use.

use nexus_actors::domain::inquiry::InquiryStatus;
use serde_json::{Value, json};

use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    a_response_takes_the_actions_of_its_state_and_no_other,
    an_inquiry_makes_the_moves_of_its_life_cycle_and_no_other,
    an_inquirys_status_changes_in_no_other_way,
);

/// Each state that needs no delivery, with where an action leads; what is not named is refused.
const RESPONSES: &[(&str, &[(&str, &str)])] = &[
    ("draft", &[("edit", "draft"), ("submit", "pending_approval")]),
    ("pending_approval", &[("withdraw", "draft"), ("approve", "approved"), ("reject", "rejected")]),
    ("approved", &[]),
    ("rejected", &[("edit", "draft")]),
];

const ACTIONS: &[&str] = &["edit", "submit", "withdraw", "approve", "reject"];

const INQUIRIES: &[(&str, &[&str])] = &[
    ("pending", &["in_progress", "closed"]),
    ("in_progress", &["responded", "closed"]),
    ("responded", &["closed", "in_progress"]),
    ("closed", &["in_progress"]),
];

async fn a_response_takes_the_actions_of_its_state_and_no_other(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for (state, moves) in RESPONSES {
        for action in ACTIONS {
            let draft = hub.draft(&cso, &admin).await;
            let before = bring_to(state, &draft, &cso, &manager).await;
            let history = format!("{}/history", path("responses", &draft));
            let told = manager.get(&history).await.expect(200);
            hub.clock.advance(std::time::Duration::from_secs(1));
            let reply = take(action, &draft, &cso, &manager).await;
            let after = manager.get(&path("responses", &draft)).await.expect(200);
            match moves.iter().find(|(name, _)| name == action) {
                Some((_, to)) => {
                    assert_eq!(reply.expect(200), after, "{state}, {action}");
                    assert_eq!(after["status"], *to, "{state}, {action}");
                    assert_eq!(
                        after["version"],
                        json!(before["version"].as_i64().unwrap() + 1),
                        "{state}, {action}"
                    );
                    assert_ne!(after["updatedAt"], before["updatedAt"], "{state}, {action}");
                }
                None => {
                    assert_eq!(reply.problem(409)["type"], "urn:nexus-hub:problem:invalid-transition");
                    assert_eq!(after, before, "{state}, {action}: refused and yet changed");
                    assert_eq!(manager.get(&history).await.expect(200), told, "{state}, {action}");
                }
            }
        }
    }
}

async fn an_inquiry_makes_the_moves_of_its_life_cycle_and_no_other(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    for (from, moves) in INQUIRIES {
        for to in InquiryStatus::ALL.iter().map(|status| status.as_str()) {
            let inquiry = hub.inquiry(&admin).await;
            for step in way_to(from) {
                move_to(&cso, &inquiry, step).await.expect(200);
            }
            let before = cso.get(&path("inquiries", &inquiry)).await.expect(200);
            assert_eq!(before["status"], *from);
            hub.clock.advance(std::time::Duration::from_secs(1));
            let reply = move_to(&cso, &inquiry, to).await;
            let after = cso.get(&path("inquiries", &inquiry)).await.expect(200);
            if moves.contains(&to) {
                assert_eq!(reply.expect(200), after, "{from} to {to}");
                assert_eq!(after["status"], to, "{from} to {to}");
                assert_eq!(
                    after["version"],
                    json!(before["version"].as_i64().unwrap() + 1),
                    "{from} to {to}"
                );
                assert_ne!(after["updatedAt"], before["updatedAt"], "{from} to {to}");
            } else {
                assert_eq!(reply.problem(409)["type"], "urn:nexus-hub:problem:invalid-transition");
                assert_eq!(after, before, "{from} to {to}: refused and yet changed");
            }
        }
    }
}

async fn an_inquirys_status_changes_in_no_other_way(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let inquiry = hub.inquiry(&admin).await;
    let smuggled = json!({"subject": "S", "message": "M", "status": "closed"});
    assert_eq!(cso.put(&path("inquiries", &inquiry), smuggled).await.invalid(), ["/status"]);
    assert_eq!(move_to(&cso, &inquiry, "answered").await.invalid(), ["/status"]);
    assert_eq!(cso.get(&path("inquiries", &inquiry)).await.expect(200), inquiry);
}

/// The draft as it is in `state`.
async fn bring_to(state: &str, draft: &Value, cso: &Client, manager: &Client) -> Value {
    let actions: &[&str] = match state {
        "draft" => &[],
        "pending_approval" => &["submit"],
        "approved" => &["submit", "approve"],
        "rejected" => &["submit", "reject"],
        other => panic!("no way to {other}"),
    };
    for action in actions {
        take(action, draft, cso, manager).await.expect(200);
    }
    let response = manager.get(&path("responses", draft)).await.expect(200);
    assert_eq!(response["status"], state);
    response
}

/// By someone who may: the author writes, the manager decides.
async fn take(action: &str, response: &Value, cso: &Client, manager: &Client) -> crate::harness::Reply {
    let path = path("responses", response);
    match action {
        "edit" => cso.put(&path, json!({"message": "It ships today."})).await,
        "submit" | "withdraw" => cso.act(&format!("{path}/{action}")).await,
        "approve" | "reject" => manager.post(&format!("{path}/{action}"), json!({"notes": "Read."})).await,
        other => panic!("no action {other}"),
    }
}

fn way_to(status: &str) -> &'static [&'static str] {
    match status {
        "pending" => &[],
        "in_progress" => &["in_progress"],
        "responded" => &["in_progress", "responded"],
        "closed" => &["closed"],
        other => panic!("no way to {other}"),
    }
}

async fn move_to(client: &Client, inquiry: &Value, status: &str) -> crate::harness::Reply {
    client.patch(&format!("{}/status", path("inquiries", inquiry)), json!({"status": status})).await
}
