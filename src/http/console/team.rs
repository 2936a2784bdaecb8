//! Who has how much to do.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubResult;
use nexus_actors::domain::page::{MAX_LIMIT, PageRequest, SortOrder};
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::stats::{CsoLoad, StatsRange};
use nexus_actors::domain::user::Role;
use nexus_actors::store::stats::ReadStats;
use nexus_actors::store::users::{ListUsers, UserFilter};

use super::layout::{self, Place};
use super::names::full_name;
use super::visitor::Visitor;
use super::{inquiries, list, parts};
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/team").get(page)).service(web::resource("/team.csv").get(export));
}

async fn page(state: State, visitor: Visitor) -> Result<HttpResponse, HttpError> {
    let csos = loads(&state, &visitor).await?;
    let title = visitor.t("nav-team");
    let body = html! {
        h1 { (title) }
        p { (visitor.t("team-what")) }
        p { a href={ "/inquiries?assignedTo=none&status=" (inquiries::OPEN) } { (visitor.t("team-unassigned")) } }
        (table(&visitor, &csos))
        p { a href="/team.csv" { (visitor.t("csv")) } }
    };
    Ok(layout::page(&visitor, Place::Team, &title, body))
}

async fn export(state: State, visitor: Visitor) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &[
        "userId",
        "firstName",
        "lastName",
        "availability",
        "openInquiries",
        "maxOpenInquiries",
        "throughput",
        "answered",
    ];
    let csos = loads(&state, &visitor).await?;
    let rows = csos.iter().map(|cso| {
        vec![
            cso.user_id.to_string(),
            cso.first_name.clone(),
            cso.last_name.clone(),
            cso.availability.to_string(),
            cso.open_inquiries.to_string(),
            cso.max_open_inquiries.to_string(),
            cso.throughput.to_string(),
            cso.answered.to_string(),
        ]
    });
    Ok(list::small_csv("team", COLUMNS, rows))
}

async fn loads(state: &HttpState, visitor: &Visitor) -> Result<Vec<CsoLoad>, HttpError> {
    visitor.must(Action::AssignInquiry)?;
    let range = StatsRange::usual(visitor.now);
    Ok(state.hub.stats.ask(ReadStats { of: None, range, now: visitor.now }).await?.csos)
}

/// Whom work can be given to, behind the one choice that is nobody of them: its value, and the id of its text.
pub async fn assignees(
    state: &HttpState,
    visitor: &Visitor,
    (value, text): (&str, &str),
) -> HubResult<Vec<(String, String)>> {
    let mut members = if visitor.may(Action::ReadUsers) {
        let filter = UserFilter { role: Some(Role::Cso), is_active: Some(true) };
        let page = PageRequest::first(MAX_LIMIT, "createdAt", SortOrder::Asc);
        state.hub.users.ask(ListUsers { filter, page }).await?.data
    } else {
        Vec::new()
    };
    members.sort_by_key(full_name);
    let first = (value.to_owned(), visitor.t(text));
    let members = members.iter().map(|cso| (cso.id.to_string(), full_name(cso)));
    Ok(std::iter::once(first).chain(members).collect())
}

fn table(visitor: &Visitor, csos: &[CsoLoad]) -> Markup {
    html! {
        @if csos.is_empty() { p.card { (visitor.t("team-empty")) } } @else {
            (parts::scrolled(&visitor.t("nav-team"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("name")) }
                    th scope="col" { (visitor.t("availability")) }
                    th scope="col" { (visitor.t("load")) }
                    th.number scope="col" { (visitor.t("team-throughput")) }
                    th.number scope="col" { (visitor.t("team-answered")) }
                } }
                tbody data-walk { @for cso in csos { (row(visitor, cso)) } }
            }))
        }
    }
}

fn row(visitor: &Visitor, cso: &CsoLoad) -> Markup {
    let name = format!("{} {}", cso.first_name, cso.last_name);
    let link = format!("/inquiries?assignedTo={}&status={}", cso.user_id, inquiries::OPEN);
    html! {
        tr {
            td { a href=(link) { (name) } }
            td { (parts::availability(visitor, cso.availability)) }
            td {
                span.row {
                    meter min="0" max=(cso.max_open_inquiries.max(1)) value=(cso.open_inquiries) aria-label=(name) {}
                    (visitor.with("load-of", &[
                        ("open", cso.open_inquiries.into()), ("most", cso.max_open_inquiries.into()),
                    ]))
                }
            }
            td.number { (cso.throughput) }
            td.number { (cso.answered) }
        }
    }
}
