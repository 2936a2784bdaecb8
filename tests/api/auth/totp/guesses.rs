//! Codes that are guessed at: as slow as passwords.

use super::*;

const FIVE: (&str, &str) = ("NEXUS__RATE_LIMIT__LOGIN_FAILURES", "5");
const TWENTY: (&str, &str) = ("NEXUS__RATE_LIMIT__LOGIN_FAILURES_BY_ADDRESS", "20");
const LIMITED: &[(&str, &str)] = &[FIVE, TWENTY];

on_both_engines!(with LIMITED;
    wrong_codes_are_failures_of_the_account_and_of_the_address,
    a_sign_in_without_its_code_is_no_failure,
    a_session_gets_no_further_by_guessing,
);

async fn wrong_codes_are_failures_of_the_account_and_of_the_address(hub: &TestHub) {
    let (ada, app, _) = ada(hub).await;
    for _ in 0..5 {
        code_needed(try_with(hub, "ada@example.com", &app.shows_not(hub)).await);
    }
    let locked = try_with(hub, "ada@example.com", &app.shows(hub, 1)).await;
    locked.problem(429);
    assert_eq!(locked.header("retry-after"), "30");
    // Who is signed in is not bothered.
    ada.get("/auth/profile").await.expect(200);
    hub.clock.advance(STEP);
    code_needed(try_with(hub, "ada@example.com", &app.shows_not(hub)).await);
    try_with(hub, "ada@example.com", &app.shows(hub, 0)).await.problem(429);
    hub.clock.advance(2 * STEP);
    try_with(hub, "ada@example.com", &app.shows(hub, 0)).await.expect(200);

    for number in 0..14 {
        refused(try_sign_in(hub, &format!("nobody-{number}@example.com"), PASSWORD).await);
    }
    try_with(hub, "ada@example.com", &app.shows(hub, 1)).await.problem(429);
}

async fn a_sign_in_without_its_code_is_no_failure(hub: &TestHub) {
    let (_, app, _) = ada(hub).await;
    for _ in 0..4 {
        code_needed(try_with(hub, "ada@example.com", &app.shows_not(hub)).await);
    }
    for _ in 0..30 {
        code_needed(try_sign_in(hub, "ada@example.com", PASSWORD).await);
    }
    // Nor does it make up for one.
    code_needed(try_with(hub, "ada@example.com", &app.shows_not(hub)).await);
    try_with(hub, "ada@example.com", &app.shows(hub, 1)).await.problem(429);
}

async fn a_session_gets_no_further_by_guessing(hub: &TestHub) {
    let (ada, app, codes) = ada(hub).await;
    let disable = async |code: &str| {
        ada.post("/auth/totp/disable", json!({"currentPassword": PASSWORD, "code": code})).await
    };
    // What is right does not count.
    for code in &codes[..6] {
        begin(&ada, Some(code)).await.expect(200);
    }
    let wrong = app.shows_not(hub);
    let answers = join_all((0..12).map(|_| disable(&wrong))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(422), count(429)), (5, 7));
    disable(&app.shows(hub, 1)).await.problem(429);
    begin(&ada, Some(&codes[6])).await.problem(429);
    // Signing in is another matter.
    try_with(hub, "ada@example.com", &app.shows(hub, 1)).await.expect(200);
}
