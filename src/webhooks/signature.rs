//! Signatures by [Standard Webhooks 1.0](https://github.com/standard-webhooks/standard-webhooks): HMAC-SHA256 over
//! `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// 256 random bits.
pub fn new_secret() -> String {
    let mut key = [0_u8; 32];
    rand::rng().fill_bytes(&mut key);
    format!("{PREFIX}{}", STANDARD.encode(key))
}

/// The header `webhook-signature`: one for each secret, of which the receiver needs to know one.
pub(super) fn header(secrets: &[String], id: &str, timestamp: &str, body: &str) -> Result<String, String> {
    let signed: Result<Vec<_>, _> = secrets.iter().map(|secret| sign(secret, id, timestamp, body)).collect();
    Ok(signed?.join(" "))
}

fn sign(secret: &str, id: &str, timestamp: &str, body: &str) -> Result<String, String> {
    let no_key = || "a secret of the webhook is no key; rotate it".to_owned();
    let key = secret.strip_prefix(PREFIX).and_then(|key| STANDARD.decode(key).ok()).ok_or_else(no_key)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| no_key())?;
    for part in [id, ".", timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn signs_as_the_specification_has_it() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let header = header(
            &[secret.to_owned(), secret.to_owned()],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(header.unwrap(), format!("{one} {one}"));
    }

    #[test]
    fn a_new_secret_is_a_key() {
        let secret = new_secret();
        assert!(sign(&secret, "a", "1", "{}").is_ok());
        assert_ne!(secret, new_secret());
        assert!(sign("whsec_?", "a", "1", "{}").is_err());
    }
}
