//! The ordered change log: what happened, in commit order. Every announcement is read from here.

use crate::db::Database;
use crate::{Eras, Error, Store};
use std::sync::Arc;
use stead_schema::{CollectionId, Value};
use tokio::sync::watch;

/// One committed change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Position in the log; grows in commit order, may have gaps.
    pub seq: u64,
    /// What changed.
    pub kind: ChangeKind,
    /// Who did it: a user's id, `operator:<id>`, or none for the server itself.
    pub actor: Option<Arc<str>>,
    /// When, microseconds since the epoch.
    pub at: i64,
}

/// What a change did.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    /// A record was made (`before` is none), changed, or removed (`after` is none).
    Record {
        /// Where.
        collection: CollectionId,
        /// Which.
        id: Arc<str>,
        /// Its version after the change; for a removal the last one plus one.
        version: i64,
        /// The row before, in the slots of the current schema.
        before: Option<Arc<[Value]>>,
        /// The row after.
        after: Option<Arc<[Value]>>,
    },
    /// A user's sessions or roles changed: what was granted to them must be asked anew.
    Auth {
        /// Whose.
        user: Arc<str>,
        /// The session that ended, or none when all of the user's are concerned.
        session: Option<Arc<str>>,
    },
    /// The schema or the rules changed.
    Schema,
    /// What signs tokens changed.
    Keys,
}

/// Changes in order, and the history that their positions belong to. A reader goes on only where its own eras
/// [`Eras::lead_to`] these at the position that it asked from: otherwise it has read what was lost since.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// Those that were known when the changes were read.
    pub eras: Arc<Eras>,
    /// What was asked for.
    pub changes: Vec<Arc<Change>>,
}

/// Reads the log in order.
#[derive(Clone)]
pub struct Log {
    pub(crate) store: Store,
}

impl Log {
    /// The newest committed position, and a signal when it moves.
    pub fn head(&self) -> watch::Receiver<u64> {
        match &self.store.database {
            Database::Sqlite(database) => database.shared.head.subscribe(),
            Database::Postgres(database) => database.shared.head.subscribe(),
        }
    }

    /// Which history positions belong to, as far as it is known here.
    pub fn eras(&self) -> Arc<Eras> {
        match &self.store.database {
            Database::Sqlite(database) => Arc::clone(&database.shared.eras),
            Database::Postgres(database) => database.shared.eras.load_full(),
        }
    }

    /// The newest position and the history it belongs to: where a reader begins.
    pub fn place(&self) -> (u64, Arc<Eras>) {
        match &self.store.database {
            Database::Sqlite(database) => (*database.shared.head.borrow(), Arc::clone(&database.shared.eras)),
            Database::Postgres(database) => {
                // Both change under this lock.
                let _still = database.shared.ring.read();
                (*database.shared.head.borrow(), database.shared.eras.load_full())
            }
        }
    }

    /// The oldest position a reader may resume from: everything after it is still there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tail(&self) -> Result<u64, Error> {
        match &self.store.database {
            Database::Sqlite(database) => database.shared.oldest(),
            Database::Postgres(database) => database.shared.oldest().await,
        }
    }

    /// At most `limit` changes after `seq`, in order; recent ones come from memory.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn after(&self, seq: u64, limit: usize) -> Result<Stretch, Error> {
        match &self.store.database {
            Database::Sqlite(database) => {
                let shared = &database.shared;
                let recent = shared.ring.read().after(seq, limit);
                let changes = recent.map_or_else(|| shared.older(seq, limit), Ok)?;
                Ok(Stretch { eras: Arc::clone(&shared.eras), changes })
            }
            Database::Postgres(database) => database.shared.after(seq, limit).await,
        }
    }
}
