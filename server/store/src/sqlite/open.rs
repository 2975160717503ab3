//! How connections are opened: durability, limits, and which SQLite is good enough.

use crate::db::Place as Where;
use crate::sqlite::handle::Handle;
use crate::{Config, Error, Synchronous};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// 3.51.3: the first with the fix of the WAL-reset race that could corrupt a database under concurrent checkpoints.
const VERSION_MIN: i32 = 3_051_003;

/// Waiting for a lock that another process holds (a backup tool, a shell), in milliseconds.
pub(crate) const BUSY_MS_MAX: u64 = 5_000;

/// The WAL size at which SQLite copies it into the file after a commit, in pages of 4 KiB: 16 MiB.
const AUTOCHECKPOINT_PAGES: &str = "4096";

/// Where the database is, and what to remove at the end.
pub(crate) struct Place {
    /// The database file.
    pub(crate) file: PathBuf,
    folder: Option<PathBuf>,
}

impl Place {
    /// The configured file, or one of our own for a database that ends with the store.
    ///
    /// A database in memory is a file in a private temporary folder, not `:memory:`: each `:memory:` connection has a
    /// database of its own, and a shared cache locks tables where WAL lets readers pass. So tests see what users see.
    ///
    /// # Errors
    /// When no folder can be made.
    pub(crate) fn of(config: &Config) -> Result<Self, Error> {
        if let Where::File(file) = &config.place {
            return Ok(Self { file: file.clone(), folder: None });
        }
        // Never a name that was used before: a connection of a store that is gone may still be closing, and what it
        // removes, it removes by name.
        let name = format!("stead-{:016x}", RandomState::new().hash_one(std::process::id()));
        let folder = std::env::temp_dir().join(name);
        private_folder(&folder).map_err(|error| Error::Database(format!("{}: {error}", folder.display())))?;
        Ok(Self { file: folder.join("stead.db"), folder: Some(folder) })
    }

    /// The write-ahead log beside the database.
    pub(crate) fn wal(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push("-wal");
        PathBuf::from(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // Best effort: the system empties its temporary folder.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir(folder)
}

/// Refuses a SQLite that is too old to be trusted with data.
///
/// # Errors
/// With the version found and the one needed.
pub(crate) fn assert_version() -> Result<(), Error> {
    let found = rusqlite::version_number();
    if found >= VERSION_MIN {
        return Ok(());
    }
    let text = format!(
        "SQLite {} is linked, but 3.51.3 or newer is needed: build with the bundled one",
        rusqlite::version()
    );
    Err(Error::Database(text))
}

/// The connection that writes; makes the file.
///
/// # Errors
/// When the file cannot be opened or is no database.
pub(crate) async fn writer(place: &Place, config: &Config) -> Result<Handle, Error> {
    let synchronous = match (config.synchronous, &config.place) {
        // Nothing is left to survive a power cut.
        (_, Where::Memory) => SqliteSynchronous::Off,
        (Synchronous::Full, _) => SqliteSynchronous::Full,
        (Synchronous::Normal, _) => SqliteSynchronous::Normal,
    };
    let options = common(&place.file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .pragma("wal_autocheckpoint", AUTOCHECKPOINT_PAGES);
    Handle::open(&options).await
}

/// A connection that reads.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) async fn reader(place: &Place) -> Result<Handle, Error> {
    Handle::open(&common(&place.file).pragma("query_only", "ON")).await
}

/// A connection that reads a database that others may be writing, and leaves it as it is.
///
/// # Errors
/// When the file is not there or cannot be opened.
pub(crate) async fn onlooker(place: &Place) -> Result<Handle, Error> {
    Handle::open(&common(&place.file).read_only(true)).await
}

fn common(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(Duration::from_millis(BUSY_MS_MAX))
        .pragma("cache_size", "-16000")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}
