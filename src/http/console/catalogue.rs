//! Every text of the console, in every language, by [Project Fluent](https://projectfluent.org): `text/LANGUAGE/*.ftl`.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

/// What the console can be read in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    German,
}

macro_rules! files {
    ($language:literal) => {
        &[
            include_str!(concat!("text/", $language, "/admin.ftl")),
            include_str!(concat!("text/", $language, "/dashboard.ftl")),
            include_str!(concat!("text/", $language, "/desk.ftl")),
            include_str!(concat!("text/", $language, "/review.ftl")),
            include_str!(concat!("text/", $language, "/shell.ftl")),
            include_str!(concat!("text/", $language, "/words.ftl")),
        ]
    };
}

static ENGLISH: LazyLock<Bundle> = LazyLock::new(|| bundle(Language::English, files!("en")));
static GERMAN: LazyLock<Bundle> = LazyLock::new(|| bundle(Language::German, files!("de")));

type Bundle = FluentBundle<FluentResource>;

impl Language {
    pub const ALL: &'static [Self] = &[Self::English, Self::German];

    /// As in `lang` and `Accept-Language` (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// What it calls itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// By its tag, or one that is more exact: `de-AT`.
    pub fn by_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.iter().copied().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The text with this id. One that is missing reads as its id; a test keeps that from happening.
    pub fn text(self, id: &str, args: &[(&'static str, FluentValue<'_>)]) -> String {
        let args: FluentArgs<'_> = args.iter().map(|(name, value)| (*name, value.clone())).collect();
        let bundle = self.bundle();
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else {
            tracing::error!(id, language = self.tag(), "the console has no such text");
            return id.to_owned();
        };
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
        if !errors.is_empty() {
            tracing::error!(id, language = self.tag(), ?errors, "a text of the console is wrong");
        }
        text
    }

    /// The text with this id, where there is one.
    pub fn text_if_any(self, id: &str) -> Option<String> {
        self.bundle()
            .get_message(id)
            .is_some_and(|message| message.value().is_some())
            .then(|| self.text(id, &[]))
    }

    fn bundle(self) -> &'static Bundle {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// What is wrong in a file is left out here and found by a test.
fn bundle(language: Language, files: &[&str]) -> Bundle {
    // For its plurals.
    let mut bundle = Bundle::new_concurrent(vec![language.tag().parse().unwrap_or_default()]);
    // Isolating marks are for texts of both directions, and would end up in what is copied.
    bundle.set_use_isolating(false);
    for file in files {
        let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(rest, errors)| {
            tracing::error!(?errors, "a file of texts is wrong");
            rest
        });
        if let Err(errors) = bundle.add_resource(resource) {
            tracing::error!(?errors, "a text of the console is there twice");
        }
    }
    bundle
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
