//! What pages are put together from.

use std::fmt::Display;

use maud::{Markup, html};
use nexus_actors::domain::FieldError;
use nexus_actors::domain::inquiry::{InquiryStatus, Priority};
use nexus_actors::domain::page::PageMeta;
use nexus_actors::domain::response::{Response, ResponseStatus};
use nexus_actors::domain::text::single_line;
use nexus_actors::domain::user::Availability;

use super::fields::TOKEN;
use super::prefs::Prefs;
use super::visitor::Visitor;

/// A form that posts to `action`.
pub fn form(visitor: &Visitor, action: &str, body: Markup) -> Markup {
    html! {
        form method="post" action=(action) {
            (token(&visitor.form_token))
            (body)
        }
    }
}

/// For forms that need attributes of their own.
pub fn token(form_token: &str) -> Markup {
    html! { input type="hidden" name=(TOKEN) value=(form_token); }
}

/// A label above what it is for; `body` is the control with this `id`.
pub fn field(id: &str, label: &str, body: Markup) -> Markup {
    html! { div.field { label for=(id) { (label) } (body) } }
}

/// A table that can be scrolled where it is wider than the window, by keyboard as well.
pub fn scrolled(label: &str, table: Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(label) { table { (table) } } }
}

/// What [`select`] chooses from: values, each with the text that `id` names.
pub fn choices<'a, T: Display + 'a>(
    prefs: &Prefs,
    values: impl IntoIterator<Item = &'a T>,
    id: impl Fn(&T) -> String,
) -> Vec<(String, String)> {
    values.into_iter().map(|one| (one.to_string(), prefs.t(&id(one).replace('_', "-")))).collect()
}

/// Those of a filter: any, or one of these.
pub fn any_or<'a, T: Display + 'a>(
    prefs: &Prefs,
    values: impl IntoIterator<Item = &'a T>,
    id: impl Fn(&T) -> String,
) -> Vec<(String, String)> {
    let mut any_or = choices(prefs, values, id);
    any_or.insert(0, (String::new(), prefs.t("any")));
    any_or
}

/// A choice of values, each with its text.
pub fn select(id: &str, name: &str, choices: &[(String, String)], chosen: &str) -> Markup {
    html! {
        select id=(id) name=(name) {
            @for (value, text) in choices {
                // The text is the value where nothing else is.
                option value=[(value != text).then_some(value)] selected[value == chosen] { (text) }
            }
        }
    }
}

pub fn inquiry_status(prefs: &Prefs, status: InquiryStatus) -> Markup {
    html! { span.badge data-tone=(status) { (prefs.t(&format!("inquiry-{status}").replace('_', "-"))) } }
}

pub fn priority(prefs: &Prefs, priority: Priority) -> Markup {
    html! { span.badge data-tone=(priority) { (prefs.t(&format!("priority-{priority}"))) } }
}

pub fn availability(prefs: &Prefs, availability: Availability) -> Markup {
    html! { span.badge data-tone=(availability) { (prefs.t(&format!("availability-{availability}"))) } }
}

pub fn response_status(prefs: &Prefs, status: ResponseStatus) -> Markup {
    html! { span.badge data-tone=(status) { (prefs.t(&format!("response-{status}").replace('_', "-"))) } }
}

/// Its status, and what else has to be known of it at a glance.
pub fn response_badges(prefs: &Prefs, response: &Response) -> Markup {
    html! {
        (response_status(prefs, response.status))
        @if response.stale { " " span.badge data-tone="stale" { (prefs.t("stale")) } }
    }
}

/// What has gone wrong, for whoever has just pressed a button.
pub fn alert(text: &str) -> Markup {
    html! { p.notice.bad role="alert" { (text) } }
}

pub fn notice(text: &str) -> Markup {
    html! { p.notice role="status" { (text) } }
}

/// What has just been done, by the name that the page's address has for it.
pub fn done(prefs: &Prefs, known: &[&str], name: &str) -> Markup {
    html! {
        @if let Some(done) = known.iter().find(|known| **known == name) {
            (notice(&prefs.t(&format!("done-{done}"))))
        }
    }
}

/// All that was wrong in a form, in front of it.
pub fn errors(prefs: &Prefs, errors: &[FieldError]) -> Markup {
    html! {
        @if !errors.is_empty() {
            div.notice.bad role="alert" {
                p { (prefs.t("form-errors")) }
                ul { @for error in errors { li { (field_error(prefs, error)) } } }
            }
        }
    }
}

/// In the reader's language where the catalogue knows the field and the code; in the API's words otherwise.
pub fn field_error(prefs: &Prefs, error: &FieldError) -> String {
    // Of what is listed in a field, the field.
    let name = error.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
    let field =
        prefs.language.text_if_any(&format!("field-{}", kebab(name))).unwrap_or_else(|| name.to_owned());
    let what = prefs.language.text_if_any(&format!("error-{}", error.code.replace('_', "-")));
    format!("{field}: {}", what.unwrap_or_else(|| error.message.clone()))
}

/// `firstName` as in ids of texts.
fn kebab(name: &str) -> String {
    name.chars().fold(String::new(), |mut text, letter| {
        if letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
        text
    })
}

/// Below a list: how much there is and the way to the rest. `query` holds the list's own parameters.
pub fn pager(prefs: &Prefs, path: &str, query: &str, meta: &PageMeta) -> Markup {
    let link = |page: u32| {
        let joint = if query.is_empty() { "" } else { "&" };
        format!("{path}?{query}{joint}page={page}")
    };
    let total = if meta.total_estimated { "count-about" } else { "count" };
    html! {
        nav.pager aria-label=(prefs.t("pages")) {
            span.muted { (prefs.with(total, &[("n", meta.total.into())])) }
            @if meta.page > 1 { a rel="prev" href=(link(meta.page - 1)) { (prefs.t("page-previous")) } }
            @if meta.total_pages > 1 {
                span { (prefs.with("page-of", &[("page", meta.page.into()), ("pages", meta.total_pages.into())])) }
            }
            @if meta.next_cursor.is_some() { a rel="next" href=(link(meta.page + 1)) { (prefs.t("page-next")) } }
            @if !path.is_empty() { a href={ (path) ".csv?" (query) } { (prefs.t("csv")) } }
        }
    }
}

/// The beginning of a text, on one line.
pub fn excerpt(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = single_line(text);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Text as it was written, line by line.
pub fn prose(text: &str) -> Markup {
    html! { div.prose { (text) } }
}
