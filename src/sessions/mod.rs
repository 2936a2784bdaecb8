//! Signing in and staying signed in: passwords, tokens, and what instances share through Redis.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`passwords`] | hashing with argon2id, a few at a time |
//! | [`password_rules`] | which passwords are refused |
//! | [`tokens`] | access tokens (JWT) |
//! | [`refresh_token`] | refresh tokens: their text, and the one that follows each |
//! | [`refresh`] | which refresh token is the current one, kept in Redis or in the database |
//! | [`redis_link`], [`redis_connection`] | the one connection to Redis, and what happens while it is down |
//! | [`authenticators`] | second factors: codes of authenticator apps, recovery codes, and how they are kept |
//! | [`api_keys`], [`random_text`] | the text of API keys, and of whatever else cannot be guessed |
//! | [`cache`], [`near_cache`] | the cache of entities in Redis, and what this process knows of it |
//! | [`together`] | one call for all who would make one at the same time |
//! | [`limits`] | rate limits, counted in Redis or in this process |
//! | [`lockout`] | sign-ins that failed, and how long the next has to wait |
//!
//! Redis is optional, and may go away at any time: the cache then answers nothing, rate limits are counted in
//! each process, and only refreshing a session is refused (503). It must be one server, or a primary behind one
//! address, and not a cluster: the scripts touch several keys at once.

mod api_keys;
mod authenticators;
mod browser;
mod cache;
mod limits;
mod lockout;
mod near_cache;
mod password_rules;
mod passwords;
mod random_text;
mod redis_connection;
mod redis_link;
mod refresh;
mod refresh_token;
mod together;
mod tokens;

#[cfg(test)]
mod testing;

pub use api_keys::{api_key_hint, is_api_key, new_api_key};
pub use authenticators::{Authenticators, Code, Enrolment, RecoveryCodes};
pub use cache::RedisCache;
pub use limits::{Decision, RateLimiter};
pub use lockout::Lockout;
pub use password_rules::{MAX_PASSWORD, MIN_PASSWORD, Owner, check_password};
pub use passwords::{HashingLoad, Passwords, Verified};
pub use random_text::{random_text, random_text_hash};
pub use redis_link::RedisLink;
pub use refresh::RefreshTokens;
pub use refresh_token::RefreshToken;
pub use tokens::{AccessClaims, TokenError, Tokens};
