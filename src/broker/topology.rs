//! The exchanges and queues of a hub (contract section 5), and how a topic exchange routes.

/// Before every name, for hubs that share one RabbitMQ.
#[derive(Clone, Debug)]
pub struct Topology {
    prefix: String,
    channels: Vec<String>,
}

/// A durable quorum queue and what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    pub name: String,
    pub exchange: String,
    pub pattern: String,
    /// Of several hubs one consumes, the others stand by. Messages of one thread must take effect in the order they
    /// were published, which two hubs at once could not see to.
    pub single_active: bool,
}

impl Topology {
    pub fn new(prefix: &str, channels: impl IntoIterator<Item: Into<String>>) -> Self {
        Self { prefix: prefix.to_owned(), channels: channels.into_iter().map(Into::into).collect() }
    }

    /// Where gateways publish.
    pub fn inbound(&self) -> String {
        self.named("inbound")
    }

    /// Where approved replies go.
    pub fn outbound(&self) -> String {
        self.named("outbound")
    }

    pub fn events(&self) -> String {
        self.named("events")
    }

    /// The exchange and the queue.
    pub fn dead_letters(&self) -> String {
        self.named("dead-letters")
    }

    pub fn inquiries(&self) -> Queue {
        self.queue("inbound.inquiries", self.inbound(), "inquiry.#", true)
    }

    pub fn deliveries(&self) -> Queue {
        self.queue("inbound.deliveries", self.inbound(), "delivery.#", false)
    }

    pub fn exchanges(&self) -> [String; 4] {
        [self.inbound(), self.outbound(), self.events(), self.dead_letters()]
    }

    pub fn queues(&self) -> Vec<Queue> {
        let mut queues = vec![self.inquiries(), self.deliveries()];
        queues.extend(self.channels.iter().map(|channel| {
            self.queue(&format!("outbound.{channel}"), self.outbound(), &delivery_key(channel), false)
        }));
        queues.push(self.queue("dead-letters", self.dead_letters(), "#", false));
        queues
    }

    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn queue(&self, name: &str, exchange: String, pattern: &str, single_active: bool) -> Queue {
        Queue { name: self.named(name), exchange, pattern: pattern.to_owned(), single_active }
    }
}

/// The routing key of what is to be sent on `channel`.
pub fn delivery_key(channel: &str) -> String {
    format!("delivery.{channel}")
}

/// Whether a binding gets what is published with `key`: `*` stands for exactly one word, `#` for any number of them.
pub fn matches(pattern: &str, key: &str) -> bool {
    let words: Vec<&str> = if key.is_empty() { Vec::new() } else { key.split('.').collect() };
    // Whether the pattern so far matches the first `n` words: one row of a table, so that no pattern takes long.
    let mut matched = vec![false; words.len() + 1];
    matched[0] = true;
    for part in pattern.split('.').filter(|_| !pattern.is_empty()) {
        if part == "#" {
            for n in 1..matched.len() {
                matched[n] |= matched[n - 1];
            }
        } else {
            for n in (1..matched.len()).rev() {
                matched[n] = matched[n - 1] && (part == "*" || part == words[n - 1]);
            }
            matched[0] = false;
        }
    }
    matched[words.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_contract() {
        let topology = Topology::new("nexus", ["email", "chat"]);
        assert_eq!(
            topology.exchanges(),
            ["nexus.inbound", "nexus.outbound", "nexus.events", "nexus.dead-letters"]
        );
        let queues = topology.queues();
        let bound: Vec<_> =
            queues.iter().map(|queue| (queue.name.as_str(), queue.pattern.as_str())).collect();
        assert_eq!(
            bound,
            [
                ("nexus.inbound.inquiries", "inquiry.#"),
                ("nexus.inbound.deliveries", "delivery.#"),
                ("nexus.outbound.email", "delivery.email"),
                ("nexus.outbound.chat", "delivery.chat"),
                ("nexus.dead-letters", "#"),
            ]
        );
        assert_eq!(queues.iter().filter(|queue| queue.single_active).count(), 1);
    }

    #[test]
    fn patterns_match_as_in_rabbitmq() {
        for (pattern, matching, other) in [
            ("#", &["", "a", "a.b.c"][..], &[][..]),
            ("inquiry.#", &["inquiry", "inquiry.email", "inquiry.a.b"], &["inquiries", "a.inquiry", ""]),
            ("delivery.*", &["delivery.email", "delivery."], &["delivery", "delivery.a.b"]),
            ("delivery.email", &["delivery.email"], &["delivery.emails", "delivery"]),
            ("*.orange.*", &["quick.orange.rabbit"], &["quick.orange", "orange.rabbit"]),
            ("lazy.#", &["lazy", "lazy.brown.fox"], &["laz"]),
            ("#.created", &["created", "inquiry.created", "a.b.created"], &["created.a"]),
            ("#.*", &["a", "a.b"], &[""]),
            ("a.#.b", &["a.b", "a.x.b", "a.x.y.b"], &["a", "b", "a.b.c"]),
            ("", &[""], &["a"]),
        ] {
            for key in matching {
                assert!(matches(pattern, key), "{pattern} should match {key:?}");
            }
            for key in other {
                assert!(!matches(pattern, key), "{pattern} should not match {key:?}");
            }
        }
    }
}
