//! Connections, opened when they are needed and kept for the next who asks.
//!
//! Not the driver's own pool: that one asks the database a question each time a connection comes back, which is as much
//! as many of our reads cost. A connection comes back only when what was done on it ended well; any other is closed.

use crate::Error;
use crate::postgres::errors::from_sqlx;
use crate::postgres::target::{Line, Target};
use crate::sqlite::words::Splitter;
use parking_lot::Mutex;
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::raw_sql::raw_sql;
use sqlx_postgres::PgConnection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Longest wait for a connection that others use.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Longest wait for the answer to a statement that the database itself bounds: past it the line is dead.
const SILENCE: Duration = Duration::from_secs(5);

/// A connection that lay idle for longer is asked whether it is still there.
const TRUSTED: Duration = Duration::from_secs(1);

/// What holds on a connection of our own unless a transaction says otherwise: reads are bounded, and nothing writes by
/// mistake. Who waits for a record or the turn longer than `lock_timeout` is answered `Busy`, before any statement is too slow.
/// One that is lent is told in each transaction: see `statement`. A process that stands still or is cut off in the
/// middle of a transaction loses it, or other nodes would wait for what it holds: the turn at the log, records. The last is
/// for answers that it does not take; no statement's bound ends those.
const SETTINGS: &str =
    "SET statement_timeout=2000; SET lock_timeout=1500; SET default_transaction_read_only=on;
  SET TIME ZONE 'UTC'; SET client_min_messages=warning;
  SET idle_in_transaction_session_timeout=2000; SET tcp_user_timeout=5000";

/// Connections of one lane.
pub(crate) struct Pool {
    target: Target,
    idle: Mutex<Vec<(PgConnection, Instant)>>,
    permits: Arc<Semaphore>,
    /// For the index of words.
    splitter: Splitter,
    /// Where sockets are watched: it must outlive every request, so it is none of those that serve them.
    runtime: Handle,
}

impl Pool {
    /// At most `most` connections; none is opened yet.
    pub(crate) fn new(target: Target, most: usize, runtime: Handle) -> Self {
        let (idle, splitter) = (Mutex::default(), Splitter::default());
        Self { target, idle, permits: Arc::new(Semaphore::new(most)), splitter, runtime }
    }

    /// A connection for one operation.
    ///
    /// # Errors
    /// `Busy` when none is free in time, `Away` when the database does not answer, `Closed` after the end.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Link, Error> {
        let free = timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned());
        let permit = free.await.map_err(|_| Error::Busy)?.map_err(|_| Error::Closed)?;
        loop {
            let kept = self.idle.lock().pop();
            let Some((mut connection, since)) = kept else { break };
            if since.elapsed() < TRUSTED || matches!(timeout(PATIENCE, connection.ping()).await, Ok(Ok(()))) {
                return Ok(self.link(connection, permit));
            }
            // The others are as old or older, and to ask each would take its time.
            self.forget();
        }
        let target = self.target.clone();
        let opening = self.runtime.spawn(async move { timeout(target.connect_timeout, open(&target)).await });
        let opened = opening.await.map_err(|_| Error::Closed)?;
        let opened = opened.map_err(|_| Error::Away("no new connection was opened in time".to_owned()))?;
        Ok(self.link(opened.map_err(from_sqlx)?, permit))
    }

    fn link(self: &Arc<Self>, connection: PgConnection, permit: OwnedSemaphorePermit) -> Link {
        Link {
            connection: Some(connection),
            pool: Arc::clone(self),
            whole: false,
            lost: false,
            failed: false,
            patient: false,
            begun: false,
            _permit: permit,
        }
    }

    /// Forgets the connections that are idle: one that is dead is seldom alone.
    pub(crate) fn forget(&self) {
        self.idle.lock().clear();
    }

    /// Gives no more connections and closes those that are idle.
    pub(crate) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for (connection, _) in idle {
            // The server notices by itself when this fails.
            let _ = timeout(PATIENCE, connection.close()).await;
        }
    }
}

async fn open(target: &Target) -> Result<PgConnection, sqlx_core::Error> {
    let mut connection = target.options.connect().await?;
    if target.line == Line::Own {
        raw_sql(SETTINGS).execute(&mut connection).await?;
    }
    Ok(connection)
}

/// A connection on loan.
pub(crate) struct Link {
    connection: Option<PgConnection>,
    pool: Arc<Pool>,
    whole: bool,
    /// The line broke, or who answers on it is not to be trusted.
    lost: bool,
    /// A statement failed, so that an open transaction can only be undone.
    failed: bool,
    /// Statements may take as long as they do.
    patient: bool,
    /// A transaction is open.
    pub(crate) begun: bool,
    _permit: OwnedSemaphorePermit,
}

impl Link {
    /// The connection.
    ///
    /// # Errors
    /// Never while the loan lasts.
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        self.connection.as_mut().ok_or(Error::Closed)
    }

    /// Statements may take as long as they do from here on: tables are being made.
    pub(crate) fn be_patient(&mut self) {
        self.patient = true;
    }

    /// How long an answer may take; without end while tables are being made.
    pub(crate) fn patience(&self) -> Option<Duration> {
        (!self.patient).then_some(SILENCE)
    }

    /// Who has the connection of Postgres behind this one.
    pub(crate) fn line(&self) -> Line {
        self.pool.target.line
    }

    /// What tells the words of texts.
    pub(crate) fn splitter(&self) -> &Splitter {
        &self.pool.splitter
    }

    /// Remembers that a statement failed, and whether it left the connection usable.
    pub(crate) fn note(&mut self, usable: bool) {
        self.failed = true;
        self.lost |= !usable;
    }

    /// Whether the connection can do nothing more.
    pub(crate) fn lost(&self) -> bool {
        self.lost
    }

    /// Whether a statement failed since the connection was lent.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Says that nothing is open or under way on the connection, so that it may be lent again.
    pub(crate) fn give_back(mut self) {
        self.whole = !self.lost && !self.begun;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A request that was given up may have left a statement or a transaction behind: such a connection is closed.
        if let (true, Some(connection), false) =
            (self.whole, self.connection.take(), self.pool.permits.is_closed())
        {
            self.pool.idle.lock().push((connection, Instant::now()));
        }
    }
}
