//! The audit trail: who did what to whom, so that nobody can change it unseen.
//!
//! Each row carries a proof, made in the transaction that writes it with a secret that the database does not hold: a row
//! that somebody else wrote, or changed, has none that fits. Rows are then chained in an order, each with a hash of
//! itself and all before it, and the head of the chain carries a proof too: a row that is gone leaves a gap, or a chain
//! that ends before its head. With SQLite a row is chained as it is written; with Postgres by whoever looks first after its
//! commit, one at a time, so that no write waits for another's. What remains is a database that is put back as a whole to
//! what it was: only a head that was kept elsewhere tells that, so the log shows heads.

use super::{in_person, sql};
use crate::{Ctx, Error, Project, auth};
use serde_json::{Value as Json, json};
use std::fmt::Write;
use stead_schema::Value;
use stead_store::{Reader, Row, Stamp, Tx};
use stead_wire::Instant;

/// Rows that are chained, or looked at, at once.
const ROWS: i64 = 500;
/// So many of them in one verification are chained first at most: writers may be faster than it.
const ROUNDS: usize = 10_000;

/// Notes who did what to whom, in the transaction that does it.
///
/// # Errors
/// When the database fails.
pub(crate) async fn note(
    tx: &mut Tx<'_>,
    actor: &str,
    action: &str,
    target: &str,
    at: i64,
) -> Result<(), Error> {
    let proof = tx.stamp(&message(at, actor, action, target))?;
    let text = |text: &str| Value::text(text);
    let params = [Value::Int(at), text(actor), text(action), text(target), Value::text(proof)];
    tx.execute(&sql::AUDIT, &params).await?;
    if tx.alone() {
        chain(tx, at).await?;
    }
    Ok(())
}

/// Chains rows that are not yet; how many. Nothing is built on a head that is not ours: whoever verifies is told.
///
/// # Errors
/// When the database fails.
async fn chain(tx: &mut Tx<'_>, at: i64) -> Result<usize, Error> {
    tx.hold("audit chain").await?;
    let head = Head::read(tx).await?;
    let head = head.filter(|head| head.genuine(|message, proof| tx.stamped(message, proof)));
    let Some(mut head) = head else { return Ok(0) };
    let rows = tx.fetch(&sql::LOOSE_AUDIT, &[Value::Int(0), Value::Int(ROWS)]).await?;
    for row in &rows {
        let entry = Entry::read(row)?;
        head.position += 1;
        head.hash = entry.hash(&head.hash, head.position);
        let params = [Value::Int(entry.seq), Value::Int(head.position), Value::text(&head.hash)];
        tx.execute(&sql::CHAIN_AUDIT, &params).await?;
    }
    if !rows.is_empty() {
        head.at = at;
        let proof = tx.stamp(&head.message())?;
        let params = [Value::Int(head.position), Value::text(&head.hash), Value::Int(at), Value::text(proof)];
        tx.execute(&sql::MOVE_AUDIT_HEAD, &params).await?;
    }
    Ok(rows.len())
}

/// The end of the chain.
#[derive(Debug, Clone)]
struct Head {
    position: i64,
    hash: String,
    /// Rows up to this number were written before there were proofs.
    older: i64,
    at: i64,
    proof: Option<String>,
}

impl Head {
    /// None when somebody took it away.
    async fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Error> {
        let rows = reader.fetch(&sql::AUDIT_HEAD, &[]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Self {
            position: row.int(0)?,
            hash: row.text(1)?.to_owned(),
            older: row.int(2)?,
            at: row.int(3)?,
            proof: row.text_or_null(4).map(str::to_owned),
        }))
    }

    fn genuine(&self, fits: impl FnOnce(&[u8], &str) -> bool) -> bool {
        match &self.proof {
            Some(proof) => fits(&self.message(), proof),
            // As the tables were made.
            None => self.position == 0,
        }
    }

    fn message(&self) -> Vec<u8> {
        let mut out = b"stead audit head 1".to_vec();
        [self.position, self.older, self.at].iter().for_each(|number| out.extend(number.to_be_bytes()));
        part(&mut out, &self.hash);
        out
    }
}

/// A row.
#[derive(Debug, Clone)]
struct Entry {
    seq: i64,
    at: i64,
    actor: String,
    action: String,
    target: String,
    proof: Option<String>,
}

impl Entry {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            seq: row.int(0)?,
            at: row.int(1)?,
            actor: row.text(2)?.to_owned(),
            action: row.text(3)?.to_owned(),
            target: row.text(4)?.to_owned(),
            proof: row.text_or_null(5).map(str::to_owned),
        })
    }

    fn message(&self) -> Vec<u8> {
        message(self.at, &self.actor, &self.action, &self.target)
    }

    /// The hash of this row at a place, and of all before it.
    fn hash(&self, previous: &str, position: i64) -> String {
        let mut out = b"stead audit chain 1".to_vec();
        part(&mut out, previous);
        out.extend(position.to_be_bytes());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.message());
        part(&mut out, self.proof.as_deref().unwrap_or_default());
        hex(&auth::sha256(&out))
    }

    fn genuine(&self, stamp: &dyn Stamp, older: i64) -> bool {
        match &self.proof {
            Some(proof) => stamp.fits(&self.message(), proof),
            None => self.seq <= older,
        }
    }
}

/// What the proof of a row is made for. Lengths go before texts, so that no two rows say the same.
fn message(at: i64, actor: &str, action: &str, target: &str) -> Vec<u8> {
    let mut out = b"stead audit row 1".to_vec();
    out.extend(at.to_be_bytes());
    [actor, action, target].into_iter().for_each(|text| part(&mut out, text));
    out
}

fn part(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_be_bytes());
    out.extend(text.as_bytes());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Rows of the chain that are as they were written.
    pub rows: i64,
    /// `POSITION:HASH` of the last of them; keep it elsewhere, and a later verification tells whether it still is so.
    pub head: String,
    /// The first that is not, in words and with what is left of it; none when all is well.
    pub bad: Option<Bad>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Its place in the chain; none for what is not in it.
    pub position: Option<i64>,
    /// The number of the row, where there is one.
    pub seq: Option<i64>,
    /// What is wrong with it.
    pub problem: &'static str,
    /// The row as it stands: who did what to whom.
    pub row: Option<String>,
}

impl Bad {
    fn of(position: Option<i64>, entry: &Entry, problem: &'static str) -> Self {
        let row = format!("{} {} {} {}", Instant(entry.at), entry.actor, entry.action, entry.target);
        Self { position, seq: Some(entry.seq), problem, row: Some(row) }
    }

    fn missing(position: i64, problem: &'static str) -> Self {
        Self { position: Some(position), seq: None, problem, row: None }
    }
}

impl Found {
    /// `{ok, rows, head, first_bad?: {position?, seq?, problem, row?}}`.
    pub fn json(&self) -> Json {
        let mut shown = json!({ "ok": self.bad.is_none(), "rows": self.rows, "head": self.head });
        if let (Some(bad), Some(object)) = (&self.bad, shown.as_object_mut()) {
            let bad =
                json!({ "position": bad.position, "seq": bad.seq, "problem": bad.problem, "row": bad.row });
            object.insert("first_bad".to_owned(), bad);
        }
        shown
    }
}

/// A head as it was told before: `POSITION:HASH`.
///
/// # Errors
/// When the text is no head.
pub fn known_head(text: &str) -> Result<(i64, String), String> {
    let head = text.split_once(':').and_then(|(position, hash)| Some((position.parse::<i64>().ok()?, hash)));
    match head.filter(|(position, hash)| *position > 0 && hash.len() == 64) {
        Some((position, hash)) => Ok((position, hash.to_owned())),
        None => Err("a head is written POSITION:HASH, as an earlier verification told it".to_owned()),
    }
}

/// Verifies the trail for an operator; see [`verify`].
///
/// # Errors
/// `token_required`, `forbidden` for anybody but an operator who signed in.
pub async fn verify_for(cx: &Ctx, known: Option<(i64, String)>) -> Result<Json, Error> {
    in_person(cx)?;
    Ok(verify(&cx.project, known).await?.json())
}

/// Looks at every row, in order, and at a head that was told before.
///
/// # Errors
/// When the database fails.
pub async fn verify(project: &Project, known: Option<(i64, String)>) -> Result<Found, Error> {
    chain_all(project).await?;
    let stamp = project.auth().audit_stamp();
    let head = project.store().survey(async |reader: &mut Reader<'_>| Head::read(reader).await).await?;
    let Some(head) = head else {
        let bad = Some(Bad::missing(1, "the head of the chain is gone"));
        return Ok(Found { bad, ..Found::default() });
    };
    let mut found = walk(project, &*stamp, &head).await?;
    if found.bad.is_none() && !head.genuine(|message, proof| stamp.fits(message, proof)) {
        found.bad = Some(Bad::missing(head.position, "the head of the chain was changed"));
    }
    if found.bad.is_none() {
        found.bad = outside(project, &*stamp, &head).await?;
    }
    if let (None, Some((position, hash))) = (&found.bad, known) {
        found.bad = held_against(project, position, &hash).await?;
    }
    Ok(found)
}

/// What was told of the chain last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    position: i64,
    at: i64,
}

/// Rows after which the log shows the head again.
const TOLD_ROWS: i64 = 1_000;
/// Time after which it does, if there are any, in microseconds.
const TOLD_US: i64 = 3_600 * 1_000_000;

/// Chains what is not yet, and lets the log show the head from time to time: whoever keeps the log elsewhere has something
/// to hold the trail against.
pub(crate) async fn tend(project: &Project, told: &mut Told) -> Result<(), Error> {
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::AUDIT_STATE, &[]).await?);
    let rows = project.store().survey(job).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let (position, now) = (row.int(0)?, project.now().us());
    if row.int(2)? > 0 {
        chain_all(project).await?;
    }
    let due = position - told.position >= TOLD_ROWS || now.saturating_sub(told.at) >= TOLD_US;
    if position != told.position && due {
        tracing::info!(head = format!("{position}:{}", row.text(1)?), "the audit trail so far");
        *told = Told { position, at: now };
    }
    Ok(())
}

/// Chains what is not yet, also where nobody else would.
async fn chain_all(project: &Project) -> Result<(), Error> {
    let at = project.now().us();
    for _ in 0..ROUNDS {
        if project.store().write(async move |tx: &mut Tx<'_>| chain(tx, at).await).await? == 0 {
            break;
        }
    }
    Ok(())
}

async fn page(project: &Project, after: i64, until: i64) -> Result<Vec<Row>, Error> {
    let params = [Value::Int(after), Value::Int(until), Value::Int(ROWS)];
    let job = async move |reader: &mut Reader<'_>| {
        Ok::<_, Error>(reader.fetch(&sql::CHAINED_AUDIT, &params).await?)
    };
    project.store().survey(job).await
}

/// Follows the chain from its beginning to its head.
async fn walk(project: &Project, stamp: &dyn Stamp, head: &Head) -> Result<Found, Error> {
    let (mut position, mut hash) = (0, String::new());
    let found =
        |position: i64, hash: &str, bad| Found { rows: position, head: format!("{position}:{hash}"), bad };
    loop {
        let rows = page(project, position, head.position).await?;
        for row in &rows {
            let entry = Entry::read(row)?;
            let bad = |problem| Some(Bad::of(Some(position + 1), &entry, problem));
            if row.int(6)? != position + 1 {
                let bad = Bad::missing(position + 1, "a row is missing");
                return Ok(found(position, &hash, Some(bad)));
            }
            if !entry.genuine(stamp, head.older) {
                let problem = "the row was changed, or written by somebody else";
                return Ok(found(position, &hash, bad(problem)));
            }
            let next = entry.hash(&hash, position + 1);
            if row.text_or_null(7) != Some(next.as_str()) {
                return Ok(found(position, &hash, bad("the row is not where it was written")));
            }
            (position, hash) = (position + 1, next);
        }
        if rows.is_empty() {
            break;
        }
    }
    let bad = if position < head.position {
        Some(Bad::missing(position + 1, "the trail was cut off: a row is missing"))
    } else if hash != head.hash {
        Some(Bad::missing(position, "the chain is not the one of its head"))
    } else {
        None
    };
    Ok(found(position, &hash, bad))
}

/// What is outside of the chain and should not be: places after its head, and rows that nobody of us wrote.
async fn outside(project: &Project, stamp: &dyn Stamp, head: &Head) -> Result<Option<Bad>, Error> {
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::BEYOND_AUDIT, &[]).await?);
    if let Some(row) = project.store().survey(job).await?.first() {
        let problem = "the row has a place that the chain does not have";
        return Ok(Some(Bad::of(row.int_or_null(6), &Entry::read(row)?, problem)));
    }
    let params = [Value::Int(0), Value::Int(ROWS)];
    let job =
        async move |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::LOOSE_AUDIT, &params).await?);
    for row in &project.store().survey(job).await? {
        let entry = Entry::read(row)?;
        if !entry.genuine(stamp, head.older) {
            return Ok(Some(Bad::of(None, &entry, "the row was written by somebody else")));
        }
    }
    Ok(None)
}

/// Whether the chain goes through a head that was told before.
async fn held_against(project: &Project, position: i64, hash: &str) -> Result<Option<Bad>, Error> {
    let rows = page(project, position - 1, position).await?;
    let Some(row) = rows.first() else {
        return Ok(Some(Bad::missing(position, "the trail ends before the head that was known")));
    };
    let same = row.text_or_null(7) == Some(hash);
    let bad = || {
        Ok::<_, Error>(Bad::of(Some(position), &Entry::read(row)?, "another row was here at the known head"))
    };
    if same { Ok(None) } else { bad().map(Some) }
}
