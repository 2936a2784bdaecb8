//! The visitor's second factor: set up, replaced, taken off.

use actix_web::{HttpResponse, web};
use maud::{Markup, PreEscaped, html};
use nexus_actors::HubError;
use qrcode::QrCode;
use qrcode::render::svg;

use super::fields::Fields;
use super::layout::{self, Place};
use super::visitor::Visitor;
use super::{parts, see_other};
use crate::http::State;
use crate::http::auth::totp::{self, TotpBeginning, TotpProof, TotpSecret, TotpState};
use crate::http::problem::HttpError;

pub const PATH: &str = "/account/second-factor";

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource(PATH).get(page))
        .service(web::resource("/account/second-factor/begin").post(begin))
        .service(web::resource("/account/second-factor/confirm").post(confirm))
        .service(web::resource("/account/second-factor/recovery-codes").post(renew))
        .service(web::resource("/account/second-factor/disable").post(disable));
}

/// On the account's page.
pub fn card(visitor: &Visitor) -> Markup {
    let state = if visitor.user.totp_enabled { "second-factor-on" } else { "second-factor-off" };
    html! {
        section.card aria-labelledby="second" {
            h2 #second { (visitor.t("second-factor")) }
            p { (visitor.t(state)) }
            p { a href=(PATH) { (visitor.t("second-factor-manage")) } }
        }
    }
}

async fn page(state: State, visitor: Visitor) -> Result<HttpResponse, HttpError> {
    let standing = totp::standing(&state, &visitor.user).await?;
    Ok(show(&visitor, standing_page(&visitor, &standing)))
}

async fn begin(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    let beginning =
        TotpBeginning { current_password: fields.text("current-password"), code: fields.optional("code") };
    let secret = totp::begin(&state, visitor.caller(None), &visitor.user, beginning).await?;
    Ok(show(&visitor, confirm_page(&visitor, &secret, false)?))
}

/// A wrong code shows the same secret again: it is one that the visitor knows already.
async fn confirm(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    let code = fields.text("code");
    match totp::confirm(&state, visitor.caller(None), visitor.user.id, code.trim()).await {
        Ok(codes) => Ok(show(&visitor, codes_page(&visitor, &codes))),
        Err(HttpError::Hub(HubError::Invalid(_))) => {
            let secret = TotpSecret { secret: fields.text("secret"), uri: fields.text("uri") };
            Ok(show(&visitor, confirm_page(&visitor, &secret, true)?))
        }
        Err(error) => Err(error),
    }
}

async fn renew(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    let codes = totp::renew(&state, visitor.caller(None), &visitor.user, proof(&fields)).await?;
    Ok(show(&visitor, codes_page(&visitor, &codes)))
}

async fn disable(state: State, visitor: Visitor, fields: Fields) -> Result<HttpResponse, HttpError> {
    totp::disable(&state, visitor.caller(None), &visitor.user, proof(&fields)).await?;
    Ok(see_other(PATH))
}

fn proof(fields: &Fields) -> TotpProof {
    TotpProof {
        current_password: fields.text("current-password"),
        code: fields.text("code").trim().to_owned(),
    }
}

fn show(visitor: &Visitor, body: Markup) -> HttpResponse {
    let title = visitor.t("second-factor");
    let body = html! { h1 { (title) } (body) };
    layout::page(visitor, Place::Account, &title, body)
}

fn standing_page(visitor: &Visitor, standing: &TotpState) -> Markup {
    html! {
        @if standing.required && !standing.enabled {
            p.notice.warn { (visitor.t("second-factor-required")) }
        }
        @if standing.enabled {
            p { (visitor.t("second-factor-on")) " "
                (visitor.with("recovery-codes-left", &[("n", standing.recovery_codes_left.into())])) }
        } @else {
            p { (visitor.t("second-factor-what")) }
        }
        div.two {
            (section(visitor, "begin", if standing.enabled { "second-factor-replace" } else { "second-factor-set-up" },
                standing.enabled))
            @if standing.enabled {
                (section(visitor, "recovery-codes", "recovery-codes-renew", true))
                @if !standing.required { (section(visitor, "disable", "second-factor-take-off", true)) }
            }
        }
    }
}

/// A form that takes the password and, where there is an authenticator, a code of it.
fn section(visitor: &Visitor, action: &str, label: &str, with_code: bool) -> Markup {
    let (password, code) = (format!("{action}-password"), format!("{action}-code"));
    html! {
        section.card {
            h2 { (visitor.t(label)) }
            (parts::form(visitor, &format!("{PATH}/{action}"), html! { div.stack {
                (parts::field(&password, &visitor.t("field-current-password"), html! {
                    input id=(password) name="current-password" type="password" autocomplete="current-password"
                        required;
                }))
                @if with_code {
                    (parts::field(&code, &visitor.t("field-code"), html! {
                        input id=(code) name="code" autocomplete="one-time-code" required;
                    }))
                }
                div { button.primary { (visitor.t("go-on")) } }
            } }))
        }
    }
}

fn confirm_page(visitor: &Visitor, secret: &TotpSecret, wrong: bool) -> Result<Markup, HttpError> {
    let picture = QrCode::new(&secret.uri)
        .map_err(|error| HubError::Internal(format!("the QR code of a second factor: {error}")))?
        .render::<svg::Color<'_>>()
        .min_dimensions(220, 220)
        .build();
    // An element of the page is not a document with a declaration.
    let picture = picture.split_once("?>").map_or(picture.as_str(), |(_, svg)| svg);
    Ok(html! {
        @if wrong { (parts::alert(&visitor.t("sign-in-code-wrong"))) }
        section.card {
            p { (visitor.t("second-factor-scan")) }
            div role="img" aria-label=(visitor.t("second-factor-picture")) { (PreEscaped(picture)) }
            p { (visitor.t("second-factor-type")) " " code { (secret.secret) } }
            (parts::form(visitor, &format!("{PATH}/confirm"), html! { div.stack {
                input type="hidden" name="secret" value=(secret.secret);
                input type="hidden" name="uri" value=(secret.uri);
                (parts::field("code", &visitor.t("field-code"), html! {
                    input #code name="code" autocomplete="one-time-code" inputmode="numeric" required;
                }))
                div { button.primary { (visitor.t("go-on")) } }
            } }))
        }
    })
}

fn codes_page(visitor: &Visitor, codes: &[String]) -> Markup {
    html! {
        (parts::notice(&visitor.t("second-factor-done")))
        section.card {
            p { (visitor.t("recovery-codes-what")) }
            pre { @for code in codes { (code) "\n" } }
            p { a href="/" { (visitor.t("back-to-work")) } }
        }
    }
}
