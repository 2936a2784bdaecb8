//! What is looked up when it is asked for.

use nexus_actors::Hub;
use nexus_actors::domain::Timestamp;
use nexus_actors::notifier::PushCounts;
use nexus_actors::store::stats::Queue;
use nexus_actors::supervision::State as ActorState;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Registry, Unit};

use super::super::HttpState;

/// Metrics that are there already, one for each value of some labels.
#[derive(Debug)]
struct Each<M, const N: usize = 1>(Vec<([(&'static str, String); N], M)>);

impl<M> Each<M> {
    fn of(label: &'static str, metrics: impl IntoIterator<Item = (impl ToString, M)>) -> Self {
        Self(metrics.into_iter().map(|(value, metric)| ([(label, value.to_string())], metric)).collect())
    }
}

impl<M: EncodeMetric + TypedMetric, const N: usize> EncodeMetric for Each<M, N> {
    fn encode(&self, mut encoder: MetricEncoder) -> std::fmt::Result {
        for (labels, metric) in &self.0 {
            metric.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

fn gauge(value: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

fn flag(value: bool) -> ConstGauge<i64> {
    ConstGauge::new(i64::from(value))
}

pub fn of_actors(registry: &mut Registry, hub: &Hub) {
    let (mailboxes, health) = (hub.mailboxes(), hub.health());
    macro_rules! each {
        ($all:expr, |$one:ident| $metric:expr) => {
            Each::of("actor", $all.iter().map(|$one| $metric))
        };
    }
    let messages = each!(mailboxes, |one| (one.actor, gauge(one.in_flight)));
    registry.register("actor_messages", "Messages an actor was sent and has not finished", messages);
    let capacity = each!(mailboxes, |one| (one.actor, gauge(one.capacity)));
    registry.register("actor_capacity", "Messages an actor may have unfinished at a time", capacity);
    let refused = each!(mailboxes, |one| (one.actor, ConstCounter::new(one.refused.get())));
    registry.register("actor_refused_messages", "Messages that were one too many", refused);
    let seconds = each!(mailboxes, |one| (one.actor, one.seconds.clone()));
    let help = "From the sending of a message until the actor was done with it";
    registry.register_with_unit("actor_message", help, Unit::Seconds, seconds);
    let restarts = each!(health, |one| (one.name, ConstCounter::new(one.restarts)));
    registry.register("actor_restarts", "Restarts of an actor after it died", restarts);
    let up = each!(health, |one| (one.name, flag(one.state == ActorState::Running)));
    registry.register("actor_up", "1 while an actor runs", up);
}

pub fn of_pushes(registry: &mut Registry, counts: PushCounts) {
    registry.register("push_connections", "Clients connected for pushes", gauge(counts.connections));
    registry.register("pushes", "Notifications pushed to clients", ConstCounter::new(counts.pushed));
    let help = "Connections ended because their clients read too slowly";
    registry.register("push_connections_dropped", help, ConstCounter::new(counts.dropped));
}

pub fn of_this_process(registry: &mut Registry, state: &HttpState) {
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "What runs", version);
    let ready = flag(state.readiness.is_ready());
    registry.register("ready", "1 while requests should be sent here", ready);
    let load = state.passwords.load();
    let hashing = [("hashing", gauge(load.hashing)), ("waiting", gauge(load.waiting))];
    let help = "Passwords being hashed, and waiting for it";
    registry.register("password_hashings", help, Each::of("state", hashing));
    registry.register("passwords_hashed", "Passwords hashed or verified", state.passwords.hashed());
}

/// `database`: whether it has just answered.
pub fn of_dependencies(registry: &mut Registry, state: &HttpState, database: bool) {
    let up = [
        ("database", flag(database)),
        ("redis", flag(state.redis.as_ref().is_none_or(|redis| redis.is_up()))),
        ("broker", flag(state.broker.is_up())),
    ];
    let help = "1 while it can be used; what runs embedded is up when the hub is";
    registry.register("dependency_up", help, Each::of("dependency", up));

    let pools = state.hub.storage.db.connections();
    let connections = pools.iter().flat_map(|one| {
        [("idle", one.idle), ("used", one.used)].map(|(state, count)| {
            let labels = [("pool", one.pool.to_owned()), ("state", state.to_owned())];
            (labels, ConstGauge::new(i64::from(count)))
        })
    });
    let help = "Open connections to the database";
    registry.register("database_connections", help, Each(connections.collect()));
    let most = pools.iter().map(|one| (one.pool, ConstGauge::new(i64::from(one.most))));
    let help = "Connections to the database that may be open at a time";
    registry.register("database_max_connections", help, Each::of("pool", most));
}

/// Those of the whole deployment: every instance tells the same.
pub fn of_queues(registry: &mut Registry, queues: &[Queue], now: Timestamp) {
    let lengths = queues.iter().map(|queue| (&queue.name, ConstGauge::new(queue.length)));
    let help = "What waits in the database, counted to 100000 at most";
    registry.register("queue_entries", help, Each::of("queue", lengths));
    let age = |queue: &Queue| {
        let millis = queue.oldest.map_or(0, |oldest| (now.millis() - oldest.millis()).max(0));
        #[expect(clippy::cast_precision_loss, reason = "2^52 ms are 140 000 years")]
        let seconds = millis as f64 / 1000.0;
        ConstGauge::new(seconds)
    };
    let ages = queues.iter().map(|queue| (&queue.name, age(queue)));
    let help = "For how long the oldest of them has been waiting";
    registry.register_with_unit("queue_oldest_age", help, Unit::Seconds, Each::of("queue", ages));
}
