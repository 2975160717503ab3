//! A real mail server with faults: `tests/parts/smtp.mjs`.

use crate::PATIENCE;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A mail server on this machine. It ends with the value.
pub struct MailServer {
    _process: Child,
    told: Arc<Mutex<Vec<Value>>>,
    /// Where it listens.
    pub port: u16,
}

impl MailServer {
    /// Starts one; the flags are those of `smtp.mjs`.
    pub async fn start(flags: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../parts/smtp.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs; `npm ci` in tests/parts brings what it needs");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it starts").unwrap();
        let first: Value = serde_json::from_str(&first.expect("it listens")).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn({
            let told = Arc::clone(&told);
            async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    told.lock().unwrap().push(serde_json::from_str(&line).unwrap());
                }
            }
        });
        Self { _process: process, told, port: u16::try_from(first["port"].as_u64().unwrap()).unwrap() }
    }

    /// The mails that it took.
    pub fn mails(&self) -> Vec<Value> {
        self.told.lock().unwrap().iter().filter(|told| told.get("raw").is_some()).cloned().collect()
    }

    /// Who they were for, in order of the alphabet; a mail that came twice is there twice.
    pub fn recipients(&self) -> Vec<String> {
        let of = |mail: &Value| {
            mail["to"]
                .as_array()
                .unwrap()
                .iter()
                .map(|to| to.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let mut all: Vec<String> = self.mails().iter().flat_map(of).collect();
        all.sort();
        all
    }

    /// How often it did not take a mail for an address.
    pub fn refusals(&self, address: &str) -> usize {
        self.told.lock().unwrap().iter().filter(|told| told["refused"] == address).count()
    }

    /// Waits until mails for exactly these have come: also one that a server took and died with, which another may send once
    /// the time is over that the first had it for itself.
    pub async fn has(&self, recipients: &[&str]) {
        let mut wanted = recipients.to_vec();
        wanted.sort_unstable();
        let end = Instant::now() + PATIENCE * 9;
        while self.recipients() != wanted {
            assert!(Instant::now() < end, "{:?} came, not {wanted:?}", self.recipients());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A certificate of an authority that is made for it: the authority's file, and flags for [`MailServer::start`].
pub fn certificate(folder: &Path) -> (PathBuf, [String; 4]) {
    let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/CN=authority of a test' \
           -keyout ca.key -out ca.pem && \
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout key.pem -out key.csr && \
         printf 'subjectAltName=DNS:localhost' > names && \
         openssl x509 -req -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial -in key.csr -extfile names -out cert.pem";
    let made = std::process::Command::new("sh").args(["-c", make]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    (folder.join("ca.pem"), ["--cert".to_owned(), file("cert.pem"), "--key".to_owned(), file("key.pem")])
}
