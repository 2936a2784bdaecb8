//! What happens in the demo's month, and when. Plans only; `play` makes it happen.

use std::time::Duration;

use nexus_actors::domain::Timestamp;
use nexus_actors::domain::customer::CustomerStatus;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::hours::{minutes, working, writing};
use super::letters::Letter;
use super::people::PEOPLE;
use super::script::{Ending, Step, script};
use super::staff::CSO_COUNT;
use super::topics::{CATEGORIES, TECHNICAL, Topic};

/// Always the same story, so that what one person sees another can look up. The times have a sequence of their own,
/// or the texts would depend on the hour.
const SEED: u64 = 20_240_229;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Customers there from the first day; the others come one by one.
const FOUNDERS: usize = 36;
/// Customers, as indices, who do not stay to the end.
const LEAVERS: &[(usize, CustomerStatus)] = &[
    (7, CustomerStatus::Inactive),
    (10, CustomerStatus::Suspended),
    (16, CustomerStatus::Inactive),
    (23, CustomerStatus::Suspended),
    (27, CustomerStatus::Inactive),
];

/// Inquiries whose story is over, apart from a few that wait to be closed.
pub const PAST: usize = 159;
/// The last of those comes in so long before the end that two working days are left to answer it.
const PAST_ENDS: Duration = Duration::from_secs(96 * 60 * 60);
/// The one CSO for technical inquiries leaves so long before the end.
const GONE: Duration = Duration::from_secs(29 * 60 * 60);

/// The others, by how they stand at the end and how many minutes before it that came about.
const PRESENT: &[(Ending, &[u32])] = &[
    (Ending::Pending, &[4, 31, 96, 240, 510, 1_280, 1_720, 2_540]),
    // The last one was handed on when its CSO went away.
    (Ending::Unassigned, &[17, 260, 720, 1_490, 2_100]),
    (Ending::InProgress, &[42, 290, 1_150, 1_900, 3_100, 4_600, 5_500]),
    (Ending::Drafted, &[6, 1_020, 2_700]),
    (Ending::Withdrawn, &[22, 1_610]),
    (Ending::Submitted, &[7, 24, 68, 310, 1_180]),
    (Ending::Polished, &[140]),
    (Ending::Rejected, &[190, 1_450, 2_900]),
    (Ending::Reworked, &[14, 1_310]),
    (Ending::Resubmitted, &[39, 205]),
    (Ending::Answered, &[51, 1_090, 1_500, 2_800, 4_050]),
];

#[derive(Debug)]
pub struct Plot {
    /// Who writes what.
    pub letters: Vec<(usize, Letter)>,
    /// In the order of time.
    pub beats: Vec<(Timestamp, Deed)>,
}

/// Customers and letters go by their indices.
#[derive(Debug)]
pub enum Deed {
    AddCustomer(usize),
    GiveOwnCso { customer: usize, cso: usize },
    SetStatus { customer: usize, status: CustomerStatus },
    CsoGoesAway,
    Ask(usize),
    Advance { letter: usize, step: Step },
}

/// From the first working hour after `start` to `end`.
pub fn plot(start: Timestamp, end: Timestamp) -> Plot {
    let mut times = StdRng::seed_from_u64(SEED + 1);
    let opening = working(start, &mut times);
    let mut planner = Planner {
        end,
        stays: Vec::new(),
        decks: CATEGORIES.iter().map(|(name, _, topics)| Deck::new(name, topics)).collect(),
        plot: Plot { letters: Vec::new(), beats: vec![(end.minus(GONE), Deed::CsoGoesAway)] },
        words: StdRng::seed_from_u64(SEED),
        times,
    };
    planner.customers(opening.plus(HOUR));
    planner.past(opening.plus(3 * HOUR));
    planner.present();
    let mut plot = planner.plot;
    plot.beats.sort_by_key(|(at, _)| *at);
    plot
}

struct Planner {
    end: Timestamp,
    /// From when to when each customer is there.
    stays: Vec<(Timestamp, Timestamp)>,
    decks: Vec<Deck>,
    plot: Plot,
    words: StdRng,
    times: StdRng,
}

impl Planner {
    fn customers(&mut self, first: Timestamp) {
        let late = PEOPLE.len().saturating_sub(FOUNDERS).max(1) as u32;
        let span = between(first, self.end).saturating_sub(3 * DAY);
        let mut joins = first;
        for (index, person) in PEOPLE.iter().enumerate() {
            joins = match index.checked_sub(FOUNDERS) {
                None => joins.plus(minutes(1..=2, &mut self.times)),
                Some(turn) => {
                    let evenly = first.plus(DAY + span * turn as u32 / late);
                    working(evenly.plus(minutes(0..=600, &mut self.times)), &mut self.times)
                }
            };
            self.deed(joins, Deed::AddCustomer(index));
            if index < FOUNDERS && index % 2 == 0 && person.is_business() {
                let at = first.plus(70 * MINUTE + minutes(0..=45, &mut self.times));
                self.deed(at, Deed::GiveOwnCso { customer: index, cso: index / 2 % CSO_COUNT });
            }
            let leaves = LEAVERS.iter().find(|(leaver, _)| *leaver == index).map(|(_, status)| {
                let at = self.end.minus(minutes(5 * 1_440..=13 * 1_440, &mut self.times));
                let at = working(at, &mut self.times);
                self.deed(at, Deed::SetStatus { customer: index, status: *status });
                at
            });
            self.stays.push((joins, leaves.unwrap_or(self.end)));
        }
    }

    fn past(&mut self, first: Timestamp) {
        let last = self.end.minus(PAST_ENDS);
        let share = between(first, last) / PAST as u32;
        for turn in 0..PAST {
            let at = first.plus(share * turn as u32 + share.mul_f64(self.times.random()));
            let usual = writing(at, &mut self.times);
            let asked = if (first..last).contains(&usual) { usual } else { at };
            let ending = match turn * 100 / PAST {
                _ if turn % 19 == 11 => Ending::Unanswered,
                0..85 if turn % 23 == 5 => Ending::ClosedTwice,
                85.. if turn % 3 == 0 => Ending::Answered,
                _ => Ending::Closed,
            };
            let category = self.category(true);
            let letter = self.letter(asked, category, false);
            self.deed(asked, Deed::Ask(letter));
            self.unfold(letter, asked, ending);
        }
    }

    /// Plans what follows on a letter, each step in working hours.
    fn unfold(&mut self, letter: usize, asked: Timestamp, ending: Ending) {
        let mut at = asked;
        for (step, range) in script(letter, ending, &self.plot.letters[letter].1.reply, &mut self.words) {
            at = working(at.plus(minutes(range, &mut self.times)), &mut self.times);
            if at >= self.end.minus(5 * MINUTE) {
                // Only the closing can come so late, and it can wait.
                break;
            }
            self.deed(at, Deed::Advance { letter, step });
        }
    }

    fn present(&mut self) {
        for (ending, agos) in PRESENT {
            for ago in *agos {
                self.lead_to(*ending, self.end.minus(MINUTE * *ago));
            }
        }
    }

    /// Plans backwards from the time of the last step, so that there is something of every age whenever the
    /// demo is loaded, at night and on Sundays, too.
    fn lead_to(&mut self, ending: Ending, last: Timestamp) {
        let category = match ending {
            Ending::Unassigned => TECHNICAL,
            // What its one CSO has left behind.
            Ending::InProgress if last < self.end.minus(2 * DAY) => TECHNICAL,
            // Would be unassigned as well.
            Ending::Pending => self.category(false),
            _ => self.category(true),
        };
        let letter = self.letter(last, category, ending == Ending::Unassigned);
        let steps = script(letter, ending, &self.plot.letters[letter].1.reply, &mut self.words);
        let mut at = last;
        for (step, range) in steps.into_iter().rev() {
            self.deed(at, Deed::Advance { letter, step });
            at = at.minus(minutes(range, &mut self.times));
        }
        self.deed(at, Deed::Ask(letter));
    }

    fn category(&mut self, technical: bool) -> &'static str {
        loop {
            let mut drawn = self.words.random_range(0..100);
            for (name, share, _) in CATEGORIES {
                if drawn < *share && (technical || *name != TECHNICAL) {
                    return name;
                }
                drawn = drawn.saturating_sub(*share);
            }
        }
    }

    /// Somebody who is there at the time writes; with `stranger`, somebody without an own CSO.
    fn letter(&mut self, at: Timestamp, category: &str, stranger: bool) -> usize {
        let there: Vec<usize> = (0..PEOPLE.len())
            .filter(|&index| self.stays[index].0.plus(DAY) < at || index < FOUNDERS)
            .filter(|&index| at < self.stays[index].1)
            .filter(|&index| !stranger || !PEOPLE[index].is_business())
            .collect();
        let customer = there[self.words.random_range(0..there.len())];
        let deck = self.decks.iter().position(|deck| deck.category == category).unwrap_or_default();
        let drawn = self.decks[deck].draw(&mut self.words);
        let letter = Letter::new(drawn, &PEOPLE[customer], &mut self.words);
        self.plot.letters.push((customer, letter));
        self.plot.letters.len() - 1
    }

    fn deed(&mut self, at: Timestamp, deed: Deed) {
        self.plot.beats.push((at, deed));
    }
}

/// Topics of one category: all of them come up before one comes up again.
struct Deck {
    category: &'static str,
    topics: Vec<&'static Topic>,
    drawn: usize,
}

impl Deck {
    fn new(category: &'static str, topics: &'static [Topic]) -> Self {
        Self { category, topics: topics.iter().collect(), drawn: 0 }
    }

    fn draw(&mut self, rng: &mut StdRng) -> (&'static str, &'static Topic, usize) {
        let (round, place) = (self.drawn / self.topics.len(), self.drawn % self.topics.len());
        if place == 0 {
            self.topics.shuffle(rng);
        }
        self.drawn += 1;
        (self.category, self.topics[place], round)
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.millis() - from.millis()).unwrap_or_default())
}
