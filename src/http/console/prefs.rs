//! How someone wants to read the console: in cookies of their browser, so that the sign-in page follows them too.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{AcceptLanguage, Header};
use chrono_tz::Tz;
use fluent_bundle::FluentValue;
use maud::{Markup, html};
use nexus_actors::domain::Timestamp;

use super::catalogue::Language;

pub const LANGUAGE: &str = "nexus-language";
/// The name of a zone; `auto:` in front of it where it is the browser's and follows that.
pub const ZONE: &str = "nexus-zone";
pub const THEME: &str = "nexus-theme";
pub const SHORTCUTS: &str = "nexus-shortcuts";
pub const FOLLOWS: &str = "auto:";

#[derive(Clone, Copy, Debug)]
pub struct Prefs {
    pub language: Language,
    pub zone: Tz,
    /// Whether the zone is the browser's.
    pub zone_follows: bool,
    pub theme: Theme,
    /// Single keys that do something (WCAG 2.1.4: they can be turned off).
    pub shortcuts: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Light, Self::Dark];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|theme| theme.as_str() == text)
    }
}

impl Prefs {
    /// What cannot be read is as if it had not been set.
    pub fn of(request: &HttpRequest) -> Self {
        let kept = |name: &str| request.cookie(name).map(|cookie| cookie.value().to_owned());
        let zone = kept(ZONE).unwrap_or_else(|| FOLLOWS.to_owned());
        let follows = zone.strip_prefix(FOLLOWS);
        Self {
            language: kept(LANGUAGE)
                .and_then(|tag| Language::by_tag(&tag))
                .or_else(|| accepted(request))
                .unwrap_or_default(),
            zone: follows.unwrap_or(&zone).parse().unwrap_or(Tz::UTC),
            zone_follows: follows.is_some(),
            theme: kept(THEME).and_then(|theme| Theme::parse(&theme)).unwrap_or_default(),
            shortcuts: kept(SHORTCUTS).as_deref() != Some("off"),
        }
    }

    pub fn t(&self, id: &str) -> String {
        self.language.text(id, &[])
    }

    pub fn with(&self, id: &str, args: &[(&'static str, FluentValue<'_>)]) -> String {
        self.language.text(id, args)
    }

    /// Day and minute, in their zone.
    pub fn time(&self, at: Timestamp) -> Markup {
        let local = at.utc().with_timezone(&self.zone);
        html! {
            time datetime=(at) title=(local.format("%Y-%m-%d %H:%M:%S %Z")) { (local.format("%Y-%m-%d %H:%M")) }
        }
    }

    /// How long ago, with when that was for those who point at it.
    pub fn age(&self, at: Timestamp, now: Timestamp) -> Markup {
        let local = at.utc().with_timezone(&self.zone);
        html! {
            time datetime=(at) title=(local.format("%Y-%m-%d %H:%M %Z")) {
                (self.duration((now.millis() - at.millis()) / 1000))
            }
        }
    }

    /// Seconds, in the unit that says it best.
    pub fn duration(&self, seconds: i64) -> String {
        let (id, n) = match seconds.max(0) {
            seconds @ ..60 => ("age-seconds", seconds),
            seconds @ 60..3600 => ("age-minutes", seconds / 60),
            seconds @ 3600..172_800 => ("age-hours", seconds / 3600),
            seconds => ("age-days", seconds / 86_400),
        };
        self.language.text(id, &[("n", n.into())])
    }
}

fn accepted(request: &HttpRequest) -> Option<Language> {
    let accepted = AcceptLanguage::parse(request).ok()?;
    accepted.ranked().iter().find_map(|tag| Language::by_tag(&tag.to_string()))
}

/// For a year, and readable by the console's own script, which fills in the browser's zone.
pub fn kept(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build(name, value).path("/").same_site(SameSite::Lax).max_age(Duration::days(365)).finish()
}

/// The zone `text` names, as it is kept; `None` for one that there is not.
pub fn zone_value(text: &str) -> Option<String> {
    if text == "auto" {
        return Some(FOLLOWS.to_owned());
    }
    text.parse::<Tz>().ok().map(|zone| zone.name().to_owned())
}
