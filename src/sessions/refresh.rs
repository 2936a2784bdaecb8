//! Which refresh token of a session is the current one: kept in Redis, or else in the session's row. Each is good
//! for one use (refresh token rotation, RFC 9700, section 4.14.2).

use std::sync::Arc;

use nexus_actors::HubResult;
use nexus_actors::domain::Timestamp;
use nexus_actors::mailbox::Mailbox;
use nexus_actors::store::sessions::{RotateRefresh, Rotation, SessionStore, judge_retry};
use redis::Script;
use uuid::Uuid;

use super::RedisLink;

/// `KEYS`: the session. `ARGV`: the hash, when it expires in milliseconds since 1970.
const START: &str = r"
redis.call('HSET', KEYS[1], 'refresh_hash', ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return 1";

/// Compare and set: of any number at once, exactly one rotates. Answers nothing for an unknown session, one element
/// when it rotated, and otherwise what stands.
///
/// `KEYS`: the session. `ARGV`: the hash presented, its successor's, now in milliseconds, and the retry key if any.
const ROTATE: &str = r"
local state = redis.call('HMGET', KEYS[1], 'refresh_hash', 'previous_hash', 'rotated_at', 'retry_key', 'ended')
if not state[1] then return false end
if state[1] ~= ARGV[1] or state[5] then
    return {state[1], state[2] or '', state[3] or '', state[4] and ('+' .. state[4]) or ''}
end
redis.call('HSET', KEYS[1], 'refresh_hash', ARGV[2], 'previous_hash', ARGV[1], 'rotated_at', ARGV[3])
if ARGV[4] then
    redis.call('HSET', KEYS[1], 'retry_key', ARGV[4])
else
    redis.call('HDEL', KEYS[1], 'retry_key')
end
return {'rotated'}";

/// Keeps what is there until it expires, so that a token spent before is still known as such.
///
/// `KEYS`: the session.
const END: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'ended', '1') end
return 1";

/// Both kinds decide alike; the store's is written and ended together with the session itself.
#[derive(Clone)]
pub enum RefreshTokens {
    Redis(RedisRefreshTokens),
    Store(Mailbox<SessionStore>),
}

/// Kept in a hash a session, which Redis drops when the session expires.
#[derive(Clone, Debug)]
pub struct RedisRefreshTokens {
    link: RedisLink,
    scripts: Arc<Scripts>,
}

#[derive(Debug)]
struct Scripts {
    start: Script,
    rotate: Script,
    end: Script,
}

impl RefreshTokens {
    pub fn in_redis(link: RedisLink) -> Self {
        let scripts =
            Scripts { start: Script::new(START), rotate: Script::new(ROTATE), end: Script::new(END) };
        Self::Redis(RedisRefreshTokens { link, scripts: Arc::new(scripts) })
    }

    /// What belongs into `NewSession::refresh_hash`: the hash where the session's row keeps it.
    pub fn for_row(&self, hash: &str) -> Option<String> {
        match self {
            Self::Redis(_) => None,
            Self::Store(_) => Some(hash.to_owned()),
        }
    }

    /// Makes `hash` the current one of a new session. To be called before the session is committed: one left over
    /// in Redis is harmless, a session that cannot be refreshed is not.
    ///
    /// # Errors
    /// `Unavailable` with Redis away.
    pub async fn start(&self, session_id: Uuid, hash: &str, expires_at: Timestamp) -> HubResult<()> {
        match self {
            Self::Redis(tokens) => tokens.start(session_id, hash, expires_at).await,
            Self::Store(_) => Ok(()),
        }
    }

    /// Spends a token. Whether the session itself still stands is for the caller to check: with Redis it knows of
    /// no sign-out but those told by [`RefreshTokens::end`].
    ///
    /// # Errors
    /// `Unavailable` with Redis or the database away; whether the token was spent is then unknown.
    pub async fn rotate(&self, rotate: RotateRefresh) -> HubResult<Rotation> {
        match self {
            Self::Redis(tokens) => tokens.rotate(rotate).await,
            Self::Store(sessions) => sessions.ask(rotate).await,
        }
    }

    /// No token of the session rotates any more. The session itself must be ended in the database, which is what
    /// counts, so an error in here may be passed over.
    ///
    /// # Errors
    /// `Unavailable` with Redis away.
    pub async fn end(&self, session_id: Uuid) -> HubResult<()> {
        match self {
            Self::Redis(tokens) => tokens.end(session_id).await,
            Self::Store(_) => Ok(()),
        }
    }
}

impl RedisRefreshTokens {
    async fn start(&self, session_id: Uuid, hash: &str, expires_at: Timestamp) -> HubResult<()> {
        let mut call = self.scripts.start.key(self.key(session_id));
        call.arg(hash).arg(expires_at.millis());
        self.link.run::<i64>(&call).await.map(drop)
    }

    /// May be sent twice: the second time finds its own rotation, and passes for a retry that raced it.
    async fn rotate(&self, rotate: RotateRefresh) -> HubResult<Rotation> {
        let mut call = self.scripts.rotate.key(self.key(rotate.session_id));
        call.arg(&rotate.presented).arg(&rotate.successor).arg(rotate.now.millis());
        if let Some(retry_key) = &rotate.retry_key {
            call.arg(retry_key);
        }
        let state: Option<Vec<String>> = self.link.run(&call).await?;
        Ok(match state.as_deref() {
            None => Rotation::Unknown,
            Some([current, previous, rotated_at, retry_key]) => {
                let just_spent = *previous == rotate.presented && *current == rotate.successor;
                let rotated_at = rotated_at.parse().ok().and_then(chrono::DateTime::from_timestamp_millis);
                judge_retry(
                    &rotate,
                    just_spent,
                    rotated_at.map(Timestamp::from_utc),
                    retry_key.strip_prefix('+'),
                )
            }
            Some(_) => Rotation::Rotated,
        })
    }

    async fn end(&self, session_id: Uuid) -> HubResult<()> {
        self.link.run::<i64>(&self.scripts.end.key(self.key(session_id))).await.map(drop)
    }

    fn key(&self, session_id: Uuid) -> String {
        self.link.key(format_args!("refresh:{session_id}"))
    }
}

#[cfg(test)]
#[path = "refresh_tests.rs"]
mod tests;
