//! Query strings: what cannot be parsed is 400, what parses but is out of range or unknown is 422.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use chrono_tz::Tz;
use nexus_actors::HubError;
use nexus_actors::domain::page::{Cursor, DEFAULT_LIMIT, MAX_LIMIT, PageRequest, SortOrder};
use nexus_actors::domain::validation::UnknownValue;
use nexus_actors::domain::{FieldError, Principal, Timestamp};
use nexus_actors::store::customers::AssigneeFilter;
use nexus_actors::store::{Sort, SortKind};
use uuid::Uuid;

use super::problem::HttpError;

const PAGING: &[&str] = &["page", "limit", "cursor", "sortBy", "sortOrder"];
const MAX_TEXT: usize = 500;

/// Where a list begins when nothing else is asked.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    pub sorts: &'static [Sort],
    pub order: SortOrder,
    pub limit: u32,
}

impl Listing {
    /// The newest first.
    pub const fn newest(sorts: &'static [Sort]) -> Self {
        Self { sorts, order: SortOrder::Desc, limit: DEFAULT_LIMIT }
    }

    /// In the order things happened.
    pub const fn told(sorts: &'static [Sort]) -> Self {
        Self { sorts, order: SortOrder::Asc, limit: DEFAULT_LIMIT }
    }
}

/// The raw query string.
#[derive(Debug)]
pub struct Query(String);

impl FromRequest for Query {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.query_string().to_owned())))
    }
}

/// A query string being read. Collects what fails with 422; stops at what fails with 400.
#[derive(Debug)]
pub struct Params {
    values: BTreeMap<String, String>,
    cursor: Option<Cursor>,
    errors: Vec<FieldError>,
}

impl Query {
    /// Of names and values that need no further check.
    pub(super) fn of(query: String) -> Self {
        Self(query)
    }

    /// One parameter, as text.
    pub fn value(&self, name: &str) -> Result<Option<String>, HttpError> {
        Ok(decode(&self.0)?.into_iter().find_map(|(one, value)| (one == name).then_some(value)))
    }

    /// Reads a list's parameters, of which `filters` are known besides paging. A cursor brings its own filters
    /// and order; naming others next to it is refused.
    pub fn list(&self, filters: &[&str]) -> Result<Params, HttpError> {
        let known: Vec<_> = PAGING.iter().chain(filters).copied().collect();
        let mut params = self.only(&known)?;
        params.cursor = match params.values.remove("cursor") {
            Some(text) => Some(Cursor::decode(&text).ok_or_else(foreign_cursor)?),
            None => None,
        };
        params.adopt_cursor(filters)?;
        Ok(params)
    }

    /// Reads the parameters of what is no list. [`Params::finish`] goes behind the last.
    pub fn only(&self, known: &[&str]) -> Result<Params, HttpError> {
        let mut values = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, value) in decode(&self.0)? {
            if !known.contains(&name.as_str()) {
                errors.push(error(&name, "unknown_parameter", "is not a parameter here"));
            } else if values.insert(name.clone(), value).is_some() {
                errors.push(error(&name, "duplicate", "must be given once"));
            }
        }
        Ok(Params { values, cursor: None, errors })
    }
}

impl Params {
    pub fn text(&mut self, name: &str) -> Option<String> {
        let value = self.values.get(name)?.clone();
        if value.contains('\0') || value.chars().count() > MAX_TEXT {
            let message = format!("must have at most {MAX_TEXT} characters and no NUL");
            self.errors.push(error(name, "invalid_text", &message));
        }
        Some(value)
    }

    pub fn id(&self, name: &str) -> Result<Option<Uuid>, HttpError> {
        self.parsed(name, "a UUID", |text| Uuid::parse_str(text).ok())
    }

    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, HttpError> {
        // A plus sign that was not encoded arrives as a blank.
        self.parsed(name, "a time as in RFC 3339", |text| Timestamp::parse(&text.replace(' ', "+")))
    }

    /// The IANA name of a zone.
    pub fn zone(&mut self, name: &str) -> Option<Tz> {
        let zone = self.values.get(name)?.parse().ok();
        if zone.is_none() {
            let message = "must be the name of a zone, as in Europe/Berlin";
            self.errors.push(error(name, "unknown_value", message));
        }
        zone
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, HttpError> {
        self.parsed(name, "true or false", |text| text.parse().ok())
    }

    pub fn one<T: FromStr<Err = UnknownValue>>(&mut self, name: &str) -> Option<T> {
        let text = self.values.get(name)?.clone();
        self.value(name, &text)
    }

    /// A comma list.
    pub fn many<T: FromStr<Err = UnknownValue>>(&mut self, name: &str) -> Vec<T> {
        let Some(text) = self.values.get(name).cloned() else { return Vec::new() };
        text.split(',').filter_map(|part| self.value(name, part.trim())).collect()
    }

    /// A user's id, `me` or `none`.
    pub fn assignee(&self, name: &str, caller: &Principal) -> Result<Option<AssigneeFilter>, HttpError> {
        match self.values.get(name).map(String::as_str) {
            Some("me") => Ok(Some(AssigneeFilter::User(caller.user_id))),
            Some("none") => Ok(Some(AssigneeFilter::Nobody)),
            _ => {
                let id = self.parsed(name, "a UUID, me or none", |text| Uuid::parse_str(text).ok())?;
                Ok(id.map(AssigneeFilter::User))
            }
        }
    }

    /// `Err` with everything that was wrong with the query.
    pub fn finish(self) -> Result<(), HttpError> {
        if self.errors.is_empty() { Ok(()) } else { Err(HubError::Invalid(self.errors).into()) }
    }

    /// The page asked for; `Err` with everything that was wrong with the query.
    pub fn page(mut self, listing: Listing) -> Result<PageRequest, HttpError> {
        let limit = self.number("limit")?.unwrap_or(i64::from(listing.limit));
        let page = self.number("page")?;
        if !(1..=i64::from(MAX_LIMIT)).contains(&limit) {
            self.errors.push(error("limit", "out_of_range", "must be between 1 and 100"));
        }
        if page.is_some_and(|page| !(1..=1_000_000).contains(&page)) {
            self.errors.push(error("page", "out_of_range", "must be between 1 and 1000000"));
        }
        if page.is_some() && self.cursor.is_some() {
            self.errors.push(error("page", "with_cursor", "cannot be combined with a cursor"));
        }
        let order = self.one("sortOrder").unwrap_or(listing.order);
        let sort = match self.values.get("sortBy") {
            Some(name) => listing.sorts.iter().find(|sort| sort.name == *name),
            None => listing.sorts.first(),
        };
        let Some(sort) = sort else {
            let names: Vec<_> = listing.sorts.iter().map(|sort| sort.name).collect();
            let message = format!("must be one of {}", names.join(", "));
            self.errors.push(error("sortBy", "unknown_value", &message));
            return Err(HubError::Invalid(self.errors).into());
        };
        let filters = self.filters();
        if !self.errors.is_empty() {
            return Err(HubError::Invalid(self.errors).into());
        }
        let limit = u32::try_from(limit).unwrap_or(MAX_LIMIT);
        let page = page.and_then(|page| u32::try_from(page).ok()).unwrap_or(1);
        match self.cursor {
            Some(cursor) if fits(sort.kind, &cursor) => Ok(PageRequest {
                limit,
                page: cursor.page,
                sort_by: sort.name,
                order,
                after: Some((cursor.value, cursor.id)),
                filters,
            }),
            Some(_) => Err(foreign_cursor()),
            None => Ok(PageRequest { limit, page, sort_by: sort.name, order, after: None, filters }),
        }
    }

    fn adopt_cursor(&mut self, filters: &[&str]) -> Result<(), HttpError> {
        let Some(cursor) = &self.cursor else { return Ok(()) };
        let mut carried: BTreeMap<String, String> = decode(&cursor.filters)?.into_iter().collect();
        if carried.keys().any(|name| !filters.contains(&name.as_str())) {
            // Made for another list.
            return Err(foreign_cursor());
        }
        carried.insert("sortBy".to_owned(), cursor.sort_by.clone());
        carried.insert("sortOrder".to_owned(), cursor.order.to_string());
        for (name, value) in &self.values {
            if name != "limit" && name != "page" && carried.get(name) != Some(value) {
                self.errors.push(error(
                    name,
                    "differs_from_cursor",
                    "the cursor was made with another value",
                ));
            }
        }
        for (name, value) in carried {
            self.values.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// The filters in canonical form.
    fn filters(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.values {
            if !PAGING.contains(&name.as_str()) {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    fn number(&self, name: &str) -> Result<Option<i64>, HttpError> {
        self.parsed(name, "a whole number", |text| text.parse().ok())
    }

    fn parsed<T>(
        &self,
        name: &str,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, HttpError> {
        let Some(text) = self.values.get(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| HttpError::Malformed(format!("{name} must be {what}")))
    }

    fn value<T: FromStr<Err = UnknownValue>>(&mut self, name: &str, text: &str) -> Option<T> {
        text.parse()
            .map_err(|unknown: UnknownValue| {
                self.errors.push(error(name, "unknown_value", &unknown.to_string()))
            })
            .ok()
    }
}

fn fits(kind: SortKind, cursor: &Cursor) -> bool {
    kind.fits(&cursor.value)
}

fn decode(query: &str) -> Result<Vec<(String, String)>, HttpError> {
    let mut pairs = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        // form_urlencoded replaces bad UTF-8; nobody means to search for the replacement character.
        if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
            return Err(HttpError::Malformed("the query string is not valid UTF-8".to_owned()));
        }
        pairs.push((name.into_owned(), value.into_owned()));
    }
    Ok(pairs)
}

fn foreign_cursor() -> HttpError {
    HttpError::Malformed("cursor is not one that this list gave".to_owned())
}

fn error(name: &str, code: &str, message: &str) -> FieldError {
    FieldError::new(name, code, message)
}
