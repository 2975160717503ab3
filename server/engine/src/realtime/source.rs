//! What the hub asks of the database: the log in order, and short reads about the newest commit.
//!
//! Calls are made one at a time on the hub's own thread, where waiting harms no request.

use super::timeline::Row;
use crate::Error;
use std::sync::Arc;
use std::time::Duration;
use stead_rules::{Expr, Lookup, SortKey};
use stead_schema::{Collection, Schema, Slot};
use stead_store::{Eras, Select, Shown, Store, Stretch};
use tokio::runtime::Runtime;

/// A commit is published right after it can be read; longer than this means that the writer is stuck.
const PUBLISHED_MAX: Duration = Duration::from_secs(2);

/// The log and the records.
pub(super) trait Source {
    /// The newest committed position.
    fn head(&mut self) -> u64;

    /// Which history positions belong to.
    fn eras(&mut self) -> Arc<Eras>;

    /// The newest position and the history it belongs to.
    fn place(&mut self) -> (u64, Arc<Eras>);

    /// Waits until changes up to `seq`, which a read has seen, can be read from the log.
    fn await_published(&mut self, seq: u64) -> Result<(), Error>;

    /// The oldest position from which nothing is missing.
    fn tail(&mut self) -> Result<u64, Error>;

    /// At most `limit` changes after `seq`, in order.
    fn after(&mut self, seq: u64, limit: usize) -> Result<Stretch, Error>;

    /// The schema whose slots the rows of [`Source::after`] have.
    fn schema(&mut self) -> Arc<Schema>;

    /// Whether the database answers and takes writes.
    fn ready(&mut self) -> bool;

    /// Whether other servers work on the same database.
    fn has_company(&mut self) -> bool;

    /// Records for which every predicate is true, by id, at most `limit`; and the position they belong to.
    fn select(
        &mut self,
        collection: &Collection,
        predicates: &[&Expr],
        masks: &[(Slot, Expr)],
        limit: u32,
    ) -> Result<(u64, Vec<Shown>), Error>;

    /// A record by id, and the position it belongs to.
    fn find(&mut self, collection: &Collection, id: &str) -> Result<(u64, Row), Error>;

    /// The answer to a bound lookup, and the position it belongs to.
    fn lookup(&mut self, lookup: &Lookup, limit: u64) -> Result<(u64, u64), Error>;
}

/// A project's database, asked from a thread that may wait.
pub(super) struct StoreSource {
    pub(super) store: Store,
    pub(super) runtime: Arc<Runtime>,
}

impl Source for StoreSource {
    fn head(&mut self) -> u64 {
        *self.store.log().head().borrow()
    }

    fn eras(&mut self) -> Arc<Eras> {
        self.store.log().eras()
    }

    fn place(&mut self) -> (u64, Arc<Eras>) {
        self.store.log().place()
    }

    fn await_published(&mut self, seq: u64) -> Result<(), Error> {
        let mut head = self.store.log().head();
        let reached =
            async { tokio::time::timeout(PUBLISHED_MAX, head.wait_for(|head| *head >= seq)).await.is_ok() };
        match self.runtime.block_on(reached) {
            true => Ok(()),
            false => Err(Error::internal("a commit was not published in time")),
        }
    }

    fn tail(&mut self) -> Result<u64, Error> {
        Ok(self.runtime.block_on(self.store.log().tail())?)
    }

    fn after(&mut self, seq: u64, limit: usize) -> Result<Stretch, Error> {
        Ok(self.runtime.block_on(self.store.log().after(seq, limit))?)
    }

    fn schema(&mut self) -> Arc<Schema> {
        self.store.schema()
    }

    fn ready(&mut self) -> bool {
        self.store.ready()
    }

    fn has_company(&mut self) -> bool {
        self.store.nodes().len() > 1
    }

    fn select(
        &mut self,
        collection: &Collection,
        predicates: &[&Expr],
        masks: &[(Slot, Expr)],
        limit: u32,
    ) -> Result<(u64, Vec<Shown>), Error> {
        let by_id = [SortKey { slot: Slot::ID, descending: false }];
        let select = Select { collection, predicates, masks, sort: &by_id, after: None, limit, words: None };
        self.runtime.block_on(self.store.snapshot::<_, Error, _>(async |reader| {
            let head = reader.head().await?;
            Ok((head, reader.select(&select).await?))
        }))
    }

    fn find(&mut self, collection: &Collection, id: &str) -> Result<(u64, Row), Error> {
        self.runtime.block_on(self.store.snapshot::<_, Error, _>(async |reader| {
            Ok((reader.head().await?, reader.find(collection, id).await?))
        }))
    }

    fn lookup(&mut self, lookup: &Lookup, limit: u64) -> Result<(u64, u64), Error> {
        self.runtime.block_on(self.store.snapshot::<_, Error, _>(async |reader| {
            Ok((reader.head().await?, reader.lookup(lookup, limit).await?))
        }))
    }
}
