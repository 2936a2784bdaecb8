//! Webhooks: the list, a new one, and the form that a changed one has as well.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubError;
use nexus_actors::domain::event::{EntityType, EventType};
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::validation::MAX_NAME;
use nexus_actors::domain::webhook::{EVERYTHING, NewWebhook, Webhook};
use nexus_actors::store::webhooks::ListWebhooks;

use super::super::fields::Fields;
use super::super::layout::{self, Place};
use super::super::list::{self, ListQuery};
use super::super::parts;
use super::super::prefs::Prefs;
use super::super::visitor::Visitor;
use super::refusal;
use super::webhook::{self, link};
use crate::http::State;
use crate::http::problem::HttpError;
use crate::http::webhooks::{KeyedWebhook, asked, create_webhook};

const DONE: &[&str] = &["webhook-deleted"];
/// Those that are listed by name in a row; of more, their number is told.
const NAMED: usize = 3;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/webhooks").get(page).post(create))
        .service(web::resource("/webhooks.csv").get(export))
        .service(web::resource("/webhooks/new").get(empty));
}

/// What the form holds.
pub struct Typed {
    pub url: String,
    pub events: Vec<String>,
    pub description: String,
}

impl Typed {
    pub fn of(fields: &Fields) -> Self {
        Self {
            url: fields.text("url").trim().to_owned(),
            events: fields.all("events"),
            description: fields.text("description"),
        }
    }
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    let found = state.hub.webhooks.ask(asked(visitor.principal(), &query.query())?).await?;
    let title = visitor.t("nav-webhooks");
    let body = html! {
        (parts::done(&visitor, DONE, query.value("done")))
        div.spread {
            h1 { (title) }
            a.button href="/webhooks/new" { (visitor.t("webhook-new")) }
        }
        (table(&visitor, &found.data))
        (parts::pager(&visitor, "/webhooks", &query.filters(), &found.meta))
    };
    Ok(layout::page(&visitor, Place::Webhooks, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &[
        "id",
        "createdAt",
        "url",
        "events",
        "description",
        "isEnabled",
        "disabledReason",
        "failingSince",
        "createdBy",
    ];
    let ListWebhooks { page } = asked(visitor.principal(), &query.query())?;
    let store = state.hub.webhooks.clone();
    let read = async move |page| store.ask(ListWebhooks { page }).await;
    Ok(list::csv("webhooks", COLUMNS, page, read, |webhook: &Webhook| {
        vec![
            webhook.id.to_string(),
            webhook.created_at.to_string(),
            webhook.url.clone(),
            webhook.events.join(", "),
            webhook.description.clone().unwrap_or_default(),
            webhook.is_enabled.to_string(),
            webhook.disabled_reason.clone().unwrap_or_default(),
            list::cell(webhook.failing_since),
            webhook.created_by.to_string(),
        ]
    }))
}

async fn empty(visitor: Visitor) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageWebhooks)?;
    Ok(sheet(&visitor, StatusCode::OK, &Typed::of(&Fields::default()), html! {}))
}

/// The answer is the one place that has the secret.
async fn create(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ManageWebhooks)?;
    let typed = Typed::of(&fields);
    let input = NewWebhook {
        url: typed.url.clone(),
        events: typed.events.clone(),
        description: fields.optional("description"),
    };
    let created = match input.validate(state.settings.webhooks.url_rule()) {
        Ok(input) => create_webhook(&state, visitor.caller(None), input).await,
        Err(errors) => Err(HubError::Invalid(errors)),
    };
    match created {
        Ok(KeyedWebhook { webhook, secret }) => {
            webhook::show_secret(&state, &visitor, &webhook, &secret).await
        }
        Err(error) => {
            let (status, told) = refusal(&visitor, error.into())?;
            Ok(sheet(&visitor, status, &typed, told))
        }
    }
}

fn sheet(visitor: &Visitor, status: StatusCode, typed: &Typed, told: Markup) -> HttpResponse {
    let title = visitor.t("webhook-new");
    let body = html! {
        (told)
        h1 { (title) }
        p { (visitor.t("webhook-what")) }
        section.card {
            (parts::form(visitor, "/webhooks", html! { div.stack {
                (inputs(visitor, typed))
                div { button.primary { (visitor.t("webhook-create")) } }
            } }))
        }
    };
    layout::with_status(status, visitor, Place::Webhooks, &title, body)
}

/// What is asked of a webhook, new or changed.
pub fn inputs(prefs: &Prefs, typed: &Typed) -> Markup {
    let ticked = |name: &str| typed.events.iter().any(|one| one == name);
    html! {
        (parts::field("url", &prefs.t("field-url"), html! {
            input #url name="url" type="url" required maxlength="2000" value=(typed.url);
        }))
        (parts::field("description", &prefs.t("field-description"), html! {
            input #description name="description" maxlength=(MAX_NAME) value=(typed.description);
        }))
        fieldset {
            legend { (prefs.t("field-events")) }
            label.check {
                input type="checkbox" name="events" value=(EVERYTHING) checked[ticked(EVERYTHING)];
                (prefs.t("events-all"))
            }
            @for entity in EntityType::ALL.iter().filter(|entity| entity.is_published()) {
                h2 { (prefs.t(&format!("entity-{entity}").replace('_', "-"))) }
                @for event in EventType::ALL.iter().filter(|event| event.entity_type() == *entity) {
                    label.check {
                        input type="checkbox" name="events" value=(event) checked[ticked(event.as_str())];
                        code { (event) }
                    }
                }
            }
        }
    }
}

pub fn state_of(prefs: &Prefs, webhook: &Webhook) -> Markup {
    let (tone, text) = match (webhook.is_enabled, webhook.failing_since) {
        (false, _) => ("away", "webhook-disabled"),
        (true, Some(_)) => ("failed", "webhook-failing"),
        (true, None) => ("up", "webhook-enabled"),
    };
    html! { span.badge data-tone=(tone) { (prefs.t(text)) } }
}

fn wanted(prefs: &Prefs, webhook: &Webhook) -> String {
    if webhook.events.iter().any(|event| event == EVERYTHING) {
        return prefs.t("events-every");
    }
    if webhook.events.len() <= NAMED {
        return webhook.events.join(", ");
    }
    prefs.with("events-count", &[("n", webhook.events.len().into())])
}

fn table(visitor: &Visitor, webhooks: &[Webhook]) -> Markup {
    html! {
        @if webhooks.is_empty() { p.card { (visitor.t("no-webhooks")) } } @else {
            (parts::scrolled(&visitor.t("nav-webhooks"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("field-url")) }
                    th scope="col" { (visitor.t("field-status")) }
                    th scope="col" { (visitor.t("field-events")) }
                    th.wide scope="col" { (visitor.t("field-description")) }
                    th.wide scope="col" { (visitor.t("created")) }
                } }
                tbody data-walk { @for webhook in webhooks { tr {
                    td { a href=(link(webhook.id)) { (webhook.url) } }
                    td { (state_of(visitor, webhook)) }
                    td { (wanted(visitor, webhook)) }
                    td.wide { (webhook.description.as_deref().unwrap_or("–")) }
                    td.wide { (visitor.time(webhook.created_at)) }
                } } }
            }))
        }
    }
}
