//! Named places at which a test has the process end, as if its power failed there.

/// Ends the process when `STEAD_TEST_END_AT` is `place:n` and this is the `n`th time that it comes by. Only in builds for
/// development; elsewhere this is nothing.
#[cfg(debug_assertions)]
pub(crate) fn passes(place: &str) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static TIMES: AtomicUsize = AtomicUsize::new(0);
    let Ok(wanted) = std::env::var("STEAD_TEST_END_AT") else { return };
    let Some((name, times)) = wanted.split_once(':') else { return };
    if name == place && times.parse() == Ok(TIMES.fetch_add(1, Ordering::Relaxed) + 1) {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn passes(_: &str) {}
