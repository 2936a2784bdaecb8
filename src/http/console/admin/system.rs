//! How the hub and what it depends on fare.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::domain::user::Role;
use nexus_actors::measures::MailboxMeasures;
use nexus_actors::store::stats::Queue;
use nexus_actors::supervision::{ActorHealth, State as ActorState};
use nexus_actors::{Forbidden, HubError};

use super::super::layout::{self, Place};
use super::super::parts;
use super::super::prefs::Prefs;
use super::super::visitor::Visitor;
use crate::http::State;
use crate::http::health::{Check, Health, checked};
use crate::http::problem::HttpError;

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/system").get(page));
}

async fn page(state: State, visitor: Visitor) -> Result<HttpResponse, HttpError> {
    if visitor.user.role != Role::Admin {
        return Err(HubError::from(Forbidden::Role).into());
    }
    let (health, queues) = futures_util::join!(checked(&state), state.metrics.queues(&state));
    let title = visitor.t("nav-health");
    let body = html! {
        div.spread {
            h1 { (title) " " (badge(&visitor, health.status)) }
            span.muted { (visitor.with("version", &[("version", env!("CARGO_PKG_VERSION").into())])) }
        }
        (dependencies(&visitor, &health))
        h2 { (visitor.t("system-queues")) }
        @match queues {
            Some(queues) => (waiting(&visitor, &queues)),
            None => p.card { (visitor.t("system-queues-unknown")) },
        }
        h2 { (visitor.t("actors")) }
        (actors(&visitor, &state.hub.health(), &state.hub.mailboxes()))
    };
    Ok(layout::page(&visitor, Place::Health, &title, body))
}

fn badge(prefs: &Prefs, check: Check) -> Markup {
    let (tone, text) = match check {
        Check::Up => ("up", "check-up"),
        Check::Degraded => ("degraded", "check-degraded"),
        Check::Down => ("down", "check-down"),
    };
    html! { span.badge data-tone=(tone) { (prefs.t(text)) } }
}

fn dependencies(prefs: &Prefs, health: &Health) -> Markup {
    let checks = [
        ("database", health.checks.database),
        ("redis", health.checks.redis),
        ("broker", health.checks.broker),
        ("actors", health.checks.actors),
    ];
    html! {
        div.figures { @for (name, check) in checks {
            div.card { (prefs.t(name)) br; (badge(prefs, check)) }
        } }
        p.muted { (prefs.t("embedded-what")) }
    }
}

fn waiting(visitor: &Visitor, queues: &[Queue]) -> Markup {
    html! {
        (parts::scrolled(&visitor.t("system-queues"), html! {
            thead { tr {
                th scope="col" { (visitor.t("system-queue")) }
                th.number scope="col" { (visitor.t("system-queue-length")) }
                th scope="col" { (visitor.t("system-queue-oldest")) }
            } }
            tbody { @for queue in queues { tr {
                th scope="row" { (visitor.t(&format!("waits-{}", queue.name).replace('_', "-"))) }
                td.number { (queue.length) }
                td { @if let Some(at) = queue.oldest { (visitor.age(at, visitor.now)) } @else { "–" } }
            } } }
        }))
    }
}

/// In the order they were started; some are sent no messages.
fn actors(prefs: &Prefs, health: &[ActorHealth], mailboxes: &[MailboxMeasures]) -> Markup {
    let mailboxes: HashMap<_, _> = mailboxes.iter().map(|one| (one.actor, one)).collect();
    html! {
        (parts::scrolled(&prefs.t("actors"), html! {
            thead { tr {
                th scope="col" { (prefs.t("actor")) }
                th scope="col" { (prefs.t("field-status")) }
                th.number scope="col" { (prefs.t("restarts")) }
                th.number scope="col" { (prefs.t("messages-in-flight")) }
                th.number scope="col" { (prefs.t("messages-refused")) }
            } }
            tbody { @for actor in health { (row(prefs, actor, mailboxes.get(actor.name).copied())) } }
        }))
    }
}

fn row(prefs: &Prefs, actor: &ActorHealth, mailbox: Option<&MailboxMeasures>) -> Markup {
    let (tone, text) = match actor.state {
        ActorState::Starting => ("degraded", "actor-starting"),
        ActorState::Running => ("running", "actor-running"),
        ActorState::Restarting => ("degraded", "actor-restarting"),
        ActorState::Failed => ("failed", "actor-failed"),
        ActorState::Stopped => ("failed", "actor-stopped"),
    };
    html! {
        tr {
            th scope="row" { (actor.name) }
            td { span.badge data-tone=(tone) { (prefs.t(text)) } }
            td.number { (actor.restarts) }
            td.number { @match mailbox {
                Some(mailbox) => (prefs.with("load-of", &[
                    ("open", mailbox.in_flight.into()), ("most", mailbox.capacity.into()),
                ])),
                None => "–",
            } }
            td.number { @match mailbox { Some(mailbox) => (mailbox.refused.get()), None => "–" } }
        }
    }
}
