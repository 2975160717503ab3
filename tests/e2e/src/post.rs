//! Letters that a server wrote into a folder (`--mail file:…`).

use crate::PATIENCE;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder that a server sends its mail to.
pub struct Post {
    folder: TempDir,
    read: HashSet<PathBuf>,
}

/// A mail, as a person reads it.
#[derive(Debug, Clone)]
pub struct Letter {
    /// All of it, decoded.
    pub text: String,
    /// Of its link, without what the link is for.
    pub token: String,
    /// Where its link leads to, up to `#`.
    pub page: String,
    /// Six digits, if there are any.
    pub code: String,
}

impl Post {
    /// An empty folder.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), read: HashSet::new() }
    }

    /// What the server is told.
    pub fn flags(&self) -> [String; 4] {
        [
            "--mail".to_owned(),
            format!("file:{}", self.folder.path().display()),
            "--mail-from".to_owned(),
            "Post <post@example.test>".to_owned(),
        ]
    }

    /// Letters to an address that were not read yet.
    pub fn now(&mut self, to: &str) -> Vec<Letter> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "eml") && !self.read.contains(path))
            .collect();
        paths.sort();
        let mut found = Vec::new();
        for path in paths {
            let raw = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
            if raw.lines().any(|line| line == format!("To: {to}")) {
                self.read.insert(path);
                found.push(Letter::read(&raw));
            }
        }
        found
    }

    /// The next letter to an address.
    pub async fn next(&mut self, to: &str) -> Letter {
        self.next_of(to, 1).await.remove(0)
    }

    /// The next letters to an address: so many, and no more at that time.
    pub async fn next_of(&mut self, to: &str, count: usize) -> Vec<Letter> {
        let end = Instant::now() + PATIENCE;
        let mut letters = Vec::new();
        while letters.len() < count {
            assert!(
                Instant::now() < end,
                "{} letters to {to} instead of {count}: {letters:?}",
                letters.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            letters.extend(self.now(to));
        }
        assert_eq!(letters.len(), count, "{letters:?}");
        letters
    }
}

impl Letter {
    fn read(raw: &str) -> Self {
        // Quoted-printable (RFC 2045 §6.7), as far as a link needs it.
        let text = raw.replace("\r\n", "\n").replace("=\n", "").replace("=3D", "=");
        let token_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let link = text.split_whitespace().find(|word| word.starts_with("http") && word.contains('#'));
        let (page, rest) = link.and_then(|link| link.split_once('#')).unwrap_or_default();
        let token = rest.split_once('=').map_or("", |(_, token)| token);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let code = words.into_iter().find(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit()));
        Self {
            token: token.chars().take_while(|c| token_char(*c)).collect(),
            page: page.to_owned(),
            code: code.unwrap_or_default().to_owned(),
            text,
        }
    }
}
