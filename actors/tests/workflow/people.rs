//! What people ask for, and the customer. A request is read, thought about and committed; anything may happen in
//! between.

use std::sync::Arc;

use nexus_actors::approval_coordinator::Step;
use nexus_actors::domain::Principal;
use nexus_actors::domain::Timestamp;
use nexus_actors::domain::approval_policy::{ApprovalPolicy, Circumstances, Requirement, Terms, applicable};
use nexus_actors::domain::customer::{Customer, CustomerInput, CustomerStatus};
use nexus_actors::domain::delivery::{Delivery, Report};
use nexus_actors::domain::inquiry::{Inquiry, InquiryInput, NewInquiry};
use nexus_actors::domain::policy::{Verdict, judge};
use nexus_actors::domain::response::{Approval, Rejection, Response, ResponseInput, ResponseStatus};
use nexus_actors::domain::user::Role;
use uuid::Uuid;

use crate::database::{Change, Database};
use crate::ledger::Entry;

/// One CSO who writes, an admin who may write as well as decide, and a manager who decides.
pub const PEOPLE: [(Uuid, Role); 3] =
    [(AUTHOR, Role::Cso), (Uuid::from_u128(2), Role::Admin), (Uuid::from_u128(3), Role::Manager)];
pub const AUTHOR: Uuid = Uuid::from_u128(1);

/// Asks for two approvals.
pub const LEGAL: &str = "legal";
/// Asks for one, of some.
pub const CHATTER: &str = "chatter";
/// Asks for one.
pub const GENERAL: &str = "general";

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    Edit,
    /// `picked`: should a sampled policy apply.
    Submit {
        picked: bool,
    },
    Withdraw,
    /// `revision`: the one they have read. `has_read`: they say so of what the customer wrote since, too.
    Approve {
        revision: i64,
        has_read: bool,
    },
    Reject,
}

/// A request that has been thought about and is to be committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flight {
    pub origin: Origin,
    pub changes: Vec<Change>,
    pub entry: Entry,
}

/// Who is to know when it does not come to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    Person,
    /// Brought again until it is committed.
    Customer,
    /// As well, where the broker keeps it.
    Report {
        delivery: Uuid,
        report: Report,
        kept: bool,
    },
}

/// The clock stands still: the model says when time has passed.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-06-01T08:00:00Z").unwrap()
}

pub fn policies() -> Vec<ApprovalPolicy> {
    let policy = |category: &str, requires, percentage| ApprovalPolicy {
        name: category.to_owned(),
        requires,
        percentage,
        author: Vec::new(),
        category: vec![category.to_owned()],
        channel: Vec::new(),
        customer_status: Vec::new(),
        priority: Vec::new(),
    };
    vec![policy(LEGAL, Requirement::TwoApprovals, None), policy(CHATTER, Requirement::Sampled, Some(50))]
}

pub fn inquiry_in(category: &str) -> Inquiry {
    let input = NewInquiry {
        customer_id: Uuid::from_u128(9),
        subject: "Where is it?".to_owned(),
        message: "It is late.".to_owned(),
        priority: None,
        category: Some(category.to_owned()),
        channel: Some("email".to_owned()),
    };
    Inquiry::new(Uuid::from_u128(10), input, now())
}

/// What `by` is answered with success for; `None` for anything that is refused.
pub fn ask(database: &Database, by: usize, response: Uuid, command: &Command) -> Option<Flight> {
    let (user_id, role) = PEOPLE[by];
    let before = database.response(response)?;
    let principal = Principal { user_id, role, session_id: Uuid::nil() };
    if judge(&principal, step(command).action(), &**before) != Verdict::Allowed {
        return None;
    }
    let inquiry = &database.inquiry;
    let (after, entry) = match command {
        Command::Edit => {
            let text = format!("{} by {role}", before.revision + 1);
            (before.edit(user_id, text.clone(), now()).ok()?, Entry::Wrote { response, by: user_id, text })
        }
        Command::Submit { picked } => {
            // Once picked, it is not drawn again: the query is the response store's.
            let is_picked = |one: &Arc<Response>| {
                one.sampled && !matches!(one.status, ResponseStatus::Approved | ResponseStatus::Sent)
            };
            let picked = *picked || database.responses.iter().any(is_picked);
            let terms = terms(inquiry, before, picked);
            let required = agreed_in_the_house(&inquiry.category, picked);
            let entry =
                Entry::Submitted { response, required, picked: inquiry.category == CHATTER && picked };
            (before.submit(terms, now()).ok()?, entry)
        }
        Command::Withdraw => (before.withdraw(now()).ok()?, Entry::Withdrawn { response }),
        Command::Approve { revision, has_read } => {
            let approval = Approval { notes: None, revision: Some(*revision), acknowledge_stale: *has_read };
            let needed = terms(inquiry, before, true).approvals;
            let after = before.approve(user_id, &approval, needed, now()).ok()?;
            let required = agreed_in_the_house(&inquiry.category, true);
            let (by, revision, has_read) = (user_id, *revision, *has_read);
            (after, Entry::Approved { response, by, revision, has_read, required })
        }
        Command::Reject => {
            (before.reject("No.".to_owned(), now()).ok()?, Entry::Rejected { response, by: user_id })
        }
    };
    let mut changes = vec![Change::Response(Arc::new(after.clone()))];
    if after.status == ResponseStatus::Approved {
        // A number that no other delivery has.
        let id = Uuid::from_u128(response.as_u128() * 1000 + u128::try_from(after.version).unwrap());
        let delivery = Delivery::of_approved(id, &after, inquiry, &customer(), now());
        changes.push(Change::NewDelivery(Arc::new(delivery)));
        changes.extend(inquiry.answered(now()).map(|answered| Change::Inquiry(Arc::new(answered))));
    }
    Some(Flight { origin: Origin::Person, changes, entry })
}

/// The customer writes again.
pub fn write_again(database: &Database) -> Flight {
    let mut changes = Vec::new();
    let mut pending = Vec::new();
    for response in database.waiting() {
        let outdated = response.outdated(now()).map(Arc::new);
        let after = outdated.as_ref().unwrap_or(response);
        pending.push((after.id, after.version));
        changes.extend(outdated.map(Change::Response));
    }
    changes.push(Change::Inquiry(Arc::new(database.inquiry.written_to_again(true, now()))));
    changes.push(Change::ExpectPending(pending));
    Flight { origin: Origin::Customer, changes, entry: Entry::CustomerWrote }
}

/// Someone finds that it is about something else.
pub fn recategorise(database: &Database, category: &str) -> Flight {
    let inquiry = &database.inquiry;
    let input = InquiryInput {
        subject: inquiry.subject.clone(),
        message: inquiry.message.clone(),
        priority: None,
        category: Some(category.to_owned()),
    };
    let changes = vec![Change::Inquiry(Arc::new(inquiry.replace(input, now())))];
    Flight { origin: Origin::Person, changes, entry: Entry::Nothing }
}

/// As the coordinator is asked for it.
fn step(command: &Command) -> Step {
    match command {
        Command::Edit => Step::Edit(ResponseInput { message: String::new() }),
        Command::Submit { .. } => Step::Submit,
        Command::Withdraw => Step::Withdraw,
        Command::Approve { .. } => Step::Approve(Approval::default()),
        Command::Reject => Step::Reject(Rejection { notes: String::new() }),
    }
}

fn terms(inquiry: &Inquiry, response: &Response, picked: bool) -> Terms {
    let circumstances = Circumstances {
        authors: response.editors.iter().map(|editor| format!("{editor}@example.com")).collect(),
        category: inquiry.category.clone(),
        channel: inquiry.channel.clone(),
        customer_status: Some(CustomerStatus::Active),
        priority: inquiry.priority,
    };
    let policies = policies();
    applicable(&policies, &circumstances).map_or_else(Terms::default, |policy| policy.terms(|_| picked))
}

/// How many different people have to approve it, said without the hub's policies.
fn agreed_in_the_house(category: &str, picked: bool) -> usize {
    match category {
        LEGAL => 2,
        CHATTER => usize::from(picked),
        _ => 1,
    }
}

fn customer() -> Customer {
    let input = CustomerInput {
        first_name: "Ada".to_owned(),
        last_name: "Lovelace".to_owned(),
        email: "ada@example.com".to_owned(),
        phone: None,
        company: None,
        status: None,
        metadata: None,
    };
    Customer::new(Uuid::from_u128(9), input, None, now())
}
