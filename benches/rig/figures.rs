//! What was measured, and whether it is what was promised.

use std::fmt;

/// In the order they were found. Displayed in one line.
#[derive(Debug, Default)]
pub struct Figures {
    found: Vec<String>,
    broken: bool,
}

impl Figures {
    pub fn note(&mut self, figure: impl Into<String>) {
        self.found.push(figure.into());
    }

    /// A figure that must satisfy the promise.
    pub fn hold(&mut self, figure: impl Into<String>, kept: bool) {
        let figure = figure.into();
        self.found.push(if kept { figure } else { format!("{figure} (!)") });
        self.broken |= !kept;
    }

    pub fn equal<T: PartialEq + fmt::Display>(&mut self, what: &str, found: T, expected: T) {
        let kept = found == expected;
        self.hold(
            format!("{what} {found}{}", if kept { String::new() } else { format!(" for {expected}") }),
            kept,
        );
    }

    pub fn kept(&self) -> bool {
        !self.broken
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.found.join("; "))
    }
}
