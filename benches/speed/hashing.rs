//! Sign-ins, which are bound by their hashing, and what they leave for others.

use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use serde_json::json;

use crate::data::{CUSTOMER, CUSTOMERS};
use crate::rig::Outcome;
use crate::rig::load::{get, percentile};
use crate::scenarios::SIGN_IN;
use crate::table::Note;
use crate::{Bench, wrk};

/// As many as the hub hashes at a time, and as many again that wait for it.
const CONNECTIONS: usize = 4;
/// Between two reads: few enough not to be a load themselves.
const PAUSE: Duration = Duration::from_millis(10);

pub async fn sign_ins(bench: &Bench) -> Outcome<Note> {
    let own = argon2(bench.lasting)?;
    let sent = wrk::run(&bench.hub.base, &SIGN_IN.script(bench.scale), &[], CONNECTIONS, bench.lasting)?;
    let rate = sent.done() / sent.seconds;
    let idle = reads(bench).await?;
    let (base, script, lasting) = (bench.hub.base.clone(), SIGN_IN.script(bench.scale), bench.lasting);
    let signing_in = thread::spawn(move || {
        wrk::run(&base, &script, &[], CONNECTIONS, lasting).map_err(|error| error.to_string())
    });
    let busy = reads(bench).await?;
    signing_in.join().map_err(|_| "wrk's thread panicked")??;
    Ok(Note {
        name: "sign-in",
        line: format!(
            "{rate:.1}/s of argon2's own {own:.1}/s on the cores, ratio {:.2}, {} errors; reads meanwhile p99 {:.1} ms, \
             idle {:.1} ms, ratio {:.1}",
            rate / own,
            sent.errors,
            busy * 1000.0,
            idle * 1000.0,
            busy / idle
        ),
        figures: json!({
            "perSecond": rate,
            "argon2PerSecond": own,
            "errors": sent.errors,
            "readsP99MsIdle": idle * 1000.0,
            "readsP99MsMeanwhile": busy * 1000.0,
        }),
    })
}

/// The 99th percentile of some reads, in seconds.
async fn reads(bench: &Bench) -> Outcome<f64> {
    let mut times = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < bench.lasting {
        let path = format!("/customers/{CUSTOMER}{:012}", times.len() % CUSTOMERS);
        let read = get(&bench.managers[0], &path).await;
        if read.status != 200 {
            return Err(format!("GET {path}: {}", read.status).into());
        }
        times.push(read.took);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(percentile(&times, 99).as_secs_f64())
}

/// Hashes a second with the hub's parameters, on two threads as the hub has by default.
fn argon2(lasting: Duration) -> Outcome<f64> {
    let params = Params::new(19_456, 2, 1, None).map_err(|error| error.to_string())?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let begun = Instant::now();
    let hash = || {
        let mut made = 0;
        while begun.elapsed() < lasting {
            let mut hash = [0; 32];
            hasher.hash_password_into(
                b"brisk otter paints seven lanterns",
                b"salt of 16 bytes",
                &mut hash,
            )?;
            made += 1;
        }
        argon2::Result::Ok(made)
    };
    let made = thread::scope(|scope| {
        let threads = [scope.spawn(hash), scope.spawn(hash)];
        threads.map(|thread| {
            thread.join().map_err(|_| "a thread panicked".to_owned())?.map_err(|error| error.to_string())
        })
    });
    let made = made.into_iter().sum::<Result<i32, String>>()?;
    Ok(f64::from(made) / begun.elapsed().as_secs_f64())
}
