//! The console's dashboard: what it shows is what `/stats` and `/stats/daily` tell the same person.

use std::time::Duration;

use serde_json::{Value, json};

use crate::console::visitor::Visitor;
use crate::harness::{Client, TestHub, on_both_engines, path};

const LASTING: &[(&str, &str)] = &[("JWT_EXPIRATION", "7d")];

on_both_engines!(
    with LASTING;
    the_dashboard_shows_what_the_api_tells,
    a_cso_sees_their_own_work_only,
    a_range_is_of_whole_days_in_the_readers_zone,
    what_cannot_be_shown_is_said_in_the_page,
);

/// A page or a file, answered with this status.
async fn got(visitor: &Visitor, path: &str, status: u16) -> String {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status, status, "{path}: {}", answer.text);
    answer.text
}

/// What is between these tags, without tags of its own.
fn texts(html: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
    let inner = html.split(&open).skip(1).map(|rest| {
        let rest = rest.split_once('>').unwrap().1;
        rest.split(&close).next().unwrap()
    });
    inner
        .map(|inner| {
            inner.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
        })
        .collect()
}

/// The numbers of one chart, row by row.
fn table(html: &str, title: &str) -> Vec<Vec<String>> {
    let card =
        html.split("<h2>").find(|card| card.starts_with(title)).unwrap_or_else(|| panic!("{title}: {html}"));
    let rows = card.split("<tbody").nth(1).unwrap().split("</tbody>").next().unwrap().split("<tr>").skip(1);
    rows.map(|row| [texts(row, "th"), texts(row, "td")].concat()).collect()
}

/// Of inquiries of three days, most are answered: some by the first CSO after one hour, the others by the second after
/// two. A third reply waits for a decision.
async fn populate(hub: &TestHub) -> (Client, Client, Client) {
    let (admin, manager) = (hub.admin().await, hub.manager().await);
    let (one, two) = (hub.cso().await, hub.cso().await);
    let hour = Duration::from_secs(3600);
    for (asked, by_first) in [(3, 1), (1, 1), (4, 2)] {
        let mut inquiries = Vec::new();
        for _ in 0..asked {
            inquiries.push(hub.inquiry(&admin).await);
        }
        for (n, inquiry) in inquiries.iter().enumerate() {
            let author = if n < by_first { &one } else { &two };
            hub.clock.advance(hour);
            let reply = json!({"inquiryId": inquiry["id"], "message": "Soon."});
            let reply = path("responses", &author.post("/responses", reply).await.expect(201));
            author.act(&format!("{reply}/submit")).await.expect(200);
            if n < 3 {
                hub.clock.advance(hour / 4);
                manager.act(&format!("{reply}/approve")).await.expect(200);
            }
        }
        hub.clock.advance(30 * hour);
    }
    (manager, one, two)
}

fn number(told: &Value, pointer: &str) -> String {
    told.pointer(pointer).unwrap().as_i64().unwrap().to_string()
}

/// That the figures and the days of the page are these.
fn check(html: &str, stats: &Value, daily: &Value) {
    assert!(!html.contains("style=") && !html.contains("NaN"), "{html}");
    let figures = texts(html, "strong");
    let open =
        stats["inquiries"]["pending"].as_i64().unwrap() + stats["inquiries"]["in_progress"].as_i64().unwrap();
    let in_out =
        format!("{}\u{a0}/\u{a0}{}", number(stats, "/inflow/created"), number(stats, "/inflow/responded"));
    assert_eq!(figures[..3], [open.to_string(), number(stats, "/approvalQueue/length"), in_out], "{stats}");
    let times =
        [&stats["timeToFirstResponse"], &stats["timeToDecision"]].map(|times| span(&times["p50Seconds"]));
    assert_eq!(figures[3..5], times, "{stats}");
    let days = daily["days"].as_array().unwrap();
    let shown = |row: fn(&Value) -> [String; 2]| {
        let row = |day: &Value| [vec![day["date"].as_str().unwrap().to_owned()], row(day).to_vec()].concat();
        days.iter().map(row).collect::<Vec<_>>()
    };
    let counts = shown(|day| [number(day, "/inflow/created"), number(day, "/inflow/responded")]);
    assert_eq!(table(html, "Inquiries and replies per day"), counts);
    let first =
        shown(|day| ["p50Seconds", "p90Seconds"].map(|share| span(&day["timeToFirstResponse"][share])));
    assert_eq!(table(html, "Time to first response per day"), first);
    let decision = shown(|day| ["p50Seconds", "p90Seconds"].map(|share| span(&day["timeToDecision"][share])));
    assert_eq!(table(html, "Time to decision per day"), decision);
}

/// Hours and minutes; there is nothing else here.
fn span(seconds: &Value) -> String {
    let Some(seconds) = seconds.as_f64() else { return "–".to_owned() };
    let minutes = (seconds / 60.0).round() as i64;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

async fn the_dashboard_shows_what_the_api_tells(hub: &TestHub) {
    let (manager, ..) = populate(hub).await;
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let html = got(&visitor, "/dashboard?days=7", 200).await;
    let range = "from=2100-05-30T00:00:00Z&to=2100-06-06T00:00:00Z";
    assert!(hub.clock.now().to_string().starts_with("2100-06-05"));
    let stats = manager.get(&format!("/stats?{range}")).await.expect(200);
    let daily = manager.get(&format!("/stats/daily?{range}")).await.expect(200);
    assert_eq!(
        (&stats["inflow"], &stats["approvalQueue"]["length"]),
        (&json!({"created": 8, "responded": 7}), &json!(1))
    );
    check(&html, &stats, &daily);
    assert_eq!(html.matches("<svg class=\"chart\"").count(), 4);
    let fairness = stats["fairness"].as_f64().map(|fairness| format!("{fairness:.2}"));
    assert_eq!(texts(&html, "strong").get(5), fairness.as_ref());
    let loads: Vec<_> = table(&html, "Load by CSO").into_iter().map(|row| row[2..].concat()).collect();
    let mut told: Vec<_> = stats["csos"].as_array().unwrap().iter().collect();
    told.sort_by(|one, other| other["load"].as_f64().unwrap().total_cmp(&one["load"].as_f64().unwrap()));
    let told: Vec<_> =
        told.iter().map(|cso| number(cso, "/openInquiries") + &number(cso, "/maxOpenInquiries")).collect();
    assert_eq!(loads, told);
    assert_eq!(told.len(), 2);
}

async fn a_cso_sees_their_own_work_only(hub: &TestHub) {
    let (manager, one, two) = populate(hub).await;
    let range = "from=2100-05-07T00:00:00Z&to=2100-06-06T00:00:00Z";
    let mut counts = Vec::new();
    for who in [&one, &two, &manager] {
        let html = got(&Visitor::sign_in(hub, &who.email).await, "/dashboard", 200).await;
        let stats = who.get(&format!("/stats?{range}")).await.expect(200);
        let daily = who.get(&format!("/stats/daily?{range}")).await.expect(200);
        check(&html, &stats, &daily);
        let own = who.id != manager.id;
        assert_eq!(html.contains("Load by CSO"), !own);
        assert_eq!(html.contains("Your own work."), own);
        assert!(
            !own || texts(&html, "strong").len() == 5,
            "how evenly work is spread is not for a CSO to see"
        );
        counts.push(stats["inflow"]["responded"].as_i64().unwrap());
    }
    assert_eq!(counts, [4, 3, 7]);
}

async fn a_range_is_of_whole_days_in_the_readers_zone(hub: &TestHub) {
    let (manager, ..) = populate(hub).await;
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    let got = async |path: &str| {
        let reader = [("cookie", "nexus-zone=Asia/Kathmandu"), ("accept-language", "de")];
        let answer = visitor.get_with(path, &reader).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.text
    };
    let query = "from=2100-06-01&to=2100-06-04";
    let html = got(&format!("/dashboard?{query}")).await;
    let range = "from=2100-05-31T18:15:00Z&to=2100-06-04T18:15:00Z&zone=Asia/Kathmandu";
    let daily = manager.get(&format!("/stats/daily?{range}")).await.expect(200);
    let rows = table(&html, "Anfragen und Antworten je Tag");
    assert_eq!(
        rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(),
        ["2100-06-01", "2100-06-02", "2100-06-03", "2100-06-04"]
    );
    assert!(html.contains(&format!("href=\"/dashboard.csv?{}\"", query.replace('&', "&amp;"))), "{html}");
    let csv = got(&format!("/dashboard.csv?{query}")).await;
    let lines: Vec<_> = csv.lines().collect();
    let days = daily["days"].as_array().unwrap();
    assert_eq!(lines.len(), 1 + days.len(), "{csv}");
    assert!(lines[0].starts_with("date,from,to,created,responded,firstResponses,"), "{csv}");
    for (line, day) in lines[1..].iter().zip(days) {
        let cells = |times: &Value| {
            let seconds =
                |share: &str| times[share].as_f64().map(|seconds| seconds.to_string()).unwrap_or_default();
            format!("{},{},{}", number(times, "/count"), seconds("p50Seconds"), seconds("p90Seconds"))
        };
        let [date, from, to] = ["date", "from", "to"].map(|name| day[name].as_str().unwrap());
        let (created, responded) = (number(day, "/inflow/created"), number(day, "/inflow/responded"));
        let (first, decision) = (cells(&day["timeToFirstResponse"]), cells(&day["timeToDecision"]));
        assert_eq!(*line, format!("{date},{from},{to},{created},{responded},{first},{decision}"));
    }
    // Asked at 17:45 and answered at 19:00 UTC, which is tomorrow there.
    let counts: Vec<_> = rows.iter().map(|row| row[1..].join(" ")).collect();
    assert_eq!(counts, ["3 3", "1 0", "0 1", "4 3"], "{csv}");
}

async fn what_cannot_be_shown_is_said_in_the_page(hub: &TestHub) {
    let manager = hub.manager().await;
    let visitor = Visitor::sign_in(hub, &manager.email).await;
    for wrong in [
        "from=2100-06-02&to=2100-06-01",
        "from=2090-06-02",
        "to=yesterday",
        "days=8",
        "from=9999-12-31&to=9999-12-31",
    ] {
        let html = got(&visitor, &format!("/dashboard?{wrong}"), 422).await;
        assert!(html.contains("role=\"alert\"") && html.contains("name=\"from\""), "{wrong}: {html}");
        got(&visitor, &format!("/dashboard.csv?{wrong}"), 422).await;
    }
    // With nothing to show, the page stands all the same.
    let html = got(&visitor, "/dashboard?days=90", 200).await;
    assert_eq!((html.matches("<svg").count(), html.matches("Nothing in this range.").count()), (0, 3));
}
