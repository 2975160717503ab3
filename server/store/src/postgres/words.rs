//! The words of records and of searches, as the index of words on Postgres has them.

use crate::postgres::cells::{self, Params};
use crate::postgres::errors::from_sqlx;
use crate::postgres::pool::Link;
use crate::postgres::statement;
use crate::query::tsvector::{INDEX, Indexed, words_column};
use crate::sqlite::words::Splitter;
use crate::texts::quoted;
use crate::{Error, Select, Words};
use stead_rules::search::Term;
use stead_schema::{Collection, Field, Search, Value};

/// Records of one statement while an index is filled.
const FILL_RECORDS: i64 = 100;

/// What the index is to know of a record.
///
/// # Errors
/// As [`Splitter::split`].
pub(crate) fn of_row(splitter: &Splitter, collection: &Collection, row: &[Value]) -> Result<Indexed, Error> {
    let Some(search) = &collection.search else { return Ok(Indexed::of(&[])) };
    let text = |slot: usize| row.get(slot).and_then(Value::as_text).unwrap_or_default();
    let texts: Vec<&str> = search.fields.iter().map(|field| text(field.slot.index())).collect();
    Ok(Indexed::of(&splitter.split(search.language, &texts)?))
}

/// The terms of a search, each as its words with a space between them; none for a select without a search.
///
/// # Errors
/// As [`Splitter::split`].
pub(crate) fn of_terms(splitter: &Splitter, select: &Select<'_>) -> Result<Vec<Term>, Error> {
    let (Some(words), Some(search)) = (&select.words, &select.collection.search) else {
        return Ok(Vec::new());
    };
    let texts: Vec<&str> = words.terms.iter().map(|term| term.text.as_str()).collect();
    let split = splitter.split(search.language, &texts)?;
    let said = |(term, words): (&Term, Vec<String>)| Term { text: words.join(" "), ..*term };
    Ok(words.terms.iter().zip(split).map(said).collect())
}

/// The select with its terms as [`of_terms`] gives them.
pub(crate) fn said<'a>(select: &Select<'a>, terms: &'a [Term]) -> Select<'a> {
    Select { words: select.words.map(|words| Words { terms, ..words }), ..*select }
}

/// Tells the index what is in the records that are there, some at a time, in the transaction that is open.
///
/// # Errors
/// What the database says.
pub(crate) async fn fill(link: &mut Link, collection: &Collection) -> Result<(), Error> {
    let Some(search) = &collection.search else { return Ok(()) };
    let fields: Vec<&Field> = search.fields.iter().filter_map(|field| collection.get(field.slot)).collect();
    let mut last = String::new();
    loop {
        let records = after(link, collection, &fields, &last).await?;
        let Some((id, _)) = records.last() else { return Ok(()) };
        last.clone_from(id);
        let indexed = indexed(link.splitter(), search, &records)?;
        store(link, collection, &records, indexed).await?;
    }
}

/// An id and the texts of the searched fields.
type Record = (String, Vec<String>);

async fn after(
    link: &mut Link,
    collection: &Collection,
    fields: &[&Field],
    last: &str,
) -> Result<Vec<Record>, Error> {
    let texts: String = fields.iter().map(|field| format!(",{}", quoted(&field.name))).collect();
    let table = quoted(&collection.name);
    let text = format!("SELECT \"id\"{texts} FROM {table} WHERE \"id\">$1 ORDER BY \"id\" LIMIT $2");
    let mut params = Params::default();
    params.text(Some(last))?;
    params.add(FILL_RECORDS)?;
    let rows = statement::rows(link, text, params).await.map_err(from_sqlx)?;
    let record = |row| {
        let text = |at| Ok::<_, Error>(cells::get::<String>(row, at)?.unwrap_or_default());
        Ok((text(0)?, (1..=fields.len()).map(text).collect::<Result<_, _>>()?))
    };
    rows.iter().map(record).collect()
}

fn indexed(splitter: &Splitter, search: &Search, records: &[Record]) -> Result<Vec<Indexed>, Error> {
    let texts: Vec<&str> = records.iter().flat_map(|(_, texts)| texts.iter().map(String::as_str)).collect();
    let split = splitter.split(search.language, &texts)?;
    Ok(split.chunks(search.fields.len().max(1)).map(Indexed::of).collect())
}

async fn store(
    link: &mut Link,
    collection: &Collection,
    records: &[Record],
    indexed: Vec<Indexed>,
) -> Result<(), Error> {
    let text = format!(
        "UPDATE {} t SET {}=f.words,{INDEX}={} FROM unnest($1::text[],$2::text[],$3::text[]) \
         AS f(id,words,lexemes) WHERE t.\"id\"=f.id",
        quoted(&collection.name),
        words_column(collection),
        Indexed::from_lexemes("f.lexemes"),
    );
    let (words, lexemes): (Vec<String>, Vec<String>) =
        indexed.into_iter().map(|indexed| (indexed.words, indexed.lexemes)).unzip();
    let mut params = Params::default();
    params.add(records.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())?;
    params.add(words)?;
    params.add(lexemes)?;
    statement::run(link, text, params).await.map(|_| ()).map_err(from_sqlx)
}
