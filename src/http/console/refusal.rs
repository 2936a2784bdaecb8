//! What went wrong, in the reader's language.

use actix_web::http::StatusCode;
use maud::{Markup, html};
use nexus_actors::domain::dead_letter::AlreadySettled;
use nexus_actors::{Conflict, Forbidden, HubError};

use super::parts;
use super::prefs::Prefs;
use crate::http::problem::HttpError;

/// `error`: what answered with `status`, where it was the hub's own.
pub fn told(prefs: &Prefs, status: StatusCode, error: Option<&HttpError>) -> Markup {
    let errors = error.map(HttpError::field_errors).unwrap_or_default();
    if !errors.is_empty() {
        return parts::errors(prefs, &errors);
    }
    let text = match error {
        Some(HttpError::Hub(HubError::StillRefused { reason, error })) => {
            return html! {
                div.notice.bad role="alert" {
                    p { (prefs.t("still-refused")) " " (prefs.t(&format!("dead-reason-{reason}").replace('_', "-"))) }
                    // What a parser said of the message.
                    p lang="en" { (error) }
                }
            };
        }
        Some(HttpError::Hub(HubError::AlreadySettled(AlreadySettled(status)))) => {
            prefs.t(&format!("settled-{status}"))
        }
        Some(HttpError::Hub(HubError::Conflict(why))) => conflict(prefs, *why),
        Some(HttpError::Hub(HubError::Forbidden(Forbidden::OwnText))) => prefs.t("four-eyes"),
        Some(HttpError::Hub(HubError::InvalidTransition(_) | HubError::InvalidInquiryMove(_))) => {
            prefs.t("too-late")
        }
        Some(HttpError::ForeignSite) => prefs.t("foreign-site"),
        Some(HttpError::EarlierSignIn) => prefs.t("earlier-sign-in"),
        Some(HttpError::TooLarge) => prefs.t("too-large"),
        _ => {
            let usual = prefs.language.text_if_any(&format!("failure-{}", status.as_u16()));
            usual.unwrap_or_else(|| prefs.t("failure-other"))
        }
    };
    parts::alert(&text)
}

fn conflict(prefs: &Prefs, why: Conflict) -> String {
    match why {
        Conflict::ApprovedAlready => prefs.t("approved-already"),
        Conflict::CustomerDeleted => prefs.t("customer-deleted"),
        Conflict::WebhookDisabled => prefs.t("webhook-is-disabled"),
        Conflict::OwnAccount => prefs.t("own-account"),
        Conflict::OwnSecondFactor => prefs.t("own-second-factor"),
        Conflict::SecondFactorRequired => prefs.t("second-factor-needed"),
        Conflict::NoSecondFactor => prefs.t("no-second-factor"),
        Conflict::NoAuthenticator => prefs.t("no-authenticator"),
        Conflict::NoSuchQueue => prefs.t("no-such-queue"),
    }
}
