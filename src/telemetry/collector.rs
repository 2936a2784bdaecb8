//! The way to the collector: what the exporter wants posted is posted by the actix project's client on a thread of its
//! own, because the exporter's thread has no runtime.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, Recipient, ResponseFuture, Supervised};
use awc::http::header::RETRY_AFTER;
use awc::{Client, Connector};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// For a whole post, the answer included.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read. The little there is to say fits.
const MAX_ANSWER: usize = 64 * 1024;

/// Holds the connection to the collector.
pub(super) struct TraceSender(Client);

/// Posts this, and answers with what came back, in [`PATIENCE`] at most.
#[derive(Message)]
#[rtype(result = "Result<Response<Bytes>, String>")]
pub(super) struct Post(Request<Bytes>);

impl TraceSender {
    /// On the thread it is made on.
    pub(super) fn new(tls: &Arc<rustls::ClientConfig>) -> Self {
        let connector = Connector::new().rustls_0_23(Arc::clone(tls)).timeout(PATIENCE);
        let builder = Client::builder().disable_timeout().disable_redirects().no_default_headers();
        Self(builder.connector(connector).finish())
    }
}

impl Actor for TraceSender {
    type Context = Context<Self>;
}

impl Supervised for TraceSender {}

impl Handler<Post> for TraceSender {
    type Result = ResponseFuture<Result<Response<Bytes>, String>>;

    fn handle(&mut self, Post(request): Post, _: &mut Self::Context) -> Self::Result {
        let client = self.0.clone();
        Box::pin(async move {
            let answered = tokio::time::timeout(PATIENCE, post(&client, request)).await;
            answered.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
        })
    }
}

async fn post(client: &Client, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let (head, body) = request.into_parts();
    let mut post = client.post(head.uri.to_string());
    for (name, value) in &head.headers {
        post = post.insert_header((name.as_str(), value.as_bytes()));
    }
    let mut answer = post.send_body(body).await.map_err(|error| error.to_string())?;
    let body = answer.body().limit(MAX_ANSWER).await.map_err(|error| error.to_string())?;
    let mut response = Response::builder().status(answer.status().as_u16());
    if let Some(pause) = answer.headers().get(RETRY_AFTER) {
        response = response.header("retry-after", pause.as_bytes());
    }
    response.body(body).map_err(|error| error.to_string())
}

/// What the exporter posts by.
pub(super) struct Poster(pub Recipient<Post>);

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Poster")
    }
}

impl HttpClient for Poster {
    // As `async_trait` would write it.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let posted = self.0.send(Post(request));
        Box::pin(async move { Ok(posted.await??) })
    }
}
