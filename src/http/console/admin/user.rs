//! One user: shown to managers, changed by admins.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubError;
use nexus_actors::desk::permit;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::user::{Availability, User, UserPatch};
use nexus_actors::store::users::GetUser;
use nexus_actors::user_desk::{ChangeUser, ResetTotp};
use uuid::Uuid;

use super::super::fields::Fields;
use super::super::layout::{self, Place};
use super::super::list::ListQuery;
use super::super::names::full_name;
use super::super::visitor::Visitor;
use super::super::{parts, see_other};
use super::users::{activity, names, roles};
use super::{confirmed, refusal};
use crate::http::access::PathId;
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

const DONE: &[&str] =
    &["user-created", "saved", "user-deactivated", "user-reactivated", "second-factor-reset"];

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/users/{id}").get(page).post(change))
        .service(web::resource("/users/{id}/deactivate").post(deactivate))
        .service(web::resource("/users/{id}/reactivate").post(reactivate))
        .service(web::resource("/users/{id}/reset-second-factor").post(reset_totp));
}

pub fn link(id: Uuid) -> String {
    format!("/users/{id}")
}

async fn page(
    state: State,
    visitor: Visitor,
    id: PathId,
    query: ListQuery,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ReadUsers)?;
    let user = found(&state, &visitor, id.0).await?;
    let told = parts::done(&visitor, DONE, query.value("done"));
    Ok(show(&visitor, StatusCode::OK, &user, &user, told))
}

async fn found(state: &HttpState, visitor: &Visitor, id: Uuid) -> Result<User, HttpError> {
    let found = state.hub.users.ask(GetUser(id)).await?;
    Ok(permit(visitor.principal(), Action::ReadUsers, EntityType::User, found)?)
}

async fn change(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::WriteUsers)?;
    let wanted = match wanted(&fields) {
        Ok(wanted) => wanted,
        Err(error) => return refused(&state, &visitor, id.0, None, error).await,
    };
    match apply(&state, &visitor, id.0, &fields, wanted.clone()).await {
        Ok(()) => Ok(see_other(&format!("{}?done=saved", link(id.0)))),
        Err(error) => refused(&state, &visitor, id.0, Some(wanted), error).await,
    }
}

/// Their sessions end and their work is handed on.
async fn deactivate(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    activate(&state, &visitor, id.0, &fields, false).await
}

async fn reactivate(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    activate(&state, &visitor, id.0, &fields, true).await
}

async fn activate(
    state: &HttpState,
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    is_active: bool,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::WriteUsers)?;
    let wanted = UserPatch { is_active: Some(is_active), ..UserPatch::default() };
    let done = if is_active { "user-reactivated" } else { "user-deactivated" };
    match apply(state, visitor, id, fields, wanted).await {
        Ok(()) => Ok(see_other(&format!("{}?done={done}", link(id)))),
        Err(error) => refused(state, visitor, id, None, error).await,
    }
}

async fn reset_totp(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::WriteUsers)?;
    let caller = visitor.caller(fields.parsed("version")?);
    match state.hub.user_desk.ask(ResetTotp { caller: Some(caller), user_id: id.0 }).await {
        Ok(()) => Ok(see_other(&format!("{}?done=second-factor-reset", link(id.0)))),
        Err(error) => refused(&state, &visitor, id.0, None, error.into()).await,
    }
}

/// As the form has it. What it leaves out stays as it is.
fn wanted(fields: &Fields) -> Result<UserPatch, HttpError> {
    let skills = fields.is_set("skills").then(|| {
        let skills = fields.text("skills");
        skills.split(',').map(str::trim).filter(|skill| !skill.is_empty()).map(str::to_owned).collect()
    });
    let name = |name: &str| fields.is_set(name).then(|| fields.text(name));
    Ok(UserPatch {
        role: fields.parsed("role")?,
        is_active: None,
        max_open_inquiries: fields.parsed("max-open-inquiries")?,
        skills,
        availability: fields.parsed("availability")?,
        first_name: name("first-name"),
        last_name: name("last-name"),
    })
}

async fn apply(
    state: &HttpState,
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    wanted: UserPatch,
) -> Result<(), HttpError> {
    let patch = wanted.validate().map_err(HubError::Invalid)?;
    let caller = visitor.caller(fields.parsed("version")?);
    state.hub.user_desk.ask(ChangeUser { caller, id, patch }).await?;
    Ok(())
}

/// The user as they are now and why they were not changed; in the form what was typed, where only that was wrong.
async fn refused(
    state: &HttpState,
    visitor: &Visitor,
    id: Uuid,
    typed: Option<UserPatch>,
    error: HttpError,
) -> Result<HttpResponse, HttpError> {
    let typed = typed.filter(|_| matches!(error, HttpError::Hub(HubError::Invalid(_))));
    let (status, told) = refusal(visitor, error)?;
    let user = found(state, visitor, id).await?;
    let shown = typed.map_or_else(|| user.clone(), |patch| patch.apply(&user, visitor.now));
    Ok(show(visitor, status, &user, &shown, told))
}

fn show(visitor: &Visitor, status: StatusCode, user: &User, typed: &User, told: Markup) -> HttpResponse {
    let title = full_name(user);
    let body = html! {
        (told)
        h1 { (title) }
        div.aside {
            @if visitor.may(Action::WriteUsers) { (form(visitor, user, typed)) } @else { (facts(visitor, user)) }
            div {
                section.card aria-labelledby="sign-in-of" {
                    h2 #sign-in-of { (visitor.t("sign-in")) }
                    dl.facts {
                        dt { (visitor.t("field-email")) } dd { (user.email) }
                        dt { (visitor.t("field-status")) } dd { (activity(visitor, user)) }
                        dt { (visitor.t("second-factor")) } dd { (visitor.t(&format!("flag-{}", user.totp_enabled))) }
                        dt { (visitor.t("created")) } dd { (visitor.time(user.created_at)) }
                        dt { (visitor.t("changed")) } dd { (visitor.time(user.updated_at)) }
                    }
                    @if visitor.may(Action::WriteUsers) && user.id != visitor.user.id { (switches(visitor, user)) }
                }
                p { a href={ "/audit?entityType=user&entityId=" (user.id) } { (visitor.t("audit-of")) } }
                p { a href={ "/audit?actorId=" (user.id) } { (visitor.t("audit-by")) } }
            }
        }
    };
    layout::with_status(status, visitor, Place::Users, &title, body)
}

fn facts(visitor: &Visitor, user: &User) -> Markup {
    html! {
        section.card aria-labelledby="profile" {
            h2 #profile { (visitor.t("profile")) }
            dl.facts {
                dt { (visitor.t("field-role")) } dd { (visitor.t(&format!("role-{}", user.role))) }
                dt { (visitor.t("availability")) } dd { (parts::availability(visitor, user.availability)) }
                dt { (visitor.t("field-max-open-inquiries")) } dd { (user.max_open_inquiries) }
                dt { (visitor.t("field-skills")) }
                dd { @if user.skills.is_empty() { (visitor.t("skills-all")) } @else { (user.skills.join(", ")) } }
            }
        }
    }
}

fn form(visitor: &Visitor, user: &User, typed: &User) -> Markup {
    let availabilities = parts::choices(visitor, Availability::ALL, |one| format!("availability-{one}"));
    html! {
        section.card aria-labelledby="profile" {
            h2 #profile { (visitor.t("profile")) }
            (parts::form(visitor, &link(user.id), html! { div.stack {
                input type="hidden" name="version" value=(user.version);
                (names(visitor, &typed.first_name, &typed.last_name))
                // Nobody changes their own.
                @if user.id != visitor.user.id {
                    (parts::field("role", &visitor.t("field-role"),
                        parts::select("role", "role", &roles(visitor), typed.role.as_str())))
                }
                (parts::field("availability", &visitor.t("availability"),
                    parts::select("availability", "availability", &availabilities, typed.availability.as_str())))
                (parts::field("max-open-inquiries", &visitor.t("field-max-open-inquiries"), html! {
                    input #max-open-inquiries name="max-open-inquiries" type="number" min="0" max="10000" required
                        value=(typed.max_open_inquiries);
                }))
                (parts::field("skills", &visitor.t("field-skills"), html! {
                    input #skills name="skills" value=(typed.skills.join(", ")) aria-describedby="skills-what";
                    span.muted #skills-what { (visitor.t("skills-what")) }
                }))
                div { button.primary { (visitor.t("save")) } }
            } }))
        }
    }
}

fn switches(visitor: &Visitor, user: &User) -> Markup {
    let version = Some(user.version);
    let path = |what: &str| format!("{}/{what}", link(user.id));
    html! {
        @if user.is_active {
            (confirmed(visitor, &path("deactivate"), &visitor.t("deactivate"), &visitor.t("deactivate-what"), version))
        } @else {
            (parts::form(visitor, &path("reactivate"), html! {
                input type="hidden" name="version" value=(user.version);
                button { (visitor.t("reactivate")) }
            }))
        }
        @if user.totp_enabled {
            (confirmed(visitor, &path("reset-second-factor"), &visitor.t("reset-second-factor"),
                &visitor.t("reset-second-factor-what"), version))
        }
    }
}
