//! Calls the endpoints of webhooks.
//!
//! Whoever may name an endpoint must not thereby reach what only the hub can: unless `webhooks.allow_private` says
//! otherwise, a call goes to addresses of the public Internet alone. That is settled by the addresses the connection
//! is then made to, not by an earlier look at the name, and redirects are not followed.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Recipient, ResponseFuture, Supervised};
use actix_rt::Arbiter;
use awc::error::SendRequestError;
use awc::http::header::{self, HeaderMap};
use awc::{Client, Connector};
use futures_util::StreamExt;
use nexus_actors::domain::webhook::{Answer, MAX_ANSWER, is_private};
use nexus_actors::port::CallWebhook;
use nexus_actors::supervision::Supervision;
use url::Url;

mod public_hosts;
mod settings;
mod signature;

pub use settings::WebhookSettings;
pub use signature::new_secret;

use crate::settings::BadSetting;
use crate::transport;
use public_hosts::{PublicHosts, Refused};

/// For connecting, the look-up of the name and the handshake each, within the time for the whole call.
const CONNECTING: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("nexus-hub/", env!("CARGO_PKG_VERSION"));
/// A character has at most four bytes.
const MAX_ANSWER_BYTES: usize = MAX_ANSWER * 4;

/// Holds the connections to endpoints.
pub struct WebhookCaller {
    client: Client,
    timeout: Duration,
    allow_private: bool,
}

impl WebhookCaller {
    /// A supervised caller on a thread of its own.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn start(
        settings: &WebhookSettings,
        supervision: &Supervision,
    ) -> Result<Recipient<CallWebhook>, BadSetting> {
        settings.check()?;
        let (timeout, allow_private) = (settings.timeout, settings.allow_private);
        let tls = Arc::new(transport::tls("webhooks")?);
        // The client belongs to the thread it is made on.
        let make =
            move |_: &mut Context<Self>| Self { client: client(&tls, allow_private), timeout, allow_private };
        Ok(supervision.start(&Arbiter::new().handle(), "WebhookCaller", make).recipient())
    }
}

impl Actor for WebhookCaller {
    type Context = Context<Self>;
}

impl Supervised for WebhookCaller {}

impl Handler<CallWebhook> for WebhookCaller {
    type Result = ResponseFuture<Answer>;

    fn handle(&mut self, call: CallWebhook, _: &mut Self::Context) -> Self::Result {
        let (client, limit, allow_private) = (self.client.clone(), self.timeout, self.allow_private);
        Box::pin(async move {
            match tokio::time::timeout(limit, post(&client, call, allow_private)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => Answer::None { error },
                Err(_) => Answer::None { error: format!("no answer within {limit:?}") },
            }
        })
    }
}

fn client(tls: &Arc<rustls::ClientConfig>, allow_private: bool) -> Client {
    let connector = Connector::new()
        .rustls_0_23(Arc::clone(tls))
        .timeout(CONNECTING)
        .handshake_timeout(CONNECTING)
        // The dispatcher bounds the calls; with fewer connections, endpoints that hang would hold up the rest.
        .limit(0);
    // The time for the whole call, answer and all, is kept by the handler.
    let builder = Client::builder().disable_timeout().disable_redirects().no_default_headers();
    if allow_private {
        builder.connector(connector).finish()
    } else {
        let resolver = actix_tls::connect::Resolver::custom(PublicHosts);
        let connector = connector.connector(actix_tls::connect::Connector::new(resolver).service());
        builder.connector(connector).finish()
    }
}

async fn post(client: &Client, call: CallWebhook, allow_private: bool) -> Result<Answer, String> {
    let url = Url::parse(&call.url).map_err(|error| format!("the URL cannot be read: {error}"))?;
    if !allow_private && url.host().is_some_and(|host| is_private(&host)) {
        // The client asks the resolver for names alone.
        return Err(Refused.to_string());
    }
    let id = format!("msg_{}", call.id.simple());
    let timestamp = (call.at.millis() / 1000).to_string();
    let signed = signature::header(&call.secrets, &id, &timestamp, &call.body)?;
    let request = client
        .post(call.url.as_str())
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::USER_AGENT, USER_AGENT))
        .insert_header(("webhook-id", id))
        .insert_header(("webhook-timestamp", timestamp))
        .insert_header(("webhook-signature", signed));
    let mut response = request.send_body(call.body).await.map_err(|error| in_words(&error))?;
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER_BYTES {
        match response.next().await {
            Some(Ok(chunk)) => body.extend_from_slice(&chunk),
            // The status has been said, and is what counts.
            Some(Err(_)) | None => break,
        }
    }
    body.truncate(MAX_ANSWER_BYTES);
    let body = String::from_utf8_lossy(&body).chars().take(MAX_ANSWER).collect();
    Ok(Answer::Answered { status: response.status().as_u16(), body, retry_after })
}

/// In seconds; a date is not taken, as it is nothing without a clock that agrees.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What went wrong, without what only concerns the hub.
fn in_words(error: &SendRequestError) -> String {
    use actix_tls::connect::ConnectError as Tcp;
    use awc::error::ConnectError;
    match error {
        SendRequestError::Connect(ConnectError::Resolver(cause)) => {
            let inner = cause.downcast_ref::<Tcp>();
            let cause = match inner {
                Some(Tcp::Resolver(cause)) => cause,
                Some(_) | None => cause,
            };
            match cause.downcast_ref::<Refused>() {
                Some(refused) => refused.to_string(),
                None => format!("the host cannot be resolved: {cause}"),
            }
        }
        other => other.to_string(),
    }
}
