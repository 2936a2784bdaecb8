//! Several instances side by side on the same servers and the same cores: whether what a request costs grows with their
//! number, as it would with a lock or a row that all of them want.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::rig::Outcome;
use crate::rig::hub::{Hub, ready};
use crate::scenarios::{SCENARIOS, Scenario};
use crate::table::{Note, Table};
use crate::wrk::{self, Counted};
use crate::{Bench, WARM_UP, data};

const INSTANCES: [usize; 4] = [1, 2, 4, 8];
/// Of all instances together.
const CONNECTIONS: usize = 32;
const MEASURED: [&str; 2] = ["customer by id", "create inquiry"];

pub async fn side_by_side(bench: &Bench, table: &mut Table) -> Outcome {
    let mut more = Vec::new();
    for instances in INSTANCES {
        while more.len() + 1 < instances {
            let mut hub = Hub::new(&bench.services)?;
            hub.start()?;
            ready(&hub.base).await?;
            more.push(hub);
        }
        let hubs: Vec<&Hub> = more.iter().chain([&bench.hub]).collect();
        for scenario in SCENARIOS.iter().filter(|scenario| MEASURED.contains(&scenario.name)) {
            table.note(measure(bench, &hubs, scenario).await?)?;
        }
    }
    Ok(())
}

async fn measure(bench: &Bench, hubs: &[&Hub], scenario: &Scenario) -> Outcome<Note> {
    load(bench, hubs, scenario, WARM_UP)?;
    if scenario.uncached {
        bench.services.forget_cached().await?;
    }
    let before = bench.cpu(hubs)?;
    let counted = load(bench, hubs, scenario, bench.lasting)?;
    let after = bench.cpu(hubs)?;
    data::settled(&bench.services.database_url()).await?;
    let made: f64 = counted.iter().map(Counted::done).sum();
    let rate: f64 = counted.iter().map(|counted| counted.done() / counted.seconds).sum();
    let slowest = counted.iter().map(|counted| counted.p99).fold(0.0, f64::max);
    let errors: u64 = counted.iter().map(|counted| counted.errors).sum();
    let [hub, postgres, redis, rabbitmq] = [0, 1, 2, 3].map(|nth| (after[nth] - before[nth]) / made * 1000.0);
    Ok(Note {
        name: scenario.name,
        line: format!(
            "{} instances: {rate:.0}/s over {CONNECTIONS} connections, p99 {slowest:.1} ms, {errors} errors; CPU seconds for \
             1,000: hubs {hub:.3}, PostgreSQL {postgres:.3}, Redis {redis:.3}, RabbitMQ {rabbitmq:.3}",
            hubs.len()
        ),
        figures: json!({
            "instances": hubs.len(),
            "perSecond": rate,
            "p99Ms": slowest,
            "errors": errors,
            "hubCpuSecondsPer1000": hub,
            "postgresCpuSecondsPer1000": postgres,
            "redisCpuSecondsPer1000": redis,
            "rabbitmqCpuSecondsPer1000": rabbitmq,
        }),
    })
}

/// On all of them at once.
fn load(bench: &Bench, hubs: &[&Hub], scenario: &Scenario, lasting: Duration) -> Outcome<Vec<Counted>> {
    let (script, tokens) = (scenario.script(bench.scale), bench.tokens(scenario.who));
    let connections = CONNECTIONS / hubs.len();
    thread::scope(|scope| {
        let loads: Vec<_> = hubs
            .iter()
            .map(|hub| {
                let (script, tokens) = (&script, &tokens);
                scope.spawn(move || {
                    wrk::run(&hub.base, script, tokens, connections, lasting)
                        .map_err(|error| error.to_string())
                })
            })
            .collect();
        let counted =
            loads.into_iter().map(|load| load.join().map_err(|_| "a thread panicked".to_owned())?);
        Ok(counted.collect::<Result<Vec<_>, String>>()?)
    })
}
