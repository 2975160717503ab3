//! Read connections in slots: a thread takes its own slot, or the first free one.

use crate::Error;
use crate::sqlite::handle::Handle;
use crate::sqlite::open::Place;
use crate::sqlite::statement::command;
use parking_lot::{Mutex, MutexGuard};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Connections, each driven by one thread at a time.
pub(crate) struct Slots {
    // `None` once closed.
    slots: Vec<Mutex<Option<Handle>>>,
}

impl Slots {
    /// Opens `count` connections.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) async fn open(
        place: &Place,
        count: usize,
        connect: &impl AsyncFn(&Place) -> Result<Handle, Error>,
    ) -> Result<Self, Error> {
        let mut slots = Vec::with_capacity(count);
        for _ in 0..count {
            slots.push(Mutex::new(Some(connect(place).await?)));
        }
        Ok(Self { slots })
    }

    /// Runs `read` on a connection of this thread's choice. It must not ask for another connection inside: with one
    /// slot it would wait for itself.
    ///
    /// # Errors
    /// `Closed` after the end.
    pub(crate) fn with<T, E: From<Error>>(&self, read: impl FnOnce(&Handle) -> Result<T, E>) -> Result<T, E> {
        match self.pick().as_deref() {
            Some(Some(handle)) => read(handle),
            _ => Err(Error::Closed.into()),
        }
    }

    /// The connection of a thread that has a slot of its own.
    pub(crate) fn own(&self, index: usize) -> Option<MutexGuard<'_, Option<Handle>>> {
        self.slots.get(index).map(Mutex::lock)
    }

    /// Keeps every connection from being used; `None` when one is in use and `wait` is false.
    pub(crate) fn hold(&self, wait: bool) -> Option<Vec<MutexGuard<'_, Option<Handle>>>> {
        self.slots.iter().map(|slot| if wait { Some(slot.lock()) } else { slot.try_lock() }).collect()
    }

    /// Closes every connection.
    pub(crate) async fn close(&self) {
        for slot in &self.slots {
            let handle = slot.lock().take();
            if let Some(handle) = handle {
                handle.close().await;
            }
        }
    }

    fn pick(&self) -> Option<MutexGuard<'_, Option<Handle>>> {
        let count = self.slots.len();
        let thread = BuildHasherDefault::<DefaultHasher>::default().hash_one(std::thread::current().id());
        let own = usize::try_from(thread % u64::try_from(count).ok()?).ok()?;
        let from_own = (0..count).map(|step| (own + step) % count);
        let free = from_own.filter_map(|at| self.slots.get(at)).find_map(Mutex::try_lock);
        free.or_else(|| self.own(own))
    }
}

/// A read transaction: every statement inside sees the same commit.
pub(crate) struct Snapshot<'c>(&'c Handle);

impl<'c> Snapshot<'c> {
    /// Begins; the first statement chooses the commit.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) fn begin(handle: &'c Handle) -> Result<Self, Error> {
        command(handle, "BEGIN").map_err(crate::sqlite::errors::from_sqlite)?;
        Ok(Self(handle))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Err(error) = command(self.0, "ROLLBACK") {
            tracing::warn!(%error, "could not end a read transaction");
        }
    }
}
