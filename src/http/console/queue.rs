//! A CSO's own work: what came back, and who waits for an answer.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::join_all;
use maud::{Markup, html};
use nexus_actors::HubResult;
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::inquiry::{Direction, Inquiry, InquiryStatus};
use nexus_actors::domain::page::{Page, PageRequest, SortOrder};
use nexus_actors::domain::response::{Response, ResponseStatus};
use nexus_actors::store::customers::AssigneeFilter;
use nexus_actors::store::inquiries::{InquiryFilter, ListInquiries, ListMessages};
use nexus_actors::store::responses::{ListResponses, ResponseFilter};
use uuid::Uuid;

use super::layout::{self, Place};
use super::names::Names;
use super::visitor::Visitor;
use super::{frame, inquiries, live, parts};
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

/// Inquiries on the page; those beyond are in the list of inquiries.
const SHOWN: u32 = 50;

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/queue").get(page));
}

async fn page(request: HttpRequest, state: State, visitor: Visitor) -> Result<HttpResponse, HttpError> {
    let body = work(&state, &visitor).await?;
    if frame::is_htmx(&request) {
        return Ok(layout::part(body));
    }
    let title = visitor.t("nav-queue");
    let body = html! {
        h1 { (title) }
        (live::connected(html! {
            div hx-get="/queue" hx-trigger="sse:changed" { (body) }
        }))
    };
    Ok(layout::page(&visitor, Place::Queue, &title, body))
}

async fn work(state: &HttpState, visitor: &Visitor) -> HubResult<Markup> {
    let (open, replies) =
        futures_util::future::try_join(open_inquiries(state, visitor), open_replies(state, visitor)).await?;
    let mut inquiries = open.data;
    inquiries.sort_by_key(Inquiry::place);
    let by_inquiry: HashMap<Uuid, &Response> =
        replies.iter().map(|reply| (reply.inquiry_id, reply)).collect();
    let waits = join_all(inquiries.iter().map(|inquiry| waiting_since(state, inquiry)));
    let waits = waits.await.into_iter().collect::<HubResult<Vec<_>>>()?;
    let names = inquiries::names(state, visitor, &inquiries).await?;
    let back: Vec<_> = replies
        .iter()
        .filter(|reply| {
            reply.stale || matches!(reply.status, ResponseStatus::Rejected | ResponseStatus::DeliveryFailed)
        })
        .collect();
    Ok(html! {
        @if !back.is_empty() { (came_back(visitor, &back)) }
        h2 { (visitor.t("queue-open")) }
        @if inquiries.is_empty() { p.card { (visitor.t("queue-empty")) } } @else {
            (table(visitor, &names, &inquiries, &waits, &by_inquiry))
        }
        @if open.meta.next_cursor.is_some() {
            p { a href={ "/inquiries?assignedTo=me&status=" (inquiries::OPEN) } { (visitor.t("queue-more")) } }
        }
    })
}

fn came_back(visitor: &Visitor, replies: &[&Response]) -> Markup {
    html! {
        h2 { (visitor.t("queue-back")) }
        ul.list.card data-walk {
            @for reply in replies {
                li { a href=(inquiries::link(reply.inquiry_id)) {
                    (parts::response_badges(visitor, reply)) " "
                    @if let Some(why) = reply.approval_notes.as_ref().or(reply.delivery_error.as_ref()) { (why) }
                    @else { (parts::excerpt(&reply.message)) }
                } }
            }
        }
    }
}

fn table(
    visitor: &Visitor,
    names: &Names,
    inquiries: &[Inquiry],
    waits: &[Option<Timestamp>],
    replies: &HashMap<Uuid, &Response>,
) -> Markup {
    html! {
        (parts::scrolled(&visitor.t("queue-open"), html! {
            thead { tr {
                th scope="col" { (visitor.t("field-subject")) }
                th scope="col" { (visitor.t("field-priority")) }
                th scope="col" { (visitor.t("waiting")) }
                th scope="col" { (visitor.t("reply")) }
                th.wide scope="col" { (visitor.t("customer")) }
                th.wide scope="col" { (visitor.t("field-status")) }
                th.wide scope="col" { (visitor.t("age")) }
            } }
            tbody data-walk {
                @for (inquiry, since) in inquiries.iter().zip(waits) { tr {
                    td { a href=(inquiries::link(inquiry.id)) { (inquiry.subject) } }
                    td { (parts::priority(visitor, inquiry.priority)) }
                    td { @if let Some(since) = since { (visitor.age(*since, visitor.now)) } @else { "–" } }
                    td { @if let Some(reply) = replies.get(&inquiry.id) { (parts::response_badges(visitor, reply)) }
                        @else { (visitor.t("no-reply")) } }
                    td.wide { (names.customer_name(visitor, inquiry.customer_id)) }
                    td.wide { (parts::inquiry_status(visitor, inquiry.status)) }
                    td.wide { (visitor.age(inquiry.created_at, visitor.now)) }
                } }
            }
        }))
    }
}

async fn open_inquiries(state: &HttpState, visitor: &Visitor) -> HubResult<Page<Inquiry>> {
    let filter = InquiryFilter {
        statuses: vec![InquiryStatus::Pending, InquiryStatus::InProgress],
        assigned_to: Some(AssigneeFilter::User(visitor.user.id)),
        ..InquiryFilter::default()
    };
    let page = PageRequest::first(SHOWN, "priority", SortOrder::Desc);
    state.hub.inquiries.ask(ListInquiries { filter, page }).await
}

/// The visitor's replies that are not on their way yet.
async fn open_replies(state: &HttpState, visitor: &Visitor) -> HubResult<Vec<Response>> {
    const OPEN: [ResponseStatus; 4] = [
        ResponseStatus::Draft,
        ResponseStatus::PendingApproval,
        ResponseStatus::Rejected,
        ResponseStatus::DeliveryFailed,
    ];
    let lists = join_all(OPEN.map(|status| {
        let filter = ResponseFilter {
            status: Some(status),
            responded_by: Some(visitor.user.id),
            visible_to: Some(visitor.user.id),
            ..ResponseFilter::default()
        };
        state
            .hub
            .responses
            .ask(ListResponses { filter, page: PageRequest::first(100, "createdAt", SortOrder::Desc) })
    }));
    let lists = lists.await.into_iter().collect::<HubResult<Vec<_>>>()?;
    Ok(lists.into_iter().flat_map(|page| page.data).collect())
}

/// Since when the customer has had no answer; `None` where the last word is ours.
async fn waiting_since(state: &HttpState, inquiry: &Inquiry) -> HubResult<Option<Timestamp>> {
    let page = PageRequest::first(1, "createdAt", SortOrder::Desc);
    let last = state.hub.inquiries.ask(ListMessages { inquiry_id: inquiry.id, page }).await?;
    Ok(match last.data.first() {
        Some(message) if message.direction == Direction::Outbound => None,
        Some(message) => Some(message.created_at),
        None => Some(inquiry.created_at),
    })
}
