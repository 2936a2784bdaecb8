//! How fast the hub is, next to what PostgreSQL does with the same statements, in one run.
//!
//!     scripts/bench [scale=1] [seconds=8] [only='customers,|inquir']
//!
//! At scale 1 the database has 100,000 customers, 300,000 inquiries and 300,000 responses, with 50 CSOs and 5 managers.
//! Each scenario runs over 1, 32 and 128 connections, after a warm-up, the ceiling of each right after it. The load
//! generator is wrk. Hub, PostgreSQL, Redis, RabbitMQ and wrk share the machine's cores. What was found is written to
//! `target/bench.json` as well.

#[path = "../rig/mod.rs"]
mod rig;

mod ceiling;
mod data;
mod hashing;
mod instances;
mod overload;
mod scenarios;
mod starts;
mod table;
mod wrk;

use std::time::Duration;

use rig::hub::{Hub, Person, ready};
use rig::services::{Service, Services};
use rig::{Outcome, argument};
use scenarios::{SCENARIOS, Scenario, Who};
use table::{Ceiling, Note, Row, Table};

const CONNECTIONS: [usize; 3] = [1, 32, 128];
const WARM_UP: Duration = Duration::from_secs(2);

fn main() {
    let outcome = actix_web::rt::System::new().block_on(bench());
    if let Err(error) = outcome {
        eprintln!("bench failed: {error}");
        std::process::exit(1);
    }
}

/// Servers, a hub with data, and who is signed in.
pub struct Bench {
    pub services: Services,
    pub hub: Hub,
    pub scale: usize,
    pub lasting: Duration,
    pub managers: Vec<Person>,
    pub csos: Vec<Person>,
}

async fn bench() -> Outcome {
    let (scale, lasting) = (argument("scale", 1), Duration::from_secs(argument("seconds", 8) as u64));
    let only = std::env::args().find_map(|argument| Some(argument.strip_prefix("only=")?.to_owned()));
    let wanted =
        |name: &str| only.as_ref().is_none_or(|only| only.split('|').any(|part| name.contains(part)));
    let mut bench = Bench::start(scale, lasting).await?;
    let mut table = Table::new();
    for scenario in SCENARIOS.iter().filter(|scenario| wanted(scenario.name)) {
        for connections in CONNECTIONS {
            table.add(bench.run(scenario, connections).await?)?;
        }
    }
    for (name, script) in ceiling::SINGLE_ROWS.into_iter().filter(|(name, _)| wanted(name)) {
        for connections in CONNECTIONS {
            let rate = ceiling::run(&bench.services, script, scale, connections, lasting)?;
            let line = format!("{rate:.0} a second over {connections} connections");
            let figures = serde_json::json!({"connections": connections, "perSecond": rate});
            table.note(Note { name, line, figures })?;
        }
    }
    if wanted("overload") {
        table.note(overload::create_inquiries(&bench).await?)?;
    }
    if wanted("sign-in") {
        table.note(hashing::sign_ins(&bench).await?)?;
    }
    if wanted("instances") {
        instances::side_by_side(&bench, &mut table).await?;
    }
    drop(bench);
    if wanted("start") {
        table.note(starts::embedded().await?)?;
    }
    table.write()
}

impl Bench {
    async fn start(scale: usize, lasting: Duration) -> Outcome<Self> {
        let services = Services::start().await?;
        let mut hub = Hub::new(&services)?;
        hub.start()?;
        ready(&hub.base).await?;
        let admin = Person::admin(&hub.base).await?;
        let (mut managers, mut csos) = (Vec::new(), Vec::new());
        for number in 0..data::CSOS {
            csos.push(admin.make("cso", &format!("cso-{number}@example.com")).await?);
        }
        for number in 0..data::MANAGERS {
            managers.push(admin.make("manager", &format!("manager-{number}@example.com")).await?);
        }
        hub.kill();
        println!("filling the database at scale {scale}");
        data::fill(&services.database_url(), scale).await?;
        // A hub that has hashed no passwords, whose memory those would be.
        hub.start()?;
        ready(&hub.base).await?;
        Ok(Self { services, hub, scale, lasting, managers, csos })
    }

    pub fn tokens(&self, who: Who) -> Vec<String> {
        let csos = self.csos.iter().filter(|_| who != Who::Managers);
        let managers = self.managers.iter().filter(|_| who != Who::Csos);
        csos.chain(managers).map(|person| person.token.clone()).collect()
    }

    async fn run(&mut self, scenario: &Scenario, connections: usize) -> Outcome<Row> {
        let (script, tokens) = (scenario.script(self.scale), self.tokens(scenario.who));
        wrk::run(&self.hub.base, &script, &tokens, connections, WARM_UP)?;
        if scenario.uncached {
            self.services.forget_cached().await?;
        }
        let before = self.cpu(&[&self.hub])?;
        let counted = wrk::run(&self.hub.base, &script, &tokens, connections, self.lasting)?;
        let after = self.cpu(&[&self.hub])?;
        let settled = data::settled(&self.services.database_url()).await?;
        let resident = self.hub.resident_bytes().ok_or("no memory figure")?;
        let ceiling = match scenario.ceiling {
            Some((name, script)) => {
                let before = self.services.cpu_seconds(Service::Postgres)?;
                let rate = ceiling::run(&self.services, script, self.scale, connections, self.lasting)?;
                let used = self.services.cpu_seconds(Service::Postgres)? - before;
                let cpu = used / (rate * self.lasting.as_secs_f64()) * 1000.0;
                Some(Ceiling { name, rate, cpu })
            }
            None => None,
        };
        let made = if scenario.flows { counted.flows } else { counted.done() };
        let each = |nth: usize| (after[nth] - before[nth]) / made * 1000.0;
        Ok(Row {
            scenario: scenario.name,
            connections,
            rate: made / counted.seconds,
            counted,
            hub_cpu: each(0),
            postgres_cpu: each(1),
            redis_cpu: each(2),
            resident_mib: resident / 1_048_576.0,
            settled,
            ceiling,
        })
    }

    /// Seconds used so far by these hubs, PostgreSQL, Redis and RabbitMQ.
    fn cpu(&self, hubs: &[&Hub]) -> Outcome<[f64; 4]> {
        let all = hubs.iter().map(|hub| hub.cpu_seconds()).sum::<Option<f64>>();
        Ok([
            all.ok_or("no CPU figure")?,
            self.services.cpu_seconds(Service::Postgres)?,
            self.services.cpu_seconds(Service::Redis)?,
            self.services.cpu_seconds(Service::Rabbitmq)?,
        ])
    }
}
