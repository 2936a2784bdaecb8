//! What everybody is going to try.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Debug)]
pub struct Plan {
    pub category: &'static str,
    /// For the CSO, the admin and two managers: which of two drafts, and what to do with it.
    pub steps: [Vec<(usize, Step)>; 4],
    /// Of the customer.
    pub messages: usize,
    pub reports: Vec<Reported>,
    /// Which actors die.
    pub panics: Vec<usize>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Edit,
    Submit,
    Withdraw,
    /// `behind`: how old the revision is that they name.
    Approve {
        behind: i64,
        has_read: bool,
    },
    Reject,
}

#[derive(Clone, Debug)]
pub enum Reported {
    Sent,
    SentTwice,
    Failed {
        permanent: bool,
    },
    /// The second contradicts the first.
    FailedAndSent,
}

pub fn any() -> impl Strategy<Value = Plan> {
    let writing = || prop_oneof![1 => Just(Step::Edit), 4 => Just(Step::Submit), 1 => Just(Step::Withdraw)];
    let deciding = || {
        let approve = (prop_oneof![4 => Just(0), 1 => Just(1)], prop::bool::ANY)
            .prop_map(|(behind, has_read)| Step::Approve { behind, has_read });
        prop_oneof![6 => approve, 1 => Just(Step::Reject)]
    };
    let steps = [
        vec((0..2_usize, writing().boxed()), 2..8),
        vec((0..2_usize, prop_oneof![1 => writing(), 2 => deciding()].boxed()), 0..5),
        vec((0..2_usize, deciding().boxed()), 2..8),
        vec((0..2_usize, deciding().boxed()), 2..8),
    ];
    let reported = select(vec![
        Reported::Sent,
        Reported::SentTwice,
        Reported::Failed { permanent: false },
        Reported::Failed { permanent: true },
        Reported::FailedAndSent,
    ]);
    let category = select(vec!["general", "legal", "chatter"]);
    (category, steps, 0..3_usize, vec(reported, 0..4), vec(0..8_usize, 0..6)).prop_map(
        |(category, steps, messages, reports, panics)| Plan { category, steps, messages, reports, panics },
    )
}
