//! Which origins browsers may call from, by `CORS_ORIGIN`.

use reqwest::Method;

use crate::harness::{Client, Reply, TestHub, on_both_engines};

on_both_engines!(without_a_setting_no_foreign_origin_may_read);
on_both_engines!(with ORIGINS; listed_origins_may_read_with_credentials_and_others_not_at_all);
on_both_engines!(with ANY_ORIGIN; any_origin_may_read_but_without_credentials);
on_both_engines!(with ANY_AND_ONE; a_wildcard_beside_an_origin_still_gives_no_stranger_credentials);

const ORIGINS: &[(&str, &str)] = &[("CORS_ORIGIN", "https://app.example, https://admin.example:8443")];
const ANY_ORIGIN: &[(&str, &str)] = &[("CORS_ORIGIN", "*")];
const ANY_AND_ONE: &[(&str, &str)] = &[("CORS_ORIGIN", "*,https://app.example")];

async fn from_origin(client: &Client, path: &str, origin: &str) -> Reply {
    client.send(Method::GET, path, None, &[("Origin", origin)]).await
}

async fn preflight(hub: &TestHub, origin: &str) -> Reply {
    let asked = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "PATCH"),
        (
            "Access-Control-Request-Headers",
            "authorization, content-type, if-match, idempotency-key, x-request-id",
        ),
    ];
    hub.anonymous().send(Method::OPTIONS, "/users/1", None, &asked).await
}

async fn without_a_setting_no_foreign_origin_may_read(hub: &TestHub) {
    let admin = hub.admin().await;
    for answer in [
        from_origin(&admin, "/customers", "https://app.example").await,
        from_origin(&admin, "/customers", "null").await,
        preflight(hub, "https://app.example").await,
    ] {
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
}

async fn listed_origins_may_read_with_credentials_and_others_not_at_all(hub: &TestHub) {
    let admin = hub.admin().await;
    for origin in ["https://app.example", "https://admin.example:8443"] {
        for (path, status) in [("/customers", 200), ("/nonsense", 404), ("/customers?page=0", 422)] {
            let answer = from_origin(&admin, path, origin).await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, origin));
            assert_eq!(answer.header("access-control-allow-credentials"), "true");
            assert!(answer.header("vary").to_lowercase().contains("origin"));
            let exposed = answer.header("access-control-expose-headers").to_lowercase();
            assert!(
                ["etag", "x-request-id", "ratelimit-remaining"].iter().all(|one| exposed.contains(one)),
                "{exposed}"
            );
        }
        let asked = preflight(hub, origin).await;
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (200, origin));
        assert!(asked.header("access-control-allow-methods").contains("PATCH"));
        assert!(asked.header("access-control-allow-headers").to_lowercase().contains("if-match"));
    }
    for origin in ["https://evil.example", "http://app.example", "https://app.example.evil.example", "null"] {
        for answer in [from_origin(&admin, "/customers", origin).await, preflight(hub, origin).await] {
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
        }
    }
}

async fn any_origin_may_read_but_without_credentials(hub: &TestHub) {
    let admin = hub.admin().await;
    for origin in ["https://app.example", "https://evil.example"] {
        for answer in [from_origin(&admin, "/customers", origin).await, preflight(hub, origin).await] {
            assert!(["*", origin].contains(&answer.header("access-control-allow-origin")));
            assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        }
    }
}

async fn a_wildcard_beside_an_origin_still_gives_no_stranger_credentials(hub: &TestHub) {
    let admin = hub.admin().await;
    for answer in [
        from_origin(&admin, "/customers", "https://evil.example").await,
        preflight(hub, "https://evil.example").await,
    ] {
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
}
