//! One contract, kept by both kinds.

use std::time::Duration;

use actix::Actor;
use futures_util::future::join_all;
use nexus_actors::domain::user::{NewUser, Role};
use nexus_actors::store::cache::NoCache;
use nexus_actors::store::sessions::{NewSession, RETRY_GRACE};
use nexus_actors::store::{Commit, Db, DbSettings, Storage, Write, Writer};
use nexus_actors::{HubError, new_id};
use tempfile::TempDir;

use super::super::testing::{Mode, Wire, link, link_to, prefix};
use super::*;

/// One kind, with what it takes to make sessions.
struct Kind {
    name: &'static str,
    tokens: RefreshTokens,
    writer: Mailbox<Writer>,
    user_id: Uuid,
    start: Timestamp,
    _files: TempDir,
}

async fn both() -> [Kind; 2] {
    let redis = RefreshTokens::in_redis(link().await);
    [kind("redis", |_| redis).await, kind("store", RefreshTokens::Store).await]
}

async fn kind(name: &'static str, tokens: impl FnOnce(Mailbox<SessionStore>) -> RefreshTokens) -> Kind {
    let files = TempDir::new().unwrap();
    let db = Db::open(&DbSettings {
        url: format!("sqlite://{}", files.path().join("hub.db").display()),
        max_connections: 4,
        idle_timeout: Duration::from_secs(30),
        acquire_timeout: Duration::from_secs(10),
    })
    .unwrap();
    db.migrate().await.unwrap();
    let storage = Storage::new(db, Arc::new(NoCache));
    let sessions = Mailbox::new(SessionStore::new(storage.clone()).start(), "SessionStore", 100);
    let writer = Mailbox::new(Writer::new(storage).start(), "Writer", 100);
    let new = NewUser {
        email: "ada@example.com".to_owned(),
        password: String::new(),
        role: Role::Cso,
        first_name: "Ada".to_owned(),
        last_name: "Lovelace".to_owned(),
    };
    // Redis drops what has expired by its own clock, so the sessions start today.
    let start = nexus_actors::Clock::system().now();
    let user = new.into_user(new_id(), start);
    let user_id = user.id;
    let insert = Write::InsertUser { user, password_hash: String::new() };
    writer.ask(Commit::quiet(vec![insert])).await.unwrap();
    Kind { name, tokens: tokens(sessions), writer, user_id, start, _files: files }
}

impl Kind {
    /// A new session whose token is `hash`.
    async fn session(&self, hash: &str) -> Uuid {
        let session = NewSession {
            id: new_id(),
            user_id: self.user_id,
            created_at: self.start,
            expires_at: self.at(3_600),
            refresh_hash: self.tokens.for_row(hash),
        };
        let id = session.id;
        self.tokens.start(id, hash, session.expires_at).await.unwrap();
        self.write(Write::InsertSession(session)).await;
        id
    }

    async fn end(&self, session_id: Uuid) {
        self.write(Write::EndSession { session_id, at: self.start }).await;
        self.tokens.end(session_id).await.unwrap();
    }

    async fn write(&self, write: Write) {
        self.writer.ask(Commit::quiet(vec![write])).await.unwrap();
    }

    fn at(&self, seconds: u64) -> Timestamp {
        self.start.plus(Duration::from_secs(seconds))
    }

    async fn rotate(&self, session_id: Uuid, from: &str, to: &str, seconds: u64) -> Rotation {
        self.rotate_with(session_id, from, to, seconds, None).await
    }

    async fn rotate_with(&self, id: Uuid, from: &str, to: &str, seconds: u64, key: Option<&str>) -> Rotation {
        let rotation = self.tokens.rotate(request(id, from, to, self.at(seconds), key)).await;
        rotation.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

fn request(session_id: Uuid, from: &str, to: &str, now: Timestamp, retry_key: Option<&str>) -> RotateRefresh {
    RotateRefresh {
        session_id,
        presented: from.to_owned(),
        successor: to.to_owned(),
        retry_key: retry_key.map(str::to_owned),
        arrived_at: now,
        now,
    }
}

#[actix::test]
async fn a_chain_of_tokens_rotates() {
    for kind in both().await {
        let id = kind.session("a").await;
        for (seconds, [from, to]) in [(1, ["a", "b"]), (2, ["b", "c"]), (3, ["c", "d"])] {
            assert_eq!(kind.rotate(id, from, to, seconds).await, Rotation::Rotated, "{}", kind.name);
        }
    }
}

#[actix::test]
async fn a_spent_token_is_reused_from_then_on() {
    for kind in both().await {
        let id = kind.session("a").await;
        kind.rotate(id, "a", "b", 1).await;
        assert_eq!(kind.rotate(id, "a", "b", 2).await, Rotation::Reused, "{}", kind.name);
        kind.rotate(id, "b", "c", 3).await;
        assert_eq!(kind.rotate(id, "a", "b", 4).await, Rotation::Reused, "{}", kind.name);
        assert_eq!(kind.rotate(id, "never given out", "x", 5).await, Rotation::Reused, "{}", kind.name);
        assert_eq!(kind.rotate(id, "c", "d", 6).await, Rotation::Rotated, "{}", kind.name);
    }
}

#[actix::test]
async fn the_same_request_may_ask_again_for_a_while() {
    for kind in both().await {
        let id = kind.session("a").await;
        let grace = 1 + RETRY_GRACE.as_secs();
        for (seconds, key, expected) in [
            (1, Some("k"), Rotation::Rotated),
            (2, Some("k"), Rotation::Rotated),
            (grace, Some("k"), Rotation::Rotated),
            (grace + 1, Some("k"), Rotation::Reused),
            (2, Some("another"), Rotation::Reused),
            (2, None, Rotation::Reused),
        ] {
            assert_eq!(
                kind.rotate_with(id, "a", "b", seconds, key).await,
                expected,
                "{}: {seconds} {key:?}",
                kind.name
            );
        }
        assert_eq!(kind.rotate(id, "b", "c", 5).await, Rotation::Rotated);
        assert_eq!(
            kind.rotate_with(id, "a", "b", 5, Some("k")).await,
            Rotation::Reused,
            "its successor is spent"
        );
    }
}

#[actix::test]
async fn a_retry_key_lasts_for_one_rotation() {
    for kind in both().await {
        let id = kind.session("a").await;
        kind.rotate_with(id, "a", "b", 1, Some("k")).await;
        kind.rotate(id, "b", "c", 2).await;
        assert_eq!(kind.rotate_with(id, "b", "c", 3, Some("k")).await, Rotation::Reused, "{}", kind.name);
        let id = kind.session("a").await;
        kind.rotate_with(id, "a", "b", 1, Some("")).await;
        assert_eq!(
            kind.rotate(id, "a", "b", 2).await,
            Rotation::Reused,
            "{}: no key is not the empty one",
            kind.name
        );
        assert_eq!(kind.rotate_with(id, "a", "b", 2, Some("")).await, Rotation::Rotated, "{}", kind.name);
    }
}

#[actix::test]
async fn a_request_that_raced_the_rotation_is_no_reuse() {
    for kind in both().await {
        let id = kind.session("a").await;
        kind.rotate(id, "a", "b", 5).await;
        let raced = |arrived| RotateRefresh {
            arrived_at: kind.at(arrived),
            ..request(id, "a", "b", kind.at(6), None)
        };
        assert_eq!(kind.tokens.rotate(raced(4)).await.unwrap(), Rotation::Rotated, "{}", kind.name);
        assert_eq!(kind.tokens.rotate(raced(5)).await.unwrap(), Rotation::Rotated, "{}", kind.name);
        assert_eq!(kind.tokens.rotate(raced(6)).await.unwrap(), Rotation::Reused, "{}", kind.name);
    }
}

#[actix::test]
async fn fifty_at_once_yield_one_successor() {
    for kind in both().await {
        let id = kind.session("a").await;
        let rotations = join_all((0..50).map(|_| kind.rotate(id, "a", "b", 1))).await;
        assert!(
            rotations.iter().all(|rotation| *rotation == Rotation::Rotated),
            "{}: {rotations:?}",
            kind.name
        );
        // Had it rotated twice, the token before would now be another.
        assert_eq!(kind.rotate(id, "b", "c", 2).await, Rotation::Rotated, "{}", kind.name);
        let different = join_all((0..50).map(|n| {
            let to = format!("d{n}");
            let kind = &kind;
            async move { kind.rotate(id, "c", &to, 3).await }
        }))
        .await;
        let rotated = different.iter().filter(|rotation| **rotation == Rotation::Rotated).count();
        assert_eq!(rotated, 1, "{}", kind.name);
    }
}

#[actix::test]
async fn a_session_never_started_is_unknown() {
    for kind in both().await {
        assert_eq!(kind.rotate(new_id(), "a", "b", 1).await, Rotation::Unknown, "{}", kind.name);
        let other = kind.session("a").await;
        kind.tokens.end(new_id()).await.unwrap();
        assert_eq!(kind.rotate(other, "a", "b", 1).await, Rotation::Rotated, "{}", kind.name);
    }
}

#[actix::test]
async fn an_ended_session_rotates_no_more() {
    for kind in both().await {
        let id = kind.session("a").await;
        kind.rotate(id, "a", "b", 1).await;
        kind.end(id).await;
        assert_eq!(kind.rotate(id, "b", "c", 2).await, Rotation::Reused, "{}", kind.name);
        assert_eq!(kind.rotate(id, "a", "b", 2).await, Rotation::Reused, "{}", kind.name);
    }
}

#[actix::test]
async fn redis_keeps_hashes_until_the_session_expires_and_no_longer() {
    let link = link().await;
    let tokens = RefreshTokens::in_redis(link.clone());
    let now = nexus_actors::Clock::system().now();
    let (live, expired, unknown) = (new_id(), new_id(), new_id());
    tokens.start(live, "a", now.plus(Duration::from_secs(60))).await.unwrap();
    tokens.start(expired, "a", now.minus(Duration::from_secs(1))).await.unwrap();
    tokens.end(unknown).await.unwrap();
    tokens.rotate(request(live, "a", "b", now, Some("k"))).await.unwrap();
    tokens.end(live).await.unwrap();
    let keys: Vec<String> = link.query(redis::cmd("KEYS").arg(link.key("*"))).await.unwrap();
    assert_eq!(keys, [link.key(format_args!("refresh:{live}"))]);
    let left: i64 = link.query(redis::cmd("PTTL").arg(&keys[0])).await.unwrap();
    assert!((1..=60_000).contains(&left));
    let gone = tokens.rotate(request(expired, "a", "b", now, None)).await.unwrap();
    assert_eq!(gone, Rotation::Unknown);
}

#[actix::test]
async fn without_redis_refreshing_is_unavailable() {
    let wire = Wire::new().await;
    let tokens = RefreshTokens::in_redis(link_to(&wire.url, &prefix()).await);
    let now = nexus_actors::Clock::system().now();
    wire.set(Mode::Cut).await;
    let rotated = tokens.rotate(request(new_id(), "a", "b", now, None)).await;
    assert!(matches!(rotated, Err(HubError::Unavailable { what: "redis" })));
    assert!(tokens.start(new_id(), "a", now).await.is_err());
    assert!(tokens.end(new_id()).await.is_err());
}
