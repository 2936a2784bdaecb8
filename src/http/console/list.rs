//! What a list is asked for in its address, and the list as a file.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use futures_util::stream;
use nexus_actors::domain::page::{Cursor, MAX_LIMIT, Page, PageRequest};
use nexus_actors::{HubError, HubResult};

use crate::http::problem::HttpError;
use crate::http::query::Query;

/// What a form has just done, for the page to say so; no part of what is listed.
const DONE: &str = "done";

/// The parameters of a list, as the API has them. What a form sends empty is as if it had not been there.
#[derive(Debug, Default)]
pub struct ListQuery {
    pairs: Vec<(String, String)>,
}

impl ListQuery {
    /// As the API reads it.
    pub fn query(&self) -> Query {
        Query::of(encoded(self.pairs.iter().filter(|(name, _)| name != DONE)))
    }

    /// Likewise, with values that the list's form sends in another way.
    pub fn query_with(&self, value: impl Fn(&str, &str) -> String) -> Query {
        let pairs = self.pairs.iter().map(|(name, one)| (name.clone(), value(name, one))).collect();
        Self { pairs }.query()
    }

    /// What the list's form shows.
    pub fn value(&self, name: &str) -> &str {
        self.pairs.iter().find(|(one, _)| one == name).map_or("", |(_, value)| value)
    }

    /// Everything but the page, for links.
    pub fn filters(&self) -> String {
        encoded(self.pairs.iter().filter(|(name, _)| name != "page" && name != DONE))
    }
}

fn encoded<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl FromRequest for ListQuery {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned();
        ready(Ok(Self { pairs: pairs.filter(|(_, value)| !value.is_empty()).collect() }))
    }
}

/// All of a list for a spreadsheet (RFC 4180), read and sent page by page. What goes wrong on the way ends it.
pub fn csv<T: 'static>(
    name: &str,
    columns: &'static [&'static str],
    first: PageRequest,
    read: impl AsyncFn(PageRequest) -> HubResult<Page<T>> + 'static,
    row: impl Fn(&T) -> Vec<String> + 'static,
) -> HttpResponse {
    let first = PageRequest { limit: MAX_LIMIT, page: 1, after: None, ..first };
    let pages = stream::unfold((Some(first), read, row), move |(next, read, row)| async move {
        let request = next?;
        let heading = request.after.is_none().then_some(columns);
        match read(request.clone()).await {
            Ok(page) => {
                let written = written(heading, page.data.iter().map(&row));
                let next = page.meta.next_cursor.as_deref().and_then(Cursor::decode).map(|cursor| {
                    PageRequest { page: cursor.page, after: Some((cursor.value, cursor.id)), ..request }
                });
                Some((Ok::<_, HubError>(web::Bytes::from(written)), (next, read, row)))
            }
            Err(error) => {
                tracing::warn!(%error, "a list could not be exported whole");
                Some((Err(error), (None, read, row)))
            }
        }
    });
    file(name).streaming(pages)
}

/// What is read at once, likewise.
pub fn small_csv(name: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> HttpResponse {
    file(name).body(written(Some(columns), rows))
}

/// What may not be there, as a cell.
pub fn cell(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn file(name: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")));
    response
}

fn written(columns: Option<&[&str]>, rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory does not fail, and all rows have the same length.
    let lines = columns.into_iter().map(|columns| columns.iter().map(|name| (*name).to_owned()).collect());
    for line in lines.chain(rows.map(|row| row.into_iter().map(harmless).collect::<Vec<_>>())) {
        if let Err(error) = writer.write_record(&line) {
            tracing::error!(%error, "a line of a CSV file could not be written");
        }
    }
    writer.into_inner().unwrap_or_default()
}

/// A spreadsheet would run a text that begins like a formula, and customers write such texts (CWE-1236).
fn harmless(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_cannot_write_a_formula_and_lines_end_where_rows_do() {
        let rows = [vec!["=1+1".to_owned(), "a \"b\",\nc".to_owned()], vec!["-".to_owned(), "d".to_owned()]];
        let text = String::from_utf8(written(Some(&["x", "y"]), rows.into_iter())).unwrap();
        assert_eq!(text, "x,y\r\n'=1+1,\"a \"\"b\"\",\nc\"\r\n'-,d\r\n");
    }
}
