//! Who works that week, and what the rows say of them.

use std::collections::HashMap;

use futures_util::future::join_all;
use nexus_actors::domain::Principal;
use nexus_actors::domain::user::Role;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::held;
use super::CATEGORIES;
use crate::behind::rows;
use crate::harness::{Client, TestHub};

const CSOS: usize = 50;
/// The smallest first.
pub const CAPACITIES: [i64; 5] = [12, 15, 20, 25, 30];
/// An hour in which all are on duty, but for those who are absent.
const DAYTIME: std::ops::Range<usize> = 7..20;
/// Within an hour, for everyone.
const FALLS_ILL: f64 = 0.02;
/// On the second day something goes round, so that there is more work than those who are left can take.
const FLU: std::ops::Range<usize> = 32..40;
const FALLS_ILL_OF_FLU: f64 = 0.25;
const LEAVES: f64 = 0.002;

/// As this test knows them, whatever the hub believes.
pub struct Desk {
    csos: Vec<Cso>,
}

pub struct Cso {
    pub id: Uuid,
    capacity: i64,
    /// Empty for everything.
    skills: Vec<&'static str>,
    works_at_night: bool,
    place: Place,
    /// Hours of illness or of having left that remain.
    absent: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    AtWork,
    Away,
    /// Deactivated.
    Gone,
}

/// What is to be told to the hub of someone.
pub struct Change {
    id: Uuid,
    patch: Value,
}

/// The open inquiries, as they are in the database.
#[derive(Default)]
pub struct Board {
    pub open: Vec<Open>,
}

pub struct Open {
    pub id: Uuid,
    pub assigned_to: Option<Uuid>,
    pub status: String,
    category: String,
}

impl Desk {
    /// Four of ten take everything, the others two or three of the five categories. Half of each kind works at night
    /// as well.
    pub async fn staffed(hub: &TestHub, admin: &Client) -> Self {
        let mut csos = Vec::new();
        for number in 0..CSOS {
            let user = hub.make_user(Role::Cso, &format!("cso{number}@example.com")).await;
            let skills = [0, 0, 0, 0, 2, 2, 2, 3, 3, 3][number % 10];
            let skills: Vec<_> = CATEGORIES.into_iter().cycle().skip(number % 5).take(skills).collect();
            let capacity = CAPACITIES[(number + number / 10) % 5];
            let patch = json!({"maxOpenInquiries": capacity, "skills": skills});
            Change { id: user.id, patch }.make(admin).await;
            let works_at_night = number / 10 % 2 == 0;
            let place = Place::AtWork;
            csos.push(Cso { id: user.id, capacity, skills, works_at_night, place, absent: 0 });
        }
        Self { csos }
    }

    pub fn at_work(&self) -> impl Iterator<Item = &Cso> {
        self.csos.iter().filter(|cso| cso.place == Place::AtWork)
    }

    /// Who comes and goes as this hour of the week begins.
    pub fn changes(&mut self, hour: usize, rng: &mut StdRng) -> Vec<Change> {
        self.csos.iter_mut().filter_map(|cso| cso.next(hour, rng)).collect()
    }

    pub async fn watch(&self, hub: &TestHub) {
        self.nobody_is_overloaded(&held(hub).await);
    }

    pub fn nobody_is_overloaded(&self, counts: &HashMap<Uuid, i64>) {
        for cso in &self.csos {
            let open = counts.get(&cso.id).copied().unwrap_or(0);
            assert!(
                open <= cso.capacity,
                "{open} open inquiries with {}, who takes {}",
                cso.id,
                cso.capacity
            );
        }
    }

    /// Whether something waits that someone at work has room and skill for.
    pub fn leaves_waiting(&self, board: &Board) -> bool {
        let counts = board.counts();
        let room: Vec<&Cso> =
            self.at_work().filter(|cso| counts.get(&cso.id).copied().unwrap_or(0) < cso.capacity).collect();
        let can_take = |category| room.iter().any(|cso| cso.can(category));
        board.open.iter().any(|one| one.assigned_to.is_none() && can_take(one.category.as_str()))
    }

    /// Open ÷ capacity of everyone at work.
    pub fn loads(&self, board: &Board) -> Vec<f64> {
        self.shares(board).into_iter().map(|(load, _)| load).collect()
    }

    /// What the highest load would be to the mean, were what waits and `more` poured onto whoever has least.
    pub fn best_spread(&self, board: &Board, more: usize) -> f64 {
        let shares = self.shares(board);
        let work = (board.waiting() + more) as f64;
        let needed = |level: f64| -> f64 {
            shares.iter().map(|(load, capacity)| (level - load).max(0.0) * capacity).sum()
        };
        let (mut low, mut high) = (0.0, 1.0);
        while high - low > 1e-6 {
            let level = (low + high) / 2.0;
            if needed(level) <= work { low = level } else { high = level }
        }
        let poured: Vec<f64> = shares.iter().map(|(load, _)| load.max(low)).collect();
        poured.iter().copied().fold(0.0, f64::max) / (poured.iter().sum::<f64>() / poured.len() as f64)
    }

    /// Everyone's load and capacity.
    fn shares(&self, board: &Board) -> Vec<(f64, f64)> {
        let counts = board.counts();
        let share = |cso: &Cso| {
            let (open, capacity) = (counts.get(&cso.id).copied().unwrap_or(0) as f64, cso.capacity as f64);
            (open / capacity, capacity)
        };
        self.at_work().map(share).collect()
    }
}

impl Cso {
    pub fn principal(&self) -> Principal {
        Principal { user_id: self.id, role: Role::Cso, session_id: Uuid::nil() }
    }

    fn can(&self, category: &str) -> bool {
        self.skills.is_empty() || self.skills.contains(&category)
    }

    fn next(&mut self, hour: usize, rng: &mut StdRng) -> Option<Change> {
        let on_duty = self.works_at_night || DAYTIME.contains(&(hour % 24));
        let falls_ill = if FLU.contains(&hour) { FALLS_ILL_OF_FLU } else { FALLS_ILL };
        self.absent = self.absent.saturating_sub(1);
        let next = if self.absent > 0 {
            self.place
        } else if rng.random_bool(LEAVES) {
            self.absent = rng.random_range(4..24);
            Place::Gone
        } else if on_duty && rng.random_bool(falls_ill) {
            self.absent = rng.random_range(1..9);
            Place::Away
        } else if on_duty {
            Place::AtWork
        } else {
            Place::Away
        };
        let patch = match (self.place, next) {
            (before, after) if before == after => return None,
            (_, Place::Gone) => json!({"isActive": false}),
            (_, Place::Away) => json!({"isActive": true, "availability": "away"}),
            (_, Place::AtWork) => json!({"isActive": true, "availability": "online"}),
        };
        self.place = next;
        Some(Change { id: self.id, patch })
    }
}

impl Change {
    pub async fn make(self, admin: &Client) {
        admin.patch(&format!("/users/{}", self.id), self.patch).await.expect(200);
    }

    pub async fn make_all(changes: Vec<Self>, admin: &Client) {
        join_all(changes.into_iter().map(|change| change.make(admin))).await;
    }
}

impl Board {
    pub async fn read(hub: &TestHub) -> Self {
        const OPEN: &str = "select id, assigned_to, status, category from inquiries \
            where status in ('pending', 'in_progress') order by id";
        let open = rows(hub, OPEN).await.into_iter();
        let open = open.map(|(id, assigned_to, status, category)| Open { id, assigned_to, status, category });
        Self { open: open.collect() }
    }

    pub fn waiting(&self) -> usize {
        self.open.iter().filter(|one| one.assigned_to.is_none()).count()
    }

    pub fn counts(&self) -> HashMap<Uuid, i64> {
        let mut counts = HashMap::new();
        for cso in self.open.iter().filter_map(|one| one.assigned_to) {
            *counts.entry(cso).or_default() += 1;
        }
        counts
    }

    /// What everyone can see is what the rows say.
    pub async fn is_what_the_hub_tells(&self, admin: &Client, desk: &Desk) {
        let waiting = admin.get("/inquiries?assignedTo=none&status=pending&limit=1").await.expect(200);
        assert_eq!(waiting["meta"]["total"], self.waiting());
        let stats = admin.get("/stats").await.expect(200);
        let told = &stats["inquiries"];
        assert_eq!(
            told["pending"].as_u64().unwrap() + told["in_progress"].as_u64().unwrap(),
            self.open.len() as u64
        );
        let (counts, csos) = (self.counts(), stats["csos"].as_array().unwrap());
        for cso in desk.csos.iter().filter(|cso| cso.place != Place::Gone) {
            let told = csos.iter().find(|one| one["userId"] == json!(cso.id)).unwrap();
            let open = counts.get(&cso.id).copied().unwrap_or(0);
            assert_eq!(
                (&told["openInquiries"], &told["maxOpenInquiries"]),
                (&json!(open), &json!(cso.capacity))
            );
        }
    }
}
