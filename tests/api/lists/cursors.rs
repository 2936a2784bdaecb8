use std::collections::BTreeSet;
use std::time::Duration;

use nexus_actors::domain::Timestamp;
use nexus_actors::domain::page::{Cursor, SortOrder, SortValue};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Client, TestHub, id_of, on_both_engines, path};

on_both_engines!(
    a_cursor_skips_and_repeats_nothing_while_rows_come_and_go,
    a_cursor_brings_its_filters_and_order_and_is_refused_with_others,
    a_cursor_no_hub_made_is_400,
    a_forged_cursor_is_refused_and_never_an_error_of_the_server,
    a_cursor_shows_nothing_its_caller_may_not_see,
);

const LISTS: [&str; 5] = ["/customers", "/inquiries", "/responses", "/users", "/audit"];

async fn named(admin: &Client, name: &str) -> Value {
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    admin.post("/customers", json!({"firstName": name, "lastName": "x", "email": email})).await.expect(201)
}

async fn a_cursor_skips_and_repeats_nothing_while_rows_come_and_go(hub: &TestHub) {
    let admin = hub.admin().await;
    for sort in [
        "createdAt&sortOrder=desc",
        "createdAt&sortOrder=asc",
        "firstName&sortOrder=asc",
        "firstName&sortOrder=desc",
    ] {
        let mut old = BTreeSet::new();
        for number in 0..20 {
            hub.clock.advance(Duration::from_millis(number % 2));
            old.insert(id_of(&named(&admin, &format!("n{}", number * 7 % 20 / 3)).await));
        }
        let mut seen = Vec::new();
        let mut query = format!("sortBy={sort}&q=x&limit=3");
        let mut newcomers = ["a", "n0", "n1", "n3", "n6", "z"].into_iter();
        loop {
            let page = admin.get(&format!("/customers?{query}")).await.expect(200);
            seen.extend(page["data"].as_array().unwrap().iter().map(id_of));
            let Some(cursor) = page["meta"]["nextCursor"].as_str() else { break };
            query = format!("cursor={cursor}&limit=3");
            // Ahead of the cursor, behind it, and beside it; and the row the cursor was made of goes away.
            for name in newcomers.by_ref().take(2) {
                named(&admin, name).await;
            }
            let last = seen.last().unwrap();
            admin.delete(&format!("/customers/{last}")).await.expect(204);
        }
        assert_eq!(newcomers.next(), None);
        let distinct: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "{sort}: a row was shown twice");
        assert!(old.is_subset(&distinct), "{sort}: a row was skipped");
        let left = admin.get("/customers?limit=100").await.expect(200);
        for customer in left["data"].as_array().unwrap() {
            admin.delete(&path("customers", customer)).await.expect(204);
        }
    }
}

async fn a_cursor_brings_its_filters_and_order_and_is_refused_with_others(hub: &TestHub) {
    let admin = hub.admin().await;
    for _ in 0..5 {
        named(&admin, "ada").await;
    }
    let filters = "q=ada&status=active&assignedTo=none&sortBy=email&sortOrder=asc";
    let first = admin.get(&format!("/customers?{filters}&limit=2")).await.expect(200);
    let cursor = first["meta"]["nextCursor"].as_str().unwrap();
    let second = admin.get(&format!("/customers?cursor={cursor}&limit=2")).await.expect(200);
    let repeated = admin.get(&format!("/customers?cursor={cursor}&limit=2&{filters}")).await.expect(200);
    assert_eq!(second, repeated, "the same filters and order may be named again");
    let longer = admin.get(&format!("/customers?cursor={cursor}&limit=3")).await.expect(200);
    assert_eq!(longer["data"].as_array().unwrap()[..2], second["data"].as_array().unwrap()[..]);
    for (other, name) in [
        ("q=bob", "q"),
        ("q=", "q"),
        ("status=inactive", "status"),
        ("assignedTo=me", "assignedTo"),
        ("createdFrom=2026-01-01T00:00:00Z", "createdFrom"),
        ("sortBy=createdAt", "sortBy"),
        ("sortOrder=desc", "sortOrder"),
        ("page=2", "page"),
    ] {
        assert_eq!(
            admin.get(&format!("/customers?cursor={cursor}&{other}")).await.invalid(),
            [name],
            "{other}"
        );
    }
    let plain = admin.get("/customers?limit=2").await.expect(200);
    let plain = plain["meta"]["nextCursor"].as_str().unwrap();
    assert_eq!(admin.get(&format!("/customers?cursor={plain}&status=active")).await.invalid(), ["status"]);
    // Of a list that knows other filters.
    admin.get(&format!("/users?cursor={cursor}")).await.problem(400);
}

async fn a_cursor_no_hub_made_is_400(hub: &TestHub) {
    let admin = hub.admin().await;
    for _ in 0..3 {
        hub.customer(&admin).await;
    }
    let page = admin.get("/customers?limit=1").await.expect(200);
    let cursor = page["meta"]["nextCursor"].as_str().unwrap().to_owned();
    let long = "A".repeat(8_000);
    for garbage in
        ["", "x", "e30", "bnVsbA", "%00", "%ff", "null", &cursor[1..], &cursor[..cursor.len() - 2], &long]
    {
        for list in LISTS {
            admin.get(&format!("{list}?cursor={garbage}")).await.problem(400);
        }
    }
}

async fn a_forged_cursor_is_refused_and_never_an_error_of_the_server(hub: &TestHub) {
    let admin = hub.admin().await;
    hub.draft(&hub.cso().await, &admin).await;
    let now = hub.clock.now();
    let genuine = Cursor {
        filters: String::new(),
        sort_by: "createdAt".to_owned(),
        order: SortOrder::Desc,
        page: 2,
        value: SortValue::Time(now),
        id: Uuid::max(),
    };
    let values = [
        SortValue::Time(now),
        SortValue::Text("x".repeat(5_000)),
        SortValue::Int(i64::MAX),
        SortValue::Int(i64::MIN),
    ];
    let sorts =
        ["createdAt", "updatedAt", "firstName", "email", "status", "priority", "subject", "id", "'; --", ""];
    for list in LISTS {
        let ask = async |cursor: &Cursor| admin.get(&format!("{list}?cursor={}", cursor.encode())).await;
        assert_eq!(ask(&genuine).await.status, 200, "{list}");
        for sort in sorts {
            for value in &values {
                let forged = Cursor { sort_by: sort.to_owned(), value: value.clone(), ..genuine.clone() };
                let answer = ask(&forged).await;
                assert!([200, 400, 422].contains(&answer.status), "{list} {forged:?}: {}", answer.text);
                let is_time = matches!(value, SortValue::Time(_));
                assert!(is_time || sort != "createdAt" || answer.status == 400, "{list} {forged:?}");
            }
        }
        let nul = Cursor {
            sort_by: "email".to_owned(),
            value: SortValue::Text("\0".to_owned()),
            ..genuine.clone()
        };
        ask(&nul).await.problem(400);
        for filters in ["nonsense=1", "page=7", "limit=1000", "cursor=x", "q=%00", "sortBy=email", "q=%ff"] {
            let forged = Cursor { filters: filters.to_owned(), ..genuine.clone() };
            assert!([400, 422].contains(&ask(&forged).await.status), "{list} {filters}");
        }
        assert_eq!(ask(&Cursor { page: u32::MAX, ..genuine.clone() }).await.status, 200);
        for year in ["-262143-01-01T00:00:00Z", "+262142-01-01T00:00:00Z", "-0001-01-01T00:00:00Z"] {
            let text = json!({"filters": "", "sort_by": "createdAt", "order": "desc", "page": 2,
                "value": {"t": "time", "v": year}, "id": Uuid::nil()});
            admin.get(&format!("{list}?cursor={}", base64_url(&text.to_string()))).await.problem(400);
        }
    }
    assert!(Timestamp::parse("+262142-01-01T00:00:00Z").is_none());
}

fn base64_url(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

async fn a_cursor_shows_nothing_its_caller_may_not_see(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    for _ in 0..3 {
        hub.customer(&admin).await;
        hub.draft(&admin, &admin).await;
    }
    for list in ["/customers", "/responses"] {
        let page = admin.get(&format!("{list}?limit=1")).await.expect(200);
        let cursor = page["meta"]["nextCursor"].as_str().unwrap();
        let borrowed = cso.get(&format!("{list}?cursor={cursor}")).await.expect(200);
        assert_eq!((&borrowed["data"], &borrowed["meta"]["total"]), (&json!([]), &json!(0)), "{list}");
    }
    for list in ["/users", "/audit"] {
        let page = admin.get(&format!("{list}?limit=1")).await.expect(200);
        let cursor = page["meta"]["nextCursor"].as_str().unwrap();
        cso.get(&format!("{list}?cursor={cursor}")).await.problem(403);
    }
}
