//! Names resolved to addresses of the public Internet alone.

use std::error::Error;
use std::net::SocketAddr;

use actix_tls::connect::Resolve;
use futures_util::future::LocalBoxFuture;
use nexus_actors::domain::webhook::is_public;

/// Addresses that are not of the public Internet are left out; the connection is made to what remains.
pub(super) struct PublicHosts;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: the host has a private address")]
pub(super) struct Refused;

impl Resolve for PublicHosts {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        Box::pin(async move {
            // A URI has an address of IPv6 in brackets, which nobody resolves.
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
            public_only(found).map_err(Into::into)
        })
    }
}

fn public_only(found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
    let found_any = !found.is_empty();
    let public: Vec<_> = found.into_iter().filter(|address| is_public(address.ip())).collect();
    if public.is_empty() && found_any { Err(Refused) } else { Ok(public) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_with_both_only_the_public_addresses_are_called() {
        let [inside, outside]: [SocketAddr; 2] =
            ["10.0.0.1:443".parse().unwrap(), "1.1.1.1:443".parse().unwrap()];
        assert_eq!(public_only(vec![inside, outside]), Ok(vec![outside]));
        assert_eq!(public_only(vec![inside]), Err(Refused));
        assert_eq!(public_only(vec![]), Ok(vec![]));
    }

    #[actix_rt::test]
    async fn names_and_addresses_of_this_machine_are_refused() {
        for host in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            let refused = PublicHosts.lookup(host, 80).await.unwrap_err();
            assert!(refused.is::<Refused>(), "{host}: {refused}");
        }
    }
}
