use serde_json::value::RawValue;

use super::*;
use crate::domain::Timestamp;

const USER: Uuid = Uuid::from_u128(1);

fn told(user_id: Uuid, number: i64) -> Told {
    let notification = Notification {
        id: number,
        event_type: "response.submitted".to_owned(),
        time: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
        subject: Uuid::nil(),
        data: RawValue::NULL.to_owned(),
        read_at: None,
    };
    Told { user_id, news_id: Uuid::nil(), notification }
}

fn subscribe(kind: Kind) -> Subscribe {
    Subscribe { user_id: USER, session_id: Uuid::from_u128(7), kind }
}

fn lines(told: i64) -> Lines {
    let lines = Lines::default();
    lines.begin(told);
    lines
}

/// Everything that has been pushed and not read.
fn unread(subscription: &mut Subscription) -> Vec<i64> {
    std::iter::from_fn(|| subscription.pushed.try_recv().ok()).map(|one| one.id).collect()
}

#[test]
fn a_connection_begins_where_the_instance_is_and_gets_its_own_once() {
    let lines = lines(10);
    let mut early = lines.open(subscribe(Kind::Stream)).unwrap();
    lines.push(vec![told(USER, 11), told(Uuid::from_u128(2), 12), told(USER, 13)]);
    let mut late = lines.open(subscribe(Kind::Socket)).unwrap();
    // The second of two looks that overlapped.
    lines.push(vec![told(USER, 13), told(USER, 14)]);
    assert_eq!((early.from, unread(&mut early)), (10, vec![11, 13, 14]));
    assert_eq!((late.from, unread(&mut late)), (13, vec![14]));
}

#[test]
fn who_reads_too_slowly_is_dropped_and_the_others_are_not() {
    let lines = lines(0);
    let mut slow = lines.open(subscribe(Kind::Stream)).unwrap();
    let mut quick = lines.open(subscribe(Kind::Stream)).unwrap();
    let count = i64::try_from(LAG).unwrap();
    for number in 1..=count + 1 {
        lines.push(vec![told(USER, number)]);
        assert_eq!(unread(&mut quick), [number]);
    }
    assert_eq!(slow.ending.get(), Some(&Ending::Lagged));
    // What was in its buffer it still gets; then it ends.
    assert_eq!(unread(&mut slow), (1..=count).collect::<Vec<_>>());
    assert!(slow.pushed.is_closed());
    let counts = lines.counts();
    assert_eq!((counts.connections, counts.dropped), (1, 1));
}

#[test]
fn there_is_a_most_of_each_kind_and_who_has_gone_makes_room() {
    for (kind, most) in [(Kind::Socket, MAX_SOCKETS), (Kind::Stream, MAX_STREAMS)] {
        let lines = lines(0);
        let mut open: Vec<_> = (0..most).map(|_| lines.open(subscribe(kind)).unwrap()).collect();
        let refused = lines.open(subscribe(kind)).unwrap_err();
        assert!(matches!(refused, HubError::TooManyConnections { most: told } if told == most));
        let other = Subscribe { user_id: Uuid::from_u128(2), ..subscribe(kind) };
        assert!(lines.open(other).is_ok());
        open.pop();
        assert!(lines.open(subscribe(kind)).is_ok());
    }
}

#[test]
fn nobody_connects_before_the_first_look_or_after_the_last() {
    let lines = Lines::default();
    assert!(matches!(lines.open(subscribe(Kind::Stream)), Err(HubError::Unavailable { .. })));
    lines.begin(3);
    let open = lines.open(subscribe(Kind::Stream)).unwrap();
    lines.stop();
    assert_eq!(open.ending.get(), Some(&Ending::Stopping));
    assert!(matches!(lines.open(subscribe(Kind::Stream)), Err(HubError::Unavailable { .. })));
}

#[test]
fn signing_out_ends_the_connections_of_that_session() {
    let lines = lines(0);
    let ended = lines.open(subscribe(Kind::Stream)).unwrap();
    let other = Subscribe { session_id: Uuid::from_u128(8), ..subscribe(Kind::Stream) };
    let other = lines.open(other).unwrap();
    assert_eq!(lines.sessions().len(), 2);
    lines.end(USER, |line| line.session_id == Uuid::from_u128(7), Ending::SignedOut);
    assert_eq!((ended.ending.get(), other.ending.get()), (Some(&Ending::SignedOut), None));
    assert_eq!(lines.sessions(), [Uuid::from_u128(8)]);
}
