//! Opening, reading, writing, closing.

use crate::sqlite::{Database, Typed};
use crate::{Error, Log, Reader, Tx};
use std::path::PathBuf;
use std::sync::Arc;
use stead_schema::Schema;

/// How hard a commit is pressed onto the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// An acknowledged write survives a power cut.
    #[default]
    Full,
    /// It survives a crash of the process, but maybe not a power cut.
    Normal,
}

/// Where and how to open.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database file; its folder must exist. `None` for a database in memory that ends with the store.
    pub path: Option<PathBuf>,
    /// Connections for inline reads; about the number of threads that read. 1..=64.
    pub readers: usize,
    /// Durability.
    pub synchronous: Synchronous,
    /// Static statements that make the tables of the slices, run once each in order: `(name, sql script)`.
    pub migrations: Vec<(&'static str, &'static str)>,
}

/// A handle to an open database; clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) database: Arc<Database>,
}

impl Store {
    /// Opens or creates the database, asserts SQLite ≥ 3.51.3, runs the migrations, starts the writer.
    ///
    /// # Errors
    /// When the file cannot be opened, is too new, or is damaged.
    pub async fn open(config: Config) -> Result<Self, Error> {
        Ok(Self { database: Arc::new(Database::open(&config).await?) })
    }

    /// Opens a database that is there to look at it: nothing is made, changed or tidied, and writes are refused with
    /// `Closed`. Another process may go on writing. The tables are taken to fit `schema`; where they do not, reads fail.
    ///
    /// # Errors
    /// When the file is not there or cannot be read.
    pub async fn open_read_only(config: Config, schema: Arc<Schema>) -> Result<Self, Error> {
        Ok(Self { database: Arc::new(Database::open_read_only(&config, schema).await?) })
    }

    /// Makes the tables fit the schema with safe steps only, in one transaction, and logs the change.
    ///
    /// # Errors
    /// `Refused` with every unsafe change; nothing is changed then.
    pub async fn apply(&self, schema: Arc<Schema>) -> Result<(), Error> {
        self.database.apply(schema).await
    }

    /// Reads by a schema that the tables have already, and changes nothing: for tools beside a running server.
    ///
    /// # Errors
    /// `Refused` when the tables have any other shape.
    pub fn adopt(&self, schema: Arc<Schema>) -> Result<(), Error> {
        self.database.adopt(schema)
    }

    /// Runs `job` in a transaction. It is grouped with its neighbours; the answer comes after the group's commit.
    /// When the job fails, only its own changes are undone. What it asks of rules has 2 s together; its other statements
    /// have no deadline.
    ///
    /// # Errors
    /// What the job gave, or what the database said; a job that is given `Deadline` must fail with it.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, outcome) = Typed::new(job);
        self.database.submit(job)?;
        outcome.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Runs short, bounded reads inline on this thread. Each statement sees the newest commit. What they ask of rules has
    /// 2 s together.
    ///
    /// `job` must not read from the store again inside: the connection it has may be the only one.
    ///
    /// # Errors
    /// What the job gave, or what the database said.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        self.database.read(job)
    }

    /// The same with all statements seeing one commit; `Reader::head` tells which.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn snapshot<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        self.database.snapshot(job)
    }

    /// Runs reads whose cost is not bounded (counts, scans) away from this thread, with a deadline of 2 s.
    ///
    /// # Errors
    /// As [`Store::read`]; `Deadline` when it takes too long, `Busy` when too many wait.
    pub async fn survey<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, outcome) = Typed::new(job);
        self.database.survey(job)?;
        outcome.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// The change log.
    pub fn log(&self) -> Log {
        Log { store: self.clone() }
    }

    /// Whether writes are taken: the disk has room and the last commit succeeded.
    pub fn ready(&self) -> bool {
        self.database.ready()
    }

    /// Takes no more jobs, finishes those taken, checkpoints and closes.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
