use proptest::prelude::*;

use super::*;
use ResponseAction::{
    AddApproval, Approve, ConfirmDelivery, Edit, FailDelivery, Reject, Release, Submit, Withdraw,
};
use ResponseStatus::{Approved, DeliveryFailed, Draft, PendingApproval, Rejected, Sent};

/// The life cycle of contract section 4, and what policies add to it: everything else is refused.
const LIFE_CYCLE: &[(ResponseStatus, ResponseAction, ResponseStatus)] = &[
    (Draft, Edit, Draft),
    (Draft, Submit, PendingApproval),
    (Draft, Release, Approved),
    (DeliveryFailed, Release, Approved),
    (PendingApproval, AddApproval, PendingApproval),
    (PendingApproval, Withdraw, Draft),
    (PendingApproval, Approve, Approved),
    (PendingApproval, Reject, Rejected),
    (Rejected, Edit, Draft),
    (Approved, ConfirmDelivery, Sent),
    (Approved, FailDelivery, DeliveryFailed),
    (DeliveryFailed, Submit, PendingApproval),
];

fn person(n: u8) -> Uuid {
    Uuid::from_u128(u128::from(n) + 1)
}

fn at(step: usize) -> Timestamp {
    let start = Timestamp::parse("2026-06-01T08:00:00Z").unwrap();
    start.plus(std::time::Duration::from_secs(step as u64))
}

fn draft() -> Response {
    Response::draft(Uuid::nil(), Uuid::nil(), "first".to_owned(), person(0), at(0))
}

/// Names no revision and acknowledges nothing.
fn unread() -> Approval {
    Approval::default()
}

fn terms(approvals: i64) -> Terms {
    Terms { policy: Some("policy".to_owned()), approvals, sampled: false }
}

/// Takes `action` as a desk would. What delivery does to a response beyond its status is not of interest here.
fn take(
    response: &Response,
    action: ResponseAction,
    by: Uuid,
    text: &str,
    now: Timestamp,
) -> Result<Response, CannotApprove> {
    let approval = Approval { notes: Some(text.to_owned()), acknowledge_stale: true, revision: None };
    let approve = |required| response.approve(by, &approval, required, now);
    let after = match action {
        Edit => response.edit(by, text.to_owned(), now),
        Submit => response.submit(Terms::default(), now),
        Release => response.submit(terms(0), now),
        Withdraw => response.withdraw(now),
        AddApproval => return approve(2),
        Approve => return approve(1),
        Reject => response.reject(text.to_owned(), now),
        ConfirmDelivery | FailDelivery => response.advance(action, now),
    };
    Ok(after?)
}

#[test]
fn every_status_takes_the_actions_of_the_life_cycle_and_no_other() {
    let mut taken = 0;
    for &from in ResponseStatus::ALL {
        for &action in ResponseAction::ALL {
            let response = Response { status: from, ..draft() };
            let expected =
                LIFE_CYCLE.iter().find(|(f, a, _)| (*f, *a) == (from, action)).map(|(_, _, to)| *to);
            assert_eq!(from.after(action), expected, "{from}, {action}");
            let outcome = take(&response, action, person(1), "second", at(1)).map(|after| after.status);
            // Whoever asks knows of submitting and of approving.
            let attempted = match action {
                Release => Submit,
                AddApproval => Approve,
                asked => asked,
            };
            let refused = CannotApprove::Status(InvalidTransition { from, attempted });
            assert_eq!(outcome, expected.ok_or(refused), "{from}, {action}");
            taken += usize::from(expected.is_some());
        }
    }
    assert_eq!((ResponseStatus::ALL.len(), ResponseAction::ALL.len(), taken), (6, 9, LIFE_CYCLE.len()));
}

#[test]
fn a_new_round_forgets_the_decision_before() {
    let submitted = draft().submit(Terms::default(), at(1)).unwrap();
    let rejected = submitted.reject("Be kinder.".to_owned(), at(2)).unwrap();
    assert_eq!((rejected.approval_notes.as_deref(), rejected.decided_at), (Some("Be kinder."), Some(at(2))));
    let edited = rejected.edit(person(0), "kinder".to_owned(), at(3)).unwrap();
    assert_eq!(edited.approval_notes.as_deref(), Some("Be kinder."), "in sight while the author works on it");
    let again = edited.submit(Terms::default(), at(4)).unwrap();
    assert_eq!((again.approval_notes, again.decided_at, again.submitted_at), (None, None, Some(at(4))));
}

#[test]
fn submitting_someone_elses_draft_makes_nobody_its_writer() {
    let edited = draft().edit(person(1), "second".to_owned(), at(1)).unwrap();
    let submitted = edited.submit(Terms::default(), at(2)).unwrap();
    for (who, wrote) in [(0, true), (1, true), (2, false)] {
        assert_eq!(submitted.is_written_by(person(who)), wrote, "{who}");
    }
}

proptest! {
    #[test]
    fn whatever_is_tried_in_whatever_order(
        steps in prop::collection::vec((prop::sample::select(ResponseAction::ALL), 0u8..4, "[a-z]{1,8}"), 0..40),
    ) {
        let mut response = draft();
        let mut writers = vec![person(0)];
        // The text, its revision and who approved it last, if it was not a policy.
        let mut approved: Option<(String, i64, Option<Uuid>)> = None;
        // Those who have approved it since it was submitted.
        let mut given: Vec<Uuid> = Vec::new();
        let mut required = 1;
        for (step, (action, by, text)) in steps.into_iter().enumerate() {
            let by = person(by);
            let after = match take(&response, action, by, &text, at(step)) {
                Ok(after) => after,
                Err(CannotApprove::Already) => {
                    prop_assert!(given.contains(&by));
                    continue;
                }
                Err(CannotApprove::Status(_)) => {
                    prop_assert_eq!(response.status.after(action), None);
                    continue;
                }
                Err(unread @ (CannotApprove::RevisionChanged { .. } | CannotApprove::Stale)) => {
                    return Err(TestCaseError::fail(unread.to_string()));
                }
            };
            let text_of = |response: &Response| (response.message.clone(), response.revision);
            match action {
                Edit => writers.push(by),
                Approve | AddApproval => {
                    prop_assert_eq!(response.status, PendingApproval);
                    prop_assert!(!given.contains(&by));
                    given.push(by);
                    required = required.max(if action == AddApproval { 2 } else { 1 });
                    if given.len() >= required {
                        let (text, revision) = text_of(&response);
                        approved = Some((text, revision, Some(by)));
                    }
                }
                Submit | Release => {
                    (given, required) = (Vec::new(), 1);
                    let (text, revision) = text_of(&response);
                    approved = (action == Release).then_some((text, revision, None));
                }
                Withdraw | Reject => given.clear(),
                ConfirmDelivery | FailDelivery => {}
            }
            let expected_text = if action == Edit { &text } else { &response.message };
            prop_assert_eq!(&after.message, expected_text);
            prop_assert_eq!(after.revision, response.revision + i64::from(action == Edit));
            prop_assert_eq!(after.version, response.version + 1);
            prop_assert_eq!(after.updated_at, at(step));
            prop_assert_eq!(
                (after.id, after.inquiry_id, after.responded_by, after.created_at),
                (response.id, response.inquiry_id, response.responded_by, response.created_at)
            );
            prop_assert!(response.editors.iter().all(|editor| after.editors.contains(editor)));
            prop_assert!((0..4).map(person).all(|one| after.is_written_by(one) == writers.contains(&one)));
            // From the approval to the end of its delivery, it is that text that was approved by that person.
            let stands = matches!(after.status, Approved | Sent | DeliveryFailed);
            let claimed = stands.then(|| (after.message.clone(), after.revision, after.approved_by));
            prop_assert_eq!(&claimed, &approved);
            prop_assert!(stands || after.approved_by.is_none());
            prop_assert_eq!(after.is_approved(), after.status == Approved);
            let by: Vec<_> = after.approvals.iter().map(|approval| approval.approved_by).collect();
            prop_assert_eq!(&by, &given);
            response = after;
        }
    }
}

#[test]
fn only_what_waits_becomes_stale_and_every_step_ends_it() {
    for &status in ResponseStatus::ALL {
        let response = Response { status, ..draft() };
        let outdated = response.outdated(at(1));
        assert_eq!(outdated.is_some(), status == PendingApproval, "{status}");
        let Some(stale) = outdated else { continue };
        assert_eq!((stale.stale, stale.version), (true, response.version + 1));
        assert_eq!(stale.outdated(at(2)), None);
        for action in [Withdraw, Approve, Reject] {
            assert!(!take(&stale, action, person(1), "notes", at(2)).unwrap().stale);
        }
    }
}

#[test]
fn an_approval_given_before_the_customer_wrote_again_does_not_count() {
    let submitted = draft().submit(terms(2), at(1)).unwrap();
    let once = submitted.approve(person(1), &unread(), 1, at(2)).unwrap();
    assert_eq!((once.status, once.approvals_missing()), (PendingApproval, 1));
    let stale = once.outdated(at(3)).unwrap();
    assert_eq!((stale.stale, stale.approvals_missing()), (true, 2));
    // Whoever approves it next has read what the customer wrote; the one after must have, too.
    let read = Approval { acknowledge_stale: true, ..unread() };
    assert_eq!(stale.approve(person(1), &unread(), 1, at(4)), Err(CannotApprove::Stale));
    let once_more = stale.approve(person(1), &read, 1, at(4)).unwrap();
    assert_eq!((once_more.status, once_more.stale), (PendingApproval, true));
    let written_again = once_more.outdated(at(5)).unwrap();
    assert_eq!(written_again.approvals_missing(), 2);
    assert_eq!(written_again.outdated(at(6)), None);
    let approved = once_more.approve(person(2), &read, 1, at(6)).unwrap();
    assert_eq!((approved.status, approved.approved_by, approved.stale), (Approved, Some(person(2)), false));
}

#[test]
fn an_approval_that_names_a_revision_is_of_that_one() {
    let edited = draft().edit(person(0), "second".to_owned(), at(1)).unwrap();
    let submitted = edited.submit(Terms::default(), at(2)).unwrap();
    let of = |revision| submitted.approve(person(1), &Approval { revision, ..unread() }, 1, at(3));
    assert_eq!(of(Some(1)), Err(CannotApprove::RevisionChanged { named: 1, current: 2 }));
    for named in [Some(2), None] {
        assert_eq!(of(named).unwrap().status, Approved);
    }
}

#[test]
fn what_an_earlier_version_of_the_hub_has_approved_stands() {
    let approved =
        draft().submit(Terms::default(), at(1)).unwrap().approve(person(1), &unread(), 1, at(2)).unwrap();
    assert!(Response { approvals: Vec::new(), ..approved.clone() }.is_approved());
    for doubtful in [
        Response { approvals: Vec::new(), approvals_required: 2, ..approved.clone() },
        Response { approvals: Vec::new(), approved_by: None, ..approved.clone() },
        Response { approvals: Vec::new(), approved_by: None, approvals_required: 0, ..approved },
    ] {
        assert!(!doubtful.is_approved());
    }
}
