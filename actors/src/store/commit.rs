//! One message, one transaction: the state, the audit trail, the outbox and the settled idempotency key.

use std::mem;
use std::sync::atomic::Ordering;

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use uuid::Uuid;

use super::cache::{CacheKey, Storage};
use super::db::Tx;
use super::intake::InboxEntry;
use super::{
    api_keys, audit, customers, dead_letters, deliveries, idempotency, inquiries, intake, outbox, responses,
    sessions, users,
};
use crate::clock::new_id;
use crate::domain::api_key::ApiKey;
use crate::domain::assignment::Assignment;
use crate::domain::customer::Customer;
use crate::domain::dead_letter::{BuriedMessage, DeadLetter};
use crate::domain::delivery::Delivery;
use crate::domain::event::Event;
use crate::domain::inquiry::{ConversationMessage, Inquiry};
use crate::domain::response::{HistoryEntry, Response};
use crate::domain::user::User;
use crate::domain::{Caller, Claim, Timestamp};
use crate::error::{HubError, HubResult};

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
    /// Goes before `InsertSession`: the hash a password was verified against must still be that of an active user.
    /// `kept` replaces it, or is the same.
    ConfirmPassword {
        user_id: Uuid,
        verified: String,
        kept: String,
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
    InsertMessage(ConversationMessage),
    InsertAssignment(Assignment),
    InsertResponse(Response),
    UpdateResponse(Response),
    InsertHistory(HistoryEntry),
    /// A channel's message is taken in, once.
    InsertInbox(InboxEntry),
    InsertDelivery(Delivery),
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

impl Handler<Commit> for Writer {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, commit: Commit, _: &mut Self::Context) -> Self::Result {
        let storage = self.storage.clone();
        Box::pin(async move { run(&storage, commit).await })
    }
}

async fn run(storage: &Storage, commit: Commit) -> HubResult<()> {
    let tx = storage.db.begin().await?;
    let mut work = Work { tx, touched: Vec::new(), events: commit.events };
    for run in commit.writes.chunk_by(|a, b| mem::discriminant(a) == mem::discriminant(b)) {
        apply_run(&mut work, run).await?;
    }
    let Work { mut tx, touched, events } = work;
    audit::insert(&mut tx, &events).await?;
    let published: Vec<&Event> = events.iter().filter(|event| event.is_published()).collect();
    outbox::insert(&mut tx, &published).await?;
    if let Some((claim, answer)) = commit.settle {
        idempotency::settle(&mut tx, &claim, &answer).await?;
    }
    let hold = new_id();
    storage.cache.hold(&touched, hold).await;
    let outcome = tx.commit().await;
    storage.cache.release(&touched, hold).await;
    if outcome.is_ok() {
        // A nudge: whoever waits also looks by itself from time to time.
        if !published.is_empty() {
            storage.outbox_waits.store(true, Ordering::SeqCst);
            storage.outbox_filled.notify_one();
        }
        if commit.writes.iter().any(|write| matches!(write, Write::InsertDelivery(_))) {
            storage.delivery_due.notify_one();
            storage.mail_due.notify_one();
        }
    }
    outcome
}

/// Picks what is in a run of writes of one kind.
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

/// `run`: writes of one kind. What can be many at a time goes in a few statements.
async fn apply_run(work: &mut Work, run: &[Write]) -> HubResult<()> {
    match run {
        [Write::InsertCustomer(_), ..] => {
            customers::insert(work, all!(run, Write::InsertCustomer(customer) => customer)).await
        }
        [Write::InsertInquiry { .. }, ..] => {
            inquiries::insert(work, all!(run, Write::InsertInquiry { inquiry, load } => (inquiry, *load)))
                .await
        }
        [Write::InsertMessage(_), ..] => {
            inquiries::insert_messages(work, all!(run, Write::InsertMessage(message) => message)).await
        }
        [Write::InsertAssignment(_), ..] => {
            inquiries::insert_assignments(work, all!(run, Write::InsertAssignment(one) => one)).await
        }
        [Write::InsertInbox(_), ..] => {
            intake::insert(work, all!(run, Write::InsertInbox(entry) => entry)).await
        }
        others => {
            for write in others {
                apply(work, write).await?;
            }
            Ok(())
        }
    }
}

async fn apply(work: &mut Work, write: &Write) -> HubResult<()> {
    match write {
        Write::InsertUser { user, password_hash } => users::insert(work, user, password_hash).await,
        Write::UpdateUser(user) => users::update(work, user).await,
        Write::SetPassword { user_id, password_hash } => {
            users::set_password(work, *user_id, password_hash).await
        }
        Write::ConfirmPassword { user_id, verified, kept } => {
            users::confirm_password(work, *user_id, verified, kept).await
        }
        Write::InsertSession(session) => sessions::insert(work, session).await,
        Write::EndSession { session_id, at } => sessions::end(work, *session_id, *at).await,
        Write::EndSessions { user_id, except, at } => sessions::end_all(work, *user_id, *except, *at).await,
        Write::HandOn { user_id, all, by, at } => {
            inquiries::hand_on(work, *user_id, *all, by.as_ref(), *at).await
        }
        Write::InsertCustomer(customer) => customers::insert(work, &[customer]).await,
        Write::UpdateCustomer(customer) => customers::update(work, customer).await,
        Write::DeleteCustomer { customer, at } => customers::delete(work, customer, *at).await,
        Write::InsertInquiry { inquiry, load } => inquiries::insert(work, &[(inquiry, *load)]).await,
        Write::UpdateInquiry { before, after, load } => inquiries::update(work, before, after, *load).await,
        Write::InsertMessage(message) => inquiries::insert_messages(work, &[message]).await,
        Write::InsertAssignment(assignment) => inquiries::insert_assignments(work, &[assignment]).await,
        Write::InsertResponse(response) => responses::insert(work, response).await,
        Write::UpdateResponse(response) => responses::update(work, response).await,
        Write::InsertHistory(entry) => responses::insert_history(work, entry).await,
        Write::InsertInbox(entry) => intake::insert(work, &[entry]).await,
        Write::InsertDelivery(delivery) => deliveries::insert(work, delivery).await,
        Write::UpdateDelivery(delivery) => deliveries::update(work, delivery).await,
        Write::InsertDeadLetter(buried) => dead_letters::insert(work, buried).await,
        Write::UpdateDeadLetter(letter) => dead_letters::update(work, letter).await,
        Write::InsertApiKey { key, key_hash } => api_keys::insert(work, key, key_hash).await,
        Write::RevokeApiKey { id, at } => api_keys::revoke(work, *id, *at).await,
    }
}

/// Zero rows: the row is no longer the version the change started from.
pub(super) fn one_row(affected: u64) -> HubResult<()> {
    if affected == 1 { Ok(()) } else { Err(HubError::Contended) }
}
