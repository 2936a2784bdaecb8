//! Around every page: who looks at it, how often, whether a form is the console's own, and how an error looks.

use std::rc::Rc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse};
use uuid::Uuid;

use super::fields::{Fields, TOKEN};
use super::prefs::Prefs;
use super::visitor::Visitor;
use super::{layout, second_factor, see_other, sign_in};
use crate::http::body::{announced_length, receive};
use crate::http::gate::{self, ClientAddress};
use crate::http::problem::HttpError;
use crate::http::signed::SignedIn;
use crate::http::{HttpState, State};

/// Only for this host, over TLS (or to this machine), and not for scripts.
pub const COOKIE: &str = "__Host-nexus";
/// What scripts send in place of the field of that name.
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-form-token");
/// htmx says so.
const HTMX: HeaderName = HeaderName::from_static("hx-request");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub async fn hold<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let Some(state) = request.app_data::<State>().cloned() else {
        return Err(HttpError::Unauthenticated("No state.").into());
    };
    // Where there is no page, nobody needs to be known.
    if request.match_pattern().is_none() && !wants_page(request.request()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let address = gate::client_address(&state, &request);
    request.extensions_mut().insert(ClientAddress(address));
    let signed_in = match signed_in(&state, request.request()).await {
        Ok(signed_in) => signed_in,
        Err(error) => SignedIn::Failed(error),
    };
    let decision = gate::count_page(&state, &signed_in, address).await;
    let session = match &signed_in {
        SignedIn::User { principal, .. } => Some(principal.session_id),
        _ => None,
    };
    request.extensions_mut().insert(Rc::new(signed_in));
    let refused = if decision.allowed {
        check_form(&state, &mut request, session).await
    } else {
        Err(HttpError::RateLimited { retry_after: decision.reset }.into())
    };
    let response = match refused {
        Ok(()) => next.call(request).await?.map_into_left_body(),
        Err(Refused::Kept(fields)) => {
            let page = sign_in::page_keeping(request.request(), &fields);
            request.into_response(page).map_into_right_body()
        }
        Err(Refused::Error(error)) => {
            request.into_response(HttpResponse::from_error(error)).map_into_right_body()
        }
    };
    Ok(dressed(response))
}

enum Refused {
    Error(HttpError),
    /// By nobody who is signed in any more: what they have written must not be lost.
    Kept(Fields),
}

impl From<HttpError> for Refused {
    fn from(error: HttpError) -> Self {
        Self::Error(error)
    }
}

/// Whoever the cookie stands for, as they are now.
async fn signed_in(state: &HttpState, request: &HttpRequest) -> Result<SignedIn, HttpError> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(SignedIn::Nobody) };
    let refused = || HttpError::Unauthenticated("The session has ended.");
    let session_id = state.tokens.parse_browser_token(cookie.value()).map_err(|_| refused())?;
    let found = gate::in_session(state, session_id, None).await?;
    Ok(gate::signed_in(state, request.path(), found.ok_or_else(refused)?))
}

/// A form of another site is refused, by what browsers say of where it comes from and by the token it cannot know.
/// This is the one place, so that no page can forget it.
async fn check_form(
    state: &HttpState,
    request: &mut ServiceRequest,
    session: Option<Uuid>,
) -> Result<(), Refused> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    if !from_here(request.request()) {
        return Err(HttpError::ForeignSite.into());
    }
    if request.path() == sign_in::PATH {
        // Of whoever is signed in already, or of nobody: there is no session that it would be made for.
        return Ok(());
    }
    let announced = announced_length(request.request());
    let body = receive(announced, request.take_payload()).await?;
    if let Some(session_id) = session {
        let header = request.headers().get(&TOKEN_HEADER).and_then(|value| value.to_str().ok());
        let token = header.map_or_else(|| Fields::parse(&body).text(TOKEN), str::to_owned);
        if !state.tokens.is_form_token(session_id, &token) {
            return Err(HttpError::EarlierSignIn.into());
        }
    } else if !is_htmx(request.request()) {
        return Err(Refused::Kept(Fields::parse(&body)));
    }
    request.set_payload(Payload::from(body));
    Ok(())
}

/// By `Sec-Fetch-Site` (Fetch Metadata), and where a browser is too old for that by `Origin`.
fn from_here(request: &HttpRequest) -> bool {
    let header = |name: &HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = header(&FETCH_SITE) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = header(&header::ORIGIN) else { return true };
    let host = header(&header::HOST);
    origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host)
}

pub fn is_htmx(request: &HttpRequest) -> bool {
    request.headers().contains_key(&HTMX)
}

fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    request.method() == Method::GET && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// As a browser has to be given it.
fn dressed<B: MessageBody + 'static>(
    response: ServiceResponse<EitherBody<B, BoxBody>>,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let mut response = if failed && !is_page {
        let kept = [header::RETRY_AFTER, header::ALLOW]
            .map(|name| (name.clone(), response.headers().get(name).cloned()));
        let request = response.request().clone();
        let error = response.response().error().and_then(|error| error.as_error::<HttpError>());
        let mut page = error_page(&request, status, error);
        for (name, value) in kept {
            if let Some(value) = value {
                page.headers_mut().insert(name, value);
            }
        }
        ServiceResponse::new(request, page.map_into_right_body())
    } else {
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Without any, browsers would not say where a form comes from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn error_page(request: &HttpRequest, status: StatusCode, error: Option<&HttpError>) -> HttpResponse {
    // A part of a page that is there already; its script says what it means.
    let whole = !is_htmx(request);
    if whole && status == StatusCode::UNAUTHORIZED && request.method() == Method::GET {
        let here = request.uri().path_and_query().map_or("/", |here| here.as_str());
        return see_other(&sign_in::link(here));
    }
    if whole && matches!(error, Some(HttpError::EnrolmentRequired)) {
        return see_other(second_factor::PATH);
    }
    let prefs = Prefs::of(request);
    let visitor = Visitor::from_request(request, &mut Payload::None).into_inner().ok();
    layout::failure(request, &prefs, visitor.as_ref(), status, error)
}
