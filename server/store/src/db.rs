//! Opening, reading, writing, closing.

use crate::sqlite::Typed;
use crate::stamp::StampSlot;
use crate::{Error, Log, Node, Reader, Retention, Tx, postgres, sqlite};
use std::fmt;
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

/// Which database.
#[derive(Debug, Clone)]
pub enum Place {
    /// SQLite, in a private temporary folder that goes with the store.
    Memory,
    /// SQLite in a file; its folder must exist.
    File(PathBuf),
    /// A Postgres server.
    Postgres(Postgres),
}

/// A Postgres server and what is taken of it.
#[derive(Clone)]
pub struct Postgres {
    /// `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// Most connections of this process, besides one that listens. At least 2.
    pub connections: u32,
}

impl fmt::Debug for Postgres {
    /// Without the URL, which may hold a password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Postgres").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// Where and how to open.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which database.
    pub place: Place,
    /// Connections for inline reads on SQLite, threads for Postgres; about the number of threads that read. 1..=64.
    pub readers: usize,
    /// Durability on SQLite. Postgres has its own setting, `synchronous_commit`.
    pub synchronous: Synchronous,
    /// How much of the log is kept.
    pub retention: Retention,
    /// Static statements that make the tables of the slices, run once each in order: `(name, sql script)`. Scripts are
    /// written for SQLite, as `STRICT` tables of `TEXT` and `INTEGER`, which are translated for Postgres.
    pub migrations: Vec<(&'static str, &'static str)>,
}

/// The database that runs.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(Arc<sqlite::Database>),
    Postgres(Arc<postgres::Database>),
}

/// A handle to an open database; clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) database: Database,
}

impl Store {
    /// Opens or creates the database, asserts SQLite ≥ 3.51.3, runs the migrations, starts the writer.
    ///
    /// # Errors
    /// When the file cannot be opened, is too new, or is damaged.
    pub async fn open(config: Config) -> Result<Self, Error> {
        let database = match &config.place {
            Place::Postgres(place) => {
                Database::Postgres(Arc::new(postgres::Database::open(&config, place).await?))
            }
            Place::Memory | Place::File(_) => {
                Database::Sqlite(Arc::new(sqlite::Database::open(&config).await?))
            }
        };
        Ok(Self { database })
    }

    /// Opens a database that is there to look at it: nothing is made, changed or tidied, and writes are refused with
    /// `Closed`. Another process may go on writing. The tables are taken to fit `schema`; where they do not, reads fail.
    ///
    /// # Errors
    /// When the file is not there or cannot be read.
    pub async fn open_read_only(config: Config, schema: Arc<Schema>) -> Result<Self, Error> {
        let database = match &config.place {
            Place::Postgres(place) => Database::Postgres(Arc::new(
                postgres::Database::open_read_only(&config, place, schema).await?,
            )),
            Place::Memory | Place::File(_) => {
                Database::Sqlite(Arc::new(sqlite::Database::open_read_only(&config, schema).await?))
            }
        };
        Ok(Self { database })
    }

    /// Makes the tables fit the schema with safe steps only, in one transaction, and logs the change.
    ///
    /// # Errors
    /// `Refused` with every unsafe change; nothing is changed then.
    pub async fn apply(&self, schema: Arc<Schema>) -> Result<(), Error> {
        match &self.database {
            Database::Sqlite(database) => database.apply(schema).await,
            Database::Postgres(database) => database.apply(schema).await,
        }
    }

    /// Reads by a schema that the tables have already, and changes nothing: for tools beside a running server.
    ///
    /// # Errors
    /// `Refused` when the tables have any other shape.
    pub async fn adopt(&self, schema: Arc<Schema>) -> Result<(), Error> {
        match &self.database {
            Database::Sqlite(database) => database.adopt(schema),
            Database::Postgres(database) => database.adopt(schema).await,
        }
    }

    /// Runs `job` in a transaction; the answer comes after the commit. When the job fails, only its own changes are undone.
    /// On SQLite it is grouped with its neighbours, what it asks of rules has 2 s together, and its other statements have no
    /// deadline. On Postgres each statement has 2 s.
    ///
    /// # Errors
    /// What the job gave, or what the database said; a job that is given `Deadline` must fail with it.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let outcome = match &self.database {
            Database::Sqlite(database) => {
                let (job, outcome) = Typed::new(job);
                database.submit(job)?;
                outcome
            }
            Database::Postgres(database) => database.submit(job)?,
        };
        outcome.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Runs short, bounded reads inline on this thread. Each statement sees the newest commit. What they ask of rules has
    /// 2 s together; on Postgres each statement has them.
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
        match &self.database {
            Database::Sqlite(database) => database.read(job),
            Database::Postgres(database) => database.shared.read(job).await,
        }
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
        match &self.database {
            Database::Sqlite(database) => database.snapshot(job),
            Database::Postgres(database) => database.shared.snapshot(job).await,
        }
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
        let outcome = match &self.database {
            Database::Sqlite(database) => {
                let (job, outcome) = Typed::new(job);
                database.survey(job)?;
                outcome
            }
            Database::Postgres(database) => database.survey(job)?,
        };
        outcome.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// The schema that the tables have and changes are read by.
    pub fn schema(&self) -> Arc<Schema> {
        match &self.database {
            Database::Sqlite(database) => Arc::clone(&database.shared.shape.load().schema),
            Database::Postgres(database) => Arc::clone(&database.shared.shape.load().schema),
        }
    }

    /// The change log.
    pub fn log(&self) -> Log {
        Log { store: self.clone() }
    }

    pub(crate) fn stamp_slot(&self) -> &StampSlot {
        match &self.database {
            Database::Sqlite(database) => &database.shared.stamp,
            Database::Postgres(database) => &database.shared.stamp,
        }
    }

    /// Whether writes are taken: the disk has room and the last commit succeeded, or the Postgres is there and its log is
    /// followed.
    pub fn ready(&self) -> bool {
        match &self.database {
            Database::Sqlite(database) => database.ready(),
            Database::Postgres(database) => database.ready(),
        }
    }

    /// The servers that live on this database, oldest first, as of a few seconds ago. None on SQLite, which has one at a time.
    pub fn nodes(&self) -> Arc<Vec<Node>> {
        match &self.database {
            Database::Sqlite(_) => Arc::default(),
            Database::Postgres(database) => database.shared.nodes.load_full(),
        }
    }

    /// Takes no more jobs, finishes those taken, checkpoints and closes.
    pub async fn close(&self) {
        match &self.database {
            Database::Sqlite(database) => database.close().await,
            Database::Postgres(database) => database.close().await,
        }
    }
}
