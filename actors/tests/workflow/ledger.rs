//! What people did, in their own words: kept by the model beside the hub's own records, and without its rules, so that
//! the one can be held against the other.

use std::collections::BTreeSet;

use nexus_actors::domain::delivery::OutboundMessage;
use nexus_actors::domain::response::{Response, ResponseStatus};
use uuid::Uuid;

/// What a command was about, told once it is committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    Wrote {
        response: Uuid,
        by: Uuid,
        text: String,
    },
    /// `required`: approvals, by what the house has agreed on.
    Submitted {
        response: Uuid,
        required: usize,
        picked: bool,
    },
    Withdrawn {
        response: Uuid,
    },
    Rejected {
        response: Uuid,
        by: Uuid,
    },
    /// `revision`: the one that was read. `has_read`: as well what the customer wrote since it was submitted.
    Approved {
        response: Uuid,
        by: Uuid,
        revision: i64,
        has_read: bool,
        required: usize,
    },
    CustomerWrote,
    Nothing,
}

/// A rule of the house that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Breach {
    DecidedOnOwnWords,
    DecidedOnWhatDoesNotWait,
    ApprovedAnotherRevision,
    ApprovedUnread,
    ApprovedTwice,
    Unpicked,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger {
    pub pages: Vec<Page>,
    /// How often the customer wrote again.
    said: u8,
    pub breaches: BTreeSet<Breach>,
    /// What has left the hub.
    pub sent: Vec<OutboundMessage>,
}

/// Of one response.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    response: Uuid,
    writers: BTreeSet<Uuid>,
    text: String,
    revision: i64,
    /// It waits for a decision.
    round: Option<Round>,
    picked: bool,
    /// That it goes out, in order.
    pub agreements: Vec<Agreement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Round {
    required: usize,
    approvals: Vec<Uuid>,
    said: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agreement {
    revision: i64,
    text: String,
    /// Whose approval was the last one; `None` where a policy asks for nobody's.
    by: Option<Uuid>,
}

impl Ledger {
    pub fn of(drafts: &[Response]) -> Self {
        let pages = drafts.iter().map(|draft| Page {
            response: draft.id,
            writers: BTreeSet::from([draft.responded_by]),
            text: draft.message.clone(),
            revision: 1,
            round: None,
            picked: false,
            agreements: Vec::new(),
        });
        Self { pages: pages.collect(), ..Self::default() }
    }

    pub fn page(&self, response: Uuid) -> &Page {
        self.pages.iter().find(|page| page.response == response).unwrap()
    }

    pub fn enter(&mut self, entry: &Entry) {
        match entry {
            Entry::Wrote { response, by, text } => {
                let page = self.page_mut(*response);
                page.writers.insert(*by);
                page.text.clone_from(text);
                page.revision += 1;
            }
            Entry::Submitted { response, required, picked } => self.submit(*response, *required, *picked),
            Entry::Withdrawn { response } => self.page_mut(*response).round = None,
            Entry::Rejected { response, by } => {
                self.decide(*response, *by);
                self.page_mut(*response).round = None;
            }
            Entry::Approved { response, by, revision, has_read, required } => {
                self.decide(*response, *by);
                self.approve(*response, *by, *revision, *has_read, *required);
            }
            Entry::CustomerWrote => {
                self.said += 1;
                let rounds = self.pages.iter_mut().filter_map(|page| page.round.as_mut());
                rounds.for_each(|round| round.approvals.clear());
            }
            Entry::Nothing => {}
        }
    }

    pub fn send(&mut self, message: &OutboundMessage) {
        if !self.sent.contains(message) {
            self.sent.push(message.clone());
        }
    }

    fn submit(&mut self, response: Uuid, required: usize, picked: bool) {
        let said = self.said;
        let page = self.page_mut(response);
        if required == 0 {
            page.agree(None);
            if page.picked {
                self.breaches.insert(Breach::Unpicked);
            }
        } else {
            page.round = Some(Round { required, approvals: Vec::new(), said });
            page.picked |= picked;
        }
    }

    fn decide(&mut self, response: Uuid, by: Uuid) {
        let page = self.page(response);
        let (wrote, waits) = (page.writers.contains(&by), page.round.is_some());
        if wrote {
            self.breaches.insert(Breach::DecidedOnOwnWords);
        }
        if !waits {
            self.breaches.insert(Breach::DecidedOnWhatDoesNotWait);
        }
    }

    fn approve(&mut self, response: Uuid, by: Uuid, revision: i64, has_read: bool, required: usize) {
        let said = self.said;
        let page = self.page_mut(response);
        let another = page.revision != revision;
        let (mut unread, mut twice) = (false, false);
        if let Some(round) = &mut page.round {
            unread = !has_read && round.said != said;
            twice = round.approvals.contains(&by);
            round.approvals.push(by);
            round.required = round.required.max(required);
            if round.approvals.len() >= round.required {
                page.agree(Some(by));
                page.picked = false;
            }
        }
        let broken = [
            (another, Breach::ApprovedAnotherRevision),
            (unread, Breach::ApprovedUnread),
            (twice, Breach::ApprovedTwice),
        ];
        self.breaches.extend(broken.into_iter().filter_map(|(broken, rule)| broken.then_some(rule)));
    }

    fn page_mut(&mut self, response: Uuid) -> &mut Page {
        self.pages.iter_mut().find(|page| page.response == response).unwrap()
    }
}

impl Page {
    fn agree(&mut self, by: Option<Uuid>) {
        self.agreements.push(Agreement { revision: self.revision, text: self.text.clone(), by });
        self.round = None;
    }

    /// Whether exactly this was agreed to be sent, now or before.
    pub fn allows(&self, message: &OutboundMessage) -> bool {
        let sent = (message.revision, message.message.as_str(), message.approved_by);
        let by_policy = message.approved_by.is_none() == message.released_by.is_some();
        by_policy && self.agreements.iter().any(|one| (one.revision, one.text.as_str(), one.by) == sent)
    }

    /// Whether the hub's record says what the people did.
    pub fn agrees_with(&self, response: &Response) -> bool {
        let text = (self.revision, &self.text) == (response.revision, &response.message);
        let given: Vec<_> = response.approvals.iter().map(|approval| approval.approved_by).collect();
        let status = match response.status {
            ResponseStatus::Draft | ResponseStatus::Rejected => self.round.is_none() && given.is_empty(),
            ResponseStatus::PendingApproval => {
                self.round.as_ref().is_some_and(|round| round.approvals == given)
            }
            ResponseStatus::Approved | ResponseStatus::Sent | ResponseStatus::DeliveryFailed => {
                let last = self.agreements.last();
                let by = response.approved_by;
                self.round.is_none()
                    && last.is_some_and(|last| last.revision == self.revision && last.by == by)
            }
        };
        text && status
    }
}
