//! The console as a browser without scripts has it: pages, forms, and the cookie they go with.

mod second_factor;
pub mod visitor;

use nexus_actors::domain::user::Role;
use reqwest::{Method, header};
use serde_json::json;

use visitor::{COOKIE, Visitor, posted, reply_to};

use crate::harness::{PASSWORD, TestHub, id_of, on_both_engines, reply};

on_both_engines!(
    a_session_is_in_a_cookie_that_scripts_and_other_sites_do_not_get,
    a_form_of_another_site_changes_nothing,
    a_page_allows_nothing_but_the_hubs_own,
    nobody_is_shown_what_their_role_may_not_see,
    a_decision_is_on_what_was_read,
    an_approval_after_the_customer_has_written_again_says_that_it_was_read,
    a_page_that_sends_twice_makes_one_draft,
    lists_are_exported_as_they_are_filtered,
    pages_are_in_the_language_and_the_zone_of_their_reader,
    what_is_not_there_is_a_page_for_browsers_and_a_problem_for_programs,
);

on_both_engines!(with FEW_FAILURES; sign_ins_are_limited_as_the_apis_are);

const FEW_FAILURES: &[(&str, &str)] = &[("NEXUS__RATE_LIMIT__LOGIN_FAILURES", "3")];

async fn a_session_is_in_a_cookie_that_scripts_and_other_sites_do_not_get(hub: &TestHub) {
    let manager = hub.manager().await;
    let form = [("email", manager.email.as_str()), ("password", PASSWORD), ("next", "/approvals?x=1")];
    let answer = posted(&hub.anonymous(), "//sign-in", &form, &[]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/approvals?x=1"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with(&format!("{COOKIE}=")), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{attribute}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");

    // It opens the console and nothing else.
    let value = cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
    hub.anonymous().with_token(&value).get("/auth/profile").await.problem(401);
    let with_cookie =
        hub.anonymous().raw(Method::GET, "/auth/profile").header("cookie", format!("{COOKIE}={value}"));
    reply(with_cookie).await.problem(401);
    // Nor does an access token open the console.
    let with_token =
        hub.anonymous().raw(Method::GET, "//approvals").bearer_auth(manager.token.as_ref().unwrap());
    assert_eq!(reply_to(with_token).await.status, 303);

    let visitor = Visitor::sign_in(hub, &manager.email).await;
    assert_eq!(visitor.get("/approvals").await.status, 200);
    let out = visitor.send("/sign-out", &[]).await;
    assert_eq!((out.status, out.header("location")), (303, "/sign-in"));
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.header("set-cookie"));
    let after = visitor.get("/approvals").await;
    assert_eq!((after.status, after.header("location")), (303, "/sign-in?next=%2Fapprovals"));

    for (email, password) in [(manager.email.as_str(), "wrong"), ("nobody@example.com", PASSWORD)] {
        let form = [("email", email), ("password", password)];
        let answer = posted(&hub.anonymous(), "//sign-in", &form, &[]).await;
        assert_eq!(answer.status, 401);
        assert!(answer.text.contains("Email or password is wrong."), "{}", answer.text);
        assert!(answer.header("set-cookie").is_empty());
    }
    for elsewhere in ["https://example.com/", "//example.com", "/\\example.com"] {
        let form = [("email", manager.email.as_str()), ("password", PASSWORD), ("next", elsewhere)];
        assert_eq!(posted(&hub.anonymous(), "//sign-in", &form, &[]).await.header("location"), "/");
    }
}

async fn a_form_of_another_site_changes_nothing(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let draft = hub.draft(&cso, &admin).await;
    let path = format!("/responses/{}", id_of(&draft));
    cso.act(&format!("{path}/submit")).await.expect(200);
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let other = Visitor::sign_in(hub, &manager.email).await;
    let approve = format!("//approvals/{}/approve", id_of(&draft));
    let form = [("revision", "1"), ("form-token", visitor.token.as_str())];
    let cookie = ("cookie", visitor.cookies.as_str());
    for headers in [
        [cookie, ("sec-fetch-site", "cross-site")],
        [cookie, ("sec-fetch-site", "same-site")],
        [cookie, ("origin", "https://example.com")],
        [cookie, ("origin", "null")],
    ] {
        assert_eq!(posted(&visitor.client, &approve, &form, &headers).await.status, 403, "{headers:?}");
    }
    for token in ["", "guessed", other.token.as_str()] {
        let form = [("revision", "1"), ("form-token", token)];
        let answer =
            posted(&visitor.client, &approve, &form, &[cookie, ("sec-fetch-site", "same-origin")]).await;
        assert_eq!(answer.status, 403, "{token}");
    }
    let elsewhere = [("sec-fetch-site", "cross-site")];
    let sign_in = [("email", manager.email.as_str()), ("password", PASSWORD)];
    assert_eq!(posted(&hub.anonymous(), "//sign-in", &sign_in, &elsewhere).await.status, 403);
    assert_eq!(admin.get(&path).await.expect(200)["status"], "pending_approval");
    assert_eq!(visitor.send(&approve[1..], &[("revision", "1")]).await.status, 303);
    assert_eq!(admin.get(&path).await.expect(200)["status"], "approved");
}

async fn a_page_allows_nothing_but_the_hubs_own(hub: &TestHub) {
    let manager = hub.manager().await;
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    for path in ["/approvals", "/nowhere", "/account"] {
        let page = visitor.get_with(path, &[("accept", "text/html")]).await;
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert!(!page.text.contains(" style=") && !page.text.contains("<style"), "{path}");
        assert!(!page.text.contains(" onclick") && !page.text.contains("javascript:"), "{path}");
        let mut scripts = page.text.match_indices("<script").map(|(at, _)| &page.text[at..]);
        assert!(scripts.all(|script| script.starts_with("<script src=\"/assets/")), "{path}");
    }
    let page = visitor.get("/approvals").await.text;
    for link in page.match_indices("/assets/").map(|(at, _)| page[at..].split('"').next().unwrap()) {
        let asset = visitor.get(link).await;
        assert_eq!(asset.status, 200, "{link}");
        assert!(asset.header("cache-control").contains("immutable"), "{link}");
    }
    assert_eq!(visitor.get("/assets/nothing.js").await.status, 404);
}

async fn nobody_is_shown_what_their_role_may_not_see(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let colleague = hub.cso().await;
    let draft = hub.draft(&cso, &admin).await;
    let inquiry = format!("/inquiries/{}", draft["inquiryId"].as_str().unwrap());
    let customer = admin.get(&inquiry).await.expect(200)["customerId"].as_str().unwrap().to_owned();
    let visitor = Visitor::sign_in(hub, &colleague.email).await;
    for path in [
        "/approvals",
        "/team",
        "/users",
        "/api-keys",
        "/webhooks",
        "/dead-letters",
        "/policies",
        "/audit",
        "/system",
    ] {
        assert_eq!(visitor.get(path).await.status, 403, "{path}");
    }
    assert_eq!(visitor.get(&format!("/customers/{customer}")).await.status, 404);
    // The inquiry is for all CSOs, its customer's record and the colleague's draft are not.
    let page = visitor.get(&inquiry).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("their record is not shown"), "{}", page.text);
    assert!(!page.text.contains("It ships tomorrow.") && !page.text.contains("Lovelace"), "{}", page.text);
    let stranger = visitor.send(&format!("/replies/{}/submit", id_of(&draft)), &[]).await;
    assert_eq!(stranger.status, 404);

    let manager = hub.user(Role::Manager).await;
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    assert_eq!(visitor.send(&format!("{inquiry}/reply"), &[("message", "Mine.")]).await.status, 403);
    assert!(visitor.get(&inquiry).await.text.contains("It ships tomorrow."));
}

async fn a_decision_is_on_what_was_read(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let (one, two) = (hub.manager().await, hub.manager().await);
    let (first, second) = (Visitor::sign_in(hub, &one.email).await, Visitor::sign_in(hub, &two.email).await);
    let draft = hub.draft(&cso, &admin).await;
    let response = format!("/responses/{}", id_of(&draft));
    let page = format!("/approvals/{}", id_of(&draft));
    cso.act(&format!("{response}/submit")).await.expect(200);
    let (approve, reject) = (format!("{page}/approve"), format!("{page}/reject"));

    let without_notes = first.send(&reject, &[("revision", "1"), ("notes", "")]).await;
    assert_eq!(without_notes.status, 422, "{}", without_notes.text);
    assert_eq!(first.send(&approve, &[]).await.status, 422, "no revision");
    cso.act(&format!("{response}/withdraw")).await.expect(200);
    cso.put(&response, json!({"message": "It ships on <Monday>."})).await.expect(200);
    cso.act(&format!("{response}/submit")).await.expect(200);
    for (action, form) in
        [(&approve, vec![("revision", "1")]), (&reject, vec![("revision", "1"), ("notes", "Too vague.")])]
    {
        let late = first.send(action, &form).await;
        assert_eq!(late.status, 409, "{}", late.text);
        assert!(late.text.contains("The text has changed since you opened it."), "{}", late.text);
        assert!(late.text.contains("It ships on &lt;Monday&gt;."), "{}", late.text);
    }

    let done = first.send(&approve, &[("revision", "2")]).await;
    assert_eq!((done.status, done.header("location")), (303, "/approvals?done=approved"));
    let late = second.send(&reject, &[("revision", "2"), ("notes", "No.")]).await;
    assert_eq!(late.status, 409);
    assert!(late.text.contains("Your decision was not taken: Test User approved it first."), "{}", late.text);
    let mine = Visitor::sign_in(hub, &admin.email).await.get(&page).await;
    assert!(mine.text.contains("It does not wait for a decision any more."), "{}", mine.text);
    assert_eq!(admin.get(&response).await.expect(200)["status"], "approved");
}

async fn an_approval_after_the_customer_has_written_again_says_that_it_was_read(hub: &TestHub) {
    let (admin, cso, manager) = (hub.admin().await, hub.cso().await, hub.manager().await);
    let writes = async |message: &str| {
        let letter = json!({"threadId": "t1", "customer": {"email": "ada@example.com"}, "message": message});
        admin.post("/inbound/email", letter).await.json()["inquiryId"].as_str().unwrap().to_owned()
    };
    let draft = json!({"inquiryId": writes("Where is it?").await, "message": "It ships tomorrow."});
    let draft = cso.post("/responses", draft).await.expect(201);
    let response = format!("/responses/{}", id_of(&draft));
    cso.act(&format!("{response}/submit")).await.expect(200);
    writes("Never mind, it came.").await;
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let page = format!("/approvals/{}", id_of(&draft));
    let approve = format!("{page}/approve");
    let shown = visitor.get(&page).await.text;
    assert!(
        shown.contains("Never mind, it came.") && shown.contains("name=\"acknowledge-stale\""),
        "{shown}"
    );
    let late = visitor.send(&approve, &[("revision", "1")]).await;
    assert_eq!(late.status, 409);
    assert!(
        late.text.contains("The customer has written again. Your approval was not taken"),
        "{}",
        late.text
    );
    let read = visitor.send(&approve, &[("revision", "1"), ("acknowledge-stale", "on")]).await;
    assert_eq!(read.status, 303, "{}", read.text);
    assert_eq!(admin.get(&response).await.expect(200)["status"], "approved");
}

async fn a_page_that_sends_twice_makes_one_draft(hub: &TestHub) {
    let (admin, cso) = (hub.admin().await, hub.cso().await);
    let inquiry = hub.inquiry(&admin).await;
    let reply = format!("/inquiries/{}/reply", id_of(&inquiry));
    let visitor = Visitor::sign_in(hub, &cso.email).await;
    let form = |message| [("message", message), ("page", "one"), ("then", "save")];
    let ships = form("It ships.");
    let (one, two) = futures_util::join!(visitor.send(&reply, &ships), visitor.send(&reply, &ships));
    assert_eq!((one.status, two.status), (303, 303), "{}{}", one.text, two.text);
    // Browsers end lines in CR and LF; nobody typed that.
    let submit = [("message", "It ships\r\ntomorrow."), ("page", "one"), ("then", "submit")];
    assert_eq!(visitor.send(&reply, &submit).await.status, 303);
    let found = cso.get("/responses").await.expect(200);
    assert_eq!(found["meta"]["total"], 1);
    assert_eq!(found["data"][0]["message"], "It ships\ntomorrow.");
    assert_eq!(found["data"][0]["status"], "pending_approval");
    assert_eq!(visitor.send(&reply, &form("")).await.status, 422);

    // What is kept by itself may come at the same moment as what is submitted.
    for number in 0..20 {
        let inquiry = hub.inquiry(&admin).await;
        let reply = format!("/inquiries/{}/reply", id_of(&inquiry));
        let text = format!("It ships on day {number}.");
        let submit = [("message", text.as_str()), ("page", "one"), ("then", "submit")];
        assert_eq!(visitor.send(&reply, &form("It ships")).await.status, 303);
        let half = form("It ships on d");
        let (_, submitted) = futures_util::join!(visitor.send(&reply, &half), visitor.send(&reply, &submit));
        assert_eq!(submitted.status, 303, "{}", submitted.text);
        let found = cso.get(&format!("/responses?inquiryId={}", id_of(&inquiry))).await.expect(200);
        assert_eq!(found["meta"]["total"], 1);
        assert_eq!(found["data"][0]["message"], text);
        assert_eq!(found["data"][0]["status"], "pending_approval");
    }

    // One who is not signed in any more keeps the text through the sign-in.
    cso.post("/auth/logout", json!({"all": true})).await;
    let refused = visitor.send(&reply, &form("Kept & carried.")).await;
    assert_eq!(refused.status, 401);
    assert!(refused.text.contains("value=\"Kept &amp; carried.\""), "{}", refused.text);
    let sign_in = [
        ("email", cso.email.as_str()),
        ("password", PASSWORD),
        ("kept", "Kept & carried."),
        ("kept-for", reply.as_str()),
    ];
    let resumed = posted(&hub.anonymous(), "//sign-in", &sign_in, &[]).await;
    assert_eq!(resumed.status, 200);
    assert!(resumed.text.contains(&format!("action=\"{reply}\"")), "{}", resumed.text);
    assert!(resumed.text.contains("\nKept &amp; carried.</textarea>"), "{}", resumed.text);
}

async fn lists_are_exported_as_they_are_filtered(hub: &TestHub) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    for number in 0..130 {
        let customer = json!({"firstName": "=Ada", "lastName": format!("N{number:03}"),
            "email": format!("n{number}@example.com"), "company": if number < 105 { "Engines" } else { "Looms" }});
        admin.post("/customers", customer).await.expect(201);
    }
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let page = visitor.get("/customers?q=engines&status=").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("/customers.csv?q=engines"), "{}", page.text);
    assert!(page.text.contains("Page 1 of 6"), "{}", page.text);
    let file = visitor.get("/customers.csv?q=engines&sortBy=lastName&sortOrder=asc").await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert!(file.header("content-disposition").contains("customers.csv"));
    let lines: Vec<_> = file.text.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 106);
    assert!(lines[0].starts_with("id,createdAt,firstName,lastName,email"), "{}", lines[0]);
    assert!(lines[1].contains(",'=Ada,N000,") && lines[105].contains(",N104,"), "{lines:?}");
    assert_eq!(visitor.get("/customers?sortBy=nonsense").await.status, 422);
    for list in ["/inquiries.csv", "/replies.csv", "/replies.csv?status=pending_approval", "/team.csv"] {
        assert_eq!(visitor.get(list).await.status, 200, "{list}");
    }
}

async fn pages_are_in_the_language_and_the_zone_of_their_reader(hub: &TestHub) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let inquiry = hub.inquiry(&admin).await;
    let page = format!("/inquiries/{}", id_of(&inquiry));
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let german = visitor.get_with(&page, &[("accept-language", "fr, de-AT;q=0.8, en;q=0.5")]).await.text;
    assert!(german.contains("<html lang=\"de\"") && german.contains("Gespräch"), "{german}");
    let english = visitor.get_with(&page, &[("accept-language", "fr")]).await.text;
    assert!(english.contains("<html lang=\"en\"") && english.contains("2100-06-01 08:00"), "{english}");
    let form = [("language", "de"), ("zone", "Asia/Kolkata"), ("theme", "dark")];
    let set = visitor.send("/account/preferences", &form).await;
    assert_eq!(set.status, 303, "{}", set.text);
    let kept: Vec<_> = set
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned())
        .collect();
    let visitor = visitor.with(&kept.join("; "));
    let page = visitor.get_with(&page, &[("accept-language", "en")]).await.text;
    assert!(page.contains("lang=\"de\"") && page.contains("data-theme=\"dark\""), "{page}");
    assert!(page.contains("2100-06-01 13:30"), "{page}");
    assert!(!page.contains("data-shortcuts"), "{page}");
    for wrong in [("language", "xx"), ("zone", "Nowhere/At_All"), ("theme", "pink")] {
        let mut form = vec![("language", "de"), ("zone", "auto"), ("theme", "dark")];
        form.retain(|(name, _)| *name != wrong.0);
        form.push(wrong);
        assert_eq!(visitor.send("/account/preferences", &form).await.status, 422, "{wrong:?}");
    }
}

async fn what_is_not_there_is_a_page_for_browsers_and_a_problem_for_programs(hub: &TestHub) {
    let manager = hub.manager().await;
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let page = visitor.get_with("/nowhere", &[("accept", "text/html,*/*")]).await;
    assert_eq!(page.status, 404);
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.text);
    assert!(page.text.contains("There is nothing here"), "{}", page.text);
    hub.anonymous().get("//nowhere").await.problem(404);
    let id = "01890000-0000-7002-8000-000000000000";
    for path in [format!("/inquiries/{id}"), format!("/customers/{id}"), format!("/approvals/{id}")] {
        let page = visitor.get(&path).await;
        assert_eq!(page.status, 404, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
    }
    assert_eq!(visitor.get("/inquiries/nonsense").await.status, 400);
    assert_eq!(visitor.send("/approvals", &[]).await.status, 405);
    let part = visitor.get_with("/approvals", &[("hx-request", "true")]).await;
    assert_eq!(part.status, 200);
    assert!(!part.text.contains("<html"), "{}", part.text);
}

async fn sign_ins_are_limited_as_the_apis_are(hub: &TestHub) {
    let cso = hub.cso().await;
    let wrong = [("email", cso.email.as_str()), ("password", "not it")];
    for _ in 0..3 {
        assert_eq!(posted(&hub.anonymous(), "//sign-in", &wrong, &[]).await.status, 401);
    }
    let limited = posted(&hub.anonymous(), "//sign-in", &wrong, &[]).await;
    assert_eq!(limited.status, 429);
    assert!(limited.text.contains("Too many sign-ins"), "{}", limited.text);
    hub.anonymous().post("/auth/login", json!({"email": cso.email, "password": PASSWORD})).await.problem(429);
}
