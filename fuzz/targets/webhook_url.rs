//! A URL as an admin may name it: what is taken is called as it was checked, and leads to no address within.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use nexus_actors::domain::Checks;
use nexus_actors::domain::webhook::{UrlRule, is_public};
use url::{Host, Url};

fuzz_target!(|text: &str| {
    let Some(taken) = checked(text) else { return };
    assert_eq!(checked(&taken).as_deref(), Some(taken.as_str()), "taken once, it is taken again");

    let url = Url::parse(&taken).expect("a URL");
    assert!(["http", "https"].contains(&url.scheme()));
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    match url.host().expect("a host") {
        Host::Ipv4(address) => assert!(is_public(IpAddr::V4(address)), "{address}"),
        Host::Ipv6(address) => assert!(is_public(IpAddr::V6(address)), "{address}"),
        // A resolver would take it for the address.
        Host::Domain(name) => {
            assert!(name.parse::<IpAddr>().is_err(), "{name}");
            assert_ne!(name.trim_end_matches('.').rsplit('.').next(), Some("localhost"), "{name}");
        }
    }
});

fn checked(text: &str) -> Option<String> {
    let mut checks = Checks::new();
    let rule = UrlRule { allow_private: false, require_https: false };
    let url = rule.check(&mut checks, text);
    checks.finish(url).ok()
}
