//! The visitor's own settings.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubError;
use nexus_actors::domain::user::Availability;
use nexus_actors::domain::validation::MAX_NAME;

use super::catalogue::Language;
use super::fields::Fields;
use super::layout::{self, Place};
use super::list::ListQuery;
use super::prefs::{self, Theme};
use super::visitor::Visitor;
use super::{parts, second_factor, see_other};
use crate::http::State;
use crate::http::auth::{ProfileChange, checked_profile};
use crate::http::problem::HttpError;

const DONE: &[&str] = &["saved"];

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/account").get(page))
        .service(web::resource("/account/availability").post(set_availability))
        .service(web::resource("/account/preferences").post(set_preferences))
        .service(web::resource("/account/profile").post(set_profile))
        .service(web::resource("/account/password").post(set_password));
}

async fn page(visitor: Visitor, query: ListQuery) -> HttpResponse {
    let title = visitor.t("account");
    let body = html! {
        (parts::done(&visitor, DONE, query.value("done")))
        h1 { (title) }
        div.two { (preferences(&visitor)) (profile(&visitor)) (password(&visitor)) (second_factor::card(&visitor)) }
    };
    layout::page(&visitor, Place::Account, &title, body)
}

async fn set_availability(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    let availability: Option<Availability> = fields.parsed("availability")?;
    change(&state, &visitor, ProfileChange { availability, ..ProfileChange::default() }).await?;
    Ok(see_other("/"))
}

async fn set_profile(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    let (first_name, last_name) = (fields.text("first-name"), fields.text("last-name"));
    let wanted = ProfileChange {
        first_name: Some(first_name),
        last_name: Some(last_name),
        ..ProfileChange::default()
    };
    change(&state, &visitor, wanted).await?;
    Ok(see_other("/account?done=saved"))
}

async fn set_password(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    let wanted = ProfileChange {
        current_password: Some(fields.text("current-password")),
        new_password: Some(fields.text("new-password")),
        ..ProfileChange::default()
    };
    change(&state, &visitor, wanted).await?;
    Ok(see_other("/account?done=saved"))
}

async fn change(state: &State, visitor: &Visitor, wanted: ProfileChange) -> Result<(), HttpError> {
    let change = checked_profile(state, visitor.caller(None), &visitor.user, wanted).await?;
    state.hub.user_desk.ask(change).await?;
    Ok(())
}

async fn set_preferences(visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    let unknown = |name: &str| HttpError::from(HubError::invalid(name, "invalid_value", "is none there is"));
    let language = Language::by_tag(&fields.text("language")).ok_or_else(|| unknown("/language"))?;
    let theme = Theme::parse(&fields.text("theme")).ok_or_else(|| unknown("/theme"))?;
    let zone = prefs::zone_value(&fields.text("zone")).ok_or_else(|| unknown("/zone"))?;
    let zone = if zone == prefs::FOLLOWS && visitor.zone_follows {
        // The browser has said which, and need not say it again.
        format!("{zone}{}", visitor.zone.name())
    } else {
        zone
    };
    let shortcuts = if fields.is_set("shortcuts") { "on" } else { "off" };
    let mut response = see_other("/account?done=saved");
    for (name, value) in [
        (prefs::LANGUAGE, language.tag().to_owned()),
        (prefs::THEME, theme.as_str().to_owned()),
        (prefs::ZONE, zone),
        (prefs::SHORTCUTS, shortcuts.to_owned()),
    ] {
        response
            .add_cookie(&prefs::kept(name, value))
            .map_err(|error| HubError::Internal(format!("a cookie: {error}")))?;
    }
    Ok(response)
}

fn preferences(visitor: &Visitor) -> Markup {
    let languages: Vec<_> =
        Language::ALL.iter().map(|one| (one.tag().to_owned(), one.name().to_owned())).collect();
    let themes: Vec<_> = Theme::ALL
        .iter()
        .map(|one| (one.as_str().to_owned(), visitor.t(&format!("theme-{}", one.as_str()))))
        .collect();
    let follows = ("auto".to_owned(), visitor.t("zone-auto"));
    let zones: Vec<_> = std::iter::once(follows)
        .chain(chrono_tz::TZ_VARIANTS.iter().map(|zone| (zone.name().to_owned(), zone.name().to_owned())))
        .collect();
    let zone = if visitor.zone_follows { "auto" } else { visitor.zone.name() };
    html! {
        section.card aria-labelledby="preferences" {
            h2 #preferences { (visitor.t("preferences")) }
            (parts::form(visitor, "/account/preferences", html! { div.stack {
                (parts::field("language", &visitor.t("language"),
                    parts::select("language", "language", &languages, visitor.language.tag())))
                (parts::field("zone", &visitor.t("zone"), parts::select("zone", "zone", &zones, zone)))
                (parts::field("theme", &visitor.t("theme"),
                    parts::select("theme", "theme", &themes, visitor.theme.as_str())))
                label.check {
                    input type="checkbox" name="shortcuts" checked[visitor.shortcuts];
                    (visitor.t("shortcuts-on"))
                }
                div { button.primary { (visitor.t("save")) } }
            } }))
        }
    }
}

fn profile(visitor: &Visitor) -> Markup {
    let user = &visitor.user;
    html! {
        section.card aria-labelledby="profile" {
            h2 #profile { (visitor.t("profile")) }
            p.muted { (user.email) " · " (visitor.t(&format!("role-{}", user.role))) }
            (parts::form(visitor, "/account/profile", html! { div.stack {
                (parts::field("first-name", &visitor.t("field-first-name"), html! {
                    input #first-name name="first-name" autocomplete="given-name" required maxlength=(MAX_NAME)
                        value=(user.first_name);
                }))
                (parts::field("last-name", &visitor.t("field-last-name"), html! {
                    input #last-name name="last-name" autocomplete="family-name" required maxlength=(MAX_NAME)
                        value=(user.last_name);
                }))
                div { button.primary { (visitor.t("save")) } }
            } }))
        }
    }
}

fn password(visitor: &Visitor) -> Markup {
    html! {
        section.card aria-labelledby="new" {
            h2 #new { (visitor.t("change-password")) }
            (parts::form(visitor, "/account/password", html! { div.stack {
                (parts::field("current-password", &visitor.t("field-current-password"), html! {
                    input #current-password name="current-password" type="password"
                        autocomplete="current-password" required;
                }))
                (parts::field("new-password", &visitor.t("field-new-password"), html! {
                    input #new-password name="new-password" type="password" autocomplete="new-password" required
                        minlength="12" maxlength="128";
                }))
                p.muted { (visitor.t("password-what")) }
                div { button.primary { (visitor.t("save")) } }
            } }))
        }
    }
}
