//! Nobody decides on words of their own, whatever they have become since.

use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{now, submitted, to};
use crate::harness::{Client, PASSWORD, TestHub, on_both_engines, path};

on_both_engines!(
    an_author_who_became_manager_may_not_decide,
    an_admin_may_not_decide_on_their_own_draft,
    an_admin_who_edited_may_not_decide_even_when_nothing_of_it_is_left,
    an_admin_who_submitted_anothers_draft_as_it_was_may_decide,
    an_author_who_was_refused_learns_why,
);

async fn an_author_who_became_manager_may_not_decide(hub: &TestHub) {
    let admin = hub.admin().await;
    for role in [Role::Manager, Role::Admin] {
        let author = hub.cso().await;
        let response = submitted(hub, &author, &admin).await;
        admin.patch(&format!("/users/{}", author.id), json!({"role": role})).await.expect(200);
        let promoted = hub.sign_in(&author.email, PASSWORD).await;
        is_barred(&promoted, &response).await;
        let other = hub.user(role).await;
        other.act(&to(&response, "approve")).await.expect(200);
    }
}

async fn an_admin_may_not_decide_on_their_own_draft(hub: &TestHub) {
    let (admin, other) = (hub.admin().await, hub.admin().await);
    let response = submitted(hub, &admin, &admin).await;
    is_barred(&admin, &response).await;
    other.post(&to(&response, "reject"), json!({"notes": "N"})).await.expect(200);
}

async fn an_admin_who_edited_may_not_decide_even_when_nothing_of_it_is_left(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let draft = hub.draft(&cso, &admin).await;
    admin.put(&path("responses", &draft), json!({"message": "The admin's words."})).await.expect(200);
    let edited = cso.act(&to(&draft, "submit")).await.expect(200);
    is_barred(&admin, &edited).await;
    cso.act(&to(&draft, "withdraw")).await.expect(200);
    cso.put(&path("responses", &draft), json!({"message": "The author's own."})).await.expect(200);
    let rewritten = cso.act(&to(&draft, "submit")).await.expect(200);
    is_barred(&admin, &rewritten).await;
    manager.act(&to(&draft, "approve")).await.expect(200);
}

async fn an_admin_who_submitted_anothers_draft_as_it_was_may_decide(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    for decision in ["approve", "reject"] {
        let draft = hub.draft(&cso, &admin).await;
        admin.act(&to(&draft, "submit")).await.expect(200);
        admin.act(&to(&draft, "withdraw")).await.expect(200);
        admin.act(&to(&draft, "submit")).await.expect(200);
        let decided = admin.post(&to(&draft, decision), json!({"notes": "N"})).await.expect(200);
        assert_eq!(decided["respondedBy"], json!(cso.id));
        assert_eq!(decided["editors"], json!([cso.id]));
    }
}

async fn an_author_who_was_refused_learns_why(hub: &TestHub) {
    let admin = hub.admin().await;
    let response = submitted(hub, &admin, &admin).await;
    let refusal = admin.act(&to(&response, "approve")).await.problem(403);
    assert_eq!(refusal["detail"], "Whoever wrote or edited a response may not decide on it.");
}

/// Neither decision, in whatever form, and nothing changes; not even with the right revision and version.
async fn is_barred(who: &Client, response: &Value) {
    let before = now(who, response).await;
    assert_eq!(before["status"], "pending_approval");
    let tag = format!("\"{}\"", before["version"]);
    let decisions = [
        ("approve", json!({})),
        ("approve", json!({"notes": "Mine.", "revision": before["revision"]})),
        ("reject", json!({"notes": "Mine."})),
    ];
    for (decision, body) in decisions {
        who.post(&to(response, decision), body.clone()).await.problem(403);
        who.send(Method::POST, &to(response, decision), Some(body), &[("if-match", &tag)]).await.problem(403);
    }
    assert_eq!(now(who, response).await, before);
}
