//! Postgres: many writers at once on any number of nodes, and one order of what they did.
//!
//! Nothing outside this room may name a type of the driver. Threads: a few lanes, each with connections of its own.

mod apply;
mod cells;
mod eras;
mod errors;
mod job;
mod lane;
#[cfg(test)]
mod made;
mod migrations;
mod nodes;
mod order;
mod pool;
mod pooler;
mod session;
mod statement;
mod tail;
mod target;
mod words;
mod writing;

pub(crate) use session::Session;

use crate::places::passes;
use crate::reader::Session as Either;
use crate::ring::Ring;
use crate::stamp::StampSlot;
use crate::texts::Shape;
use crate::tx::Writing;
use crate::{Change, Config, Dialect, Eras, Error, Node, Postgres, Reader, Retention, Stretch, Tx};
use arc_swap::ArcSwap;
use lane::Lane;
use parking_lot::{Mutex, RwLock};
use pool::{Link, Pool};
use statement::{Opening, READS, WRITES};
use std::convert::identity;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use stead_schema::Schema;
use target::Target;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest wait of a write for a change of the schema, as for a record.
const SCHEMA_PATIENCE: Duration = Duration::from_millis(1500);

/// How often a change of the tables is tried, and the pause between: who waits for a table keeps all others waiting behind
/// it, so none waits long.
const APPLY_TRIES: u32 = 30;
const APPLY_PAUSE: Duration = Duration::from_secs(1);

/// Most surveys that wait or run.
const SURVEYS_MAX: usize = 64;

/// A log that was not followed for so long makes the node unready, in milliseconds.
const STALE_MS: u64 = 5_000;

/// An open database.
pub(crate) struct Database {
    pub(crate) shared: Arc<Shared>,
    /// Who follows the log, until the end; nobody for a database that is only looked at.
    following: Mutex<Option<JoinHandle<()>>>,
}

/// What operations share.
pub(crate) struct Shared {
    lanes: Vec<Lane>,
    next: AtomicUsize,
    pub(crate) shape: ArcSwap<Shape>,
    /// Held by every write, and alone by a change of the schema: what is written has the columns that the tables have.
    changing: tokio::sync::RwLock<()>,
    pub(crate) ring: RwLock<Ring>,
    pub(crate) head: watch::Sender<u64>,
    pub(crate) eras: ArcSwap<Eras>,
    pub(crate) wake: Arc<Notify>,
    surveys: Surveys,
    closed: AtomicBool,
    began: Instant,
    /// When the log was followed to its end last, in milliseconds after `began`.
    reached_ms: AtomicU64,
    /// The last look at the log found no database.
    away: AtomicBool,
    /// How much of the log is kept.
    pub(crate) retention: Retention,
    /// All servers on this database that live, as of the last sign of life.
    pub(crate) nodes: ArcSwap<Vec<Node>>,
    pub(crate) stamp: StampSlot,
}

/// Reads whose cost is not bounded must leave connections to those whose cost is.
struct Surveys {
    waiting: Arc<Semaphore>,
    running: Semaphore,
}

impl Surveys {
    fn new(connections: u32) -> Self {
        let running = usize::try_from(connections / 4).unwrap_or(1).max(1);
        Self { waiting: Arc::new(Semaphore::new(SURVEYS_MAX)), running: Semaphore::new(running) }
    }
}

/// How many lanes, and connections of each: two at least, so that none waits for itself, and together no more than may be.
fn shared_out(threads: usize, connections: u32) -> (usize, usize) {
    let connections = usize::try_from(connections).unwrap_or(usize::MAX).max(2);
    let lanes = threads.clamp(1, 64).min(connections / 2);
    (lanes, connections / lanes)
}

impl Database {
    /// Connects, runs the migrations, begins to follow the log.
    ///
    /// # Errors
    /// When the database does not answer, is too old, or was made by a newer version of this program.
    pub(crate) async fn open(config: &Config, place: &Postgres) -> Result<Self, Error> {
        let target = pooler::find_out(place.url.parse()?).await?;
        let opened = Self::connect(config, place, &target, Arc::default())?;
        let mut link = opened.shared.lane().pool.take().await?;
        migrations::run(&mut link, &config.migrations).await?;
        opened.follow(link, target).await
    }

    /// Connects to a database that is there, to look at it.
    ///
    /// # Errors
    /// When it does not answer or holds no tables of ours.
    pub(crate) async fn open_read_only(
        config: &Config,
        place: &Postgres,
        schema: Arc<Schema>,
    ) -> Result<Self, Error> {
        let target = pooler::find_out(place.url.parse()?).await?;
        let opened = Self::connect(config, place, &target, schema)?;
        let mut link = statement::reading(&opened.shared.lane().pool).await?;
        order::newest(&mut link).await?;
        statement::done(link).await;
        Ok(opened)
    }

    fn connect(
        config: &Config,
        place: &Postgres,
        target: &Target,
        schema: Arc<Schema>,
    ) -> Result<Self, Error> {
        let (lanes, each) = shared_out(config.readers, place.connections);
        let lanes = (0..lanes).map(|index| Lane::start(index, target, each)).collect::<Result<_, _>>()?;
        let shared = Shared {
            lanes,
            next: AtomicUsize::new(0),
            shape: ArcSwap::from_pointee(Shape::new(Dialect::Postgres, schema)),
            changing: tokio::sync::RwLock::default(),
            ring: RwLock::new(Ring::new(0)),
            head: watch::Sender::new(0),
            eras: ArcSwap::default(),
            wake: Arc::default(),
            surveys: Surveys::new(place.connections),
            closed: AtomicBool::new(false),
            began: Instant::now(),
            reached_ms: AtomicU64::new(0),
            away: AtomicBool::new(false),
            retention: config.retention,
            nodes: ArcSwap::default(),
            stamp: StampSlot::new(),
        };
        Ok(Self { shared: Arc::new(shared), following: Mutex::default() })
    }

    async fn follow(self, mut link: Link, target: Target) -> Result<Self, Error> {
        statement::begin(&mut link, order::TAKE_TURN).await?;
        let newest = order::give(&mut link).await?.newest;
        let eras = eras::read(&mut link).await?;
        let own = nodes::begin(&mut link).await?;
        statement::end(&mut link, "COMMIT").await?;
        link.give_back();
        self.shared.ring.write().restart(newest);
        self.shared.head.send_replace(newest);
        self.shared.eras.store(Arc::new(eras));
        *self.following.lock() = Some(tail::start(&self.shared, target, own));
        Ok(self)
    }

    /// Hands a job to a lane.
    ///
    /// # Errors
    /// `Busy` when too many wait, `Closed` after the end.
    pub(crate) fn submit<T, E, F>(&self, job: F) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.lane().submit(Box::new(job::Write { shared, job, answer }))?;
        Ok(outcome)
    }

    /// Hands a read whose cost is not bounded to a lane.
    ///
    /// # Errors
    /// As [`Database::submit`].
    pub(crate) fn survey<T, E, F>(&self, job: F) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let waiting =
            Arc::clone(&self.shared.surveys.waiting).try_acquire_owned().map_err(|_| Error::Busy)?;
        let (answer, outcome) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.lane().submit(Box::new(job::Survey { shared, job, answer, waiting }))?;
        Ok(outcome)
    }

    /// Makes the tables fit a schema.
    ///
    /// # Errors
    /// `Refused`, or what the database says; `Busy` when somebody held a table for all of a minute.
    pub(crate) async fn apply(&self, schema: Arc<Schema>) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.apply_once(Arc::clone(&schema)).await {
                Err(Error::Busy) if tries < APPLY_TRIES => {
                    tracing::info!(tries, "a table that must change is held by somebody; trying again");
                    tokio::time::sleep(APPLY_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    async fn apply_once(&self, schema: Arc<Schema>) -> Result<(), Error> {
        let _alone = self.shared.changing.write().await;
        let mut link = self.shared.lane().pool.take().await?;
        let shape = apply::run(&mut link, schema).await?;
        link.give_back();
        let mut ring = self.shared.ring.write();
        self.shared.shape.store(Arc::new(shape));
        // Places of collections and fields may have moved: older changes are decoded anew from the table. Who publishes holds
        // the same lock, so that the ring begins where the head is and holds nothing that the old schema decoded.
        ring.restart(*self.shared.head.borrow());
        drop(ring);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Reads by a schema that the tables have already.
    ///
    /// # Errors
    /// `Refused` when they have another.
    pub(crate) async fn adopt(&self, schema: Arc<Schema>) -> Result<(), Error> {
        let mut link = statement::reading(&self.shared.lane().pool).await?;
        let shape = apply::adopt(&mut link, schema).await?;
        statement::done(link).await;
        self.shared.shape.store(Arc::new(shape));
        Ok(())
    }

    /// Whether this node keeps up with the log.
    pub(crate) fn ready(&self) -> bool {
        let silent_ms =
            self.shared.elapsed_ms().saturating_sub(self.shared.reached_ms.load(Ordering::Relaxed));
        !self.shared.closed() && !self.shared.away.load(Ordering::Relaxed) && silent_ms < STALE_MS
    }

    /// Finishes what was taken and closes every connection.
    pub(crate) async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.wake.notify_one();
        // It may be using a connection of any lane.
        let following = self.following.lock().take();
        if let Some(following) = following {
            // An error means that it is gone already.
            let _ = following.await;
        }
        for lane in &self.shared.lanes {
            lane.close().await;
        }
    }
}

/// A connection with a transaction that begins. A line that broke while it lay idle is noticed only now, when nothing
/// was done on it yet, so another may take its place.
async fn begin(pool: &Arc<Pool>, opening: Opening) -> Result<Link, Error> {
    let mut link = pool.take().await?;
    let began = statement::begin(&mut link, opening).await;
    if began.is_err() && link.lost() {
        drop(link);
        pool.forget();
        link = pool.take().await?;
        statement::begin(&mut link, opening).await?;
    } else {
        began?;
    }
    Ok(link)
}

/// Ends a transaction as its job did. Postgres answers `COMMIT` after a failed statement by undoing everything, without an
/// error: a job that passed over the failure must not be told that its changes stand. `unanswered` is what is told when the
/// line breaks before the answer to the `COMMIT`.
async fn end<T, E: From<Error>>(
    mut link: Link,
    result: Result<T, E>,
    unanswered: fn(Error) -> Error,
) -> Result<T, E> {
    let result = match result {
        Ok(_) if link.failed() => Err(Error::Database("a job passed over a failed statement".into()).into()),
        result => result,
    };
    let ended = statement::end(&mut link, if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
    let lost = link.lost();
    if ended.is_ok() {
        link.give_back();
    }
    let value = result?;
    match ended {
        Err(error) if lost => Err(unanswered(error).into()),
        ended => Ok(ended.map(|()| value)?),
    }
}

/// Whoever is told that a write failed would do it twice.
fn unknown(_: Error) -> Error {
    Error::Unknown
}

impl Shared {
    /// The lane whose turn it is.
    pub(crate) fn lane(&self) -> &Lane {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        // `lanes` is never empty, and `at` is below its length.
        #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
        &self.lanes[at]
    }

    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that the log was followed to its end.
    pub(crate) fn reached(&self) {
        self.reached_ms.store(self.elapsed_ms(), Ordering::Relaxed);
        if self.away.swap(false, Ordering::Relaxed) {
            tracing::info!("the database is there again");
        }
    }

    /// Notes why the log could not be followed. Somebody else's turn that lasts is no sign that the database is away.
    fn missed(&self, error: &Error) {
        if matches!(error, Error::Deadline | Error::Busy) {
            tracing::debug!(%error, "the turn at the change log lasts");
        } else if !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the change log cannot be followed; trying again until it can");
        }
    }

    /// Runs a job in one transaction.
    pub(crate) async fn transaction<T, E, F>(&self, pool: &Arc<Pool>, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        let unchanged = timeout(SCHEMA_PATIENCE, self.changing.read()).await;
        let _unchanged = unchanged.map_err(|_| Error::Busy)?;
        let mut link = begin(pool, WRITES).await?;
        let shape = self.shape.load_full();
        let session = Session { link: &mut link, shape: &shape, head: None, writes: true };
        let reader = Reader { session: Either::Postgres(session) };
        let mut tx = Tx { reader, writing: Writing::Postgres, stamp: &self.stamp };
        let result = job(&mut tx).await;
        passes("commit");
        let value = end(link, result, unknown).await?;
        passes("committed");
        self.wake.notify_one();
        Ok(value)
    }

    /// Runs a read whose statements each see the newest commit.
    pub(crate) async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        let mut link = statement::reading(&self.lane().pool).await?;
        let result = self.with(&mut link, None, job).await;
        statement::done(link).await;
        result
    }

    /// Runs a read in one snapshot, which belongs to one position exactly.
    pub(crate) async fn snapshot<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        let mut link = begin(&self.lane().pool, order::TAKE_TURN).await?;
        let given = order::give(&mut link).await?;
        let result = self.with(&mut link, Some(given.newest), job).await;
        let value = end(link, result, identity).await?;
        if given.count > 0 {
            self.wake.notify_one();
        }
        Ok(value)
    }

    /// Runs a read that may not take longer than its deadline.
    pub(crate) async fn survey<T, E, F>(&self, pool: &Arc<Pool>, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E>,
        E: From<Error>,
    {
        let _running = self.surveys.running.acquire().await.map_err(|_| Error::Closed)?;
        let mut link = begin(pool, READS).await?;
        let result = self.with(&mut link, None, job).await;
        end(link, result, identity).await
    }

    async fn with<T, E, F>(&self, link: &mut Link, head: Option<u64>, job: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Reader<'_>) -> Result<T, E>,
    {
        let shape = self.shape.load_full();
        let session = Session { link, shape: &shape, head, writes: false };
        job(&mut Reader { session: Either::Postgres(session) }).await
    }

    /// The oldest position a reader may resume from.
    pub(crate) async fn oldest(&self) -> Result<u64, Error> {
        let mut link = statement::reading(&self.lane().pool).await?;
        let oldest = tail::oldest(&mut link).await?;
        statement::done(link).await;
        Ok(oldest)
    }

    /// See [`crate::Log::after`].
    pub(crate) async fn after(&self, position: u64, limit: usize) -> Result<Stretch, Error> {
        let (eras, head, recent) = {
            let ring = self.ring.read();
            (self.eras.load_full(), *self.head.borrow(), ring.after(position, limit))
        };
        let changes = match recent {
            Some(changes) => changes,
            None => self.older(position, head, limit).await?,
        };
        Ok(Stretch { eras, changes })
    }

    /// Changes that the ring has forgotten. What comes after `head` may belong to an era that is not known here yet.
    async fn older(&self, position: u64, head: u64, limit: usize) -> Result<Vec<Arc<Change>>, Error> {
        let mut link = statement::reading(&self.lane().pool).await?;
        let shape = self.shape.load_full();
        let found = tail::after(&mut link, &shape.schema, (position, head), limit).await?;
        statement::done(link).await;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::shared_out;

    #[test]
    fn lanes_share_the_connections_and_never_take_more() {
        for (threads, connections, expected) in [
            (2, 20, (2, 10)),
            (64, 20, (10, 2)),
            (1, 4, (1, 4)),
            (16, 5, (2, 2)),
            (0, 0, (1, 2)),
            (64, 1000, (64, 15)),
        ] {
            assert_eq!(
                shared_out(threads, connections),
                expected,
                "{threads} threads, {connections} connections"
            );
        }
    }
}
