use nexus_actors::domain::user::{NewUser, Role};
use proptest::prelude::*;
use totp_rs::Totp as App;

use super::*;

const KEY: &str = "a key for tests, long enough to be one";

fn authenticators() -> Authenticators {
    Authenticators::new(KEY, "").unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_utc(chrono::DateTime::from_timestamp(seconds, 0).unwrap())
}

fn ada() -> User {
    let user = NewUser {
        email: "ada@example.com".to_owned(),
        password: String::new(),
        role: Role::Admin,
        first_name: "Ada".to_owned(),
        last_name: "Lovelace".to_owned(),
    };
    user.into_user(Uuid::from_u128(7), at(0))
}

/// As the store keeps it.
fn kept(sealed: &str, last_step: i64, recovery_codes: Vec<String>) -> Totp {
    let user_id = ada().id;
    Totp { user_id, secret: Some(sealed.to_owned()), pending: None, last_step, recovery_codes }
}

fn totp(code: &str) -> Code {
    Code::Totp(code.to_owned())
}

/// The step a code is accepted of.
fn accepted(by: &Authenticators, kept: &Totp, code: &str, now: i64) -> Option<i64> {
    match by.verify(kept, &totp(code), at(now)).unwrap() {
        Some(SecondFactor::Code { step, .. }) => Some(step),
        Some(SecondFactor::RecoveryCode { .. }) => panic!("{code} is no recovery code"),
        None => None,
    }
}

/// RFC 6238, appendix B: the vectors of SHA-1, of which six digits are the last six of eight.
#[test]
fn codes_are_those_of_the_specification() {
    let hub = authenticators();
    let sealed = hub.seal(ada().id, b"12345678901234567890").unwrap();
    for (seconds, code) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let six = &code[2..];
        assert_eq!(accepted(&hub, &kept(&sealed, 0, vec![]), six, seconds), Some(seconds / 30), "{code}");
        assert_eq!(hub.confirm(ada().id, &sealed, six, at(seconds)).unwrap(), Some(seconds / 30), "{code}");
    }
}

#[test]
fn a_code_is_right_for_one_step_before_its_time_and_one_after() {
    let hub = authenticators();
    let sealed = hub.seal(ada().id, b"12345678901234567890").unwrap();
    let kept = kept(&sealed, 0, vec![]);
    // Of the step from 1111111110 on, to 1111111139.
    let (code, start) = ("050471", 1_111_111_110);
    for (now, right) in
        [(start - 31, false), (start - 30, true), (start, true), (start + 59, true), (start + 60, false)]
    {
        assert_eq!(accepted(&hub, &kept, code, now).is_some(), right, "{}", now - start);
    }
    assert_eq!(accepted(&hub, &kept, code, -1), None);
}

#[test]
fn of_a_step_that_a_code_was_accepted_of_and_of_those_before_none_is_accepted_again() {
    let hub = authenticators();
    let sealed = hub.seal(ada().id, b"12345678901234567890").unwrap();
    let (code, step) = ("050471", 1_111_111_111 / 30);
    for (last_step, right) in [(step - 1, true), (step, false), (step + 1, false)] {
        let kept = kept(&sealed, last_step, vec![]);
        assert_eq!(accepted(&hub, &kept, code, 1_111_111_111).is_some(), right, "{}", last_step - step);
    }
}

/// By the library that reads what apps read.
#[test]
fn an_app_that_reads_the_uri_shows_the_codes_that_are_accepted() {
    let hub = authenticators();
    let made = hub.enrol(&User { email: "\"a:b\"+ö@example.com".to_owned(), ..ada() }).unwrap();
    assert!(made.uri.starts_with("otpauth://totp/Customer%20Nexus%20Hub:"), "{}", made.uri);
    assert!(made.uri.contains(&format!("secret={}", made.secret)), "{}", made.uri);
    assert!(made.uri.contains("issuer=Customer%20Nexus%20Hub"), "{}", made.uri);
    assert_eq!(made.secret.len(), 32);
    let app = App::from_url(&made.uri).unwrap();
    for now in [0, 29, 30, 1_780_000_000] {
        let code = app.generate(u64::try_from(now).unwrap()).to_string();
        assert_eq!(accepted(&hub, &kept(&made.sealed, -1, vec![]), &code, now), Some(now / 30));
    }
    assert_ne!(hub.enrol(&ada()).unwrap().secret, made.secret);
}

#[test]
fn a_recovery_code_is_right_as_long_as_it_is_kept_and_with_its_own_authenticator_alone() {
    let hub = authenticators();
    let sealed = hub.enrol(&ada()).unwrap().sealed;
    let RecoveryCodes { codes, hashes } = hub.recovery_codes(ada().id, &sealed).unwrap();
    assert_eq!((codes.len(), hashes.len()), (10, 10));
    let other = hub.enrol(&ada()).unwrap().sealed;
    for (code, hash) in codes.iter().zip(&hashes) {
        let typed = Code::parse(&format!(" {} ", code.to_uppercase().replace('-', " "))).unwrap();
        let with = |sealed: &str, hashes: &[String]| {
            hub.verify(&kept(sealed, 0, hashes.to_vec()), &typed, at(0)).unwrap()
        };
        assert!(
            matches!(with(&sealed, &hashes), Some(SecondFactor::RecoveryCode { hash: found }) if found == *hash)
        );
        let others: Vec<_> = hashes.iter().filter(|one| *one != hash).cloned().collect();
        assert!(with(&sealed, &others).is_none());
        assert!(with(&other, &hashes).is_none());
        assert!(!hash.contains(&code.replace('-', "")));
    }
    let mut distinct = codes.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 10);
}

#[test]
fn what_can_be_neither_code_is_none() {
    assert!(Code::parse("123 456") == Some(totp("123456")));
    assert!(Code::parse("ABCD-efgh-2345-mnop") == Some(Code::Recovery("abcdefgh2345mnop".to_owned())));
    for text in [
        "",
        "12345",
        "1234567",
        "12345a",
        "+12345",
        "١٢٣٤٥٦",
        "123456\0",
        "abcd-efgh-ijkl-mno",
        "abcd-efgh-ijkl-mnopq",
        "abcd-efgh-ijkl-mno0",
        "abcd-efgh-ijkl-mnoé",
    ] {
        assert!(Code::parse(text).is_none(), "{text:?}");
    }
}

#[test]
fn a_sealed_secret_opens_for_its_user_and_with_its_key_alone() {
    let hub = authenticators();
    let sealed = hub.seal(ada().id, b"12345678901234567890").unwrap();
    assert!(hub.open(ada().id, &sealed).unwrap() == (b"12345678901234567890".to_vec(), false));
    assert_ne!(hub.seal(ada().id, b"12345678901234567890").unwrap(), sealed, "with another nonce");
    let refused = |by: &Authenticators, user_id, sealed: &str| match by.open(user_id, sealed) {
        Err(HubError::Internal(cause)) => cause.contains("auth.totp_key"),
        Ok(_) | Err(_) => false,
    };
    assert!(refused(&hub, Uuid::from_u128(8), &sealed));
    assert!(refused(&Authenticators::new("another key", "").unwrap(), ada().id, &sealed));
    for text in ["", "AAAA", "not base64!", &sealed[1..], &sealed[..sealed.len() - 2]] {
        assert!(refused(&hub, ada().id, text), "{text}");
    }
}

#[test]
fn after_a_change_of_the_key_secrets_are_read_with_the_one_before_and_kept_with_the_new_one() {
    let before = authenticators();
    let sealed = before.seal(ada().id, b"12345678901234567890").unwrap();
    let RecoveryCodes { codes, hashes } = before.recovery_codes(ada().id, &sealed).unwrap();
    let now = Authenticators::new("another key", KEY).unwrap();
    let verified = now.verify(&kept(&sealed, 0, vec![]), &totp("050471"), at(1_111_111_111)).unwrap();
    let Some(SecondFactor::Code { verified, kept: anew, .. }) = verified else { panic!("refused") };
    assert_eq!(verified, sealed);
    let after = Authenticators::new("another key", "").unwrap();
    assert!(after.open(ada().id, &anew).unwrap() == (b"12345678901234567890".to_vec(), false));
    // Once sealed anew, it stays as it is.
    let again = after.verify(&kept(&anew, 0, vec![]), &totp("050471"), at(1_111_111_111)).unwrap();
    assert!(matches!(again, Some(SecondFactor::Code { kept, .. }) if kept == anew));
    let recovery = Code::parse(&codes[0]).unwrap();
    assert!(after.verify(&kept(&anew, 0, hashes), &recovery, at(0)).unwrap().is_some());
}

#[test]
fn debug_output_keeps_the_key_to_itself() {
    assert_eq!(format!("{:?}", authenticators()), "Authenticators { .. }");
}

proptest! {
    #[test]
    fn no_other_code_is_accepted(code in "[0-9]{6}", ahead in -1_i64..=1) {
        let hub = authenticators();
        let now = 1_111_111_111;
        let app = App::from_url("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        let shown = |step: i64| app.generate(u64::try_from(step * 30).unwrap()).to_string();
        let step = now / 30;
        let right = (step - 1..=step + 1).any(|step| shown(step) == code);
        let sealed = hub.seal(ada().id, b"12345678901234567890").unwrap();
        prop_assert_eq!(accepted(&hub, &kept(&sealed, 0, vec![]), &code, now).is_some(), right);
        let shown = shown(step + ahead);
        let found = accepted(&hub, &kept(&sealed, 0, vec![]), &shown, now);
        prop_assert_eq!(found, Some(step + ahead));
    }
}
