//! SQLite: one writer that commits in groups, inline readers, surveys with a deadline, a bounded write-ahead log.
//!
//! Nothing outside this room may name a SQLite type. Threads: the writer's, two for surveys, and one idle thread of
//! sqlx for each connection.

mod apply;
pub(crate) mod cells;
mod changes;
mod checkpoint;
mod deadline;
mod eras;
mod errors;
mod group;
mod handle;
mod job;
mod migrations;
mod open;
mod readers;
mod session;
pub(crate) mod statement;
mod survey;
pub(crate) mod words;
mod writer;
mod writing;

pub(crate) use job::Typed;
pub(crate) use session::Session;
pub(crate) use writing::Writing;

use crate::reader::Session as Either;
use crate::ring::Ring;
use crate::stamp::StampSlot;
use crate::texts::Shape;
use crate::{Change, Config, Dialect, Eras, Error, Reader};
use arc_swap::ArcSwap;
use changes::Pending;
use deadline::STATEMENT_MS_MAX;
use job::{Job, Survey, drive};
use parking_lot::RwLock;
use readers::{Slots, Snapshot};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stead_schema::Schema;
use tokio::sync::{oneshot, watch};

/// An open database.
pub(crate) struct Database {
    pub(crate) shared: Arc<Shared>,
    writer: writer::Queue,
    surveys: survey::Queue,
}

/// What the threads share. It must not hold a queue: the threads end when the last queue's sender is gone.
pub(crate) struct Shared {
    pub(crate) readers: Slots,
    surveyors: Slots,
    pub(crate) shape: ArcSwap<Shape>,
    pub(crate) ring: RwLock<Ring>,
    pub(crate) head: watch::Sender<u64>,
    pub(crate) eras: Arc<Eras>,
    health: Health,
    pub(crate) stamp: StampSlot,
    // Last, so that a temporary folder goes after the connections.
    place: open::Place,
}

/// Whether writes are taken.
#[derive(Default)]
struct Health {
    /// The disk had no room at the last write; cleared by the next that succeeds.
    full: AtomicBool,
    /// A commit failed to reach the disk. What the file system kept of it is unknown until the process starts anew,
    /// so nothing is acknowledged from then on.
    broken: AtomicBool,
}

impl Shared {
    async fn open(
        place: open::Place,
        config: &Config,
        schema: Arc<Schema>,
        (newest, eras): (u64, Eras),
        connect: impl AsyncFn(&open::Place) -> Result<handle::Handle, Error>,
    ) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            readers: Slots::open(&place, config.readers.clamp(1, 64), &connect).await?,
            surveyors: Slots::open(&place, survey::THREADS, &connect).await?,
            shape: ArcSwap::from_pointee(Shape::new(Dialect::Sqlite, schema)),
            ring: RwLock::new(Ring::new(newest)),
            head: watch::Sender::new(newest),
            eras: Arc::new(eras),
            health: Health::default(),
            stamp: StampSlot::new(),
            place,
        }))
    }
}

impl Shared {
    /// The oldest position a reader may resume from.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) fn oldest(&self) -> Result<u64, Error> {
        self.readers.with(|handle| changes::tail(handle))
    }

    /// Changes that the ring has forgotten.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) fn older(&self, seq: u64, limit: usize) -> Result<Vec<Arc<Change>>, Error> {
        let shape = self.shape.load();
        self.readers.with(|handle| changes::after(handle, &shape.schema, seq, limit))
    }
}

impl Database {
    /// Opens or creates the file, runs the migrations, starts the threads.
    ///
    /// # Errors
    /// When the file cannot be opened, is too new, or is damaged.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        open::assert_version()?;
        let place = open::Place::of(config)?;
        let handle = open::writer(&place, config).await?;
        migrations::run(&handle, &config.migrations)?;
        let pending = Pending::resume(&handle)?;
        let newest = pending.newest();
        let eras = eras::begin(&handle, newest, changes::tail(&handle)?)?;
        let shared = Shared::open(place, config, Arc::default(), (newest, eras), open::reader).await?;
        let surveys = survey::start(&shared)?;
        let writer = writer::start(handle, pending, Arc::clone(&shared), config.retention)?;
        Ok(Self { shared, writer, surveys })
    }

    /// Opens a file that is there, to look at it.
    ///
    /// # Errors
    /// When the file is not there or cannot be read.
    pub(crate) async fn open_read_only(config: &Config, schema: Arc<Schema>) -> Result<Self, Error> {
        open::assert_version()?;
        let place = open::Place::of(config)?;
        let handle = open::onlooker(&place).await?;
        let newest = changes::newest(&handle)?;
        handle.close().await;
        let shared = Shared::open(place, config, schema, (newest, Eras::default()), open::onlooker).await?;
        let surveys = survey::start(&shared)?;
        Ok(Self { shared, writer: writer::Queue::closed_from_the_start(), surveys })
    }

    /// Hands a job to the writer.
    ///
    /// # Errors
    /// `Busy` when too many wait, `Closed` after the end.
    pub(crate) fn submit(&self, job: Box<dyn Job>) -> Result<(), Error> {
        self.writer.send(writer::Message::Job(job))
    }

    /// Runs a read inline.
    ///
    /// # Errors
    /// What the job gave; `Closed` after the end.
    pub(crate) fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        self.shared.readers.with(|handle| {
            let shape = self.shared.shape.load();
            handle.deadline().grant(STATEMENT_MS_MAX);
            let session = Session { connection: handle, shape: &shape, deadline: Some(handle.deadline()) };
            drive(job(&mut Reader { session: Either::Sqlite(session) }))
        })
    }

    /// Runs a read inline in one read transaction.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub(crate) fn snapshot<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        self.shared.readers.with(|handle| {
            let _snapshot = Snapshot::begin(handle)?;
            let shape = self.shared.shape.load();
            drive(job(&mut Reader {
                session: Either::Sqlite(Session { connection: handle, shape: &shape, deadline: None }),
            }))
        })
    }

    /// Hands a job to the survey threads.
    ///
    /// # Errors
    /// `Busy` when too many wait, `Closed` after the end.
    pub(crate) fn survey(&self, job: Box<dyn Survey>) -> Result<(), Error> {
        self.surveys.send(job)
    }

    /// Makes the tables fit a schema.
    ///
    /// # Errors
    /// `Refused`, or what the database says.
    pub(crate) async fn apply(&self, schema: Arc<Schema>) -> Result<(), Error> {
        let (answer, outcome) = oneshot::channel();
        self.writer.send(writer::Message::Apply(schema, answer))?;
        outcome.await.unwrap_or(Err(Error::Closed))
    }

    /// Reads by a schema that the tables have already.
    ///
    /// # Errors
    /// `Refused` when they have another, `Closed` after the end.
    pub(crate) fn adopt(&self, schema: Arc<Schema>) -> Result<(), Error> {
        self.shared.readers.with(|handle| apply::adopt(handle, &self.shared, schema))
    }

    /// Whether writes are taken.
    pub(crate) fn ready(&self) -> bool {
        let health = &self.shared.health;
        !self.writer.closed()
            && !health.full.load(Ordering::Relaxed)
            && !health.broken.load(Ordering::Relaxed)
    }

    /// Finishes what was taken, checkpoints, closes every connection.
    pub(crate) async fn close(&self) {
        self.surveys.close();
        let Some(handle) = self.writer.close().await else { return };
        self.shared.surveyors.close().await;
        self.shared.readers.close().await;
        handle.close().await;
    }
}

/// What a session needs to know of the tables, for tests that make their own connection.
#[cfg(test)]
pub(crate) fn shape(schema: &Schema) -> Shape {
    Shape::new(Dialect::Sqlite, Arc::new(schema.clone()))
}
