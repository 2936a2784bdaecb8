//! What happens to one inquiry after it came in, and how long each step takes.

use std::ops::RangeInclusive;

use nexus_actors::domain::inquiry::InquiryStatus;
use rand::Rng;
use rand::rngs::StdRng;

use super::letters::{FLAWS, Flaw, Reply, praise};

/// Where an inquiry stands when the story ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Assigned, and nobody has begun.
    Pending,
    /// Nobody can take it.
    Unassigned,
    InProgress,
    Drafted,
    Withdrawn,
    /// Waits for a decision.
    Submitted,
    /// The same, and an admin has a hand in the text.
    Polished,
    Rejected,
    /// Edited after the rejection, and not submitted again yet.
    Reworked,
    Resubmitted,
    Answered,
    Closed,
    /// Closed, reopened by another message, answered and closed again.
    ClosedTwice,
    /// Closed without an answer, such as a duplicate.
    Unanswered,
}

#[derive(Clone, Debug)]
pub enum Step {
    Move(InquiryStatus),
    Draft(String),
    Edit(String),
    /// An edit by the admin, who may then no longer decide on it.
    Polish(String),
    Submit,
    Withdraw,
    Reject(&'static str),
    Approve(Option<String>),
}

/// Steps in their order, each with the minutes that go by before it.
struct Script<'a> {
    turn: usize,
    reply: &'a Reply,
    rng: &'a mut StdRng,
    steps: Vec<(Step, RangeInclusive<u64>)>,
}

/// `turn` counts the scripts and keeps neighbours apart.
pub fn script(
    turn: usize,
    ending: Ending,
    reply: &Reply,
    rng: &mut StdRng,
) -> Vec<(Step, RangeInclusive<u64>)> {
    let script = Script { turn, reply, rng, steps: Vec::new() };
    let script = match ending {
        Ending::Pending | Ending::Unassigned => script,
        Ending::InProgress => script.taken_up(),
        Ending::Drafted => script.taken_up().drafted(),
        Ending::Withdrawn => script.taken_up().drafted().submitted().withdrawn(),
        Ending::Submitted => script.taken_up().drafted().submitted(),
        Ending::Polished => script.taken_up().drafted().polished().submitted(),
        Ending::Rejected => script.taken_up().rejected(),
        Ending::Reworked => script.taken_up().rejected().reworked(),
        Ending::Resubmitted => script.taken_up().rejected().reworked().submitted(),
        Ending::Answered => script.taken_up().answered(),
        Ending::Closed => script.taken_up().answered().closed(),
        Ending::ClosedTwice => script.taken_up().answered().closed().reopened().closed(),
        Ending::Unanswered => script.then(Step::Move(InquiryStatus::Closed), 5..=90),
    };
    script.steps
}

impl Script<'_> {
    fn then(mut self, step: Step, minutes: RangeInclusive<u64>) -> Self {
        self.steps.push((step, minutes));
        self
    }

    fn taken_up(self) -> Self {
        self.then(Step::Move(InquiryStatus::InProgress), 4..=170)
    }

    fn drafted(self) -> Self {
        let text = self.reply.text();
        self.then(Step::Draft(text), 6..=55)
    }

    fn polished(self) -> Self {
        let text = self.reply.with_afterthought(self.rng);
        self.then(Step::Polish(text), 5..=30)
    }

    fn submitted(self) -> Self {
        self.then(Step::Submit, 1..=12)
    }

    fn withdrawn(self) -> Self {
        self.then(Step::Withdraw, 1..=15)
    }

    /// Written with a flaw, and sent back for it.
    fn rejected(self) -> Self {
        let flaw = self.flaw();
        let text = self.reply.with(flaw.sentence);
        self.then(Step::Draft(text), 6..=55).submitted().then(Step::Reject(flaw.notes), 8..=140)
    }

    fn reworked(self) -> Self {
        let text = self.reply.text();
        self.then(Step::Edit(text), 5..=80)
    }

    fn approved(self, again: bool) -> Self {
        let notes = praise(again, self.rng);
        self.then(Step::Approve(notes), 5..=140)
    }

    /// Most answers pass at once; some take a second look, by their author or by a manager.
    fn answered(self) -> Self {
        match self.rng.random_range(0..100) {
            0..15 => self.rejected().reworked().submitted().approved(true),
            15..19 => self.rejected().still_rejected().reworked().submitted().approved(true),
            19..28 => {
                let amended = self.reply.with_afterthought(self.rng);
                let withdrawn = self.drafted().submitted().withdrawn();
                withdrawn.then(Step::Edit(amended), 2..=20).submitted().approved(false)
            }
            _ => self.drafted().submitted().approved(false),
        }
    }

    /// Another flaw came in with the first one's repair.
    fn still_rejected(self) -> Self {
        let flaw = self.flaw();
        let text = self.reply.with(flaw.sentence);
        self.then(Step::Edit(text), 5..=60).submitted().then(Step::Reject(flaw.notes), 8..=90)
    }

    fn closed(self) -> Self {
        self.then(Step::Move(InquiryStatus::Closed), 6 * 60..=70 * 60)
    }

    /// The customer wrote again.
    fn reopened(self) -> Self {
        let text = self.reply.follow_up(self.rng);
        let reopened = self.then(Step::Move(InquiryStatus::InProgress), 3 * 60..=30 * 60);
        reopened.then(Step::Draft(text), 10..=60).submitted().approved(false)
    }

    /// Another one each time.
    fn flaw(&self) -> &'static Flaw {
        let rejections = self.steps.iter().filter(|(step, _)| matches!(step, Step::Reject(_))).count();
        &FLAWS[(self.turn + rejections) % FLAWS.len()]
    }
}
