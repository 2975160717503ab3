//! What can go wrong with a database, by what a caller can do about it.

use std::any::Any;
use stead_schema::{CollectionId, Slot};

/// A failed read or write.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique set of fields holds these values already.
    #[error("unique fields of collection {collection:?} hold these values already")]
    Unique {
        /// Where.
        collection: CollectionId,
        /// Which fields; `[Slot::ID]` for the id itself.
        slots: Vec<Slot>,
    },
    /// A reference points to no record.
    #[error("field {slot:?} of collection {collection:?} refers to no record")]
    MissingReference {
        /// Where.
        collection: CollectionId,
        /// Which field.
        slot: Slot,
    },
    /// The database is locked or the queue before the writer is full.
    #[error("the database is busy")]
    Busy,
    /// The database does not answer, or is being started or stopped. Why is for the log only.
    #[error("the database does not answer: {0}")]
    Away(String),
    /// The line to the database broke between a commit and its answer: the changes stand, or they do not.
    #[error("the database did not say whether it committed")]
    Unknown,
    /// A read, or the rules of a write, took longer than their deadline.
    #[error("the query took too long")]
    Deadline,
    /// A sum is beyond what the database counts with.
    #[error("a sum is too large")]
    Overflow,
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// The database cannot be changed to the schema without help.
    #[error("the schema cannot be applied")]
    Refused(Vec<stead_schema::diff::Unsafe_>),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
    /// Anything else. For the log only.
    #[error("database: {0}")]
    Database(String),
}

impl Error {
    /// What a job that panicked is answered. Its message is for the log only.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let said =
            panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(panic = said, "a database job panicked");
        Self::Database(format!("a job panicked: {}", said.unwrap_or("no message")))
    }
}
