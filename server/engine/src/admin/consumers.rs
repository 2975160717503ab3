//! Consumers: programs outside that take every change of every record, in order, at their own pace.
//!
//! What a consumer has not acknowledged is kept for it, up to the bounds of the log. It sees all fields of all records,
//! so consumers are for operators.

use super::{audit, operator};
use crate::scopes::Area;
use crate::{Catalogue, Ctx, Error, limits};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;
use stead_schema::{SlotSet, encode};
use stead_store::{Change, ChangeKind, Consumer, Eras, Stretch, Tx};
use stead_wire::admin::{Acknowledgement, ChangesQuery, ConsumerStart, StartAt};
use stead_wire::{Code, FieldProblem, Instant};

/// How long a server may be behind another.
const PUBLISHED_MAX: Duration = Duration::from_secs(2);

/// Where a consumer stands, as it is told: a position and the era it was given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    seq: u64,
    era: u32,
}

impl Place {
    fn of(seq: u64, eras: &Eras) -> Self {
        Self { seq, era: eras.at(seq) }
    }

    fn parse(text: &str) -> Option<Self> {
        let (seq, era) = text.split_once('.')?;
        Some(Self { seq: seq.parse().ok()?, era: u32::from_str_radix(era, 16).ok()? })
    }

    fn text(self) -> String {
        format!("{}.{:x}", self.seq, self.era)
    }
}

/// Every consumer: `{items: [consumer]}`.
///
/// # Errors
/// `token_required`, `forbidden` for anybody but an operator.
pub async fn consumers(cx: &Ctx) -> Result<Json, Error> {
    operator(cx, Area::Consumers)?;
    let (head, eras) = cx.project.store().log().place();
    let items: Vec<Json> =
        all_consumers(cx).await?.iter().map(|consumer| shown(consumer, head, &eras)).collect();
    Ok(json!({ "items": items }))
}

/// One consumer: `{name, cursor, behind, acknowledged_at, lost_at}`.
///
/// # Errors
/// `record_not_found`, and as [`consumers`].
pub async fn consumer(cx: &Ctx, name: &str) -> Result<Json, Error> {
    operator(cx, Area::Consumers)?;
    let (head, eras) = cx.project.store().log().place();
    Ok(shown(&named(cx, name).await?, head, &eras))
}

/// Adds a consumer, which takes what changes from now on, or everything that is still there. One that is there already stays
/// as it is.
///
/// # Errors
/// `field_invalid` for a name that is none, `limit_exceeded` when there are too many; and as [`consumers`].
pub async fn add_consumer(cx: &Ctx, name: &str, start: ConsumerStart) -> Result<Json, Error> {
    let actor = operator(cx, Area::Consumers)?.actor();
    check_name(name)?;
    let log = cx.project.store().log();
    let position = match start.from {
        StartAt::Now => log.place().0,
        StartAt::Oldest => log.tail().await?,
    };
    let (name_of, at) = (name.to_owned(), cx.now.us());
    let job = async move |tx: &mut Tx<'_>| {
        tx.hold("consumers").await?;
        let there = tx.consumers().await?;
        if there.iter().any(|consumer| consumer.name == name_of) {
            return Ok(());
        }
        if there.len() >= limits::CONSUMERS_MAX {
            let detail = format!("There are {} consumers already; remove one.", limits::CONSUMERS_MAX);
            return Err(Error::with(Code::LimitExceeded, detail));
        }
        tx.add_consumer(&name_of, position, at).await?;
        audit(tx, &actor, "consumers.add", &format!("consumers/{name_of}"), at).await
    };
    cx.project.store().write(job).await?;
    consumer(cx, name).await
}

/// Takes a consumer away. What was kept for it alone is forgotten.
///
/// # Errors
/// As [`consumer`].
pub async fn remove_consumer(cx: &Ctx, name: &str) -> Result<(), Error> {
    let actor = operator(cx, Area::Consumers)?.actor();
    let (name, at) = (name.to_owned(), cx.now.us());
    let job = async move |tx: &mut Tx<'_>| {
        if !tx.remove_consumer(&name).await? {
            return Err(unknown(&name));
        }
        audit(tx, &actor, "consumers.remove", &format!("consumers/{name}"), at).await
    };
    cx.project.store().write(job).await
}

/// The next changes of records after what the consumer has acknowledged, or after `cursor`: `{items: [{cursor, op,
/// collection, id, version, before, after, actor, at}], cursor, more}`. Waits up to `wait` seconds for the first.
///
/// # Errors
/// `consumer_lost` when changes after its place are gone, `cursor_invalid`, `bad_request` for numbers out of range; and
/// as [`consumer`].
pub async fn changes(cx: &Ctx, name: &str, query: &ChangesQuery) -> Result<Vec<u8>, Error> {
    operator(cx, Area::Consumers)?;
    let limit = query.limit.unwrap_or(limits::CHANGES_PAGE) as usize;
    let mut place = begin(cx, name, query.cursor.as_deref()).await?;
    let log = cx.project.store().log();
    let mut head = log.head();
    let end = tokio::time::Instant::now() + Duration::from_secs(u64::from(query.wait.unwrap_or(0)));
    loop {
        head.mark_unchanged();
        let page = read(cx, place, limit).await?;
        place = page.end;
        let over = page.more || !page.items.is_empty() || tokio::time::Instant::now() >= end;
        if over || !wait(cx, &mut head, end).await {
            return Ok(page.into_json());
        }
    }
}

/// Remembers that a consumer has taken everything up to a cursor that it was given; the consumer then. To acknowledge
/// less than before changes nothing.
///
/// # Errors
/// `cursor_invalid`, `consumer_lost`; and as [`consumer`].
pub async fn acknowledge(cx: &Ctx, name: &str, body: Acknowledgement) -> Result<Json, Error> {
    operator(cx, Area::Consumers)?;
    let consumer = named(cx, name).await?;
    let place = Place::parse(&body.cursor).ok_or_else(no_cursor)?;
    check_place(cx, place).await?;
    if consumer.lost.is_some() {
        return Err(lost());
    }
    let (name_of, at) = (name.to_owned(), cx.now.us());
    let job =
        async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.advance_consumer(&name_of, place.seq, at).await?);
    cx.project.store().write(job).await?;
    self::consumer(cx, name).await
}

/// Where reading begins, if nothing after it is gone.
async fn begin(cx: &Ctx, name: &str, cursor: Option<&str>) -> Result<Place, Error> {
    let consumer = named(cx, name).await?;
    if consumer.lost.is_some() {
        return Err(lost());
    }
    let Some(text) = cursor else {
        return Ok(Place::of(consumer.position, &cx.project.store().log().eras()));
    };
    let place = Place::parse(text).ok_or_else(no_cursor)?;
    check_place(cx, place).await?;
    Ok(place)
}

/// Whether the log leads to a place that a consumer was given. Another server may have given it, which was further ahead.
async fn check_place(cx: &Ctx, place: Place) -> Result<(), Error> {
    let log = cx.project.store().log();
    let mut head = log.head();
    // One that is never reached was lost, or made up.
    let _ = tokio::time::timeout(PUBLISHED_MAX, head.wait_for(|head| *head >= place.seq)).await;
    let (head, eras) = log.place();
    if Place::of(place.seq, &eras) != place {
        return Err(cut());
    }
    if place.seq > head {
        return Err(no_cursor());
    }
    Ok(())
}

/// Some changes, and where the log was read to.
struct Read {
    items: Vec<u8>,
    end: Place,
    /// There may be more behind them.
    more: bool,
}

impl Read {
    fn into_json(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.items.len() + 64);
        out.extend_from_slice(b"{\"items\":[");
        out.extend_from_slice(&self.items);
        out.extend_from_slice(b"],\"cursor\":\"");
        out.extend_from_slice(self.end.text().as_bytes());
        out.extend_from_slice(if self.more { b"\",\"more\":true}" } else { b"\",\"more\":false}" });
        out
    }
}

/// Changes after a place: at most `limit` lines of the log, and few enough bytes for one answer.
async fn read(cx: &Ctx, place: Place, limit: usize) -> Result<Read, Error> {
    let log = cx.project.store().log();
    let Stretch { eras, changes } = log.after(place.seq, limit).await?;
    if Place::of(place.seq, &eras) != place {
        return Err(cut());
    }
    // Asked for afterwards: what was still there then was there when the changes were read.
    if place.seq < log.tail().await? {
        return Err(lost());
    }
    let catalogue = cx.project.catalogue();
    let (mut items, mut end, mut more) = (Vec::new(), place, changes.len() == limit);
    for change in &changes {
        if items.len() > limits::CHANGES_BYTES {
            more = true;
            break;
        }
        end = Place::of(change.seq, &eras);
        append(&mut items, &catalogue, change, end);
    }
    Ok(Read { items, end, more })
}

/// Appends a change of a record as JSON; nothing for others.
fn append(out: &mut Vec<u8>, catalogue: &Catalogue, change: &Change, place: Place) {
    let ChangeKind::Record { collection, id, version, before, after } = &change.kind else { return };
    let Some(collection) = catalogue.schema.get(*collection) else { return };
    let op = match (before, after) {
        (None, _) => "create",
        (Some(_), Some(_)) => "update",
        (Some(_), None) => "delete",
    };
    let line = json!({
        "cursor": place.text(),
        "op": op,
        "collection": collection.name,
        "id": &**id,
        "version": version,
        "actor": change.actor.as_deref(),
        "at": Instant(change.at).to_string(),
    });
    if !out.is_empty() {
        out.push(b',');
    }
    let mut text = line.to_string();
    text.pop();
    out.extend_from_slice(text.as_bytes());
    for (name, row) in [("before", before), ("after", after)] {
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        match row {
            Some(row) => {
                let all = SlotSet::ALL;
                encode::open_record(collection, row, all, out);
                encode::close(out);
            }
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
}

/// Waits for the log to go on; false when the time is over or the server ends.
async fn wait(cx: &Ctx, head: &mut tokio::sync::watch::Receiver<u64>, end: tokio::time::Instant) -> bool {
    tokio::select! {
        changed = head.changed() => changed.is_ok(),
        () = tokio::time::sleep_until(end) => false,
        () = cx.project.hub().ends() => false,
    }
}

fn shown(consumer: &Consumer, head: u64, eras: &Arc<Eras>) -> Json {
    json!({
        "name": consumer.name,
        "cursor": Place::of(consumer.position, eras).text(),
        "behind": head.saturating_sub(consumer.position),
        "acknowledged_at": Instant(consumer.seen).to_string(),
        "lost_at": consumer.lost.map(|at| Instant(at).to_string()),
    })
}

/// Every consumer as the store knows it, for the counters of the server; whoever asks.
///
/// # Errors
/// When the database fails.
pub async fn all_consumers(cx: &Ctx) -> Result<Vec<Consumer>, Error> {
    cx.project.store().read(async |reader| Ok::<_, Error>(reader.consumers().await?)).await
}

async fn named(cx: &Ctx, name: &str) -> Result<Consumer, Error> {
    let found = all_consumers(cx).await?.into_iter().find(|consumer| consumer.name == name);
    found.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    Error::with(Code::RecordNotFound, format!("There is no consumer `{name}`."))
}

fn no_cursor() -> Error {
    Error::with(Code::CursorInvalid, "This is no cursor that a consumer was given.")
}

fn lost() -> Error {
    Error::with(Code::ConsumerLost, "Changes that the consumer has not taken are forgotten.")
}

fn cut() -> Error {
    Error::with(Code::ConsumerLost, "The database has lost changes that the consumer was given.")
}

/// Lower-case letters, digits, `_` and `-`.
fn check_name(name: &str) -> Result<(), Error> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if (1..=limits::CONSUMER_NAME_MAX).contains(&name.len()) && name.chars().all(letter) {
        return Ok(());
    }
    let text = format!(
        "A name has 1 to {} characters: lower-case letters, digits, `_` and `-`.",
        limits::CONSUMER_NAME_MAX
    );
    let problem = FieldProblem::of_field("name", "pattern", text);
    Err(Error { fields: vec![problem], ..Error::new(Code::FieldInvalid) })
}
