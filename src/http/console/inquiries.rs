//! The list of inquiries, and what can be done with one besides answering it.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::domain::inquiry::{Inquiry, InquiryStatus, Priority};
use nexus_actors::domain::policy::Action;
use nexus_actors::inquiry_desk::{AssignInquiry, Assignee, MoveInquiry};
use nexus_actors::store::inquiries::ListInquiries;
use nexus_actors::{HubError, HubResult};

use super::layout::{self, Place};
use super::list::{self, ListQuery};
use super::names::Names;
use super::prefs::Prefs;
use super::visitor::Visitor;
use super::{fields::Fields, parts, see_other, team};
use crate::http::access::PathId;
use crate::http::inquiries::asked;
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

/// Both statuses in which it waits for an answer.
pub const OPEN: &str = "pending,in_progress";

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/inquiries").get(page))
        .service(web::resource("/inquiries.csv").get(export))
        .service(web::resource("/inquiries/{id}/status").post(set_status))
        .service(web::resource("/inquiries/{id}/assign").post(assign));
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    let asked = asked(visitor.principal(), &query.query())?;
    let found = state.hub.inquiries.ask(asked).await?;
    let names = names(&state, &visitor, &found.data).await?;
    let title = visitor.t("nav-inquiries");
    let body = html! {
        h1 { (title) }
        (filters(&visitor, &query))
        (table(&visitor, &names, &found.data))
        (parts::pager(&visitor, "/inquiries", &query.filters(), &found.meta))
    };
    Ok(layout::page(&visitor, Place::Inquiries, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &[
        "id",
        "createdAt",
        "updatedAt",
        "status",
        "priority",
        "category",
        "channel",
        "subject",
        "customerId",
        "assignedTo",
    ];
    let ListInquiries { filter, page } = asked(visitor.principal(), &query.query())?;
    let store = state.hub.inquiries.clone();
    let read = async move |page| store.ask(ListInquiries { filter: filter.clone(), page }).await;
    Ok(list::csv("inquiries", COLUMNS, page, read, |inquiry: &Inquiry| {
        vec![
            inquiry.id.to_string(),
            inquiry.created_at.to_string(),
            inquiry.updated_at.to_string(),
            inquiry.status.to_string(),
            inquiry.priority.to_string(),
            inquiry.category.clone(),
            inquiry.channel.clone(),
            inquiry.subject.clone(),
            inquiry.customer_id.to_string(),
            list::cell(inquiry.assigned_to),
        ]
    }))
}

async fn set_status(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    let to: Option<InquiryStatus> = fields.parsed("status")?;
    let to = to.ok_or_else(|| HubError::invalid("/status", "required", "must be given"))?;
    let step = MoveInquiry { caller: visitor.caller(fields.parsed("version")?), id: id.0, to };
    state.hub.inquiry_desk.ask(step).await?;
    Ok(see_other(&link(id.0)))
}

async fn assign(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    let to = match fields.text("assigned-to").as_str() {
        "auto" => Assignee::Auto,
        _ => Assignee::User(
            fields
                .parsed("assigned-to")?
                .ok_or_else(|| HubError::invalid("/assignedTo", "required", "must be given"))?,
        ),
    };
    let assign = AssignInquiry { caller: visitor.caller(fields.parsed("version")?), id: id.0, to };
    state.hub.inquiry_desk.ask(assign).await?;
    Ok(see_other(&link(id.0)))
}

pub fn link(id: uuid::Uuid) -> String {
    format!("/inquiries/{id}")
}

pub async fn names(state: &HttpState, visitor: &Visitor, inquiries: &[Inquiry]) -> HubResult<Names> {
    let users = inquiries.iter().filter_map(|inquiry| inquiry.assigned_to);
    Names::of(state, visitor, users, inquiries.iter().map(|inquiry| inquiry.customer_id)).await
}

fn filters(visitor: &Visitor, query: &ListQuery) -> Markup {
    html! {
        form.row method="get" action="/inquiries" role="search" {
            input type="search" name="q" value=(query.value("q")) aria-label=(visitor.t("search"))
                placeholder=(visitor.t("search-inquiries"));
            label for="status" { (visitor.t("field-status")) }
            (parts::select("status", "status", &statuses(visitor), query.value("status")))
            label for="priority" { (visitor.t("field-priority")) }
            (parts::select("priority", "priority", &priorities(visitor), query.value("priority")))
            label for="assignedTo" { (visitor.t("field-assigned-to")) }
            (parts::select("assignedTo", "assignedTo", &assignees(visitor, query), query.value("assignedTo")))
            button { (visitor.t("show")) }
        }
    }
}

fn statuses(prefs: &Prefs) -> Vec<(String, String)> {
    let mut choices = parts::any_or(prefs, InquiryStatus::ALL, |status| format!("inquiry-{status}"));
    choices.insert(1, (OPEN.to_owned(), prefs.t("open")));
    choices
}

fn priorities(prefs: &Prefs) -> Vec<(String, String)> {
    parts::any_or(prefs, Priority::ALL.iter().rev(), |priority| format!("priority-{priority}"))
}

fn assignees(prefs: &Prefs, query: &ListQuery) -> Vec<(String, String)> {
    let mut choices = vec![
        (String::new(), prefs.t("any")),
        ("me".to_owned(), prefs.t("you")),
        ("none".to_owned(), prefs.t("nobody")),
    ];
    // A link of the team's page names a person.
    let chosen = query.value("assignedTo");
    if !chosen.is_empty() && choices.iter().all(|(value, _)| value != chosen) {
        choices.push((chosen.to_owned(), prefs.t("this-person")));
    }
    choices
}

pub fn table(visitor: &Visitor, names: &Names, inquiries: &[Inquiry]) -> Markup {
    html! {
        @if inquiries.is_empty() { p.card { (visitor.t("no-inquiries")) } } @else {
            (parts::scrolled(&visitor.t("nav-inquiries"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("field-subject")) }
                    th scope="col" { (visitor.t("field-status")) }
                    th scope="col" { (visitor.t("field-priority")) }
                    th scope="col" { (visitor.t("customer")) }
                    th.wide scope="col" { (visitor.t("field-category")) }
                    th.wide scope="col" { (visitor.t("field-assigned-to")) }
                    th scope="col" { (visitor.t("age")) }
                } }
                tbody data-walk { @for inquiry in inquiries { tr {
                    td { a href=(link(inquiry.id)) { (inquiry.subject) } }
                    td { (parts::inquiry_status(visitor, inquiry.status)) }
                    td { (parts::priority(visitor, inquiry.priority)) }
                    td { (names.customer_name(visitor, inquiry.customer_id)) }
                    td.wide { (inquiry.category) }
                    td.wide { (names.user_or_nobody(visitor, inquiry.assigned_to)) }
                    td { (visitor.age(inquiry.created_at, visitor.now)) }
                } } }
            }))
        }
    }
}

/// The moves its status has, and who it can be given to.
pub async fn actions(state: &HttpState, visitor: &Visitor, inquiry: &Inquiry) -> HubResult<Markup> {
    let version = html! { input type="hidden" name="version" value=(inquiry.version); };
    let moves: Vec<_> =
        InquiryStatus::ALL.iter().copied().filter(|to| inquiry.status.may_become(*to)).collect();
    let choices = if visitor.may(Action::AssignInquiry) {
        Some(team::assignees(state, visitor, ("auto", "assign-auto")).await?)
    } else {
        None
    };
    let chosen = inquiry.assigned_to.map_or_else(|| "auto".to_owned(), |id| id.to_string());
    Ok(html! {
        @if visitor.may(Action::WriteInquiry) {
            (parts::form(visitor, &format!("{}/status", link(inquiry.id)), html! {
                (version)
                div.row {
                    @for to in moves {
                        button name="status" value=(to) { (visitor.t(&format!("move-{to}").replace('_', "-"))) }
                    }
                }
            }))
        }
        @if let Some(choices) = choices {
            (parts::form(visitor, &format!("{}/assign", link(inquiry.id)), html! {
                (version)
                (parts::field("assigned-to", &visitor.t("assign-to"), html! {
                    div.row {
                        (parts::select("assigned-to", "assigned-to", &choices, &chosen))
                        button { (visitor.t("assign")) }
                    }
                }))
            }))
        }
    })
}
