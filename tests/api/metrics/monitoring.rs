//! The alert rules and the dashboard in `config`: what they ask for is what a hub exports.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, parse_duration, walk_expr};
use serde::Deserialize;
use serde_json::Value;

use super::scrape;
use super::scrape::Scrape;
use crate::harness::{TestHub, on_both_engines};

on_both_engines!(
    alerts_ask_for_what_is_exported,
    the_dashboard_asks_for_what_is_exported,
    names_are_as_prometheus_has_them,
);

const ALERTS: &str = include_str!("../../../config/alerts.yml");
const DASHBOARD: &str = include_str!("../../../config/grafana-dashboard.json");
/// Which Prometheus puts on everything it scrapes.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(rename = "name")]
    _name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    pending: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

async fn alerts_ask_for_what_is_exported(hub: &TestHub) {
    let told = scrape_of_all(hub).await;
    let rules: Rules = serde_saphyr::from_str(ALERTS).unwrap();
    let rules: Vec<Rule> = rules.groups.into_iter().flat_map(|group| group.rules).collect();
    let names: BTreeSet<_> = rules.iter().map(|rule| rule.alert.as_str()).collect();
    assert_eq!(names.len(), rules.len(), "a name comes twice");
    let mut wrong = Vec::new();
    for Rule { alert, expr, pending, labels, annotations } in &rules {
        assert!(["critical", "warning"].contains(&labels["severity"].as_str()), "{alert}");
        assert!(!annotations["summary"].is_empty(), "{alert}");
        assert!(pending.as_ref().is_none_or(|pending| parse_duration(pending).is_ok()), "{alert}");
        wrong.extend(missing(expr, &told).into_iter().map(|problem| format!("{alert}: {problem}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn the_dashboard_asks_for_what_is_exported(hub: &TestHub) {
    let told = scrape_of_all(hub).await;
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let (mut expressions, mut wrong) = (0, Vec::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            // Grafana's own, put in before Prometheus sees it.
            let expr = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
            let problems = missing(&expr, &told);
            wrong.extend(problems.into_iter().map(|problem| format!("{}: {problem}", panel["title"])));
            expressions += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(expressions > 0, "there is nothing on it");
}

async fn names_are_as_prometheus_has_them(hub: &TestHub) {
    let told = scrape_of_all(hub).await;
    for (family, kind) in told.families() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        assert!(family.starts_with("nexus_") && family.bytes().all(plain), "{family}");
        let expected = match kind {
            "counter" => format!("{family}_total"),
            "histogram" => format!("{family}_bucket"),
            "info" => format!("{family}_info"),
            _ => family.to_owned(),
        };
        assert!(told.names().contains(expected.as_str()), "{family} has no samples");
    }
}

/// With an answered request in it.
async fn scrape_of_all(hub: &TestHub) -> Scrape {
    scrape(hub).await;
    scrape(hub).await
}

/// What `expr` asks for and `told` does not have.
fn missing(expr: &str, told: &Scrape) -> Vec<String> {
    let parsed = match parser::parse(expr) {
        Ok(parsed) => parsed,
        Err(error) => return vec![format!("{expr}: {error}")],
    };
    let mut asked = Asked::default();
    let Ok(_) = walk_expr(&mut asked, &parsed);
    let (mut wrong, mut known) = (Vec::new(), BTreeSet::from(OF_PROMETHEUS));
    for selector in &asked.selectors {
        let name = selector.name.as_deref().unwrap_or_default();
        // Prometheus's own.
        if name == "up" {
            continue;
        }
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (label, value) in told.series(name).flatten() {
            values.entry(label.as_str()).or_default().insert(value.as_str());
        }
        if !told.names().contains(name) {
            wrong.push(format!("there is no {name}"));
        }
        known.extend(values.keys());
        for matcher in &selector.matchers.matchers {
            let exact = matches!(matcher.op, MatchOp::Equal | MatchOp::NotEqual);
            let fits = match values.get(matcher.name.as_str()) {
                Some(values) => !exact || values.contains(matcher.value.as_str()) || is_pool(&matcher.name),
                None => OF_PROMETHEUS.contains(&matcher.name.as_str()),
            };
            if !fits {
                wrong.push(format!("{name} has no {} {:?}", matcher.name, matcher.value));
            }
        }
    }
    let unknown = asked.grouped.iter().filter(|label| !known.contains(label.as_str()));
    wrong.extend(unknown.map(|label| format!("there is no label {label} in {expr}")));
    wrong
}

/// Each engine has pools of its own.
fn is_pool(label: &str) -> bool {
    label == "pool"
}

#[derive(Default)]
struct Asked {
    selectors: Vec<VectorSelector>,
    /// Labels that are aggregated by.
    grouped: Vec<String>,
}

impl ExprVisitor for Asked {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            Expr::MatrixSelector(range) => self.selectors.push(range.vs.clone()),
            Expr::Aggregate(aggregate) => {
                let labels = aggregate.modifier.iter().flat_map(|modifier| &modifier.labels().labels);
                self.grouped.extend(labels.cloned());
            }
            _ => {}
        }
        Ok(true)
    }
}
