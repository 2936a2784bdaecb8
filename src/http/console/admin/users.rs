//! Users: the list, and a new one.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubError;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::user::{NewUser, Role, User};
use nexus_actors::domain::validation::MAX_NAME;
use nexus_actors::store::users::ListUsers;

use super::super::fields::Fields;
use super::super::layout::{self, Place};
use super::super::list::{self, ListQuery};
use super::super::names::full_name;
use super::super::prefs::Prefs;
use super::super::visitor::Visitor;
use super::super::{parts, see_other};
use super::user::link;
use super::{any_or_flag, refusal};
use crate::http::State;
use crate::http::auth::{checked_user, create_user};
use crate::http::problem::HttpError;
use crate::http::users::asked;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/users").get(page).post(create))
        .service(web::resource("/users.csv").get(export))
        .service(web::resource("/users/new").get(empty));
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    let found = state.hub.users.ask(asked(visitor.principal(), &query.query())?).await?;
    let roles = parts::any_or(&visitor, Role::ALL, |role| format!("role-{role}"));
    let title = visitor.t("nav-users");
    let body = html! {
        div.spread {
            h1 { (title) }
            @if visitor.may(Action::WriteUsers) { a.button href="/users/new" { (visitor.t("user-new")) } }
        }
        form.row method="get" action="/users" {
            label for="role" { (visitor.t("field-role")) }
            (parts::select("role", "role", &roles, query.value("role")))
            label for="active" { (visitor.t("field-is-active")) }
            (parts::select("active", "isActive", &any_or_flag(&visitor), query.value("isActive")))
            button { (visitor.t("show")) }
        }
        (table(&visitor, &found.data))
        (parts::pager(&visitor, "/users", &query.filters(), &found.meta))
    };
    Ok(layout::page(&visitor, Place::Users, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &[
        "id",
        "createdAt",
        "email",
        "role",
        "firstName",
        "lastName",
        "isActive",
        "availability",
        "maxOpenInquiries",
        "skills",
        "totpEnabled",
    ];
    let ListUsers { filter, page } = asked(visitor.principal(), &query.query())?;
    let store = state.hub.users.clone();
    let read = async move |page| store.ask(ListUsers { filter: filter.clone(), page }).await;
    Ok(list::csv("users", COLUMNS, page, read, |user: &User| {
        vec![
            user.id.to_string(),
            user.created_at.to_string(),
            user.email.clone(),
            user.role.to_string(),
            user.first_name.clone(),
            user.last_name.clone(),
            user.is_active.to_string(),
            user.availability.to_string(),
            user.max_open_inquiries.to_string(),
            user.skills.join(", "),
            user.totp_enabled.to_string(),
        ]
    }))
}

async fn empty(visitor: Visitor) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::WriteUsers)?;
    Ok(sheet(&visitor, StatusCode::OK, &Fields::default(), html! {}))
}

async fn create(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::WriteUsers)?;
    let created = match wanted(&fields).and_then(checked_user) {
        Ok(user) => create_user(&state, visitor.caller(None), user).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(user) => Ok(see_other(&format!("{}?done=user-created", link(user.id)))),
        Err(error) => {
            let (status, told) = refusal(&visitor, error)?;
            Ok(sheet(&visitor, status, &fields, told))
        }
    }
}

fn wanted(fields: &Fields) -> Result<NewUser, HttpError> {
    let role = fields.parsed("role")?;
    Ok(NewUser {
        email: fields.text("email"),
        password: fields.text("password"),
        role: role.ok_or_else(|| HubError::invalid("/role", "required", "must be chosen"))?,
        first_name: fields.text("first-name"),
        last_name: fields.text("last-name"),
    })
}

/// The form, with what was typed into it but for the password.
fn sheet(visitor: &Visitor, status: StatusCode, typed: &Fields, told: Markup) -> HttpResponse {
    let title = visitor.t("user-new");
    let body = html! {
        (told)
        h1 { (title) }
        section.card {
            (parts::form(visitor, "/users", html! { div.stack {
                (parts::field("email", &visitor.t("field-email"), html! {
                    input #email name="email" type="email" autocomplete="off" required maxlength="254"
                        value=(typed.text("email"));
                }))
                (names(visitor, &typed.text("first-name"), &typed.text("last-name")))
                (parts::field("role", &visitor.t("field-role"),
                    parts::select("role", "role", &roles(visitor), &typed.text("role"))))
                (parts::field("password", &visitor.t("field-password"), html! {
                    input #password name="password" type="password" autocomplete="new-password" required
                        minlength="12" maxlength="128" aria-describedby="password-what";
                    span.muted #password-what { (visitor.t("first-password-what")) }
                }))
                div { button.primary { (visitor.t("user-create")) } }
            } }))
        }
    };
    layout::with_status(status, visitor, Place::Users, &title, body)
}

pub fn names(prefs: &Prefs, first_name: &str, last_name: &str) -> Markup {
    html! {
        (parts::field("first-name", &prefs.t("field-first-name"), html! {
            input #first-name name="first-name" autocomplete="off" required maxlength=(MAX_NAME) value=(first_name);
        }))
        (parts::field("last-name", &prefs.t("field-last-name"), html! {
            input #last-name name="last-name" autocomplete="off" required maxlength=(MAX_NAME) value=(last_name);
        }))
    }
}

pub fn roles(prefs: &Prefs) -> Vec<(String, String)> {
    parts::choices(prefs, Role::ALL, |role| format!("role-{role}"))
}

pub fn activity(prefs: &Prefs, user: &User) -> Markup {
    let (tone, text) = if user.is_active { ("active", "user-active") } else { ("inactive", "user-inactive") };
    html! { span.badge data-tone=(tone) { (prefs.t(text)) } }
}

fn table(visitor: &Visitor, users: &[User]) -> Markup {
    html! {
        @if users.is_empty() { p.card { (visitor.t("no-users")) } } @else {
            (parts::scrolled(&visitor.t("nav-users"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("name")) }
                    th scope="col" { (visitor.t("field-email")) }
                    th scope="col" { (visitor.t("field-role")) }
                    th scope="col" { (visitor.t("field-status")) }
                    th.wide scope="col" { (visitor.t("availability")) }
                    th.wide.number scope="col" { (visitor.t("field-max-open-inquiries")) }
                    th.wide scope="col" { (visitor.t("second-factor")) }
                } }
                tbody data-walk { @for user in users { tr {
                    td { a href=(link(user.id)) { (full_name(user)) } }
                    td { (user.email) }
                    td { (visitor.t(&format!("role-{}", user.role))) }
                    td { (activity(visitor, user)) }
                    td.wide { (parts::availability(visitor, user.availability)) }
                    td.wide.number { (user.max_open_inquiries) }
                    td.wide { (visitor.t(&format!("flag-{}", user.totp_enabled))) }
                } } }
            }))
        }
    }
}
