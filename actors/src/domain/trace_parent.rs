//! A place in a trace as it travels between processes: `traceparent` of W3C Trace Context, level 1.

use std::fmt;
use std::str::FromStr;

/// One span of one trace. Says nothing of who began it, and grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// Never 0.
    pub trace: u128,
    /// Never 0.
    pub span: u64,
    /// Whether whoever handed it on records the trace.
    pub sampled: bool,
}

/// No `traceparent`, and to be treated as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct Malformed;

/// Characters of version 00; later ones may only add behind them.
const LENGTH: usize = 55;

impl FromStr for TraceParent {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (known, more) = text.split_at_checked(LENGTH).ok_or(Malformed)?;
        let parts: Vec<&str> = known.split('-').collect();
        let [version, trace, span, flags] = parts[..] else { return Err(Malformed) };
        let lengths = [version.len(), trace.len(), span.len(), flags.len()];
        let lower = |byte: u8| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if lengths != [2, 32, 16, 2] || !known.bytes().all(lower) || version == "ff" {
            return Err(Malformed);
        }
        if !more.is_empty() && (version == "00" || !more.starts_with('-')) {
            return Err(Malformed);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| Malformed)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| Malformed)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| Malformed)?;
        if trace == 0 || span == 0 {
            return Err(Malformed);
        }
        Ok(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

/// In version 00.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_specifications_example_is_understood() {
        let parent: TraceParent = EXAMPLE.parse().unwrap();
        assert_eq!(parent.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((parent.span, parent.sampled), (0xb7ad_6b71_6920_3331, true));
        assert_eq!(parent.to_string(), EXAMPLE);
    }

    #[test]
    fn flags_beyond_the_first_and_what_later_versions_add_are_passed_over() {
        let later = format!("cc{}-what-comes", EXAMPLE[2..].replace("-01", "-09"));
        assert_eq!(later.parse::<TraceParent>().unwrap(), EXAMPLE.parse().unwrap());
        let unsampled: TraceParent = EXAMPLE.replace("-01", "-02").parse().unwrap();
        assert!(!unsampled.sampled);
    }

    #[test]
    fn what_is_malformed_is_none() {
        for text in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\u{e4}",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in 1u128.., span in 1u64.., sampled: bool) {
            let parent = TraceParent { trace, span, sampled };
            prop_assert_eq!(parent.to_string().parse(), Ok(parent));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ = text.parse::<TraceParent>();
        }
    }
}
