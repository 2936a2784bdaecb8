use std::time::Duration;

use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{USER_FIELDS, fields, pointers, refused};
use crate::harness::{Client, TestHub, on_both_engines, path};

on_both_engines!(
    admins_and_managers_list_users_by_role_and_activity,
    a_list_of_users_is_paged_in_order_and_by_cursor,
    a_query_that_makes_no_sense_is_refused,
    a_user_is_read_with_an_etag,
    an_admin_changes_what_they_name_and_nothing_else,
    a_change_of_a_user_is_judged_field_by_field,
    a_user_changes_only_from_the_version_named,
    nobody_deactivates_or_demotes_themselves,
);

async fn admins_and_managers_list_users_by_role_and_activity(hub: &TestHub) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let active = hub.cso().await;
    let inactive = hub.cso().await;
    admin.patch(&format!("/users/{}", inactive.id), json!({"isActive": false})).await.expect(200);
    for caller in [&admin, &manager] {
        let reply = caller.get("/users").await;
        assert!(!reply.text.to_lowercase().contains("password") && !reply.text.contains("argon2"));
        let all = reply.expect(200);
        assert_eq!(fields(&all["meta"]), ["limit", "nextCursor", "page", "total", "totalPages"]);
        assert_eq!(all["meta"]["total"], 4);
        assert!(all["data"].as_array().unwrap().iter().all(|user| fields(user) == USER_FIELDS));
        assert_eq!(ids(caller, "/users?role=cso&isActive=true").await, [active.id]);
        assert_eq!(ids(caller, "/users?isActive=false").await, [inactive.id]);
        assert_eq!(ids(caller, "/users?role=manager").await, [manager.id]);
        assert!(ids(caller, "/users?role=admin&isActive=false").await.is_empty());
    }
    active.get("/users").await.expect(403);
    refused(hub.anonymous().get("/users").await);
}

async fn a_list_of_users_is_paged_in_order_and_by_cursor(hub: &TestHub) {
    let admin = hub.admin().await;
    let mut made = vec![admin.id];
    for number in 1..=6 {
        hub.clock.advance(Duration::from_secs(1));
        made.push(hub.make_user(Role::Cso, &format!("cso-{number}@example.com")).await.id);
    }
    let newest: Vec<_> = made.iter().rev().copied().collect();
    assert_eq!(ids(&admin, "/users").await, newest);
    assert_eq!(ids(&admin, "/users?sortBy=createdAt&sortOrder=asc").await, made);
    assert_eq!(ids(&admin, "/users?page=2&limit=3").await, newest[3..6]);

    let mut page = admin.get("/users?role=cso&limit=4&sortBy=email&sortOrder=asc").await.expect(200);
    assert_eq!(page["meta"]["totalPages"], 2);
    let mut seen = ids_of(&page);
    while let Some(cursor) = page["meta"]["nextCursor"].as_str().map(str::to_owned) {
        admin.get(&format!("/users?cursor={cursor}&role=admin")).await.expect(422);
        page = admin.get(&format!("/users?cursor={cursor}&limit=4")).await.expect(200);
        seen.extend(ids_of(&page));
    }
    assert_eq!(seen, made[1..]);
}

async fn a_query_that_makes_no_sense_is_refused(hub: &TestHub) {
    let admin = hub.admin().await;
    for (query, name) in [
        ("role=boss", "role"),
        ("role=", "role"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("sortBy=password", "sortBy"),
        ("sortBy=passwordHash", "sortBy"),
        ("sortOrder=up", "sortOrder"),
        ("nickname=x", "nickname"),
        ("role=cso&role=admin", "role"),
    ] {
        let found = pointers(admin.get(&format!("/users?{query}")).await);
        assert!(found.len() == 1 && found[0].trim_start_matches('/') == name, "{query}: {found:?}");
    }
    for query in ["page=one", "limit=1.5", "limit=", "isActive=perhaps", "cursor=made-up", "role=%ff"] {
        admin.get(&format!("/users?{query}")).await.expect(400);
    }
}

async fn a_user_is_read_with_an_etag(hub: &TestHub) {
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let one = format!("/users/{}", cso.id);
    for caller in [&admin, &manager] {
        let reply = caller.get(&one).await;
        assert_eq!(reply.header("etag"), "\"1\"");
        assert_eq!(reply.expect(200)["email"], json!(cso.email));
        caller.send(Method::GET, &one, None, &[("if-none-match", "\"1\"")]).await.expect(304);
    }
    cso.get(&one).await.expect(403);
    admin.get(&format!("/users/{}", Uuid::now_v7())).await.expect(404);
    admin.get("/users/7").await.expect(400);
    admin.delete(&one).await.expect(405);
}

async fn an_admin_changes_what_they_name_and_nothing_else(hub: &TestHub) {
    let admin = hub.admin().await;
    let user = serde_json::to_value(hub.make_user(Role::Cso, "ada@example.com").await).unwrap();
    let mut expected = user.clone();
    for (version, (field, value, becomes)) in [
        ("firstName", json!(" Augusta "), json!("Augusta")),
        ("lastName", json!("King"), json!("King")),
        ("availability", json!("away"), json!("away")),
        ("maxOpenInquiries", json!(0), json!(0)),
        ("maxOpenInquiries", json!(10_000), json!(10_000)),
        ("skills", json!(["shipping", "billing", "shipping"]), json!(["billing", "shipping"])),
        ("skills", json!([]), json!([])),
        ("role", json!("manager"), json!("manager")),
        ("isActive", json!(false), json!(false)),
    ]
    .into_iter()
    .enumerate()
    {
        hub.clock.advance(Duration::from_secs(1));
        let reply = admin.patch(&path("users", &user), json!({field: value})).await;
        assert_eq!(reply.header("etag"), format!("\"{}\"", version + 2));
        let changed = reply.expect(200);
        assert_ne!(changed["updatedAt"], expected["updatedAt"]);
        expected[field] = becomes;
        expected["version"] = json!(version + 2);
        expected["updatedAt"] = changed["updatedAt"].clone();
        assert_eq!(changed, expected, "{field}");
        assert_eq!(admin.get(&path("users", &user)).await.expect(200), expected);
    }
    let cso = hub.cso().await;
    let manager = hub.manager().await;
    for caller in [&cso, &manager] {
        caller.patch(&path("users", &user), json!({"isActive": true})).await.expect(403);
    }
    refused(hub.anonymous().patch(&path("users", &user), json!({"isActive": true})).await);
    assert_eq!(admin.get(&path("users", &user)).await.expect(200), expected);
}

async fn a_change_of_a_user_is_judged_field_by_field(hub: &TestHub) {
    let admin = hub.admin().await;
    let user = serde_json::to_value(hub.make_user(Role::Cso, "ada@example.com").await).unwrap();
    for (change, pointer) in [
        (json!({"role": "boss"}), "/role"),
        (json!({"role": null}), "/role"),
        (json!({"isActive": "no"}), "/isActive"),
        (json!({"maxOpenInquiries": -1}), "/maxOpenInquiries"),
        (json!({"maxOpenInquiries": 10_001}), "/maxOpenInquiries"),
        (json!({"maxOpenInquiries": 1.5}), "/maxOpenInquiries"),
        (json!({"maxOpenInquiries": 1e300}), "/maxOpenInquiries"),
        (json!({"skills": "billing"}), "/skills"),
        (json!({"skills": ["billing", ""]}), "/skills/1"),
        (json!({"skills": ["x".repeat(101)]}), "/skills/0"),
        (json!({"skills": (0..51).map(|n| n.to_string()).collect::<Vec<_>>()}), "/skills"),
        (json!({"availability": "asleep"}), "/availability"),
        (json!({"firstName": ""}), "/firstName"),
        (json!({"lastName": null}), "/lastName"),
        (json!({"email": "eve@example.com"}), "/email"),
        (json!({"password": "eleven quiet herons"}), "/password"),
        (json!({"passwordHash": "x"}), "/passwordHash"),
        (json!({"version": 7}), "/version"),
    ] {
        let mut body = json!({"firstName": "Changed"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(pointers(admin.patch(&path("users", &user), body).await), [pointer], "{change}");
    }
    assert_eq!(admin.get(&path("users", &user)).await.expect(200), user);
    admin.patch(&format!("/users/{}", Uuid::now_v7()), json!({"firstName": "Nobody"})).await.expect(404);
}

async fn a_user_changes_only_from_the_version_named(hub: &TestHub) {
    let admin = hub.admin().await;
    let user = serde_json::to_value(hub.make_user(Role::Cso, "ada@example.com").await).unwrap();
    let url = path("users", &user);
    let patch = |version: &'static str| {
        let (admin, url) = (admin.clone(), url.clone());
        async move {
            let body = Some(json!({"maxOpenInquiries": 5}));
            admin.send(Method::PATCH, &url, body, &[("if-match", version)]).await
        }
    };
    patch("\"7\"").await.expect(412);
    assert_eq!(admin.get(&url).await.expect(200), user);
    patch("\"1\"").await.expect(200);
    patch("\"1\"").await.expect(412);
    assert_eq!(patch("\"2\"").await.expect(200)["version"], 3);
}

async fn nobody_deactivates_or_demotes_themselves(hub: &TestHub) {
    let admin = hub.admin().await;
    let own = format!("/users/{}", admin.id);
    for change in
        [json!({"isActive": false}), json!({"role": "manager"}), json!({"role": "cso", "isActive": true})]
    {
        admin.patch(&own, change).await.expect(409);
    }
    let kept =
        admin.patch(&own, json!({"role": "admin", "isActive": true, "firstName": "Still"})).await.expect(200);
    assert_eq!(
        (&kept["role"], &kept["isActive"], &kept["version"]),
        (&json!("admin"), &json!(true), &json!(2))
    );
    admin.get("/auth/profile").await.expect(200);
}

async fn ids(caller: &Client, list: &str) -> Vec<Uuid> {
    ids_of(&caller.get(list).await.expect(200))
}

fn ids_of(page: &Value) -> Vec<Uuid> {
    page["data"].as_array().unwrap().iter().map(crate::harness::id_of).collect()
}
