//! Many messages in one transaction, in their order, each as if it had come alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::json;
use uuid::Uuid;

use super::{IntakeDesk, TakeIn, Taken};
use crate::assignment_balancer::{ChooseAssignees, Promise, Seeking};
use crate::clock::new_id;
use crate::domain::assignment::{Assignment, Decision, Wanted};
use crate::domain::customer::{Customer, email_key};
use crate::domain::event::{EntityType, EventType};
use crate::domain::inquiry::{ConversationMessage, Direction, Inquiry, NewInquiry};
use crate::domain::response::Response;
use crate::domain::trace_parent::TraceParent;
use crate::domain::{Event, Timestamp};
use crate::error::{HubError, HubResult};
use crate::store::intake::{Belongings, FindBelongings, InboxEntry, Sought};
use crate::store::responses::FindPending;
use crate::store::users::GetUser;
use crate::store::{Commit, LoadRule, Write};
use crate::trace;

impl IntakeDesk {
    /// What became of each message, and whether any inquiry waits for someone to take it.
    pub(super) async fn commit(&self, messages: &[TakeIn]) -> HubResult<(Vec<Taken>, bool)> {
        if messages.is_empty() {
            return Ok((Vec::new(), false));
        }
        let known = self.intake.ask(FindBelongings(messages.iter().map(sought).collect())).await?;
        let mut batch = Batch::new(known, self.clock.now());
        let places: Vec<_> = messages.iter().map(|message| batch.place(message)).collect();
        let (decisions, promise) = self.decide(&batch).await?;
        let present = self.who_is_there(&batch).await?;
        let pending = self.what_waits(&batch).await?;
        batch.assign(decisions);
        for (message, place) in messages.iter().zip(&places) {
            batch.add(message, *place, &present);
        }
        batch.outdate(pending);
        let taken = places.iter().map(|place| place.taken()).collect();
        if places.iter().all(|place| matches!(place, Place::Duplicate(_))) {
            return Ok((taken, false));
        }
        let waits = batch.states.values().any(|state| state.after.assigned_to.is_none());
        let settle = match messages {
            [TakeIn { claim: Some(claim), .. }] => {
                let inquiry_id = places[0].taken().inquiry_id;
                Some((claim.clone(), json!({"inquiryId": inquiry_id, "duplicate": false}).to_string()))
            }
            _ => None,
        };
        let outcome = self.writer.ask(Commit { settle, ..batch.into_commit() }).await;
        drop(promise);
        match outcome {
            // The same customer wrote to two instances at once; the other message made them.
            Err(HubError::Taken { .. }) => Err(HubError::Contended),
            outcome => outcome.map(|()| (taken, waits)),
        }
    }

    async fn decide(&self, batch: &Batch) -> HubResult<(Vec<Decision>, Option<Promise>)> {
        if batch.opened.is_empty() {
            return Ok((Vec::new(), None));
        }
        let seeking = batch.opened.iter().filter_map(|id| batch.states.get(id)).map(|state| Seeking {
            inquiry_id: state.after.id,
            wanted: Wanted {
                category: state.after.category.clone(),
                own_cso: state.own_cso,
                lapsed_by: None,
            },
            place: Some(state.after.place()),
        });
        let (decisions, promise) = self.balancer.ask(ChooseAssignees(seeking.collect())).await?;
        Ok((decisions, Some(promise)))
    }

    /// Of those who have the inquiries that are written to again, whoever still works here.
    async fn who_is_there(&self, batch: &Batch) -> HubResult<HashMap<Uuid, bool>> {
        let mut present = HashMap::new();
        for user_id in batch.states.values().filter_map(|state| state.before.as_ref()?.assigned_to) {
            if let Entry::Vacant(entry) = present.entry(user_id) {
                let user = self.users.ask(GetUser(user_id)).await?;
                entry.insert(user.is_some_and(|user| user.may_be_assigned()));
            }
        }
        Ok(present)
    }

    /// The replies that wait for approval while their customers write again.
    async fn what_waits(&self, batch: &Batch) -> HubResult<Vec<Response>> {
        let continued = batch.states.iter().filter(|(_, state)| state.before.is_some()).map(|(id, _)| *id);
        let continued: Vec<Uuid> = continued.collect();
        if continued.is_empty() { Ok(Vec::new()) } else { self.responses.ask(FindPending(continued)).await }
    }
}

fn sought(message: &TakeIn) -> Sought {
    Sought {
        channel: message.channel.clone(),
        identity: message.identity.clone(),
        thread_id: message.message.thread_id.clone(),
        email: message.message.customer.email.clone(),
    }
}

/// Where a message goes.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Taken before, into this inquiry.
    Duplicate(Uuid),
    /// The beginning of this inquiry.
    Opens(Uuid),
    /// The next message of this inquiry.
    Continues(Uuid),
}

impl Place {
    fn taken(self) -> Taken {
        match self {
            Self::Duplicate(inquiry_id) => Taken { inquiry_id, duplicate: true },
            Self::Opens(inquiry_id) | Self::Continues(inquiry_id) => Taken { inquiry_id, duplicate: false },
        }
    }
}

/// An inquiry that the batch opens or continues.
struct State {
    /// `None`: it is new.
    before: Option<Inquiry>,
    after: Inquiry,
    own_cso: Option<Uuid>,
    decision: Option<Decision>,
    /// See [`Inquiry::next_message_at`].
    at: Timestamp,
    /// Where it was opened, in a trace.
    place: Option<TraceParent>,
}

struct Batch {
    known: Belongings,
    now: Timestamp,
    states: HashMap<Uuid, State>,
    /// New inquiries, in order.
    opened: Vec<Uuid>,
    customers: Vec<Customer>,
    outdated: Vec<Response>,
    /// What waits for approval once this is committed, in its versions.
    pending: Vec<(Uuid, i64)>,
    messages: Vec<ConversationMessage>,
    assignments: Vec<Assignment>,
    inbox: Vec<InboxEntry>,
    events: Vec<Event>,
}

impl Batch {
    fn new(known: Belongings, now: Timestamp) -> Self {
        Self {
            known,
            now,
            states: HashMap::new(),
            opened: Vec::new(),
            customers: Vec::new(),
            outdated: Vec::new(),
            pending: Vec::new(),
            messages: Vec::new(),
            assignments: Vec::new(),
            inbox: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Finds where a message goes, and remembers it for those that come behind.
    fn place(&mut self, take_in: &TakeIn) -> Place {
        let identity = take_in.identity.clone().map(|identity| (take_in.channel.clone(), identity));
        if let Some(&inquiry_id) = identity.as_ref().and_then(|identity| self.known.taken.get(identity)) {
            return Place::Duplicate(inquiry_id);
        }
        let customer = self.customer(take_in);
        let (customer_id, own_cso) = (customer.id, customer.assigned_to);
        let thread_id = take_in.message.thread_id.clone();
        let thread = thread_id.map(|thread_id| (take_in.channel.clone(), thread_id, customer_id));
        let place = match thread.as_ref().and_then(|thread| self.known.threads.get(thread)) {
            Some(inquiry) => {
                let inquiry = inquiry.clone();
                Place::Continues(self.continue_with(inquiry))
            }
            None => {
                let inquiry = self.open(take_in, customer_id, own_cso);
                let id = inquiry.id;
                if let Some(thread) = thread {
                    self.known.threads.insert(thread, inquiry);
                }
                Place::Opens(id)
            }
        };
        if let Some(identity) = identity {
            self.known.taken.insert(identity, place.taken().inquiry_id);
        }
        place
    }

    fn customer(&mut self, take_in: &TakeIn) -> &Customer {
        let sender = &take_in.message.customer;
        self.known.customers.entry(email_key(&sender.email)).or_insert_with(|| {
            let customer = Customer::new(new_id(), sender.clone().into_input(), None, self.now);
            let entity = (EntityType::Customer, customer.id);
            let event = Event::of(new_id(), EventType::CustomerCreated, entity, None, &customer, self.now);
            self.events.push(take_in.origin.stamp(event));
            self.customers.push(customer.clone());
            customer
        })
    }

    fn open(&mut self, take_in: &TakeIn, customer_id: Uuid, own_cso: Option<Uuid>) -> Inquiry {
        let message = &take_in.message;
        let input = NewInquiry {
            customer_id,
            subject: message.subject(),
            message: message.message.clone(),
            priority: message.priority,
            category: message.category.clone(),
            channel: Some(take_in.channel.clone()),
        };
        let mut inquiry = Inquiry::new(new_id(), input, self.now);
        inquiry.external_id.clone_from(&message.external_id);
        inquiry.thread_id.clone_from(&message.thread_id);
        self.opened.push(inquiry.id);
        let place = take_in.origin.trace.or_else(trace::current_place);
        let state =
            State { before: None, after: inquiry.clone(), own_cso, decision: None, at: self.now, place };
        self.states.insert(inquiry.id, state);
        inquiry
    }

    fn continue_with(&mut self, inquiry: Inquiry) -> Uuid {
        let id = inquiry.id;
        let at = inquiry.next_message_at(self.now);
        self.states.entry(id).or_insert_with(|| State {
            before: Some(inquiry.clone()),
            after: inquiry,
            own_cso: None,
            decision: None,
            at,
            place: None,
        });
        id
    }

    /// One decision for each new inquiry, in their order.
    fn assign(&mut self, decisions: Vec<Decision>) {
        for (id, decision) in self.opened.iter().zip(decisions) {
            let Some(state) = self.states.get_mut(id) else { continue };
            state.after.assigned_to = decision.assignee;
            state.after.assigned_at = decision.assignee.map(|_| self.now);
            state.decision = Some(decision);
        }
    }

    fn add(&mut self, take_in: &TakeIn, place: Place, present: &HashMap<Uuid, bool>) {
        let inquiry_id = match place {
            Place::Duplicate(_) => return,
            Place::Opens(id) => {
                self.add_opening(take_in, id);
                id
            }
            Place::Continues(id) => {
                self.add_next(take_in, id, present);
                id
            }
        };
        let Some(state) = self.states.get(&inquiry_id) else { return };
        self.messages.push(said(take_in, inquiry_id, state.at));
        if let Some(identity) = take_in.identity.clone() {
            let channel = take_in.channel.clone();
            self.inbox.push(InboxEntry { channel, identity, inquiry_id, at: self.now });
        }
    }

    fn add_opening(&mut self, take_in: &TakeIn, id: Uuid) {
        let Some(state) = self.states.get_mut(&id) else { return };
        let (entity, now) = ((EntityType::Inquiry, id), self.now);
        let created = Event::of(new_id(), EventType::InquiryCreated, entity, None, &state.after, now);
        self.events.push(take_in.origin.stamp(created));
        if state.after.assigned_to.is_some() {
            let assigned = Event::of(new_id(), EventType::InquiryAssigned, entity, None, &state.after, now);
            self.events.push(Event { trace: take_in.origin.trace, ..assigned });
        }
        if let Some(decision) = state.decision.take() {
            self.assignments.push(Assignment::of(new_id(), id, decision, None, now));
        }
    }

    /// An inquiry that was over is taken up again. Its version grows also when it was open: that ties the message to
    /// the status it was added in.
    fn add_next(&mut self, take_in: &TakeIn, id: Uuid, present: &HashMap<Uuid, bool>) {
        let Some(state) = self.states.get_mut(&id) else { return };
        let is_there =
            state.after.assigned_to.is_some_and(|user| present.get(&user).copied().unwrap_or(true));
        let before = state.after.clone();
        state.after = before.written_to_again(is_there, state.at);
        let mut happened = vec![EventType::InquiryMessageAdded];
        if !before.status.is_open() {
            happened.push(EventType::InquiryReopened);
        }
        for event_type in happened {
            let entity = (EntityType::Inquiry, id);
            let event = Event::of(new_id(), event_type, entity, Some(&before), &state.after, state.at);
            self.events.push(take_in.origin.stamp(event));
        }
    }

    fn outdate(&mut self, pending: Vec<Response>) {
        for before in pending {
            let Some(state) = self.states.get(&before.inquiry_id) else { continue };
            let Some(after) = before.outdated(state.at.max(before.updated_at)) else {
                self.pending.push((before.id, before.version));
                continue;
            };
            self.pending.push((after.id, after.version));
            let entity = (EntityType::Response, before.id);
            let event = EventType::ResponseStale;
            self.events.push(Event::of(new_id(), event, entity, Some(&before), &after, after.updated_at));
            self.outdated.push(after);
        }
        // Two batches lock them in the same order.
        self.outdated.sort_by_key(|response| response.id);
    }

    /// In runs of one kind, so that each takes few statements; what is referred to comes first.
    fn into_commit(mut self) -> Commit {
        let opened: Vec<_> = self.opened.iter().filter_map(|id| self.states.remove(id)).collect();
        let kept: Vec<_> = opened
            .iter()
            .filter_map(|state| Some(Write::KeepTrace { entity_id: state.after.id, place: state.place? }))
            .collect();
        let opened = opened
            .into_iter()
            .map(|state| Write::InsertInquiry { inquiry: state.after, load: LoadRule::WithinCapacity });
        let mut continued: Vec<_> = self
            .states
            .into_values()
            .filter_map(|state| Some((state.before?, state.after)))
            .map(|(before, after)| Write::UpdateInquiry { before, after, load: LoadRule::Any })
            .collect();
        // Two batches that meet in the same conversations lock them in the same order.
        continued.sort_by_key(|write| match write {
            Write::UpdateInquiry { before, .. } => before.id,
            _ => Uuid::nil(),
        });
        let inquiries = continued.iter().filter_map(|write| match write {
            Write::UpdateInquiry { before, .. } => Some(before.id),
            _ => None,
        });
        // A reply that was submitted or approved a moment ago must not look as if that had come after the message.
        let expected = Write::ExpectPending { inquiries: inquiries.collect(), pending: self.pending };
        // Responses before inquiries, as an approval locks them.
        let mut writes: Vec<_> = self.customers.into_iter().map(Write::InsertCustomer).collect();
        writes.extend(self.outdated.into_iter().map(Write::UpdateResponse));
        writes.extend(opened);
        writes.extend(continued);
        writes.push(expected);
        writes.extend(self.inbox.into_iter().map(Write::InsertInbox));
        writes.extend(self.messages.into_iter().map(Write::InsertMessage));
        writes.extend(self.assignments.into_iter().map(Write::InsertAssignment));
        writes.extend(kept);
        Commit { writes, events: self.events, settle: None }
    }
}

fn said(take_in: &TakeIn, inquiry_id: Uuid, at: Timestamp) -> ConversationMessage {
    ConversationMessage {
        id: new_id(),
        created_at: at,
        inquiry_id,
        direction: Direction::Inbound,
        message: take_in.message.message.clone(),
        author_id: None,
        response_id: None,
        external_id: take_in.message.external_id.clone(),
        metadata: take_in.message.metadata.clone(),
    }
}
