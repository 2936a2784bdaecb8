//! Sign-ins that fail: how long they take does not tell whom they are for.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::rig::Outcome;
use crate::rig::figures::Figures;
use crate::rig::hub::{Hub, PASSWORD, Person};
use crate::rig::load::{Sent, percentile, send};
use crate::stage::{Place, Stage};

const WRONG: &str = "not the password at all";
const ACTIVE: &str = "active@example.com";
const INACTIVE: &str = "inactive@example.com";
const NOBODY: &str = "nobody@example.com";
/// What the medians may differ by.
const ALIKE: f64 = 1.05;
/// After so many failures an email waits.
const FAILURES: u32 = 5;

/// Row 20.
pub async fn medians(stage: &mut Stage) -> Outcome<Figures> {
    let each = stage.either(20, 1_000);
    let mut figures = Figures::default();
    let refused = [(NOBODY, PASSWORD), (ACTIVE, WRONG), (INACTIVE, WRONG), (INACTIVE, PASSWORD)];
    let (_hub, admin) = hub(&stage.place().await?, u32::MAX).await?;
    let what = "unknown, wrong password, inactive, inactive with the right password: 401";
    alike(&mut figures, stage.full, what, &times(&admin, &refused, 401, each).await?);
    let (_hub, admin) = hub(&stage.place().await?, FAILURES).await?;
    let waiting = [(NOBODY, WRONG), (ACTIVE, WRONG), (ACTIVE, PASSWORD), (INACTIVE, PASSWORD)];
    for email in [NOBODY, ACTIVE, INACTIVE] {
        for _ in 0..FAILURES {
            sign_in(&admin, email, WRONG).await;
        }
    }
    let what = "waiting after failures, unknown, wrong and right password, inactive: 429";
    alike(&mut figures, stage.full, what, &times(&admin, &waiting, 429, each).await?);
    Ok(figures)
}

/// With one active user and one who is not, and so many failures before an email waits.
async fn hub(place: &Place, failures: u32) -> Outcome<(Hub, Person)> {
    let limits = [
        ("NEXUS__RATE_LIMIT__LOGIN_FAILURES", failures.to_string()),
        ("NEXUS__RATE_LIMIT__LOGIN_FAILURES_BY_ADDRESS", u32::MAX.to_string()),
    ];
    let hub = place.hub_with(&limits).await?;
    let admin = Person::admin(&hub.base).await?;
    admin.make("cso", ACTIVE).await?;
    let inactive = admin.make("cso", INACTIVE).await?;
    let path = format!("/users/{}", inactive.id);
    let inactive = send(admin.request(Method::PATCH, &path).json(&json!({"isActive": false}))).await;
    if inactive.status != 200 {
        return Err(format!("PATCH {path}: {}", inactive.status).into());
    }
    Ok((hub, admin))
}

/// In turns, so that whatever else the machine does falls on all alike; every round begins with another one, so that
/// none always follows the same.
async fn times(
    admin: &Person,
    sign_ins: &[(&str, &str)],
    status: u16,
    each: usize,
) -> Outcome<Vec<Vec<Duration>>> {
    let mut times = vec![Vec::with_capacity(each); sign_ins.len()];
    for round in 0..each {
        for turn in 0..sign_ins.len() {
            let which = (round + turn) % sign_ins.len();
            let (email, password) = sign_ins[which];
            let sent = sign_in(admin, email, password).await;
            if sent.status != status {
                return Err(format!("{email}: {} for {status}", sent.status).into());
            }
            times[which].push(sent.took);
        }
    }
    Ok(times)
}

async fn sign_in(admin: &Person, email: &str, password: &str) -> Sent {
    let body = json!({"email": email, "password": password});
    send(admin.request(Method::POST, "/auth/login").json(&body)).await
}

/// Held in the full form: fewer times have medians that differ by chance.
fn alike(figures: &mut Figures, full: bool, what: &str, times: &[Vec<Duration>]) {
    let mut medians: Vec<f64> =
        times.iter().map(|times| percentile(times, 50).as_secs_f64() * 1000.0).collect();
    let shown: Vec<_> = medians.iter().map(|median| format!("{median:.2}")).collect();
    medians.sort_by(f64::total_cmp);
    let ratio = medians[medians.len() - 1] / medians[0];
    let figure =
        format!("{what}: medians of {} each {} ms, ratio {ratio:.3}", times[0].len(), shown.join(", "));
    figures.hold(figure, ratio <= ALIKE || !full);
}
