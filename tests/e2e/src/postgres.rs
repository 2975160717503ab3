//! A Postgres of a test's own, to be broken at will.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A Postgres that keeps what was committed. It ends with the value.
pub struct Postgres {
    parent: TempDir,
    /// `postgres:///postgres?host=…`
    pub url: String,
}

impl Postgres {
    /// Starts one, or `None` where the tests are run without Postgres: `STEAD_TEST_POSTGRES` names none.
    pub fn start() -> Option<Self> {
        if std::env::var("STEAD_TEST_POSTGRES").is_ok_and(|url| !url.is_empty()) {
            // Short, because the name of a socket may have no more than 107 bytes; and its owner may be another user.
            let parent = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(parent.path(), open).unwrap();
            let url = script(&["start", path(&parent.path().join("c")), "durable"]);
            return Some(Self { parent, url });
        }
        let all = ["STEAD_TEST_ALL", "CI"].into_iter().find(|name| std::env::var_os(name).is_some());
        assert!(
            all.is_none(),
            "STEAD_TEST_POSTGRES names no database, and {} is set",
            all.unwrap_or_default()
        );
        None
    }

    fn folder(&self) -> PathBuf {
        self.parent.path().join("c")
    }

    /// The Unix socket it listens on.
    pub fn socket(&self) -> PathBuf {
        self.folder().join(".s.PGSQL.5432")
    }

    /// Ends it without a chance to tidy up and starts it again, as after a power cut. Blocks.
    pub fn crash(&self) {
        script(&["crash", path(&self.folder())]);
    }

    /// What a statement answers, one row a line. Blocks.
    pub fn ask(&self, sql: &str) -> String {
        let said = self.psql().args(["-c", sql]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    /// A session that takes statements from its input.
    pub fn psql(&self) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1"]).arg(&self.url);
        psql
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        script(&["stop", path(&self.folder())]);
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `tests/postgres.sh`; what it prints.
fn script(words: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../postgres.sh");
    let ran = Command::new("bash").arg(script).args(words).output().unwrap();
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}
