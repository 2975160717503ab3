//! Keeps the write-ahead log bounded, whatever readers do.
//!
//! SQLite copies the log into the file after a commit past 16 MiB and starts it again when no reader needs it. Readers
//! that overlap all the time keep it from starting again, so past 32 MiB the readers are held for a moment. Surveys
//! are waited for only past 48 MiB; their deadline bounds the wait. A reader of another process (a backup) is not
//! waited for at all: it is asked again when the log has grown a little more.

use crate::sqlite::Shared;
use crate::sqlite::errors::from_sqlite;
use crate::sqlite::handle::Handle;
use crate::{Error, sqlite::open::BUSY_MS_MAX};
use std::time::Duration;

/// Size past which readers are held, in bytes.
const HOLD_BYTES: u64 = 32 << 20;

/// Size past which surveys are waited for, in bytes.
const WAIT_BYTES: u64 = 48 << 20;

/// Growth after which another process is asked again, in bytes.
const AGAIN_BYTES: u64 = 4 << 20;

/// What the writer remembers between two looks.
#[derive(Default)]
pub(crate) struct Checkpointer {
    /// The size at which another process was in the way; 0 when none was.
    refused_at: u64,
}

impl Checkpointer {
    /// Shortens the log when it is past its bound. Called by the writer between two groups.
    pub(crate) fn bound(&mut self, handle: &Handle, shared: &Shared) {
        let bytes = std::fs::metadata(shared.place.wal()).map_or(0, |file| file.len());
        if bytes < HOLD_BYTES || bytes < self.refused_at.saturating_add(AGAIN_BYTES) && self.refused_at > 0 {
            return;
        }
        // Surveys first: readers must not be held while a survey runs to its deadline.
        let Some(_surveys) = shared.surveyors.hold(bytes >= WAIT_BYTES) else { return };
        let Some(_readers) = shared.readers.hold(true) else { return };
        let emptied = empty(handle);
        if !emptied && self.refused_at == 0 {
            tracing::warn!(
                wal.bytes = bytes,
                "another process holds the write-ahead log: it cannot be emptied"
            );
        }
        self.refused_at = if emptied { 0 } else { bytes };
    }
}

/// Copies the whole log into the file and empties it, without waiting for anybody; whether it is empty now.
pub(crate) fn empty(handle: &Handle) -> bool {
    let outcome = patience(handle, 0).and_then(|()| truncate(handle));
    if let Err(error) = patience(handle, BUSY_MS_MAX) {
        tracing::error!(%error, "could not set the busy timeout");
    }
    outcome.unwrap_or_else(|error| {
        tracing::warn!(%error, "could not empty the write-ahead log");
        false
    })
}

fn truncate(handle: &Handle) -> Result<bool, Error> {
    let busy: i64 =
        handle.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(from_sqlite)?;
    Ok(busy == 0)
}

fn patience(handle: &Handle, ms: u64) -> Result<(), Error> {
    handle.busy_timeout(Duration::from_millis(ms)).map_err(from_sqlite)
}
