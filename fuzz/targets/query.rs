//! A query string and a cursor as anybody may send them.
#![no_main]

use actix_web::FromRequest;
use actix_web::dev::Payload;
use actix_web::http::Uri;
use actix_web::test::TestRequest;
use libfuzzer_sys::fuzz_target;
use nexus_actors::domain::inquiry::{InquiryStatus, Priority};
use nexus_actors::domain::page::{Cursor, PageRequest};
use nexus_actors::store::inquiries::SORTS;
use nexus_hub::http::query::{Listing, Query};

const FILTERS: [&str; 5] = ["q", "status", "priority", "customerId", "createdFrom"];

fuzz_target!(|input: &str| {
    if let Some(cursor) = Cursor::decode(input) {
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
    }
    let Some(page) = list(input) else { return };
    assert!((1..=100).contains(&page.limit) && page.page >= 1, "{page:?}");
    let Some((value, id)) = page.after.clone() else { return };
    // The list goes on from where the cursor says, however often it is asked.
    let cursor = Cursor {
        filters: page.filters.clone(),
        sort_by: page.sort_by.to_owned(),
        order: page.order,
        page: page.page,
        value,
        id,
    };
    let again = list(&format!("limit={}&cursor={}", page.limit, cursor.encode()));
    assert_eq!(again, Some(page));
});

/// As the list of inquiries reads it; `None` where it is refused.
fn list(query: &str) -> Option<PageRequest> {
    let uri = format!("/api/v1/inquiries?{query}");
    // The server has refused the others before.
    uri.parse::<Uri>().ok()?;
    let request = TestRequest::with_uri(&uri).to_http_request();
    let query = Query::from_request(&request, &mut Payload::None).into_inner().ok()?;
    let mut params = query.list(&FILTERS).ok()?;
    params.text("q");
    params.many::<InquiryStatus>("status");
    params.many::<Priority>("priority");
    params.id("customerId").ok()?;
    params.time("createdFrom").ok()?;
    params.page(Listing::newest(SORTS)).ok()
}
