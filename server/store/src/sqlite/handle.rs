//! One connection that sqlx opened and rusqlite drives inline: all of this crate's unsafe code.
//!
//! sqlx gives every SQLite connection a thread and sends each statement and row over channels, which costs four times
//! the CPU of a read. So the handle is locked away from that thread once, for the life of the connection. It must
//! never be locked and unlocked per statement: sqlx-sqlite 0.9 deadlocks when `lock_handle` is called in a loop.
#![expect(
    unsafe_code,
    reason = "a guard that lives beside the connection it borrows, and a raw SQLite handle"
)]

use crate::Error;
use crate::sqlite::deadline::{Deadline, STEPS_PER_LOOK};
use crate::sqlite::errors::from_sqlx;
use sqlx::sqlite::{LockedSqliteHandle, SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection as _};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// Prepared statements kept by one connection.
const STATEMENTS_MAX: usize = 128;

/// An open connection; dereferences to rusqlite's.
///
/// Invariants:
/// 1. `owner` came from `Box::into_raw` and nothing but `guard` borrows from it; it is freed only after `guard` is gone.
/// 2. While `guard` lives, sqlx's thread waits for the lock and makes no call on the handle, so `sqlite` is the only
///    one to drive it. SQLite is built with `THREADSAFE`, so the handle may move between threads, one at a time:
///    `rusqlite::Connection` is `Send` and not `Sync`, and so is this type.
/// 3. `sqlite` does not own the handle (`from_handle`): dropping it finalises its statements and closes nothing.
///    It is dropped before `guard`, as the handle must have no statements of ours when sqlx closes it.
pub(crate) struct Handle {
    sqlite: ManuallyDrop<rusqlite::Connection>,
    guard: ManuallyDrop<LockedSqliteHandle<'static>>,
    owner: Owner,
    deadline: Arc<Deadline>,
}

struct Owner(NonNull<SqliteConnection>);

// SAFETY: it stands for a `Box<SqliteConnection>`, which is `Send`.
unsafe impl Send for Owner {}

impl Handle {
    /// Opens a connection and takes its handle for good.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) async fn open(options: &SqliteConnectOptions) -> Result<Self, Error> {
        let connection = options.connect().await.map_err(from_sqlx)?;
        let owner = Owner(NonNull::from(Box::leak(Box::new(connection))));
        // SAFETY: invariant 1. The reference is the only one, and it ends with `guard`, before `owner` is freed.
        let borrowed: &'static mut SqliteConnection = unsafe { &mut *owner.0.as_ptr() };
        let mut guard = match borrowed.lock_handle().await {
            Ok(guard) => guard,
            Err(error) => {
                // SAFETY: there is no guard, so nothing borrows from the owner, which is freed once.
                drop(unsafe { Box::from_raw(owner.0.as_ptr()) });
                return Err(from_sqlx(error));
            }
        };
        let raw = guard.as_raw_handle();
        // SAFETY: invariants 2 and 3: the handle is open, and nobody else drives it while `guard` lives.
        let sqlite = unsafe { rusqlite::Connection::from_handle(raw.as_ptr()) }
            .map_err(|error| Error::Database(error.to_string()))?;
        sqlite.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // Plans depend on the shape of a statement alone. Otherwise each new value of a parameter may have it planned anew.
        sqlite
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(|error| Error::Database(error.to_string()))?;
        let deadline = Arc::new(Deadline::new());
        let watched = Arc::clone(&deadline);
        guard.set_progress_handler(STEPS_PER_LOOK, move || watched.has_time());
        Ok(Self { sqlite: ManuallyDrop::new(sqlite), guard: ManuallyDrop::new(guard), owner, deadline })
    }

    /// What bounds the time of this connection's statements.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Closes the connection and waits until the file is released.
    pub(crate) async fn close(self) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so each part is taken once.
        let connection = unsafe { this.release() };
        if let Err(error) = connection.close().await {
            tracing::warn!(%error, "could not close a database connection");
        }
    }

    /// Gives the handle back to sqlx.
    ///
    /// # Safety
    /// `self` must not be used or dropped afterwards.
    unsafe fn release(&mut self) -> SqliteConnection {
        // SAFETY: the caller takes each part once; the order is invariant 3, then invariant 1.
        unsafe {
            ManuallyDrop::drop(&mut self.sqlite);
            ManuallyDrop::drop(&mut self.guard);
            *Box::from_raw(self.owner.0.as_ptr())
        }
    }
}

impl Deref for Handle {
    type Target = rusqlite::Connection;
    fn deref(&self) -> &rusqlite::Connection {
        &self.sqlite
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: dropping is the last use. sqlx's thread closes the file soon after.
        drop(unsafe { self.release() });
    }
}
