//! Programs of `tests/parts`, which run beside the server and end with the test.

use crate::PATIENCE;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running program that listens.
pub struct Part {
    _process: Child,
    /// Where.
    pub url: String,
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../parts");
    assert!(folder.join("node_modules").is_dir(), "install the parts first: npm ci in tests/parts");
    folder
}

impl Part {
    /// Starts a program and waits until it listens.
    pub async fn start(program: &str, args: &[&str]) -> Self {
        let mut process = Command::new("node")
            .arg(folder().join(program))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the part listens");
                if let Some(url) = line.strip_prefix("listening on ") {
                    return url.to_owned();
                }
            }
        };
        let url = tokio::time::timeout(PATIENCE * 3, listening).await.expect("the part listens soon");
        // Keep reading, or the program would block once the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { _process: process, url }
    }

    /// Runs a program to its end.
    pub async fn run(program: &str, args: &[&str]) -> Output {
        let run = Command::new("node").arg(folder().join(program)).args(args).kill_on_drop(true).output();
        tokio::time::timeout(PATIENCE * 3, run).await.expect("the part ends").unwrap()
    }
}
