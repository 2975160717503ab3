//! Mails that wait, as the one who delivers them sees the table.

use super::letter::{Letter, place};
use super::sql;
use crate::{Error, Project, auth, limits};
use stead_schema::Value;
use stead_store::{Row, Tx};

/// A mail that this server has for itself until its lease ends.
pub(super) struct Taken {
    pub(super) id: String,
    /// How often it was taken, this time included.
    pub(super) attempts: i64,
    /// `None` when it cannot be read here: it was written under another master key, or by a newer server.
    pub(super) letter: Option<Letter>,
}

/// The queue at one moment; times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) next_at: Option<i64>,
    pub(super) expires_at: Option<i64>,
    /// Counted up to 10,000.
    pub(super) waiting: i64,
}

/// What waits. Asked of the writer: what a reader does cannot move between threads, and the delivery does.
///
/// # Errors
/// When the database fails.
pub(super) async fn look(project: &Project) -> Result<Look, Error> {
    let job = async |tx: &mut Tx<'_>| Ok::<_, Error>(tx.fetch(&sql::LOOK, &[]).await?);
    let rows = project.store().write(job).await?;
    let row = rows.first().ok_or_else(|| Error::internal("the queue of mails gave no row"))?;
    Ok(Look { next_at: row.int_or_null(0), expires_at: row.int_or_null(1), waiting: row.int(2)? })
}

/// Takes up to `count` that are due. Whoever takes one has it until the lease ends, also when this server dies.
///
/// # Errors
/// When the database fails.
pub(super) async fn take(project: &Project, count: usize) -> Result<Vec<Taken>, Error> {
    let now = project.now().us();
    let until = now.saturating_add(limits::MAIL_LEASE_S * 1_000_000);
    let params = [Value::Int(now), Value::Int(until), Value::Int(i64::try_from(count).unwrap_or(1))];
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.fetch(&sql::TAKE, &params).await?);
    let rows = project.store().write(job).await?;
    rows.iter().map(|row| read(project, row)).collect()
}

fn read(project: &Project, row: &Row) -> Result<Taken, Error> {
    let id = row.text(0)?.to_owned();
    let plain = auth::open(project, &place(&id), row.text(1)?);
    let letter = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
    Ok(Taken { attempts: row.int(2)?, letter, id })
}

/// Forgets a mail that was handed over or given up.
///
/// # Errors
/// When the database fails; then the mail is sent once more.
pub(super) async fn remove(project: &Project, id: &str) -> Result<(), Error> {
    let params = [Value::text(id)];
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&sql::REMOVE, &params).await?);
    project.store().write(job).await.map(|_| ())
}

/// Lets a mail wait after a failure: 5 s after the first, then twice as long each time, at most ten minutes.
///
/// # Errors
/// When the database fails; then it waits for its lease.
pub(super) async fn postpone(project: &Project, taken: &Taken) -> Result<(), Error> {
    let doublings = u32::try_from(taken.attempts.saturating_sub(1)).unwrap_or(0).min(20);
    let pause_s = (limits::MAIL_PAUSE_S << doublings).min(limits::MAIL_PAUSE_S_MAX);
    let next_at = project.now().us().saturating_add(pause_s * 1_000_000);
    let params = [Value::text(&taken.id), Value::Int(next_at), Value::Int(taken.attempts)];
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&sql::POSTPONE, &params).await?);
    project.store().write(job).await.map(|_| ())
}

/// Forgets mails whose content is worthless by now; how many.
///
/// # Errors
/// When the database fails.
pub(super) async fn remove_expired(project: &Project) -> Result<u64, Error> {
    let params = [Value::Int(project.now().us())];
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&sql::REMOVE_EXPIRED, &params).await?);
    project.store().write(job).await
}
