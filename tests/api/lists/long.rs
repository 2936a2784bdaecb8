//! Lists of more entries than are counted one by one.

use serde_json::json;

use crate::behind::execute;
use crate::harness::{Engine, TestHub, on_both_engines};

on_both_engines!(beyond_a_thousand_the_total_may_be_an_estimate_and_says_so);

/// 999 more of the customer there is; and one more.
const MORE: [&str; 2] = [
    "insert into customers (id, version, created_at, updated_at, first_name, last_name, email, email_key, status, \
     metadata, search) with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 999) \
     select randomblob(16), version, created_at, updated_at, first_name, last_name, email || n, email_key || n, status, \
     metadata, search from customers, numbers",
    "insert into customers (id, version, created_at, updated_at, first_name, last_name, email, email_key, status, \
     metadata, search) select gen_random_uuid(), version, created_at, updated_at, first_name, last_name, email || n, \
     email_key || n, status, metadata, search from customers, generate_series(1, 999) n",
];

async fn beyond_a_thousand_the_total_may_be_an_estimate_and_says_so(hub: &TestHub) {
    let admin = hub.admin().await;
    hub.customer(&admin).await;
    let [sqlite, postgres] = MORE;
    execute(hub, if hub.engine == Engine::Embedded { sqlite } else { postgres }).await;
    for list in ["/customers?limit=10", "/customers?limit=10&q=love", "/customers?limit=10&status=active"] {
        let meta = &admin.get(list).await.expect(200)["meta"];
        assert_eq!((&meta["total"], &meta["totalPages"]), (&json!(1_000), &json!(100)), "{list}");
        assert_eq!(meta.get("totalEstimated"), None, "{list}");
    }
    hub.customer(&admin).await;
    for list in ["/customers?limit=10", "/customers?limit=10&q=love", "/customers?limit=10&status=active"] {
        let page = admin.get(list).await.expect(200);
        let (total, pages) = (page["meta"]["total"].as_i64().unwrap(), &page["meta"]["totalPages"]);
        match hub.engine {
            Engine::Embedded => {
                assert_eq!(total, 1_001, "{list}");
                assert_eq!(page["meta"].get("totalEstimated"), None, "{list}");
            }
            Engine::Full => {
                assert!(total > 1_000, "{list}: {total}");
                assert_eq!(page["meta"]["totalEstimated"], true, "{list}");
            }
        }
        assert_eq!(pages, (total + 9) / 10, "{list}");
        assert_eq!(page["data"].as_array().unwrap().len(), 10, "{list}");
    }
    // A list that is short stays exact beside it.
    let meta = &admin.get("/customers?status=suspended").await.expect(200)["meta"];
    assert_eq!((&meta["total"], meta.get("totalEstimated")), (&json!(0), None));
}
