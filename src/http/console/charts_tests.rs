use chrono::Days;
use chrono_tz::Tz;
use nexus_actors::domain::user::Availability;
use uuid::Uuid;

use super::super::catalogue::Language;
use super::super::prefs::Theme;
use super::*;

fn prefs(language: Language) -> Prefs {
    Prefs { language, zone: Tz::UTC, zone_follows: false, theme: Theme::Auto, shortcuts: true }
}

fn days(count: u64) -> Vec<NaiveDate> {
    let first: NaiveDate = "2026-05-01".parse().unwrap();
    (0..count).map(|n| first + Days::new(n)).collect()
}

fn chart(days: &[NaiveDate], scale: Scale, one: Vec<Option<f64>>, two: Vec<Option<f64>>) -> ByDay {
    let series = |name: &str, values| Series { name: name.to_owned(), values };
    ByDay {
        title: "Title".to_owned(),
        words: "In words".to_owned(),
        days: days.to_vec(),
        series: [series("One", one), series("Two", two)],
        scale,
    }
}

/// Drawn in both ways and both languages; sound in itself.
fn drawn(chart: &ByDay) -> Vec<String> {
    let prefs = [prefs(Language::English), prefs(Language::German)];
    let all = prefs.iter().flat_map(|prefs| [bars(prefs, chart), lines(prefs, chart)]);
    all.map(|markup| sound(markup.into_string())).collect()
}

/// Every number is one, and lies in the picture.
fn sound(html: String) -> String {
    for wrong in ["NaN", "inf", "style="] {
        assert!(!html.contains(wrong), "{wrong} in {html}");
    }
    let svg = html.split("<svg").nth(1).map_or("", |rest| rest.split("</svg>").next().unwrap());
    for name in ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"] {
        for value in svg.split(&format!(" {name}=\"")).skip(1) {
            let value: f64 = value.split('"').next().unwrap().parse().unwrap();
            assert!((0.0..=WIDTH.max(HEIGHT)).contains(&value), "{name}={value} in {svg}");
        }
    }
    html
}

/// The cells of the table, without headings.
fn cells(html: &str) -> Vec<String> {
    let cells = html.split("<td").skip(1);
    cells.map(|cell| cell.split('>').nth(1).unwrap().split('<').next().unwrap().to_owned()).collect()
}

#[test]
fn what_is_drawn_is_told_in_words_and_in_a_table() {
    let days = days(3);
    let chart =
        chart(&days, Scale::Count, vec![Some(4.0), Some(0.0), Some(7.0)], vec![Some(1.0), None, Some(12.0)]);
    for html in drawn(&chart) {
        assert!(
            html.contains(
                "<svg class=\"chart\" viewBox=\"0 0 360 200\" role=\"img\" aria-label=\"In words\">"
            )
        );
        assert_eq!(cells(&html), ["4", "1", "0", "–", "7", "12"]);
        assert!(html.contains("<th scope=\"row\">2026-05-03</th>"));
        assert!(html.contains("<title>2026-05-01: 4</title>"));
    }
    let html = bars(&prefs(Language::German), &chart).into_string();
    assert_eq!(html.matches("<rect").count(), 4 + 2, "a bar for each that is more than nothing, and the key");
    let series = ["<g class=\"bars a\">", "<g class=\"bars b\">", "<rect class=\"bars b\""];
    for drawn in series {
        assert_eq!(html.matches(drawn).count(), 1, "each series, and the second's key: {html}");
    }
    let looks = include_str!("assets/console.css");
    assert!(looks.contains(".bars.b { fill-opacity: .35;"), "told apart without colours");
}

#[test]
fn a_line_has_a_gap_where_there_is_nothing_to_tell() {
    let days = days(5);
    let one = vec![Some(60.0), Some(120.0), None, Some(5400.0), None];
    let html = lines(&prefs(Language::English), &chart(&days, Scale::Time, one, vec![None; 5])).into_string();
    let path = html.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
    assert_eq!(html.matches("<circle").count(), 3);
    assert_eq!(cells(&html), ["1 min", "–", "2 min", "–", "–", "–", "1 h 30 min", "–", "–", "–"]);
    assert!(html.contains("stroke-dasharray"));
}

#[test]
fn nothing_one_point_and_very_much_can_be_drawn() {
    for scale in [Scale::Count, Scale::Time] {
        for html in drawn(&chart(&[], scale, vec![], vec![])) {
            assert!(!html.contains("<svg") && html.contains("<table>"), "{html}");
        }
        let one_day = days(1);
        for html in drawn(&chart(&one_day, scale, vec![None], vec![None])) {
            assert!(!html.contains("<svg"), "{html}");
        }
        for value in [1.0, 1e-3, 59.9, 86_400.0, 1e9, 4e15, 9e18] {
            for html in drawn(&chart(&one_day, scale, vec![Some(value)], vec![None])) {
                assert!(html.contains("<svg"));
            }
        }
        for html in drawn(&chart(&one_day, scale, vec![Some(f64::NAN)], vec![Some(f64::INFINITY)])) {
            assert!(!html.contains("<svg"));
        }
        let year = days(366);
        let values: Vec<_> = (0..366).map(|n| (n % 7 != 3).then_some(f64::from(n * n))).collect();
        for html in drawn(&chart(&year, scale, values.clone(), vec![Some(1.0); 366])) {
            assert_eq!(cells(&html).len(), 2 * 366);
        }
    }
    // What took no time at all is a time.
    let html = lines(&prefs(Language::English), &chart(&days(1), Scale::Time, vec![Some(0.0)], vec![None]));
    assert!(html.into_string().contains("<circle"));
}

#[test]
fn axes_have_few_steps_that_people_count_in() {
    for (scale, highest, expected) in [
        (Scale::Count, 1.0, [0.0, 1.0].as_slice()),
        (Scale::Count, 7.0, &[0.0, 2.0, 4.0, 6.0, 8.0]),
        (Scale::Count, 130.0, &[0.0, 50.0, 100.0, 150.0]),
        (Scale::Time, 0.0, &[0.0, 1.0]),
        (Scale::Time, 100.0, &[0.0, 30.0, 60.0, 90.0, 120.0]),
        (Scale::Time, 7000.0, &[0.0, 1800.0, 3600.0, 5400.0, 7200.0]),
        (Scale::Time, 30.0 * DAY, &[0.0, 10.0 * DAY, 20.0 * DAY, 30.0 * DAY]),
    ] {
        assert_eq!(scale.ticks(highest), expected, "{scale:?} {highest}");
    }
}

#[test]
fn loads_are_of_what_each_takes_on_and_the_fullest_come_first() {
    let cso = |name: String, open_inquiries, max_open_inquiries| {
        CsoLoad {
            user_id: Uuid::nil(),
            first_name: name,
            last_name: "<b>".to_owned(),
            availability: Availability::Away,
            open_inquiries,
            max_open_inquiries,
            load: None,
            throughput: 0,
            answered: 0,
        }
        .with_load()
    };
    let prefs = prefs(Language::English);
    assert!(!sound(loads(&prefs, &[]).into_string()).contains("<svg"));
    let few = [cso("Ada".to_owned(), 1, 20), cso("x".repeat(100), 30, 20), cso("Eve".to_owned(), 0, 0)];
    let html = sound(loads(&prefs, &few).into_string());
    assert_eq!(cells(&html), ["", "30", "20", "", "1", "20", "", "0", "0"]);
    assert!(html.contains("Ada &lt;b&gt;") && html.contains('…') && !html.contains("<b>"));
    let many: Vec<_> = (0..50).map(|n| cso(n.to_string(), n, 50)).collect();
    let html = loads(&prefs, &many).into_string();
    assert_eq!((html.matches("<rect class=\"a\"").count(), html.matches("<tr>").count()), (ROWS, 51));
}
