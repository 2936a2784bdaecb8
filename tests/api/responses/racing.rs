//! Of any number of decisions at the same moment, exactly one wins.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{now, submitted, to, told};
use crate::harness::{Client, Engine, Reply, TestHub, on_both_engines, path, run_instances};

const DECISIONS: usize = 100;

/// All of them wait for a connection, rather than some of them being shed on a machine that is busy.
const PATIENT: &[(&str, &str)] = &[("NEXUS__DATABASE__ACQUIRE_TIMEOUT", "60s")];

on_both_engines!(
    with PATIENT;
    of_a_hundred_decisions_exactly_one_wins,
    a_decision_and_a_withdrawal_do_not_both_happen,
    of_a_hundred_edits_of_one_version_exactly_one_wins,
);

#[test]
fn of_a_hundred_decisions_on_two_instances_exactly_one_wins() {
    run_instances(Engine::Full, 2, PATIENT, |hubs| Box::pin(decide_on(hubs)));
}

async fn of_a_hundred_decisions_exactly_one_wins(hub: &TestHub) {
    decide_on(std::slice::from_ref(hub)).await;
}

async fn decide_on(hubs: &[TestHub]) {
    let (admin, cso) = (hubs[0].admin().await, hubs[0].cso().await);
    let mut managers = Vec::new();
    for turn in 0..4 {
        managers.push(hubs[turn % hubs.len()].manager().await);
    }
    for _ in 0..3 {
        let response = submitted(&hubs[0], &cso, &admin).await;
        let replies =
            join_all((0..DECISIONS).map(|turn| decide(&managers[turn % managers.len()], &response, turn)));
        let winner = only_one(replies.await);
        let after = now(&admin, &response).await;
        assert_eq!(after, winner, "what the winner was told is what is");
        assert_eq!(after["version"], json!(response["version"].as_i64().unwrap() + 1));
        assert_eq!(after["message"], response["message"]);
        let status = after["status"].as_str().unwrap();
        // The notes name whoever decided, and each turn knew its decision.
        let turn: usize = after["approvalNotes"].as_str().unwrap().parse().unwrap();
        assert_eq!(status, if approves(turn) { "approved" } else { "rejected" });
        let decider = json!(managers[turn % managers.len()].id);
        assert_eq!(after["approvedBy"], if approves(turn) { decider.clone() } else { Value::Null });

        assert_eq!(told(&admin, &to(&response, "history"), "action").await, ["created", "submitted", status]);
        assert_eq!(told(&admin, &to(&response, "history"), "actorId").await[2], decider);
        let events =
            told(&admin, &format!("/audit?entityId={}", after["id"].as_str().unwrap()), "action").await;
        assert_eq!(events, [&format!("response.{status}"), "response.submitted", "response.created"]);
        let inquiry = format!("/inquiries/{}", response["inquiryId"].as_str().unwrap());
        let (replies, expected) = if approves(turn) { (2, "responded") } else { (1, "pending") };
        assert_eq!(told(&admin, &format!("{inquiry}/messages"), "id").await.len(), replies);
        assert_eq!(admin.get(&inquiry).await.expect(200)["status"], expected);
        // Every instance says the same.
        for manager in &managers {
            assert_eq!(now(manager, &response).await, after);
        }
    }
}

/// The approver has read it while its author takes it back: either way, the outcome is one of the two.
async fn a_decision_and_a_withdrawal_do_not_both_happen(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    for _ in 0..10 {
        let response = submitted(hub, &cso, &admin).await;
        let (approve, withdraw) = (to(&response, "approve"), to(&response, "withdraw"));
        let attempts =
            (0..10).map(|turn| if turn % 2 == 0 { manager.act(&approve) } else { cso.act(&withdraw) });
        let winner = only_one(join_all(attempts).await);
        assert_eq!(now(&admin, &response).await, winner);
        let conversation = format!("/inquiries/{}/messages", response["inquiryId"].as_str().unwrap());
        let replies = told(&admin, &conversation, "id").await.len() - 1;
        assert_eq!(replies, usize::from(winner["status"] == "approved"));
    }
}

async fn of_a_hundred_edits_of_one_version_exactly_one_wins(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let draft = hub.draft(&cso, &admin).await;
    let edits = (0..DECISIONS).map(|turn| edit(&cso, &draft, turn));
    let winner = only_one(join_all(edits).await);
    assert_eq!(now(&cso, &draft).await, winner);
    assert_eq!((&winner["revision"], &winner["version"]), (&json!(2), &json!(2)));
    let told = told(&cso, &to(&draft, "history"), "message").await;
    assert_eq!(told, [draft["message"].clone(), winner["message"].clone()]);
}

async fn edit(cso: &Client, draft: &Value, turn: usize) -> Reply {
    let body = json!({"message": format!("Text {turn}.")});
    cso.send(Method::PUT, &path("responses", draft), Some(body), &[("if-match", "\"1\"")]).await
}

/// Even turns approve; every third names the version, every fifth the revision.
async fn decide(manager: &Client, response: &Value, turn: usize) -> Reply {
    let decision = if approves(turn) { "approve" } else { "reject" };
    let mut body = json!({"notes": turn.to_string()});
    if approves(turn) && turn.is_multiple_of(5) {
        body["revision"] = response["revision"].clone();
    }
    let tag = format!("\"{}\"", response["version"]);
    let headers = [("if-match", tag.as_str())];
    let headers = if turn.is_multiple_of(3) { &headers[..] } else { &[] };
    manager.send(Method::POST, &to(response, decision), Some(body), headers).await
}

fn approves(turn: usize) -> bool {
    turn.is_multiple_of(2)
}

/// The one 200; all others must be 409 or 412.
#[track_caller]
fn only_one(replies: Vec<Reply>) -> Value {
    let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    for reply in &lost {
        assert!(matches!(reply.status, 409 | 412), "{}: {}", reply.status, reply.text);
    }
    assert_eq!(won.len(), 1, "{} won and {} lost", won.len(), lost.len());
    won[0].json()
}
