//! The approval policies in force, and which of them applies to a reply.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::HubError;
use nexus_actors::approval_coordinator::ExplainPolicies;
use nexus_actors::domain::approval_policy::{
    ApprovalPolicy, Check, Condition, Considered, Explanation, Requirement,
};
use nexus_actors::domain::policy::Action;
use uuid::Uuid;

use super::super::approvals;
use super::super::layout::{self, Place};
use super::super::list::ListQuery;
use super::super::parts;
use super::super::prefs::Prefs;
use super::super::visitor::Visitor;
use super::refusal;
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/policies").get(page));
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ExplainPolicies)?;
    let (status, answer) = match asked(&query) {
        None => (StatusCode::OK, html! {}),
        Some(asked) => match explained(&state, &visitor, asked).await {
            Ok(explanation) => (StatusCode::OK, why(&visitor, &explanation)),
            Err(error) => refusal(&visitor, error)?,
        },
    };
    let title = visitor.t("nav-policies");
    let body = html! {
        h1 { (title) }
        p { (visitor.t("policies-what")) }
        (in_force(&visitor, &state.settings.approval.policies))
        section.card aria-labelledby="explain" {
            h2 #explain { (visitor.t("explain")) }
            form.row method="get" action="/policies" {
                label for="reply" { (visitor.t("field-response-id")) }
                input #reply name="reply" required size="40" value=(query.value("reply"));
                button { (visitor.t("explain-do")) }
            }
            (answer)
        }
    };
    Ok(layout::with_status(status, &visitor, Place::Policies, &title, body))
}

/// The id typed, or the one that the link pasted ends in.
fn asked(query: &ListQuery) -> Option<&str> {
    let text = query.value("reply").trim().trim_end_matches('/');
    text.rsplit('/').next().filter(|text| !text.is_empty())
}

async fn explained(state: &HttpState, visitor: &Visitor, asked: &str) -> Result<Explanation, HttpError> {
    let unknown = |_| HubError::invalid("/responseId", "not_found", "must be the id of an existing response");
    let response_id = Uuid::parse_str(asked).map_err(unknown)?;
    let wanted = ExplainPolicies { caller: visitor.caller(None), response_id };
    Ok(state.hub.approval_coordinator.ask(wanted).await?)
}

fn in_force(prefs: &Prefs, policies: &[ApprovalPolicy]) -> Markup {
    html! {
        @if policies.is_empty() { p.card { (prefs.t("no-policies")) } } @else {
            ol { @for policy in policies { li.card {
                h2 { (policy.name) }
                p { strong { (requirement(prefs, policy.requires, policy.percentage)) } }
                (conditions(prefs, policy))
            } } }
            p.muted { (prefs.t("policies-else")) }
        }
    }
}

fn requirement(prefs: &Prefs, requires: Requirement, percentage: Option<u8>) -> String {
    match requires {
        Requirement::Required => prefs.t("requires-one"),
        Requirement::TwoApprovals => prefs.t("requires-two"),
        Requirement::Sampled => prefs.with("requires-some", &[("n", percentage.unwrap_or(100).into())]),
    }
}

fn conditions(prefs: &Prefs, policy: &ApprovalPolicy) -> Markup {
    let given = policy.conditions();
    html! {
        @if given.is_empty() { p { (prefs.t("policy-always")) } } @else {
            p { (prefs.t("policy-when")) }
            ul { @for (condition, wanted) in given { li {
                (name(prefs, condition)) ": " (either(prefs, condition, &wanted))
            } } }
            @if policy.requires == Requirement::Sampled && !policy.author.is_empty() {
                p.muted { (prefs.t("policy-all-authors")) }
            }
        }
    }
}

fn name(prefs: &Prefs, condition: Condition) -> String {
    prefs.t(match condition {
        Condition::Author => "author",
        Condition::Category => "field-category",
        Condition::Channel => "channel",
        Condition::CustomerStatus => "customer-status",
        Condition::Priority => "field-priority",
    })
}

/// One of these, in the words that pages have for them.
fn either(prefs: &Prefs, condition: Condition, values: &[String]) -> String {
    let word = |value: &String| match condition {
        Condition::CustomerStatus => prefs.t(&format!("customer-{value}")),
        Condition::Priority => prefs.t(&format!("priority-{value}")),
        Condition::Author | Condition::Category | Condition::Channel => value.clone(),
    };
    let words: Vec<_> = values.iter().map(word).collect();
    words.join(&format!(" {} ", prefs.t("or")))
}

fn why(visitor: &Visitor, explanation: &Explanation) -> Markup {
    html! {
        div role="status" {
            p.notice {
                @match &explanation.policy {
                    Some(policy) => (visitor.with("explain-applies", &[("policy", policy.as_str().into())])),
                    None => (visitor.t("explain-none")),
                }
                " " (requirement(visitor, explanation.requires, explanation.percentage))
            }
            p { a href=(approvals::link(explanation.response_id)) { (visitor.t("explain-reply")) } }
            ol { @for considered in &explanation.considered { (looked_at(visitor, considered)) } }
        }
    }
}

fn looked_at(prefs: &Prefs, considered: &Considered) -> Markup {
    html! {
        li {
            h3 { (considered.policy) " " (verdict(prefs, considered.matches, "explain-matches", "explain-no-match")) }
            @if considered.conditions.is_empty() { p { (prefs.t("policy-always")) } } @else {
                (parts::scrolled(&considered.policy, html! {
                    thead { tr {
                        th scope="col" { (prefs.t("condition")) }
                        th scope="col" { (prefs.t("wanted")) }
                        th scope="col" { (prefs.t("found")) }
                        th scope="col" { (prefs.t("holds")) }
                    } }
                    tbody { @for check in &considered.conditions { (row(prefs, check)) } }
                }))
            }
        }
    }
}

fn row(prefs: &Prefs, check: &Check) -> Markup {
    let words: Vec<_> =
        check.found.iter().map(|one| either(prefs, check.condition, std::slice::from_ref(one))).collect();
    html! {
        tr {
            th scope="row" { (name(prefs, check.condition)) }
            td { (either(prefs, check.condition, &check.wanted)) }
            td { @if words.is_empty() { "–" } @else { (words.join(", ")) } }
            td { (verdict(prefs, check.holds, "flag-true", "flag-false")) }
        }
    }
}

fn verdict(prefs: &Prefs, holds: bool, yes: &str, no: &str) -> Markup {
    let (tone, text) = if holds { ("up", yes) } else { ("away", no) };
    html! { span.badge data-tone=(tone) { (prefs.t(text)) } }
}
