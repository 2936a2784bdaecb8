//! Which CSO gets an inquiry, and why (contract section 7). Pure: loads come in, a decision comes out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Timestamp;
use super::text_enum::text_enum;

/// A CSO as the choice sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub user_id: Uuid,
    /// Active, a CSO and online.
    pub accepts_work: bool,
    /// Pending and in-progress inquiries.
    pub open: i64,
    /// The most of them the CSO takes on.
    pub capacity: i64,
    /// Categories; empty means all.
    pub skills: Vec<String>,
    pub last_assigned_at: Option<Timestamp>,
}

impl Candidate {
    pub fn has_room(&self) -> bool {
        self.accepts_work && self.open < self.capacity
    }
}

text_enum!(
    /// Why a candidate was or was not chosen.
    Finding {
        Eligible = "eligible",
        Chosen = "chosen",
        NotAccepting = "not_accepting",
        AtCapacity = "at_capacity",
        LacksSkill = "lacks_skill",
        DidNotTakeItUp = "did_not_take_it_up",
    }
);

text_enum!(
    /// Which rule decided.
    Reason {
        CustomersOwnCso = "customers_own_cso",
        LowestLoad = "lowest_load",
        LongestIdle = "longest_idle",
        NobodyEligible = "nobody_eligible",
        Manual = "manual",
        HandedOn = "handed_on",
        NotTakenUp = "not_taken_up",
    }
);

/// One candidate's place in a stored decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConsideredCso)]
pub struct Considered {
    pub user_id: Uuid,
    pub open_inquiries: i64,
    pub max_open_inquiries: i64,
    pub finding: Finding,
}

/// What was decided for one inquiry, with everything it was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub assignee: Option<Uuid>,
    pub reason: Reason,
    pub considered: Vec<Considered>,
}

/// A stored decision, as `GET /inquiries/:id/assignments` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    pub id: Uuid,
    pub created_at: Timestamp,
    pub inquiry_id: Uuid,
    /// Null when the inquiry waits.
    #[schema(required)]
    pub assignee_id: Option<Uuid>,
    pub reason: Reason,
    /// Who assigned it by hand; null when the hub chose.
    #[schema(required)]
    pub actor_id: Option<Uuid>,
    pub candidates: Vec<Considered>,
}

impl Assignment {
    /// `actor_id`: who decided it by hand.
    pub fn of(id: Uuid, inquiry_id: Uuid, decision: Decision, actor_id: Option<Uuid>, at: Timestamp) -> Self {
        let Decision { assignee, reason, considered } = decision;
        Self {
            id,
            created_at: at,
            inquiry_id,
            assignee_id: assignee,
            reason,
            actor_id,
            candidates: considered,
        }
    }
}

impl Decision {
    /// Not chosen among candidates: someone named them, or it was taken from whoever had it.
    pub fn without_choice(assignee: Option<Uuid>, reason: Reason) -> Self {
        Self { assignee, reason, considered: Vec::new() }
    }
}

/// What the choice needs to know of an inquiry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub category: String,
    /// The customer's own CSO.
    pub own_cso: Option<Uuid>,
    /// Who had it last and did not take it up: it goes to somebody else.
    pub lapsed_by: Option<Uuid>,
}

/// The customer's own CSO if they can take it; else the eligible candidate with the lowest load relative to
/// capacity, ties to the longest idle, then to the smallest id so that the choice is a function of its input.
///
/// The customer's own CSO needs no matching skill: knowing the customer outranks knowing the category.
pub fn choose(wanted: &Wanted, candidates: &[Candidate]) -> Decision {
    let lapsed = |candidate: &Candidate| Some(candidate.user_id) == wanted.lapsed_by;
    let is_own = |candidate: &Candidate| Some(candidate.user_id) == wanted.own_cso;
    let own = candidates.iter().find(|one| is_own(one) && one.has_room() && !lapsed(one));
    let mut eligible: Vec<&Candidate> =
        candidates.iter().filter(|candidate| finding(wanted, candidate) == Finding::Eligible).collect();
    eligible.sort_by(|a, b| by_load(a, b).then(by_idleness(a, b)).then(a.user_id.cmp(&b.user_id)));
    let (chosen, reason) = match (own, eligible.as_slice()) {
        (Some(own), _) => (Some(own.user_id), Reason::CustomersOwnCso),
        (None, []) => (None, Reason::NobodyEligible),
        (None, [first, second, ..]) if by_load(first, second).is_eq() => {
            (Some(first.user_id), Reason::LongestIdle)
        }
        (None, [first, ..]) => (Some(first.user_id), Reason::LowestLoad),
    };
    let considered = candidates
        .iter()
        .map(|candidate| Considered {
            user_id: candidate.user_id,
            open_inquiries: candidate.open,
            max_open_inquiries: candidate.capacity,
            finding: if chosen == Some(candidate.user_id) {
                Finding::Chosen
            } else {
                finding(wanted, candidate)
            },
        })
        .collect();
    Decision { assignee: chosen, reason, considered }
}

fn finding(wanted: &Wanted, candidate: &Candidate) -> Finding {
    if !candidate.accepts_work {
        Finding::NotAccepting
    } else if candidate.open >= candidate.capacity {
        Finding::AtCapacity
    } else if wanted.lapsed_by == Some(candidate.user_id) {
        Finding::DidNotTakeItUp
    } else if candidate.skills.is_empty() || candidate.skills.contains(&wanted.category) {
        Finding::Eligible
    } else {
        Finding::LacksSkill
    }
}

/// Compares open ÷ capacity without dividing; both capacities are above zero among the eligible.
fn by_load(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    (i128::from(a.open) * i128::from(b.capacity)).cmp(&(i128::from(b.open) * i128::from(a.capacity)))
}

/// Never assigned sorts first.
fn by_idleness(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    a.last_assigned_at.cmp(&b.last_assigned_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(n: u128, open: i64, capacity: i64, skills: &[&str]) -> Candidate {
        Candidate {
            user_id: Uuid::from_u128(n),
            accepts_work: true,
            open,
            capacity,
            skills: skills.iter().map(|&skill| skill.to_owned()).collect(),
            last_assigned_at: None,
        }
    }

    fn wanted(category: &str, own_cso: Option<u128>, lapsed_by: Option<u128>) -> Wanted {
        let (own_cso, lapsed_by) = (own_cso.map(Uuid::from_u128), lapsed_by.map(Uuid::from_u128));
        Wanted { category: category.to_owned(), own_cso, lapsed_by }
    }

    #[test]
    fn whoever_did_not_take_it_up_does_not_get_it_again_not_even_their_own_customers() {
        let candidates = [candidate(1, 0, 10, &[]), candidate(2, 9, 10, &[])];
        let decision = choose(&wanted("general", Some(1), Some(1)), &candidates);
        assert_eq!(decision.assignee, Some(Uuid::from_u128(2)));
        assert_eq!(decision.considered[0].finding, Finding::DidNotTakeItUp);
    }

    #[test]
    fn the_customers_own_cso_comes_first_even_when_busier() {
        let candidates = [candidate(1, 5, 10, &["billing"]), candidate(2, 0, 10, &[])];
        let decision = choose(&wanted("shipping", Some(1), None), &candidates);
        assert_eq!((decision.assignee, decision.reason), (Some(Uuid::from_u128(1)), Reason::CustomersOwnCso));
    }

    #[test]
    fn load_is_relative_to_capacity() {
        let candidates = [candidate(1, 2, 4, &[]), candidate(2, 4, 20, &[])];
        let decision = choose(&wanted("general", None, None), &candidates);
        assert_eq!((decision.assignee, decision.reason), (Some(Uuid::from_u128(2)), Reason::LowestLoad));
    }

    #[test]
    fn a_tie_goes_to_the_longest_idle() {
        let mut busy_lately = candidate(1, 1, 10, &[]);
        busy_lately.last_assigned_at = Timestamp::parse("2026-01-01T00:00:00Z");
        let decision = choose(&wanted("general", None, None), &[busy_lately, candidate(2, 1, 10, &[])]);
        assert_eq!((decision.assignee, decision.reason), (Some(Uuid::from_u128(2)), Reason::LongestIdle));
    }

    #[test]
    fn nobody_eligible_waits_and_says_why_for_each() {
        let mut away = candidate(3, 0, 10, &[]);
        away.accepts_work = false;
        let decision = choose(
            &wanted("general", None, None),
            &[candidate(1, 10, 10, &[]), candidate(2, 0, 10, &["vip"]), away],
        );
        assert_eq!(decision.assignee, None);
        let findings: Vec<_> = decision.considered.iter().map(|considered| considered.finding).collect();
        assert_eq!(findings, [Finding::AtCapacity, Finding::LacksSkill, Finding::NotAccepting]);
    }

    proptest! {
        #[test]
        fn never_over_capacity_never_to_someone_away_never_idle_hands_beside_work(
            people in prop::collection::vec((any::<bool>(), 0i64..5, 0i64..5, any::<bool>()), 0..8),
            own in prop::option::of(0usize..8),
            lapsed in prop::option::of(0usize..8),
        ) {
            let candidates: Vec<_> = people.iter().enumerate().map(|(index, &(accepts_work, open, capacity, skilled))| {
                let mut one = candidate(index as u128, open, capacity, if skilled { &[] } else { &["other"] });
                one.accepts_work = accepts_work;
                one
            }).collect();
            let decision = choose(&wanted("general", own.map(|index| index as u128), lapsed.map(|index| index as u128)), &candidates);
            match decision.assignee {
                Some(id) => {
                    let chosen = candidates.iter().find(|candidate| candidate.user_id == id).unwrap();
                    prop_assert!(chosen.accepts_work && chosen.open < chosen.capacity);
                    prop_assert!(lapsed.is_none_or(|index| id != Uuid::from_u128(index as u128)));
                }
                None => prop_assert!(candidates.iter().all(|one| finding(&wanted("general", None, lapsed.map(|index| index as u128)), one) != Finding::Eligible)),
            }
        }
    }
}
