//! Where RabbitMQ is, from the setting `broker.url`.

use std::fmt;

use lapin::uri::AMQPUri;

/// Seconds between heartbeats; lapin and RabbitMQ give a peer up that has been silent for twice as long.
const HEARTBEAT: u16 = 4;

/// A parsed AMQP URL. Shows itself without its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(AMQPUri);

impl Address {
    /// # Errors
    /// What is wrong with `url`, without repeating it: it may hold a password.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        if !["amqp://", "amqps://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err("must begin with amqp:// or amqps://");
        }
        let mut uri: AMQPUri = url.parse().map_err(|_| "is no AMQP URL")?;
        if uri.vhost.is_empty() {
            // As in `amqp://host/`. Nobody has a virtual host without a name.
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(Self(uri))
    }

    pub(super) fn uri(&self) -> AMQPUri {
        self.0.clone()
    }

    pub fn host(&self) -> &str {
        &self.0.authority.host
    }

    pub fn user(&self) -> &str {
        &self.0.authority.userinfo.username
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.authority.host, self.0.authority.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_never_shows_its_password() {
        let address = Address::parse("amqps://hub:s3cret@mq.example/support").unwrap();
        assert_eq!((address.host(), address.user()), ("mq.example", "hub"));
        assert_eq!(address.uri().vhost, "support");
        assert_eq!(format!("{address} {address:?}"), "mq.example:5671 Address(mq.example:5671)");
    }

    #[test]
    fn what_is_left_out_has_the_usual_default() {
        for url in ["amqp://localhost", "amqp://localhost/", "amqp://localhost/%2f"] {
            let uri = Address::parse(url).unwrap().uri();
            assert_eq!((uri.vhost.as_str(), uri.authority.port, uri.query.heartbeat), ("/", 5672, Some(4)));
        }
        assert_eq!(Address::parse("amqp://localhost").unwrap().user(), "guest");
    }

    #[test]
    fn other_urls_are_refused_without_being_repeated() {
        for url in ["http://u:s3cret@host", "amqp:host", "amqp://u:s3cret@host:port"] {
            let refused = Address::parse(url).unwrap_err();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }
}
