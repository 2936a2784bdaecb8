//! API keys: the list, a new one, and an end to one.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubError;
use nexus_actors::api_key_desk::RevokeApiKey;
use nexus_actors::domain::api_key::{ApiKey, NewApiKey, Scope};
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::validation::MAX_NAME;
use nexus_actors::store::api_keys::ListApiKeys;

use super::super::fields::Fields;
use super::super::layout::{self, Place};
use super::super::list::{self, ListQuery};
use super::super::names::Names;
use super::super::visitor::Visitor;
use super::super::{parts, see_other};
use super::{confirmed, refusal, shown_once};
use crate::http::access::PathId;
use crate::http::api_keys::{CreatedApiKey, asked, create_api_key};
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

const DONE: &[&str] = &["key-revoked"];

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/api-keys").get(page).post(create))
        .service(web::resource("/api-keys.csv").get(export))
        .service(web::resource("/api-keys/{id}/revoke").post(revoke));
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    let told = parts::done(&visitor, DONE, query.value("done"));
    show(&state, &visitor, StatusCode::OK, &query, &Fields::default(), told).await
}

/// The list, and below it the form with what was typed into it.
async fn show(
    state: &HttpState,
    visitor: &Visitor,
    status: StatusCode,
    query: &ListQuery,
    typed: &Fields,
    told: Markup,
) -> Result<HttpResponse, HttpError> {
    let found = state.hub.api_keys.ask(asked(visitor.principal(), &query.query())?).await?;
    let names = Names::of(state, visitor, found.data.iter().map(|key| key.created_by), []).await?;
    let title = visitor.t("nav-api-keys");
    let body = html! {
        (told)
        h1 { (title) }
        p { (visitor.t("api-keys-what")) }
        (table(visitor, &names, &found.data))
        (parts::pager(visitor, "/api-keys", &query.filters(), &found.meta))
        (form(visitor, typed))
    };
    Ok(layout::with_status(status, visitor, Place::ApiKeys, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &["id", "createdAt", "name", "scopes", "hint", "createdBy", "lastUsedAt"];
    let ListApiKeys { page } = asked(visitor.principal(), &query.query())?;
    let store = state.hub.api_keys.clone();
    let read = async move |page| store.ask(ListApiKeys { page }).await;
    Ok(list::csv("api-keys", COLUMNS, page, read, |key: &ApiKey| {
        vec![
            key.id.to_string(),
            key.created_at.to_string(),
            key.name.clone(),
            scopes(key),
            key.hint.clone(),
            key.created_by.to_string(),
            list::cell(key.last_used_at),
        ]
    }))
}

/// The answer is the one place that has the key.
async fn create(
    state: State,
    visitor: Visitor,
    query: ListQuery,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageApiKeys)?;
    match created(&state, &visitor, &fields).await {
        Ok(CreatedApiKey { api_key, key }) => {
            let told = shown_once(&visitor, &api_key.name, &key);
            show(&state, &visitor, StatusCode::OK, &query, &Fields::default(), told).await
        }
        Err(error) => {
            let (status, told) = refusal(&visitor, error)?;
            show(&state, &visitor, status, &query, &fields, told).await
        }
    }
}

async fn created(state: &HttpState, visitor: &Visitor, fields: &Fields) -> Result<CreatedApiKey, HttpError> {
    let ticked = fields.all("scopes").into_iter();
    let scopes = ticked.map(|scope| {
        scope.parse().map_err(|_| HubError::invalid("/scopes", "unknown_value", "must be a scope"))
    });
    let input = NewApiKey { name: fields.text("name"), scopes: scopes.collect::<Result<_, _>>()? };
    let input = input.validate().map_err(HubError::Invalid)?;
    Ok(create_api_key(state, visitor.caller(None), input).await?)
}

async fn revoke(state: State, visitor: Visitor, id: PathId) -> Result<HttpResponse, HttpError> {
    state.hub.api_key_desk.ask(RevokeApiKey { caller: visitor.caller(None), id: id.0 }).await?;
    Ok(see_other("/api-keys?done=key-revoked"))
}

fn scopes(key: &ApiKey) -> String {
    key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

fn table(visitor: &Visitor, names: &Names, keys: &[ApiKey]) -> Markup {
    let warning = visitor.t("revoke-what");
    html! {
        @if keys.is_empty() { p.card { (visitor.t("no-api-keys")) } } @else {
            (parts::scrolled(&visitor.t("nav-api-keys"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("name")) }
                    th scope="col" { (visitor.t("key-hint")) }
                    th scope="col" { (visitor.t("field-scopes")) }
                    th scope="col" { (visitor.t("last-used")) }
                    th.wide scope="col" { (visitor.t("created")) }
                    th.wide scope="col" { (visitor.t("created-by")) }
                    th scope="col" { (visitor.t("revoke")) }
                } }
                tbody { @for key in keys { tr {
                    td { (key.name) }
                    td { code { (key.hint) "…" } }
                    td { (scopes(key)) }
                    td { @if let Some(at) = key.last_used_at { (visitor.time(at)) } @else { (visitor.t("never")) } }
                    td.wide { (visitor.time(key.created_at)) }
                    td.wide { (names.user(visitor, key.created_by)) }
                    td { (confirmed(visitor, &format!("/api-keys/{}/revoke", key.id), &visitor.t("revoke"),
                        &warning, None)) }
                } } }
            }))
        }
    }
}

fn form(visitor: &Visitor, typed: &Fields) -> Markup {
    let ticked = typed.all("scopes");
    html! {
        section.card aria-labelledby="new-key" {
            h2 #new-key { (visitor.t("key-new")) }
            (parts::form(visitor, "/api-keys", html! { div.stack {
                (parts::field("name", &visitor.t("name"), html! {
                    input #name name="name" required maxlength=(MAX_NAME) value=(typed.text("name"));
                }))
                fieldset {
                    legend { (visitor.t("field-scopes")) }
                    @for scope in Scope::ALL {
                        label.check {
                            input type="checkbox" name="scopes" value=(scope)
                                checked[ticked.iter().any(|one| one == scope.as_str())];
                            span { code { (scope) } " " (visitor.t(&format!("scope-{scope}"))) }
                        }
                    }
                }
                div { button.primary { (visitor.t("key-create")) } }
            } }))
        }
    }
}
