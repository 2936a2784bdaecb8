//! The log: on standard error, one line an event, whatever is in it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, LogSettings};

const ESCAPE: char = '\u{1b}';

/// Must be called once, before anything is logged.
pub fn start(settings: &LogSettings) {
    let coloured = io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(&settings.filter))
        .with_ansi(coloured)
        .with_writer(move || OneLine { to: io::stderr(), coloured });
    // A second start in one process keeps the first subscriber.
    let started = match settings.format {
        LogFormat::Pretty => subscriber.compact().try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        eprintln!("nexus-hub: logging was already started: {error}");
    }
}

/// Writes each event, which comes whole and ends with a line feed, as one line. What would end the line or steer a
/// terminal is written as JSON does it, `\u000a`: tracing-subscriber leaves line breaks in what an event says as they
/// are, so that whoever words an error could write lines of their own into the log.
struct OneLine<W> {
    to: W,
    /// Escape sequences are the format's own then; tracing-subscriber takes them out of what events say.
    coloured: bool,
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = in_one_line(text.strip_suffix('\n').unwrap_or(&text), self.coloured);
        self.to.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn in_one_line(text: &str, coloured: bool) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        let breaks = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if breaks && !(coloured && c == ESCAPE) {
            // Writing to a text cannot fail.
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    const FORGED: &str =
        "no\r\n2000-01-01T00:00:00Z  WARN forged: \u{1b}[31mred\u{9b}0m\u{2028}\u{2029}\u{85}\0\t\u{7f} end";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What two events come to, the first of which has it in a message, in fields of all kinds and in its span.
    fn logged(json: bool) -> String {
        let written = Written::default();
        let to = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || OneLine { to: to.clone(), coloured: false });
        let say = || {
            let _span = tracing::info_span!("request", id = %FORGED).entered();
            tracing::warn!(shown = %FORGED, debugged = ?FORGED, text = FORGED, "{FORGED}");
            tracing::warn!("harmless");
        };
        if json {
            tracing::subscriber::with_default(subscriber.json().flatten_event(true).finish(), say);
        } else {
            tracing::subscriber::with_default(subscriber.compact().finish(), say);
        }
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    fn expect_two_lines(logged: &str) {
        assert_eq!(logged.matches('\n').count(), 2, "{logged}");
        let breaks = |c: char| c != '\n' && (c.is_control() || "\u{2028}\u{2029}".contains(c));
        assert!(!logged.contains(breaks), "{logged:?}");
    }

    #[test]
    fn a_pretty_event_is_one_line_whatever_is_in_it() {
        let logged = logged(false);
        expect_two_lines(&logged);
        assert!(logged.lines().all(|line| !line.starts_with("2000")), "{logged}");
        assert!(logged.contains(r"no\u000d\u000a2000-01-01"), "{logged}");
    }

    #[test]
    fn a_json_event_is_one_object_that_says_what_was_said() {
        let logged = logged(true);
        expect_two_lines(&logged);
        let events: Vec<Value> = logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events[0]["text"], FORGED);
    }

    #[test]
    fn colours_are_kept_for_a_terminal() {
        assert_eq!(in_one_line("\u{1b}[2mnow\u{1b}[0m a\nb", true), "\u{1b}[2mnow\u{1b}[0m a\\u000ab\n");
    }
}
