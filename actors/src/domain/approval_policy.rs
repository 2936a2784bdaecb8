//! How many people have to approve a response: the setting `approval.policies`, of which the first that matches applies.
//!
//! Without a match it is one. What applies is settled when a response is submitted and looked at again when it is
//! approved, so that a change of the inquiry in between can make it stricter and never laxer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::customer::CustomerStatus;
use super::inquiry::Priority;
use super::text_enum::text_enum;

text_enum!(
    /// What a policy asks for: one approval, those of two people, or one for some of the responses only.
    Requirement { Required = "required", TwoApprovals = "two_approvals", Sampled = "sampled" }
);

/// One entry of `approval.policies`. It matches where all of its conditions hold; a condition that is left out does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPolicy {
    pub name: String,
    pub requires: Requirement,
    /// Of a hundred responses, how many a `sampled` policy picks for approval; the others are released at once.
    pub percentage: Option<u8>,
    /// Emails. For `sampled`, everyone whose words are in it must be among them; else one is enough.
    #[serde(default)]
    pub author: Vec<String>,
    #[serde(default)]
    pub category: Vec<String>,
    #[serde(default)]
    pub channel: Vec<String>,
    #[serde(default)]
    pub customer_status: Vec<CustomerStatus>,
    #[serde(default)]
    pub priority: Vec<Priority>,
}

/// What policies look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// The emails of everyone whose words are in it.
    pub authors: Vec<String>,
    pub category: String,
    pub channel: String,
    /// Of a deleted customer there is none.
    pub customer_status: Option<CustomerStatus>,
    pub priority: Priority,
}

/// What applies to one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The name of the policy; `None` when none matches.
    pub policy: Option<String>,
    /// 0: it is released at once.
    pub approvals: i64,
    /// Picked for approval by a `sampled` policy.
    pub sampled: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { policy: None, approvals: 1, sampled: false }
    }
}

text_enum!(Condition {
    Author = "author",
    Category = "category",
    Channel = "channel",
    CustomerStatus = "customerStatus",
    Priority = "priority",
});

/// Which policy applies to a response as it stands, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub response_id: Uuid,
    /// The name of the policy that applies; null when none matches and one approval is needed.
    #[schema(required)]
    pub policy: Option<String>,
    pub requires: Requirement,
    /// Of a `sampled` policy: how many of a hundred responses it picks.
    #[schema(required)]
    pub percentage: Option<u8>,
    /// Those looked at, in their order, up to the one that applies.
    pub considered: Vec<Considered>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConsideredPolicy)]
pub struct Considered {
    pub policy: String,
    pub matches: bool,
    /// Its conditions; none for a policy that matches everything.
    pub conditions: Vec<Check>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CheckedCondition)]
pub struct Check {
    pub condition: Condition,
    pub wanted: Vec<String>,
    pub found: Vec<String>,
    pub holds: bool,
}

impl Circumstances {
    fn found(&self, condition: Condition) -> Vec<String> {
        match condition {
            Condition::Author => self.authors.clone(),
            Condition::Category => vec![self.category.clone()],
            Condition::Channel => vec![self.channel.clone()],
            Condition::CustomerStatus => {
                self.customer_status.iter().map(|status| status.to_string()).collect()
            }
            Condition::Priority => vec![self.priority.to_string()],
        }
    }
}

impl ApprovalPolicy {
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.name.trim().is_empty() || self.name.chars().any(char::is_control) {
            return Err("needs a name of one line");
        }
        match (self.requires, self.percentage) {
            (Requirement::Sampled, Some(1..=99))
            | (Requirement::Required | Requirement::TwoApprovals, None) => Ok(()),
            (Requirement::Sampled, _) => Err("needs a percentage from 1 to 99"),
            (Requirement::Required | Requirement::TwoApprovals, Some(_)) => {
                Err("has a percentage, which is for sampled")
            }
        }
    }

    /// Those that are given, each with what it allows.
    pub fn conditions(&self) -> Vec<(Condition, Vec<String>)> {
        let all = [
            (Condition::Author, self.author.clone()),
            (Condition::Category, self.category.clone()),
            (Condition::Channel, self.channel.clone()),
            (Condition::CustomerStatus, self.customer_status.iter().map(ToString::to_string).collect()),
            (Condition::Priority, self.priority.iter().map(ToString::to_string).collect()),
        ];
        all.into_iter().filter(|(_, wanted): &(_, Vec<String>)| !wanted.is_empty()).collect()
    }

    fn checks(&self, of: &Circumstances) -> Vec<Check> {
        let given = self.conditions().into_iter();
        given
            .map(|(condition, wanted)| {
                let wanted = match condition {
                    Condition::Author => wanted.iter().map(|email| email.to_lowercase()).collect(),
                    _ => wanted,
                };
                let found = of.found(condition);
                let is_wanted = |text: &String| wanted.contains(text);
                let holds = match self.requires {
                    // What nobody may read before it is sent must be theirs alone.
                    Requirement::Sampled => !found.is_empty() && found.iter().all(is_wanted),
                    Requirement::Required | Requirement::TwoApprovals => found.iter().any(is_wanted),
                };
                Check { condition, wanted, found, holds }
            })
            .collect()
    }

    /// How many approvals it asks for. `picks`: what a `sampled` one decides, given its percentage.
    pub fn terms(&self, picks: impl FnOnce(u8) -> bool) -> Terms {
        let (approvals, sampled) = match self.requires {
            Requirement::Required => (1, false),
            Requirement::TwoApprovals => (2, false),
            Requirement::Sampled => {
                let picked = picks(self.percentage.unwrap_or(100));
                (i64::from(picked), picked)
            }
        };
        Terms { policy: Some(self.name.clone()), approvals, sampled }
    }
}

/// The one that applies.
pub fn applicable<'a>(policies: &'a [ApprovalPolicy], of: &Circumstances) -> Option<&'a ApprovalPolicy> {
    policies.iter().find(|policy| policy.checks(of).iter().all(|check| check.holds))
}

/// Which policy applies, and why.
pub fn explain(policies: &[ApprovalPolicy], of: &Circumstances, response_id: Uuid) -> Explanation {
    let mut explanation = Explanation {
        response_id,
        policy: None,
        requires: Requirement::Required,
        percentage: None,
        considered: Vec::new(),
    };
    for policy in policies {
        let conditions = policy.checks(of);
        let matches = conditions.iter().all(|check| check.holds);
        explanation.considered.push(Considered { policy: policy.name.clone(), matches, conditions });
        if matches {
            explanation.policy = Some(policy.name.clone());
            explanation.requires = policy.requires;
            explanation.percentage = policy.percentage;
            break;
        }
    }
    explanation
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms(policies: &[ApprovalPolicy], of: &Circumstances, picks: impl FnOnce(u8) -> bool) -> Terms {
        applicable(policies, of).map_or_else(Terms::default, |policy| policy.terms(picks))
    }

    fn matches(policy: ApprovalPolicy, of: &Circumstances) -> bool {
        applicable(&[policy], of).is_some()
    }

    fn of(email: &str) -> Circumstances {
        Circumstances {
            authors: vec![email.to_owned()],
            category: "billing".to_owned(),
            channel: "email".to_owned(),
            customer_status: Some(CustomerStatus::Active),
            priority: Priority::High,
        }
    }

    fn policy(name: &str, requires: Requirement) -> ApprovalPolicy {
        ApprovalPolicy {
            name: name.to_owned(),
            requires,
            percentage: (requires == Requirement::Sampled).then_some(20),
            author: Vec::new(),
            category: Vec::new(),
            channel: Vec::new(),
            customer_status: Vec::new(),
            priority: Vec::new(),
        }
    }

    #[test]
    fn without_a_match_one_approval_is_needed() {
        let never = |_| unreachable!("nothing is sampled");
        assert_eq!(terms(&[], &of("a@example.com"), never), Terms::default());
        let other =
            ApprovalPolicy { category: vec!["legal".into()], ..policy("legal", Requirement::TwoApprovals) };
        assert_eq!(terms(&[other], &of("a@example.com"), never), Terms::default());
    }

    #[test]
    fn the_first_match_wins_and_all_of_its_conditions_hold() {
        let never = |_| unreachable!("nothing is sampled");
        let narrow = ApprovalPolicy {
            category: vec!["billing".into()],
            priority: vec![Priority::Urgent],
            ..policy("urgent bills", Requirement::Required)
        };
        let bills = ApprovalPolicy {
            category: vec!["legal".into(), "billing".into()],
            customer_status: vec![CustomerStatus::Active],
            ..policy("bills", Requirement::TwoApprovals)
        };
        let rest = policy("rest", Requirement::Sampled);
        let all = [narrow, bills, rest];
        let found = terms(&all, &of("a@example.com"), never);
        assert_eq!(found, Terms { policy: Some("bills".to_owned()), approvals: 2, sampled: false });
        let why = explain(&all, &of("a@example.com"), Uuid::nil());
        assert_eq!((why.policy.as_deref(), why.requires), (Some("bills"), Requirement::TwoApprovals));
        let looked_at: Vec<_> = why.considered.iter().map(|one| (one.policy.as_str(), one.matches)).collect();
        assert_eq!(looked_at, [("urgent bills", false), ("bills", true)]);
        let failed: Vec<_> = why.considered[0]
            .conditions
            .iter()
            .filter(|check| !check.holds)
            .map(|check| check.condition)
            .collect();
        assert_eq!(failed, [Condition::Priority]);
    }

    #[test]
    fn a_sampled_policy_leaves_out_what_it_does_not_pick() {
        let chat = policy("spot checks", Requirement::Sampled);
        let picked = terms(std::slice::from_ref(&chat), &of("a@example.com"), |percentage| percentage == 20);
        assert_eq!((picked.approvals, picked.sampled), (1, true));
        let left_out = terms(std::slice::from_ref(&chat), &of("a@example.com"), |_| false);
        assert_eq!((left_out.approvals, left_out.sampled), (0, false));
    }

    #[test]
    fn for_less_than_a_review_of_each_all_its_authors_must_be_named_for_more_one_is_enough() {
        let author = vec!["Trusted@example.com".to_owned()];
        let both = Circumstances {
            authors: vec!["trusted@example.com".to_owned(), "new@example.com".to_owned()],
            ..of("")
        };
        let sampled = ApprovalPolicy { author: author.clone(), ..policy("trusted", Requirement::Sampled) };
        assert!(matches(sampled.clone(), &of("trusted@example.com")));
        assert!(!matches(sampled, &both));
        let two = ApprovalPolicy { author, ..policy("watched", Requirement::TwoApprovals) };
        assert!(matches(two.clone(), &both));
        assert!(!matches(two, &of("new@example.com")));
    }

    #[test]
    fn a_deleted_customer_has_no_status() {
        let gone = Circumstances { customer_status: None, ..of("a@example.com") };
        for &requires in Requirement::ALL {
            let any =
                ApprovalPolicy { customer_status: CustomerStatus::ALL.to_vec(), ..policy("any", requires) };
            assert!(!matches(any, &gone), "{requires}");
        }
    }

    #[test]
    fn only_a_sampled_policy_has_a_percentage() {
        assert!(policy("", Requirement::Required).check().is_err());
        for &requires in Requirement::ALL {
            for percentage in [None, Some(0), Some(1), Some(99), Some(100)] {
                let policy = ApprovalPolicy { percentage, ..policy("p", requires) };
                let fits = match requires {
                    Requirement::Sampled => matches!(percentage, Some(1 | 99)),
                    Requirement::Required | Requirement::TwoApprovals => percentage.is_none(),
                };
                assert_eq!(policy.check().is_ok(), fits, "{requires} {percentage:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_explained_is_what_applies(
            wanted in prop::collection::vec(
                (prop::sample::select(Requirement::ALL), prop::option::of("[ab]"), prop::option::of("[ab]")), 0..5),
            category in "[ab]", channel in "[ab]",
        ) {
            let policies: Vec<_> = wanted.into_iter().enumerate().map(|(index, (requires, a, b))| ApprovalPolicy {
                category: a.into_iter().collect(),
                channel: b.into_iter().collect(),
                ..policy(&index.to_string(), requires)
            }).collect();
            let of = Circumstances { category, channel, ..of("a@example.com") };
            let terms = terms(&policies, &of, |_| true);
            let why = explain(&policies, &of, Uuid::nil());
            prop_assert_eq!(&terms.policy, &why.policy);
            let needed = match why.requires {
                Requirement::Required | Requirement::Sampled => 1,
                Requirement::TwoApprovals => 2,
            };
            prop_assert_eq!(terms.approvals, needed);
            prop_assert_eq!(why.considered.iter().filter(|one| one.matches).count(), usize::from(why.policy.is_some()));
        }
    }
}
