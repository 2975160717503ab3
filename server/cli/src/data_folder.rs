//! The data folder and the key beside it, made on first use and readable by their owner only.

use anyhow::{Context, bail};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use stead_engine::Random;
use stead_engine::ctx::SystemRandomness;
use stead_store::{Place, Postgres};

/// Where a server keeps what must last.
pub(crate) struct DataFolder {
    root: PathBuf,
    /// Where the records are.
    pub(crate) place: Place,
    /// Protects secrets at rest.
    pub(crate) master_key: [u8; 32],
    /// The key's file, if it was made just now.
    pub(crate) made_key: Option<PathBuf>,
}

impl DataFolder {
    /// Opens the folder and its key, making either when it is not there.
    pub(crate) fn open(args: &crate::args::Data) -> anyhow::Result<Self> {
        let root = &args.data;
        let place = place(args);
        let existed = matches!(&place, Place::File(file) if file.exists());
        make_private(root).with_context(|| format!("cannot make the data folder {}", root.display()))?;
        let file = args.master_key.clone().unwrap_or_else(|| beside(root));
        let (master_key, made) = key(&file, existed)?;
        Ok(Self { root: root.clone(), place, master_key, made_key: made.then_some(file) })
    }

    /// The same with another key.
    pub(crate) fn with_master_key(self, master_key: [u8; 32]) -> Self {
        Self { master_key, ..self }
    }

    /// Takes the folder for one server, for as long as the value lives. Two servers over one file would each number
    /// changes and remember sessions without the other. Any number of them may share a Postgres.
    pub(crate) fn occupy(&self) -> anyhow::Result<Option<File>> {
        if matches!(self.place, Place::Postgres(_)) {
            return Ok(None);
        }
        let path = self.root.join("stead.lock");
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {
                bail!("another server runs on the data folder {}", self.root.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

fn place(args: &crate::args::Data) -> Place {
    match &args.database {
        None => Place::File(args.data.join("stead.db")),
        Some(url) => Place::Postgres(Postgres { url: url.clone(), connections: args.database_connections }),
    }
}

/// The key lies outside the folder, so that a copy of the folder alone gives no secret away.
fn beside(root: &Path) -> PathBuf {
    let mut name = root.file_name().unwrap_or_default().to_os_string();
    name.push(".master.key");
    root.with_file_name(name)
}

fn make_private(root: &Path) -> std::io::Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(root)
}

fn key(file: &Path, data_exists: bool) -> anyhow::Result<([u8; 32], bool)> {
    match fs::read_to_string(file) {
        Ok(text) => match from_hex(text.trim()) {
            Some(key) => Ok((key, false)),
            None => bail!("{} is no master key: it must hold 64 hexadecimal digits", file.display()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound && data_exists => bail!(
            "the master key {} is missing, but the data folder is in use: put the key back, its secrets cannot be read without it",
            file.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((make_key(file)?, true)),
        Err(error) => Err(error).with_context(|| format!("cannot read the master key {}", file.display())),
    }
}

/// The key in a file, or a fresh one that is written there.
pub(crate) fn new_master_key(file: &Path) -> anyhow::Result<[u8; 32]> {
    Ok(key(file, false)?.0)
}

fn make_key(file: &Path) -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    SystemRandomness::default().fill(&mut key)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out =
        options.open(file).with_context(|| format!("cannot make the master key {}", file.display()))?;
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "{hex}")?;
    out.sync_all()?;
    Ok(key)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).filter_map(|pair| Some(pair.first()? * 16 + pair.last()?)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::args::Data;

    fn args(outside: &Path) -> Data {
        Data { data: outside.join("data"), master_key: None, database: None, database_connections: 20 }
    }

    #[test]
    fn the_key_is_made_once_beside_the_folder_and_kept_private() {
        let outside = tempfile::tempdir().unwrap();
        let args = args(outside.path());
        let first = DataFolder::open(&args).unwrap();
        assert_eq!(first.made_key, Some(outside.path().join("data.master.key")));
        let again = DataFolder::open(&args).unwrap();
        assert_eq!((again.master_key, again.made_key), (first.master_key, None));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(outside.path().join("data.master.key")), 0o600);
            assert_eq!(mode(outside.path().join("data")), 0o700);
        }
    }

    #[test]
    fn one_server_at_a_time_has_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&args(outside.path())).unwrap();
        let first = folder.occupy().unwrap();
        assert!(folder.occupy().unwrap_err().to_string().contains("another server"));
        drop(first);
        assert!(folder.occupy().is_ok());
    }

    #[test]
    fn data_without_its_key_is_not_given_a_new_one() {
        let outside = tempfile::tempdir().unwrap();
        let args = args(outside.path());
        fs::create_dir(&args.data).unwrap();
        fs::write(args.data.join("stead.db"), "").unwrap();
        assert!(DataFolder::open(&args).is_err());
        assert!(!outside.path().join("data.master.key").exists());
    }

    #[test]
    fn a_file_that_is_no_key_is_refused() {
        for text in ["", "xyz", &"0".repeat(63), &"g".repeat(64), &"é".repeat(64)] {
            assert_eq!(from_hex(text), None, "{text}");
        }
        assert_eq!(from_hex(&"0f".repeat(32)), Some([15; 32]));
    }
}
