//! Charts as SVG, drawn here: by attributes and classes alone, as the policy on styles wants it. What they show is below
//! them once more as a table, for whoever does not see it.

use chrono::NaiveDate;
use maud::{Markup, html};
use nexus_actors::domain::stats::CsoLoad;

use super::parts;
use super::prefs::Prefs;

/// In units that are about a pixel on a telephone, so that what is written can be read there.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 200.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 172.0;
/// Of a letter, about.
const LETTER: f64 = 6.5;
/// Lines on which values can be read, the one at the bottom not counted.
const TICKS: f64 = 4.0;
/// Each point is marked up to so many days; else those alone that no line leads to.
const MARKED: usize = 45;
/// In the chart of loads. The table has all.
const ROWS: usize = 20;
const ROW: f64 = 34.0;

/// Two series over the same days.
pub struct ByDay {
    pub title: String,
    /// What is to be seen, in words.
    pub words: String,
    pub days: Vec<NaiveDate>,
    pub series: [Series; 2],
    pub scale: Scale,
}

pub struct Series {
    pub name: String,
    /// Of each day; `None` where there is nothing to tell.
    pub values: Vec<Option<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Count,
    /// In seconds.
    Time,
}

impl Scale {
    /// As it is read: a count, or two units of time.
    pub fn written(self, prefs: &Prefs, value: f64) -> String {
        match self {
            Self::Count => format!("{value:.0}"),
            Self::Time => time(prefs, value),
        }
    }

    /// From 0 in steps that people count in, up to `highest` or more.
    fn ticks(self, highest: f64) -> Vec<f64> {
        const TIMES: &[f64] = &[
            1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
            10_800.0, 21_600.0, 43_200.0, DAY,
        ];
        let least = highest / TICKS;
        let step = match self {
            Self::Count => decimal(least),
            Self::Time => {
                let step = TIMES.iter().copied().find(|step| *step >= least);
                step.unwrap_or_else(|| decimal(least / DAY) * DAY)
            }
        };
        let count = (highest / step).ceil().clamp(1.0, TICKS) as u32;
        (0..=count).map(|n| f64::from(n) * step).collect()
    }
}

const DAY: f64 = 86_400.0;

/// The smallest of 1, 2, 5, 10, 20, … that is at least this.
fn decimal(least: f64) -> f64 {
    let mut power = 1.0;
    while power * 10.0 < least {
        power *= 10.0;
    }
    [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|step| *step >= least).unwrap_or(power * 10.0)
}

fn time(prefs: &Prefs, seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as i64;
    let (large, small) = match seconds {
        ..3600 => (seconds, 0),
        3600..172_800 => (seconds, seconds % 3600 / 60 * 60),
        _ => (seconds, seconds % 86_400 / 3600 * 3600),
    };
    let large = prefs.duration(large);
    if small == 0 { large } else { format!("{large} {}", prefs.duration(small)) }
}

/// Bars beside each other, two a day.
pub fn bars(prefs: &Prefs, chart: &ByDay) -> Markup {
    card(prefs, chart, |plot| {
        let each = plot.slot() * 0.4;
        html! {
            @for (nth, class, series) in plot.series() {
                g class={ "bars " (class) } {
                    @for (day, value) in points(series) {
                        @if value > 0.0 {
                            @let x = plot.middle(day) + each * (nth - 1.0);
                            rect x=(short(x)) y=(short(plot.height(value))) width=(short(each))
                                height=(short(BOTTOM - plot.height(value))) { (plot.tip(prefs, day, value)) }
                        }
                    }
                }
            }
            (key(&chart.series, |class, _, x| html! {
                rect class={ "bars " (class) } x=(short(x)) y="4" width="14" height="9" {}
            }))
        }
    })
}

/// Lines, with a gap where there is nothing to tell.
pub fn lines(prefs: &Prefs, chart: &ByDay) -> Markup {
    card(prefs, chart, |plot| {
        html! {
            @for (nth, class, series) in plot.series() {
                path class={ (class) " line" } d=(plot.path(series)) stroke-dasharray=[(nth > 0.0).then_some("5 3")] {}
                g class=(class) {
                    @for (day, value) in points(series) {
                        @if series.values.len() <= MARKED || is_alone(series, day) {
                            @let (x, y) = (plot.middle(day), plot.height(value));
                            @if nth > 0.0 {
                                rect x=(short(x - 2.5)) y=(short(y - 2.5)) width="5" height="5" {
                                    (plot.tip(prefs, day, value))
                                }
                            } @else {
                                circle cx=(short(x)) cy=(short(y)) r="2.5" { (plot.tip(prefs, day, value)) }
                            }
                        }
                    }
                }
            }
            (key(&chart.series, |class, second, x| html! {
                path class={ (class) " line" } d=(format!("M{} 9h16", short(x))) stroke-dasharray=[second.then_some("5 3")] {}
            }))
        }
    })
}

/// Where values and days are in the picture.
struct Plot<'a> {
    chart: &'a ByDay,
    ticks: Vec<f64>,
    left: f64,
}

impl<'a> Plot<'a> {
    /// `None` where there is nothing to draw.
    fn of(prefs: &Prefs, chart: &'a ByDay) -> Option<Self> {
        let values = chart.series.iter().flat_map(|series| series.values.iter().flatten());
        let highest = values.copied().filter(|value| value.is_finite()).reduce(f64::max)?;
        if highest <= 0.0 && chart.scale == Scale::Count {
            return None;
        }
        let ticks = chart.scale.ticks(highest);
        let widest = ticks.iter().map(|tick| chart.scale.written(prefs, *tick).chars().count()).max()?;
        Some(Self { chart, ticks, left: widest as f64 * LETTER + 6.0 })
    }

    fn series(&self) -> impl Iterator<Item = (f64, &'static str, &'a Series)> {
        let [one, two] = &self.chart.series;
        [(0.0, "a", one), (1.0, "b", two)].into_iter()
    }

    fn slot(&self) -> f64 {
        (WIDTH - self.left) / self.chart.days.len().max(1) as f64
    }

    /// Of a day, from left to right.
    fn middle(&self, day: usize) -> f64 {
        self.left + (day as f64 + 0.5) * self.slot()
    }

    fn height(&self, value: f64) -> f64 {
        let highest = self.ticks.last().copied().unwrap_or(1.0);
        BOTTOM - value / highest * (BOTTOM - TOP)
    }

    fn path(&self, series: &Series) -> String {
        let mut path = String::new();
        let mut before = None;
        for (day, value) in points(series) {
            let step = if before.is_some_and(|before: usize| before + 1 == day) { 'L' } else { 'M' };
            path.push_str(&format!("{step}{} {}", short(self.middle(day)), short(self.height(value))));
            before = Some(day);
        }
        path
    }

    /// For whoever points at it; colour and shape tell which series it is.
    fn tip(&self, prefs: &Prefs, day: usize, value: f64) -> Markup {
        let date = self.chart.days.get(day);
        html! {
            title { @if let Some(date) = date { (date) ": " } (self.chart.scale.written(prefs, value)) }
        }
    }

    fn axes(&self, prefs: &Prefs) -> Markup {
        let last = self.chart.days.len().saturating_sub(1);
        let mut dates = vec![(last, "end")];
        if last > 0 {
            dates.push((0, "start"));
        }
        if last > 3 {
            dates.push((last / 2, "middle"));
        }
        html! {
            @for tick in &self.ticks {
                @let y = self.height(*tick);
                line.axis x1=(short(self.left)) x2=(short(WIDTH)) y1=(short(y)) y2=(short(y)) {}
                text x=(short(self.left - 4.0)) y=(short(y + 4.0)) text-anchor="end" {
                    (self.chart.scale.written(prefs, *tick))
                }
            }
            @for (day, anchor) in dates {
                @let x = match anchor { "start" => self.left, "end" => WIDTH, _ => self.middle(day) };
                @if let Some(date) = self.chart.days.get(day) {
                    text x=(short(x)) y=(short(BOTTOM + 16.0)) text-anchor=(anchor) { (date) }
                }
            }
        }
    }
}

fn points(series: &Series) -> impl Iterator<Item = (usize, f64)> {
    let values = series.values.iter().enumerate();
    values.filter_map(|(day, value)| Some((day, (*value)?))).filter(|(_, value)| value.is_finite())
}

/// No line leads to it.
fn is_alone(series: &Series, day: usize) -> bool {
    let is_there = |day: Option<usize>| day.and_then(|day| *series.values.get(day)?).is_some();
    !is_there(day.checked_sub(1)) && !is_there(day.checked_add(1))
}

/// Which is which.
fn key(series: &[Series; 2], sample: impl Fn(&'static str, bool, f64) -> Markup) -> Markup {
    let [one, two] = series;
    html! {
        @for (class, series, second, x) in [("a", one, false, 0.0), ("b", two, true, WIDTH / 2.0)] {
            (sample(class, second, x))
            text x=(short(x + 20.0)) y="13" { (series.name) }
        }
    }
}

/// To a tenth.
fn short(at: f64) -> String {
    ((at * 10.0).round() / 10.0).to_string()
}

fn card(prefs: &Prefs, chart: &ByDay, draw: impl Fn(&Plot<'_>) -> Markup) -> Markup {
    let size = format!("0 0 {WIDTH} {HEIGHT}");
    let [one, two] = &chart.series;
    let cell = |value: Option<f64>| match value.filter(|value| value.is_finite()) {
        Some(value) => chart.scale.written(prefs, value),
        None => "–".to_owned(),
    };
    html! {
        section.card {
            h2 { (chart.title) }
            @if let Some(plot) = Plot::of(prefs, chart) {
                svg.chart viewBox=(size) role="img" aria-label=(chart.words) { (plot.axes(prefs)) (draw(&plot)) }
            } @else {
                p.muted { (prefs.t("chart-empty")) }
            }
            (numbers(prefs, &chart.title, html! {
                thead { tr {
                    th scope="col" { (prefs.t("chart-day")) }
                    th.number scope="col" { (one.name) }
                    th.number scope="col" { (two.name) }
                } }
                tbody.numbers {
                    @for ((day, one), two) in chart.days.iter().zip(&one.values).zip(&two.values) {
                        tr { th scope="row" { (day) } td { (cell(*one)) } td { (cell(*two)) } }
                    }
                }
            }))
        }
    }
}

/// Open inquiries of each CSO as a part of those they take on; the fullest first.
pub fn loads(prefs: &Prefs, csos: &[CsoLoad]) -> Markup {
    let mut csos: Vec<_> = csos.iter().collect();
    csos.sort_by(|one, other| other.load.unwrap_or(0.0).total_cmp(&one.load.unwrap_or(0.0)));
    let drawn = &csos[..csos.len().min(ROWS)];
    let title = prefs.t("chart-load");
    let told = |cso: &CsoLoad| {
        prefs.with("load-of", &[("open", cso.open_inquiries.into()), ("most", cso.max_open_inquiries.into())])
    };
    let name = |cso: &CsoLoad| format!("{} {}", cso.first_name, cso.last_name);
    let list: Vec<_> = drawn.iter().map(|cso| format!("{}: {}", name(cso), told(cso))).collect();
    let size = format!("0 0 {WIDTH} {:.0}", drawn.len() as f64 * ROW);
    let most =
        csos.iter().map(|cso| cso.max_open_inquiries.max(cso.open_inquiries)).max().unwrap_or(0).max(1);
    let length = |count: i64| short(count.max(0) as f64 / most as f64 * (WIDTH - 2.0));
    html! {
        section.card {
            h2 { (title) }
            @if csos.is_empty() { p.muted { (prefs.t("team-empty")) } } @else {
                svg.chart viewBox=(size) role="img" aria-label={ (title) ". " (list.join(", ")) } {
                    @for (nth, cso) in drawn.iter().enumerate() {
                        @let y = nth as f64 * ROW;
                        text x="0" y=(short(y + 12.0)) { (cut(&name(cso))) }
                        text x=(WIDTH) y=(short(y + 12.0)) text-anchor="end" { (told(cso)) }
                        rect.axis x="1" y=(short(y + 17.0)) width=(length(cso.max_open_inquiries)) height="10" fill="none" {}
                        rect.a x="1" y=(short(y + 17.0)) width=(length(cso.open_inquiries)) height="10" stroke-width="0" {}
                    }
                }
                @if csos.len() > ROWS { p.muted { (prefs.with("chart-load-cut", &[("n", ROWS.into())])) } }
            }
            (numbers(prefs, &title, html! {
                thead { tr {
                    th scope="col" { (prefs.t("name")) }
                    th scope="col" { (prefs.t("availability")) }
                    th.number scope="col" { (prefs.t("chart-open")) }
                    th.number scope="col" { (prefs.t("chart-most")) }
                } }
                tbody {
                    @for cso in &csos {
                        tr {
                            th scope="row" { (name(cso)) }
                            td { (parts::availability(prefs, cso.availability)) }
                            td.number { (cso.open_inquiries) }
                            td.number { (cso.max_open_inquiries) }
                        }
                    }
                }
            }))
        }
    }
}

/// What fits beside the numbers. The table has it whole.
fn cut(name: &str) -> String {
    const LONGEST: usize = 36;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn numbers(prefs: &Prefs, title: &str, table: Markup) -> Markup {
    html! {
        details {
            summary { (prefs.t("chart-numbers")) }
            (parts::scrolled(title, html! { (table) }))
        }
    }
}

#[cfg(test)]
#[path = "charts_tests.rs"]
mod tests;
