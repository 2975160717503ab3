//! Log lines to standard error, for people or as JSON. A panic becomes a line too.

use anyhow::Context;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging.
pub(crate) fn start(filter: &str, json: bool) -> anyhow::Result<()> {
    // The framework's own news (workers, services) say nothing that ours do not, and it calls a client's malformed
    // request an error; a directive of the filter for the same name wins over these.
    let filter = EnvFilter::try_new(format!("actix_http=off,actix_server=warn,{filter}"))
        .with_context(|| format!("`{filter}` is no log filter"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = if json { lines.json().try_init() } else { lines.with_target(false).try_init() };
    started.map_err(anyhow::Error::from_boxed)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, "panic: {text}");
    }));
    Ok(())
}
