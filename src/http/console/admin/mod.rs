//! Pages of administration: who and what may use the hub, what it tells others, and how it fares.

mod api_keys;
mod attempts;
mod audit;
mod dead_letters;
mod policies;
mod system;
mod user;
mod users;
mod webhook;
mod webhooks;

use actix_web::http::StatusCode;
use actix_web::{ResponseError, web};
use maud::{Markup, html};
use nexus_actors::HubError;

use super::prefs::Prefs;
use super::visitor::Visitor;
use super::{parts, refusal};
use crate::http::problem::HttpError;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(users::routes)
        .configure(user::routes)
        .configure(api_keys::routes)
        .configure(webhooks::routes)
        .configure(attempts::routes)
        .configure(webhook::routes)
        .configure(dead_letters::routes)
        .configure(policies::routes)
        .configure(audit::routes)
        .configure(system::routes);
}

/// Why a form has not done what it was for, to be shown with it. `Err` for what has nothing to do with the form.
fn refusal(prefs: &Prefs, error: HttpError) -> Result<(StatusCode, Markup), HttpError> {
    match &error {
        HttpError::Hub(
            HubError::Invalid(_)
            | HubError::Taken { .. }
            | HubError::Stale { .. }
            | HubError::StillRefused { .. }
            | HubError::AlreadySettled(_)
            | HubError::Conflict(_)
            | HubError::Contended,
        ) => Ok((error.status_code(), refusal::told(prefs, error.status_code(), Some(&error)))),
        _ => Err(error),
    }
}

/// Yes, no, or any.
fn any_or_flag(prefs: &Prefs) -> Vec<(String, String)> {
    parts::any_or(prefs, &[true, false], |flag| format!("flag-{flag}"))
}

/// A button that has to be uncovered first: for what cannot be taken back. `version`: of what it is meant for.
fn confirmed(visitor: &Visitor, action: &str, label: &str, warning: &str, version: Option<i64>) -> Markup {
    html! {
        details {
            summary { (label) }
            (parts::form(visitor, action, html! {
                @if let Some(version) = version { input type="hidden" name="version" value=(version); }
                p { (warning) }
                button.danger { (label) }
            }))
        }
    }
}

/// A secret, in the one answer that has it.
fn shown_once(prefs: &Prefs, what: &str, secret: &str) -> Markup {
    html! {
        section.notice.warn role="status" {
            p { strong { (what) } " " (prefs.t("shown-once")) }
            pre tabindex="0" role="region" aria-label=(what) { (secret) }
        }
    }
}
