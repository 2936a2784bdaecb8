//! By which indexes the statements of lists and searches are answered.

use nexus_actors::domain::user::Role;
use nexus_actors::store::Db;
use nexus_actors::store::stats::ReadQueues;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, Row, SqlitePool};

use crate::harness::{Client, Engine, TestHub, id_of, path};
use crate::{heard, listening, statements};

/// Requests and the index their rows come by: in their order where there is no second one, or else what finds them.
const INDEXES: &[(&str, &str)] = &[
    ("/customers", "customers_by_created"),
    ("/customers?sortOrder=asc", "customers_by_created"),
    ("/customers?sortBy=updatedAt", "customers_by_updated"),
    ("/customers?sortBy=firstName", "customers_by_first_name"),
    ("/customers?sortBy=lastName", "customers_by_last_name"),
    ("/customers?sortBy=email", "customers_by_email"),
    ("/customers?sortBy=status", "customers_by_status_id"),
    ("/customers?status=active", "customers_by_status"),
    ("/customers?status=active&sortBy=updatedAt", "customers_by_status_updated"),
    ("/customers?status=active&sortBy=firstName", "customers_by_status_first_name"),
    ("/customers?status=active&sortBy=lastName", "customers_by_status_last_name"),
    ("/customers?status=active&sortBy=email", "customers_by_status_email"),
    ("/customers?assignedTo={user}", "customers_by_assignee"),
    ("/inquiries", "inquiries_by_created"),
    ("/inquiries?sortBy=updatedAt", "inquiries_by_updated"),
    ("/inquiries?sortBy=priority", "inquiries_by_priority"),
    ("/inquiries?sortBy=subject", "inquiries_by_subject"),
    ("/inquiries?sortBy=status", "inquiries_by_status_id"),
    ("/inquiries?status=pending", "inquiries_by_status"),
    ("/inquiries?status=pending,closed", "inquiries_by_status"),
    ("/inquiries?status=pending,closed&page=2", "inquiries_by_status"),
    ("/inquiries?status=pending,closed&sortBy=status", "inquiries_by_status_id"),
    ("/inquiries?status=closed,responded&sortBy=updatedAt", "inquiries_by_status_updated"),
    ("/inquiries?status=closed&sortBy=priority", "inquiries_by_status_priority"),
    ("/inquiries?status=closed,responded&sortBy=subject", "inquiries_by_status_subject"),
    ("/inquiries?category=general", "inquiries_by_category"),
    ("/inquiries?channel=api", "inquiries_by_channel"),
    ("/inquiries?customerId={customer}", "inquiries_by_customer"),
    ("/inquiries?assignedTo={user}", "inquiries_by_assignee"),
    ("/inquiries/{inquiry}/messages", "messages_by_inquiry"),
    ("/inquiries/{inquiry}/assignments", "assignments_by_inquiry"),
    ("/responses", "responses_by_created"),
    ("/responses?sortBy=updatedAt", "responses_by_updated"),
    ("/responses?sortBy=status", "responses_by_status_id"),
    ("/responses?status=draft", "responses_by_status"),
    ("/responses?status=draft&sortBy=updatedAt", "responses_by_status_updated"),
    ("/responses?inquiryId={inquiry}", "responses_by_inquiry"),
    ("/responses?respondedBy={user}", "responses_by_author"),
    ("/responses?approvedBy={user}", "responses_by_approver"),
    ("/responses/{response}/history", "response_history_by_response"),
    ("/users", "users_by_created"),
    ("/users?role=cso", "users_by_role"),
    ("/notifications", "notifications_by_user"),
    ("/webhooks", "webhooks_by_created"),
    ("/webhooks/{webhook}/attempts", "webhook_attempts_by_webhook"),
    ("/audit", "audit_log_by_created"),
    ("/audit?entityId={customer}", "audit_log_by_entity"),
    ("/audit?actorId={user}", "audit_log_by_actor"),
];

/// Found by an index and sorted after that.
const SORTED: &[(&str, &str)] = &[
    ("/customers?q=ada", "customers_search"),
    ("/customers?q=ada+love&status=active&sortBy=email", "customers_search"),
    ("/inquiries?q=order", "inquiries_search"),
    ("/inquiries?q=late+order&priority=medium&sortBy=updatedAt", "inquiries_search"),
    ("/customers?assignedTo=none", "customers_by_assignee"),
];

/// The statements of `/stats` by their beginnings, with an index each is answered by, or one of two.
const STATS: &[(&str, &str)] = &[
    ("select status, count(*) as count from inquiries", "inquiries_by_status|inquiries_by_assignee_status"),
    ("select status, count(*) as count from responses", "responses_by_status|responses_by_author_status"),
    ("select min(submitted_at)", "responses_by_status"),
    ("select (select count(*) from inquiries", "inquiries_by_created"),
    ("select (select count(*) from inquiries", "messages_released"),
    ("select u.id as user_id", "messages_released"),
    ("select u.id as user_id", "first_responses_by_time"),
    (TIMES, "first_responses_by_time"),
    (TIMES, "responses_by_decision"),
];
const TIMES: &str = "select count(*) as count, cast(avg(millis)";

/// Those of `/stats/daily`.
const DAILY: &[(&str, &str)] = &[
    ("select (select count(*) from inquiries", "inquiries_by_created"),
    ("select (select count(*) from inquiries", "messages_released"),
    (TIMES_BY_DAY, "first_responses_by_time"),
    (TIMES_BY_DAY, "responses_by_decision"),
];
const TIMES_BY_DAY: &str = "select day, count(*) as count, cast(avg(millis)";

/// As a CSO asks for them.
const OWN_STATS: &[(&str, &str)] = &[
    ("select status, count(*) as count from customers", "customers_by_assignee"),
    ("select status, count(*) as count from inquiries", "inquiries_by_assignee_status"),
    ("select status, count(*) as count from responses", "responses_by_author_status"),
    ("select (select count(*) from inquiries", "inquiries_by_assignee"),
    ("select (select count(*) from inquiries", "messages_released"),
    ("select u.id as user_id", "messages_released"),
    ("select u.id as user_id", "first_responses_by_time"),
    (TIMES, "first_responses_by_time"),
];
const OWN_DAILY: &[(&str, &str)] = &[
    ("select (select count(*) from inquiries", "inquiries_by_assignee"),
    ("select (select count(*) from inquiries", "messages_released"),
    (TIMES_BY_DAY, "first_responses_by_time"),
    (TIMES_BY_DAY, "responses_by_decision"),
];

#[test]
fn statistics_read_no_table_whole_embedded() {
    listening(Engine::Embedded, &[], |hub| Box::pin(read_no_table_whole(hub)));
}

#[test]
fn statistics_read_no_table_whole_full() {
    listening(Engine::Full, &[], |hub| Box::pin(read_no_table_whole(hub)));
}

async fn read_no_table_whole(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    populate(hub, &admin, &cso).await;
    if let Db::Postgres(pool) = &hub.app.hub.storage.db {
        // An index alone can answer for what is known to be visible to all.
        sqlx::raw_sql("vacuum analyze").execute(pool).await.unwrap();
    }
    let mut wrong = Vec::new();
    for (caller, path, expected) in [
        (&admin, "/stats", STATS),
        (&cso, "/stats", OWN_STATS),
        (&admin, "/stats/daily", DAILY),
        (&cso, "/stats/daily", OWN_DAILY),
    ] {
        let said = statements(caller, path).await;
        let mut plans = Vec::new();
        for sql in said {
            let plan = match &hub.app.hub.storage.db {
                Db::Postgres(pool) => explained_by_postgres(pool, &sql, false).await,
                Db::Sqlite { reads, .. } => explained_by_sqlite(reads, &sql).await,
            };
            if reads_a_table_whole(&plan) {
                wrong.push(format!("{sql}\n{plan}"));
            }
            plans.push((sql, plan));
        }
        for (beginning, index) in expected {
            let mut these = plans.iter().filter(|(sql, _)| sql.starts_with(beginning));
            let is_it = |word: &str| index.split('|').any(|index| begins(word, index));
            if !these.any(|(_, plan)| plan.split([' ', '\n']).any(is_it)) {
                wrong.push(format!("{beginning}… does not use {index}: {plans:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{:?}\n{}", hub.engine, wrong.join("\n"));
}

/// Whether an index is this one, or one that goes on with other columns, and serves as well where only these are asked for.
fn begins(name: &str, index: &str) -> bool {
    name.strip_prefix(index).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Of the tables that grow with every inquiry, no row is read but by an index. Counts of all there is read an index
/// whole, and no row.
fn reads_a_table_whole(plan: &str) -> bool {
    let grows = |line: &str| {
        ["inquiries", "responses", "messages", "first_responses"].iter().any(|table| {
            line.contains(&format!("SCAN {table}")) || line.contains(&format!("Seq Scan on {table}"))
        })
    };
    plan.lines().any(|line| grows(line) && !line.contains(" COVERING INDEX "))
}

/// What is read for `GET /metrics`, by one of these indexes each.
const QUEUES: &[&str] = &[
    "responses_by_status",
    "inquiries_waiting|inquiries_by_assignee_status|inquiries_by_status",
    "deliveries_by_status",
    "webhook_messages_due",
    "dead_letters_by_status",
];

#[test]
fn queues_read_no_table_whole_embedded() {
    listening(Engine::Embedded, &[], |hub| Box::pin(queues_read_no_table_whole(hub)));
}

#[test]
fn queues_read_no_table_whole_full() {
    listening(Engine::Full, &[], |hub| Box::pin(queues_read_no_table_whole(hub)));
}

async fn queues_read_no_table_whole(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    populate(hub, &admin, &cso).await;
    heard().clear();
    hub.app.hub.stats.ask(ReadQueues).await.unwrap();
    let said = std::mem::take(&mut *heard());
    let said: Vec<_> = said.iter().filter(|sql| sql.starts_with("select 'outbox'")).collect();
    let [sql] = said.as_slice() else { panic!("{said:#?}") };
    let plan = match &hub.app.hub.storage.db {
        Db::Postgres(pool) => explained_by_postgres(pool, sql, false).await,
        Db::Sqlite { reads, .. } => explained_by_sqlite(reads, sql).await,
    };
    assert!(!reads_a_table_whole(&plan), "{plan}");
    for index in QUEUES {
        let is_it = |word: &str| index.split('|').any(|index| begins(word, index));
        assert!(plan.split([' ', '\n']).any(is_it), "{index} is not used:\n{plan}");
    }
}

#[test]
fn lists_and_searches_use_their_indexes_embedded() {
    listening(Engine::Embedded, &[], |hub| Box::pin(use_their_indexes(hub)));
}

#[test]
fn lists_and_searches_use_their_indexes_full() {
    listening(Engine::Full, &[], |hub| Box::pin(use_their_indexes(hub)));
}

async fn use_their_indexes(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let draft = populate(hub, &admin, &cso).await;
    let inquiry =
        admin.get(&format!("/inquiries/{}", draft["inquiryId"].as_str().unwrap())).await.expect(200);
    let webhook = json!({"url": "https://example.com/", "events": ["customer.deleted"]});
    let webhook = admin.post("/webhooks", webhook).await.expect(201);
    let mut wrong = Vec::new();
    for (in_order, requests) in [(true, INDEXES), (false, SORTED)] {
        for (request, index) in requests {
            let request = request
                .replace("{user}", &cso.id.to_string())
                .replace("{customer}", inquiry["customerId"].as_str().unwrap())
                .replace("{inquiry}", &id_of(&inquiry).to_string())
                .replace("{webhook}", &id_of(&webhook).to_string())
                .replace("/responses/{response}", &path("responses", &draft));
            let said = statements(&admin, &request).await;
            let rows = said.iter().rev().find(|sql| sql.contains(" order by ")).unwrap();
            let plan = match &hub.app.hub.storage.db {
                Db::Postgres(pool) => explained_by_postgres(pool, rows, in_order).await,
                Db::Sqlite { reads, .. } => explained_by_sqlite(reads, rows).await,
            };
            let fits = match hub.engine {
                Engine::Embedded => sqlite_uses(&plan, index, in_order),
                Engine::Full => plan.contains(&format!(" {index} ")) && !plan.contains("Seq Scan"),
            };
            if !fits {
                wrong.push(format!("{request} does not use {index}:\n{rows}\n{plan}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{:?}\n{}", hub.engine, wrong.join("\n"));
}

/// Answers with a draft.
async fn populate(hub: &TestHub, admin: &Client, cso: &Client) -> Value {
    let draft = hub.draft(cso, admin).await;
    let customer = path("customers", &hub.customer(admin).await);
    admin.post(&format!("{customer}/assign"), json!({"assigneeId": cso.id})).await.expect(200);
    if let Db::Postgres(pool) = &hub.app.hub.storage.db {
        for number in 0..20 {
            hub.make_user(Role::Cso, &format!("cso{number}@example.com")).await;
        }
        multiply(pool).await;
    }
    draft
}

async fn explained_by_sqlite(pool: &SqlitePool, sql: &str) -> String {
    let explain = sqlx::raw_sql(AssertSqlSafe(format!("explain query plan {sql}")));
    let rows = explain.fetch_all(pool).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
}

/// Nothing is read but by an index, and nothing is sorted that could have come in its order.
fn sqlite_uses(plan: &str, index: &str, in_order: bool) -> bool {
    // The first rows of several lists, each in its order.
    let plan = plan.replace("SCAN part\nUSE TEMP B-TREE FOR ORDER BY", "");
    let by_index = |line: &str| line.contains(" INDEX ") || line.contains("USING INTEGER PRIMARY KEY");
    let reads = plan.lines().filter(|line| line.starts_with("SCAN ") || line.starts_with("SEARCH "));
    reads.clone().count() > 0
        && reads.clone().all(by_index)
        && reads.into_iter().any(|line| line.split(' ').any(|word| word == index))
        && !(in_order && plan.contains("TEMP B-TREE"))
}

/// To judge an index, PostgreSQL needs rows in the table: thousands of copies that differ in what is looked for.
async fn multiply(pool: &PgPool) {
    const COPIES: &str = "
        set local statement_timeout = 0;
        insert into customers select (jsonb_populate_record(t, jsonb_build_object(
            'id', gen_random_uuid(), 'email', 'c' || n, 'email_key', 'c' || n, 'first_name', 'f' || n,
            'last_name', 'l' || n, 'created_at', t.created_at - n * interval '1 minute',
            'updated_at', t.updated_at - n % 97 * interval '1 minute', 'search', 'w' || n,
            'assigned_to', (array(select id from users where role = 'cso'))[1 + n % 20],
            'status', case n % 3 when 0 then 'active' when 1 then 'inactive' else 'suspended' end))).*
        from customers t, generate_series(1, 4000) n where t.assigned_to is not null;
        insert into inquiries select (jsonb_populate_record(t, jsonb_build_object(
            'id', gen_random_uuid(), 'subject', 's' || n, 'search', 'w' || n, 'priority', n % 4,
            'created_at', t.created_at - n * interval '1 minute',
            'updated_at', t.updated_at - n % 97 * interval '1 minute', 'category', 'k' || n % 50,
            'customer_id', (array(select id from customers))[1 + n],
            'assigned_to', (array(select id from users where role = 'cso'))[1 + n % 20],
            'channel', 'h' || n % 50, 'status', case n % 2 when 0 then 'closed' else 'responded' end))).*
        from inquiries t, generate_series(1, 4000) n;
        insert into responses select (jsonb_populate_record(t, jsonb_build_object(
            'id', gen_random_uuid(), 'created_at', t.created_at - n * interval '1 minute',
            'updated_at', t.updated_at - n % 97 * interval '1 minute',
            'inquiry_id', (array(select id from inquiries))[1 + n],
            'responded_by', (array(select id from users where role = 'cso'))[1 + n % 20],
            'status', (array['draft', 'pending_approval', 'approved', 'rejected', 'sent', 'delivery_failed'])[1 + n % 6]
            ))).*
        from responses t, generate_series(1, 4000) n;
        update responses set submitted_at = created_at, decided_at = created_at + interval '1 hour'
        where status not in ('draft', 'pending_approval');
        insert into messages (id, created_at, inquiry_id, direction, message, author_id)
        select gen_random_uuid(), created_at, id, case when assigned_to is null then 'inbound' else 'outbound' end,
            'm', assigned_to from inquiries;
        insert into first_responses
        select id, created_at, created_at + interval '1 hour', assigned_to from inquiries on conflict do nothing;
        analyze";
    sqlx::raw_sql(COPIES).execute(pool).await.unwrap();
}

/// The rest is small, and would be read whole if that were not forbidden.
async fn explained_by_postgres(pool: &PgPool, sql: &str, in_order: bool) -> String {
    let mut connection = pool.acquire().await.unwrap();
    let sort = if in_order { "off" } else { "on" };
    let parameters = (1..).take_while(|number| sql.contains(&format!("${number}"))).count();
    let nulls = vec!["null"; parameters].join(", ");
    let arguments = if parameters == 0 { String::new() } else { format!("({nulls})") };
    let script = format!(
        "set enable_seqscan = off; set enable_sort = {sort}; set plan_cache_mode = force_generic_plan; \
         prepare asked as {sql}"
    );
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await.unwrap();
    let explain = sqlx::raw_sql(AssertSqlSafe(format!("explain execute asked{arguments}")));
    let rows = explain.fetch_all(&mut *connection).await.unwrap();
    sqlx::raw_sql("deallocate asked; reset all").execute(&mut *connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}
