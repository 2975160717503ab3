//! Follows the log: gives positions, reads what has one, and lets readers know.
//!
//! Woken by this node's own commits, by a word from other nodes, and by a clock, in case a word was lost.

use crate::consumers;
use crate::line::{LINE_BYTES, Retention, Stored};
use crate::places::passes;
use crate::postgres::cells::{self, Params};
use crate::postgres::eras;
use crate::postgres::errors::from_sqlx;
use crate::postgres::nodes::{self, BEAT};
use crate::postgres::pool::Link;
use crate::postgres::statement::{self, WRITES};
use crate::postgres::target::{Line, Target};
use crate::postgres::{Shared, begin, order};
use crate::{Change, Error, Node};
use sqlx_postgres::{PgListener, PgPoolOptions, PgRow};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use stead_schema::Schema;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Longest silence between two looks.
const FLOOR: Duration = Duration::from_millis(500);

/// The same where other nodes cannot be heard.
const FLOOR_UNHEARD: Duration = Duration::from_millis(100);

/// Between two attempts while the database is away.
const AGAIN: Duration = Duration::from_millis(250);

/// Between two times that old changes are forgotten.
const TIDY: Duration = Duration::from_secs(5);

/// Changes read at once.
const PAGE: usize = 1_000;

/// What nodes call to each other.
const CHANNEL: &str = "stead";

const AFTER: &str =
    "SELECT o.position,c.collection,c.record_id,c.kind,c.version,c.before,c.after,c.actor,c.at,c.beyond
  FROM _order o JOIN _changes c ON c.seq=o.seq WHERE o.position>$1 AND o.position<=$2 ORDER BY o.position LIMIT $3";
/// How far the oldest changes may be forgotten: `$1` microseconds before the newest, or below position `$2`. The newest
/// stays, so that a reader knows where the log ends.
const STALE: &str = "WITH newest AS (
    SELECT o.position,c.at FROM _order o JOIN _changes c ON c.seq=o.seq ORDER BY o.position DESC LIMIT 1)
  SELECT max(s.position) FROM newest, (
    SELECT o.position,c.at FROM _order o JOIN _changes c ON c.seq=o.seq ORDER BY o.position LIMIT $3) s
  WHERE (s.at<newest.at-$1 OR s.position<=newest.position-$2) AND s.position<newest.position";
/// The mean size of the records of the oldest changes.
const BYTES_EACH: &str =
    "SELECT avg(coalesce(octet_length(c.before),0)+coalesce(octet_length(c.after),0))::bigint
  FROM (SELECT seq FROM _order ORDER BY position LIMIT $1) o JOIN _changes c ON c.seq=o.seq";
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp())*1000000)::bigint";
const FORGET: &str = "DELETE FROM _order WHERE position<=$1 RETURNING seq";
/// By a list of their numbers: joined to the statement before, Postgres goes by statistics that still count what is gone, and
/// reads the whole log for each chunk.
const FORGET_LINES: &str = "DELETE FROM _changes WHERE seq=ANY($1)";
const OLDEST: &str = "SELECT min(position) FROM _order";

/// Starts following; ends when the database is closed.
pub(crate) fn start(shared: &Arc<Shared>, target: Target, own: Node) -> JoinHandle<()> {
    let lane = shared.lane();
    let floor = match target.line {
        Line::Own => FLOOR,
        Line::Lent => FLOOR_UNHEARD,
    };
    // Who listens needs a connection for as long as that lasts, which no pooler lends.
    if target.line == Line::Own {
        lane.runtime.spawn(listen(Arc::downgrade(shared), target));
    }
    lane.runtime.spawn(follow(Arc::downgrade(shared), Arc::clone(&shared.wake), floor, own))
}

async fn follow(shared: Weak<Shared>, wake: Arc<Notify>, floor: Duration, own: Node) {
    let (mut tidied, mut beaten) = (Instant::now(), None::<Instant>);
    loop {
        let Some(shared) = shared.upgrade() else { return };
        if shared.closed() {
            return leave(&shared, &own).await;
        }
        // A word that comes while this runs is not lost: it is kept until somebody waits for it.
        match look(&shared).await {
            Ok(()) => {
                shared.reached();
                if beaten.is_none_or(|beaten| beaten.elapsed() > BEAT) {
                    beaten = Some(Instant::now());
                    beat(&shared, &own).await;
                }
                if tidied.elapsed() > TIDY {
                    tidied = Instant::now();
                    if let Err(error) = tidy(&shared).await {
                        tracing::warn!(%error, "could not shorten the change log");
                    }
                }
                // Not kept open by who only waits.
                drop(shared);
                let _ = timeout(floor, wake.notified()).await;
            }
            Err(Error::Closed) if shared.closed() => {}
            Err(error) => {
                shared.missed(&error);
                drop(shared);
                sleep(AGAIN).await;
            }
        }
    }
}

/// Tells the other servers of this one, and learns of them.
async fn beat(shared: &Shared, own: &Node) {
    let own = Node { position: *shared.head.borrow(), ..own.clone() };
    let living = async {
        let mut link = shared.lane().pool.take().await?;
        let living = nodes::beat(&mut link, &own).await?;
        link.give_back();
        Ok::<_, Error>(living)
    };
    match living.await {
        Ok(living) => shared.nodes.store(Arc::new(living)),
        Err(error) => tracing::debug!(%error, "no sign of life was given"),
    }
}

/// The others need not wait for this one.
async fn leave(shared: &Shared, own: &Node) {
    let left = async {
        let mut link = shared.lane().pool.take().await?;
        nodes::leave(&mut link, &own.id).await?;
        link.give_back();
        Ok::<_, Error>(())
    };
    if let Err(error) = left.await {
        tracing::debug!(%error, "the other servers were not told of the end");
    }
}

/// One look: gives positions, then publishes what has one.
async fn look(shared: &Shared) -> Result<(), Error> {
    let mut link = begin(&shared.lane().pool, order::TAKE_TURN).await?;
    let given = order::give(&mut link).await?;
    let newest = given.newest;
    let told = if given.count > 0 {
        format!("COMMIT; SELECT pg_notify('{CHANNEL}','')")
    } else {
        "COMMIT".to_owned()
    };
    if given.count > 0 {
        passes("positions");
    }
    statement::end(&mut link, told).await?;
    if given.count > 0 {
        passes("positioned");
    }
    let same_era = given.era == Some(shared.eras.load().newest());
    if *shared.head.borrow() < newest || !same_era {
        statement::read_on(&mut link).await?;
    }
    if !same_era {
        follow_eras(shared, &mut link, newest).await?;
    }
    let mut reached = *shared.head.borrow();
    while reached < newest {
        let lines = lines(&mut link, (reached, newest), PAGE).await?;
        reached = publish(shared, lines, newest)?;
        passes("published");
    }
    statement::done(link).await;
    Ok(())
}

/// Learns of eras that began. Where changes that were published here are lost, their readers begin anew at the newest.
async fn follow_eras(shared: &Shared, link: &mut Link, newest: u64) -> Result<(), Error> {
    let eras = eras::read(link).await?;
    let mut ring = shared.ring.write();
    let reached = *shared.head.borrow();
    let lost = !shared.eras.load().lead_to(&eras, reached);
    // Before the head: who is woken by that must know of them.
    shared.eras.store(Arc::new(eras));
    if lost {
        tracing::error!(
            reached,
            newest,
            "Postgres has lost changes that it had committed; everybody begins anew"
        );
        ring.restart(newest);
        shared.head.send_replace(newest);
    }
    Ok(())
}

async fn tidy(shared: &Shared) -> Result<(), Error> {
    let mut link = shared.lane().pool.take().await?;
    while forget(&mut link, shared.retention).await? > 0 {}
    link.give_back();
    Ok(())
}

/// Removes one chunk of what may be forgotten; how many changes. Consumers that the log waits for no longer are marked.
/// Nodes may do so at once.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn forget(link: &mut Link, retention: Retention) -> Result<u64, Error> {
    statement::begin(link, WRITES).await?;
    let mut gone = 0;
    if let Some(last) = last_to_go(link, retention).await? {
        let mut params = Params::default();
        params.add(last)?;
        let rows = statement::rows(link, FORGET.to_owned(), params).await.map_err(from_sqlx)?;
        let numbers: Vec<i64> =
            rows.iter().filter_map(|row| cells::get(row, 0).transpose()).collect::<Result<_, _>>()?;
        let mut params = Params::default();
        params.add(numbers)?;
        gone = statement::run(link, FORGET_LINES.to_owned(), params).await.map_err(from_sqlx)?;
    }
    statement::end(link, "COMMIT").await?;
    Ok(gone)
}

/// The position up to which changes may go, of the oldest chunk.
async fn last_to_go(link: &mut Link, retention: Retention) -> Result<Option<i64>, Error> {
    let Retention { age_us_max, rows_max, chunk, held } = retention;
    let Some(last) = number(link, STALE, [age_us_max, rows_max, chunk]).await? else { return Ok(None) };
    if number(link, consumers::SLOWEST, []).await?.is_none_or(|slowest| slowest >= last) {
        return Ok(Some(last));
    }
    let each = number(link, BYTES_EACH, [chunk]).await?.unwrap_or(0);
    let rows_max = held.rows_max(each + LINE_BYTES);
    if let Some(past) = number(link, STALE, [held.age_us_max, rows_max, chunk]).await? {
        lose(link, past).await?;
    }
    let slowest = number(link, consumers::SLOWEST, []).await?;
    Ok(Some(slowest.map_or(last, |slowest| slowest.min(last))))
}

async fn number<const N: usize>(link: &mut Link, text: &str, given: [i64; N]) -> Result<Option<i64>, Error> {
    let mut params = Params::default();
    for number in given {
        params.add(number)?;
    }
    statement::integer(link, text.to_owned(), params).await
}

/// Waits no longer for who has not taken a position.
async fn lose(link: &mut Link, past: i64) -> Result<(), Error> {
    let now = number(link, NOW, []).await?.unwrap_or_default();
    let mut params = Params::default();
    params.add(past)?;
    params.add(now)?;
    let rows = statement::rows(link, consumers::LOSE.postgres(), params).await.map_err(from_sqlx)?;
    let names: Vec<String> =
        rows.iter().filter_map(|row| cells::get(row, 0).transpose()).collect::<Result<_, _>>()?;
    consumers::alarm(&names);
    Ok(())
}

/// Lets readers of the log see some lines; up to which position they see it then. One lock for what is in the ring and
/// where it ends: see `Database::apply`.
fn publish(shared: &Shared, lines: Vec<Stored>, newest: u64) -> Result<u64, Error> {
    let mut ring = shared.ring.write();
    let shape = shared.shape.load();
    let reached = match lines.last() {
        Some(line) => line.seq,
        None => {
            // Others have forgotten them already: who follows must begin anew.
            ring.restart(newest);
            newest
        }
    };
    for line in lines {
        let bytes = line.bytes();
        if let Some(change) = line.change(&shape.schema)? {
            ring.push(Arc::new(change), bytes);
        }
    }
    shared.head.send_replace(reached);
    Ok(reached)
}

/// What has a position after one and up to another: what follows may belong to an era that is not known here yet.
async fn lines(link: &mut Link, (after, until): (u64, u64), limit: usize) -> Result<Vec<Stored>, Error> {
    let mut params = Params::default();
    params.add(i64::try_from(after).unwrap_or(i64::MAX))?;
    params.add(i64::try_from(until).unwrap_or(i64::MAX))?;
    params.add(i64::try_from(limit).unwrap_or(i64::MAX))?;
    let rows = statement::rows(link, AFTER.to_owned(), params).await.map_err(from_sqlx)?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Stored, Error> {
    let number = |at| Ok::<_, Error>(cells::get::<i64>(row, at)?.unwrap_or_default());
    Ok(Stored {
        seq: u64::try_from(number(0)?).unwrap_or(0),
        collection: cells::get(row, 1)?,
        record_id: cells::get(row, 2)?,
        kind: number(3)?,
        version: cells::get(row, 4)?,
        before: cells::get(row, 5)?,
        after: cells::get(row, 6)?,
        actor: cells::get(row, 7)?,
        at: number(8)?,
        beyond: cells::get(row, 9)?,
    })
}

/// At most `limit` changes after a position and up to another, in order. Records of collections that are gone are left out.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn after(
    link: &mut Link,
    schema: &Schema,
    (position, until): (u64, u64),
    limit: usize,
) -> Result<Vec<Arc<Change>>, Error> {
    let mut from = position;
    loop {
        let lines = lines(link, (from, until), limit).await?;
        let (count, last) = (lines.len(), lines.last().map_or(from, |line| line.seq));
        from = last;
        let mut found = Vec::with_capacity(count);
        for line in lines {
            found.extend(line.change(schema)?.map(Arc::new));
        }
        // A page of nothing but forgotten collections is not the end of the log.
        if !found.is_empty() || count < limit || limit == 0 {
            return Ok(found);
        }
    }
}

/// The oldest position a reader may resume from. An empty table has lost nothing.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn oldest(link: &mut Link) -> Result<u64, Error> {
    let oldest = statement::integer(link, OLDEST.to_owned(), Params::default()).await?;
    Ok(oldest.and_then(|position| u64::try_from(position - 1).ok()).unwrap_or(0))
}

/// Hears what other nodes call. Where that cannot be, the clock of [`follow`] is what remains.
async fn listen(shared: Weak<Shared>, target: Target) {
    loop {
        match hear(&shared, &target).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "nothing is heard from other nodes"),
        }
        sleep(AGAIN * 4).await;
    }
}

async fn hear(shared: &Weak<Shared>, target: &Target) -> Result<(), sqlx_core::Error> {
    // One connection; the driver's pool is how a listener is told more than a URL says.
    let one = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let one = one.acquire_timeout(target.connect_timeout).connect_with(target.options.clone()).await?;
    let mut listener = PgListener::connect_with(&one).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // So that the end of the database is noticed, too.
        let heard = timeout(FLOOR * 10, listener.try_recv()).await;
        let Some(shared) = shared.upgrade().filter(|shared| !shared.closed()) else { return Ok(()) };
        if let Ok(notice) = heard {
            // A line that broke may have lost a word, so it counts as one.
            notice?;
            shared.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::line::Held;
    use crate::postgres::made;

    const HOUR: i64 = 3_600_000_000;

    /// Gives a log of changes so many hours old.
    async fn age(link: &mut Link, ages_in_hours: &[i64]) {
        statement::begin(link, WRITES).await.unwrap();
        statement::command(link, format!("{}; {}", order::TABLES, eras::TABLES)).await.unwrap();
        statement::command(link, consumers::POSTGRES_TABLE).await.unwrap();
        for age in ages_in_hours {
            let line = format!("INSERT INTO _changes(kind,at) VALUES(6,{})", 1_000 * HOUR - age * HOUR);
            statement::command(link, line).await.unwrap();
        }
        order::give(link).await.unwrap();
        statement::end(link, "COMMIT").await.unwrap();
    }

    async fn kept(link: &mut Link) -> Vec<u64> {
        lines(link, (0, u64::MAX), 100).await.unwrap().iter().map(|line| line.seq).collect()
    }

    #[tokio::test]
    async fn lines_are_forgotten_without_reading_those_that_stay() {
        let Some([mut link]) = made::links("stead_forget").await else { return };
        let plan = async |link: &mut Link, text: &str| {
            statement::begin(link, WRITES).await.unwrap();
            let fill =
                "INSERT INTO _changes(kind,at) SELECT 6,0 FROM generate_series(1,5000); ANALYZE _changes;
              SET LOCAL plan_cache_mode=force_generic_plan";
            statement::command(link, format!("{}; {fill}", order::TABLES)).await.unwrap();
            statement::command(link, format!("PREPARE plan(bigint[]) AS {text}")).await.unwrap();
            let asked = "EXPLAIN EXECUTE plan('{1,2,3}')".to_owned();
            let rows = statement::rows(link, asked, Params::default()).await.unwrap();
            statement::end(link, "ROLLBACK; DEALLOCATE plan").await.unwrap();
            let lines = rows.iter().map(|row| cells::get::<String>(row, 0).unwrap().unwrap());
            lines.collect::<Vec<_>>().join(" ")
        };
        assert!(!plan(&mut link, FORGET_LINES).await.contains("Seq Scan"));
        // Control: one that reads them all says so.
        let all = "DELETE FROM _changes WHERE seq+0=ANY($1)";
        assert!(plan(&mut link, all).await.contains("Seq Scan"));
    }

    #[tokio::test]
    async fn old_changes_are_forgotten_by_age_and_by_count_and_the_newest_stays() {
        let Some([mut link]) = made::links("stead_tail").await else { return };
        age(&mut link, &[50, 30, 25, 23, 1, 0]).await;
        assert_eq!(oldest(&mut link).await.unwrap(), 0);
        assert_eq!(forget(&mut link, Retention::default()).await.unwrap(), 3);
        assert_eq!(kept(&mut link).await, [4, 5, 6]);
        assert_eq!(oldest(&mut link).await.unwrap(), 3);
        assert_eq!(forget(&mut link, Retention::default()).await.unwrap(), 0);
        let few = Retention { rows_max: 2, chunk: 1, ..Retention::default() };
        assert_eq!(forget(&mut link, few).await.unwrap(), 1);
        assert_eq!(forget(&mut link, few).await.unwrap(), 0);
        assert_eq!(kept(&mut link).await, [5, 6]);
        let nothing = Retention { age_us_max: -1, rows_max: 0, chunk: 100, ..Retention::default() };
        assert_eq!(forget(&mut link, nothing).await.unwrap(), 1);
        assert_eq!(kept(&mut link).await, [6]);
    }

    async fn consumer(link: &mut Link, name: &str, position: i64) {
        let add = format!("INSERT INTO _consumers(name,position,seen) VALUES('{name}',{position},0)");
        statement::command(link, format!("BEGIN READ WRITE; {add}; COMMIT")).await.unwrap();
    }

    async fn lost(link: &mut Link) -> Vec<String> {
        let text = "SELECT name FROM _consumers WHERE lost IS NOT NULL".to_owned();
        let rows = statement::rows(link, text, Params::default()).await.unwrap();
        rows.iter().map(|row| cells::get(row, 0).unwrap().unwrap()).collect()
    }

    #[tokio::test]
    async fn what_a_consumer_has_not_taken_stays_until_it_is_too_old_and_then_the_consumer_is_lost() {
        let Some([mut link]) = made::links("stead_held").await else { return };
        age(&mut link, &[300, 200, 100, 50, 1, 0]).await;
        consumer(&mut link, "slow", 2).await;
        consumer(&mut link, "fast", 5).await;
        assert_eq!(forget(&mut link, Retention::default()).await.unwrap(), 2);
        assert_eq!((kept(&mut link).await, lost(&mut link).await), (vec![3, 4, 5, 6], vec![]));
        assert_eq!(forget(&mut link, Retention::default()).await.unwrap(), 0);
        let held = Held { age_us_max: 60 * HOUR, ..Held::default() };
        let shorter = Retention { held, ..Retention::default() };
        assert_eq!(forget(&mut link, shorter).await.unwrap(), 2);
        assert_eq!((kept(&mut link).await, lost(&mut link).await), (vec![5, 6], vec!["slow".to_owned()]));
    }

    #[tokio::test]
    async fn the_log_waits_with_no_more_than_so_many_bytes() {
        let Some([mut link]) = made::links("stead_held_bytes").await else { return };
        age(&mut link, &[30; 20]).await;
        consumer(&mut link, "slow", 3).await;
        let most = |lines: i64| Retention {
            age_us_max: -1,
            held: Held { bytes_max: lines * LINE_BYTES, ..Held::default() },
            ..Retention::default()
        };
        assert_eq!(forget(&mut link, most(17)).await.unwrap(), 3);
        assert_eq!((kept(&mut link).await.len(), lost(&mut link).await), (17, vec![]));
        assert_eq!(forget(&mut link, most(16)).await.unwrap(), 16);
        assert_eq!((kept(&mut link).await, lost(&mut link).await), (vec![20], vec!["slow".to_owned()]));
    }
}
