//! Publishes to RabbitMQ, and tells of each message what became of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, ResponseFuture, Supervised, WrapFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Error, ErrorKind, PublisherConfirm};
use nexus_actors::domain::trace_parent::TraceParent;
use nexus_actors::port::{Outcome, Outgoing, Publish};
use nexus_actors::trace::Tracer;
use nexus_actors::{HubError, HubResult};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::headers::{short, to_table};
use super::link::{Link, Live};
use super::parcel::Parcel;
use super::topology::Topology;
use super::traces;

const PERSISTENT: u8 = 2;
const NOT_FOUND: u16 = 404;
const AWAY: HubError = HubError::Unavailable { what: "broker" };

pub struct Publisher(Outbound);

#[derive(Clone)]
pub struct Outbound {
    link: Link,
    topology: Topology,
    /// For a whole batch.
    confirm_timeout: Duration,
    /// One batch at a time: returned messages attach to whichever confirm is next.
    lane: Arc<Mutex<Lane>>,
    tracer: Option<Tracer>,
}

/// The channel in use and the connection it is of.
#[derive(Default)]
struct Lane(Option<(Live, Channel)>);

/// Confirms under way, each with the place of its message.
type Confirms =
    FuturesUnordered<futures_util::future::BoxFuture<'static, (usize, Result<Confirmation, Error>)>>;

impl Publisher {
    pub fn new(link: Link, topology: Topology, confirm_timeout: Duration, tracer: Option<Tracer>) -> Self {
        Self(Outbound { link, topology, confirm_timeout, lane: Arc::default(), tracer })
    }
}

impl Actor for Publisher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let link = self.0.link.clone();
        ctx.spawn(async move { link.run().await }.into_actor(self));
    }
}

impl Supervised for Publisher {}

impl Handler<Publish> for Publisher {
    type Result = ResponseFuture<HubResult<Vec<Outcome>>>;

    fn handle(&mut self, Publish(messages): Publish, _: &mut Self::Context) -> Self::Result {
        let outbound = self.0.clone();
        Box::pin(async move { outbound.publish_all(&messages).await })
    }
}

impl Outbound {
    async fn publish_all(&self, messages: &[(Outgoing, Option<TraceParent>)]) -> HubResult<Vec<Outcome>> {
        // Nothing is to be seen in a trace of every try while the broker is away.
        let tracer = self.tracer.as_ref().filter(|_| self.link.is_up());
        let (mut parcels, mut spans) = (Vec::new(), Vec::new());
        for (message, place) in messages {
            let mut parcel = Parcel::of(message, &self.topology)?;
            spans.push(traces::begin(tracer, &mut parcel, message, *place));
            parcels.push(parcel);
        }
        let outcomes = self.publish(&parcels).await;
        for (index, span) in spans.iter().enumerate() {
            let outcome = outcomes.as_ref().ok().and_then(|outcomes| outcomes.get(index));
            if let Some(span) = span {
                traces::end(span, outcome.copied().unwrap_or(Outcome::Unconfirmed));
            }
        }
        outcomes
    }

    async fn publish(&self, parcels: &[Parcel]) -> HubResult<Vec<Outcome>> {
        let deadline = Instant::now() + self.confirm_timeout;
        let mut lane = timeout_at(deadline, self.lane.lock()).await.map_err(|_| AWAY)?;
        let live = self.link.live().ok_or(AWAY)?;
        if !live.connection.is_connected() || live.connection.is_blocked() {
            return Err(AWAY);
        }
        let mut outcomes = vec![Outcome::Unconfirmed; parcels.len()];
        let all: Vec<usize> = (0..parcels.len()).collect();
        let mut broken = lane.send(&live, parcels, &all, &mut outcomes, deadline).await.err();
        if broken.as_ref().is_some_and(Broken::is_about_a_message) {
            tracing::error!(error = %broken.unwrap_or_default(), "a batch was refused; publishing one by one");
            broken = lane.send_singly(&live, parcels, &mut outcomes, deadline).await.err();
        }
        if let Some(broken) = broken {
            lane.0 = None;
            self.link.give_up(&live, &broken.reason);
        }
        Ok(outcomes)
    }
}

/// Why a batch ended before its end.
#[derive(Debug, Default)]
struct Broken {
    reason: String,
    /// The broker has closed the channel and nothing else.
    channel_only: bool,
}

impl Broken {
    /// The connection is good: something about one of the messages was not.
    fn is_about_a_message(&self) -> bool {
        self.channel_only
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        // An exchange that is gone is declared again with the next connection.
        let channel_only = error.is_amqp_soft_error()
            && !matches!(error.kind(), ErrorKind::ProtocolError(cause) if cause.get_id() == NOT_FOUND);
        Self { reason: error.to_string(), channel_only }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Lane {
    /// A message that makes the broker close the channel stays unconfirmed; the others go out.
    async fn send_singly(
        &mut self,
        live: &Live,
        parcels: &[Parcel],
        outcomes: &mut [Outcome],
        deadline: Instant,
    ) -> Result<(), Broken> {
        for place in 0..parcels.len() {
            if outcomes[place] != Outcome::Unconfirmed {
                continue;
            }
            self.0 = None;
            match self.send(live, parcels, &[place], outcomes, deadline).await {
                Err(broken) if broken.is_about_a_message() => {
                    let id = parcels[place].message_id.as_deref();
                    tracing::error!(%broken, id, "RabbitMQ refuses a message");
                }
                sent => sent?,
            }
        }
        self.0 = None;
        Ok(())
    }

    /// Sends those in `places`, all at once, and notes what becomes of each until `deadline`.
    async fn send(
        &mut self,
        live: &Live,
        parcels: &[Parcel],
        places: &[usize],
        outcomes: &mut [Outcome],
        deadline: Instant,
    ) -> Result<(), Broken> {
        let mut confirms = Confirms::new();
        let mut settled = Settled::default();
        let sending = async {
            let channel = self.channel(live).await?;
            for &place in places {
                let confirm = publish(&channel, &parcels[place]).await?;
                confirms.push(async move { (place, confirm.await) }.boxed());
            }
            while let Some((place, confirmation)) = confirms.next().await {
                settled.note(place, confirmation)?;
            }
            Ok(())
        };
        let sent = match timeout_at(deadline, sending).await {
            Ok(sent) => sent,
            Err(_) => Err(Broken { reason: "confirms are overdue".to_owned(), channel_only: false }),
        };
        // What came in until then counts.
        while let Some(Some((place, confirmation))) = confirms.next().now_or_never() {
            let _ = settled.note(place, confirmation);
        }
        for &place in &settled.acked {
            let parcel = &parcels[place];
            let returned = parcel.mandatory
                && parcel.message_id.as_ref().is_some_and(|id| settled.returned.contains(id));
            outcomes[place] = if returned { Outcome::Unroutable } else { Outcome::Confirmed };
        }
        sent
    }

    async fn channel(&mut self, live: &Live) -> Result<Channel, Error> {
        if let Some((of, channel)) = &self.0
            && of.is(live)
            && channel.status().connected()
        {
            return Ok(channel.clone());
        }
        let channel = live.connection.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        self.0 = Some((live.clone(), channel.clone()));
        Ok(channel)
    }
}

#[derive(Default)]
struct Settled {
    acked: Vec<usize>,
    /// Ids of messages that came back. Not necessarily with the confirm of the same message.
    returned: HashSet<String>,
}

impl Settled {
    fn note(&mut self, place: usize, confirmation: Result<Confirmation, Error>) -> Result<(), Error> {
        let returned = match confirmation? {
            Confirmation::Ack(returned) => {
                self.acked.push(place);
                returned
            }
            Confirmation::Nack(returned) => returned,
            Confirmation::NotRequested => None,
        };
        let id = returned.and_then(|message| message.properties.message_id().clone());
        self.returned.extend(id.map(String::from));
        Ok(())
    }
}

async fn publish(channel: &Channel, parcel: &Parcel) -> Result<PublisherConfirm, Error> {
    let mut properties =
        BasicProperties::default().with_delivery_mode(PERSISTENT).with_timestamp(parcel.timestamp);
    if let Some(id) = &parcel.message_id {
        properties = properties.with_message_id(short(id));
    }
    if let Some(content_type) = &parcel.content_type {
        properties = properties.with_content_type(short(content_type));
    }
    let headers = to_table(parcel.hub_headers.iter().cloned(), &parcel.headers);
    if !headers.inner().is_empty() {
        properties = properties.with_headers(headers);
    }
    let options = BasicPublishOptions { mandatory: parcel.mandatory, ..BasicPublishOptions::default() };
    let (exchange, routing_key) = (short(&parcel.exchange), short(&parcel.routing_key));
    channel.basic_publish(exchange, routing_key, options, &parcel.body, properties).await
}
