use serde_json::json;

use super::tells;
use crate::auth::totp::enrol;
use crate::console::visitor::{Visitor, between};
use crate::harness::{PASSWORD, TestHub, on_both_engines};

on_both_engines!(
    an_admin_makes_a_user,
    an_admin_changes_a_user_from_the_version_they_have_seen,
    nobody_changes_their_own_role_or_deactivates_themselves,
    an_admin_deactivates_and_reactivates_a_user,
    an_admin_resets_a_second_factor,
    users_are_listed_by_role_and_activity,
);

async fn an_admin_makes_a_user(hub: &TestHub) {
    let admin = hub.admin().await;
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    assert!(visitor.page("/users").await.contains("href=\"/users/new\""));
    assert!(visitor.page("/users/new").await.contains("action=\"/users\""));
    let person = [
        ("email", "grace@example.com"),
        ("first-name", "Grace <b>"),
        ("last-name", "Hopper"),
        ("role", "manager"),
    ];
    let with = |password| [&person[..], &[("password", password)]].concat();
    let refused = visitor.post("/users", &with("tiny")).await;
    tells(
        &refused,
        422,
        &["Password: is too short", "value=\"grace@example.com\"", "value=\"Grace &lt;b&gt;\""],
    );
    assert!(refused.text.contains("<option value=\"manager\" selected>"), "{}", refused.text);
    assert!(!refused.text.contains("tiny"));

    let made = visitor.post("/users", &with(PASSWORD)).await;
    tells(&made, 200, &["The user was created.", "grace@example.com"]);
    let listed = admin.get("/users?role=manager").await.expect(200);
    assert_eq!(listed["meta"]["total"], 1);
    assert_eq!(
        (&listed["data"][0]["email"], &listed["data"][0]["firstName"]),
        (&json!("grace@example.com"), &json!("Grace <b>"))
    );
    hub.sign_in("grace@example.com", PASSWORD).await;
    tells(&visitor.post("/users", &with(PASSWORD)).await, 409, &["Email: is already in use"]);
}

async fn an_admin_changes_a_user_from_the_version_they_have_seen(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let path = format!("/users/{}", cso.id);
    let page = visitor.page(&path).await;
    let seen = between(&page, "name=\"version\" value=\"", "\"");
    let change = [
        ("first-name", "Ada"),
        ("last-name", "Lovelace"),
        ("role", "manager"),
        ("availability", "away"),
        ("max-open-inquiries", "7"),
        ("skills", "shipping, billing,,shipping"),
        ("version", seen),
    ];
    tells(&visitor.post(&path, &change).await, 200, &["Saved.", "Ada Lovelace"]);
    let changed = admin.get(&path).await.expect(200);
    for (field, value) in [
        ("firstName", json!("Ada")),
        ("lastName", json!("Lovelace")),
        ("role", json!("manager")),
        ("availability", json!("away")),
        ("maxOpenInquiries", json!(7)),
        ("skills", json!(["billing", "shipping"])),
        ("isActive", json!(true)),
    ] {
        assert_eq!(changed[field], value, "{field}");
    }
    tells(&visitor.post(&path, &change).await, 412, &["It was changed by someone else"]);

    let wrong = [("first-name", "Grace"), ("max-open-inquiries", "10001")];
    let refused = visitor.post_from(&path, &path, &wrong).await;
    tells(&refused, 422, &["Open inquiries at most: is out of range", "value=\"Grace\""]);
    let unreadable = [("first-name", "Grace"), ("max-open-inquiries", "many")];
    tells(
        &visitor.post_from(&path, &path, &unreadable).await,
        422,
        &["Open inquiries at most: cannot be read"],
    );
    assert_eq!(admin.get(&path).await.expect(200), changed);
    // What a form leaves out stays, and an empty list of skills is one.
    tells(&visitor.post_from(&path, &path, &[("skills", "")]).await, 200, &["Saved."]);
    let emptied = admin.get(&path).await.expect(200);
    assert_eq!((&emptied["skills"], &emptied["firstName"]), (&json!([]), &json!("Ada")));
}

async fn nobody_changes_their_own_role_or_deactivates_themselves(hub: &TestHub) {
    let admin = hub.admin().await;
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let path = format!("/users/{}", admin.id);
    let page = visitor.page(&path).await;
    assert!(
        page.contains("name=\"skills\"") && !page.contains("name=\"role\"") && !page.contains("/deactivate")
    );
    tells(&visitor.post_from(&path, &path, &[("role", "cso")]).await, 409, &["changes their own role"]);
    tells(&visitor.post_from(&path, &format!("{path}/deactivate"), &[]).await, 409, &[]);
    // Also to whoever reads another language than the API's.
    let german = visitor.with("nexus-language=de");
    let refused = german.post_from(&path, &path, &[("role", "cso")]).await;
    tells(&refused, 409, &["oder ändert die eigene Rolle"]);
    assert!(!refused.text.contains("lang=\"en\""), "{}", refused.text);
    let user = admin.get(&path).await.expect(200);
    assert_eq!((&user["role"], &user["isActive"]), (&json!("admin"), &json!(true)));
}

async fn an_admin_deactivates_and_reactivates_a_user(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let path = format!("/users/{}", cso.id);
    let stale = visitor.post(&format!("{path}/deactivate"), &[("version", "7")]).await;
    tells(&stale, 412, &["It was changed by someone else"]);
    let gone = visitor.post_from(&path, &format!("{path}/deactivate"), &[]).await;
    tells(&gone, 200, &["Deactivated.", "Reactivate"]);
    assert_eq!(admin.get(&path).await.expect(200)["isActive"], false);
    cso.get("/auth/profile").await.problem(401);
    let back = visitor.post_from(&path, &format!("{path}/reactivate"), &[]).await;
    tells(&back, 200, &["Active again."]);
    assert_eq!(admin.get(&path).await.expect(200)["isActive"], true);
}

async fn an_admin_resets_a_second_factor(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let path = format!("/users/{}", cso.id);
    assert!(!visitor.page(&path).await.contains("/reset-second-factor"));
    let reset = format!("{path}/reset-second-factor");
    tells(&visitor.post_from(&path, &reset, &[]).await, 409, &["There is no second factor."]);
    enrol(hub, &cso).await;
    assert!(visitor.page(&path).await.contains(&format!("action=\"{reset}\"")));
    tells(&visitor.post_from(&path, &reset, &[]).await, 200, &["The second factor was reset."]);
    assert_eq!(admin.get(&path).await.expect(200)["totpEnabled"], false);
    hub.sign_in(&cso.email, PASSWORD).await;
}

async fn users_are_listed_by_role_and_activity(hub: &TestHub) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let (active, inactive) = (hub.cso().await, hub.cso().await);
    admin.patch(&format!("/users/{}", inactive.id), json!({"isActive": false})).await.expect(200);
    let visitor = Visitor::sign_in(hub, &admin.email).await;
    let everyone = [&admin, &manager, &active, &inactive];
    for (query, listed) in [
        ("", &everyone[..]),
        // As the form sends it while nothing is chosen.
        ("?role=&isActive=", &everyone[..]),
        ("?role=cso&isActive=", &[&active, &inactive]),
        ("?role=cso&isActive=false", &[&inactive]),
        ("?role=manager", &[&manager]),
    ] {
        let page = visitor.page(&format!("/users{query}")).await;
        let file = visitor.csv(&format!("/users.csv{query}")).await;
        assert_eq!(file.len(), listed.len() + 1, "{query}: {file:?}");
        for user in everyone {
            let is_listed = listed.iter().any(|one| one.id == user.id);
            assert_eq!(page.contains(&format!("href=\"/users/{}\"", user.id)), is_listed, "{query}");
            assert_eq!(file.iter().any(|line| line.contains(&user.email)), is_listed, "{query}");
        }
    }
    assert!(visitor.csv("/users.csv").await[0].starts_with("id,createdAt,email,role,firstName"));
    assert_eq!(visitor.get("/users?role=boss").await.status, 422);
}
