//! Signing in and out.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use nexus_actors::user_desk::Ending;

use super::fields::Fields;
use super::frame::COOKIE;
use super::prefs::Prefs;
use super::visitor::Visitor;
use super::{layout, parts, see_other};
use crate::http::auth::{SignIn, end_sessions, open_session};
use crate::http::problem::HttpError;
use crate::http::{HttpState, State};

pub const PATH: &str = "/sign-in";
/// What someone had written when their session had ended, and where it belongs.
const KEPT: &str = "kept";
const KEPT_FOR: &str = "kept-for";
/// What forms call a text that must not be lost.
const MESSAGE: &str = "message";

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource(PATH).get(page).post(sign_in))
        .service(web::resource("/sign-out").post(sign_out));
}

/// To the sign-in page, and from there back.
pub fn link(back: &str) -> String {
    let next = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", back).finish();
    format!("{PATH}?{next}")
}

struct Sheet<'a> {
    next: &'a str,
    email: &'a str,
    /// A code is asked for.
    code: bool,
    kept: Option<(&'a str, &'a str)>,
    problem: Option<String>,
}

async fn page(request: HttpRequest) -> HttpResponse {
    let fields = Fields::parse(request.query_string().as_bytes());
    let sheet = Sheet { next: &fields.text("next"), email: "", code: false, kept: None, problem: None };
    answer(&request, StatusCode::OK, &sheet)
}

/// For a form that came after the session had ended: what was written in it goes along.
pub fn page_keeping(request: &HttpRequest, fields: &Fields) -> HttpResponse {
    let text = fields.text(MESSAGE);
    let kept = (!text.is_empty()).then_some((text.as_str(), request.path()));
    let problem =
        Some(Prefs::of(request).t(if kept.is_some() { "signed-out-text-kept" } else { "signed-out" }));
    let sheet = Sheet { next: "/", email: "", code: false, kept, problem };
    answer(request, StatusCode::UNAUTHORIZED, &sheet)
}

async fn sign_in(request: HttpRequest, state: State, fields: Fields) -> Result<HttpResponse, HttpError> {
    let prefs = Prefs::of(&request);
    let (email, next) = (fields.text("email"), fields.text("next"));
    let sign_in = SignIn {
        email: email.trim().to_owned(),
        password: fields.text("password"),
        code: fields.optional("code").map(|code| code.trim().to_owned()),
    };
    let kept = fields.optional(KEPT).map(|text| (text, fields.text(KEPT_FOR)));
    let (problem, status) = match open_session(&state, &request, &sign_in).await {
        Ok(opened) => {
            let cookie = cookie(&state, state.tokens.browser_token(opened.session_id));
            let mut response = match &kept {
                Some((text, target)) => {
                    let form_token = state.tokens.form_token(opened.session_id);
                    resume(&prefs, &form_token, own_path(target), text)
                }
                None => see_other(own_path(&next)),
            };
            response.add_cookie(&cookie).map_err(|error| {
                nexus_actors::HubError::Internal(format!("the session's cookie: {error}"))
            })?;
            return Ok(response);
        }
        Err(HttpError::Unauthenticated(_)) => ("sign-in-wrong", StatusCode::UNAUTHORIZED),
        Err(HttpError::SecondFactorRequired) => ("sign-in-code-needed", StatusCode::UNAUTHORIZED),
        Err(HttpError::SecondFactorRefused) => ("sign-in-code-wrong", StatusCode::UNAUTHORIZED),
        Err(HttpError::RateLimited { .. }) => ("sign-in-too-often", StatusCode::TOO_MANY_REQUESTS),
        Err(error) => return Err(error),
    };
    let code = sign_in.code.is_some() || problem.starts_with("sign-in-code");
    let kept = kept.as_ref().map(|(text, target)| (text.as_str(), target.as_str()));
    let sheet = Sheet { next: &next, email: &email, code, kept, problem: Some(prefs.t(problem)) };
    Ok(answer(&request, status, &sheet))
}

async fn sign_out(request: HttpRequest, state: State, visitor: Visitor) -> Result<HttpResponse, HttpError> {
    let principal = visitor.principal();
    end_sessions(&state, &request, principal.user_id, Ending::One(principal.session_id)).await?;
    let mut gone = cookie(&state, String::new());
    gone.make_removal();
    let mut response = see_other(PATH);
    response
        .add_cookie(&gone)
        .map_err(|error| nexus_actors::HubError::Internal(format!("the session's cookie: {error}")))?;
    Ok(response)
}

/// Lax, so that a link in a mail leads to the page and not to the sign-in.
fn cookie(state: &HttpState, value: String) -> Cookie<'static> {
    let ttl = i64::try_from(state.settings.auth.refresh_ttl.as_secs()).unwrap_or(i64::MAX);
    Cookie::build(COOKIE, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(ttl))
        .finish()
}

/// A path of this host, and `/` for whatever else a link may say.
fn own_path(text: &str) -> &str {
    let own = text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains('\\')
        && !text.chars().any(char::is_control);
    if own { text } else { "/" }
}

fn answer(request: &HttpRequest, status: StatusCode, sheet: &Sheet<'_>) -> HttpResponse {
    let prefs = Prefs::of(request);
    let title = prefs.t("sign-in");
    let body = html! {
        h1 { (title) }
        @if let Some(problem) = &sheet.problem { (parts::alert(problem)) }
        // Browsers keep the cookie over TLS, and from this machine; the script knows which it is.
        p.notice.bad #insecure hidden { (prefs.t("sign-in-needs-https")) }
        (form(&prefs, sheet))
    };
    layout::bare(status, &prefs, &title, body)
}

fn form(prefs: &Prefs, sheet: &Sheet<'_>) -> Markup {
    html! {
        form.stack method="post" action=(PATH) {
            input type="hidden" name="next" value=(sheet.next);
            @if let Some((text, target)) = sheet.kept {
                input type="hidden" name=(KEPT) value=(text);
                input type="hidden" name=(KEPT_FOR) value=(target);
            }
            (parts::field("email", &prefs.t("field-email"), html! {
                input #email name="email" type="email" autocomplete="username" required value=(sheet.email)
                    autofocus[sheet.email.is_empty()];
            }))
            (parts::field("password", &prefs.t("field-password"), html! {
                input #password name="password" type="password" autocomplete="current-password" required
                    autofocus[!sheet.email.is_empty() && !sheet.code];
            }))
            @if sheet.code {
                (parts::field("code", &prefs.t("field-code"), html! {
                    input #code name="code" autocomplete="one-time-code" required autofocus;
                }))
            }
            button.primary { (prefs.t("sign-in")) }
        }
    }
}

/// What was written before the session had ended, to be sent now.
fn resume(prefs: &Prefs, form_token: &str, target: &str, text: &str) -> HttpResponse {
    let title = prefs.t("resume-title");
    let body = html! {
        h1 { (title) }
        form.stack method="post" action=(target) {
            (parts::token(form_token))
            (parts::field("message", &prefs.t("resume-text"), html! {
                textarea #message name=(MESSAGE) rows="12" { "\n" (text) }
            }))
            button.primary { (prefs.t("save")) }
            a href="/" { (prefs.t("discard")) }
        }
    };
    layout::bare(StatusCode::OK, prefs, &title, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for own in ["/", "/queue?page=2", "/inquiries/1"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in
            ["", "//example.com", "https://example.com", "/\\example.com", "javascript:alert(1)", "/a\nb"]
        {
            assert_eq!(own_path(foreign), "/", "{foreign:?}");
        }
    }
}
