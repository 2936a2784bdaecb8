//! Every list against a model of it: filters, orders, pages by number and by cursor.

mod cursors;
mod customers;
mod inquiries;
mod long;
mod more;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;

use crate::harness::Client;

/// A list and everything that is in it, as single reads show it.
struct List<'a> {
    client: &'a Client,
    path: &'static str,
    all: Vec<Value>,
    sorts: &'static [&'static str],
}

impl List<'_> {
    /// The list sorted in every way, walked by number and by cursor.
    async fn is_walked_in_every_order(&self, limit: usize) {
        for sort in self.sorts {
            for order in ["asc", "desc"] {
                let query = format!("sortBy={sort}&sortOrder={order}");
                let expected = self.expected(|_| true, sort, order);
                assert_eq!(
                    self.by_number(&query, limit, expected.len()).await,
                    expected,
                    "{} {query}",
                    self.path
                );
                assert_eq!(
                    self.by_cursor(&query, limit, expected.len()).await,
                    expected,
                    "{} {query}",
                    self.path
                );
            }
        }
    }

    /// `query` leaves what `keep` keeps, in any order, and something but not everything.
    async fn is_filtered(&self, query: &str, keep: impl Fn(&Value) -> bool) {
        let kept = self.all.iter().filter(|one| keep(one)).count();
        assert!(kept > 0 && kept < self.all.len(), "{query} keeps {kept} of {}", self.all.len());
        self.is(query, keep).await;
    }

    async fn is(&self, query: &str, keep: impl Fn(&Value) -> bool) {
        let expected = self.expected(&keep, "createdAt", "desc");
        assert_eq!(self.by_number(query, 50, expected.len()).await, expected, "{}?{query}", self.path);
        let sort = self.sorts.last().unwrap();
        let expected = self.expected(&keep, sort, "asc");
        let query = format!("{query}&sortBy={sort}&sortOrder=asc");
        assert_eq!(self.by_cursor(&query, 7, expected.len()).await, expected, "{}?{query}", self.path);
    }

    fn expected(&self, keep: impl Fn(&Value) -> bool, sort: &str, order: &str) -> Vec<Value> {
        let mut kept: Vec<Value> = self.all.iter().filter(|one| keep(one)).cloned().collect();
        kept.sort_by_key(|one| (sort_key(&one[sort]), one["id"].as_str().unwrap().to_owned()));
        if order == "desc" {
            kept.reverse();
        }
        kept
    }

    async fn by_number(&self, query: &str, limit: usize, total: usize) -> Vec<Value> {
        let mut found = Vec::new();
        let pages = total.div_ceil(limit);
        for number in 1..=pages + 1 {
            let page = self.page(&format!("{query}&limit={limit}&page={number}"), limit, total).await;
            assert_eq!(page["meta"]["page"], number);
            assert_eq!(
                page["meta"]["nextCursor"].is_string(),
                number < pages,
                "{query} page {number} of {pages}"
            );
            found.extend(page["data"].as_array().unwrap().clone());
        }
        found
    }

    async fn by_cursor(&self, query: &str, limit: usize, total: usize) -> Vec<Value> {
        let mut page = self.page(&format!("{query}&limit={limit}"), limit, total).await;
        let mut found = page["data"].as_array().unwrap().clone();
        let mut number = 1;
        while let Some(cursor) = page["meta"]["nextCursor"].as_str() {
            number += 1;
            page = self.page(&format!("cursor={cursor}&limit={limit}"), limit, total).await;
            assert_eq!(page["meta"]["page"], number);
            found.extend(page["data"].as_array().unwrap().clone());
        }
        assert_eq!(number, total.div_ceil(limit).max(1), "{query}: as many pages as by number");
        found
    }

    async fn page(&self, query: &str, limit: usize, total: usize) -> Value {
        let page = self.client.get(&format!("{}?{query}", self.path)).await.expect(200);
        let meta = page["meta"].as_object().unwrap();
        let names: Vec<_> = meta.keys().map(String::as_str).collect();
        assert_eq!(names, ["limit", "nextCursor", "page", "total", "totalPages"]);
        assert_eq!((&meta["limit"], &meta["total"]), (&limit.into(), &total.into()), "{query}");
        assert_eq!(meta["totalPages"], total.div_ceil(limit), "{query}");
        page
    }
}

/// Priorities by urgency; everything else as text, times included.
fn sort_key(value: &Value) -> String {
    let text = value.as_str().unwrap();
    let rank = ["low", "medium", "high", "urgent"].iter().position(|priority| *priority == text);
    rank.map_or(text.to_owned(), |rank| rank.to_string())
}

fn one_of<T: Copy>(dice: &mut StdRng, choices: &[T]) -> T {
    *choices.choose(dice).unwrap()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
