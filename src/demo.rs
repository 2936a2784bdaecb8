//! `nexus-hub demo`: a month at the support desk of a maker of smart home devices.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`staff`], [`people`] | who works at the desk, and who writes to it |
//! | [`topics`], [`letters`] | what they write |
//! | [`script`], [`plot`] | what happens to each inquiry, and when |
//! | [`play`] | makes it happen |
//!
//! Nothing is written past the actors: approvals, audit trail, history and outbox are as real as in daily use,
//! only that a clock set by hand makes a month pass in seconds.

mod hours;
mod letters;
mod people;
mod play;
mod plot;
mod script;
mod staff;
mod topics;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use nexus_actors::domain::Timestamp;
use nexus_actors::domain::customer::CustomerStatus;
use nexus_actors::domain::inquiry::InquiryStatus;
use nexus_actors::domain::response::ResponseStatus;
use nexus_actors::domain::stats::{Stats, StatsRange};
use nexus_actors::domain::user::Availability;
use nexus_actors::store::inquiries::ListWaiting;
use nexus_actors::store::stats::ReadStats;
use nexus_actors::{Clock, Hub, HubResult};
use rand::Rng;

use self::staff::Staff;
use crate::cli::{describe_storage, offline_hub};
use crate::settings::Settings;

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What came of a month.
struct Loaded {
    staff: Staff,
    stats: Stats,
    unassigned: usize,
}

pub async fn load(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let end = Clock::system().now();
    let hub = offline_hub(settings, Clock::manual(end.minus(MONTH)), true).await?;
    let password = made_up_password();
    let outcome = fill_empty(&hub, end, &password).await;
    hub.shutdown(settings.shutdown.timeout).await;
    let loaded = outcome?;
    println!("Now in {}:\n", describe_storage(settings));
    println!("{}", counts(&loaded));
    println!("Everyone signs in with the password {password} (not shown again):\n");
    println!("{}", sign_ins(&loaded.staff));
    let (host, port) = (&settings.server.host, settings.server.port);
    println!("Run `nexus-hub` and sign in at http://{host}:{port}/, or by POST /api/v1/auth/login.");
    Ok(())
}

async fn fill_empty(hub: &Hub, end: Timestamp, password: &str) -> Result<Loaded, Box<dyn Error>> {
    let customers: i64 = stats(hub).await?.customers.values().sum();
    if customers > 0 {
        return Err(
            format!("the demo is for an empty hub; this one already has {customers} customers").into()
        );
    }
    fill(hub, end, password).await.map_err(|error| {
        format!("the demo could not be loaded completely, take a new database to try again: {error}").into()
    })
}

async fn fill(hub: &Hub, end: Timestamp, password: &str) -> HubResult<Loaded> {
    println!("Loading a month of support work; this takes some seconds.\n");
    let plot = plot::plot(hub.clock.now(), end);
    let mut staff = Staff::hire(hub, password).await?;
    play::play(plot, hub, &mut staff).await?;
    let unassigned = hub.inquiries.ask(ListWaiting { after: None, limit: i64::from(u16::MAX) }).await?.len();
    Ok(Loaded { staff, stats: stats(hub).await?, unassigned })
}

async fn stats(hub: &Hub) -> HubResult<Stats> {
    let now = hub.clock.now();
    hub.stats.ask(ReadStats { of: None, range: StatsRange::usual(now), now }).await
}

/// Some 98 random bits, in characters that are not taken for each other.
fn made_up_password() -> String {
    const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    let mut group = || (0..5).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect();
    let groups: [String; 4] = std::array::from_fn(|_| group());
    groups.join("-")
}

fn counts(Loaded { stats, unassigned, .. }: &Loaded) -> String {
    let customers = line(CustomerStatus::ALL.iter().map(|status| status.as_str()), &stats.customers);
    let inquiries = line(InquiryStatus::ALL.iter().map(|status| status.as_str()), &stats.inquiries);
    let responses = line(ResponseStatus::ALL.iter().map(|status| status.as_str()), &stats.responses);
    format!(
        "  customers  {customers}\n  inquiries  {inquiries}; {unassigned} of the pending wait unassigned\n  \
         responses  {responses}\n"
    )
}

/// In the order of the life cycle, without statuses that nothing is in.
fn line<'a>(statuses: impl Iterator<Item = &'a str>, counts: &BTreeMap<String, i64>) -> String {
    let counted = statuses.filter_map(|status| Some((status, *counts.get(status)?)));
    let present: Vec<_> =
        counted.filter(|(_, count)| *count > 0).map(|(status, count)| format!("{count} {status}")).collect();
    present.join(", ")
}

fn sign_ins(staff: &Staff) -> String {
    let mut lines = String::new();
    for member in staff.everyone() {
        let user = &member.user;
        let away = if user.availability == Availability::Away { " (away)" } else { "" };
        let skills = user.skills.join(", ");
        let (role, email, name) = (user.role.as_str(), &user.email, member.name());
        let line = format!("  {role:<8} {email:<38} {name:<16} {skills}{away}");
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;

    use super::plot::{Deed, PAST, plot};
    use super::script::Step;
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn now() -> Timestamp {
        Timestamp::parse("2026-03-18T15:20:00Z").unwrap()
    }

    #[test]
    fn whatever_the_hour_the_past_is_over_and_nothing_lies_in_the_future() {
        for hour in 0..7 * 24 {
            let (start, end) = (now().plus(HOUR * hour).minus(MONTH), now().plus(HOUR * hour));
            let mut last_steps = HashMap::new();
            for (at, deed) in plot(start, end).beats {
                assert!(start < at && at < end, "{at} {deed:?}");
                if let Deed::Advance { letter, step } = deed {
                    last_steps.insert(letter, step);
                }
            }
            for letter in 0..PAST {
                let last = &last_steps[&letter];
                assert!(
                    matches!(last, Step::Approve(_) | Step::Move(InquiryStatus::Closed)),
                    "{end}: {last:?}"
                );
            }
        }
    }

    #[test]
    fn no_text_has_a_gap_left() {
        for (_, letter) in plot(now().minus(MONTH), now()).letters {
            for text in [&letter.subject, &letter.message, &letter.reply.text().replace("{cso}", "")] {
                assert!(!text.contains(['{', '}']), "{text}");
            }
        }
    }

    #[actix_rt::test]
    async fn an_empty_hub_is_filled_and_a_filled_one_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/hub.db", directory.path().display());
        let settings = Settings::load(Path::new("config"), [("DATABASE_URL".to_owned(), url)]).unwrap();
        let hub = offline_hub(&settings, Clock::manual(now().minus(MONTH)), true).await.unwrap();
        let loaded = fill_empty(&hub, now(), &made_up_password()).await.unwrap();
        let stats = &loaded.stats;
        let empty: Vec<_> = [&stats.customers, &stats.inquiries, &stats.responses]
            .into_iter()
            .flatten()
            .filter(|(_, count)| **count == 0)
            .map(|(status, _)| status.as_str())
            .collect();
        // Nothing is delivered yet.
        assert_eq!(empty, ["delivery_failed", "sent"]);
        assert_eq!(stats.approval_queue.length, 8);
        assert_eq!(loaded.unassigned, 5);
        let refusal = fill_empty(&hub, now(), &made_up_password()).await.err().unwrap();
        assert_eq!(refusal.to_string(), "the demo is for an empty hub; this one already has 50 customers");
        hub.shutdown(settings.shutdown.timeout).await;
    }
}
