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

    /// Which history positions belong to. A reader that remembers one, and finds that its [`Eras::lead_to`] these no more,
    /// has read changes that were lost since: it must begin anew.
    pub fn eras(&self) -> Arc<Eras> {
        match &self.store.database {
            Database::Sqlite(database) => Arc::clone(&database.shared.eras),
            Database::Postgres(database) => database.shared.eras.load_full(),
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
    pub async fn after(&self, seq: u64, limit: usize) -> Result<Vec<Arc<Change>>, Error> {
        let ring = match &self.store.database {
            Database::Sqlite(database) => &database.shared.ring,
            Database::Postgres(database) => &database.shared.ring,
        };
        let recent = ring.read().after(seq, limit);
        match (recent, &self.store.database) {
            (Some(changes), _) => Ok(changes),
            (None, Database::Sqlite(database)) => database.shared.older(seq, limit),
            (None, Database::Postgres(database)) => database.shared.older(seq, limit).await,
        }
    }
}
