//! The audit trail: who did what, and what it changed.

use actix_web::{HttpResponse, web};
use chrono::{NaiveDateTime, TimeZone};
use maud::{Markup, html};
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::audit::AuditEntry;
use nexus_actors::domain::event::EntityType;
use nexus_actors::domain::page::{PageRequest, SortOrder};
use nexus_actors::domain::policy::Action;
use nexus_actors::store::audit::ListAudit;
use nexus_actors::store::users::{ListUsers, UserFilter};
use serde_json::Value;

use super::super::layout::{self, Place};
use super::super::list::{self, ListQuery};
use super::super::names::{Names, full_name};
use super::super::prefs::Prefs;
use super::super::visitor::Visitor;
use super::super::{approvals, inquiries, parts};
use crate::http::audit::asked;
use crate::http::problem::HttpError;
use crate::http::query::Query;
use crate::http::{HttpState, State};

/// People whose names the form suggests.
const SUGGESTED: u32 = 100;

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/audit").get(page)).service(web::resource("/audit.csv").get(export));
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    let found = state.hub.audit.ask(asked(visitor.principal(), &in_utc(&visitor, &query))?).await?;
    let names = Names::of(&state, &visitor, found.data.iter().filter_map(|entry| entry.actor_id), []).await?;
    let title = visitor.t("nav-audit");
    let body = html! {
        h1 { (title) }
        p { (visitor.t("audit-what")) }
        (form(&state, &visitor, &query).await?)
        (table(&visitor, &names, &found.data))
        (parts::pager(&visitor, "/audit", &query.filters(), &found.meta))
    };
    Ok(layout::page(&visitor, Place::Audit, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] =
        &["id", "createdAt", "action", "entityType", "entityId", "actorId", "requestId", "changes"];
    let ListAudit { filter, page } = asked(visitor.principal(), &in_utc(&visitor, &query))?;
    let store = state.hub.audit.clone();
    let read = async move |page| store.ask(ListAudit { filter: filter.clone(), page }).await;
    Ok(list::csv("audit", COLUMNS, page, read, |entry: &AuditEntry| {
        vec![
            entry.id.to_string(),
            entry.created_at.to_string(),
            entry.action.clone(),
            entry.entity_type.clone(),
            entry.entity_id.to_string(),
            list::cell(entry.actor_id),
            entry.request_id.clone().unwrap_or_default(),
            Value::Object(entry.changes.clone()).to_string(),
        ]
    }))
}

/// The query with its times, which a form sends as they are where the visitor is, as the API has them.
fn in_utc(prefs: &Prefs, query: &ListQuery) -> Query {
    query.query_with(|name, value| match name {
        "from" | "to" => instant(prefs, value).unwrap_or_else(|| value.to_owned()),
        _ => value.to_owned(),
    })
}

/// What `<input type=datetime-local>` sends. Of an hour that there is twice, the first.
fn instant(prefs: &Prefs, text: &str) -> Option<String> {
    let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    let at = prefs.zone.from_local_datetime(&local).earliest()?;
    Some(Timestamp::from_utc(at.to_utc()).to_string())
}

async fn form(state: &HttpState, visitor: &Visitor, query: &ListQuery) -> Result<Markup, HttpError> {
    let list = ListUsers {
        filter: UserFilter::default(),
        page: PageRequest::first(SUGGESTED, "lastName", SortOrder::Asc),
    };
    let people = state.hub.users.ask(list).await?.data;
    let kinds = parts::any_or(visitor, EntityType::ALL, |kind| format!("entity-{kind}"));
    Ok(html! {
        form.row method="get" action="/audit" role="search" {
            (parts::field("entity-type", &visitor.t("audit-entity"),
                parts::select("entity-type", "entityType", &kinds, query.value("entityType"))))
            (parts::field("entity-id", &visitor.t("audit-entity-id"), html! {
                input #entity-id name="entityId" value=(query.value("entityId"));
            }))
            (parts::field("actor-id", &visitor.t("audit-actor"), html! {
                input #actor-id name="actorId" list="people" value=(query.value("actorId"));
                datalist #people { @for one in &people { option value=(one.id) { (full_name(one)) } } }
            }))
            (parts::field("from", &visitor.t("audit-from"), html! {
                input #from name="from" type="datetime-local" step="1" value=(query.value("from"));
            }))
            (parts::field("to", &visitor.t("audit-to"), html! {
                input #to name="to" type="datetime-local" step="1" value=(query.value("to"));
            }))
            button { (visitor.t("show")) }
        }
    })
}

fn table(visitor: &Visitor, names: &Names, entries: &[AuditEntry]) -> Markup {
    html! {
        @if entries.is_empty() { p.card { (visitor.t("no-audit")) } } @else {
            (parts::scrolled(&visitor.t("nav-audit"), html! {
                thead { tr {
                    th scope="col" { (visitor.t("at")) }
                    th scope="col" { (visitor.t("audit-action")) }
                    th scope="col" { (visitor.t("audit-entity")) }
                    th scope="col" { (visitor.t("audit-actor")) }
                    th scope="col" { (visitor.t("audit-changes")) }
                } }
                tbody data-walk { @for entry in entries { tr {
                    td { (visitor.time(entry.created_at)) }
                    td { code { (entry.action) } }
                    td { (entity(visitor, entry)) }
                    td { (actor(visitor, names, entry)) }
                    td { (changes(visitor, entry)) }
                } } }
            }))
        }
    }
}

/// What it happened to, with the way there where it has a page, and to all that has happened to it.
fn entity(visitor: &Visitor, entry: &AuditEntry) -> Markup {
    let kind: Option<EntityType> = entry.entity_type.parse().ok();
    let name = match kind {
        Some(kind) => visitor.t(&format!("entity-{kind}").replace('_', "-")),
        None => entry.entity_type.clone(),
    };
    let id = entry.entity_id;
    let page = match kind {
        Some(EntityType::Customer) => Some(format!("/customers/{id}")),
        Some(EntityType::Inquiry) => Some(inquiries::link(id)),
        Some(EntityType::Response) => Some(approvals::link(id)),
        Some(EntityType::User) => Some(super::user::link(id)),
        Some(EntityType::Webhook) if visitor.may(Action::ManageWebhooks) => Some(super::webhook::link(id)),
        Some(EntityType::DeadLetter) if visitor.may(Action::ManageDeadLetters) => {
            Some(super::dead_letters::link(id))
        }
        _ => None,
    };
    html! {
        @match page { Some(page) => { a href=(page) { (name) } }, None => (name) }
        br;
        a.muted href={ "/audit?entityType=" (entry.entity_type) "&entityId=" (id) } title=(visitor.t("audit-of")) {
            code { (id) }
        }
    }
}

fn actor(visitor: &Visitor, names: &Names, entry: &AuditEntry) -> Markup {
    html! {
        @match entry.actor_id {
            Some(id) => { a href=(super::user::link(id)) { (names.user(visitor, id)) } },
            None => { span.muted { (visitor.t("the-hub")) } },
        }
    }
}

fn changes(prefs: &Prefs, entry: &AuditEntry) -> Markup {
    let fields: Vec<_> = entry.changes.keys().map(String::as_str).collect();
    html! {
        @if !fields.is_empty() {
            details {
                summary { (fields.join(", ")) }
                table {
                    thead { tr {
                        th scope="col" { (prefs.t("audit-field")) }
                        th scope="col" { (prefs.t("audit-before")) }
                        th scope="col" { (prefs.t("audit-after")) }
                    } }
                    tbody { @for (field, change) in &entry.changes { tr {
                        th scope="row" { (field) }
                        td.prose { (value(change.get("from"))) }
                        td.prose { (value(change.get("to"))) }
                    } } }
                }
                @if let Some(id) = &entry.request_id { p.muted { (prefs.t("request-id")) " " code { (id) } } }
            }
        }
    }
}

fn value(value: Option<&Value>) -> Markup {
    html! {
        @match value {
            None | Some(Value::Null) => "–",
            Some(Value::String(text)) => (text),
            Some(other @ (Value::Bool(_) | Value::Number(_))) => (other.to_string()),
            Some(other) => { pre tabindex="0" { (serde_json::to_string_pretty(other).unwrap_or_default()) } },
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::cookie::Cookie;
    use actix_web::test::TestRequest;

    use super::super::super::prefs::ZONE;
    use super::*;

    #[test]
    fn times_are_meant_where_the_visitor_is() {
        let request = TestRequest::default().cookie(Cookie::new(ZONE, "Europe/Berlin")).to_http_request();
        let berlin = Prefs::of(&request);
        assert_eq!(instant(&berlin, "2026-07-01T10:00").as_deref(), Some("2026-07-01T08:00:00.000Z"));
        assert_eq!(instant(&berlin, "2026-01-01T10:00:05").as_deref(), Some("2026-01-01T09:00:05.000Z"));
        // Twice, as clocks are set back; and never, as they are set forward.
        assert_eq!(instant(&berlin, "2026-10-25T02:30").as_deref(), Some("2026-10-25T00:30:00.000Z"));
        assert_eq!(instant(&berlin, "2026-03-29T02:30"), None);
        assert_eq!(instant(&berlin, "2026-07-01T10:00:00Z"), None);
    }
}
