//! Passwords that are known to have been stolen somewhere: a file of SHA-1 hashes that an operator may give.
//!
//! One line for each, `HASH:count`, in upper case hexadecimal and sorted, as Have I Been Pwned offers it. The file stays
//! on the disk, however large; one look-up reads some forty pieces of it.

use crate::Error;
use parking_lot::Mutex;
use sha1::{Digest as _, Sha1};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Hexadecimal digits of a hash.
const DIGITS: usize = 40;
/// Longest line in bytes: a hash, a colon, a count, an end.
const LINE_BYTES_MAX: usize = DIGITS + 32;

/// The file.
pub struct Breached {
    file: Mutex<File>,
    bytes: u64,
}

impl Breached {
    /// Opens it and looks at its first and last line.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let breached = Self { file: Mutex::new(file), bytes };
        let first = breached.line_after(0)?;
        let last = breached.line_after(bytes.saturating_sub(LINE_BYTES_MAX as u64))?;
        match (first, last) {
            (Some((first, _)), Some((last, _))) if first <= last => Ok(breached),
            _ => Err(io::Error::new(ErrorKind::InvalidData, "it is no sorted list of lines `SHA-1:count`")),
        }
    }

    /// Whether the password is in it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn contains(&self, password: &str) -> Result<bool, Error> {
        let hash: String =
            Sha1::digest(password.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect();
        self.find(&hash).map_err(Error::internal)
    }

    /// Halves the part of the file in which the line may begin until nothing is left of it.
    fn find(&self, hash: &str) -> io::Result<bool> {
        let (mut from, mut to) = (0, self.bytes);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.line_after(middle)? {
                Some((found, _)) if found == hash => return Ok(true),
                Some((found, end)) if found.as_str() < hash => from = end,
                _ => to = middle,
            }
        }
        Ok(false)
    }

    /// The hash of the first line that begins at or after `offset`, and where the line after it begins.
    fn line_after(&self, offset: u64) -> io::Result<Option<(String, u64)>> {
        // From the byte before: a line may begin exactly at the offset.
        let start = offset.saturating_sub(1);
        let mut piece = Vec::with_capacity(2 * LINE_BYTES_MAX);
        {
            let mut file = self.file.lock();
            file.seek(SeekFrom::Start(start))?;
            (&mut *file).take(2 * LINE_BYTES_MAX as u64).read_to_end(&mut piece)?;
        }
        let skipped = match offset {
            0 => 0,
            _ => match piece.iter().position(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None => return Ok(None),
            },
        };
        let line = piece.get(skipped..).unwrap_or_default();
        if line.is_empty() {
            return Ok(None);
        }
        let length = line.iter().position(|byte| *byte == b'\n').map_or(line.len(), |end| end + 1);
        let hash = line.get(..DIGITS).filter(|_| line.get(DIGITS) == Some(&b':'));
        let hash = hash.and_then(|hash| std::str::from_utf8(hash).ok());
        let hash = hash.filter(|hash| hash.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)));
        match hash {
            Some(hash) => Ok(Some((hash.to_owned(), start + (skipped + length) as u64))),
            None => Err(io::Error::new(ErrorKind::InvalidData, "a line is not `SHA-1:count`")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(lines: &[String], end: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all((lines.join(end) + end).as_bytes()).unwrap();
        file
    }

    fn hashes(passwords: impl Iterator<Item = String>) -> Vec<String> {
        let mut lines: Vec<String> = passwords
            .enumerate()
            .map(|(n, password)| {
                let hash: String =
                    Sha1::digest(password.as_bytes()).iter().map(|b| format!("{b:02X}")).collect();
                format!("{hash}:{}", 10_u64.pow(n as u32 % 8))
            })
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn every_line_is_found_and_nothing_else() {
        for count in [1, 2, 3, 100, 1001] {
            let lines = hashes((0..count).map(|n| format!("stolen {n}")));
            for end in ["\n", "\r\n"] {
                let breached = Breached::open(file(&lines, end).path()).unwrap();
                for n in 0..count {
                    assert!(breached.contains(&format!("stolen {n}")).unwrap(), "{n} of {count}");
                    assert!(!breached.contains(&format!("safe {n}")).unwrap(), "{n} of {count}");
                }
            }
        }
        // As everybody can compute it: the list begins as the published one does.
        let known = vec!["5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824".to_owned()];
        assert!(Breached::open(file(&known, "\n").path()).unwrap().contains("password").unwrap());
    }

    #[test]
    fn a_file_of_another_kind_is_refused_at_the_start() {
        let good = hashes((0..9).map(|n| n.to_string()));
        let mut backwards = good.clone();
        backwards.reverse();
        let plain = vec!["password".to_owned(), "letmein".to_owned()];
        let lower = vec![good[0].to_lowercase()];
        for lines in [backwards, plain, lower, Vec::new()] {
            assert!(Breached::open(file(&lines, "\n").path()).is_err(), "{lines:?}");
        }
        assert!(Breached::open(Path::new("/there/is/none")).is_err());
        assert!(Breached::open(file(&good, "\n").path()).is_ok());
    }
}
