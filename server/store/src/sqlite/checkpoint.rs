//! Keeps the write-ahead log bounded, whatever readers do.
//!
//! SQLite copies the log into the file after a commit past 16 MiB and starts it again when no reader needs it. Readers
//! that overlap all the time keep it from starting again, so past 32 MiB the readers are held for a moment. Surveys
//! are waited for only past 48 MiB; their deadline bounds the wait.

use crate::sqlite::Shared;
use crate::sqlite::handle::Handle;

/// Size past which readers are held, in bytes.
const HOLD_BYTES: u64 = 32 << 20;

/// Size past which surveys are waited for, in bytes.
const WAIT_BYTES: u64 = 48 << 20;

/// Shortens the log when it is past its bound. Called by the writer between two groups.
pub(crate) fn bound(handle: &Handle, shared: &Shared) {
    let bytes = std::fs::metadata(shared.place.wal()).map_or(0, |file| file.len());
    if bytes < HOLD_BYTES {
        return;
    }
    // Surveys first: readers must not be held while a survey runs to its deadline.
    let Some(_surveys) = shared.surveyors.hold(bytes >= WAIT_BYTES) else { return };
    let Some(_readers) = shared.readers.hold(true) else { return };
    truncate(handle);
}

/// Copies the whole log into the file and empties it.
pub(crate) fn truncate(handle: &Handle) {
    let busy = handle.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    match busy {
        Ok(0) => {}
        Ok(_) => tracing::warn!("another process holds the write-ahead log: it could not be emptied"),
        Err(error) => tracing::warn!(%error, "could not empty the write-ahead log"),
    }
}
