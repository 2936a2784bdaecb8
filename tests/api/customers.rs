//! Customers: made, read, replaced, assigned and deleted.

use std::time::Duration;

use futures_util::future::join_all;
use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, TestHub, id_of, on_both_engines, path};

on_both_engines!(
    a_new_customer_has_the_fields_and_defaults_of_the_contract,
    texts_are_kept_as_written_but_for_the_blanks_around_them,
    metadata_reads_back_as_it_was_written,
    an_email_is_unique_whatever_its_case,
    of_customers_made_at_once_with_one_email_one_is,
    a_put_takes_the_whole_and_clears_what_is_left_out,
    a_deleted_customer_is_gone_from_every_read,
    a_deleted_customer_leaves_their_inquiries_and_their_email,
    a_customer_is_assigned_to_an_active_cso_or_to_nobody,
    a_cso_sees_the_customers_assigned_to_them,
    the_audit_trail_tells_what_changed,
);

fn ada(email: &str) -> Value {
    json!({"firstName": "Ada", "lastName": "Lovelace", "email": email})
}

/// Everything that can be set.
fn complete() -> Value {
    json!({
        "firstName": "Ada", "lastName": "Lovelace", "email": "Ada.Lovelace@Example.com", "phone": "+44 20 7946 0000",
        "company": "Analytical Engines", "status": "suspended", "metadata": {"tier": "gold", "seats": 3}
    })
}

async fn a_new_customer_has_the_fields_and_defaults_of_the_contract(hub: &TestHub) {
    let admin = hub.admin().await;
    let made = admin.post("/customers", ada("ada@example.com")).await;
    assert_eq!((made.status, made.header("etag")), (201, "\"1\""));
    let customer = made.json();
    assert_eq!(made.header("location"), format!("/api/v1{}", path("customers", &customer)));
    let expected = json!({
        "id": customer["id"], "version": 1, "createdAt": hub.clock.now(), "updatedAt": hub.clock.now(),
        "firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "phone": null, "company": null,
        "status": "active", "metadata": {}, "createdBy": admin.id, "assignedTo": null
    });
    assert_eq!(customer, expected);
    assert_eq!(admin.get(&path("customers", &customer)).await.expect(200), expected);

    let complete = complete();
    let customer = admin.post("/customers", complete.clone()).await.expect(201);
    for (name, value) in complete.as_object().unwrap() {
        assert_eq!(&customer[name], value, "{name}");
    }
    assert_eq!(admin.get(&path("customers", &customer)).await.expect(200), customer);
}

async fn texts_are_kept_as_written_but_for_the_blanks_around_them(hub: &TestHub) {
    let admin = hub.admin().await;
    let names =
        ["O'Hara", "Ærøskøbing", "李 小龍", "Müller-Lüdenscheidt", "\"; drop table customers", "%_\\", "👩‍🚀"];
    for (index, name) in names.into_iter().enumerate() {
        let sent = json!({
            "firstName": format!("  {name}\u{a0}"), "lastName": name, "email": format!(" c{index}@example.com "),
            "phone": "  ", "company": format!("\t{name} ")
        });
        let customer = admin.post("/customers", sent).await.expect(201);
        let read = admin.get(&path("customers", &customer)).await.expect(200);
        assert_eq!(
            (&read["firstName"], &read["lastName"], &read["company"]),
            (&json!(name), &json!(name), &json!(name))
        );
        assert_eq!((&read["email"], &read["phone"]), (&json!(format!("c{index}@example.com")), &Value::Null));
    }
}

async fn metadata_reads_back_as_it_was_written(hub: &TestHub) {
    let admin = hub.admin().await;
    let metadata = json!({
        "": "empty name", "a.b": {"c": [1, [2, [null, true, {}]]]}, "\u{1F4E6}": "\u{10ffff} \\ \" \u{7f}",
        "numbers": [0, -1, u64::MAX, i64::MIN, 0.1, 2.5e-8, 1e23, 1.7976931348623157e308, -1e308, 5e-324, 123456.789]
    });
    let mut customer = complete();
    customer["metadata"] = metadata.clone();
    let made = admin.post("/customers", customer).await.expect(201);
    assert_eq!(made["metadata"], metadata);
    for _ in 0..2 {
        assert_eq!(admin.get(&path("customers", &made)).await.expect(200)["metadata"], metadata);
    }
    assert_eq!(admin.get("/customers").await.expect(200)["data"][0]["metadata"], metadata);
}

async fn an_email_is_unique_whatever_its_case(hub: &TestHub) {
    let admin = hub.admin().await;
    let first = admin.post("/customers", ada("Ada@Example.com")).await.expect(201);
    let other = admin.post("/customers", ada("jörg@exämple.de")).await.expect(201);
    for taken in
        ["Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM", " ada@EXAMPLE.com ", "JÖRG@EXÄMPLE.DE"]
    {
        let refused = admin.post("/customers", ada(taken)).await.problem(409);
        assert_eq!(refused["errors"][0]["pointer"], "/email", "{taken}");
    }
    admin.put(&path("customers", &other), ada("ADA@example.com")).await.problem(409);
    assert_eq!(admin.get(&path("customers", &other)).await.expect(200), other, "nothing changed");
    let recased = admin.put(&path("customers", &first), ada("ADA@example.com")).await.expect(200);
    assert_eq!(recased["email"], "ADA@example.com", "one's own email may change its case");
}

async fn of_customers_made_at_once_with_one_email_one_is(hub: &TestHub) {
    let admin = hub.admin().await;
    let answers = join_all((0..20).map(|_| admin.post("/customers", ada("ada@example.com")))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((made, refused), (1, 19));
    assert_eq!(admin.get("/customers").await.expect(200)["meta"]["total"], 1);
}

async fn a_put_takes_the_whole_and_clears_what_is_left_out(hub: &TestHub) {
    let (admin, other, cso) = (hub.admin().await, hub.admin().await, hub.cso().await);
    let made = admin.post("/customers", complete()).await.expect(201);
    let at = path("customers", &made);
    admin.post(&format!("{at}/assign"), json!({"assigneeId": cso.id})).await.expect(200);
    hub.clock.advance(Duration::from_secs(60));
    let replaced = other.put(&at, ada("other@example.com")).await.expect(200);
    let expected = json!({
        "id": made["id"], "version": 3, "createdAt": made["createdAt"], "updatedAt": hub.clock.now(),
        "firstName": "Ada", "lastName": "Lovelace", "email": "other@example.com", "phone": null, "company": null,
        "status": "active", "metadata": {}, "createdBy": admin.id, "assignedTo": cso.id
    });
    assert_eq!(replaced, expected);
    assert_eq!(admin.get(&at).await.expect(200), expected);
    let nulled =
        json!({"firstName": "A", "lastName": "B", "email": "a@example.com", "phone": null, "company": null});
    admin.put(&at, nulled).await.expect(200);
    let missing = json!({"firstName": "A", "lastName": "B"});
    assert_eq!(admin.put(&at, missing).await.invalid(), ["/email"]);
    for unsettable in ["id", "version", "createdAt", "createdBy", "assignedTo", "deletedAt"] {
        let mut body = complete();
        body[unsettable] = made[unsettable].clone();
        assert_eq!(admin.put(&at, body).await.invalid(), [format!("/{unsettable}")]);
    }
}

async fn a_deleted_customer_is_gone_from_every_read(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let customer = admin.post("/customers", complete()).await.expect(201);
    let at = path("customers", &customer);
    admin.post(&format!("{at}/assign"), json!({"assigneeId": cso.id})).await.expect(200);
    let lists = [
        "/customers",
        "/customers?q=ada",
        "/customers?status=suspended",
        "/customers?sortBy=email&sortOrder=asc",
    ];
    for client in [&admin, &cso] {
        assert_eq!(client.get(&at).await.status, 200);
        for list in lists {
            assert_eq!(client.get(list).await.expect(200)["meta"]["total"], 1, "{list}");
        }
    }
    assert_eq!(admin.delete(&at).await.expect(204), Value::Null);
    for client in [&admin, &cso] {
        for _ in 0..2 {
            client.get(&at).await.problem(404);
        }
        for list in lists {
            let page = client.get(list).await.expect(200);
            assert_eq!((&page["data"], &page["meta"]["total"]), (&json!([]), &json!(0)), "{list}");
        }
    }
    let question = json!({"customerId": customer["id"], "subject": "Hi", "message": "There"});
    assert_eq!(admin.post("/inquiries", question).await.invalid(), ["/customerId"]);
    admin.put(&at, complete()).await.problem(404);
    admin.post(&format!("{at}/assign"), json!({"assigneeId": null})).await.problem(404);
    admin.delete(&at).await.problem(404);
    assert_eq!(admin.get("/stats").await.expect(200)["customers"]["suspended"], 0);
}

async fn a_deleted_customer_leaves_their_inquiries_and_their_email(hub: &TestHub) {
    let admin = hub.admin().await;
    let customer = admin.post("/customers", complete()).await.expect(201);
    let question = json!({"customerId": customer["id"], "subject": "Hi", "message": "There"});
    let inquiry = admin.post("/inquiries", question).await.expect(201);
    admin.delete(&path("customers", &customer)).await.expect(204);

    assert_eq!(admin.get(&path("inquiries", &inquiry)).await.expect(200), inquiry);
    let listed = admin.get(&format!("/inquiries?customerId={}", id_of(&customer))).await.expect(200);
    assert_eq!(listed["data"], json!([inquiry]));
    let conversation = admin.get(&format!("{}/messages", path("inquiries", &inquiry))).await.expect(200);
    assert_eq!(conversation["data"][0]["message"], "There");

    for _ in 0..2 {
        let successor = admin.post("/customers", complete()).await.expect(201);
        assert_ne!(successor["id"], customer["id"]);
        admin.post("/customers", complete()).await.problem(409);
        admin.delete(&path("customers", &successor)).await.expect(204);
    }
}

async fn a_customer_is_assigned_to_an_active_cso_or_to_nobody(hub: &TestHub) {
    let (admin, manager, cso) = (hub.admin().await, hub.manager().await, hub.cso().await);
    let gone = hub.make_user(Role::Cso, "gone@example.com").await;
    admin.patch(&format!("/users/{}", gone.id), json!({"isActive": false})).await.expect(200);
    let at = path("customers", &hub.customer(&admin).await);
    let assign =
        async |by: &Client, to: Value| by.post(&format!("{at}/assign"), json!({"assigneeId": to})).await;
    let assigned = assign(&manager, json!(cso.id)).await.expect(200);
    assert_eq!((&assigned["assignedTo"], &assigned["version"]), (&json!(cso.id), &json!(2)));
    for unfit in [manager.id, admin.id, gone.id, Uuid::new_v4(), Uuid::nil()] {
        assert_eq!(assign(&admin, json!(unfit)).await.invalid(), ["/assigneeId"]);
    }
    assign(&cso, Value::Null).await.problem(403);
    assert_eq!(admin.get(&at).await.expect(200), assigned, "nothing changed");
    assert_eq!(assign(&manager, Value::Null).await.expect(200)["assignedTo"], Value::Null);
}

async fn a_cso_sees_the_customers_assigned_to_them(hub: &TestHub) {
    let (admin, one, two) = (hub.admin().await, hub.cso().await, hub.cso().await);
    let (mine, theirs) = (hub.customer(&admin).await, hub.customer(&admin).await);
    for (customer, cso) in [(&mine, &one), (&theirs, &two)] {
        let assign = format!("{}/assign", path("customers", customer));
        admin.post(&assign, json!({"assigneeId": cso.id})).await.expect(200);
    }
    assert_eq!(one.get(&path("customers", &mine)).await.status, 200);
    let hidden = one.get(&path("customers", &theirs)).await.problem(404);
    let absent = one.get(&format!("/customers/{}", Uuid::new_v4())).await.problem(404);
    assert_eq!((&hidden["title"], &hidden["detail"]), (&absent["title"], &absent["detail"]));
    for query in ["", "?assignedTo=me", "?assignedTo=none", &format!("?assignedTo={}", two.id), "?q=ada"] {
        let listed = one.get(&format!("/customers{query}")).await.expect(200);
        let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(id_of).collect();
        let expected = if query.contains("none") || query.contains(&two.id.to_string()) {
            vec![]
        } else {
            vec![id_of(&mine)]
        };
        assert_eq!(ids, expected, "{query}");
    }
}

async fn the_audit_trail_tells_what_changed(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let customer = admin.post("/customers", complete()).await.expect(201);
    let at = path("customers", &customer);
    let mut changed = complete();
    changed["company"] = json!("Difference Engines");
    admin.put(&at, changed).await.expect(200);
    admin.post(&format!("{at}/assign"), json!({"assigneeId": cso.id})).await.expect(200);
    let request = admin.send(Method::DELETE, &at, None, &[]).await;
    let audit = admin.get(&format!("/audit?entityId={}&sortOrder=asc", id_of(&customer))).await.expect(200);
    let entries = audit["data"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["customer.created", "customer.updated", "customer.assigned", "customer.deleted"]);
    assert!(
        entries.iter().all(|entry| entry["actorId"] == json!(admin.id) && entry["entityType"] == "customer")
    );
    assert_eq!(entries[0]["changes"]["email"], json!({"from": null, "to": "Ada.Lovelace@Example.com"}));
    assert_eq!(
        entries[1]["changes"],
        json!({"company": {"from": "Analytical Engines", "to": "Difference Engines"}})
    );
    assert_eq!(entries[2]["changes"], json!({"assignedTo": {"from": null, "to": cso.id}}));
    assert_eq!(entries[3]["requestId"], request.header("x-request-id"));
}
