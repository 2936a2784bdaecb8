//! One message, one transaction: the state, the audit trail, the outbox and the settled idempotency key.

use std::mem;
use std::sync::atomic::Ordering;

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use uuid::Uuid;

use super::cache::{CacheKey, Storage};
use super::db::Tx;
use super::intake::InboxEntry;
use super::{
    api_keys, audit, customers, dead_letters, deliveries, idempotency, inquiries, intake, notifications,
    outbox, responses, sessions, users, webhooks,
};
use crate::clock::new_id;
use crate::domain::api_key::ApiKey;
use crate::domain::assignment::Assignment;
use crate::domain::customer::Customer;
use crate::domain::dead_letter::{BuriedMessage, DeadLetter};
use crate::domain::delivery::Delivery;
use crate::domain::event::Event;
use crate::domain::inquiry::{ConversationMessage, Inquiry};
use crate::domain::notification::audience;
use crate::domain::response::{HistoryEntry, Response, Timer};
use crate::domain::trace_parent::TraceParent;
use crate::domain::user::User;
use crate::domain::webhook::{Webhook, WebhookAttempt, WebhookMessage, WebhookSecret};
use crate::domain::{Caller, Claim, Timestamp};
use crate::error::HubResult;

/// Everything that happens together.
///
/// Errors: `Contended` when a row is no longer the version it was changed from, `NoRoom` when a CSO picked by
/// the hub has no room left, `Taken` for a unique value in use, `ClaimLost` when the idempotency key is no
/// longer held. After any error nothing has happened.
#[derive(Debug, Default, Message)]
#[rtype(result = "HubResult<()>")]
pub struct Commit {
    pub writes: Vec<Write>,
    pub events: Vec<Event>,
    /// The key to settle, with the body to answer repeats with.
    pub settle: Option<(Claim, String)>,
}

/// One change of state. Updates carry the entity as it becomes, one version above the row they replace.
#[derive(Debug)]
pub enum Write {
    InsertUser {
        user: User,
        password_hash: String,
    },
    UpdateUser(User),
    SetPassword {
        user_id: Uuid,
        password_hash: String,
    },
    /// Goes before `InsertSession`: the hash a password was verified against must still be that of an active user, and
    /// a second factor be asked for or not as it was. `kept` replaces the hash, or is the same.
    ConfirmPassword {
        user_id: Uuid,
        verified: String,
        kept: String,
        totp_enabled: bool,
    },
    Totp {
        user_id: Uuid,
        change: users::TotpChange,
    },
    InsertSession(sessions::NewSession),
    /// Ends one session; one that has ended already is left alone.
    EndSession {
        session_id: Uuid,
        at: Timestamp,
    },
    EndSessions {
        user_id: Uuid,
        except: Option<Uuid>,
        at: Timestamp,
    },
    /// Takes a user's open inquiries from them: the pending ones, and those in progress as well if `all`.
    /// They wait, unassigned, with their place in the queue.
    HandOn {
        user_id: Uuid,
        all: bool,
        by: Option<(Uuid, String)>,
        at: Timestamp,
    },
    InsertCustomer(Customer),
    UpdateCustomer(Customer),
    DeleteCustomer {
        customer: Customer,
        at: Timestamp,
    },
    InsertInquiry {
        inquiry: Inquiry,
        load: LoadRule,
    },
    UpdateInquiry {
        before: Inquiry,
        after: Inquiry,
        load: LoadRule,
    },
    /// Who had it last and did not take it up. Goes behind the update that takes it from them.
    SetLapsed {
        inquiry_id: Uuid,
        by: Option<Uuid>,
    },
    InsertMessage(ConversationMessage),
    InsertAssignment(Assignment),
    InsertResponse(Response),
    UpdateResponse(Response),
    InsertHistory(HistoryEntry),
    /// Nothing that the customer writes is added to it before this is committed.
    HoldInquiry(Uuid),
    /// `Contended` unless of all replies to these inquiries exactly `pending` wait for approval, in these versions.
    ExpectPending {
        inquiries: Vec<Uuid>,
        pending: Vec<(Uuid, i64)>,
    },
    /// `Contended` unless the response still waits with that submission, and the timer has not fired.
    FireTimer {
        response_id: Uuid,
        submitted_at: Timestamp,
        timer: Timer,
        at: Timestamp,
    },
    /// A channel's message is taken in, once.
    InsertInbox(InboxEntry),
    InsertDelivery(Delivery),
    /// What becomes of this inquiry or delivery later belongs to a trace.
    KeepTrace {
        entity_id: Uuid,
        place: TraceParent,
    },
    UpdateDelivery(Delivery),
    /// The broker gets a copy.
    InsertDeadLetter(BuriedMessage),
    UpdateDeadLetter(DeadLetter),
    InsertApiKey {
        key: ApiKey,
        key_hash: String,
    },
    RevokeApiKey {
        id: Uuid,
        at: Timestamp,
    },
    InsertWebhook {
        webhook: Webhook,
        secrets: Vec<WebhookSecret>,
    },
    /// `secrets`: unless they stay.
    UpdateWebhook {
        webhook: Webhook,
        secrets: Option<Vec<WebhookSecret>>,
    },
    DeleteWebhook(Webhook),
    /// A call and what it made of its message. `Contended` when somebody else has called it meanwhile.
    KeepAttempt {
        message: WebhookMessage,
        attempt: WebhookAttempt,
    },
    /// `Contended` when it has been called since it was read.
    ReplayMessage(WebhookMessage),
    SetFailingSince {
        webhook_id: Uuid,
        since: Option<Timestamp>,
    },
}

/// Whether taking work on is bound by the CSO's capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadRule {
    /// The hub assigned it: only within capacity and to someone online.
    WithinCapacity,
    /// A person decided, or the work was theirs already.
    Any,
}

impl Commit {
    pub fn new(write: Write, event: Event) -> Self {
        Self { writes: vec![write], events: vec![event], settle: None }
    }

    /// Changes that nobody is told of.
    pub fn quiet(writes: Vec<Write>) -> Self {
        Self { writes, ..Self::default() }
    }

    #[must_use]
    pub fn and(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    #[must_use]
    pub fn with_event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// Settles the caller's idempotency key, if any, with `answer`.
    #[must_use]
    pub fn answering<T: serde::Serialize>(mut self, caller: &Caller, answer: &T) -> Self {
        if let Some(claim) = &caller.claim {
            self.settle = Some((claim.clone(), serde_json::to_string(answer).unwrap_or_default()));
        }
        self
    }
}

/// What a commit has done so far.
pub(super) struct Work {
    pub tx: Tx,
    pub touched: Vec<CacheKey>,
    pub events: Vec<Event>,
}

/// The persistence actor for all changes.
pub struct Writer {
    storage: Storage,
}

impl Writer {
    pub fn new(storage: Storage) -> Self {
        Self { storage }
    }
}

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Supervised for Writer {}

crate::follows_traces!(Writer);

impl Handler<Commit> for Writer {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, commit: Commit, _: &mut Self::Context) -> Self::Result {
        let storage = self.storage.clone();
        Box::pin(async move { storage.db.in_span("commit", run(&storage, commit)).await })
    }
}

async fn run(storage: &Storage, commit: Commit) -> HubResult<()> {
    let tx = storage.db.begin().await?;
    let mut work = Work { tx, touched: Vec::new(), events: commit.events };
    for run in commit.writes.chunk_by(|a, b| mem::discriminant(a) == mem::discriminant(b)) {
        apply(&mut work, run).await?;
    }
    let Work { mut tx, touched, events } = work;
    audit::insert(&mut tx, &events).await?;
    let told: Vec<(&Event, String)> = events
        .iter()
        .filter(|event| event.is_published() || audience(event).is_some())
        .map(|event| (event, Box::<str>::from(event.published_data()).into_string()))
        .collect();
    let news = notifications::insert(&mut tx, &told).await?;
    let published: Vec<_> = told.into_iter().filter(|(event, _)| event.is_published()).collect();
    outbox::insert(&mut tx, &published).await?;
    let calls = webhooks::insert_messages(&mut tx, &published).await?;
    if let Some((claim, answer)) = commit.settle {
        idempotency::settle(&mut tx, &claim, &answer).await?;
    }
    let hold = new_id();
    storage.cache.hold(&touched, hold).await;
    let outcome = tx.commit().await;
    storage.cache.release(&touched, hold).await;
    if outcome.is_ok() {
        storage.measures.committed(&events);
        // A nudge: whoever waits also looks by itself from time to time.
        if !published.is_empty() {
            storage.outbox_waits.store(true, Ordering::SeqCst);
            storage.outbox_filled.notify_one();
        }
        if news {
            storage.news_due.notify_one();
        }
        if calls || commit.writes.iter().any(|write| matches!(write, Write::ReplayMessage(_))) {
            storage.webhooks_due.notify_one();
        }
        if commit.writes.iter().any(|write| matches!(write, Write::InsertDelivery(_))) {
            storage.delivery_due.notify_one();
            storage.mail_due.notify_one();
        }
    }
    outcome
}

/// Takes what is in a run of writes of one kind, all of it at once.
macro_rules! all {
    ($run:expr, $write:pat => $taken:expr) => {
        &$run
            .iter()
            .filter_map(|write| match write {
                $write => Some($taken),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
}

/// Takes what is in a run of writes of one kind, one by one.
macro_rules! each {
    ($run:expr, $write:pat => $applied:expr) => {{
        for write in $run {
            if let $write = write {
                $applied.await?;
            }
        }
        Ok(())
    }};
}

/// `run`: writes of one kind. What can be many at a time goes in a few statements.
async fn apply(work: &mut Work, run: &[Write]) -> HubResult<()> {
    let Some(kind) = run.first() else { return Ok(()) };
    match kind {
        Write::InsertUser { .. } => each!(run, Write::InsertUser { user, password_hash } =>
            users::insert(work, user, password_hash)),
        Write::UpdateUser(_) => each!(run, Write::UpdateUser(user) => users::update(work, user)),
        Write::SetPassword { .. } => each!(run, Write::SetPassword { user_id, password_hash } =>
            users::set_password(work, *user_id, password_hash)),
        Write::ConfirmPassword { .. } => {
            each!(run, Write::ConfirmPassword { user_id, verified, kept, totp_enabled } =>
            users::confirm_password(work, *user_id, verified, kept, *totp_enabled))
        }
        Write::Totp { .. } => {
            each!(run, Write::Totp { user_id, change } => users::totp::change(work, *user_id, change))
        }
        Write::InsertSession(_) => {
            each!(run, Write::InsertSession(session) => sessions::insert(work, session))
        }
        Write::EndSession { .. } => each!(run, Write::EndSession { session_id, at } =>
            sessions::end(work, *session_id, *at)),
        Write::EndSessions { .. } => each!(run, Write::EndSessions { user_id, except, at } =>
            sessions::end_all(work, *user_id, *except, *at)),
        Write::HandOn { .. } => each!(run, Write::HandOn { user_id, all, by, at } =>
            inquiries::hand_on(work, *user_id, *all, by.as_ref(), *at)),
        Write::InsertCustomer(_) => {
            customers::insert(work, all!(run, Write::InsertCustomer(customer) => customer)).await
        }
        Write::UpdateCustomer(_) => {
            each!(run, Write::UpdateCustomer(customer) => customers::update(work, customer))
        }
        Write::DeleteCustomer { .. } => each!(run, Write::DeleteCustomer { customer, at } =>
            customers::delete(work, customer, *at)),
        Write::InsertInquiry { .. } => {
            inquiries::insert(work, all!(run, Write::InsertInquiry { inquiry, load } => (inquiry, *load)))
                .await
        }
        Write::UpdateInquiry { .. } => each!(run, Write::UpdateInquiry { before, after, load } =>
            inquiries::update(work, before, after, *load)),
        Write::SetLapsed { .. } => each!(run, Write::SetLapsed { inquiry_id, by } =>
            inquiries::set_lapsed(work, *inquiry_id, *by)),
        Write::InsertMessage(_) => {
            inquiries::insert_messages(work, all!(run, Write::InsertMessage(message) => message)).await
        }
        Write::InsertAssignment(_) => {
            inquiries::insert_assignments(work, all!(run, Write::InsertAssignment(one) => one)).await
        }
        Write::InsertResponse(_) => {
            each!(run, Write::InsertResponse(response) => responses::insert(work, response))
        }
        Write::UpdateResponse(_) => {
            each!(run, Write::UpdateResponse(response) => responses::update(work, response))
        }
        Write::InsertHistory(_) => {
            each!(run, Write::InsertHistory(entry) => responses::insert_history(work, entry))
        }
        Write::HoldInquiry(_) => each!(run, Write::HoldInquiry(id) => inquiries::hold(work, *id)),
        Write::ExpectPending { .. } => each!(run, Write::ExpectPending { inquiries, pending } =>
            responses::expect_pending(work, inquiries, pending)),
        Write::FireTimer { .. } => {
            each!(run, Write::FireTimer { response_id, submitted_at, timer, at } =>
                responses::fire_timer(work, *response_id, *submitted_at, *timer, *at))
        }
        Write::InsertInbox(_) => intake::insert(work, all!(run, Write::InsertInbox(entry) => entry)).await,
        Write::InsertDelivery(_) => {
            each!(run, Write::InsertDelivery(delivery) => deliveries::insert(work, delivery))
        }
        Write::KeepTrace { .. } => {
            deliveries::insert_traces(
                work,
                all!(run, Write::KeepTrace { entity_id, place } => (*entity_id, *place)),
            )
            .await
        }
        Write::UpdateDelivery(_) => {
            each!(run, Write::UpdateDelivery(delivery) => deliveries::update(work, delivery))
        }
        Write::InsertDeadLetter(_) => {
            each!(run, Write::InsertDeadLetter(buried) => dead_letters::insert(work, buried))
        }
        Write::UpdateDeadLetter(_) => {
            each!(run, Write::UpdateDeadLetter(letter) => dead_letters::update(work, letter))
        }
        Write::InsertApiKey { .. } => each!(run, Write::InsertApiKey { key, key_hash } =>
            api_keys::insert(work, key, key_hash)),
        Write::RevokeApiKey { .. } => {
            each!(run, Write::RevokeApiKey { id, at } => api_keys::revoke(work, *id, *at))
        }
        Write::InsertWebhook { .. } => each!(run, Write::InsertWebhook { webhook, secrets } =>
            webhooks::insert(work, webhook, secrets)),
        Write::UpdateWebhook { .. } => each!(run, Write::UpdateWebhook { webhook, secrets } =>
            webhooks::update(work, webhook, secrets.as_deref())),
        Write::DeleteWebhook(_) => {
            each!(run, Write::DeleteWebhook(webhook) => webhooks::delete(work, webhook))
        }
        Write::KeepAttempt { .. } => each!(run, Write::KeepAttempt { message, attempt } =>
            webhooks::keep_attempt(work, message, attempt)),
        Write::ReplayMessage(_) => each!(run, Write::ReplayMessage(message) =>
            webhooks::update_message(work, message, message.attempts)),
        Write::SetFailingSince { .. } => each!(run, Write::SetFailingSince { webhook_id, since } =>
            webhooks::set_failing_since(work, *webhook_id, *since)),
    }
}
