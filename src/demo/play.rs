//! Makes the plot happen: every deed is a command to the same actors that HTTP talks to, by someone who may.

use std::collections::HashMap;
use std::time::Duration;

use nexus_actors::approval_coordinator::{AdvanceResponse, DraftResponse, FireTimers, Step as ResponseStep};
use nexus_actors::customer_desk::{AssignCustomer, CreateCustomer, ReplaceCustomer};
use nexus_actors::domain::customer::CustomerStatus;
use nexus_actors::domain::inquiry::{InquiryStatus, NewInquiry};
use nexus_actors::domain::response::{Approval, NewResponse, Rejection, ResponseInput};
use nexus_actors::domain::{Caller, Timestamp};
use nexus_actors::inquiry_desk::{AssignInquiry, Assignee, CreateInquiry, MoveInquiry};
use nexus_actors::store::inquiries::GetInquiry;
use nexus_actors::store::users::ListCandidates;
use nexus_actors::{Hub, HubError, HubResult};
use uuid::Uuid;

use super::letters::{Letter, signed};
use super::people::PEOPLE;
use super::plot::{Deed, Plot};
use super::script::Step;
use super::staff::{GOES_AWAY, Member, Staff};

pub async fn play(plot: Plot, hub: &Hub, staff: &mut Staff) -> HubResult<()> {
    let mut stage =
        Stage { hub, staff, letters: plot.letters, customers: HashMap::new(), threads: HashMap::new() };
    for (at, deed) in plot.beats {
        advance(hub, at).await?;
        stage.perform(deed).await?;
    }
    Ok(())
}

/// As somebody of the staff, with no session behind it.
pub fn caller(member: &Member) -> Caller {
    Caller { principal: member.principal.clone(), request_id: "demo".into(), if_match: None, claim: None }
}

/// With what becomes due by then.
async fn advance(hub: &Hub, to: Timestamp) -> HubResult<()> {
    let ahead = to.millis() - hub.clock.now().millis();
    hub.clock.advance(Duration::from_millis(u64::try_from(ahead).unwrap_or_default()));
    hub.approval_coordinator.ask(FireTimers).await
}

struct Stage<'a> {
    hub: &'a Hub,
    staff: &'a mut Staff,
    letters: Vec<(usize, Letter)>,
    /// By the plot's indices, as are the threads.
    customers: HashMap<usize, Uuid>,
    threads: HashMap<usize, Thread>,
}

/// An inquiry, and the reply that is being worked on with its author.
#[derive(Clone, Copy)]
struct Thread {
    inquiry: Uuid,
    response: Option<(Uuid, Uuid)>,
}

impl Stage<'_> {
    async fn perform(&mut self, deed: Deed) -> HubResult<()> {
        match deed {
            Deed::AddCustomer(index) => {
                let input = PEOPLE[index].input(CustomerStatus::Active)?;
                let create = CreateCustomer { caller: caller(&self.staff.admin), input };
                let customer = self.hub.customer_desk.ask(create).await?;
                self.customers.insert(index, customer.id);
            }
            Deed::GiveOwnCso { customer, cso } => {
                let id = *known(&self.customers, customer)?;
                let assignee = Some(self.staff.csos[cso].user.id);
                let assign = AssignCustomer { caller: caller(&self.staff.managers[0]), id, assignee };
                self.hub.customer_desk.ask(assign).await?;
            }
            Deed::SetStatus { customer, status } => {
                let id = *known(&self.customers, customer)?;
                let input = PEOPLE[customer].input(status)?;
                let replace = ReplaceCustomer { caller: caller(&self.staff.admin), id, input };
                self.hub.customer_desk.ask(replace).await?;
            }
            Deed::CsoGoesAway => self.staff.csos[GOES_AWAY].go_away(self.hub).await?,
            Deed::Ask(letter) => self.ask(letter).await?,
            Deed::Advance { letter, step: Step::Move(to) } => self.move_to(letter, to).await?,
            Deed::Advance { letter, step: Step::Draft(text) } => self.draft(letter, &text).await?,
            Deed::Advance { letter, step } => self.advance_response(letter, step).await?,
        }
        Ok(())
    }

    async fn ask(&mut self, index: usize) -> HubResult<()> {
        let (customer, letter) = &self.letters[index];
        let input = NewInquiry {
            customer_id: *known(&self.customers, *customer)?,
            subject: letter.subject.clone(),
            message: letter.message.clone(),
            priority: Some(letter.priority),
            category: Some(letter.category.to_owned()),
            channel: Some(letter.channel.to_owned()),
        };
        let create = CreateInquiry { caller: caller(&self.staff.admin), input: input.validate()? };
        let inquiry = self.hub.inquiry_desk.ask(create).await?;
        self.threads.insert(index, Thread { inquiry: inquiry.id, response: None });
        Ok(())
    }

    async fn move_to(&self, letter: usize, to: InquiryStatus) -> HubResult<()> {
        let id = known(&self.threads, letter)?.inquiry;
        let cso = self.assignee(id).await?;
        let caller = caller(cso);
        self.hub.inquiry_desk.ask(MoveInquiry { caller, id, to }).await?;
        Ok(())
    }

    async fn draft(&mut self, letter: usize, text: &str) -> HubResult<()> {
        let inquiry_id = known(&self.threads, letter)?.inquiry;
        let author = self.assignee(inquiry_id).await?;
        let input = NewResponse { inquiry_id, message: signed(text, &author.name()) }.validate()?;
        let draft = DraftResponse { caller: caller(author), input };
        let response = self.hub.approval_coordinator.ask(draft).await?;
        let thread = Thread { inquiry: inquiry_id, response: Some((response.id, response.responded_by)) };
        self.threads.insert(letter, thread);
        Ok(())
    }

    async fn advance_response(&self, letter: usize, step: Step) -> HubResult<()> {
        let thread = known(&self.threads, letter)?;
        let (id, author) = thread.response.ok_or_else(out_of_order)?;
        let author = self.cso(author)?;
        // Managers share the queue.
        let manager = &self.staff.managers[letter % self.staff.managers.len()];
        let edit = |text: &str| {
            let input = ResponseInput { message: signed(text, &author.name()) };
            HubResult::Ok(ResponseStep::Edit(input.validate()?))
        };
        let (by, step) = match step {
            Step::Edit(text) => (author, edit(&text)?),
            Step::Polish(text) => (&self.staff.admin, edit(&text)?),
            Step::Submit => (author, ResponseStep::Submit),
            Step::Withdraw => (author, ResponseStep::Withdraw),
            Step::Reject(notes) => {
                (manager, ResponseStep::Reject(Rejection { notes: notes.to_owned() }.validate()?))
            }
            Step::Approve(notes) => {
                (manager, ResponseStep::Approve(Approval { notes, ..Approval::default() }.validate()?))
            }
            Step::Move(_) | Step::Draft(_) => return Err(out_of_order()),
        };
        self.hub.approval_coordinator.ask(AdvanceResponse { caller: caller(by), id, step }).await?;
        Ok(())
    }

    /// Who works on an inquiry. One that still waits is given to somebody by a manager first, regardless of
    /// skills: that is what managers do when the queue stands still.
    async fn assignee(&self, inquiry: Uuid) -> HubResult<&Member> {
        let found = self.hub.inquiries.ask(GetInquiry(inquiry)).await?.ok_or_else(out_of_order)?;
        if let Some(assignee) = found.assigned_to {
            return self.cso(assignee);
        }
        let candidates = self.hub.users.ask(ListCandidates::default()).await?;
        let free = candidates.iter().filter(|one| one.accepts_work && one.capacity > 0);
        let idlest = free.min_by_key(|one| (one.open * 100 / one.capacity, one.user_id));
        let to = Assignee::User(idlest.ok_or_else(out_of_order)?.user_id);
        let manager = &self.staff.managers[0];
        let assign = AssignInquiry { caller: caller(manager), id: inquiry, to };
        let assigned = self.hub.inquiry_desk.ask(assign).await?;
        self.cso(assigned.assigned_to.ok_or_else(out_of_order)?)
    }

    fn cso(&self, id: Uuid) -> HubResult<&Member> {
        self.staff.csos.iter().find(|cso| cso.user.id == id).ok_or_else(out_of_order)
    }
}

fn known<T>(all: &HashMap<usize, T>, index: usize) -> HubResult<&T> {
    all.get(&index).ok_or_else(out_of_order)
}

fn out_of_order() -> HubError {
    HubError::Internal("the demo's story is out of order".to_owned())
}
