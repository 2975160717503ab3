//! The words of a text as SQLite's full-text index splits, folds and stems them, told by such an index.
//!
//! Postgres' index of words must hold the same words, or a search would answer otherwise there. Its own parsers split
//! otherwise, and a tokenizer written again would have to follow every table of letters and every step of the stems. So
//! the tokenizer is asked that SQLite itself uses: an index in memory takes the texts, and `fts5vocab` tells what it
//! holds. That costs some 0.1 ms a time and 0.3 s for a million letters and more; a write to Postgres costs more than
//! the first, and the second is rare.

use super::errors::from_sqlite;
use crate::Error;
use crate::query::ddl;
use parking_lot::Mutex;
use rusqlite::Connection;
use stead_schema::Language;

/// Splits texts into words. Who asks waits for who asked before.
#[derive(Default)]
pub(crate) struct Splitter(Mutex<Option<Connection>>);

impl Splitter {
    /// The words of each text, in order.
    ///
    /// # Errors
    /// When SQLite fails in memory.
    pub(crate) fn split(&self, language: Language, texts: &[&str]) -> Result<Vec<Vec<String>>, Error> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let mut kept = self.0.lock();
        let connection = match &mut *kept {
            Some(connection) => connection,
            none => none.insert(open()?),
        };
        split(connection, language, texts).map_err(from_sqlite)
    }
}

fn open() -> Result<Connection, Error> {
    let connection = Connection::open_in_memory().map_err(from_sqlite)?;
    for language in [Language::Simple, Language::English] {
        let (name, tokenizer) = (name(language), ddl::tokenizer(language));
        let make = format!(
            "CREATE VIRTUAL TABLE {name} USING fts5(text, content='', tokenize='{tokenizer}');
             CREATE VIRTUAL TABLE {name}_words USING fts5vocab({name}, instance)"
        );
        connection.execute_batch(&make).map_err(from_sqlite)?;
    }
    Ok(connection)
}

fn name(language: Language) -> &'static str {
    match language {
        Language::Simple => "simple",
        Language::English => "english",
    }
}

fn split(
    connection: &mut Connection,
    language: Language,
    texts: &[&str],
) -> rusqlite::Result<Vec<Vec<String>>> {
    let name = name(language);
    // Undone at the end, whatever comes: the next one finds the index empty.
    let within = connection.transaction()?;
    let mut insert = within.prepare_cached(&format!("INSERT INTO {name}(rowid,text) VALUES(?1,?2)"))?;
    for (number, text) in (0i64..).zip(texts) {
        insert.execute((number, text))?;
    }
    let mut told: Vec<(i64, i64, String)> = Vec::new();
    let mut words = within.prepare_cached(&format!("SELECT doc,offset,term FROM {name}_words"))?;
    let mut rows = words.query([])?;
    while let Some(row) = rows.next()? {
        told.push((row.get(0)?, row.get(1)?, row.get(2)?));
    }
    told.sort_unstable();
    let mut found = vec![Vec::new(); texts.len()];
    for (number, _, word) in told {
        if let Some(words) = usize::try_from(number).ok().and_then(|number| found.get_mut(number)) {
            words.push(word);
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Words that are stored in Postgres: should a new SQLite split otherwise, its indexes must be made anew.
    #[test]
    fn texts_are_split_and_folded_as_they_were_when_indexes_were_made() {
        let splitter = Splitter::default();
        for (text, simple) in [
            ("", ""),
            (" -- !? \u{301}", ""),
            ("Re-use, lamp's x_y a.b@c.de http://h/p?q=1", "re use lamp s x y a b c de http h p q 1"),
            ("Crème BRÛLÉE Żelazna ﬁ ß ẞ", "creme brulee zelazna ﬁ ß ß"),
            ("e\u{301}a x\u{301}\u{302}y", "ea xy"),
            ("İstanbul ısı ΣΊΣΥΦΟΣ ς", "istanbul ısı σίσυφοσ σ"),
            ("Ёлка Київ йод и\u{306}", "ёлка київ йод и"),
            ("中文字 かな 한국어 ภาษาไทย", "中文字 かな 한국어 ภาษาไทย"),
            ("क्षि أُمّ", "क ष أ م"),
            ("𝔘𝔫𝔦 𐐀 👍a1👍 ½ ² Ⅷ ٣", "𝔘𝔫𝔦 𐐨 a1 ½ ² ⅷ ٣"),
            ("a\u{200d}b\u{ad}c\u{e000}d\u{feff}e", "a b c\u{e000}d e"),
        ] {
            let found = splitter.split(Language::Simple, &[text]).unwrap();
            assert_eq!(found, [simple.split_whitespace().collect::<Vec<_>>()], "{text:?}");
        }
        let english =
            splitter.split(Language::English, &["Running lamps, generalizations", "ran", ""]).unwrap();
        assert_eq!(english, [vec!["run", "lamp", "gener"], vec!["ran"], vec![]]);
        assert_eq!(splitter.split(Language::English, &[]).unwrap(), Vec::<Vec<String>>::new());
    }
}
