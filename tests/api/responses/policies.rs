//! Approval policies: two people, none, or one for some.

use nexus_actors::approval_coordinator::FireTimers;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{now, submitted, to, told};
use crate::assignment::ask;
use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    with POLICIES;
    two_different_people_have_to_approve,
    the_first_of_two_approvals_does_not_outlive_its_round,
    a_customer_who_writes_again_takes_the_first_of_two_approvals_back,
    a_change_of_the_inquiry_makes_an_approval_stricter_and_never_laxer,
    where_two_cannot_approve_admins_are_told_at_once,
    what_a_sampled_policy_does_not_pick_goes_out_at_once_and_says_so,
    what_a_sampled_policy_has_picked_stays_picked,
    the_first_policy_that_matches_is_explained,
);
on_both_engines!(without_policies_one_approval_is_needed);

const POLICIES: &[(&str, &str)] = &[(
    "NEXUS__APPROVAL__POLICIES",
    r#"[{"name": "urgent bills", "category": ["billing"], "priority": ["urgent"], "requires": "required"},
        {"name": "bills", "category": ["billing", "legal"], "requires": "two_approvals"},
        {"name": "most", "category": ["chatter"], "requires": "sampled", "percentage": 1},
        {"name": "few", "category": ["review"], "requires": "sampled", "percentage": 99}]"#,
)];

/// A draft to a new inquiry of this category.
async fn draft_in(hub: &TestHub, admin: &Client, cso: &Client, category: &str) -> Value {
    let inquiry = ask(admin, &hub.customer(admin).await, json!({"category": category})).await;
    let draft = json!({"inquiryId": inquiry["id"], "message": "It ships tomorrow."});
    cso.post("/responses", draft).await.expect(201)
}

async fn submitted_in(hub: &TestHub, admin: &Client, cso: &Client, category: &str) -> Value {
    let draft = draft_in(hub, admin, cso, category).await;
    cso.act(&to(&draft, "submit")).await.expect(200)
}

async fn deliveries_of(admin: &Client, response: &Value) -> Vec<Value> {
    let list = admin.get("/deliveries?limit=100").await.expect(200);
    let of_response = |one: &&Value| one["responseId"] == response["id"];
    list["data"].as_array().unwrap().iter().filter(of_response).cloned().collect()
}

async fn without_policies_one_approval_is_needed(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let response = submitted(hub, &cso, &admin).await;
    assert_eq!((&response["policy"], &response["approvalsRequired"]), (&Value::Null, &json!(1)));
    let approved = manager.post(&to(&response, "approve"), json!({"notes": "Good."})).await.expect(200);
    assert_eq!(
        approved["approvals"],
        json!([{"approvedBy": manager.id, "approvedAt": approved["decidedAt"], "notes": "Good."}])
    );
    let asked = json!({"responseId": response["id"]});
    let why = manager.post("/approval-policies/explain", asked).await.expect(200);
    let nothing = json!({
        "responseId": response["id"], "policy": null, "requires": "required", "percentage": null, "considered": []
    });
    assert_eq!(why, nothing);
}

async fn two_different_people_have_to_approve(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let (one, two) = (hub.manager().await, hub.manager().await);
    let response = submitted_in(hub, &admin, &cso, "legal").await;
    assert_eq!((&response["policy"], &response["approvalsRequired"]), (&json!("bills"), &json!(2)));
    let once =
        one.post(&to(&response, "approve"), json!({"notes": "Fine.", "revision": 1})).await.expect(200);
    assert_eq!((&once["status"], &once["approvedBy"]), (&json!("pending_approval"), &Value::Null));
    assert_eq!((once["approvals"].as_array().unwrap().len(), &once["decidedAt"]), (1, &Value::Null));
    assert_eq!(deliveries_of(&admin, &response).await, [] as [Value; 0]);
    let again = one.act(&to(&response, "approve")).await.problem(409);
    assert!(again["detail"].as_str().unwrap().contains("another person"), "{again}");
    assert_eq!(now(&cso, &response).await, once);
    let approved = two.act(&to(&response, "approve")).await.expect(200);
    assert_eq!((&approved["status"], &approved["approvedBy"]), (&json!("approved"), &json!(two.id)));
    let by: Vec<_> =
        approved["approvals"].as_array().unwrap().iter().map(|one| one["approvedBy"].clone()).collect();
    assert_eq!(by, [json!(one.id), json!(two.id)]);
    let [delivery] = deliveries_of(&admin, &response).await.try_into().unwrap();
    assert_eq!((&delivery["approvedBy"], &delivery["message"]), (&json!(two.id), &response["message"]));
    let steps = told(&cso, &to(&response, "history"), "action").await;
    assert_eq!(steps, ["created", "submitted", "approval_added", "approved"]);
    assert_eq!(told(&cso, &to(&response, "history"), "notes").await[2], "Fine.");
}

async fn the_first_of_two_approvals_does_not_outlive_its_round(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let (one, two) = (hub.manager().await, hub.manager().await);
    for ending in ["withdraw", "reject"] {
        let response = submitted_in(hub, &admin, &cso, "legal").await;
        one.act(&to(&response, "approve")).await.expect(200);
        let ended = match ending {
            "withdraw" => cso.act(&to(&response, "withdraw")).await,
            _ => two.post(&to(&response, "reject"), json!({"notes": "No."})).await,
        };
        assert_eq!(ended.expect(200)["approvals"], json!([]), "{ending}");
        cso.put(&path("responses", &response), json!({"message": "Another text."})).await.expect(200);
        cso.act(&to(&response, "submit")).await.expect(200);
        let approved = two.act(&to(&response, "approve")).await.expect(200);
        assert_eq!(approved["status"], "pending_approval", "of another text, one approval only");
        let approved = one.act(&to(&response, "approve")).await.expect(200);
        assert_eq!(
            (&approved["status"], &approved["message"]),
            (&json!("approved"), &json!("Another text."))
        );
    }
}

async fn a_customer_who_writes_again_takes_the_first_of_two_approvals_back(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let (one, two) = (hub.manager().await, hub.manager().await);
    let say = async |message: &str| {
        let body = json!({
            "externalId": Uuid::new_v4(), "threadId": "room", "message": message, "category": "legal",
            "customer": {"email": "ada@example.com"},
        });
        admin.post("/inbound/chat", body).await.expect(201)["inquiryId"].clone()
    };
    let inquiry = say("May I?").await;
    let draft = cso.post("/responses", json!({"inquiryId": inquiry, "message": "Yes."})).await.expect(201);
    cso.act(&to(&draft, "submit")).await.expect(200);
    one.act(&to(&draft, "approve")).await.expect(200);
    say("Forget it.").await;
    let stale = now(&cso, &draft).await;
    assert_eq!((&stale["stale"], &stale["approvals"]), (&json!(true), &json!([])));
    one.act(&to(&draft, "approve")).await.problem(409);
    let read = json!({"acknowledgeStale": true});
    let once = one.post(&to(&draft, "approve"), read.clone()).await.expect(200);
    assert_eq!((&once["status"], &once["stale"]), (&json!("pending_approval"), &json!(true)));
    two.act(&to(&draft, "approve")).await.problem(409);
    assert_eq!(two.post(&to(&draft, "approve"), read).await.expect(200)["status"], "approved");
}

async fn a_change_of_the_inquiry_makes_an_approval_stricter_and_never_laxer(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let (one, two) = (hub.manager().await, hub.manager().await);
    let recategorise = async |response: &Value, category: &str| {
        let inquiry = format!("/inquiries/{}", response["inquiryId"].as_str().unwrap());
        let input = json!({"subject": "S", "message": "M", "category": category});
        cso.put(&inquiry, input).await.expect(200);
    };
    let lax = submitted_in(hub, &admin, &cso, "general").await;
    assert_eq!(lax["approvalsRequired"], 1);
    recategorise(&lax, "legal").await;
    let once = one.act(&to(&lax, "approve")).await.expect(200);
    assert_eq!((&once["status"], &once["approvalsRequired"]), (&json!("pending_approval"), &json!(2)));
    assert_eq!(two.act(&to(&lax, "approve")).await.expect(200)["status"], "approved");

    let strict = submitted_in(hub, &admin, &cso, "legal").await;
    for category in ["general", "chatter"] {
        recategorise(&strict, category).await;
        assert_eq!(now(&cso, &strict).await["status"], "pending_approval");
    }
    assert_eq!(one.act(&to(&strict, "approve")).await.expect(200)["status"], "pending_approval");
    assert_eq!(two.act(&to(&strict, "approve")).await.expect(200)["status"], "approved");
}

async fn where_two_cannot_approve_admins_are_told_at_once(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let escalations = async |response: &Value| {
        let trail = format!("/audit?limit=100&entityId={}", response["id"].as_str().unwrap());
        let actions = told(&admin, &trail, "action").await;
        actions.iter().filter(|action| *action == "approval.escalated").count()
    };
    // The admin is the only one who may.
    let one = submitted_in(hub, &admin, &cso, "general").await;
    assert_eq!(escalations(&one).await, 0);
    let two = submitted_in(hub, &admin, &cso, "legal").await;
    assert_eq!(escalations(&two).await, 1);
    let inquiry = format!("/inquiries/{}", one["inquiryId"].as_str().unwrap());
    cso.put(&inquiry, json!({"subject": "S", "message": "M", "category": "legal"})).await.expect(200);
    admin.act(&to(&one, "approve")).await.expect(200);
    hub.app.hub.approval_coordinator.ask(FireTimers).await.unwrap();
    assert_eq!(escalations(&one).await, 1, "after one of two approvals nobody is left for the other");
    hub.app.hub.approval_coordinator.ask(FireTimers).await.unwrap();
    assert_eq!((escalations(&one).await, escalations(&two).await), (1, 1));
}

async fn what_a_sampled_policy_does_not_pick_goes_out_at_once_and_says_so(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let mut released = Vec::new();
    let mut picked = Vec::new();
    // One in a hundred is picked: that ten of ten are is one in 10^20.
    for _ in 0..10 {
        let response = submitted_in(hub, &admin, &cso, "chatter").await;
        if response["status"] == "approved" { released.push(response) } else { picked.push(response) }
    }
    for response in &released {
        assert_eq!((&response["policy"], &response["approvalsRequired"]), (&json!("most"), &json!(0)));
        for nobody in ["approvedBy", "decidedAt", "approvalNotes"] {
            assert_eq!(response[nobody], Value::Null, "{nobody}");
        }
        assert_eq!((&response["approvals"], &response["sampled"]), (&json!([]), &json!(false)));
        let [delivery] = deliveries_of(&admin, response).await.try_into().unwrap();
        assert_eq!((&delivery["approvedBy"], &delivery["releasedBy"]), (&Value::Null, &json!("most")));
        manager.act(&to(response, "approve")).await.problem(409);
        let history = to(response, "history");
        assert_eq!(told(&cso, &history, "action").await, ["created", "released"]);
        assert_eq!(told(&cso, &history, "notes").await[1], "most");
    }
    for response in &picked {
        assert_eq!((&response["status"], &response["sampled"]), (&json!("pending_approval"), &json!(true)));
    }
    let response = released.first().unwrap();
    let trail = format!("/audit?entityId={}", response["id"].as_str().unwrap());
    assert!(told(&admin, &trail, "action").await.contains(&json!("response.released")));
    let [delivery] = deliveries_of(&admin, response).await.try_into().unwrap();
    admin.act(&format!("{}/confirm", path("deliveries", &delivery))).await.expect(200);
    assert_eq!(now(&cso, response).await["status"], "sent");
    let inquiry = admin.get(&format!("/inquiries/{}", response["inquiryId"].as_str().unwrap())).await;
    assert_eq!(inquiry.expect(200)["status"], "responded");
}

async fn what_a_sampled_policy_has_picked_stays_picked(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    // One that is picked, which 99 in a hundred are.
    let mut picked = submitted_in(hub, &admin, &cso, "review").await;
    while picked["status"] == "approved" {
        picked = submitted_in(hub, &admin, &cso, "review").await;
    }
    // Where one in a hundred is picked, none of this would be picked again by chance.
    let inquiry = format!("/inquiries/{}", picked["inquiryId"].as_str().unwrap());
    cso.act(&to(&picked, "withdraw")).await.expect(200);
    cso.put(&inquiry, json!({"subject": "S", "message": "M", "category": "chatter"})).await.expect(200);
    assert_eq!(cso.act(&to(&picked, "submit")).await.expect(200)["status"], "pending_approval");
    let anew = json!({"inquiryId": picked["inquiryId"], "message": "The same once more."});
    let anew = cso.post("/responses", anew).await.expect(201);
    let anew = cso.act(&to(&anew, "submit")).await.expect(200);
    assert_eq!((&anew["status"], &anew["sampled"]), (&json!("pending_approval"), &json!(true)));
    manager.post(&to(&picked, "reject"), json!({"notes": "No."})).await.expect(200);
    cso.put(&path("responses", &picked), json!({"message": "Better."})).await.expect(200);
    assert_eq!(cso.act(&to(&picked, "submit")).await.expect(200)["status"], "pending_approval");
    assert_eq!(manager.act(&to(&picked, "approve")).await.expect(200)["status"], "approved");
}

async fn the_first_policy_that_matches_is_explained(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let draft = draft_in(hub, &admin, &cso, "billing").await;
    let asked = json!({"responseId": draft["id"]});
    let why = manager.post("/approval-policies/explain", asked.clone()).await.expect(200);
    let category = |holds: bool, wanted: Value| json!({"condition": "category", "wanted": wanted, "found": ["billing"], "holds": holds});
    let expected = json!({
        "responseId": draft["id"], "policy": "bills", "requires": "two_approvals", "percentage": null,
        "considered": [
            {"policy": "urgent bills", "matches": false, "conditions": [
                category(true, json!(["billing"])),
                {"condition": "priority", "wanted": ["urgent"], "found": ["medium"], "holds": false},
            ]},
            {"policy": "bills", "matches": true, "conditions": [category(true, json!(["billing", "legal"]))]},
        ],
    });
    assert_eq!(why, expected);
    let inquiry = format!("/inquiries/{}", draft["inquiryId"].as_str().unwrap());
    let urgent = json!({"subject": "S", "message": "M", "category": "billing", "priority": "urgent"});
    admin.put(&inquiry, urgent).await.expect(200);
    let why = manager.post("/approval-policies/explain", asked.clone()).await.expect(200);
    assert_eq!((&why["policy"], why["considered"].as_array().unwrap().len()), (&json!("urgent bills"), 1));
    cso.post("/approval-policies/explain", asked).await.problem(403);
    let unknown = json!({"responseId": Uuid::now_v7()});
    assert_eq!(manager.post("/approval-policies/explain", unknown).await.invalid(), ["/responseId"]);
}
