//! The one place that writes to the terminal.
//!
//! Results go to standard output, everything about them to standard error. A reader that went away is no error of ours.

use std::io::Write;

/// A line of the result.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A result that brings its own line ends.
pub(crate) fn say_raw(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A line about the result.
pub(crate) fn complain(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
}
