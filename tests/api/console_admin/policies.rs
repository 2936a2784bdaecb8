use serde_json::json;
use uuid::Uuid;

use super::tells;
use crate::assignment::ask;
use crate::console::visitor::Visitor;
use crate::harness::{TestHub, on_both_engines};

on_both_engines!(with POLICIES; policies_are_told_in_order_and_in_words_and_one_that_applies_is_explained);
on_both_engines!(where_there_is_no_policy_one_approval_is_needed);

const POLICIES: &[(&str, &str)] = &[(
    "NEXUS__APPROVAL__POLICIES",
    r#"[{"name": "urgent bills", "category": ["billing"], "priority": ["urgent"], "requires": "required"},
        {"name": "bills", "category": ["billing", "legal"], "requires": "two_approvals"},
        {"name": "trusted", "author": ["ada@example.com"], "requires": "sampled", "percentage": 20},
        {"name": "rest", "requires": "required"}]"#,
)];

async fn policies_are_told_in_order_and_in_words_and_one_that_applies_is_explained(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let page = visitor.page("/policies").await;
    let mut rest = page.as_str();
    for told in [
        ">urgent bills<",
        "One person has to approve.",
        "Category: billing",
        "Priority: Urgent",
        ">bills<",
        "Two people have to approve.",
        "Category: billing or legal",
        ">trusted<",
        "Of a hundred replies 20 wait for approval",
        "Author: ada@example.com",
        ">rest<",
        "It matches every reply.",
    ] {
        rest = rest.split_once(told).unwrap_or_else(|| panic!("no {told} there in {page}")).1;
    }

    let inquiry = ask(&admin, &hub.customer(&admin).await, json!({"category": "legal"})).await;
    let draft = json!({"inquiryId": inquiry["id"], "message": "It ships tomorrow."});
    let draft = cso.post("/responses", draft).await.expect(201);
    let id = draft["id"].as_str().unwrap();
    // The id, and a link that was pasted.
    for asked in [id.to_owned(), format!(" http%3A%2F%2Flocalhost%2Fapprovals%2F{id} ")] {
        let explained = visitor.get(&format!("/policies?reply={asked}")).await;
        let told = [
            "The policy “bills” applies. Two people have to approve.",
            "<h3>urgent bills <span class=\"badge\" data-tone=\"away\">Does not match</span></h3>",
            "<h3>bills <span class=\"badge\" data-tone=\"up\">Matches</span></h3>",
            "<th scope=\"row\">Category</th><td>billing or legal</td><td>legal</td>",
        ];
        tells(&explained, 200, &told);
        assert!(!explained.text.contains("<h3>trusted"), "{}", explained.text);
    }
    for unknown in ["nonsense", &Uuid::new_v4().to_string()] {
        let answer = visitor.get(&format!("/policies?reply={unknown}")).await;
        tells(&answer, 422, &["Id of a reply, or a link to it: is not there", unknown]);
    }
}

async fn where_there_is_no_policy_one_approval_is_needed(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    assert!(
        visitor.page("/policies").await.contains("There is none, so one person has to approve each reply.")
    );
    let draft = hub.draft(&cso, &admin).await;
    let explained = visitor.get(&format!("/policies?reply={}", draft["id"].as_str().unwrap())).await;
    tells(&explained, 200, &["No policy matches. One person has to approve."]);
}
