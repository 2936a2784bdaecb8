//! Password hashing with argon2id (RFC 9106), a few at a time and off the async threads.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use nexus_actors::{HubError, HubResult};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;

// The least that OWASP's Password Storage Cheat Sheet asks for with one lane.
const MEMORY_KIB: u32 = 19_456;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// How many wait for their turn; beyond that an answer would come too late to be of use.
const QUEUE: usize = 50;

/// Stands in for the hash of a user there is not. No password has it, as nobody ever computed it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bmV4dXMtaHViLW5vYm9keQ$bm9ib2R5IGV2ZXIgY29tcHV0ZWQgdGhpcyBhcyBoYXM";

const ACTOR: &str = "PasswordHasher";

/// Hashes and verifies passwords. Each hashing takes 19 MiB and a core for some 20 ms.
///
/// Every call fails with `Overloaded` at once when too many are waiting.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// One for everyone hashing or waiting to.
    seats: Arc<Semaphore>,
    /// One for everyone hashing.
    cores: Arc<Semaphore>,
    concurrency: usize,
    hashed: Counter,
}

/// Passwords under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingLoad {
    pub hashing: usize,
    pub waiting: usize,
}

/// What came of verifying a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub ok: bool,
    /// The password is right and its hash was made with other parameters than today's.
    pub needs_rehash: bool,
}

impl Passwords {
    /// Hashes at most `concurrency` passwords at the same time, at least one.
    pub fn new(concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        Self {
            seats: Arc::new(Semaphore::new(concurrency + QUEUE)),
            cores: Arc::new(Semaphore::new(concurrency)),
            concurrency,
            hashed: Counter::default(),
        }
    }

    /// How often argon2 was asked for, to make a hash or to verify one.
    pub fn hashed(&self) -> Counter {
        self.hashed.clone()
    }

    pub fn load(&self) -> HashingLoad {
        let taken = (self.concurrency + QUEUE).saturating_sub(self.seats.available_permits());
        let hashing = self.concurrency.saturating_sub(self.cores.available_permits());
        HashingLoad { hashing, waiting: taken.saturating_sub(hashing) }
    }

    /// The password's hash in PHC string format, with a fresh salt.
    pub async fn hash(&self, password: String) -> HubResult<String> {
        let hashed = self.hashed.clone();
        self.run(move || {
            let hash = hasher(&hashed)?.hash_password(password.as_bytes()).map_err(internal)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` belongs to `hash`, a PHC string. Without a hash the answer is no, after the same work:
    /// the time must not tell whether there is such a user.
    pub async fn verify(&self, password: String, hash: Option<String>) -> HubResult<Verified> {
        let hashed = self.hashed.clone();
        self.run(move || verify(&password, hash.as_deref(), &hashed)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> HubResult<T> + Send + 'static,
    ) -> HubResult<T> {
        let closed = |_| HubError::ActorFailed { actor: ACTOR };
        let overloaded = |_| HubError::Overloaded { actor: ACTOR };
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(overloaded)?;
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(closed)?;
        // The permits go along: the work cannot be cancelled, so it must count even when the client has left.
        let done = tokio::task::spawn_blocking(move || {
            let _permits = (seat, core);
            work()
        });
        done.await.map_err(|_| HubError::ActorFailed { actor: ACTOR })?
    }
}

fn verify(password: &str, hash: Option<&str>, hashed: &Counter) -> HubResult<Verified> {
    let stored = hash.and_then(|hash| {
        let parsed = PasswordHash::new(hash);
        if parsed.is_err() {
            tracing::error!("a stored password hash is not a PHC string; its user cannot sign in");
        }
        parsed.ok()
    });
    let exists = stored.is_some();
    let hash = match stored {
        Some(hash) => hash,
        None => PasswordHash::new(NOBODY).map_err(internal)?,
    };
    let hasher = hasher(hashed)?;
    let ok = match hasher.verify_password(password.as_bytes(), &hash) {
        Ok(()) => exists,
        Err(argon2::password_hash::Error::PasswordInvalid) => false,
        Err(error) => return Err(internal(error)),
    };
    Ok(Verified { ok, needs_rehash: ok && !is_current(&hash) })
}

/// Counts as one hashing, whoever it is for.
fn hasher(hashed: &Counter) -> HubResult<Argon2<'static>> {
    hashed.inc();
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None).map_err(internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn is_current(hash: &PasswordHash) -> bool {
    let same = |params: Params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, ITERATIONS, LANES)
    };
    hash.algorithm == ARGON2ID_IDENT
        && hash.version == Some(u32::from(Version::V0x13))
        && Params::try_from(hash).is_ok_and(same)
}

fn internal(error: impl std::fmt::Display) -> HubError {
    HubError::Internal(format!("argon2: {error}"))
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    const PASSWORD: &str = "correct horse battery staple";

    #[tokio::test]
    async fn only_the_right_password_is_ok() {
        let passwords = Passwords::new(2);
        let hash = passwords.hash(PASSWORD.to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let right = passwords.verify(PASSWORD.to_owned(), Some(hash.clone())).await.unwrap();
        assert_eq!(right, Verified { ok: true, needs_rehash: false });
        let wrong = passwords.verify(format!("{PASSWORD} "), Some(hash)).await.unwrap();
        assert_eq!(wrong, Verified { ok: false, needs_rehash: false });
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_differ() {
        let passwords = Passwords::new(2);
        let first = passwords.hash(PASSWORD.to_owned()).await.unwrap();
        assert_ne!(first, passwords.hash(PASSWORD.to_owned()).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_and_a_corrupt_hash_are_never_ok() {
        let passwords = Passwords::new(2);
        for hash in [None, Some(String::new()), Some("plain text".to_owned()), Some(NOBODY.to_owned())] {
            let verified = passwords.verify(PASSWORD.to_owned(), hash).await.unwrap();
            assert_eq!(verified, Verified { ok: false, needs_rehash: false });
        }
    }

    #[test]
    fn nobodys_hash_costs_what_todays_hashes_cost() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert!(is_current(&nobody));
        let real = hasher(&Counter::default()).unwrap().hash_password(b"x").unwrap();
        assert_eq!(nobody.hash.unwrap().len(), real.hash.unwrap().len());
        assert_eq!(nobody.salt.unwrap().len(), real.salt.unwrap().len());
    }

    #[tokio::test]
    async fn other_parameters_ask_for_a_rehash() {
        let weaker = [
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8_192, 2, 1, None).unwrap()),
            Argon2::new(Algorithm::Argon2i, Version::V0x13, Params::new(19_456, 2, 1, None).unwrap()),
            Argon2::new(Algorithm::Argon2id, Version::V0x10, Params::new(19_456, 2, 1, None).unwrap()),
        ];
        let passwords = Passwords::new(2);
        for hasher in weaker {
            let hash = hasher.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
            let right = passwords.verify(PASSWORD.to_owned(), Some(hash.clone())).await.unwrap();
            assert_eq!(right, Verified { ok: true, needs_rehash: true });
            let wrong = passwords.verify("another password".to_owned(), Some(hash)).await.unwrap();
            assert_eq!(wrong, Verified { ok: false, needs_rehash: false });
        }
    }

    #[tokio::test]
    async fn beyond_the_queue_hashing_is_refused_at_once() {
        let passwords = Passwords::new(2);
        // All cores taken, so that everyone waits and none is done before the last is turned away.
        let busy = Arc::clone(&passwords.cores).acquire_many_owned(2).await.unwrap();
        let mut waiting: Vec<_> =
            (0..QUEUE + 2).map(|_| Box::pin(passwords.verify("x".to_owned(), None))).collect();
        for verify in &mut waiting {
            assert!(futures_util::poll!(verify).is_pending());
        }
        assert_eq!(passwords.load(), HashingLoad { hashing: 2, waiting: QUEUE });
        let refused = passwords.hash(PASSWORD.to_owned()).await;
        assert!(matches!(refused, Err(HubError::Overloaded { actor: "PasswordHasher" })));
        // A client that no longer waits makes room.
        drop(waiting.split_off(4));
        drop(busy);
        assert!(join_all(waiting).await.iter().all(Result::is_ok));
        assert!(passwords.hash(PASSWORD.to_owned()).await.is_ok());
    }
}
