//! A copy of what a server keeps, made and put back by other means than its own.

use crate::Server;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The copy. It ends with the value, but for one that Postgres keeps.
pub enum Backup {
    /// The files of SQLite.
    Files(TempDir),
    /// The name of a database beside the server's.
    Database(String),
}

impl Backup {
    /// Copies what a server has, which must have ended. Blocks.
    pub fn of(server: &Server) -> Self {
        match server.database() {
            None => {
                let copy = TempDir::new().unwrap();
                copy_all(&server.data(), copy.path());
                Self::Files(copy)
            }
            Some(database) => {
                let name = name(&database);
                let copy = format!("{name}_copy");
                disconnect(&name);
                psql(&[
                    &format!("DROP DATABASE IF EXISTS {copy}"),
                    &format!("CREATE DATABASE {copy} TEMPLATE {name}"),
                ]);
                Self::Database(copy)
            }
        }
    }

    /// Puts the copy in the place of what the server has. One on SQLite must have ended. Blocks.
    pub fn restore(&self, server: &Server) {
        match (self, server.database()) {
            (Self::Files(copy), _) => {
                std::fs::remove_dir_all(server.data()).unwrap();
                copy_all(copy.path(), &server.data());
            }
            (Self::Database(copy), Some(database)) => {
                let name = name(&database);
                let fresh = format!("{name}_fresh");
                psql(&[
                    &format!("CREATE DATABASE {fresh} TEMPLATE {copy}"),
                    &format!("DROP DATABASE {name} WITH (FORCE)"),
                    &format!("ALTER DATABASE {fresh} RENAME TO {name}"),
                ]);
            }
            (Self::Database(_), None) => panic!("the copy is of another server"),
        }
    }
}

fn name(database: &str) -> String {
    let (path, _) = database.split_once('?').unwrap_or((database, ""));
    path.rsplit('/').next().unwrap().to_owned()
}

/// A pooler may hold connections after the server's end.
fn disconnect(name: &str) {
    psql(&[&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname='{name}'")]);
}

fn psql(statements: &[&str]) {
    let server = std::env::var("STEAD_TEST_POSTGRES").expect("STEAD_TEST_POSTGRES names the server");
    for statement in statements {
        let said = Command::new("psql").args([&server, "-qc", statement]).output().unwrap();
        assert!(said.status.success(), "{statement}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).unwrap();
        }
    }
}
