//! Whose role takes a second factor is led to it, sets it up in the console, and signs in with it.

use serde_json::json;

use super::visitor::{Visitor, between, posted};
use crate::auth::totp::App;
use crate::harness::{PASSWORD, TestHub, on_both_engines};

const FOR_MANAGERS: &[(&str, &str)] = &[("NEXUS__AUTH__TOTP_REQUIRED_FOR", "manager")];

on_both_engines!(with FOR_MANAGERS; a_second_factor_is_set_up_and_asked_for);

async fn a_second_factor_is_set_up_and_asked_for(hub: &TestHub) {
    const PAGE: &str = "/account/second-factor";
    let email = "miriam@example.com";
    hub.make_user(nexus_actors::domain::user::Role::Manager, email).await;
    let visitor = Visitor::sign_in_to(hub, email, PAGE).await;
    for elsewhere in ["/", "/approvals", "/account"] {
        let led = visitor.get(elsewhere).await;
        assert_eq!((led.status, led.header("location")), (303, PAGE), "{elsewhere}");
    }
    assert!(visitor.page(PAGE).await.contains("Your role takes a second factor."));
    let wrong = visitor.send(&format!("{PAGE}/begin"), &[("current-password", "not it")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let begun = visitor.send(&format!("{PAGE}/begin"), &[("current-password", PASSWORD)]).await;
    assert_eq!(begun.status, 200, "{}", begun.text);
    assert!(begun.text.contains("<svg"), "{}", begun.text);
    let uri = between(&begun.text, "name=\"uri\" value=\"", "\"").replace("&amp;", "&");
    let secret = between(&begun.text, "name=\"secret\" value=\"", "\"").to_owned();
    let app = App::scanning(&json!({"uri": uri}));
    let (mistaken, shown) = (app.shows_not(hub), app.shows(hub, 0));
    let form = |code| [("code", code), ("secret", secret.as_str()), ("uri", uri.as_str())];
    let mistyped = visitor.send(&format!("{PAGE}/confirm"), &form(&mistaken)).await;
    assert!(
        mistyped.text.contains("The code is wrong") && mistyped.text.contains(&secret),
        "{}",
        mistyped.text
    );
    let confirmed = visitor.send(&format!("{PAGE}/confirm"), &form(&shown)).await;
    assert!(confirmed.text.contains("They are not shown again."), "{}", confirmed.text);
    assert_eq!(visitor.get("/approvals").await.status, 200);

    let next = app.shows_next(hub).await;
    let mistaken = app.shows_not(hub);
    let form = |code| [("email", email), ("password", PASSWORD), ("code", code)];
    let without = posted(&hub.anonymous(), "//sign-in", &form("")[..2], &[]).await;
    assert_eq!(without.status, 401);
    assert!(without.text.contains("Your account takes a code as well."), "{}", without.text);
    let wrong = posted(&hub.anonymous(), "//sign-in", &form(&mistaken), &[]).await;
    assert!(wrong.text.contains("The code is wrong, or was used before."), "{}", wrong.text);
    let right = posted(&hub.anonymous(), "//sign-in", &form(&next), &[]).await;
    assert_eq!(right.status, 303, "{}", right.text);
}
