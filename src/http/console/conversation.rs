//! One inquiry: what was said, who asks, and the reply that is being written.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::domain::inquiry::{ConversationMessage, Direction, Inquiry};
use nexus_actors::domain::page::{MAX_LIMIT, PageRequest, SortOrder};
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::response::{HistoryAction, HistoryEntry, Response, ResponseStatus};
use nexus_actors::store::inquiries::{ListAssignments, ListMessages};
use nexus_actors::store::responses::ListHistory;
use nexus_actors::{HubResult, new_id};
use uuid::Uuid;

use super::layout::{self, Place};
use super::list::ListQuery;
use super::names::Names;
use super::visitor::Visitor;
use super::{customers, diff, inquiries, live, parts, replies};
use crate::http::access::PathId;
use crate::http::problem::HttpError;
use crate::http::query::Query;
use crate::http::responses::asked;
use crate::http::{HttpState, State};

/// What a page says of the form that led to it.
const DONE: &[&str] = &["saved", "submitted", "withdrawn"];

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/inquiries/{id}").get(page));
}

async fn page(
    state: State,
    visitor: Visitor,
    id: PathId,
    query: ListQuery,
) -> Result<HttpResponse, HttpError> {
    let inquiry = crate::http::inquiries::visible(&state, visitor.principal(), id.0).await?;
    let (messages, all) =
        futures_util::join!(messages(&state, inquiry.id), visible_replies(&state, &visitor, inquiry.id));
    let (messages, all) = (messages?, all?);
    let own = replies::unfinished(&visitor, &all);
    let history = match own {
        Some(reply) => history(&state, reply.id).await?,
        None => Vec::new(),
    };
    let people = messages
        .iter()
        .filter_map(|message| message.author_id)
        .chain(all.iter().flat_map(|reply| [Some(reply.responded_by), reply.approved_by]).flatten())
        .chain(inquiry.assigned_to);
    let names = Names::of(&state, &visitor, people, [inquiry.customer_id]).await?;
    let body = html! {
        @if DONE.contains(&query.value("done")) {
            div data-taken { (parts::done(&visitor, DONE, query.value("done"))) }
        }
        h1 { (inquiry.subject) }
        div.aside {
            div {
                section.card aria-labelledby="talk" {
                    h2 #talk { (visitor.t("conversation")) }
                    (talk(&visitor, &names, &messages))
                }
                @if visitor.may(Action::CreateResponse) {
                    section.card aria-labelledby="reply" {
                        h2 #reply { (visitor.t("your-reply")) }
                        (reply(&visitor, &inquiry, own, &history))
                    }
                }
                (earlier(&visitor, &names, &all, own.map(|own| own.id)))
            }
            div {
                (customers::card(&visitor, names.customer(inquiry.customer_id)))
                (facts(&state, &visitor, &names, &inquiry).await?)
            }
        }
        (live::connected(html! {}))
    };
    Ok(layout::page(&visitor, Place::Inquiries, &inquiry.subject, body))
}

/// The newest hundred, the oldest of them first.
pub async fn messages(state: &HttpState, inquiry_id: Uuid) -> HubResult<Vec<ConversationMessage>> {
    let page = PageRequest::first(MAX_LIMIT, "createdAt", SortOrder::Desc);
    let mut found = state.hub.inquiries.ask(ListMessages { inquiry_id, page }).await?.data;
    found.reverse();
    Ok(found)
}

/// Every step of a reply's life, the oldest first.
pub async fn history(state: &HttpState, response_id: Uuid) -> HubResult<Vec<HistoryEntry>> {
    let page = PageRequest::first(MAX_LIMIT, "createdAt", SortOrder::Desc);
    let mut found = state.hub.responses.ask(ListHistory { response_id, page }).await?.data;
    found.reverse();
    Ok(found)
}

/// The text that was rejected last, where there is one.
pub fn rejected(history: &[HistoryEntry]) -> Option<(&HistoryEntry, &str)> {
    let rejection = history.iter().rev().find(|entry| entry.action == HistoryAction::Rejected)?;
    let written =
        history.iter().find(|entry| entry.revision == rejection.revision && entry.message.is_some())?;
    Some((rejection, written.message.as_deref()?))
}

/// As far as the visitor may see them, the newest first.
async fn visible_replies(
    state: &HttpState,
    visitor: &Visitor,
    inquiry_id: Uuid,
) -> Result<Vec<Response>, HttpError> {
    let query = Query::of(format!("inquiryId={inquiry_id}&limit={MAX_LIMIT}"));
    Ok(state.hub.responses.ask(asked(visitor.principal(), &query)?).await?.data)
}

pub fn talk(visitor: &Visitor, names: &Names, messages: &[ConversationMessage]) -> Markup {
    html! {
        ol.talk {
            @for message in messages {
                li data-side=(message.direction) {
                    p.muted {
                        @match (message.direction, message.author_id) {
                            (Direction::Outbound, Some(author)) => (names.user(visitor, author)),
                            (Direction::Outbound, None) => (visitor.t("a-colleague")),
                            (Direction::Inbound, _) => (visitor.t("customer")),
                        }
                        " · " (visitor.time(message.created_at))
                    }
                    (parts::prose(&message.message))
                }
            }
        }
    }
}

/// The editor, or what becomes of what was written in it.
fn reply(visitor: &Visitor, inquiry: &Inquiry, own: Option<&Response>, history: &[HistoryEntry]) -> Markup {
    let rejected = rejected(history);
    html! {
        @if let Some(own) = own {
            p { (parts::response_badges(visitor, own)) " " span.muted { (visitor.with("revision", &[("n", own.revision.into())])) } }
            @if let Some(notes) = own.approval_notes.as_ref().filter(|_| own.status != ResponseStatus::PendingApproval) {
                div.notice.warn role="note" { p { strong { (visitor.t("reviewer-says")) } } (parts::prose(notes)) }
            }
            @if let Some(error) = &own.delivery_error { (parts::alert(error)) }
        }
        @match own.map(|own| own.status) {
            None | Some(ResponseStatus::Draft | ResponseStatus::Rejected) => (editor(visitor, inquiry, own)),
            Some(ResponseStatus::PendingApproval) => (waiting(visitor, own)),
            Some(ResponseStatus::DeliveryFailed) => (failed(visitor, own)),
            Some(ResponseStatus::Approved | ResponseStatus::Sent) => {},
        }
        @if let (Some(own), Some((_, before))) = (own, rejected) {
            @if before != own.message {
                h3 { (visitor.t("changed-since-rejection")) }
                div.exact { (diff::words(before, &own.message)) }
            }
        }
    }
}

fn editor(visitor: &Visitor, inquiry: &Inquiry, own: Option<&Response>) -> Markup {
    let action = format!("{}/reply", inquiries::link(inquiry.id));
    html! {
        form.stack method="post" action=(action) data-draft=(inquiry.id) hx-post=(action)
            hx-trigger="input changed delay:800ms from:find textarea" hx-target="find .saved" hx-swap="innerHTML"
            hx-sync="this:queue last" {
            (parts::token(&visitor.form_token))
            // One draft comes of one page, however often it sends.
            input type="hidden" name="page" value=(new_id());
            p.notice.warn.restored hidden { (visitor.t("draft-restored")) }
            (parts::field("message", &visitor.t("reply-text"), html! {
                textarea #message name="message" rows="10" required maxlength="200000" {
                    "\n" (own.map_or("", |own| &own.message))
                }
            }))
            p.saved.muted role="status" {}
            div.row {
                button.primary name="then" value="submit" { (visitor.t("submit-for-approval")) }
                button name="then" value="save" { (visitor.t("save-draft")) }
            }
        }
    }
}

fn waiting(visitor: &Visitor, own: Option<&Response>) -> Markup {
    html! {
        @if let Some(own) = own {
            @if own.stale { p.notice.warn { (visitor.t("stale-author")) } }
            div.exact { (parts::prose(&own.message)) }
            p.muted { (visitor.t("waiting-what")) }
            (step(visitor, own, "withdraw", "withdraw"))
        }
    }
}

fn failed(visitor: &Visitor, own: Option<&Response>) -> Markup {
    html! {
        @if let Some(own) = own {
            div.exact { (parts::prose(&own.message)) }
            (step(visitor, own, "submit", "submit-again"))
        }
    }
}

fn step(visitor: &Visitor, own: &Response, action: &str, label: &str) -> Markup {
    parts::form(
        visitor,
        &format!("/replies/{}/{action}", own.id),
        html! {
            input type="hidden" name="version" value=(own.version);
            button { (visitor.t(label)) }
        },
    )
}

/// Replies that are decided, and those of others.
fn earlier(visitor: &Visitor, names: &Names, all: &[Response], own: Option<Uuid>) -> Markup {
    let others: Vec<_> = all.iter().filter(|reply| Some(reply.id) != own).cloned().collect();
    html! {
        @if !others.is_empty() {
            section aria-labelledby="earlier" {
                h2 #earlier { (visitor.t("other-replies")) }
                @for reply in &others { details.card {
                    summary {
                        (parts::response_badges(visitor, reply)) " "
                        (names.user(visitor, reply.responded_by)) " · " (visitor.time(reply.updated_at))
                    }
                    (parts::prose(&reply.message))
                    @if let Some(notes) = &reply.approval_notes {
                        p.muted { (visitor.t("reviewer-says")) " " (notes) }
                    }
                    @if reply.status == ResponseStatus::PendingApproval && visitor.may(Action::DecideResponse) {
                        p { a href=(super::approvals::link(reply.id)) { (visitor.t("review")) } }
                    }
                } }
            }
        }
    }
}

async fn facts(state: &HttpState, visitor: &Visitor, names: &Names, inquiry: &Inquiry) -> HubResult<Markup> {
    let page = PageRequest::first(1, "createdAt", SortOrder::Desc);
    let decisions = state.hub.inquiries.ask(ListAssignments { inquiry_id: inquiry.id, page }).await?;
    let why = decisions
        .data
        .first()
        .map(|decision| visitor.t(&format!("reason-{}", decision.reason).replace('_', "-")));
    Ok(html! {
        section.card aria-labelledby="facts" {
            h2 #facts { (visitor.t("inquiry")) }
            dl.facts {
                dt { (visitor.t("field-status")) } dd { (parts::inquiry_status(visitor, inquiry.status)) }
                dt { (visitor.t("field-priority")) } dd { (parts::priority(visitor, inquiry.priority)) }
                dt { (visitor.t("field-category")) } dd { (inquiry.category) }
                dt { (visitor.t("channel")) } dd { (inquiry.channel) }
                dt { (visitor.t("received")) } dd { (visitor.time(inquiry.created_at)) }
                dt { (visitor.t("field-assigned-to")) } dd {
                    (names.user_or_nobody(visitor, inquiry.assigned_to))
                    @if let Some(why) = why { br; span.muted { (why) } }
                }
            }
            div.stack { (inquiries::actions(state, visitor, inquiry).await?) }
        }
    })
}
