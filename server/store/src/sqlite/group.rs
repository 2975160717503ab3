//! One transaction for the jobs that wait together. Each has a savepoint, so that a failing job undoes itself alone.

use crate::places::passes;
use crate::reader::Session as Either;
use crate::sqlite::Shared;
use crate::sqlite::changes::Pending;
use crate::sqlite::deadline::STATEMENT_MS_MAX;
use crate::sqlite::errors::from_sqlite;
use crate::sqlite::handle::Handle;
use crate::sqlite::job::Job;
use crate::sqlite::session::Session;
use crate::sqlite::statement::command;
use crate::sqlite::writing::Writing;
use crate::tx::Writing as Kind;
use crate::{Error, Reader, Tx};

/// Why a group was not committed.
pub(crate) enum Failure {
    /// It was undone; later groups may succeed.
    Undone(Error),
    /// The disk may or may not hold it.
    Unknown(Error),
}

impl Failure {
    /// What the jobs are told.
    pub(crate) fn error(&self) -> &Error {
        match self {
            Self::Undone(error) | Self::Unknown(error) => error,
        }
    }
}

/// Runs and commits the jobs; `pending` then holds the committed changes, or none.
///
/// # Errors
/// When there is no commit.
pub(crate) fn run(
    handle: &Handle,
    shared: &Shared,
    pending: &mut Pending,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), Failure> {
    let outcome = transaction(handle, shared, pending, jobs);
    if outcome.is_err() {
        pending.truncate(0);
        if !handle.is_autocommit() {
            // A rollback cannot fail in a way that leaves the transaction open.
            let _ = command(handle, "ROLLBACK");
        }
    }
    outcome
}

fn transaction(
    handle: &Handle,
    shared: &Shared,
    pending: &mut Pending,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), Failure> {
    let undone = |error| Failure::Undone(from_sqlite(error));
    let shape = shared.shape.load();
    command(handle, "BEGIN IMMEDIATE").map_err(undone)?;
    for job in jobs {
        let mark = pending.len();
        command(handle, "SAVEPOINT job").map_err(undone)?;
        handle.deadline().grant(STATEMENT_MS_MAX);
        let session = Session { connection: handle, shape: &shape, deadline: Some(handle.deadline()) };
        let writing = Writing { session, pending: &mut *pending, full: false };
        let reader = Reader { session: Either::Sqlite(session) };
        let mut tx = Tx { reader, writing: Kind::Sqlite(writing), stamp: &shared.stamp };
        let keep = job.run(&mut tx);
        let full = matches!(&tx.writing, Kind::Sqlite(writing) if writing.full);
        // Nobody in the group would find room; and SQLite ends a whole transaction by itself on a full disk or when
        // it cannot read or write at all.
        if full || handle.is_autocommit() {
            return Err(Failure::Undone(Error::Full));
        }
        if !keep {
            pending.truncate(mark);
            command(handle, "ROLLBACK TO job").map_err(undone)?;
        }
        command(handle, "RELEASE job").map_err(undone)?;
    }
    passes("commit");
    command(handle, "COMMIT").map_err(commit_failure)?;
    passes("committed");
    Ok(())
}

/// A commit that met a full disk or a lock is undone as a whole. After any other failure the file system may have
/// lost what it was told to keep, and asking again would be answered as if all were well.
fn commit_failure(error: rusqlite::Error) -> Failure {
    match from_sqlite(error) {
        error @ (Error::Full | Error::Busy) => Failure::Undone(error),
        error => Failure::Unknown(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi::{self, SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};

    fn failed(code: i32) -> Failure {
        commit_failure(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn only_a_full_disk_or_a_lock_leaves_a_commit_surely_undone() {
        assert!(matches!(failed(SQLITE_FULL), Failure::Undone(Error::Full)));
        assert!(matches!(failed(SQLITE_BUSY), Failure::Undone(Error::Busy)));
        assert!(matches!(failed(SQLITE_IOERR_FSYNC), Failure::Unknown(Error::Database(_))));
        assert!(matches!(failed(SQLITE_IOERR_WRITE), Failure::Unknown(Error::Database(_))));
    }
}
