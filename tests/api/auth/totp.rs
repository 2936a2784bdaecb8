//! A second factor: set up, asked for, used once, lost, and taken off.

mod enrolment;
mod guesses;
mod keeping;

use std::time::Duration;

use futures_util::future::join_all;
use nexus_actors::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Session, pointers, refused, sign_in, try_refresh, try_sign_in};
use crate::harness::{Client, Engine, PASSWORD, Reply, TestHub, on_both_engines, run_instances};

on_both_engines!(
    a_code_is_asked_for_once_an_authenticator_is_confirmed,
    only_who_has_the_password_learns_that_it_takes_a_code,
    a_code_is_accepted_once_and_none_before_it_after_it,
    a_code_is_accepted_a_step_early_and_a_step_late,
    a_recovery_code_stands_in_once_and_of_fifty_at_once_one_gets_in,
    new_recovery_codes_take_the_place_of_those_before,
    another_authenticator_takes_the_place_of_the_one_before,
    taking_it_off_takes_the_password_and_a_code,
    an_admin_takes_it_off_who_has_lost_it,
);

pub const STEP: Duration = Duration::from_secs(30);

/// An authenticator app.
pub struct App(totp_rs::Totp);

impl App {
    pub fn scanning(answer: &Value) -> Self {
        Self(totp_rs::Totp::from_url(answer["uri"].as_str().unwrap()).unwrap())
    }

    /// What it shows, `ahead` steps from the hub's time.
    pub fn shows(&self, hub: &TestHub, ahead: i64) -> String {
        let seconds = hub.clock.now().millis() / 1000 + ahead * 30;
        self.0.generate(seconds.try_into().unwrap()).to_string()
    }

    /// Six digits that it shows at none of the times that count.
    pub fn shows_not(&self, hub: &TestHub) -> String {
        let shown: Vec<_> = (-1..=1).map(|ahead| self.shows(hub, ahead)).collect();
        (0..4).map(|number| format!("{number:06}")).find(|code| !shown.contains(code)).unwrap()
    }

    /// What it shows once what it showed before is past.
    pub async fn shows_next(&self, hub: &TestHub) -> String {
        hub.clock.advance(STEP);
        self.shows(hub, 0)
    }
}

/// Sets up a second factor, and answers with the app and the recovery codes. The code shown now is spent by it.
pub async fn enrol(hub: &TestHub, user: &Client) -> (App, Vec<String>) {
    let app = App::scanning(&begin(user, None).await.expect(200));
    let codes = confirm(user, &app.shows(hub, 0)).await.expect(200);
    (app, recovery_codes(&codes))
}

async fn begin(user: &Client, code: Option<&str>) -> Reply {
    let mut body = json!({"currentPassword": PASSWORD});
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    user.post("/auth/totp", body).await
}

async fn confirm(user: &Client, code: &str) -> Reply {
    user.post("/auth/totp/confirm", json!({"code": code})).await
}

fn recovery_codes(answer: &Value) -> Vec<String> {
    let codes = answer["recoveryCodes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

async fn try_with(hub: &TestHub, email: &str, code: &str) -> Reply {
    let body = json!({"email": email, "password": PASSWORD, "code": code});
    hub.anonymous().post("/auth/login", body).await
}

/// A user and their app.
async fn ada(hub: &TestHub) -> (Client, App, Vec<String>) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    let ada = hub.sign_in("ada@example.com", PASSWORD).await;
    let (app, codes) = enrol(hub, &ada).await;
    (ada, app, codes)
}

/// The password was right, and the code is missing or wrong.
#[track_caller]
fn code_needed(reply: Reply) {
    let problem = refused(reply);
    assert_eq!(problem["type"], "urn:nexus-hub:problem:second-factor-required", "{problem}");
}

#[track_caller]
fn never_stored(reply: Reply) -> Value {
    assert_eq!(reply.header("cache-control"), "no-store");
    reply.expect(200)
}

async fn state(user: &Client) -> Value {
    user.get("/auth/totp").await.expect(200)
}

async fn a_code_is_asked_for_once_an_authenticator_is_confirmed(hub: &TestHub) {
    hub.make_user(Role::Cso, "ada@example.com").await;
    let ada = hub.sign_in("ada@example.com", PASSWORD).await;
    let elsewhere = sign_in(hub, "ada@example.com").await;
    assert_eq!(confirm(&ada, "123456").await.problem(409)["title"], "The current state does not allow this");
    let wrong = json!({"currentPassword": "is it this one?"});
    assert_eq!(pointers(ada.post("/auth/totp", wrong).await), ["/currentPassword"]);

    let app = App::scanning(&never_stored(begin(&ada, None).await));
    let none = json!({"enabled": false, "required": false, "recoveryCodesLeft": 0});
    assert_eq!(state(&ada).await, none);
    try_sign_in(hub, "ada@example.com", PASSWORD).await.expect(200);
    assert_eq!(pointers(confirm(&ada, &app.shows_not(hub)).await), ["/code"]);
    assert_eq!(pointers(confirm(&ada, "abcd-efgh-ijkl-mnop").await), ["/code"]);
    assert!(elsewhere.lives().await);

    let codes = recovery_codes(&never_stored(confirm(&ada, &app.shows(hub, 0)).await));
    assert_eq!(codes.len(), 10);
    assert_eq!(state(&ada).await, json!({"enabled": true, "required": false, "recoveryCodesLeft": 10}));
    let profile = ada.get("/auth/profile").await.expect(200);
    assert_eq!((&profile["totpEnabled"], &profile["version"]), (&json!(true), &json!(2)));
    assert!(!elsewhere.lives().await, "sessions that began without a code end");
    confirm(&ada, &app.shows(hub, 0)).await.problem(409);

    code_needed(try_sign_in(hub, "ada@example.com", PASSWORD).await);
    code_needed(try_with(hub, "ada@example.com", &app.shows_not(hub)).await);
    code_needed(try_with(hub, "ada@example.com", "what it shows").await);
    let answer = never_stored(try_with(hub, "ada@example.com", &app.shows_next(hub).await).await);
    assert_eq!(answer["user"], profile);
    let session = Session::of(hub, &answer);
    assert!(session.lives().await);
    try_refresh(hub, &session.refresh).await.expect(200);
}

async fn only_who_has_the_password_learns_that_it_takes_a_code(hub: &TestHub) {
    let (_, app, codes) = ada(hub).await;
    hub.clock.advance(STEP);
    let mut answers = Vec::new();
    for (email, code) in [
        ("ada@example.com", None),
        ("ada@example.com", Some(app.shows(hub, 0))),
        ("ada@example.com", Some(codes[0].clone())),
        ("nobody@example.com", None),
        ("nobody@example.com", Some(app.shows(hub, 0))),
    ] {
        let mut body = json!({"email": email, "password": "is it this one?"});
        if let Some(code) = code {
            body["code"] = json!(code);
        }
        let mut problem = refused(hub.anonymous().post("/auth/login", body).await);
        problem["requestId"].take();
        answers.push(problem);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert_eq!(answers[0]["type"], "urn:nexus-hub:problem:unauthenticated");
    // Nor was any of it spent.
    try_with(hub, "ada@example.com", &app.shows(hub, 0)).await.expect(200);
    try_with(hub, "ada@example.com", &codes[0]).await.expect(200);
}

async fn a_code_is_accepted_once_and_none_before_it_after_it(hub: &TestHub) {
    let (ada, app, _) = ada(hub).await;
    code_needed(try_with(hub, "ada@example.com", &app.shows(hub, 0)).await);
    let next = app.shows(hub, 1);
    try_with(hub, "ada@example.com", &next).await.expect(200);
    for ahead in [-1, 0, 1] {
        code_needed(try_with(hub, "ada@example.com", &app.shows(hub, ahead)).await);
    }
    hub.clock.advance(STEP);
    code_needed(try_with(hub, "ada@example.com", &next).await);
    // What opens one thing opens no other.
    let proof = json!({"currentPassword": PASSWORD, "code": next});
    assert_eq!(pointers(ada.post("/auth/totp/recovery-codes", proof).await), ["/code"]);
    let next = app.shows(hub, 1);
    let proof = json!({"currentPassword": PASSWORD, "code": next});
    ada.post("/auth/totp/recovery-codes", proof).await.expect(200);
    code_needed(try_with(hub, "ada@example.com", &next).await);
}

async fn a_code_is_accepted_a_step_early_and_a_step_late(hub: &TestHub) {
    let (_, app, _) = ada(hub).await;
    hub.clock.advance(2 * STEP);
    code_needed(try_with(hub, "ada@example.com", &app.shows(hub, 2)).await);
    code_needed(try_with(hub, "ada@example.com", &app.shows(hub, -2)).await);
    try_with(hub, "ada@example.com", &app.shows(hub, -1)).await.expect(200);
    try_with(hub, "ada@example.com", &app.shows(hub, 0)).await.expect(200);
    try_with(hub, "ada@example.com", &app.shows(hub, 1)).await.expect(200);
}

async fn a_recovery_code_stands_in_once_and_of_fifty_at_once_one_gets_in(hub: &TestHub) {
    let (ada, _, codes) = ada(hub).await;
    let typed = codes[0].to_uppercase().replace('-', " ");
    try_with(hub, "ada@example.com", &typed).await.expect(200);
    code_needed(try_with(hub, "ada@example.com", &codes[0]).await);
    assert_eq!(state(&ada).await["recoveryCodesLeft"], 9);

    let answers = join_all((0..50).map(|_| try_with(hub, "ada@example.com", &codes[1]))).await;
    let (in_, out): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((in_.len(), out.len()), (1, 49));
    out.into_iter().for_each(code_needed);
    assert_eq!(state(&ada).await["recoveryCodesLeft"], 8);
}

#[test]
fn of_sign_ins_with_one_code_on_two_instances_one_gets_in() {
    run_instances(Engine::Full, 2, &[], |hubs| {
        Box::pin(async move {
            let (_, app, codes) = ada(&hubs[0]).await;
            let next = app.shows(&hubs[0], 1);
            for code in [&next, &codes[0]] {
                let tries = (0..20).map(|turn| try_with(&hubs[turn % 2], "ada@example.com", code));
                let answers = join_all(tries).await;
                let (in_, out): (Vec<_>, Vec<_>) =
                    answers.into_iter().partition(|answer| answer.status == 200);
                assert_eq!((in_.len(), out.len()), (1, 19));
                out.into_iter().for_each(code_needed);
            }
        })
    });
}

async fn new_recovery_codes_take_the_place_of_those_before(hub: &TestHub) {
    let (ada, app, before) = ada(hub).await;
    let renew = async |password: &str, code: &str| {
        let proof = json!({"currentPassword": password, "code": code});
        ada.post("/auth/totp/recovery-codes", proof).await
    };
    let code = app.shows(hub, 1);
    assert_eq!(pointers(renew("is it this one?", &code).await), ["/currentPassword"]);
    assert_eq!(pointers(renew(PASSWORD, &app.shows_not(hub)).await), ["/code"]);
    let after = recovery_codes(&never_stored(renew(PASSWORD, &code).await));
    assert!(after.iter().all(|code| !before.contains(code)));
    code_needed(try_with(hub, "ada@example.com", &before[0]).await);
    try_with(hub, "ada@example.com", &after[0]).await.expect(200);
    // The app may be lost.
    let again = recovery_codes(&renew(PASSWORD, &after[1]).await.expect(200));
    try_with(hub, "ada@example.com", &again[0]).await.expect(200);
    assert_eq!(state(&ada).await["recoveryCodesLeft"], 9);
}

async fn another_authenticator_takes_the_place_of_the_one_before(hub: &TestHub) {
    let (ada, old, before) = ada(hub).await;
    assert_eq!(pointers(begin(&ada, None).await), ["/code"]);
    assert_eq!(pointers(begin(&ada, Some(&old.shows_not(hub))).await), ["/code"]);
    let new = App::scanning(&begin(&ada, Some(&before[0])).await.expect(200));
    try_with(hub, "ada@example.com", &old.shows_next(hub).await).await.expect(200);
    code_needed(try_with(hub, "ada@example.com", &new.shows(hub, 1)).await);
    let after = recovery_codes(&confirm(&ada, &new.shows(hub, 0)).await.expect(200));
    code_needed(try_with(hub, "ada@example.com", &old.shows(hub, 1)).await);
    code_needed(try_with(hub, "ada@example.com", &before[1]).await);
    try_with(hub, "ada@example.com", &new.shows(hub, 1)).await.expect(200);
    try_with(hub, "ada@example.com", &after[1]).await.expect(200);
}

async fn taking_it_off_takes_the_password_and_a_code(hub: &TestHub) {
    let (ada, app, codes) = ada(hub).await;
    let elsewhere = Session::of(hub, &try_with(hub, "ada@example.com", &codes[0]).await.expect(200));
    let disable = async |password: &str, code: &str| {
        ada.post("/auth/totp/disable", json!({"currentPassword": password, "code": code})).await
    };
    let code = app.shows(hub, 1);
    assert_eq!(pointers(disable("is it this one?", &code).await), ["/currentPassword"]);
    assert_eq!(pointers(disable(PASSWORD, &app.shows_not(hub)).await), ["/code"]);
    let body = Some(json!({"currentPassword": PASSWORD, "code": code}));
    let stale = ada.send(Method::POST, "/auth/totp/disable", body, &[("if-match", "\"1\"")]).await;
    stale.problem(412);
    let profile = disable(PASSWORD, &code).await.expect(200);
    assert_eq!((&profile["totpEnabled"], &profile["version"]), (&json!(false), &json!(3)));
    assert!(!elsewhere.lives().await);
    assert_eq!(ada.get("/auth/profile").await.expect(200), profile);
    assert_eq!(state(&ada).await["recoveryCodesLeft"], 0);
    disable(PASSWORD, &app.shows_next(hub).await).await.problem(409);
    try_sign_in(hub, "ada@example.com", PASSWORD).await.expect(200);
    // A code does no harm where none is needed.
    try_with(hub, "ada@example.com", &codes[1]).await.expect(200);
    enrol(hub, &ada).await;
}

async fn an_admin_takes_it_off_who_has_lost_it(hub: &TestHub) {
    let (ada, ..) = ada(hub).await;
    let admin = hub.admin().await;
    let path = format!("/users/{}/totp", ada.id);
    let stale = admin.send(Method::DELETE, &path, None, &[("if-match", "\"1\"")]).await;
    stale.problem(412);
    assert_eq!(admin.delete(&path).await.expect(204), Value::Null);
    refused(ada.get("/auth/profile").await);
    let again = hub.sign_in("ada@example.com", PASSWORD).await;
    assert_eq!(again.get("/auth/profile").await.expect(200)["totpEnabled"], false);
    admin.delete(&path).await.problem(409);

    enrol(hub, &admin).await;
    admin.delete(&format!("/users/{}/totp", admin.id)).await.problem(409);
    assert_eq!(state(&admin).await["enabled"], true);
}
