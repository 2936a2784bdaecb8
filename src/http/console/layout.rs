//! The frame of every page.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use maud::{DOCTYPE, Markup, html};
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::user::{Availability, Role, User};

use super::prefs::{Prefs, Theme};
use super::visitor::Visitor;
use super::{assets, frame, parts, refusal};
use crate::http::problem::HttpError;

/// Where in the navigation a page belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Queue,
    Approvals,
    Inquiries,
    Replies,
    Customers,
    Team,
    Dashboard,
    Users,
    ApiKeys,
    Webhooks,
    DeadLetters,
    Policies,
    Audit,
    Health,
    Account,
    /// In none of it.
    Nowhere,
}

impl Place {
    /// Its link, its name, and whether this visitor finds anything there.
    fn entry(self, visitor: &Visitor) -> Option<(&'static str, String)> {
        let (link, name, open) = match self {
            Self::Queue => ("/queue", "nav-queue", visitor.user.role == Role::Cso),
            Self::Approvals => ("/approvals", "nav-approvals", visitor.may(Action::DecideResponse)),
            Self::Inquiries => ("/inquiries", "nav-inquiries", true),
            Self::Replies => ("/replies", "nav-replies", true),
            Self::Customers => ("/customers", "nav-customers", true),
            Self::Team => ("/team", "nav-team", visitor.may(Action::AssignInquiry)),
            Self::Dashboard => ("/dashboard", "nav-dashboard", true),
            Self::Users => ("/users", "nav-users", visitor.may(Action::ReadUsers)),
            Self::ApiKeys => ("/api-keys", "nav-api-keys", visitor.may(Action::ManageApiKeys)),
            Self::Webhooks => ("/webhooks", "nav-webhooks", visitor.may(Action::ManageWebhooks)),
            Self::DeadLetters => {
                ("/dead-letters", "nav-dead-letters", visitor.may(Action::ManageDeadLetters))
            }
            Self::Policies => ("/policies", "nav-policies", visitor.may(Action::ExplainPolicies)),
            Self::Audit => ("/audit", "nav-audit", visitor.may(Action::ReadAudit)),
            Self::Health => ("/system", "nav-health", visitor.user.role == Role::Admin),
            Self::Account | Self::Nowhere => return None,
        };
        open.then(|| (link, visitor.t(name)))
    }
}

/// The daily work, and what runs behind it.
const WORK: &[Place] = &[
    Place::Queue,
    Place::Approvals,
    Place::Inquiries,
    Place::Replies,
    Place::Customers,
    Place::Team,
    Place::Dashboard,
];
const ADMINISTRATION: &[Place] = &[
    Place::Users,
    Place::ApiKeys,
    Place::Webhooks,
    Place::DeadLetters,
    Place::Policies,
    Place::Audit,
    Place::Health,
];

/// A whole page for someone signed in.
pub fn page(visitor: &Visitor, place: Place, title: &str, body: Markup) -> HttpResponse {
    with_status(StatusCode::OK, visitor, place, title, body)
}

/// Likewise, where a form could not do what it was for.
pub fn with_status(
    status: StatusCode,
    visitor: &Visitor,
    place: Place,
    title: &str,
    body: Markup,
) -> HttpResponse {
    let page = document(
        visitor,
        title,
        Some(visitor),
        html! {
            a.skip href="#main" { (visitor.t("skip-to-content")) }
            header.top {
                a.brand href="/" { (visitor.t("product")) }
                (account(visitor))
            }
            div.columns {
                nav.places aria-label=(visitor.t("nav-label")) {
                    (places(visitor, place, WORK))
                    (places(visitor, place, ADMINISTRATION))
                }
                main #main tabindex="-1" { (body) }
            }
            div #toasts role="status" aria-live="polite" {}
            (shortcuts(visitor))
        },
    );
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.into_string())
}

/// A page for someone who is not signed in, or of whom nothing is to be told.
pub fn bare(status: StatusCode, prefs: &Prefs, title: &str, body: Markup) -> HttpResponse {
    let page = document(
        prefs,
        title,
        None,
        html! {
            header.top { a.brand href="/" { (prefs.t("product")) } }
            main.narrow #main { (body) }
        },
    );
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.into_string())
}

/// A part of a page, for a script to put in its place.
pub fn part(body: Markup) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body.into_string())
}

/// What went wrong, in a page of its own or, for htmx, in one paragraph.
pub fn failure(
    request: &HttpRequest,
    prefs: &Prefs,
    visitor: Option<&Visitor>,
    status: StatusCode,
    error: Option<&HttpError>,
) -> HttpResponse {
    let body = refusal::told(prefs, status, error);
    if frame::is_htmx(request) {
        return HttpResponse::build(status).content_type("text/html; charset=utf-8").body(body.into_string());
    }
    let title = prefs.with("failure-title", &[("status", status.as_str().into())]);
    let body = html! {
        h1 { (title) }
        (body)
        p { a href="/" { (prefs.t("back-to-work")) } }
    };
    match visitor {
        Some(visitor) => with_status(status, visitor, Place::Nowhere, &title, body),
        None => bare(status, prefs, &title, body),
    }
}

fn document(prefs: &Prefs, title: &str, visitor: Option<&Visitor>, body: Markup) -> Markup {
    let token = visitor.map(|visitor| visitor.form_token.as_str());
    let theme = Some(prefs.theme).filter(|theme| *theme != Theme::Auto).map(Theme::as_str);
    html! {
        (DOCTYPE)
        html lang=(prefs.language.tag()) data-theme=[theme] {
            head {
                meta charset="utf-8";
                title { (title) " · " (prefs.t("product")) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing that would need a laxer policy.
                meta name="htmx-config"
                    content=r#"{"allowEval":false,"allowScriptTags":false,"includeIndicatorStyles":false,"historyCacheSize":0,"selfRequestsOnly":true}"#;
                @if let Some(token) = token { meta name="form-token" content=(token); }
                link rel="icon" href=(assets::link("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::link("console.css"));
                script src=(assets::link("htmx.min.js")) defer {}
                script src=(assets::link("console.js")) defer {}
            }
            body data-person=[visitor.map(|visitor| visitor.user.id)]
                data-shortcuts=[visitor.filter(|visitor| visitor.shortcuts).map(|_| "on")]
                data-zone=[prefs.zone_follows.then_some("auto")]
                data-lost=(prefs.t("live-lost")) data-signed-out=(prefs.t("signed-out-meanwhile")) {
                (body)
            }
        }
    }
}

fn places(visitor: &Visitor, here: Place, places: &[Place]) -> Markup {
    let entries: Vec<_> = places.iter().filter_map(|&place| Some((place, place.entry(visitor)?))).collect();
    html! {
        @if !entries.is_empty() {
            ul {
                @for (place, (link, name)) in entries {
                    li { a href=(link) aria-current=[(place == here).then_some("page")] { (name) } }
                }
            }
        }
    }
}

fn account(visitor: &Visitor) -> Markup {
    let user = &visitor.user;
    html! {
        div.account {
            @if user.role == Role::Cso { (availability(visitor, user)) }
            a href="/account" { (user.first_name) " " (user.last_name) }
            span.muted { (visitor.t(&format!("role-{}", user.role))) }
            (parts::form(visitor, "/sign-out", html! {
                button.plain { (visitor.t("sign-out")) }
            }))
        }
    }
}

/// Whether work is handed to them, with the button that changes it.
fn availability(visitor: &Visitor, user: &User) -> Markup {
    let (then, to) = match user.availability {
        Availability::Online => ("go-away", Availability::Away),
        Availability::Away => ("come-back", Availability::Online),
    };
    parts::form(
        visitor,
        "/account/availability",
        html! {
            (parts::availability(visitor, user.availability))
            button.plain name="availability" value=(to) { (visitor.t(then)) }
        },
    )
}

/// What single keys do, asked for with `?`.
fn shortcuts(visitor: &Visitor) -> Markup {
    const KEYS: &[(&str, &str)] = &[
        ("j", "key-next"),
        ("k", "key-previous"),
        ("a", "key-approve"),
        ("r", "key-reject"),
        ("/", "key-search"),
        ("?", "key-help"),
    ];
    html! {
        dialog #shortcuts aria-labelledby="shortcuts-title" {
            h2 #shortcuts-title { (visitor.t("shortcuts-title")) }
            dl.keys {
                @for (key, what) in KEYS { dt { kbd { (key) } } dd { (visitor.t(what)) } }
            }
            form method="dialog" { button { (visitor.t("close")) } }
        }
        // For those who press no keys.
        p.foot { button.plain type="button" data-shows="shortcuts" hidden { (visitor.t("shortcuts-title")) } }
    }
}
