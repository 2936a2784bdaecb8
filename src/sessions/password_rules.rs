//! Which passwords are refused: those an attacker tries first (NIST SP 800-63B, section 3.1.1.2). Otherwise any
//! characters will do, and there is no rule about mixing them.

use std::collections::HashSet;

use nexus_actors::domain::Checks;

/// In characters.
pub const MIN_PASSWORD: usize = 12;
pub const MAX_PASSWORD: usize = 128;

/// The origin and licence (MIT) of the list are at its top.
const COMMON: &str = include_str!("common_passwords.txt");

/// What people type in order: the alphabet, and the rows of keyboards.
const ROWS: [&str; 7] = [
    "abcdefghijklmnopqrstuvwxyz",
    "12345678901234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
];

/// Whose password it is to be.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub email: &'a str,
    pub first_name: &'a str,
    pub last_name: &'a str,
}

/// Adds to `checks`, at `pointer`, what is wrong with `password`: `too_short`, `too_long`, `control_character`
/// (NUL) or `common_password`.
pub fn check_password(checks: &mut Checks, pointer: &str, password: &str, owner: Owner<'_>) {
    let length = password.chars().count();
    if length < MIN_PASSWORD {
        checks.fail(pointer, "too_short", format!("must have at least {MIN_PASSWORD} characters"));
    } else if length > MAX_PASSWORD {
        checks.fail(pointer, "too_long", format!("must not exceed {MAX_PASSWORD} characters"));
    } else if password.contains('\0') {
        checks.fail(pointer, "control_character", "must not contain the NUL character");
    } else {
        let password = password.to_lowercase();
        if is_common(&password) {
            checks.fail(pointer, "common_password", "is too easy to guess; a few unrelated words would do");
        } else if is_personal(&password, owner) {
            checks.fail(pointer, "common_password", "must not be made from your name or email address");
        }
    }
}

fn is_common(password: &str) -> bool {
    let chars: Vec<char> = password.chars().collect();
    is_listed(password)
        || chars.iter().collect::<HashSet<_>>().len() < 5
        || is_repeated(&chars)
        || is_run(&chars)
}

fn is_listed(word: &str) -> bool {
    COMMON.lines().any(|line| line == word)
}

/// One text over and over is worth no more than that text, which would be too short.
fn is_repeated(chars: &[char]) -> bool {
    let longest = (chars.len() / 2).min(MIN_PASSWORD - 1);
    (1..=longest).any(|period| chars.iter().zip(&chars[period..]).all(|(earlier, later)| earlier == later))
}

/// Mostly steps along a row, one way or the other: `123456abcdef`, `qwertyuiop[]`.
fn is_run(chars: &[char]) -> bool {
    let steps = chars.windows(2).filter(|pair| is_step(pair[0], pair[1])).count();
    steps * 4 >= (chars.len() - 1) * 3
}

fn is_step(from: char, to: char) -> bool {
    ROWS.iter()
        .any(|row| row.chars().zip(row.chars().skip(1)).any(|step| step == (from, to) || step == (to, from)))
}

/// The email address anywhere in it, or little besides the owner's names and the address's local part.
fn is_personal(password: &str, owner: Owner<'_>) -> bool {
    const MIN_REST: usize = 5;
    let email = owner.email.trim().to_lowercase();
    if !email.is_empty() && password.contains(&email) {
        return true;
    }
    let local = email.split_once('@').map_or(email.as_str(), |(local, _)| local);
    let names = [owner.first_name.trim().to_lowercase(), owner.last_name.trim().to_lowercase()];
    // Whole names before their parts, or the parts would break them up.
    let mut words: Vec<&str> = vec![local, &names[0], &names[1]];
    for whole in [local, &names[0], &names[1]] {
        words.extend(whole.split(|c: char| !c.is_alphanumeric()));
    }
    words.retain(|word| word.chars().count() >= 3);
    let rest = words.iter().fold(password.to_owned(), |rest, word| rest.replace(word, " "));
    let changed = rest != password;
    changed && rest.chars().filter(|c| c.is_alphanumeric()).count() < MIN_REST
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Owner<'_> =
        Owner { email: "Ada.Lovelace@example.com", first_name: "Ada", last_name: "King-Noel" };

    fn codes(password: &str) -> Vec<String> {
        let mut checks = Checks::new();
        check_password(&mut checks, "/password", password, ADA);
        checks.finish(()).err().unwrap_or_default().into_iter().map(|error| error.code).collect()
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(codes("tiny"), ["too_short"]);
        assert_eq!(codes("ÄÖÜäöüßéèêë"), ["too_short"]);
        assert!(codes("ÄÖÜñõîßéèêëç").is_empty());
        let longest: String = "correct horse battery staple ".chars().cycle().take(128).collect();
        assert!(codes(&longest).is_empty());
        assert_eq!(codes(&format!("{longest}!")), ["too_long"]);
    }

    #[test]
    fn any_character_but_nul_will_do() {
        assert!(codes("tab\tand\nline 🦀 ok").is_empty());
        assert_eq!(codes("correct\0horse battery"), ["control_character"]);
    }

    #[test]
    fn what_attackers_try_first_is_refused() {
        for common in [
            "password1234",
            "PASSWORD1234",
            "qwertyuiop123",
            "1q2w3e4r5t6y",
            "administrator",
            "christopher1",
            "passwordpassword",
            "letmeinletmein",
            "abcabcabcabcab",
            "123123123123",
            "aaaaaaaaaaaa",
            "aaaabbbbccccdddd",
            "123456789012",
            "098765432109",
            "abcdefghijkl",
            "qwertyuiopas",
            "abcdef123456",
            "qwertzuiop12",
        ] {
            assert_eq!(codes(common), ["common_password"], "{common}");
        }
    }

    #[test]
    fn names_and_addresses_are_refused() {
        for personal in [
            "ada.lovelace@example.com",
            "my ADA.LOVELACE@EXAMPLE.COM",
            "Ada.Lovelace1815",
            "adalovelace!",
            "lovelace-1815",
            "Ada King-Noel",
            "KingNoelKingNoel7",
            "noel_king_ada_99",
        ] {
            assert_eq!(codes(personal), ["common_password"], "{personal}");
        }
    }

    #[test]
    fn decent_passphrases_pass() {
        for decent in [
            "correct horse battery staple",
            "Tr0ub4dor&3-and-more",
            "sunshine over stockholm",
            "9f86d081884c7d65",
            "password is my dog's name",
            "lovelace invented loops",
            "zK4!mP9@xQ2#",
            "the noel coward songbook",
            "Str0ng-Passphrase!",
            "integration-tests-42!",
            "ünïcödé für alle",
            "канарейка поёт утром",
        ] {
            assert!(codes(decent).is_empty(), "{decent}: {:?}", codes(decent));
        }
    }

    #[test]
    fn an_owner_without_a_name_is_no_reason_to_refuse() {
        let nobody = Owner { email: "", first_name: "", last_name: " " };
        let mut checks = Checks::new();
        check_password(&mut checks, "/newPassword", "zK4!mP9@xQ2#", nobody);
        assert!(checks.finish(()).is_ok());
    }

    #[test]
    fn the_list_is_in_the_form_that_look_ups_expect() {
        let words: Vec<&str> = COMMON.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(words.len() > 3_000);
        assert!(
            words.iter().all(|word| !word.is_empty() && word.trim() == *word && word.to_lowercase() == *word)
        );
    }
}
