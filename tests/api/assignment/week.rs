//! A week at the desk, hour by hour by the driven clock: 50 CSOs of differing capacity and skills, who come, go, fall
//! ill and leave, and 10,000 inquiries, more of them at noon than at midnight. On PostgreSQL, where a step takes longer,
//! its first three days.
//!
//! After every hour it is computed from the rows, by this file's own reading of the rules, that nobody has more than
//! they take on and that nothing waits which someone at work could take. How evenly the work lies is judged in the
//! hours with work for all ([`Hour::has_work_for_all`]). No customer has a CSO of their own: that would put work on
//! someone whatever their load.

mod desk;

use std::ops::Range;
use std::time::Duration;

use desk::{Board, Change, Desk};
use futures_util::future::{join, join_all};
use futures_util::stream::{self, StreamExt};
use nexus_actors::domain::Caller;
use nexus_actors::domain::envelope::Envelope;
use nexus_actors::domain::inquiry::InquiryStatus;
use nexus_actors::inquiry_desk::MoveInquiry;
use nexus_actors::intake_desk::{Receipt, Receive};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{ask, watched};
use crate::behind::rows;
use crate::harness::{Client, Engine, TestHub, on_both_engines, within};

on_both_engines!(with LONG_SIGNED_IN; in_a_week_nobody_is_overloaded_nothing_waits_needlessly_and_work_lies_evenly);

/// Longer than the week.
const LONG_SIGNED_IN: &[(&str, &str)] = &[("JWT_EXPIRATION", "10d"), ("JWT_REFRESH_EXPIRATION", "20d")];

const INQUIRIES_A_WEEK: usize = 10_000;
/// How much comes in at each hour of the day.
const RUSH: [usize; 24] = [2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 10, 9, 10, 11, 10, 9, 7, 5, 4, 4, 3, 3, 2];
const CATEGORIES: [&str; 5] = ["billing", "shipping", "returns", "technical", "general"];
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "urgent"];
/// Of what a CSO has, the part that is done within an hour.
const DONE: f64 = 0.11;
/// Of what is pending, the part that is begun and not done.
const BEGUN: f64 = 0.2;
/// Changes asked for at a time.
const SIDE_BY_SIDE: usize = 16;
const THIRD: Duration = Duration::from_secs(20 * 60);
/// Of the highest load to the mean.
const SPREAD: f64 = 1.15;

/// What an hour left behind.
struct Hour {
    /// Open ÷ capacity of everyone at work.
    loads: Vec<f64>,
    waiting: usize,
    /// The spread that nobody could have gone below.
    best: f64,
}

async fn in_a_week_nobody_is_overloaded_nothing_waits_needlessly_and_work_lies_evenly(hub: &TestHub) {
    let mut rng = StdRng::seed_from_u64(7);
    let admin = hub.admin().await;
    let customer = hub.customer(&admin).await;
    let mut desk = Desk::staffed(hub, &admin).await;
    let (mut come, mut hours) = (0, Vec::new());
    let days = if hub.engine == Engine::Full { 3 } else { 7 };
    for hour in 0..days * 24 {
        let changes = desk.changes(hour, &mut rng);
        watched(Change::make_all(changes, &admin), async || desk.watch(hub).await).await;
        settled(hub, &desk).await;

        hub.clock.advance(THIRD);
        let board = Board::read(hub).await;
        watched(work(hub, &desk, &board, &mut rng), async || desk.watch(hub).await).await;
        let before = settled(hub, &desk).await;

        hub.clock.advance(THIRD);
        let until = come_until(hour);
        watched(arrive(hub, &admin, &customer, come..until, &mut rng), async || desk.watch(hub).await).await;
        let after = settled(hub, &desk).await;
        let best = desk.best_spread(&before, until - come);
        come = until;
        after.is_what_the_hub_tells(&admin, &desk).await;
        hours.push(Hour { loads: desk.loads(&after), waiting: after.waiting(), best });
        hub.clock.advance(THIRD);
    }
    let there: Vec<(i64,)> = rows(hub, "select count(*) from inquiries").await;
    assert_eq!(there, [((INQUIRIES_A_WEEK * days / 7) as i64,)]);
    judge(&hours);
}

/// Prints each day, then judges: one that fails is in sight with the others.
fn judge(hours: &[Hour]) {
    for (day, hours) in hours.chunks(24).enumerate() {
        let judged: Vec<f64> =
            hours.iter().filter(|hour| hour.has_work_for_all()).map(Hour::spread).collect();
        println!(
            "day {}: {} hours with work for all, spread at most {:.3}, {:.3} on average; {} waited at most",
            day + 1,
            judged.len(),
            judged.iter().copied().fold(0.0, f64::max),
            judged.iter().sum::<f64>() / judged.len().max(1) as f64,
            hours.iter().map(|hour| hour.waiting).max().unwrap_or(0)
        );
    }
    let judged: Vec<&Hour> = hours.iter().filter(|hour| hour.has_work_for_all()).collect();
    for hour in &judged {
        assert!(hour.spread() < SPREAD, "{:.3}, at best {:.3}: {:?}", hour.spread(), hour.best, hour.loads);
    }
    // The week had what it is about: hours to judge, with a choice to make, and hours in which work had to wait.
    let with_a_choice = judged.iter().filter(|hour| hour.waiting == 0).count();
    assert!(with_a_choice >= 10, "{with_a_choice} of {} hours", judged.len());
    assert!(hours.iter().any(|hour| hour.waiting > 0));
}

impl Hour {
    /// What there was to hand out could even out what lay uneven: poured onto whoever had least, it would have brought
    /// the highest load to within a twentieth of the mean. When little comes in, or many come back to an empty desk,
    /// no choice can do that, as nothing is taken from those who have it. And there is so much of it that the spread
    /// allows for one inquiry more on the smallest capacity.
    fn has_work_for_all(&self) -> bool {
        self.best <= 1.05 && self.mean() * (SPREAD - 1.0) >= 1.0 / desk::CAPACITIES[0] as f64
    }

    fn spread(&self) -> f64 {
        self.loads.iter().copied().fold(0.0, f64::max) / self.mean()
    }

    fn mean(&self) -> f64 {
        self.loads.iter().sum::<f64>() / self.loads.len() as f64
    }
}

/// How many inquiries there have been when this hour is over.
fn come_until(hour: usize) -> usize {
    let day: usize = RUSH.iter().sum();
    let until = hour / 24 * day + RUSH[..=hour % 24].iter().sum::<usize>();
    INQUIRIES_A_WEEK * until / (7 * day)
}

/// Everyone at work finishes some of what they have and begins some more.
async fn work(hub: &TestHub, desk: &Desk, board: &Board, rng: &mut StdRng) {
    let mut moves = Vec::new();
    for one in &board.open {
        let Some(cso) = desk.at_work().find(|cso| Some(cso.id) == one.assigned_to) else { continue };
        let begun = one.status == "in_progress";
        let to = match rng.random_bool(DONE) {
            true if begun && rng.random() => Some(InquiryStatus::Responded),
            true => Some(InquiryStatus::Closed),
            false if !begun && rng.random_bool(BEGUN) => Some(InquiryStatus::InProgress),
            false => None,
        };
        moves.extend(to.map(|to| {
            let caller =
                Caller { principal: cso.principal(), request_id: "week".into(), if_match: None, claim: None };
            MoveInquiry { caller, id: one.id, to }
        }));
    }
    let made =
        stream::iter(moves).map(|one| hub.app.hub.inquiry_desk.ask(one)).buffer_unordered(SIDE_BY_SIDE);
    made.for_each(async |moved| drop(moved.unwrap())).await;
}

/// One in ten is posted, all of those at the same time, while a channel brings the others in one batch.
async fn arrive(hub: &TestHub, admin: &Client, customer: &Value, numbers: Range<usize>, rng: &mut StdRng) {
    let (posted, brought): (Vec<_>, Vec<_>) = numbers.partition(|number| number % 10 == 0);
    let posting = join_all(posted.iter().map(|_| {
        let more = json!({"category": CATEGORIES.choose(rng), "priority": PRIORITIES.choose(rng)});
        ask(admin, customer, more)
    }));
    let brought: Vec<Envelope> = brought.into_iter().map(|number| message(number, rng)).collect();
    let (_, receipts) = join(posting, hub.app.hub.intake_desk.ask(Receive(brought))).await;
    let receipts = receipts.unwrap();
    assert!(receipts.iter().all(|receipt| *receipt == Some(Receipt::Taken)), "{receipts:?}");
}

fn message(number: usize, rng: &mut StdRng) -> Envelope {
    let email = format!("customer{}@example.com", rng.random_range(0..3_000));
    let body = json!({
        "externalId": number.to_string(), "customer": {"email": email}, "message": "Where is it?",
        "category": CATEGORIES.choose(rng), "priority": PRIORITIES.choose(rng)
    });
    Envelope {
        receipt: Uuid::now_v7(),
        routing_key: "inquiry.email".to_owned(),
        message_id: None,
        content_type: None,
        headers: Map::new(),
        body: body.to_string().into_bytes(),
    }
}

/// How things are once nothing waits that someone at work could take: that is to be so soon after whatever happened.
async fn settled(hub: &TestHub, desk: &Desk) -> Board {
    let mut board = Board::default();
    within(Duration::from_secs(30), "nothing waits that someone at work could take", async || {
        board = Board::read(hub).await;
        desk.nobody_is_overloaded(&board.counts());
        !desk.leaves_waiting(&board)
    })
    .await;
    board
}
