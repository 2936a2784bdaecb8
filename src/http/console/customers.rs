//! Customers: the list, and one with their inquiries.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::customer_desk::AssignCustomer;
use nexus_actors::desk::permit;
use nexus_actors::domain::customer::{Customer, CustomerStatus};
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::{PageRequest, SortOrder};
use nexus_actors::domain::policy::Action;
use nexus_actors::store::customers::{GetCustomer, ListCustomers};
use nexus_actors::store::inquiries::{InquiryFilter, ListInquiries};
use uuid::Uuid;

use super::fields::Fields;
use super::layout::{self, Place};
use super::list::{self, ListQuery};
use super::names::Names;
use super::prefs::Prefs;
use super::visitor::Visitor;
use super::{inquiries, parts, see_other, team};
use crate::http::State;
use crate::http::access::PathId;
use crate::http::customers::asked;
use crate::http::problem::HttpError;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/customers").get(page))
        .service(web::resource("/customers.csv").get(export))
        .service(web::resource("/customers/{id}").get(one))
        .service(web::resource("/customers/{id}/assign").post(assign));
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    let found = state.hub.customers.ask(asked(visitor.principal(), &query.query())?).await?;
    let names = Names::of(&state, &visitor, found.data.iter().filter_map(|one| one.assigned_to), []).await?;
    let title = visitor.t("nav-customers");
    let body = html! {
        h1 { (title) }
        form.row method="get" action="/customers" role="search" {
            input type="search" name="q" value=(query.value("q")) aria-label=(visitor.t("search"))
                placeholder=(visitor.t("search-customers"));
            label for="status" { (visitor.t("field-status")) }
            (parts::select("status", "status", &statuses(&visitor), query.value("status")))
            button { (visitor.t("show")) }
        }
        (table(&visitor, &names, &found.data))
        (parts::pager(&visitor, "/customers", &query.filters(), &found.meta))
    };
    Ok(layout::page(&visitor, Place::Customers, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] =
        &["id", "createdAt", "firstName", "lastName", "email", "phone", "company", "status", "assignedTo"];
    let ListCustomers { filter, page } = asked(visitor.principal(), &query.query())?;
    let store = state.hub.customers.clone();
    let read = async move |page| store.ask(ListCustomers { filter: filter.clone(), page }).await;
    Ok(list::csv("customers", COLUMNS, page, read, |customer: &Customer| {
        vec![
            customer.id.to_string(),
            customer.created_at.to_string(),
            customer.first_name.clone(),
            customer.last_name.clone(),
            customer.email.clone(),
            customer.phone.clone().unwrap_or_default(),
            customer.company.clone().unwrap_or_default(),
            customer.status.to_string(),
            list::cell(customer.assigned_to),
        ]
    }))
}

async fn one(state: State, visitor: Visitor, id: PathId) -> Result<HttpResponse, HttpError> {
    let found = state.hub.customers.ask(GetCustomer(id.0)).await?;
    let customer = permit(visitor.principal(), Action::ReadCustomer, EntityType::Customer, found)?;
    let filter = InquiryFilter { customer_id: Some(customer.id), ..InquiryFilter::default() };
    let asked = ListInquiries { filter, page: PageRequest::first(20, "createdAt", SortOrder::Desc) };
    let theirs = state.hub.inquiries.ask(asked).await?;
    let names = inquiries::names(&state, &visitor, &theirs.data).await?;
    let owner = Names::of(&state, &visitor, customer.assigned_to, []).await?;
    let title = name(&customer);
    let assign = if visitor.may(Action::AssignCustomer) {
        Some(team::assignees(&state, &visitor, ("", "nobody")).await?)
    } else {
        None
    };
    let chosen = customer.assigned_to.map(|id| id.to_string()).unwrap_or_default();
    let body = html! {
        h1 { (title) }
        div.aside {
            div {
                h2 { (visitor.t("nav-inquiries")) }
                (inquiries::table(&visitor, &names, &theirs.data))
                @if theirs.meta.next_cursor.is_some() {
                    p { a href={ "/inquiries?customerId=" (customer.id) } { (visitor.t("queue-more")) } }
                }
            }
            div {
                (card(&visitor, Some(&customer)))
                section.card {
                    h2 { (visitor.t("customers-cso")) }
                    p { (owner.user_or_nobody(&visitor, customer.assigned_to)) }
                    @if let Some(choices) = assign {
                        (parts::form(&visitor, &format!("{}/assign", link(customer.id)), html! {
                            input type="hidden" name="version" value=(customer.version);
                            (parts::field("assignee", &visitor.t("assign-to"), html! {
                                div.row {
                                    (parts::select("assignee", "assignee", &choices, &chosen))
                                    button { (visitor.t("assign")) }
                                }
                            }))
                        }))
                    }
                }
            }
        }
    };
    Ok(layout::page(&visitor, Place::Customers, &title, body))
}

async fn assign(
    state: State,
    visitor: Visitor,
    id: PathId,
    fields: Fields,
) -> Result<HttpResponse, HttpError> {
    let caller = visitor.caller(fields.parsed("version")?);
    let assign = AssignCustomer { caller, id: id.0, assignee: fields.parsed("assignee")? };
    state.hub.customer_desk.ask(assign).await?;
    Ok(see_other(&link(id.0)))
}

fn link(id: Uuid) -> String {
    format!("/customers/{id}")
}

fn name(customer: &Customer) -> String {
    format!("{} {}", customer.first_name, customer.last_name)
}

fn statuses(prefs: &Prefs) -> Vec<(String, String)> {
    parts::any_or(prefs, CustomerStatus::ALL, |one| format!("customer-{one}"))
}

fn table(visitor: &Visitor, names: &Names, customers: &[Customer]) -> Markup {
    html! {
        @if customers.is_empty() { p.card { (visitor.t("no-customers")) } } @else {
            (parts::scrolled(&visitor.t("nav-customers"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("name")) }
                    th scope="col" { (visitor.t("field-email")) }
                    th.wide scope="col" { (visitor.t("company")) }
                    th scope="col" { (visitor.t("field-status")) }
                    th.wide scope="col" { (visitor.t("customers-cso")) }
                } }
                tbody data-walk { @for customer in customers { tr {
                    td { a href=(link(customer.id)) { (name(customer)) } }
                    td { (customer.email) }
                    td.wide { (customer.company.as_deref().unwrap_or("–")) }
                    td { span.badge data-tone=(customer.status) { (visitor.t(&format!("customer-{}", customer.status))) } }
                    td.wide { (names.user_or_nobody(visitor, customer.assigned_to)) }
                } } }
            }))
        }
    }
}

/// Beside an inquiry. `None` for a customer who is not the visitor's to see.
pub fn card(visitor: &Visitor, customer: Option<&Customer>) -> Markup {
    html! {
        section.card aria-labelledby="customer" {
            h2 #customer { (visitor.t("customer")) }
            @if let Some(customer) = customer {
                p { a href=(link(customer.id)) { (name(customer)) } " "
                    span.badge data-tone=(customer.status) { (visitor.t(&format!("customer-{}", customer.status))) } }
                dl.facts {
                    dt { (visitor.t("field-email")) } dd { (customer.email) }
                    @if let Some(phone) = &customer.phone { dt { (visitor.t("phone")) } dd { (phone) } }
                    @if let Some(company) = &customer.company { dt { (visitor.t("company")) } dd { (company) } }
                    dt { (visitor.t("known-since")) } dd { (visitor.time(customer.created_at)) }
                    @for (name, value) in &customer.metadata {
                        dt { (name) } dd { @match value.as_str() { Some(text) => (text), None => (value.to_string()) } }
                    }
                }
            } @else {
                p.muted { (visitor.t("customer-hidden")) }
            }
        }
    }
}
