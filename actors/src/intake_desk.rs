//! Takes in what channels bring: inquiries, the next messages of them, and reports of deliveries. Each exactly once.
//!
//! A gateway on HTTP sends [`TakeIn`], a broker [`Receive`]; both end in the same [`batch`], one of one message, the
//! other of many in a few transactions.

mod batch;
mod lanes;
mod traces;

use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use futures_util::future::join_all;
use uuid::Uuid;

use self::lanes::{Lane, lanes};
use self::traces::{leading, place_of};
use crate::approval_coordinator::{ApprovalCoordinator, SettleDelivery};
use crate::assignment_balancer::{AssignmentBalancer, TakeUpWaiting};
use crate::clock::{Clock, new_id};
use crate::desk::settle;
use crate::domain::channel::InboundMessage;
use crate::domain::dead_letter::{BuriedMessage, DeadLetterReason};
use crate::domain::delivery::Report;
use crate::domain::envelope::{Arrival, Envelope, Refusal};
use crate::domain::event::{EntityType, EventType};
use crate::domain::trace_parent::TraceParent;
use crate::domain::{Claim, Event, Origin};
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::store::intake::IntakeStore;
use crate::store::responses::ResponseStore;
use crate::store::users::UserStore;
use crate::store::{Commit, Write, Writer};
use crate::trace::{Span, Tracer, within};

/// How often the hub tries a message that makes it fail.
const ATTEMPTS: u32 = 5;
/// After the first of these; doubled with each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// Dead letters in one transaction; each may be as large as a message may be.
const BURIED_AT_ONCE: usize = 16;

/// A channel's message, already validated. `identity` is what identifies it within its channel: its external id, or
/// what stands in for that and is shown nowhere; without one, each call is new.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Taken>")]
pub struct TakeIn {
    pub channel: String,
    pub identity: Option<String>,
    pub message: InboundMessage,
    pub origin: Origin,
    /// The `Idempotency-Key` of the request, settled with the commit.
    pub claim: Option<Claim>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub inquiry_id: Uuid,
    /// It had been taken in before; nothing was changed.
    pub duplicate: bool,
}

/// What a broker has brought, in the order it was published. One receipt a message; without one, a message is to be
/// sent again, in its place among the others that are.
///
/// # Errors
/// A passing fault: nothing is lost when the same envelopes are sent again, with the same `receipt`s, and what was
/// taken meanwhile is not taken twice.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Vec<Option<Receipt>>>")]
pub struct Receive(pub Vec<Envelope>);

/// What became of a message. In each case it is settled for good, and committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    Taken,
    /// It had been taken in before.
    Duplicate,
    DeadLettered,
}

/// A dead letter once more. What cannot be taken is not buried again.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<Result<(), Refusal>>")]
pub struct TakeAgain(pub Envelope);

#[derive(Clone)]
pub struct IntakeDesk {
    pub(crate) clock: Clock,
    pub(crate) intake: Mailbox<IntakeStore>,
    pub(crate) responses: Mailbox<ResponseStore>,
    pub(crate) users: Mailbox<UserStore>,
    pub(crate) balancer: Mailbox<AssignmentBalancer>,
    pub(crate) coordinator: Mailbox<ApprovalCoordinator>,
    pub(crate) writer: Mailbox<Writer>,
    pub(crate) tracer: Option<Tracer>,
}

impl Actor for IntakeDesk {
    type Context = Context<Self>;
}

impl Supervised for IntakeDesk {}

crate::follows_traces!(IntakeDesk);

impl Handler<TakeIn> for IntakeDesk {
    type Result = ResponseFuture<HubResult<Taken>>;

    fn handle(&mut self, take_in: TakeIn, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            let taken = desk.take(std::slice::from_ref(&take_in)).await?.pop();
            taken.ok_or_else(|| HubError::Internal("nothing became of a message".to_owned()))
        })
    }
}

impl Handler<Receive> for IntakeDesk {
    type Result = ResponseFuture<HubResult<Vec<Option<Receipt>>>>;

    fn handle(&mut self, Receive(envelopes): Receive, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move { desk.receive(&envelopes).await })
    }
}

impl Handler<TakeAgain> for IntakeDesk {
    type Result = ResponseFuture<HubResult<Result<(), Refusal>>>;

    fn handle(&mut self, TakeAgain(envelope): TakeAgain, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move {
            match envelope.understand() {
                Err(refusal) => Ok(Err(refusal)),
                Ok(Arrival::Inquiry { channel, identity, message }) => {
                    // Part of what the admin does, who does it for the publisher.
                    if let (Some(span), Some(place)) = (Span::current(), place_of(&envelope)) {
                        span.link(place);
                    }
                    desk.take(&[of_broker(channel, identity, *message, None)]).await?;
                    Ok(Ok(()))
                }
                Ok(Arrival::Report { delivery_id, report }) => desk.report(delivery_id, report).await,
            }
        })
    }
}

/// The broker grants no privilege: its messages come from nobody in particular.
fn of_broker(
    channel: String,
    identity: String,
    message: InboundMessage,
    trace: Option<TraceParent>,
) -> TakeIn {
    let origin = Origin { trace, ..Origin::default() };
    TakeIn { channel, identity: Some(identity), message, origin, claim: None }
}

impl IntakeDesk {
    /// All in one transaction.
    async fn take(&self, messages: &[TakeIn]) -> HubResult<Vec<Taken>> {
        let (taken, waits) = settle(|| self.commit(messages)).await?;
        if waits {
            // Also for room that appeared before it stood in the queue.
            self.balancer.nudge(TakeUpWaiting);
        }
        Ok(taken)
    }

    async fn receive(&self, envelopes: &[Envelope]) -> HubResult<Vec<Option<Receipt>>> {
        let mut receipts = vec![None; envelopes.len()];
        let mut spans = Vec::with_capacity(envelopes.len());
        let mut inquiries = Vec::new();
        let mut reports = Vec::new();
        let mut refused = Vec::new();
        for (place, envelope) in envelopes.iter().enumerate() {
            let arrival = envelope.understand();
            let span = self.begin(envelope, &arrival);
            match arrival {
                Ok(Arrival::Inquiry { channel, identity, message }) => {
                    let trace = span.as_ref().map(Span::place);
                    inquiries.push((place, of_broker(channel, identity, *message, trace)));
                }
                Ok(Arrival::Report { delivery_id, report }) => reports.push((place, delivery_id, report)),
                Err(refusal) => {
                    refused.push((envelope, refusal));
                    receipts[place] = Some(Receipt::DeadLettered);
                }
            }
            spans.push(span);
        }
        // Nothing else has a receipt so far.
        let of_refused = spans.iter().zip(&receipts).filter(|(_, receipt)| receipt.is_some());
        let leader = leading(of_refused.filter_map(|(span, _)| span.as_ref()));
        within(leader, self.bury(&refused)).await?;
        let lanes = lanes(inquiries);
        let taking = lanes.iter().map(|lane| {
            let leader = leading(lane.places.iter().filter_map(|&place| spans[place].as_ref()));
            within(leader, self.take(&lane.messages))
        });
        let outcomes = join_all(taking).await;
        for (lane, outcome) in lanes.iter().zip(outcomes) {
            match outcome {
                Ok(taken) => {
                    for (&place, taken) in lane.places.iter().zip(taken) {
                        receipts[place] = Some(receipt(taken));
                    }
                }
                Err(error) if is_passing(&error) => return Err(error),
                Err(error) => {
                    let messages = lane.messages.len();
                    tracing::error!(%error, messages, "a batch failed; taking its messages one by one");
                    self.take_singly(envelopes, lane, &mut receipts).await?;
                }
            }
        }
        for (place, delivery_id, report) in reports {
            let settling = async {
                HubResult::Ok(match self.report(delivery_id, report).await? {
                    Ok(()) => Receipt::Taken,
                    Err(refusal) => {
                        self.bury(&[(&envelopes[place], refusal)]).await?;
                        Receipt::DeadLettered
                    }
                })
            };
            receipts[place] = Some(within(spans[place].as_ref(), settling).await?);
        }
        Ok(receipts)
    }

    /// Finds the message that makes the hub fail, and buries it. Ends there: what comes behind it is for the next
    /// call, so that none takes longer than its caller is patient.
    async fn take_singly(
        &self,
        envelopes: &[Envelope],
        lane: &Lane,
        receipts: &mut [Option<Receipt>],
    ) -> HubResult<()> {
        for (&place, message) in lane.places.iter().zip(&lane.messages) {
            if let Some(taken) = self.take_patiently(message).await? {
                receipts[place] = Some(receipt(taken));
                continue;
            }
            let error = format!("the hub failed on it {ATTEMPTS} times; its log says how");
            let refusal = Refusal::new(DeadLetterReason::FailedRepeatedly, error);
            self.bury(&[(&envelopes[place], refusal)]).await?;
            receipts[place] = Some(Receipt::DeadLettered);
            return Ok(());
        }
        Ok(())
    }

    /// `None` when it failed time and again.
    async fn take_patiently(&self, message: &TakeIn) -> HubResult<Option<Taken>> {
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            match self.take(std::slice::from_ref(message)).await {
                Ok(mut taken) => return Ok(taken.pop()),
                Err(error) if is_passing(&error) => return Err(error),
                Err(error) => tracing::error!(%error, attempt, "an inbound message made the hub fail"),
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        Ok(None)
    }

    async fn report(&self, id: Uuid, report: Report) -> HubResult<Result<(), Refusal>> {
        match self.coordinator.ask(SettleDelivery { id, report, origin: Origin::default() }).await {
            Ok(_) => Ok(Ok(())),
            Err(error @ HubError::NotFound(_)) => {
                Ok(Err(Refusal::new(DeadLetterReason::UnknownDelivery, error.to_string())))
            }
            Err(error @ HubError::ContradictingReport(_)) => {
                Ok(Err(Refusal::new(DeadLetterReason::ContradictingReport, error.to_string())))
            }
            Err(error) => Err(error),
        }
    }

    /// Brought again after it was buried, a message stays one dead letter.
    async fn bury(&self, refused: &[(&Envelope, Refusal)]) -> HubResult<()> {
        for some in refused.chunks(BURIED_AT_ONCE) {
            if !self.bury_together(some).await? {
                for one in some.chunks(1) {
                    self.bury_together(one).await?;
                }
            }
        }
        Ok(())
    }

    /// In one transaction, so that many of them hold up the others of their batch little longer than one does. Whether
    /// it was done: not where one of them was buried before.
    async fn bury_together(&self, refused: &[(&Envelope, Refusal)]) -> HubResult<bool> {
        let mut commit = Commit::default();
        let mut letters = Vec::new();
        for (envelope, refusal) in refused {
            let buried = BuriedMessage::new(new_id(), envelope, refusal, self.clock.now());
            let letter = buried.letter.clone();
            let entity = (EntityType::DeadLetter, letter.id);
            let event =
                Event::of(new_id(), EventType::DeadLetterAdded, entity, None, &letter, letter.created_at);
            commit = commit.and(Write::InsertDeadLetter(buried)).with_event(event);
            letters.push(letter);
        }
        match self.writer.ask(commit).await {
            Err(HubError::Taken { .. }) => return Ok(false),
            outcome => outcome?,
        }
        for letter in letters {
            tracing::warn!(id = %letter.id, reason = %letter.reason, key = letter.routing_key, "dead letter");
        }
        Ok(true)
    }
}

fn receipt(taken: Taken) -> Receipt {
    if taken.duplicate { Receipt::Duplicate } else { Receipt::Taken }
}

/// Whether the same message may well be taken later, without anything about it having changed.
fn is_passing(error: &HubError) -> bool {
    matches!(
        error,
        HubError::Unavailable { .. } | HubError::Overloaded { .. } | HubError::Contended | HubError::NoRoom
    )
}
