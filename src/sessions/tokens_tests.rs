use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "an access secret for tests, long enough";
const TTL: Duration = Duration::from_secs(900);

fn tokens() -> Tokens {
    Tokens::new(SECRET, "", "a refresh secret", TTL).unwrap()
}

fn noon() -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00.250Z").unwrap()
}

fn issue(tokens: &Tokens) -> String {
    tokens.issue_access(Uuid::from_u128(1), Uuid::from_u128(2), Role::Manager, noon()).unwrap()
}

/// A token signed with the right secret, whatever its header and claims.
fn sign(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mut mac = keyed(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn parts() -> (Value, Value) {
    let token = issue(&tokens());
    let part = |index| {
        let encoded = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
    };
    (part(0), part(1))
}

fn with(part: &Value, name: &str, value: Value) -> Value {
    let mut changed = part.clone();
    changed[name] = value;
    changed
}

fn verify(header: &Value, claims: &Value) -> Result<AccessClaims, TokenError> {
    tokens().verify_access(&sign(header, claims), noon())
}

#[test]
fn a_token_says_what_it_was_made_with() {
    let claims = tokens().verify_access(&issue(&tokens()), noon()).unwrap();
    assert_eq!((claims.user_id, claims.session_id), (Uuid::from_u128(1), Uuid::from_u128(2)));
    assert_eq!(claims.role, Role::Manager);
    assert_eq!(claims.expires_at, Timestamp::parse("2026-03-01T12:15:00Z").unwrap());
}

#[test]
fn headers_and_claims_are_those_of_rfc_9068() {
    let (header, claims) = parts();
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("HS256")));
    assert_eq!(header["kid"].as_str().unwrap().len(), 16);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("nexus-hub"), &json!("nexus-hub-api")));
    assert_eq!((&claims["typ"], &claims["role"]), (&json!("access"), &json!("manager")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert!(verify(&header, &claims).is_ok(), "or the refusals below would prove nothing");
}

#[test]
fn it_is_refused_from_five_seconds_past_its_expiry() {
    let token = issue(&tokens());
    let expiry = Timestamp::parse("2026-03-01T12:15:00Z").unwrap();
    let at = |millis| tokens().verify_access(&token, expiry.plus(Duration::from_millis(millis)));
    assert!(at(4_000).is_ok());
    assert!(at(4_999).is_ok());
    assert_eq!(at(5_000), Err(TokenError::Expired));
    assert_eq!(at(6_000), Err(TokenError::Expired));
}

#[test]
fn it_is_refused_well_before_it_was_made() {
    let token = issue(&tokens());
    let before = |seconds| tokens().verify_access(&token, noon().minus(Duration::from_secs(seconds)));
    assert!(before(4).is_ok());
    assert_eq!(before(6), Err(TokenError::Invalid));
}

#[test]
fn every_claim_is_required() {
    let (header, claims) = parts();
    for name in ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "sid", "typ", "role"] {
        let mut fewer = claims.clone();
        fewer.as_object_mut().unwrap().remove(name);
        assert_eq!(verify(&header, &fewer), Err(TokenError::Invalid), "{name} missing");
        assert_eq!(
            verify(&header, &with(&claims, name, Value::Null)),
            Err(TokenError::Invalid),
            "{name} null"
        );
    }
}

#[test]
fn claims_of_another_kind_are_refused() {
    let (header, claims) = parts();
    let later = noon().plus(Duration::from_secs(60)).millis() / 1000;
    for (name, value) in [
        ("iss", json!("someone")),
        ("iss", json!(["nexus-hub"])),
        ("aud", json!("another-api")),
        ("aud", json!(["nexus-hub-api", "another-api"])),
        ("typ", json!("refresh")),
        ("sub", json!("ada")),
        ("sid", json!(2)),
        ("role", json!("root")),
        ("exp", json!("never")),
        ("exp", json!(1e30)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(i64::MIN)),
        ("nbf", json!(later)),
        ("nbf", json!(i64::MAX)),
        ("iat", json!(later)),
    ] {
        assert!(verify(&header, &with(&claims, name, value.clone())).is_err(), "{name}: {value}");
    }
}

#[test]
fn no_other_header_is_accepted() {
    let (header, claims) = parts();
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS384")),
        ("alg", json!("HS512")),
        ("alg", json!("RS256")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("kid", json!("0123456789abcdef")),
        ("kid", Value::Null),
        ("jku", json!("https://evil.example/keys")),
        ("jwk", json!({"kty": "oct", "k": "c2VjcmV0"})),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("crit", json!(["exp"])),
        ("zip", json!("DEF")),
        ("b64", json!(false)),
    ] {
        let token = sign(&with(&header, name, value.clone()), &claims);
        assert_eq!(tokens().verify_access(&token, noon()), Err(TokenError::Invalid), "{name}: {value}");
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert!(tokens().verify_access(&format!("{unsigned}."), noon()).is_err());
        assert!(tokens().verify_access(unsigned, noon()).is_err());
    }
}

#[test]
fn another_secret_is_refused_even_under_a_known_kid() {
    let (header, claims) = parts();
    let forged: Header = serde_json::from_value(header).unwrap();
    let token = jsonwebtoken::encode(&forged, &claims, &EncodingKey::from_secret(b"guessed")).unwrap();
    assert_eq!(tokens().verify_access(&token, noon()), Err(TokenError::Invalid));
}

#[test]
fn a_rotation_accepts_the_previous_secret_and_signs_with_the_new_one() {
    let old = tokens();
    let rotated = Tokens::new("the secret that came after it", SECRET, "a refresh secret", TTL).unwrap();
    let later = Tokens::new("the secret that came after it", "", "a refresh secret", TTL).unwrap();
    assert!(rotated.verify_access(&issue(&old), noon()).is_ok());
    assert!(later.verify_access(&issue(&rotated), noon()).is_ok());
    assert!(old.verify_access(&issue(&rotated), noon()).is_err());
    assert!(later.verify_access(&issue(&old), noon()).is_err());
}

#[test]
fn an_empty_previous_secret_opens_nothing() {
    let claims = parts().1;
    let token = jsonwebtoken::encode(&header("").unwrap(), &claims, &EncodingKey::from_secret(b"")).unwrap();
    assert_eq!(tokens().verify_access(&token, noon()), Err(TokenError::Invalid));
}

#[test]
fn neither_kind_of_token_passes_for_the_other() {
    let tokens = tokens();
    let refresh = tokens.new_refresh(Uuid::from_u128(2));
    assert_eq!(tokens.verify_access(refresh.as_str(), noon()), Err(TokenError::Invalid));
    assert_eq!(tokens.parse_refresh(&issue(&tokens)), Err(TokenError::Invalid));
}

#[test]
fn debug_output_keeps_the_secrets_to_itself() {
    assert!(!format!("{:?}", tokens()).contains("secret"));
}

proptest! {
    #[test]
    fn a_changed_character_is_noticed(position in 0_usize..2_000, replacement in "[A-Za-z0-9_.-]") {
        let tokens = tokens();
        let good = issue(&tokens);
        let position = position % good.len();
        let mut changed = good.clone();
        changed.replace_range(position..=position, &replacement);
        prop_assert_eq!(tokens.verify_access(&changed, noon()).is_ok(), changed == good);
    }

    #[test]
    fn junk_is_refused(junk in ".{0,300}") {
        prop_assert!(tokens().verify_access(&junk, noon()).is_err());
    }
}
