//! How the desk is doing: figures, charts and the days as a file.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use chrono::{Days, NaiveDate};
use futures_util::try_join;
use maud::{Markup, html};
use nexus_actors::domain::FieldError;
use nexus_actors::domain::inquiry::InquiryStatus;
use nexus_actors::domain::policy::Action;
use nexus_actors::domain::stats::{DailyStats, DayStats, Stats, StatsRange, Times};
use nexus_actors::store::stats::{ReadDaily, ReadStats};
use nexus_actors::{HubError, HubResult};

use super::charts::{self, ByDay, Scale, Series};
use super::layout::{self, Place};
use super::list::{self, ListQuery};
use super::visitor::Visitor;
use super::{inquiries, parts};
use crate::http::problem::HttpError;
use crate::http::stats::whose;
use crate::http::{HttpState, State};

/// How many days the buttons choose, today included.
const SPANS: &[u64] = &[7, 30, 90];
const USUAL: u64 = 30;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/dashboard").get(page))
        .service(web::resource("/dashboard.csv").get(export));
}

async fn page(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    visitor.must(Action::ReadStats)?;
    let title = visitor.t("nav-dashboard");
    let Some(asked) = Asked::of(&visitor, &query) else {
        let body = html! {
            h1 { (title) }
            (parts::alert(&visitor.t("dashboard-range-wrong")))
            (form(&visitor, None, query.value("from"), query.value("to")))
        };
        return Ok(layout::with_status(
            StatusCode::UNPROCESSABLE_ENTITY,
            &visitor,
            Place::Dashboard,
            &title,
            body,
        ));
    };
    let of = whose(visitor.principal());
    let (stats, daily) = try_join!(
        state.hub.stats.ask(ReadStats { of, range: asked.range, now: visitor.now }),
        days(&state, &visitor, &asked),
    )?;
    let body = html! {
        h1 { (title) }
        p { (visitor.t(if of.is_some() { "dashboard-own" } else { "dashboard-all" })) }
        (form(&visitor, asked.span, &asked.first.to_string(), &asked.last.to_string()))
        (figures(&visitor, &stats))
        div.two {
            (charts::bars(&visitor, &inflow(&visitor, &asked, &daily)))
            (charts::lines(&visitor, &times(&visitor, &asked, &daily, visitor.t("chart-first-response"),
                |day| &day.time_to_first_response)))
            (charts::lines(&visitor, &times(&visitor, &asked, &daily, visitor.t("chart-decision"),
                |day| &day.time_to_decision)))
            @if of.is_none() { (charts::loads(&visitor, &stats.csos)) }
        }
        p { a href={ "/dashboard.csv?" (query.filters()) } { (visitor.t("csv")) } }
    };
    Ok(layout::page(&visitor, Place::Dashboard, &title, body))
}

async fn export(state: State, visitor: Visitor, query: ListQuery) -> Result<HttpResponse, HttpError> {
    const COLUMNS: &[&str] = &[
        "date",
        "from",
        "to",
        "created",
        "responded",
        "firstResponses",
        "firstResponseP50Seconds",
        "firstResponseP90Seconds",
        "decisions",
        "decisionP50Seconds",
        "decisionP90Seconds",
    ];
    visitor.must(Action::ReadStats)?;
    let asked = Asked::of(&visitor, &query).ok_or_else(|| {
        let what = "must be dates in their order, at most 366 days apart";
        HubError::Invalid(vec![FieldError::new("from", "out_of_range", what)])
    })?;
    let times = |times: &Times| {
        [times.count.to_string(), list::cell(times.p50_seconds), list::cell(times.p90_seconds)]
    };
    let daily = days(&state, &visitor, &asked).await?;
    let rows = daily.days.iter().map(|one| {
        let mut row = vec![one.day.date.to_string(), one.day.from.to_string(), one.day.to.to_string()];
        row.extend([one.inflow.created.to_string(), one.inflow.responded.to_string()]);
        row.extend(times(&one.time_to_first_response));
        row.extend(times(&one.time_to_decision));
        row
    });
    Ok(list::small_csv("dashboard", COLUMNS, rows))
}

/// The days someone wants to see, by their own calendar.
struct Asked {
    /// Where it was one of the buttons.
    span: Option<u64>,
    first: NaiveDate,
    last: NaiveDate,
    range: StatsRange,
}

impl Asked {
    /// `None` where it cannot be read, or is too much.
    fn of(visitor: &Visitor, query: &ListQuery) -> Option<Self> {
        let date = |name: &str| match query.value(name) {
            "" => Some(None),
            text => text.parse::<NaiveDate>().ok().map(Some),
        };
        let (from, to) = (date("from")?, date("to")?);
        let span = match query.value("days") {
            "" => USUAL,
            text => text.parse().ok().filter(|days| SPANS.contains(days))?,
        };
        let last = to.unwrap_or_else(|| visitor.now.utc().with_timezone(&visitor.zone).date_naive());
        let first = from.or_else(|| last.checked_sub_days(Days::new(span - 1)))?;
        let range = StatsRange::of_days(first, last, visitor.zone)?;
        Some(Self { span: (from.is_none() && to.is_none()).then_some(span), first, last, range })
    }
}

async fn days(state: &HttpState, visitor: &Visitor, asked: &Asked) -> HubResult<DailyStats> {
    let of = whose(visitor.principal());
    state.hub.stats.ask(ReadDaily { of, range: asked.range, zone: visitor.zone }).await
}

fn form(visitor: &Visitor, span: Option<u64>, from: &str, to: &str) -> Markup {
    html! {
        form.row method="get" action="/dashboard" {
            @for days in SPANS {
                a.button href={ "/dashboard?days=" (days) } aria-current=[(span == Some(*days)).then_some("true")] {
                    (visitor.with("dashboard-last-days", &[("n", (*days).into())]))
                }
            }
            label for="from" { (visitor.t("dashboard-from")) }
            input #from type="date" name="from" value=(from);
            label for="to" { (visitor.t("dashboard-to")) }
            input #to type="date" name="to" value=(to);
            button { (visitor.t("show")) }
        }
    }
}

fn figures(visitor: &Visitor, stats: &Stats) -> Markup {
    let open = [InquiryStatus::Pending, InquiryStatus::InProgress];
    let open: i64 = open.iter().filter_map(|status| stats.inquiries.get(status.as_str())).sum();
    let queue = &stats.approval_queue;
    let oldest = queue.oldest_age_seconds.map(|seconds| seconds as f64);
    let span = |seconds: Option<f64>| {
        seconds.map_or_else(|| "–".to_owned(), |seconds| Scale::Time.written(visitor, seconds))
    };
    let median = |name: &str, times: &Times| {
        let ninety = visitor
            .with("dashboard-ninety", &[("time", span(times.p90_seconds).into()), ("n", times.count.into())]);
        figure(&visitor.t(name), html! { (span(times.p50_seconds)) }, &ninety)
    };
    let queue_length = html! {
        @if visitor.may(Action::DecideResponse) { a href="/approvals" { (queue.length) } } @else { (queue.length) }
    };
    let mine = if whose(visitor.principal()).is_some() { "&assignedTo=me" } else { "" };
    html! {
        div.figures {
            (figure(&visitor.t("dashboard-open"), html! {
                a href={ "/inquiries?status=" (inquiries::OPEN) (mine) } { (open) }
            }, &visitor.t("dashboard-now")))
            (figure(&visitor.t("dashboard-queue"), queue_length,
                &visitor.with("dashboard-oldest", &[("time", span(oldest).into())])))
            (figure(&visitor.t("dashboard-inflow"), html! { (stats.inflow.created) "\u{a0}/\u{a0}" (stats.inflow.responded) },
                &visitor.t("dashboard-inflow-what")))
            (median("dashboard-first-response", &stats.time_to_first_response))
            (median("dashboard-decision", &stats.time_to_decision))
            @if let Some(fairness) = stats.fairness {
                (figure(&visitor.t("dashboard-fairness"), html! { (decimal(visitor, fairness)) },
                    &visitor.t("dashboard-fairness-what")))
            }
        }
    }
}

fn figure(name: &str, value: Markup, what: &str) -> Markup {
    html! { div.card { span { (name) } strong { (value) } span.muted { (what) } } }
}

/// As the language writes it.
fn decimal(visitor: &Visitor, value: f64) -> String {
    format!("{value:.2}").replace('.', &visitor.t("decimal-mark"))
}

fn inflow(visitor: &Visitor, asked: &Asked, daily: &DailyStats) -> ByDay {
    let counts = |of: fn(&DayStats) -> i64| daily.days.iter().map(of).collect::<Vec<_>>();
    let (created, responded) = (counts(|day| day.inflow.created), counts(|day| day.inflow.responded));
    let most = |counts: &[i64]| counts.iter().copied().max().unwrap_or(0);
    let words = visitor.with(
        "chart-inflow-words",
        &[
            ("first", asked.first.to_string().into()),
            ("last", asked.last.to_string().into()),
            ("created", created.iter().sum::<i64>().into()),
            ("created-most", most(&created).into()),
            ("responded", responded.iter().sum::<i64>().into()),
            ("responded-most", most(&responded).into()),
        ],
    );
    let series = |name: &str, counts: Vec<i64>| Series {
        name: visitor.t(name),
        values: counts.into_iter().map(|count| Some(count as f64)).collect(),
    };
    ByDay {
        title: visitor.t("chart-inflow"),
        words,
        days: dates(daily),
        series: [series("chart-created", created), series("chart-responded", responded)],
        scale: Scale::Count,
    }
}

fn times(
    visitor: &Visitor,
    asked: &Asked,
    daily: &DailyStats,
    title: String,
    of: impl Fn(&DayStats) -> &Times,
) -> ByDay {
    let series = |name: &str, share: fn(&Times) -> Option<f64>| Series {
        name: visitor.t(name),
        values: daily.days.iter().map(|day| share(of(day))).collect(),
    };
    let (median, ninety) = (
        series("chart-median", |times| times.p50_seconds),
        series("chart-ninety", |times| times.p90_seconds),
    );
    let most = |series: &Series| {
        let most = series.values.iter().flatten().copied().reduce(f64::max);
        most.map_or_else(|| "–".to_owned(), |most| Scale::Time.written(visitor, most))
    };
    let words = visitor.with(
        "chart-times-words",
        &[
            ("title", title.clone().into()),
            ("first", asked.first.to_string().into()),
            ("last", asked.last.to_string().into()),
            ("median", most(&median).into()),
            ("ninety", most(&ninety).into()),
        ],
    );
    ByDay { title, words, days: dates(daily), series: [median, ninety], scale: Scale::Time }
}

fn dates(daily: &DailyStats) -> Vec<NaiveDate> {
    daily.days.iter().map(|one| one.day.date).collect()
}
