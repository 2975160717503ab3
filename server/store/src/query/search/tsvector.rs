//! The forms of Postgres: two columns beside the fields of each record that is searched.
//!
//! `_search_words_…` holds every word of every searched field in order, each with the place of its field before it:
//! ` 0:red 0:lamp 1:a 1:lamp `. It answers exactly: a phrase is a piece of it, a beginning is a piece that goes on. So
//! nothing hangs on what a `tsvector` cannot hold: positions after 16,383, more than 256 of one word, words of 2 KiB.
//! The end of its name stands for which fields have which places. Who still has another schema finds no such column: were
//! it to take one field for another, it would search in what is hidden.
//!
//! `_search_index` holds the same words as lexemes without positions, for a GIN index. It only gathers: never too few
//! records, sometimes too many. Long words are cut, in the index as in the question. A record whose words are too many
//! for a `tsvector` has a lexeme that every question asks for, and is looked at each time.
//!
//! Words come from SQLite's own tokenizer, see `sqlite::words`. They are letters, digits and what is drawn on them:
//! neither a space nor any other sign can stand in one.

use super::super::ddl::fingerprint;
use super::super::writer::Writer;
use super::{Asked, Column};
use stead_rules::search::Term;
use stead_schema::{Collection, Slot, Value};

/// The column of all words in order, quoted.
pub(crate) fn words_column(collection: &Collection) -> String {
    let mut told = String::new();
    if let Some(search) = &collection.search {
        let names = search.fields.iter().filter_map(|field| collection.get(field.slot));
        told = names.fold(format!("{:?}", search.language), |told, field| format!("{told} {}", field.name));
    }
    format!("\"_search_words_{:016x}\"", fingerprint(&told))
}

/// The words that the GIN index knows.
pub(crate) const INDEX: &str = "\"_search_index\"";

/// The lexeme of a record whose words are too many. No word is like it.
const EVERYTHING: &str = "*";

/// Longest lexeme, with the place of its field. No need for more: what is cut is told apart by the words.
const LEXEME_BYTES_MAX: usize = 64;

/// Most bytes of the lexemes of one record. A `tsvector` holds 2^20, but a GIN index takes its time for so many.
const LEXEMES_BYTES_MAX: usize = 262_144;

/// What the two columns of a record hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Indexed {
    pub(crate) words: String,
    /// With a space between them.
    pub(crate) lexemes: String,
}

impl Indexed {
    /// `fields` are the words of each searched field, in the order of the declaration.
    pub(crate) fn of(fields: &[Vec<String>]) -> Self {
        let mut words = " ".to_owned();
        let mut lexemes: Vec<String> = Vec::new();
        for (place, field) in fields.iter().enumerate() {
            for word in field {
                words.push_str(&format!("{place}:{word} "));
                lexemes.push(lexeme(place, word));
            }
        }
        lexemes.sort_unstable();
        lexemes.dedup();
        let bytes: usize = lexemes.iter().map(String::len).sum();
        let lexemes = if bytes > LEXEMES_BYTES_MAX { EVERYTHING.to_owned() } else { lexemes.join(" ") };
        Self { words, lexemes }
    }

    /// The index from lexemes, which is a text with spaces.
    pub(crate) fn from_lexemes(lexemes: &str) -> String {
        format!("array_to_tsvector(string_to_array({lexemes},' '))")
    }
}

/// Whether a write of these fields changes the words.
pub(crate) fn concerns(collection: &Collection, mut slots: impl Iterator<Item = Slot>) -> bool {
    let searched = |slot: Slot| collection.search.iter().flat_map(|s| &s.fields).any(|f| f.slot == slot);
    slots.any(searched)
}

/// Every record that may hold all words in columns that are seen somewhere.
pub(super) fn gathered(w: &mut Writer<'_>, asked: &Asked<'_>) {
    w.raw("t.");
    w.raw(INDEX);
    w.raw(" @@ ");
    w.bind(Value::text(question(asked)));
    w.raw("::tsquery");
}

/// Whether the column holds the term, whose words stand with a space between them.
pub(super) fn holds(w: &mut Writer<'_>, asked: &Asked<'_>, column: &Column<'_>, term: &Term) {
    w.raw("(strpos(t.");
    w.raw(&words_column(asked.collection));
    w.raw(", ");
    w.bind(Value::text(piece(column.place, term)));
    w.raw(") > 0)");
}

/// What stands among the words where the column holds the term.
fn piece(place: usize, term: &Term) -> String {
    let mut piece = words(term).map(|word| format!(" {place}:{word}")).collect::<String>();
    match (piece.is_empty(), term.prefix) {
        // A term without a word is found nowhere.
        (true, _) => EVERYTHING.to_owned(),
        (false, true) => piece,
        (false, false) => {
            piece.push(' ');
            piece
        }
    }
}

fn question(asked: &Asked<'_>) -> String {
    let somewhere = |term: &Term| {
        let columns = asked.columns.iter().map(|column| format!("({})", together(column.place, term)));
        format!("({})", columns.collect::<Vec<_>>().join("|"))
    };
    let wanted: Vec<String> = asked.terms(false).map(somewhere).collect();
    format!("'{EVERYTHING}'|({})", wanted.join("&"))
}

/// The lexemes of a term, all of which a record must have.
fn together(place: usize, term: &Term) -> String {
    let mut lexemes: Vec<String> = words(term).map(|word| format!("'{}'", lexeme(place, word))).collect();
    if let (Some(last), true) = (lexemes.last_mut(), term.prefix) {
        last.push_str(":*");
    }
    if lexemes.is_empty() { format!("'{EVERYTHING}'") } else { lexemes.join("&") }
}

fn words(term: &Term) -> impl Iterator<Item = &str> {
    term.text.split(' ').filter(|word| !word.is_empty())
}

fn lexeme(place: usize, word: &str) -> String {
    let mut lexeme = format!("{place}:{word}");
    lexeme.truncate(lexeme.floor_char_boundary(LEXEME_BYTES_MAX));
    lexeme
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn words_keep_their_order_and_field_and_lexemes_are_cut_but_told_once() {
        let field = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let long = format!("{}\u{e9}", "y".repeat(62));
        let indexed = Indexed::of(&[field("red lamp red"), Vec::new(), field(&long)]);
        assert_eq!(indexed.words, format!(" 0:red 0:lamp 0:red 2:{long} "));
        // The last letter would end at byte 66, and no letter is halved.
        assert_eq!(indexed.lexemes, format!("0:lamp 0:red 2:{}", "y".repeat(62)));
        assert_eq!(Indexed::of(&[]), Indexed { words: " ".to_owned(), lexemes: String::new() });
    }

    #[test]
    fn a_word_that_begins_with_a_digit_is_not_taken_for_one_of_another_field() {
        let mut fields = vec![Vec::new(); 11];
        fields[1] = vec!["0a".to_owned()];
        let first = Indexed::of(&fields);
        let wanted = Term { text: "a".to_owned(), excluded: false, prefix: false };
        assert!(!first.words.contains(&piece(10, &wanted)), "{first:?}");
        assert!(!first.lexemes.contains(&lexeme(10, "a")));
        // Control: where it stands, it is found.
        fields[10] = vec!["a".to_owned()];
        assert!(Indexed::of(&fields).words.contains(&piece(10, &wanted)));
    }

    #[test]
    fn a_record_of_too_many_words_is_gathered_by_every_search() {
        let words = |count: usize| (0..count).map(|n| format!("{n:07}")).collect::<Vec<_>>();
        let most = LEXEMES_BYTES_MAX / 9;
        assert_eq!(Indexed::of(&[words(most + 1)]).lexemes, EVERYTHING);
        assert_ne!(Indexed::of(&[words(most)]).lexemes, EVERYTHING, "control");
        assert_eq!(Indexed::of(&[words(most + 1)]).words.len(), (most + 1) * 10 + 1);
    }
}
